"""Pictures of the checks that refit: what is drawn is what the table says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from planted import least_squares

from bayes_synth import checks
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError
from bayes_synth.plots.themes import targets
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

mpl.use("agg")
NAMES = ("leave_one_out", "backdating", "anticipation", "spillover", "prior_sensitivity")


@pytest.fixture(scope="module", params=[False, True], ids=["years", "dates"])
def answers(request):
    panel = fake_panel(pre=30, dates=request.param)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    options = {"spillover": {"neighbours": ["donor_01"]}}
    refitted = {
        name: getattr(checks, name)(fit, refit=least_squares, **options.get(name, {}))
        for name in NAMES
    }
    return refitted | {"placebo_in_space": checks.placebo_in_space(fit)}


@pytest.mark.long
@pytest.mark.parametrize("name", ["spillover", "prior_sensitivity"])
def test_a_forest_shows_the_medians_and_intervals_of_the_table(answers, name):
    check = answers[name]
    viz = check.plot(backend="none").viz
    np.testing.assert_array_equal(viz["median"]["effect"].item()["x"], check.table["median"])
    ends = viz["interval"]["effect"].item()["x"].reshape(-1, 3)[:, :2]
    np.testing.assert_array_equal(ends, check.table[["lower", "upper"]])


def test_the_coverage_curve_is_that_of_the_table(answers):
    check = answers["placebo_in_space"]
    curve = check.plot(backend="none").viz["curve"]["coverage"].item()
    np.testing.assert_array_equal(
        curve["y"], [(check.table["p"] >= 1 - level).mean() for level in curve["x"]]
    )


@pytest.mark.parametrize(
    ("name", "lines"), [("leave_one_out", 3), ("backdating", 5), ("anticipation", 1)]
)
def test_every_refit_has_a_line(answers, name, lines):
    viz = answers[name].plot(backend="none").viz
    drawn = [viz[part]["paths"].item() for part in viz.children if part.startswith("line")]
    ends = [np.isnan(line["y"].astype(float)).sum() for line in drawn if line is not None]
    assert sum(ends) == lines


def test_every_placebo_has_a_line_and_the_treated_unit_is_on_top(answers):
    viz = answers["placebo_in_space"].plot(backend="none").viz
    assert np.isnan(viz["lines"]["gaps"].item()["y"].astype(float)).sum() == 6
    assert np.isnan(viz["top"]["gaps"].item()["y"].astype(float)).sum() == 1


def test_the_interval_from_the_earlier_start_on_is_a_band(answers):
    band = answers["anticipation"].plot(backend="none").viz["band"]["paths"].item()
    assert (np.asarray(band["y_bottom"]) <= np.asarray(band["y_top"])).all()


@pytest.fixture(scope="module")
def asked():
    panel = fake_panel(pre=30, effect=10.0)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    incomes = pd.DataFrame(
        {"income": np.arange(len(panel.donors) + 1.0)}, index=[*panel.treated, *panel.donors]
    )
    answers = {name: getattr(checks, name)(fit) for name in LAYERED if name != "screen"}
    answers["likeness"] = checks.likeness(fit, covariates=incomes)
    return answers | {"screen": checks.screen(panel)}


LAYERED = {
    "convex_hull": {"treated", "closest weighted average of the donors", "the donors' range"},
    "detectable": {"probability of being told from zero"},
    "fit_quality": {"19 of 20 lie within these"},
    "hidden_bias": {"effect that is left, median", "95% ETI", "drifts of placebos"},
    "likeness": {"mean distance", "other donors", "donors' mean", "synthetic control, 95% ETI"},
    "overfitting": {"periods that the weights have seen", "without donors"},
    "screen": {"threshold 4"},
}


@pytest.mark.parametrize("name", LAYERED)
def test_the_legend_says_what_every_layer_is(asked, name):
    drawn = asked[name].plot(backend="none")
    parts = [part for target in targets(drawn) for part in target if "labels" in part]
    (legend,) = [part["labels"] for part in parts if part["function"] == "legend"]
    assert LAYERED[name] <= set(legend)


@pytest.mark.parametrize("name", ["detectable", "likeness", "screen", "fit_quality"])
def test_plotly_draws_every_line_of_reference(asked, name):
    """It leaves out those on a panel that is still empty, without a word."""
    seen, drawn = (asked[name].plot(backend=each) for each in ("none", "plotly"))
    lines = [part for target in targets(seen) for part in target]
    wanted = sum(part["function"] in ("hline", "vline") for part in lines)
    assert len(drawn.viz["figure"].item().layout.shapes) == wanted > 0


@pytest.mark.parametrize("name", [*NAMES, "placebo_in_space"])
def test_pictures_of_refits_take_the_options_of_plots(answers, name):
    canvas = answers[name].plot(
        backend="matplotlib", size="slide", title="Mine", theme="dark", visuals={"legend": False}
    )
    figure = canvas.viz["figure"].item()
    assert tuple(figure.get_size_inches() * figure.dpi) == (1600, 900)
    assert figure.axes[0].get_title() == "Mine"
    assert figure.get_facecolor()[:3] == pytest.approx((22 / 255,) * 3)
    assert figure.legends == []


@pytest.mark.parametrize("name", LAYERED)
def test_layered_pictures_take_the_options_of_plots(asked, name):
    canvas = asked[name].plot(backend="matplotlib", figsize=(4, 4), title="Mine", theme="dark")
    figure = canvas.viz["figure"].item()
    assert tuple(figure.get_size_inches()) == (4, 4)
    assert figure.axes[0].get_title() == "Mine"
    assert figure.axes[0].get_facecolor()[:3] == pytest.approx((22 / 255,) * 3)
    assert len(figure.legends) == 1


@pytest.mark.parametrize("height", [4.5, 9.0])
def test_rows_of_names_that_would_overlap_are_left_out(height):
    panel = fake_panel(donors=40, pre=30)
    canvas = checks.screen(panel).plot(backend="matplotlib", figsize=(8, height))
    shown = canvas.viz["figure"].item().axes[0]
    assert len(shown.get_yticklabels()) * 0.18 < height / 2
    assert "more not shown" in shown.get_title() or "more donors not shown" in shown.get_title()


def test_options_of_a_picture_are_checked(asked):
    with pytest.raises(OptionError, match="O040"):
        asked["detectable"].plot(size="poster")
    with pytest.raises(OptionError, match="O001"):
        asked["detectable"].plot(visuals={"bands": False})
    with pytest.raises(TypeError, match="titel"):
        asked["detectable"].plot(titel="Mine")


def test_donors_whose_names_begin_alike_are_told_apart():
    panel = fake_panel(donors=6, pre=30)
    names = {name: f"Autonomous Province of Somewhere Far Away No. {name}" for name in panel.donors}
    wide = panel.outcomes.to_pandas().rename(columns=names)
    long_names = Panel.from_wide(wide, treated=panel.treated[0], start=panel.start)
    figure = checks.screen(long_names).plot(backend="matplotlib").viz["figure"].item()
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(rows)) == 6
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(words) == len(set(words)) == 2 + len(set(words) - {"threshold 4", "other donors"})


@pytest.mark.parametrize("letters", [3, 18, 40])
def test_no_title_of_narrow_placebos_is_cut_at_the_edge(letters):
    table = fake_panel(donors=8).outcomes.to_pandas()
    table = table.rename(columns=lambda name: name if name == "treated" else name[-2:] * letters)
    panel = Panel.from_wide(table, treated="treated", start=2020)
    fit = fake_fit(panel=panel, placebos=fake_placebos(panel))
    figure = checks.placebo_in_space(fit).plot(backend="matplotlib", figsize=(4, 6)).viz["figure"]
    canvas = figure.item()
    canvas.canvas.draw()
    for axes in canvas.axes:
        box = axes.title.get_window_extent()
        assert box.x0 >= 0, axes.get_title()
        assert box.x1 <= canvas.bbox.x1, axes.get_title()
