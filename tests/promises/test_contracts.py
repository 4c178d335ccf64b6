"""Promises about the code itself: layers, the public API, sizes, import weight, documentation."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import make_errors_page
import pytest

import bayes_synth as bs
from bayes_synth.api import Fit, SyntheticControl
from bayes_synth.batch import BatchResult, EffectDraws, FitTask
from bayes_synth.data.panel import Panel
from bayes_synth.results.effects import Effect

PACKAGE = Path(bs.__file__).parent
LAYERS = [
    "errors", "design", "remarks", "gaps", "intake", "panel", "outcome_scale", "datasets", "simulation", "priors",
    "noise", "simplex", "effects", "convergence", "holdout", "interrupts", "pairs", "chains", "threads", "sampling",
    "calibration", "model", "draws", "refitting", "placebos", "noise_choice", "provenance", "fit", "memory", "fitting",
    "plots", "checks", "report", "document", "pages", "io", "batch", "testing", "__init__", "__main__",
]  # fmt: skip
FIT = {
    "panel", "model", "idata", "calibration", "effect", "summary", "weights", "diagnostics", "ok", "weights_ok", "synthetic",
    "counterfactual", "to_frame", "plot", "plot_effect", "plot_weights", "report", "save",
}  # fmt: skip
PUBLIC = [Panel, SyntheticControl, Fit, Effect, FitTask, BatchResult, EffectDraws]


def module_imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports when it is itself imported."""
    body = ast.parse(path.read_text()).body
    for node in body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayes_synth."):
            yield node.module.split(".")[1]


def test_no_module_imports_upwards():
    rank = {name: i for i, name in enumerate(LAYERS)}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {there}"
        for path in PACKAGE.rglob("*.py")
        for there in module_imports(path)
        if rank[there] > rank[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    ]
    assert wrong == []


def test_every_module_has_a_layer():
    modules = {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")
    }
    assert modules == set(LAYERS)


def test_files_stay_small():
    assert [p.name for p in PACKAGE.rglob("*.py") if len(p.read_text().splitlines()) > 400] == []


def test_the_public_names_are_those_of_the_design():
    assert sorted(bs.__all__) == [
        "Calibration", "Effect", "Fit", "FitTask", "Panel", "SyntheticControl", "batch", "checks", "errors", "fetch_dataset",
        "fit_many", "load", "load_dataset", "noise", "priors", "simulate", "testing",
    ]  # fmt: skip


def test_every_public_name_can_be_had():
    assert all(getattr(bs, name) is not None for name in bs.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bs.nothing


def test_a_fit_has_the_designed_members():
    assert {name for name in [*vars(Fit), *Fit.__annotations__] if not name.startswith("_")} == FIT


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_every_public_member_is_documented_down_to_its_parameters(cls):
    for name, member in inspect.getmembers(cls):
        if name.startswith("_") or not (inspect.isroutine(member) or isinstance(member, property)):
            continue
        text = inspect.getdoc(member)
        assert text, name
        if inspect.isroutine(member) and "see :func:" not in text:
            for parameter in set(inspect.signature(member).parameters) - {"self", "cls"}:
                assert parameter in text, f"{name}: {parameter}"


def test_importing_the_package_loads_nothing_heavy():
    heavy = "{'pymc', 'nutpie', 'arviz_plots', 'matplotlib', 'pandas', 'xarray'}"
    code = f"import sys, bayes_synth; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_saved_fit_is_read_and_judged_without_pymc(fake, tmp_path):
    fake.save(tmp_path / "fit.nc")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pymc', 'nutpie', 'pytensor']));"
        f"import bayes_synth as bs; fit = bs.load({str(tmp_path / 'fit.nc')!r}); print(fit); fit.weights(); fit.diagnostics()"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.stdout.strip() == repr(fake), run.stderr


def test_no_file_reaches_for_pickle_eval_or_attribute_guessing():
    calls = {"eval", "exec", "hasattr"}
    for path in PACKAGE.rglob("*.py"):
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
        }
        assert not names & (calls | {"pickle"}), path.name


def test_the_page_of_errors_is_that_of_the_source():
    assert make_errors_page.page() == make_errors_page.PAGE.read_text()


def test_every_error_is_raised_with_a_sentence():
    assert all(entry.text for entry in make_errors_page.entries())
