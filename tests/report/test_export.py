"""A fit as a folder: every table is the fit's, every column is described, nothing is replaced."""

import re

import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.checks.result import Check, Checks
from bayes_synth.errors import LoadError, OptionError
from bayes_synth.report.dictionary import dictionary
from bayes_synth.report.export import NAMES
from bayes_synth.report.tables import as_latex, escaped
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

ALWAYS = {
    "effects.csv",
    "path.csv",
    "weights.csv",
    "dictionary.csv",
    "effects.tex",
    "weights.tex",
    "methods.txt",
    "references.bib",
    "README.md",
}
DRAWS = {"draws.csv", "draws_counterfactual.csv"}


@pytest.fixture(scope="module")
def answered():
    table = pd.DataFrame({"x": [1.0]})
    return Checks((Check("round", "Is it round?", "fail", "It has 4 corners.", table),))


def names(paths):
    return {path.name for path in paths}


def test_the_folder_holds_what_the_paths_name(fake, tmp_path):
    paths = fake.export(tmp_path / "new" / "folder")
    assert names(paths) == ALWAYS | DRAWS
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == names(paths)


def test_tables_are_those_of_the_fit(fake, tmp_path):
    fake.export(tmp_path, ci_prob=0.8, ci_kind="hdi")
    path = pd.read_csv(tmp_path / "path.csv", index_col=fake.panel.time)
    pd.testing.assert_frame_equal(
        path, fake.to_frame(ci_prob=0.8, ci_kind="hdi"), check_dtype=False
    )
    effects = pd.read_csv(tmp_path / "effects.csv", index_col="effect")
    summary = fake.summary(ci_prob=0.8, ci_kind="hdi")
    np.testing.assert_allclose(effects["median"], summary["median"])
    weights = pd.read_csv(tmp_path / "weights.csv", index_col="donor")
    np.testing.assert_allclose(weights["mean"], fake.weights()["mean"])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_draws_are_those_of_the_fit_one_row_each(dated, kind, tmp_path):
    dated.export(tmp_path, draws=kind)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[kind]
    draws, paths = (read(tmp_path / f"{name}.{kind}") for name in ("draws", "draws_counterfactual"))
    average = dated.effect("average").draws.to_numpy()
    np.testing.assert_allclose(draws["average"], average.ravel())
    weights = draws[[f"weight[{donor}]" for donor in dated.panel.donors]]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert list(paths.columns[2:]) == [f"{time:%Y-%m-%d}" for time in dated.panel.post]
    observed = dated.panel.treated_outcome.to_numpy()[len(dated.panel.pre) :]
    np.testing.assert_allclose(observed.mean() - paths.iloc[:, 2:].mean(axis=1), draws["average"])


def test_no_draws_can_be_asked_for(fake, tmp_path):
    assert names(fake.export(tmp_path, draws="none")) == ALWAYS


@pytest.mark.parametrize("model", ["linear", "log"])
@pytest.mark.parametrize("time", ["year", "period", "observed"])
def test_every_column_of_every_table_is_described(model, time, answered, tmp_path):
    panel = fake_panel()
    table = panel.outcomes.to_pandas().rename_axis(time)
    panel = bs.Panel.from_wide(table, treated="treated", start=panel.start)
    fit = fake_fit(panel=panel, model=bs.SyntheticControl(scale=model))
    fit.export(tmp_path, checks=answered)
    described = pd.read_csv(tmp_path / "dictionary.csv", keep_default_na=False)
    for name in ("effects", "path", "weights", "checks", "draws", "draws_counterfactual"):
        columns = set(pd.read_csv(tmp_path / f"{name}.csv").columns)
        assert columns == set(described.loc[described["table"] == name, "column"])
    assert described[(described["meaning"] == "") | (described["measure"] == "")].empty


def test_checks_are_a_table_of_their_own(fake, answered, tmp_path):
    fake.export(tmp_path, checks=answered)
    assert pd.read_csv(tmp_path / "checks.csv")["reason"].tolist() == ["It has 4 corners."]


def test_an_earlier_export_is_not_replaced_unless_asked(fake, answered, tmp_path):
    fake.export(tmp_path, checks=answered)
    (tmp_path / "mine.txt").write_text("kept")
    before = (tmp_path / "path.csv").read_bytes()
    with pytest.raises(LoadError, match=r"L012.*overwrite=True"):
        fake_fit().export(tmp_path)
    assert (tmp_path / "path.csv").read_bytes() == before
    fake.export(tmp_path, draws="none", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS | {"mine.txt"}


def test_a_folder_that_is_a_file_is_refused(fake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadError, match="L012"):
        fake.export(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "code"), [({"workbook": True}, "L010"), ({"draws": "parquet"}, "L011")]
)
def test_what_is_not_installed_is_named_with_its_pip_line(
    fake, options, code, tmp_path, monkeypatch
):
    monkeypatch.setattr("bayes_synth.report.export.find_spec", lambda name: None)
    with pytest.raises(LoadError, match=rf"{code}.*pip install"):
        fake.export(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_a_workbook_has_a_sheet_per_table_and_no_formulas(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    table = fake_panel().outcomes.to_pandas().rename(columns={"donor_00": "=1+1"})
    panel = bs.Panel.from_wide(table, treated="treated", start=2020)
    fake_fit(panel=panel).export(tmp_path, workbook=True)
    book = openpyxl.load_workbook(tmp_path / "fit.xlsx")
    assert {"effects", "path", "weights", "draws", "dictionary"} <= set(book.sheetnames)
    kinds = {cell.data_type for row in book["weights"].iter_rows() for cell in row}
    assert "f" not in kinds


@pytest.mark.parametrize("draws", ["xlsx", None, "CSV"])
def test_another_format_of_draws_is_refused(fake, draws, tmp_path):
    with pytest.raises(OptionError, match="O047"):
        fake.export(tmp_path, draws=draws)


def test_every_name_is_known_so_that_a_later_export_can_replace_it(fake, tmp_path):
    assert names(fake.export(tmp_path)) <= set(NAMES)


def test_the_readme_says_what_gap_and_effect_are(fake, tmp_path):
    fake.export(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "gap = observed - synthetic" in text
    assert "effect = observed - counterfactual" in text


def test_the_readme_leads_with_what_is_wrong(tmp_path):
    fake_fit(divergences=100).export(tmp_path)
    assert "NOT CONVERGED" in (tmp_path / "README.md").read_text().split("- `")[0]


# LaTeX


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("rev_$ & 100%", r"rev\_\$ \& 100\%"),
        ("a{b}\\c", r"a\{b\}\textbackslash{}c"),
        (
            "x<y>z^2~#1\nline",
            r"x\textless{}y\textgreater{}z\textasciicircum{}2\textasciitilde{}\#1 line",
        ),
    ],
)
def test_labels_are_letters_in_latex(text, latex):
    assert escaped(text) == latex


def test_a_table_has_a_cell_per_column_in_every_row():
    table = pd.DataFrame({"a": ["-1,297", "x & y"], "b": ["+3.0%", ""]}, index=["p_1", "q"])
    rows = [line for line in as_latex(table, "c", "l").splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert r"p\_1 & $-1{,}297$ & $+3.0\%$ \\" in rows


# methods and citations


def test_the_methods_paragraph_has_the_numbers_of_the_fit():
    panel = fake_panel()
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    text, listed = fit.methods_text().split("\n\nReferences\n")
    assert f"{len(panel.donors)} untreated donors" in text
    assert f"{len(panel.pre)} periods before" in text
    assert fit.model.process.describe() in text
    assert all(prior in text for prior in fit.problem.priors.values())
    assert f"calibrated on {len(fit.calibration.table)} placebos" in text
    assert f"{fit.convergence.r_hat:.3f}" in text
    assert all(f"{name} {number}" in text for name, number in fit.record.versions.items())
    assert "Abadie (2021)" in listed


def test_a_fit_that_has_not_converged_says_so_in_its_methods():
    assert "did NOT pass" in fake_fit(divergences=100).methods_text()


def test_an_uncalibrated_fit_says_so_in_its_methods(fake):
    assert "rest on the model alone" in fake.methods_text()


def test_citations_name_library_and_papers():
    text, entries = bs.cite(), bs.cite("bibtex")
    assert text.splitlines()[0].startswith("The bayes_synth developers")
    assert bs.__version__ in text
    assert entries.count("@article{") == len(text.splitlines()) - 1
    assert entries.count("{") == entries.count("}")


def test_another_style_of_citation_is_refused():
    with pytest.raises(OptionError, match="O046"):
        bs.cite("apa")


def test_a_parameter_without_a_measure_is_a_number():
    fit = fake_fit(model=bs.SyntheticControl(noise=bs.noise.AR1()))
    described = dictionary(fit, {"draws": pd.DataFrame(columns=["s", "rho"])})
    assert described["measure"].tolist() == [fit.panel.outcome, "number"]
