"""Draw the pictures of a page from the code on that page, for light and for dark readers.

A comment such as ``<!-- picture: weights "The heaviest donors" -->`` stands for what ``figure`` is
after the code above it. Shown code runs in the order of the page, also where its test skips it;
code in comments is the test's and does not.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from sphinx.application import Sphinx
from sphinx.util import logging

from bayes_synth.plots import look

PICTURE = re.compile(r"^<!-- picture: (\w+) \"(.*?)\" -->$", re.MULTILINE)
PART = re.compile(rf"^```python\n(?P<code>.*?)^```$|{PICTURE.pattern}", re.MULTILINE | re.DOTALL)
FOLDER = "pictures"
THEMES = ("light", "dark")
SHOWN = """:::{{div}} picture only-{theme}
```{{image}} {up}{folder}/{name}-{theme}.png
:alt: {words}
:class: only-{theme}
```
:::
"""
log = logging.getLogger(__name__)


def draw(page: Path, folder: Path) -> None:
    """Run the code of a page, and draw each of its pictures once per theme."""
    names: dict = {}
    code = ""
    for part in PART.finditer(page.read_text()):
        if part["code"] is not None:
            code = part["code"]
            run(code, names, "light")
            continue
        for theme in THEMES:
            if theme != "light":
                run(last_statement(code), names, theme)
            names["figure"].savefig(folder / f"{part[2]}-{theme}.png", dpi=160)
        mpl.pyplot.close("all")


def last_statement(code: str) -> str:
    """Return what draws: what it draws from is there already."""
    return ast.unparse(ast.parse(code).body[-1])


def run(code: str, names: dict, theme: str) -> None:
    """Run code with the colours of a theme in every plot that names none."""
    kept, look.OURS = look.OURS, look.THEMES[theme]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(code, names)
    finally:
        look.OURS = kept


def drawn(app: Sphinx) -> None:
    """Draw the pictures that are missing, or older than their page."""
    mpl.use("agg")
    here = Path(app.srcdir)
    (here / FOLDER).mkdir(exist_ok=True)
    for page in sorted(here.rglob("*.md")):
        if any(is_old(page, here / FOLDER)):
            log.info("drawing the pictures of %s", page.relative_to(here))
            draw(page, here / FOLDER)


def is_old(page: Path, folder: Path) -> Iterator[bool]:
    """Whether each picture of a page is missing, or older than the page."""
    for name, _ in PICTURE.findall(page.read_text()):
        last = folder / f"{name}-{THEMES[-1]}.png"
        yield not last.exists() or last.stat().st_mtime < page.stat().st_mtime


def placed(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the pictures where the comments stand."""
    up = "../" * page.count("/")

    def images(found: re.Match) -> str:
        each = {"up": up, "folder": FOLDER, "name": found[1], "words": found[2]}
        return "\n".join(SHOWN.format(theme=theme, **each) for theme in THEMES)

    source[0] = PICTURE.sub(images, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx when to do so."""
    app.connect("config-inited", lambda app, _: drawn(app))
    app.connect("source-read", placed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
