"""``bayes-synth fit`` and ``report``: files, words and exit codes, without sampling."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.api import SyntheticControl
from bayes_synth.checks import Check, Checks
from bayes_synth.errors import SamplingFailed
from bayes_synth.plots import PLOTS, every_plot
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

COLUMNS = ["--unit", "unit", "--time", "time", "--outcome", "sales", "--start", "2020"]
TREATED = ["--treated", "treated"]


class Blank:
    """A figure that is drawn in no time."""

    def savefig(self, path):
        path.write_bytes(b"a figure")


@pytest.fixture(autouse=True)
def _drawn_at_once():
    """The main figure without matplotlib; tests of plots draw it."""
    every_plot()
    real = PLOTS["plot_fit"]
    PLOTS.add("plot_fit", replace(real, draw=lambda fit, **_: Blank()))
    yield
    PLOTS.add("plot_fit", real)


@pytest.fixture
def on_disk():
    """Asked for by the tests whose fits are written and read as real files."""


@pytest.fixture(autouse=True)
def load(monkeypatch, request):
    """Load a fit that was saved; in memory unless the test asks for real files."""
    if "on_disk" in request.fixturenames:
        return bs.load
    kept = {}

    def save(fit, path, *, overwrite=False):
        path.write_text("a fit")
        kept[path] = fit

    def loaded(path):
        return kept[Path(path)] if Path(path) in kept else bs.load(path)

    monkeypatch.setattr(bs.Fit, "save", save)
    monkeypatch.setattr("bayes_synth.api.load", loaded)
    return loaded


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Fit a table as the command line would, into a folder of its own."""
    fitted = []

    def fit(self, panel, **options):
        fitted.append((self, panel, options))
        return fake_fit(panel=panel, model=self)

    monkeypatch.setattr(SyntheticControl, "fit", fit)

    def command(table, *options, treated=TREATED, **written):
        if table is not None:
            table.to_csv(tmp_path / "shops.csv", index=False, **written)
        file = str(tmp_path / "shops.csv")
        where = ["--out", str(tmp_path / "out")]
        return main(["fit", file, *COLUMNS, *treated, *where, *options])

    command.fitted = fitted
    return command


@pytest.fixture
def table():
    return fake_panel(donors=5).outcomes.to_dataframe("sales").reset_index()


@pytest.fixture
def saved(tmp_path):
    panel = fake_panel(effect=3.0)
    fake_fit(panel=panel, placebos=fake_placebos(panel)).save(tmp_path / "fit.nc")
    return tmp_path / "fit.nc"


def test_a_table_becomes_a_figure_and_a_fit(on_disk, run, table, tmp_path, capsys):
    assert run(table) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"shops_fit.png", "shops_fit.nc"}
    assert bs.load(tmp_path / "out" / "shops_fit.nc").panel.donors == fake_panel(donors=5).donors
    out = capsys.readouterr().out
    assert "Donor weights" in out
    assert "--seed repeats this fit" in out


def test_gaps_are_refused_unless_one_says_what_to_do_about_them(run, load, table, tmp_path, capsys):
    gone = table.drop(table.index[(table["unit"] == "donor_01") & (table["time"] == 2015)])
    assert run(gone) == 2
    assert "donor_01 (1 of" in capsys.readouterr().err
    with pytest.warns(bs.errors.PanelWarning, match="donor_01"):
        assert run(gone, "--missing", "drop_donors") == 0
    assert "donor_01" not in load(tmp_path / "out" / "shops_fit.nc").panel.donors


def test_what_is_no_file_is_said(capsys, tmp_path):
    assert main(["fit", str(tmp_path / "none.csv"), *COLUMNS, *TREATED]) == 2
    assert "[P001]" in capsys.readouterr().err
    assert main(["fit", *COLUMNS, *TREATED]) == 2
    assert "name it before --treated" in capsys.readouterr().err


@pytest.mark.parametrize(
    "treated",
    [
        ["--treated", "treated", "donor_00"],
        ["--treated", "treated", "--treated", "donor_00"],
        ["--treated", "donor_00", "--treated", "treated"],
    ],
)
def test_several_units_may_be_treated(run, table, treated):
    assert run(table, treated=treated) == 0
    assert set(run.fitted[0][1].treated) == {"treated", "donor_00"}


def test_the_file_may_stand_behind_the_treated_units(run, table, tmp_path):
    table.to_csv(tmp_path / "shops.csv", index=False)
    where = ["--out", str(tmp_path / "out"), *TREATED, str(tmp_path / "shops.csv")]
    assert main(["fit", *COLUMNS, *where]) == 0


@pytest.mark.parametrize(
    "labels",
    [
        {"treated": "06", "donor_00": "01", "donor_01": "16"},
        {"donor_00": "NA", "donor_01": "null"},
        {"treated": "NA", "donor_00": "1.0"},
    ],
)
def test_labels_stay_text(run, table, labels):
    named = table.assign(unit=table["unit"].replace(labels))
    assert run(named, treated=["--treated", labels.get("treated", "treated")]) == 0
    panel = run.fitted[0][1]
    assert set(labels.values()) <= {*panel.donors, *panel.treated}


def test_time_covariates_reach_the_panel(run, table):
    rows = table.assign(price=np.random.default_rng(1).random(len(table)))
    assert run(rows, "--time-covariates", "price") == 0
    panel = run.fitted[0][1]
    known = panel.covariates.of(["treated"]).sel(covariate="price").to_numpy().ravel()
    np.testing.assert_allclose(known, rows[rows["unit"] == "treated"]["price"])


def test_auxiliary_outcomes_reach_the_panel(run, table):
    rows = table.assign(visits=np.random.default_rng(2).standard_normal(len(table)))
    assert run(rows, "--auxiliary", "visits") == 0
    assert run.fitted[0][1].auxiliary.names == ("visits",)


def test_labels_that_differ_only_in_zeros_are_refused(run, table, capsys):
    named = table.assign(unit=table["unit"].replace({"treated": "06", "donor_01": "6"}))
    assert run(named, treated=["--treated", "06"]) == 2
    assert "P023" in capsys.readouterr().err


def test_how_the_file_was_written_is_said_unless_it_is_plain(run, table, capsys):
    assert run(table, "--quiet") == 0
    assert capsys.readouterr().err == ""
    assert run(table, "--overwrite", sep=";", decimal=",", encoding="utf-16") == 0
    said = capsys.readouterr().err
    assert all(word in said for word in ("semicolon", "decimal comma", "utf-16"))
    first, second = (panel for _, panel, _ in run.fitted)
    np.testing.assert_array_equal(first.outcomes, second.outcomes)


def test_options_say_how_the_file_is_written(run, table, capsys):
    given = ["--sep", "tab", "--decimal", ",", "--encoding", "utf-16", "--date-format", "%d.%m.%Y"]
    days = table.assign(time="01.01." + table["time"].astype(str))
    options = {"sep": "\t", "decimal": ",", "encoding": "utf-16"}
    assert run(days, *given, "--start", "01.01.2020", **options) == 0
    assert run.fitted[0][1].start == pd.Timestamp("2020-01-01")


@pytest.mark.parametrize("noise", ["IID", "iid", "local_linear_trend", "ar1"])
def test_scale_and_noise_are_those_of_the_model(run, table, noise):
    assert run(table, "--scale", "log", "--noise", noise) == 0
    model = run.fitted[0][0]
    assert model.scale == "log"
    assert type(model.noise).__name__.lower() == noise.replace("_", "").lower()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--noise", "white"], "O001"),
        (["--scale", "cube"], "O001"),
        (["--plot", "plot_fits"], "O001"),
        (["--ci-prob", "95"], "O004"),
        (["--sep", "ab"], "O050"),
        (["--missing", "fill"], "O001"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_fitted(run, table, capsys, options, code):
    assert run(table, *options) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert run.fitted == []


def test_a_file_in_place_of_the_folder_is_refused(run, table, tmp_path, capsys):
    (tmp_path / "afile").write_text("")
    assert run(table, "--out", str(tmp_path / "afile")) == 2
    assert "[O100]" in capsys.readouterr().err
    assert run.fitted == []


def test_warnings_are_sentences_without_a_place_in_the_code(run, table, capsys):
    import warnings

    def shown(message, category, *place):
        sys.stderr.write(warnings.formatwarning(message, category, *place[:2]))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = shown
        assert run(table[table["time"] > 2012], "--quiet") == 0
    said = capsys.readouterr().err
    assert "DesignWarning: [D005]" in said
    assert ".py" not in said


def test_advice_is_given_as_options(run, table, capsys):
    assert run(table.drop(3)) == 2
    said = capsys.readouterr().err
    assert "--missing drop_donors" in said
    assert "missing='" not in said


def test_a_usage_error_is_refused_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fit", "--no-such-option"])
    assert caught.value.code == 2


def test_json_is_one_object_and_nothing_else(run, load, table, tmp_path, capsys):
    assert run(table, "--json", "--csv", "--ci-prob", "0.9", "--seed", "3") == 0
    said = json.loads(capsys.readouterr().out)
    fit = load(tmp_path / "out" / "shops_fit.nc")
    lower, upper = fit.effect("average").interval(0.9).to_numpy()
    average = said["effects"]["average"]
    assert (average["lower"], average["upper"], said["ci_prob"]) == (lower, upper, 0.9)
    assert (said["ok"], said["treated"], said["start"]) == (True, ["treated"], "2020")
    assert len(said["files"]) == 3
    assert average["p_two_sided"] == 2 * min(average["p_below_0"], average["p_above_0"])
    assert [alarm["code"] for alarm in said["alarms"]] == ["A004"]
    assert said["alarms"][0]["sentence"] == fit.alarms[0].sentence
    assert sum(said["weights"].values()) == pytest.approx(1)


def test_the_path_per_period_is_written_as_csv(run, load, table, tmp_path):
    assert run(table, "--csv") == 0
    path = pd.read_csv(tmp_path / "out" / "shops_fit.csv", index_col=0)
    fit = load(tmp_path / "out" / "shops_fit.nc")
    np.testing.assert_allclose(path["effect_median"], fit.to_frame()["effect_median"])


@pytest.mark.parametrize("treated", [["treated"], ["treated", "donor_00"]])
def test_the_total_is_over_periods_and_treated_units(run, load, table, tmp_path, capsys, treated):
    assert run(table, "--total", "--json", treated=["--treated", *treated]) == 0
    fit, said = load(tmp_path / "out" / "shops_fit.nc"), json.loads(capsys.readouterr().out)
    total = float(fit.effect("average").draws.median()) * len(fit.panel.post) * len(treated)
    assert said["effects"]["total"]["median"] == pytest.approx(total)
    assert run(table, "--total", "--overwrite", treated=["--treated", *treated]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("Total: ")
    assert ("2 treated units" in first) == (len(treated) == 2)


@pytest.mark.parametrize("factor", [1e-5, 1.0, 1e7])
def test_every_number_of_the_tables_is_whole_at_any_size(run, table, capsys, monkeypatch, factor):
    monkeypatch.setenv("COLUMNS", "40")
    assert run(table.assign(sales=table["sales"] * factor)) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert "P(< 0)" not in out
    assert "sided p" in out
    rows = [line for line in out.splitlines() if line.startswith("│ average")]
    cells = [cell.strip() for cell in rows[0].split("│")[2:5]]
    assert len({*cells}) == 3
    assert all(any(digit in "123456789" for digit in cell) for cell in cells)


@pytest.mark.parametrize("factor", [1e-5, 1.0])
def test_the_table_of_effects_fits_80_columns_with_every_heading(
    run, table, capsys, monkeypatch, factor
):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(table.assign(sales=table["sales"] * factor)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if line[:1] in "┏┃┡│└") <= 80
    headings = next(line for line in lines if line.startswith("┃ effect"))
    names = [name.strip() for name in headings.split("┃") if name.strip()]
    assert names[-3:] == ["P(< 0)", "P(> 0)", "sided p"]


def test_existing_files_are_kept_unless_told_otherwise(run, table, tmp_path, capsys):
    assert run(table) == 0
    before = (tmp_path / "out" / "shops_fit.nc").read_bytes()
    assert run(table, "--csv") == 2
    assert "[L004]" in capsys.readouterr().err
    assert len(run.fitted) == 1
    assert (tmp_path / "out" / "shops_fit.nc").read_bytes() == before
    assert run(table, "--csv", "--overwrite") == 0


def test_a_fit_that_has_not_converged_exits_with_1(monkeypatch, run, table):
    monkeypatch.setattr(
        SyntheticControl, "fit", lambda self, panel, **_: fake_fit(panel=panel, divergences=100)
    )
    assert run(table) == 1


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SamplingFailed("S002", "crashed"), 3, "[S002]"),
        (OSError(28, "No space left"), 2, "No space left"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (ZeroDivisionError("a defect"), 4, "Traceback"),
    ],
)
def test_each_way_to_fail_has_its_code(monkeypatch, run, table, capsys, error, code, words):
    def fail(self, panel, **_):
        raise error

    monkeypatch.setattr(SyntheticControl, "fit", fail)
    assert run(table) == code
    assert words in capsys.readouterr().err


def test_without_a_terminal_progress_is_lines_with_the_time(monkeypatch, run, table, capsys):
    from bayes_synth.sampling.progress import bar

    def fit(self, panel, *, progressbar, **_):
        with bar("Sampling", 2, shown=progressbar) as counted:
            counted.tick(2)
        return fake_fit(panel=panel)

    monkeypatch.setattr(SyntheticControl, "fit", fit)
    assert run(table) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0][20:] == "Sampling ..."
    assert "Sampling: 2 of 2, done after" in lines[1]
    assert pd.Timestamp(lines[0][:19])
    assert run(table, "--quiet", "--overwrite") == 0
    assert capsys.readouterr().err == ""


@pytest.fixture
def verdicts(monkeypatch):
    """Checks whose verdicts are given."""

    def given(*words):
        checks = Checks(
            tuple(Check(f"c{i}", "So?", w, "Yes.", pd.DataFrame()) for i, w in enumerate(words))
        )
        monkeypatch.setattr(bs.checks, "run", lambda fit, **options: checks)

    return given


@pytest.mark.parametrize(
    ("words", "options", "code"),
    [
        (["fail", "pass"], [], 0),
        (["fail", "pass"], ["--strict"], 1),
        (["caution", "pass"], ["--strict"], 0),
        (["pass", "not applicable"], ["--strict"], 0),
    ],
)
def test_strict_reports_exit_with_1_when_a_check_fails(saved, verdicts, words, options, code):
    verdicts(*words)
    assert main(["report", str(saved), "-o", str(saved.parent / "a.txt"), *options]) == code
    assert (saved.parent / "a.txt").exists()


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_strict_exits_with_1_when_the_fit_has_an_alarm(
    run, load, table, verdicts, tmp_path, options, code
):
    assert run(table, *options) == code
    verdicts("pass")
    file = tmp_path / "out" / "shops_fit.nc"
    assert [alarm.code for alarm in load(file).alarms] == ["A004"]
    assert main(["report", str(file), "-o", str(tmp_path / "page.txt"), *options]) == code


def test_a_report_names_what_does_not_pass(saved, verdicts, capsys):
    verdicts("fail", "pass", "caution")
    assert main(["report", str(saved), "-o", str(saved.parent / "a.md")]) == 0
    assert "Checks: fail: c0; caution: c2" in capsys.readouterr().out
    options = ["--json", "--overwrite"]
    assert main(["report", str(saved), "-o", str(saved.parent / "a.md"), *options]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in said["checks"].values()] == ["fail", "pass", "caution"]


def test_a_report_is_not_overwritten(saved, capsys):
    (saved.parent / "fit.html").write_text("mine")
    assert main(["report", str(saved), "--no-checks"]) == 2
    assert "[L004]" in capsys.readouterr().err
    assert (saved.parent / "fit.html").read_text() == "mine"


COVARIATES = {
    "commas": "unit,income,share\n{}\nother,9,9\n",
    "semicolons": "unit;income;share\n{}\n",
    "tabs": "unit\tincome\tshare\n{}\n",
}


@pytest.mark.parametrize("written", COVARIATES)
def test_covariates_reach_the_checks(saved, load, monkeypatch, written):
    given = {}

    def run(fit, **options):
        given.update(options)
        return Checks(())

    monkeypatch.setattr(bs.checks, "run", run)
    panel = load(saved).panel
    sep, sign = {"commas": (",", "."), "semicolons": (";", ","), "tabs": ("\t", ".")}[written]
    units = [*panel.treated, *panel.donors]
    rows = [f"{unit}{sep}{place}{sep}0{sign}5{place}" for place, unit in enumerate(units)]
    file = saved.parent / "units.csv"
    file.write_text(COVARIATES[written].format("\n".join(rows)))
    page = str(saved.parent / "a.txt")
    assert main(["report", str(saved), "-o", page, "--covariates", str(file)]) == 0
    table = given["covariates"].loc[units]
    assert list(table.columns) == ["income", "share"]
    assert table["income"].tolist() == list(range(len(units)))
    assert table["share"].iloc[2] == 0.52


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("unit\ntreated\n", "[P001]"),
        ("unit;a\ntreated;1,234\n", "[O052]"),
        ("unit,a\ntreated,1\n", "[D009]"),
        (None, "[P001]"),
    ],
)
def test_covariates_that_cannot_be_read_are_refused(saved, capsys, text, code):
    file = saved.parent / "units.csv"
    if text is not None:
        file.write_text(text)
    assert main(["report", str(saved), "--covariates", str(file), "--quiet"]) == 2
    assert code in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--strict"], ["--neighbours", "donor_00"], ["--covariates", "units.csv"]]
)
def test_checks_that_are_not_run_cannot_be_strict(saved, capsys, option):
    assert main(["report", str(saved), "--no-checks", *option]) == 2
    assert "[O050]" in capsys.readouterr().err


def test_help_names_every_exit_code_and_the_version_is_printed(capsys):
    for arguments in (["--help"], ["fit", "--help"], ["report", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        out = capsys.readouterr().out
        known = ("  0 ", "  1 ", "  2 ", "  3 ", "  4 ", "  130 ")
        assert arguments == ["--version"] or all(code in out for code in known)
    assert out.strip() == f"bayes_synth {bs.__version__}"


def test_the_script_is_declared():
    from importlib.metadata import entry_points

    scripts = entry_points(group="console_scripts")
    assert scripts["bayes-synth"].value == "bayes_synth.__main__:main"


def test_the_module_runs_as_a_process():
    call = [sys.executable, "-m", "bayes_synth", "--version"]
    run = subprocess.run(call, check=True, capture_output=True, text=True)
    assert run.stdout.startswith("bayes_synth ")
