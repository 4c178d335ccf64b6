"""Execute every notebook from top to bottom in a fresh kernel; with ``--write``, keep the outputs."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def execute(path: Path, *, write: bool) -> None:
    """Run one notebook; any error in a cell is an error here."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": NOTEBOOKS}}).execute()
    if write:
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)
    print(f"{path.name}: {len(notebook.cells)} cells ran")  # noqa: T201


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        execute(path, write="--write" in sys.argv)
