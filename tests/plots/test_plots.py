"""Plots: what is drawn equals the numbers, on every backend and both kinds of time axis."""

import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from arviz_plots import PlotCollection

from bayes_synth.datasets import load_dataset
from bayes_synth.errors import OptionError, ResultError
from bayes_synth.plots import plot_effect, plot_fit, plot_weights
from bayes_synth.results.effects import as_text, describe
from bayes_synth.testing import fake_fit, fake_panel

BACKENDS = ("none", "matplotlib", "plotly", "bokeh")
PLOTS = {"fit": plot_fit, "weights": plot_weights, "effect": plot_effect}

mpl.use("agg")


@pytest.fixture(scope="module")
def many():
    return fake_fit(panel=fake_panel(donors=20))


@pytest.fixture(scope="module")
def unconverged():
    return fake_fit(divergences=100)


@pytest.fixture(params=["integers", "dates"])
def either(request, fake, dated):
    return {"integers": fake, "dates": dated}[request.param]


def element(canvas, part, variable):
    """What the "none" backend recorded for a part of one panel."""
    return canvas.viz[part][variable].item()


def words(canvas, variable, function="title"):
    """The texts of one kind on a panel of the "none" backend, joined."""
    drawn = canvas.get_target(variable, {})
    return " ".join(item["string"] for item in drawn if item["function"] == function)


def written(canvas):
    """A figure as the text that its backend would show."""
    figure = canvas.viz["figure"].item()
    if canvas.backend == "plotly":
        return figure.to_json()
    if canvas.backend == "bokeh":
        from bokeh.embed import file_html
        from bokeh.resources import CDN

        return file_html(figure, CDN)
    if canvas.backend == "matplotlib":
        return " ".join(axes.get_title() for axes in figure.axes)
    return " ".join(words(canvas, variable) for variable in canvas.viz["plot"].to_dataset())


# every plot, every backend


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_every_plot_is_a_plot_collection_of_the_backend(either, plot, backend):
    canvas = plot(either, backend=backend)
    assert isinstance(canvas, PlotCollection)
    assert canvas.backend == backend


@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "bokeh"])
@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_every_figure_can_be_written(either, plot, backend, tmp_path):
    file = tmp_path / f"figure.{'png' if backend == 'matplotlib' else 'html'}"
    plot(either, backend=backend).savefig(file)
    assert file.stat().st_size > 1000


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_fit_that_has_not_converged_says_so_on_every_plot(unconverged, plot, backend):
    assert "NOT CONVERGED" in written(plot(unconverged, backend=backend))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_the_warning_stays_when_the_title_is_switched_off(unconverged, plot):
    assert "NOT CONVERGED" in written(plot(unconverged, backend="none", visuals={"title": False}))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_fit_that_has_converged_carries_no_warning(fake, plot):
    assert "CONVERGED" not in written(plot(fake, backend="none"))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_an_unknown_part_is_refused_with_a_suggestion(fake, plot):
    with pytest.raises(OptionError, match=r"O001.*Did you mean 'title'"):
        plot(fake, backend="none", visuals={"titel": False})


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_style_must_be_a_mapping(fake, plot):
    with pytest.raises(OptionError, match="O001"):
        plot(fake, backend="none", visuals={"title": "red"})


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_an_unknown_backend_is_refused_with_a_suggestion(fake, plot):
    with pytest.raises(OptionError, match=r"O001.*Did you mean 'plotly'"):
        plot(fake, backend="plotli")


@pytest.mark.parametrize("backend", ["plotly", "bokeh"])
@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_backend_that_is_not_installed_is_refused_with_the_pip_line(
    fake, plot, backend, monkeypatch
):
    monkeypatch.setattr("bayes_synth.plots.common.find_spec", lambda name: None)
    with pytest.raises(ResultError, match=rf"R006.*pip install 'bayes_synth\[{backend}\]'"):
        plot(fake, backend=backend)


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_an_unknown_kind_of_interval_is_refused(fake, plot):
    with pytest.raises(OptionError, match="O001"):
        plot(fake, backend="none", ci_kind="etti")


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_figure_size_is_in_inches_by_default(fake, plot):
    figure = (
        plot(fake, backend="matplotlib", figure_kwargs={"figsize": (6, 5)}).viz["figure"].item()
    )
    assert tuple(figure.get_size_inches()) == (6, 5)


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_given_collection_is_drawn_on_with_its_own_backend(fake, plot):
    canvas = plot(fake, backend="plotly")
    assert plot(fake, plot_collection=canvas, backend="matplotlib") is canvas


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_plotting_prints_nothing(fake, plot, capsys):
    plot(fake, backend="matplotlib")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_plotting_never_shows_a_window(fake, plot, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show was called"))
    plot(fake, backend="matplotlib")


@pytest.mark.parametrize(
    ("method", "options"),
    [("plot", {}), ("plot_weights", {}), ("plot_effect", {"estimand": "total"})],
)
def test_a_fit_offers_the_plot_as_a_method(fake, method, options):
    assert getattr(fake, method)(backend="none", **options).backend == "none"


@pytest.mark.long
def test_reading_a_fit_loads_no_plotting_package(fake, tmp_path):
    fake.save(tmp_path / "fit.nc")
    path = str(tmp_path / "fit.nc")
    code = (
        f"import sys, bayes_synth as bs; repr(bs.load({path!r})); "
        "sys.exit('arviz_plots' in sys.modules or 'bayes_synth.plots' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# paths


@pytest.mark.parametrize("bound", ["lower", "upper"])
@pytest.mark.parametrize("prob", [0.5, 0.95])
@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_the_band_of_the_effect_is_the_interval_of_the_pointwise_effect(either, kind, prob, bound):
    band = element(plot_fit(either, backend="none", ci_kind=kind), f"band_{prob:g}", "effect")
    expected = either.effect("pointwise").interval(prob, kind).sel(ci_bound=bound).to_numpy()
    drawn = band["y_bottom" if bound == "lower" else "y_top"][-len(expected) :]
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    ("variable", "source"),
    [("path", "counterfactual"), ("effect", "effect"), ("cumulative", "cumulative")],
)
@pytest.mark.parametrize("prob", [0.5, 0.95])
def test_every_band_is_that_of_the_frame(either, prob, variable, source):
    band = element(plot_fit(either, backend="none"), f"band_{prob:g}", variable)
    table = either.to_frame(ci_prob=prob)[[f"{source}_lower", f"{source}_upper"]].dropna()
    np.testing.assert_array_equal(np.column_stack([band["y_bottom"], band["y_top"]]), table)


@pytest.mark.parametrize(
    ("variable", "source"),
    [("path", "counterfactual"), ("effect", "effect"), ("cumulative", "cumulative")],
)
def test_every_median_line_is_that_of_the_frame(either, variable, source):
    line = element(plot_fit(either, backend="none"), "median", variable)
    np.testing.assert_array_equal(line["y"], either.to_frame()[f"{source}_median"].dropna())


def test_the_last_cumulative_band_is_the_interval_of_the_total(fake):
    band = element(plot_fit(fake, backend="none"), "band_0.95", "cumulative")
    np.testing.assert_allclose(
        [band["y_bottom"][-1], band["y_top"][-1]], fake.effect("total").interval(0.95)
    )


@pytest.mark.parametrize("name", BACKENDS)
def test_bands_of_the_whole_path_are_outlined_when_asked(either, name):
    canvas = plot_fit(either, backend=name, band="simultaneous")
    parts = [part for part in canvas.viz.children if part.startswith("simultaneous")]
    assert parts == ["simultaneous_lower", "simultaneous_upper"]
    if name == "none":
        table = either.to_frame(band="simultaneous")
        for variable in ("effect", "cumulative"):
            line = element(canvas, "simultaneous_upper", variable)
            np.testing.assert_array_equal(line["y"], table[f"{variable}_band_upper"].dropna())
            assert line["linestyle"] == "C1"  # dashed, as the legend's row is
        assert "95% band of the whole path" in legend(canvas)


def test_no_band_is_outlined_unless_asked(fake):
    for options in ({}, {"band": "simultaneous", "visuals": {"simultaneous": False}}):
        canvas = plot_fit(fake, backend="none", **options)
        assert not [part for part in canvas.viz.children if part.startswith("simultaneous")]
        assert "95% band of the whole path" not in legend(canvas)


def test_the_observed_line_is_the_treated_outcome(either):
    line = element(plot_fit(either, backend="none"), "observed", "path")
    np.testing.assert_array_equal(line["y"], either.panel.treated_outcome)


def test_the_cumulative_effect_starts_with_the_treatment(either):
    line = element(plot_fit(either, backend="none"), "median", "cumulative")
    np.testing.assert_array_equal(line["x"], either.panel.post.to_numpy())


@pytest.mark.parametrize("variable", ["path", "effect", "cumulative"])
def test_a_vertical_line_marks_the_start_in_every_panel(either, variable):
    line = element(plot_fit(either, backend="none"), "start", variable)
    assert line["x"] == either.panel.post.to_numpy()[0]


def test_all_donors_are_drawn(either):
    line = element(plot_fit(either, backend="none"), "donors", "path")
    drawn = line["y"].reshape(len(either.panel.donors), -1)[:, :-1]
    np.testing.assert_array_equal(drawn, either.panel.donor_outcomes.transpose("donor", "time"))


def test_the_line_of_the_donors_is_lifted_between_them(either):
    line = element(plot_fit(either, backend="none"), "donors", "path")
    assert np.isnan(line["y"].reshape(len(either.panel.donors), -1)[:, -1]).all()


def test_a_remote_donor_does_not_flatten_the_treated_unit(fake):
    outcomes = fake.panel.outcomes
    panel = replace(fake.panel, outcomes=outcomes + 1e6 * (outcomes["unit"] == "donor_05"))
    target = plot_fit(fake_fit(panel=panel), backend="none").get_target("path", {})
    assert next(item["lims"] for item in target if item["function"] == "ylim")[1] < 1e4


def test_the_limits_hold_the_widest_band(fake):
    canvas = plot_fit(fake, backend="none", ci_probs=(0.5, 0.999))
    low, high = next(d["lims"] for d in canvas.get_target("path", {}) if "lims" in d)
    band = element(canvas, "band_0.999", "path")
    assert low < band["y_bottom"].min() < band["y_top"].max() < high


def legend(canvas):
    """The words of the legend of the "none" backend."""
    drawn = [
        item
        for name in canvas.viz["plot"].to_dataset()
        for item in canvas.get_target(name, {})
        if item["function"] == "legend"
    ]
    return [label for item in drawn for label in item["labels"]]


def test_the_legend_names_the_probabilities_and_the_kind(fake):
    labels = legend(plot_fit(fake, backend="none", ci_probs=(0.8, 0.995), ci_kind="hdi"))
    assert {"80% HDI", "99.5% HDI", "observed", "donors", "average effect"} <= set(labels)


@pytest.mark.parametrize(("variable", "estimand"), [("effect", "average"), ("cumulative", "total")])
def test_the_title_of_a_panel_has_the_number_with_its_interval(fake, variable, estimand):
    title = words(plot_fit(fake, backend="none", ci_probs=(0.5, 0.8)), variable)
    low, high = (
        as_text(fake.effect(estimand), float(end)) for end in fake.effect(estimand).interval(0.8)
    )
    assert f"[{low}, {high}] (80% ETI)" in title


def test_the_title_names_the_treated_unit(fake):
    assert "treated" in words(plot_fit(fake, backend="none"), "path")


@pytest.mark.parametrize("variable", ["path", "effect", "cumulative"])
def test_every_panel_names_the_outcome(fake, variable):
    assert words(plot_fit(fake, backend="none"), variable, "ylabel") == "sales"


def test_the_time_axis_is_named_once(fake):
    canvas = plot_fit(fake, backend="none")
    named = [words(canvas, variable, "xlabel") for variable in ("path", "effect", "cumulative")]
    assert named == ["", "", fake.panel.time]


@pytest.mark.parametrize("part", ["donors", "median", "observed", "average", "zero", "start"])
def test_a_part_can_be_left_out(fake, part):
    assert part not in plot_fit(fake, backend="none", visuals={part: False}).viz.children


def test_the_bands_can_be_left_out(fake):
    parts = plot_fit(fake, backend="none", visuals={"bands": False}).viz.children
    assert not [part for part in parts if part.startswith("band")]


def test_a_part_can_be_styled(fake):
    assert (
        element(
            plot_fit(fake, backend="none", visuals={"median": {"color": "C4"}}), "median", "effect"
        )["color"]
        == "C4"
    )


@pytest.mark.parametrize("probs", [0.95, (), (0.5, 95), (0,)], ids=str)
def test_probabilities_that_make_no_sense_are_refused(fake, probs):
    with pytest.raises(OptionError, match="O004"):
        plot_fit(fake, backend="none", ci_probs=probs)


def test_a_refused_plot_leaves_no_figure_open(fake):
    with pytest.raises(OptionError):
        plot_fit(fake, backend="matplotlib", ci_probs=(95,))
    assert not plt.get_fignums()


def test_bokeh_writes_dates_not_milliseconds(dated):
    axis = plot_fit(dated, backend="bokeh").get_target("cumulative", {}).xaxis[0]
    assert [type(axis.ticker).__name__, type(axis.formatter).__name__] == [
        "DatetimeTicker",
        "DatetimeTickFormatter",
    ]


def test_plotly_is_given_dates(dated):
    lines = plot_fit(dated, backend="plotly").viz["figure"].item().data
    assert {
        np.asarray(line.x).dtype.kind for line in lines if line.x is not None and len(line.x) > 2
    } == {"M"}


def test_years_have_no_fractions_on_matplotlib():
    canvas = plot_fit(fake_fit(panel=fake_panel(pre=4, post=1)), backend="matplotlib")
    ticks = canvas.get_target("cumulative", {}).get_xticks()
    np.testing.assert_array_equal(ticks, ticks.round())


def text_boxes(canvas):
    """The figure's box, and those of its titles and labels, once matplotlib has laid them out."""
    figure = canvas.viz["figure"].item()
    figure.canvas.draw()
    texts = [
        text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)
    ]
    return figure.bbox, [text.get_window_extent() for text in texts if text.get_text()]


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_no_text_leaves_the_figure(unconverged, plot):
    page, boxes = text_boxes(plot(unconverged, backend="matplotlib"))
    assert all(page.contains(*corner) for box in boxes for corner in (box.min, box.max))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_no_text_meets_another(unconverged, plot):
    _, boxes = text_boxes(plot(unconverged, backend="matplotlib"))
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


# weights


def points(canvas):
    """Means that were drawn, the highest on the page first."""
    groups = [
        canvas.viz[name]["weights"].item()
        for name in canvas.viz.children
        if name.startswith("mean_")
    ]
    x, y = (np.concatenate([group[axis] for group in groups]) for axis in "xy")
    return x[np.argsort(-y)]


def test_the_points_are_the_mean_weights_heaviest_on_top(fake):
    np.testing.assert_array_equal(
        points(plot_weights(fake, backend="none")), fake.weights()["mean"]
    )


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_the_intervals_are_those_of_the_table(fake, kind):
    canvas = plot_weights(fake, backend="none", ci_prob=0.8, ci_kind=kind)
    drawn = np.concatenate(
        [
            element(canvas, f"interval_{g}", "weights")["x"].reshape(-1, 3)
            for g in ("core", "others")
        ]
    )
    table = fake.weights(ci_prob=0.8, ci_kind=kind)
    expected = [table.loc[table["core"] == core, ["lower", "upper"]] for core in (True, False)]
    np.testing.assert_array_equal(drawn[:, :2], np.concatenate(expected))


def test_the_core_donors_are_those_in_colour(fake):
    core = element(plot_weights(fake, backend="none"), "mean_core", "weights")
    table = fake.weights()
    np.testing.assert_array_equal(core["x"], table.loc[table["core"], "mean"])


def test_the_core_donors_differ_from_the_others_without_colour(fake):
    canvas = plot_weights(fake, backend="none")
    fills = [
        element(canvas, f"mean_{group}", "weights")["facecolor"] for group in ("core", "others")
    ]
    assert fills == ["C0", "B0"]


def test_at_most_so_many_donors_are_shown(many):
    assert len(points(plot_weights(many, backend="none", most=4))) == 4


def test_the_title_counts_the_donors_that_are_not_shown(many):
    rest = many.weights()["mean"].iloc[1:].sum()
    assert f"and 19 more donors with {rest:.2g} of the weight" in words(
        plot_weights(many, backend="none", most=1), "weights"
    )


def test_the_title_counts_nobody_when_all_are_shown(fake):
    assert "more donors" not in words(plot_weights(fake, backend="none"), "weights")


def test_the_axis_of_the_weights_names_probability_and_kind(fake):
    label = words(
        plot_weights(fake, backend="none", ci_prob=0.8, ci_kind="hdi"), "weights", "xlabel"
    )
    assert label == "weight (mean and 80% HDI)"


def test_the_rows_are_labelled_with_their_donors(fake):
    ticks = next(
        d
        for d in plot_weights(fake, backend="none").get_target("weights", {})
        if d["function"] == "yticks"
    )
    order = np.argsort(-np.asarray(ticks["ticks"]))
    assert [ticks["labels"][i] for i in order] == fake.weights().index.tolist()


@pytest.mark.parametrize("most", [0, -1, 2.5, "all"])
def test_a_number_of_donors_that_makes_no_sense_is_refused(fake, most):
    with pytest.raises(OptionError, match="O010"):
        plot_weights(fake, backend="none", most=most)


# effect


@pytest.mark.parametrize(("estimand", "factor"), [("average", 1), ("total", 1), ("relative", 100)])
@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_the_interval_is_that_of_the_effect(fake, estimand, factor, kind):
    canvas = plot_effect(fake, estimand, backend="none", ci_prob=0.8, ci_kind=kind)
    drawn = element(canvas, "credible_interval", estimand)["x"]
    np.testing.assert_allclose(
        drawn, factor * fake.effect(estimand).interval(0.8, kind), rtol=1e-12
    )


def test_the_point_is_the_median_of_the_effect(fake):
    drawn = element(plot_effect(fake, backend="none"), "point_estimate", "average")["x"]
    np.testing.assert_allclose(drawn, fake.effect("average").draws.median())


@pytest.mark.parametrize("estimand", ["average", "total", "relative"])
def test_the_title_is_the_description_of_the_effect(fake, estimand):
    title = words(plot_effect(fake, estimand, backend="none", ci_prob=0.8), estimand)
    said = f"{describe(fake.effect(estimand), 0.8)}\nnot calibrated"
    # A long line is broken between words, and nothing else is changed.
    assert title.split() == f"ALARM A004: see fit.alarms\n{said}".split()
    assert title.endswith("\nnot calibrated")


def test_a_window_narrows_the_effect(fake):
    window = slice(2021, 2023)
    drawn = element(
        plot_effect(fake, backend="none", window=window), "credible_interval", "average"
    )["x"]
    np.testing.assert_allclose(drawn, fake.effect("average", window=window).interval())


@pytest.mark.parametrize(
    ("estimand", "label"),
    [
        ("average", "average effect (sales per period)"),
        ("total", "total effect (sales)"),
        ("relative", "total, relative to the counterfactual (per cent)"),
    ],
)
def test_the_axis_names_effect_and_measure(fake, estimand, label):
    assert words(plot_effect(fake, estimand, backend="none"), estimand, "xlabel") == label


@pytest.mark.parametrize(("estimand", "ends"), [("average", (-0.02, 0.02)), ("relative", (-2, 2))])
def test_the_region_is_shaded_as_the_axis_measures(fake, estimand, ends):
    target = plot_effect(fake, estimand, backend="none", rope=(-0.02, 0.02)).get_target(
        estimand, {}
    )
    shade = next(item for item in target if item["function"] == "vspan")
    assert (shade["xmin"], shade["xmax"]) == ends


def test_the_title_gives_the_region_of_a_relative_effect_in_per_cent(fake):
    title = words(plot_effect(fake, "relative", backend="none", rope=(-0.02, 0.02)), "relative")
    assert "P(-2% < effect < 2%)" in title


def test_no_region_is_shaded_unless_it_is_given(fake):
    target = plot_effect(fake, backend="none").get_target("average", {})
    assert not [item for item in target if item["function"] == "vspan"]


def test_a_line_marks_no_effect(fake):
    target = plot_effect(fake, backend="none").get_target("average", {})
    assert [item["x"] for item in target if item["function"] == "vline"] == [0]


@pytest.mark.parametrize("estimand", ["pointwise", "cumulative"])
def test_a_path_is_referred_to_the_plot_of_the_fit(fake, estimand):
    with pytest.raises(ResultError, match=r'R005.*fit\.plot\(\), or plot .* the "total"'):
        plot_effect(fake, estimand, backend="none")


def test_an_unknown_estimand_is_refused(fake):
    with pytest.raises(ResultError, match="R005"):
        plot_effect(fake, "averge", backend="none")


def test_a_region_turned_round_is_refused(fake):
    with pytest.raises(OptionError, match="O005"):
        plot_effect(fake, backend="none", rope=(1, -1))


@pytest.mark.parametrize("prob", [0, 1, 95])
def test_a_probability_outside_its_range_is_refused(fake, prob):
    with pytest.raises(OptionError, match="O004"):
        plot_effect(fake, backend="none", ci_prob=prob)


def test_the_start_is_a_date_that_plotly_draws():
    """Dates that were read count nanoseconds, which plotly would write as a number off the axis."""
    figure = written(plot_fit(fake_fit(panel=load_dataset("geo_test")), backend="plotly"))
    assert '"x0":"2025-05-01T00:00:00"' in figure.replace(" ", "")


def test_points_are_of_a_size_in_bokeh_too(fake):
    canvas = plot_weights(fake, backend="bokeh")
    points = [
        canvas.viz[name]["weights"].item()
        for name in canvas.viz.children
        if name.startswith("mean_")
    ]
    assert {point.glyph.size for point in points} == {45**0.5}
