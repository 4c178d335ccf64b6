"""``bayes-synth plan`` and ``choose`` read files as ``fit`` does; nothing is sampled."""

import json

import numpy as np
import pandas as pd
import pytest
from fake_plans import fake_plan, walks

import bayes_synth as bs
from bayes_synth.__main__ import main

COMMON = ["--unit", "unit", "--time", "day", "--outcome", "sales", "--periods", "3", "--quiet"]
TREATED = ["--treated", "u00", "--effect", "0.05"]


@pytest.fixture
def table():
    frame = walks(6, 30, seed=1).rename_axis("day").reset_index().melt("day", None, "unit", "sales")
    return frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["day"], unit="D"))


@pytest.fixture
def histories(monkeypatch):
    """Every history that is planned on."""
    planned = []

    def plan(self, history, *_, **__):
        planned.append(history)
        return fake_plan()

    monkeypatch.setattr(bs.SyntheticControl, "plan", plan)
    return planned


WRITTEN = {
    "plain": ({}, []),
    "semicolons and commas": ({"sep": ";", "decimal": ","}, []),
    "tabs in UTF-16": ({"sep": "\t", "encoding": "utf-16"}, []),
    "days first": ({"date_format": "%d.%m.%Y"}, []),
    "as the options say": (
        {"sep": "|", "decimal": ",", "date_format": "%m/%d/%Y"},
        ["--sep", "|", "--decimal", ",", "--date-format", "%m/%d/%Y"],
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_history_is_read_however_it_is_written(table, histories, tmp_path, capsys, name):
    written, options = WRITTEN[name]
    table.to_csv(tmp_path / "data.csv", index=False, **written)
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, *options]) == 0
    history = histories[0]
    wide = table.pivot(index="day", columns="unit", values="sales")
    np.testing.assert_allclose(history.outcomes.to_numpy(), wide.to_numpy())
    assert history.times[0] == pd.Timestamp("2024-01-01")
    assert ("Read " in capsys.readouterr().err) == (written != {} and not options)


@pytest.mark.parametrize("labels", [{"u01": "NA"}, {"u01": "06"}, {"u01": "null", "u02": "1.0"}])
def test_labels_stay_text(table, histories, tmp_path, labels):
    table.assign(unit=table["unit"].replace(labels)).to_csv(tmp_path / "data.csv", index=False)
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED]) == 0
    assert set(labels.values()) <= set(histories[0].outcomes["unit"].to_numpy())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--sep", "::"], "[O050]"),
        (["--encoding", "klingon"], "[O051]"),
        (["--date-format", "%m/%Y"], "[O053]"),
        (["--save", "plan.pkl"], "[O101]"),
        (["-o", "plan.pdf"], "[O062]"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "choose"])
def test_what_cannot_be_is_refused_before_anything_is_planned(
    table, histories, tmp_path, capsys, command, options, code
):
    table.to_csv(tmp_path / "data.csv", index=False)
    own = TREATED if command == "plan" else ["--sizes", "2"]
    assert main([command, str(tmp_path / "data.csv"), *COMMON, *own, *options]) == 2
    assert code in capsys.readouterr().err
    assert histories == []


def test_a_file_that_is_not_there_and_money_without_a_price_are_refused(table, tmp_path, capsys):
    assert main(["plan", str(tmp_path / "none.csv"), *COMMON, *TREATED]) == 2
    assert "[P001]" in capsys.readouterr().err
    table.to_csv(tmp_path / "data.csv", index=False)
    choose = ["choose", str(tmp_path / "data.csv"), *COMMON, "--sizes", "2", "--budget", "7"]
    assert main(choose) == 2
    assert "needs --cost-per-unit" in capsys.readouterr().err


def test_folders_of_the_files_are_made(table, histories, tmp_path):
    table.to_csv(tmp_path / "data.csv", index=False)
    where = ["-o", str(tmp_path / "a" / "plan.txt"), "--save", str(tmp_path / "b" / "plan.nc")]
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, *where]) == 0
    assert (tmp_path / "a" / "plan.txt").exists()
    assert bs.load(tmp_path / "b" / "plan.nc").verdict == "ready"


@pytest.mark.parametrize("seed", [[], ["--seed", "7"]])
def test_files_and_a_fresh_seed_are_said(table, histories, tmp_path, capsys, seed):
    table.to_csv(tmp_path / "data.csv", index=False)
    files = {"Report:": "plan.md", "Plan:": "plan.nc", "Table:": "plan.csv"}
    where = [
        word
        for option, name in zip(("-o", "--save", "--csv"), files.values(), strict=True)
        for word in (option, str(tmp_path / name))
    ]
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, *seed, *where]) == 0
    out = capsys.readouterr().out
    assert all(f"{word:<7} {tmp_path / name}" in out for word, name in files.items())
    assert ("--seed repeats this" in out) == (not seed)
    found = pd.read_csv(tmp_path / "plan.csv")
    pd.testing.assert_frame_equal(found, fake_plan().table.reset_index(), check_dtype=False)
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, *where]) == 2
    assert "plan.csv must not exist yet" in capsys.readouterr().err
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, *where, "--overwrite"]) == 0


def test_a_plan_is_printed_as_one_json_object(table, histories, tmp_path, capsys):
    table.to_csv(tmp_path / "data.csv", index=False)
    assert main(["plan", str(tmp_path / "data.csv"), *COMMON, *TREATED, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "ready"
    assert said["treated"] == ["u00", "u01"]
    assert [row["power"] for row in said["table"]] == pytest.approx(fake_plan().table["power"])
    assert said["sentences"] == list(fake_plan().sentences)
    assert said["files"] == []
    assert isinstance(said["seed"], int)


@pytest.mark.parametrize("command", ["fit", "demo", "report", "plan", "choose"])
def test_help_is_not_cut_at_eighty_characters(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert ("the plan is weak" in out) == (command in ("plan", "choose"))
