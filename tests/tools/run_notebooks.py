"""Execute every notebook from top to bottom in a fresh kernel; with ``--write``, keep the outputs.

Datasets that notebooks fetch are taken from the folder ``BAYES_SYNTH_DATA`` where it has them, so
that nothing need be downloaded. A notebook whose data can be had nowhere is skipped with a word.
"""

import base64
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

import bayes_synth as bs
from bayes_synth.datasets import FETCHED
from bayes_synth.errors import LoadError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
DATA = Path(os.environ.get("BAYES_SYNTH_DATA", ROOT.parent / "shared" / "data"))
NAMED = {"geolift": "geolift_test"}
"""Files of ``BAYES_SYNTH_DATA`` that have another name than their dataset."""
NEEDS = {"02_is_it_believable.ipynb": "basque", "04_plan_a_test.ipynb": "geolift"}


def execute(path: Path, *, write: bool) -> None:
    """Run one notebook; any error in a cell is an error here."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": NOTEBOOKS}}
    ).execute()
    if write:
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            for output in cell.get("outputs", ()):
                if "text" in output:
                    output.text = re.sub(r"/\S*/ipykernel_\d+/\d+\.py:\d+: ", "", output.text)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
        nbformat.write(notebook, path)
    print(f"{path.name}: {len(notebook.cells)} cells ran")


def smaller(picture: str) -> str:
    """The picture in 64 colours, which plots of lines and bands do not miss."""
    found, page = io.BytesIO(base64.b64decode(picture)), io.BytesIO()
    Image.open(found).convert("RGB").quantize(64).save(page, "png", optimize=True)
    return base64.b64encode(page.getvalue()).decode()


def can_be_had(name: str | None) -> bool:
    """Whether the dataset that a notebook fetches is there or can be fetched."""
    try:
        return name is None or bs.fetch_dataset(name) is not None
    except LoadError:
        return False


def main() -> None:
    """All notebooks, with a cache folder of their own."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        (Path(cache) / "bayes_synth").mkdir()
        for name, remote in FETCHED.items():
            if (local := DATA / f"{NAMED.get(name, name)}.csv").exists():
                shutil.copy(local, Path(cache) / "bayes_synth" / remote.address.rsplit("/", 1)[1])
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            if can_be_had(NEEDS.get(path.name)):
                execute(path, write="--write" in sys.argv)
            else:
                print(f"{path.name}: SKIPPED, {NEEDS[path.name]!r} cannot be fetched here")


if __name__ == "__main__":
    main()
