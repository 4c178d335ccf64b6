"""``python -m bayes_synth fit``: files, words and exit codes, without sampling."""

import pytest

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.api import SyntheticControl
from bayes_synth.testing import fake_fit, fake_panel

COLUMNS = [
    "--unit",
    "unit",
    "--time",
    "time",
    "--outcome",
    "sales",
    "--treated",
    "treated",
    "--start",
    "2020",
    "--quiet",
]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Fit a table as the command line would, into a folder of its own."""
    monkeypatch.setattr(SyntheticControl, "fit", lambda self, panel, **_: fake_fit(panel=panel))

    def command(table, *options):
        table.to_csv(tmp_path / "shops.csv", index=False)
        return main(
            ["fit", str(tmp_path / "shops.csv"), *COLUMNS, *options, "--out", str(tmp_path / "out")]
        )

    return command


@pytest.fixture
def table():
    return fake_panel(donors=5).outcomes.to_dataframe("sales").reset_index()


def test_a_table_becomes_a_figure_and_a_fit(run, table, tmp_path, capsys):
    assert run(table) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"shops_fit.png", "shops_fit.nc"}
    assert bs.load(tmp_path / "out" / "shops_fit.nc").panel.donors == fake_panel(donors=5).donors
    assert "Donor weights" in capsys.readouterr().out


def test_gaps_are_refused_unless_one_says_what_to_do_about_them(run, table, tmp_path, capsys):
    gone = table.drop(table.index[(table["unit"] == "donor_01") & (table["time"] == 2015)])
    assert run(gone) == 2
    assert "donor_01 (1 of" in capsys.readouterr().err
    with pytest.warns(bs.errors.PanelWarning, match="donor_01"):
        assert run(gone, "--missing", "drop_donors") == 0
    assert "donor_01" not in bs.load(tmp_path / "out" / "shops_fit.nc").panel.donors


def test_what_is_no_file_is_said(capsys, tmp_path):
    assert main(["fit", str(tmp_path / "none.csv"), *COLUMNS]) == 2
    assert "[P001]" in capsys.readouterr().err
