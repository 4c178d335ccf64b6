"""Code in README, docs/ and docstrings runs, and what pages point to exists.

Sybil finds the blocks and names the page's line when one fails. A page is one test: its blocks
share a namespace and an empty folder, in the order of the page. Shell blocks are not run.
In a page,

- ``<!-- invisible-code-block: python ... -->`` holds code that runs and is not shown, such as the
  frame that a page starts from;
- ``<!-- skip: next "why" -->`` leaves the next block out, and says why.
"""

import doctest
import inspect
import os
import re
import shutil
import unittest
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import examples
import pytest
from arviz_base import rc_context, rcParams
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import bayes_synth as bs
from bayes_synth.plots import PLOTS
from bayes_synth.registry import SAVED
from bayes_synth.results.alarms import ALARMS
from bayes_synth.results.estimands import ESTIMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("**/*.md"))]
DATA = Path(os.environ.get("BAYES_SYNTH_DATA", ROOT.parent / "shared" / "data"))
GEOLIFT = DATA / "geolift_test.csv"
WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"`((?:bayes_synth|tests|docs|notebooks|\.ci)/[\w./]*)`"
    r"|python (tests/[\w/]+\.py)"
)
CALLED_BY_THE_LIBRARY = {
    *("Calibration.learn", "Calibration.pooled", "Calibration.scored"),
    *("FitTask.seed", "FitTask.settings", "SyntheticControl.suits"),
    *("History.known", "History.panel", "History.planned", "History.series"),
    *("Plan.law", "Plan.length_of", "Plan.stated"),
    *("Study.fitted_by", "Study.pool", "Study.require_treated"),
}
"""Methods of public classes that other wings call, and users need not."""
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def tidy(tmp_path, monkeypatch):
    """An empty folder to be in, and registries without what a page added to them."""
    monkeypatch.chdir(tmp_path)
    # Checks that refit take seconds to half a minute; their own tests run them.
    questions = list(bs.checks.QUESTIONS.values())
    slow = [each for each in questions if each.refits]
    for each in slow:
        bs.checks.QUESTIONS.remove(each.name)
    registries = (SAVED, ESTIMANDS, PLOTS, ALARMS, bs.checks.QUESTIONS)
    before = [set(registry) for registry in registries]
    with rc_context():
        yield
    for registry, known in zip(registries, before, strict=True):
        for name in set(registry) - known:
            registry.remove(name)
    for name in list(bs.checks.QUESTIONS):
        bs.checks.QUESTIONS.remove(name)
    for each in questions:
        bs.checks.QUESTIONS.add(each.name, each)


@pytest.mark.parametrize("page", WITH_CODE, ids=names(WITH_CODE))
def test_the_code_of_a_page_runs(page, tidy, record_property):
    document = Document.parse(str(page), PythonCodeBlockParser(), SkipParser())
    ran, skipped = 0, []
    for example in document.examples():
        try:
            example.evaluate()
            ran += 1
        except unittest.SkipTest as reason:
            skipped.append(str(reason))
    assert ran
    assert all(skipped), "a skipped block must say why"
    record_property(f"blocks of {page.name} that are not run", len(skipped))


@pytest.mark.long
@pytest.mark.skipif(not GEOLIFT.exists(), reason=f"needs {GEOLIFT.name} (BAYES_SYNTH_DATA)")
def test_the_geolift_block_runs_on_the_walkthrough_itself(tidy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "agg")
    shutil.copy(GEOLIFT, tmp_path)
    page = (ROOT / "docs" / "coming_from.md").read_text()
    block = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert sum(map(bool, block[1].splitlines())) <= 12
    names: dict = {}
    exec(block[1], names)
    assert (len(names["panel"].donors), len(names["panel"].post)) == (38, 15)
    said = capsys.readouterr().out
    assert "Y (sum of 2 units)" in said
    assert "P(effect > 0)" in said
    total = names["fit"].effect("total")
    assert (total / 250_000).median() == pytest.approx(total.median() / 250_000)
    # GeoLift prints 4,667.
    assert total.interval(0.95)[0] < 4667 < total.interval(0.95)[1]
    assert {"effects.csv", "path.csv", "draws.csv"} <= {f.name for f in Path("geolift").iterdir()}
    assert Path("slide.png").stat().st_size > 0
    assert Path("report.html").stat().st_size > 0


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        file, _, anchor = link.partition("#")
        if "://" in file:
            continue
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_file_that_is_named_exists(page):
    for found in FILE.findall(page.read_text()):
        path = next(filter(None, found))
        assert (ROOT / path).exists(), path


def public_names() -> Iterator[tuple[str, object]]:
    """Every class and function that users type, and methods of what the package itself names."""
    for name in bs.__all__:
        value = getattr(bs, name)
        if inspect.ismodule(value):
            if ">>>" in (value.__doc__ or ""):
                yield name, value
            own = ((f"{name}.{each}", getattr(value, each)) for each in dir(value))
            yield from ((each, part) for each, part in own if explained(part))
            continue
        yield name, value
        if inspect.isclass(value):
            for each in sorted(set(dir(value)) - set(dir(Exception))):
                if not each.startswith("_") and callable(getattr(value, each)):
                    yield f"{name}.{each}", getattr(value, each)


def explained(value: object) -> bool:
    """Whether a value can have a docstring of its own."""
    return inspect.isclass(value) or inspect.isroutine(value)


@cache
def given() -> dict:
    """Names that examples may use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return examples.namespace()


NAMES = {name: value for name, value in public_names() if name not in CALLED_BY_THE_LIBRARY}


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name, tidy):
    source = inspect.getdoc(NAMES[name]) or ""
    assert ">>>" in source
    rcParams["plot.backend"] = "none"
    test = doctest.DocTestParser().get_doctest(source, dict(given()), name, None, 0)
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made-up panels are small
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)


def test_every_public_name_is_on_a_page_of_the_reference():
    listed = set(re.findall(r"^   ([\w.]+)$", (DOCS / "reference" / "api.rst").read_text(), re.M))
    again = {"batch.FitTask", "batch.fit_many"}  # under their short names
    parts = {name: value for name, value in NAMES.items() if not inspect.ismodule(value)}
    wanted = {name for name, value in parts.items() if inspect.isclass(value) or "." not in name}
    modules = {name for name in parts if name.split(".")[0].islower()}
    assert (wanted | modules) - listed - again == set()
