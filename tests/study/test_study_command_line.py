"""``bayes-synth study``: files, words and exit codes, without sampling."""

import json

import pandas as pd
import pytest
from small_studies import fake_joint, long, wide

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.api import SyntheticControl

STARTS = {"u00": 2010, "u01": 2012}
TYPED = ["--start", "u00=2010", "u01=2012"]
COLUMNS = ["--unit", "unit", "--time", "year", "--outcome", "y"]
pytestmark = pytest.mark.filterwarnings("ignore::bayes_synth.errors.PanelWarning")


class Blank:
    """A figure that is drawn in no time."""

    def savefig(self, path):
        path.write_bytes(b"a figure")


@pytest.fixture(scope="module")
def joint():
    return fake_joint(STARTS)


@pytest.fixture
def on_disk():
    """Asked for by the test whose joint fit is written and read as a real file."""


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch, request):
    """Keep a file of a joint fit empty unless the test asks for real ones."""
    if "on_disk" not in request.fixturenames:
        monkeypatch.setattr(bs.JointFit, "save", lambda fit, path, **options: path.touch())


@pytest.fixture
def run(monkeypatch, tmp_path, joint):
    """Fit a table as the command line would, into a folder of its own."""
    fitted = []

    def fit(self, study, **options):
        fitted.append((self, study, options))
        fits = dict(zip(study.treated, joint.fits.values(), strict=False))
        return bs.JointFit(study, fits)

    monkeypatch.setattr(SyntheticControl, "fit", fit)
    for name in ("plot", "plot_units"):
        monkeypatch.setattr(bs.JointFit, name, lambda self, **options: Blank())

    def command(table, *options, starts=TYPED, **written):
        if table is not None:
            table.to_csv(tmp_path / "shops.csv", index=False, **written)
        where = ["--out", str(tmp_path / "out")]
        return main(["study", str(tmp_path / "shops.csv"), *COLUMNS, *starts, *where, *options])

    command.fitted = fitted
    return command


@pytest.fixture
def table():
    return long(wide()).rename(columns={"time": "year"})


def test_a_table_becomes_a_figure_and_a_joint_fit(on_disk, run, table, tmp_path, capsys):
    # The fake units have not converged: done, and doubtful.
    assert run(table) == 1
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"shops_study.png", "shops_study.nc"}
    assert dict(bs.load(tmp_path / "out" / "shops_study.nc").study.starts) == STARTS
    out = capsys.readouterr().out
    assert "mean of 2 units, each once" in out
    assert "Seed:" in out


@pytest.mark.parametrize("words", [(0, 1), ("FALSE", "TRUE"), ("no", "yes"), ("0,0", "1,0")])
def test_starts_are_read_from_a_column(run, table, words):
    began = [STARTS.get(unit, 9999) for unit in table["unit"]]
    table["law"] = [words[year >= start] for year, start in zip(table["year"], began, strict=True)]
    assert run(table, starts=["--treatment", "law"], sep=";") == 1
    assert dict(run.fitted[0][1].starts) == STARTS


@pytest.mark.parametrize("style", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y"])
def test_starts_are_written_as_the_dates_of_the_file(run, style):
    dates = pd.date_range("2024-01-20", periods=20)
    table = long(wide().set_axis(dates.strftime(style), axis=0).rename_axis("year"))
    starts = ["--start", f"u00={dates[12]:{style}}", "--start", f"u01={dates[14]:{style}}"]
    assert run(table, starts=starts) == 1
    found = run.fitted[0][1].starts.values()
    assert [str(start.date()) for start in found] == ["2024-02-01", "2024-02-03"]


def test_labels_with_spaces_and_signs_of_equality(run, table):
    table["unit"] = table["unit"].replace({"u00": "a = b", "u01": "New York"})
    run(table, starts=["--start", "a = b=2010", "New York=2012"])
    assert dict(run.fitted[0][1].starts) == {"New York": 2012, "a = b": 2010}


def test_more_figures_and_tables(run, table, tmp_path):
    run(table, "--plot", "units", "--plot", "treated", "--plot", "event", "--csv")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "shops_study.csv",
        "shops_study.nc",
        "shops_study.png",
        "shops_study_event.csv",
        "shops_study_treated.png",
        "shops_study_units.png",
    ]
    path = pd.read_csv(tmp_path / "out" / "shops_study_event.csv", index_col="event")
    assert list(path["units"]) == [2] * 8 + [1] * 2


def test_json_has_what_the_words_say(run, table, capsys):
    run(table, "--json", "--quiet", "--by", "treated", "--weights", "cell")
    facts = json.loads(capsys.readouterr().out)
    assert facts["starts"] == {"u00": "2010", "u01": "2012"}
    assert facts["ok"] is False
    assert {alarm["code"] for alarm in facts["alarms"]} >= {"A001", "A004"}
    assert set(facts["treated"]) == set(STARTS)
    assert facts["effects"]["average"]["cells"] == 18
    assert facts["checks"] == {}


def test_checks_are_asked_and_written(run, table, tmp_path, monkeypatch, capsys):
    quick = ["common_shocks", "leave_one_unit_out", "event_composition"]
    real = bs.JointFit.check
    monkeypatch.setattr(
        bs.JointFit, "check", lambda self, **options: real(self, only=quick, **options)
    )
    run(table, "--checks", "--json")
    assert set(json.loads(capsys.readouterr().out)["checks"]) == set(quick)
    assert "\nChecks\n" in (tmp_path / "out" / "shops_study.txt").read_text()


def test_the_model_and_the_seed_reach_the_fit(run, table):
    run(table, "--noise", "iid", "--scale", "log", "--seed", "7")
    model, _, options = run.fitted[0]
    assert (type(model.noise).__name__, model.scale) == ("IID", "log")
    assert options["random_seed"] == 7


@pytest.mark.parametrize(
    ("starts", "options", "code"),
    [
        ([], [], "D072"),
        ([*TYPED, "--treatment", "law"], [], "D072"),
        (["--start", "u00"], [], "D073"),
        (["--start", "u00=2010", "=2012"], [], "D073"),
        (["--start", "u00=2010", "u00=2012"], [], "D068"),
        (["--start", "nobody=2010"], [], "D007"),
        (["--treatment", "nothing"], [], "P0"),
        (TYPED, ["--by", "unit"], "O001"),
        (TYPED, ["--weights", "people"], "O001"),
        (TYPED, ["--plot", "fit"], "O001"),
        (TYPED, ["--ci-prob", "95"], "O004"),
        (TYPED, ["--noise", "walk"], "O001"),
    ],
)
def test_what_cannot_be_is_refused_in_words(run, table, starts, options, code, capsys):
    assert run(table, *options, starts=starts) == 2
    assert f"[{code}" in capsys.readouterr().err


def test_a_file_that_is_not_there(run, capsys):
    assert run(None) == 2
    assert main(["study", *COLUMNS, "--treatment", "law"]) == 2
    assert capsys.readouterr().err.count("[P001]") == 2


def test_nothing_is_replaced_unless_said(run, table, capsys):
    run(table)
    assert run(table) == 2
    assert "[L004]" in capsys.readouterr().err
    assert run(table, "--overwrite") == 1


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["study", "--help"])
    out = capsys.readouterr().out
    assert "exit codes:" in out
    assert "UNIT=TIME" in out
