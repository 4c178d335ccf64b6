"""Show notebooks and the security page on the site: they stand above ``docs/``."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

ABOVE = {"../SECURITY.md": "reference/security.md", "../notebooks/": "notebooks/"}
"""What pages link to above ``docs/``, and where the site has it."""


def copied(app: Sphinx) -> None:
    """Copy the notebooks into the source folder, with links that hold there.

    Pages of names that are no longer public go, as they would be on no list.
    """
    here = Path(app.srcdir)
    shutil.rmtree(here / "reference" / "api", ignore_errors=True)
    folder = here / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in sorted((here.parent / "notebooks").glob("*.ipynb")):
        (folder / path.name).write_text(path.read_text().replace("../docs/", "../"))


def relinked(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links that lead above ``docs/`` lead to the site's own pages."""
    if page.startswith("notebooks/"):
        return
    up = "../" * page.count("/")
    for above, here in ABOVE.items():
        source[0] = source[0].replace(f"]({up}{above}", f"]({up}{here}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx when to do so."""
    app.connect("config-inited", lambda app, _: copied(app))
    app.connect("source-read", relinked)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
