"""Promises about the code: wings, directions, public names, shapes, import weight, docs."""

import ast
import inspect
import subprocess
import sys
from functools import cached_property

import house
import make_errors_page
import pytest
from house import FILES, MODULES, PACKAGE

import bayes_synth as bs
from bayes_synth.batch import BatchResult, EffectDraws

WINGS = [
    "words",
    "errors",
    "registry",
    "data",
    "datasets",
    "priors",
    "noise",
    "sampling",
    "model",
    "results",
    "storage",
    "plots",
    "fitting",
    "checks",
    "report",
    "api",
    "study",
    "batch",
    "planning",
    "testing",
    "__init__",
    "__main__",
]
"""The rooms of the root, from the ground up; each may import those before it."""
FIT = {
    "panel",
    "model",
    "idata",
    "record",
    "problem",
    "effects",
    "calibration",
    "convergence",
    "fit_verdict",
    "effect",
    "summary",
    "weights",
    "balance",
    "diagnostics",
    "converged",
    "ok",
    "alarms",
    "auxiliary",
    "weights_ok",
    "synthetic",
    "counterfactual",
    "to_frame",
    "plot",
    "plot_effect",
    "plot_weights",
    "extend",
    "from_idata",
    "lift_test",
    "report",
    "methods_text",
    "export",
    "save",
}
PUBLIC = [
    bs.Panel,
    bs.Study,
    bs.SyntheticControl,
    bs.Fit,
    bs.JointFit,
    bs.Effect,
    bs.FitTask,
    BatchResult,
    EffectDraws,
    bs.History,
    bs.Plan,
    bs.Choice,
    bs.Spend,
    bs.rules.Interval,
    bs.rules.Probability,
    bs.rules.Rope,
]


def routine(member) -> bool:
    return inspect.isroutine(member) and not isinstance(member, cached_property)


def test_nobody_imports_upwards_by_any_kind_of_import():
    rank = {name: i for i, name in enumerate(WINGS)}
    wrong = [
        f"{name}:{line} imports {there}"
        for name in MODULES
        for there, line in house.imports(name)
        # The package itself names everything, for type checkers.
        if name != "bayes_synth" and rank[house.wing(there)] > rank[house.wing(name)]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_round():
    assert house.circles() == []


def test_every_room_of_the_root_has_its_place():
    assert {house.wing(name) for name in MODULES} == set(WINGS)


def test_the_root_holds_what_a_user_can_type():
    files = [path.name for path in PACKAGE.iterdir() if path.suffix == ".py"]
    folders = [
        path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"
    ]
    assert len(files) <= 8, files
    assert len(folders) <= 16, folders


def test_files_stay_small():
    """Docstrings and empty lines apart: 304 was the largest file of version 0.1."""
    assert [path.name for path in FILES if house.code_length(path) > 300] == []


def test_bodies_are_short():
    long = [
        f"{path.relative_to(PACKAGE)}: {node.name} has {house.body_length(node)} lines"
        for path in FILES
        for node in house.functions(path)
        if house.body_length(node) > 40
    ]
    assert long == []


def test_hardly_any_line_is_wide():
    lines = list(house.code_lines())
    wide = [f"{where}:{number}" for where, number, line in lines if len(line) > 100]
    assert len(wide) <= 0.02 * len(lines), wide


def test_at_most_four_signatures_have_more_than_eight_arguments():
    many = [
        f"{path.relative_to(PACKAGE)}: {node.name} takes {house.arguments(node)}"
        for path in FILES
        for node in house.functions(path)
        if house.arguments(node) > 8
    ]
    assert len(many) <= 4, many


def test_no_private_attribute_is_read_across_modules():
    assert [read for path in FILES for read in house.private_reads(path)] == []


def test_no_private_name_is_imported():
    private = [
        f"{path.name}: {alias.name}"
        for path in [*FILES, *PACKAGE.parent.glob("tests/**/*.py")]
        for node in ast.walk(house.tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayes_synth")
        for alias in node.names
        if alias.name.startswith("_")
        and (node.module or "").split(".")[-1].startswith("_") is False
    ]
    assert private == []


def test_no_test_looks_a_module_up_behind_pythons_back():
    tests = PACKAGE.parent / "tests"
    # A fault planted in a copy of the kernel, and this file.
    allowed = {"planted.py", "test_contracts.py"}
    found = [
        f"{path.relative_to(tests)}:{number}"
        for path in tests.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "sys.modules[" in line and path.name not in allowed
    ]
    assert found == []


def test_the_public_names_are_those_of_the_design():
    expected = (
        "Calibration CellPlan Choice Effect Fit FitTask History JointFit Panel Plan Predictors "
        "Spend Study SyntheticControl batch calendar checks choose_treated cite compare errors "
        "estimands fetch_dataset fit_many load load_dataset noise plan_cells plots predictors "
        "priors rules simulate testing"
    )
    assert sorted(bs.__all__) == expected.split()


def test_every_public_name_can_be_had():
    assert all(getattr(bs, name) is not None for name in [*bs.__all__, "__version__"])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bs.nothing


def test_a_fit_has_the_designed_members():
    every = [
        *dir(bs.Fit),
        *(field for cls in bs.Fit.__mro__ for field in vars(cls).get("__annotations__", {})),
    ]
    assert {name for name in every if not name.startswith("_")} == FIT


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_every_public_member_is_documented_down_to_its_parameters(cls):
    for name, member in inspect.getmembers(cls):
        if name.startswith("_") or not (
            routine(member) or isinstance(member, property | cached_property)
        ):
            continue
        text = inspect.getdoc(member)
        assert text, name
        if routine(member) and "see :func:" not in text:
            for parameter in set(inspect.signature(member).parameters) - {"self", "cls"}:
                assert parameter in text, f"{name}: {parameter}"


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_no_public_signature_hides_its_options(cls):
    """``**options: Any`` has no completion and takes a misspelt name in silence."""
    for name, member in inspect.getmembers(cls, routine):
        if not name.startswith("_"):
            kinds = {p.kind: p.annotation for p in inspect.signature(member).parameters.values()}
            options = kinds.get(inspect.Parameter.VAR_KEYWORD, "none")
            assert options == "none" or "Unpack" in str(options), name


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh process has loaded after some code."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(run.stdout.split())


HEAVY = {
    "pymc",
    "nutpie",
    "arviz_plots",
    "arviz_stats",
    "matplotlib",
    "pandas",
    "xarray",
    "numpy",
    "numba",
    "rich",
}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import bayes_synth") & HEAVY


def test_help_loads_nothing_heavy():
    code = "from bayes_synth.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not loaded_by(code) & HEAVY


@pytest.mark.long
def test_a_fit_by_slices_loads_no_sampler_and_no_plots_that_it_does_not_use():
    code = "import bayes_synth as bs\nbs.SyntheticControl, bs.load_dataset('prop99')"
    assert not loaded_by(code) & {
        "pymc",
        "pytensor",
        "nutpie",
        "arviz_plots",
        "matplotlib.pyplot",
        "numba",
        "rich",
    }


@pytest.mark.long
def test_a_saved_fit_is_read_and_judged_without_pymc(fake, tmp_path):
    fake.save(tmp_path / "fit.nc")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pymc', 'nutpie', 'pytensor']));"
        f"import bayes_synth as bs; fit = bs.load({str(tmp_path / 'fit.nc')!r}); "
        "print(fit); fit.weights(); fit.diagnostics()"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.stdout.strip() == repr(fake), run.stderr


def test_no_file_reaches_for_pickle_eval_or_attribute_guessing():
    calls = {"eval", "exec", "hasattr"}
    for path in FILES:
        names = {node.id for node in ast.walk(house.tree(path)) if isinstance(node, ast.Name)}
        assert not names & (calls | {"pickle"}), path.name


def test_the_page_of_errors_is_that_of_the_source():
    assert make_errors_page.page() == make_errors_page.PAGE.read_text()


def test_every_error_is_raised_with_a_sentence():
    assert all(entry.text for entry in make_errors_page.entries())
