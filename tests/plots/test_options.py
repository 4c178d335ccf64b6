"""What a caller may wish of a picture: words, size, theme, panels, window and donors."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayes_synth as bs
from bayes_synth.errors import OptionError, ResultError
from bayes_synth.plots import plot_effects, plot_fit, plot_placebos
from bayes_synth.plots.canvas import TOOLBAR
from bayes_synth.plots.common import shortened_apart
from bayes_synth.plots.date_labels import DateLabels
from bayes_synth.plots.text import plain
from bayes_synth.testing import fake_fit, fake_panel, fake_placebos

DRAWN = ("matplotlib", "plotly", "bokeh")
NAME = "Metropolitan Statistical Area of New York-Newark-Jersey City ($ zone_{x) & others"

mpl.use("agg")


@pytest.fixture(scope="module")
def calibrated():
    panel = fake_panel(effect=3.0)
    return fake_fit(panel=panel, placebos=fake_placebos(panel))


@pytest.fixture(scope="module")
def long_names():
    table = fake_panel(effect=3.0).outcomes.to_pandas()
    names = {name: f"The same long beginning of a name, region {name} $" for name in table}
    table = table.rename(columns=names | {"treated": NAME})
    panel = bs.Panel.from_wide(table, treated=NAME, start=2020, outcome="revenue, $ (2019 $)")
    return fake_fit(panel=panel, placebos=fake_placebos(panel))


def recorded(canvas, function):
    """What the "none" backend recorded of one kind on all panels, in order."""
    panels = [canvas.get_target(name, {}) for name in canvas.viz["plot"].to_dataset()]
    return [item for panel in panels for item in panel if item["function"] == function]


def titles(canvas):
    """The titles of all panels, on every backend."""
    figure = canvas.viz["figure"].item()
    if canvas.backend == "plotly":
        return " ".join(note.text for note in figure.layout.annotations if note.text)
    panels = [canvas.get_target(name, {}) for name in canvas.viz["plot"].to_dataset()]
    if canvas.backend == "bokeh":
        return " ".join(panel.title.text for panel in panels)
    if canvas.backend == "matplotlib":
        return " ".join(panel.get_title() for panel in panels)
    return " ".join(item["string"] for item in recorded(canvas, "title"))


def legend_labels(canvas):
    """The words of the legend, on every backend."""
    figure = canvas.viz["figure"].item()
    if canvas.backend == "matplotlib":
        return [text.get_text() for each in figure.legends for text in each.get_texts()]
    if canvas.backend == "plotly":
        return [trace.name for trace in figure.data if trace.showlegend]
    panels = [canvas.get_target(name, {}) for name in canvas.viz["plot"].to_dataset()]
    if canvas.backend == "bokeh":
        from bokeh.models import Legend

        legends = [each for panel in panels for each in panel.below if isinstance(each, Legend)]
        return [item.label.value for each in legends for item in each.items]
    return [label for item in recorded(canvas, "legend") for label in item["labels"]]


def dots(canvas):
    """Width and height of the figure in dots."""
    figure = canvas.viz["figure"].item()
    if canvas.backend == "matplotlib":
        return tuple(figure.get_size_inches() * figure.dpi)
    if canvas.backend == "plotly":
        return figure.layout.width, figure.layout.height
    panels = [canvas.get_target(name, {}) for name in canvas.viz["plot"].to_dataset()]
    return panels[0].width, TOOLBAR + sum(panel.height for panel in panels)


# words


@pytest.mark.parametrize("backend", ["none", *DRAWN])
def test_a_title_of_ones_own_stands_once(fake, backend):
    assert titles(fake.plot(backend=backend, title="Our own title")).count("Our own title") == 1


@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
def test_an_empty_title_is_no_title(fake, plot):
    assert "treated:" not in titles(getattr(fake, plot)(backend="none", title=""))


def test_the_alarm_stays_above_a_title_of_ones_own():
    text = titles(fake_fit(divergences=100).plot(backend="none", title="Ours"))
    assert text.startswith("NOT CONVERGED")
    assert "Ours" in text


@pytest.mark.parametrize("backend", ["none", *DRAWN])
def test_every_picture_has_a_legend_of_what_is_drawn(fake, backend):
    labels = legend_labels(fake.plot(backend=backend))
    assert labels[:2] == ["observed", "counterfactual, median"]
    assert {"50% ETI", "95% ETI", "average effect", "donors", "start, 2020"} <= set(labels)


def test_labels_replace_our_words(fake):
    words = {"outcome": "Sales, $", "time": "Week", "observed": "Chicago", "effect": "Lift"}
    canvas = fake.plot(backend="none", labels=words)
    assert [item["string"] for item in recorded(canvas, "ylabel")] == ["Sales, $"] * 3
    assert [item["string"] for item in recorded(canvas, "xlabel")] == ["Week"]
    assert "Chicago" in legend_labels(canvas)
    assert "Lift" in titles(canvas)


def test_an_empty_label_is_no_label(fake):
    assert not recorded(fake.plot(backend="none", labels={"time": ""}), "xlabel")


@pytest.mark.parametrize(
    "options",
    [
        {"labels": {"outcom": "x"}},
        {"labels": {"outcome": 3}},
        {"size": "slides"},
        {"theme": "night"},
        {"title": 3},
        {"figsize": 8},
        {"figsize": (0, 4)},
        {"figsize": (8, 4, 2)},
    ],
    ids=str,
)
@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
def test_a_wish_that_makes_no_sense_is_refused(fake, plot, options):
    with pytest.raises(OptionError, match="O040"):
        getattr(fake, plot)(backend="none", **options)


def test_an_option_that_does_not_exist_is_a_type_error(fake):
    with pytest.raises(TypeError, match=r"figsise.*Did you mean 'figsize'"):
        fake.plot(backend="none", figsise=(1, 1))


# size and theme


@pytest.mark.parametrize("backend", DRAWN)
def test_a_slide_is_1600_by_900_dots(fake, backend):
    np.testing.assert_allclose(dots(fake.plot(backend=backend, size="slide")), (1600, 900), atol=3)


def test_the_slide_that_is_written_is_1600_by_900_dots(fake, tmp_path):
    fake.plot(backend="matplotlib", size="slide").savefig(tmp_path / "slide.png")
    assert plt.imread(tmp_path / "slide.png").shape[:2] == (900, 1600)


def test_a_figure_for_papers_is_six_and_a_half_inches_wide(fake):
    figure = fake.plot(backend="matplotlib", size="paper").viz["figure"].item()
    assert figure.get_size_inches()[0] == 6.5
    assert figure.dpi == 300


@pytest.mark.parametrize("backend", DRAWN)
def test_figsize_is_in_inches(fake, backend):
    width, height = dots(fake.plot(backend=backend, figsize=(8, 5)))
    np.testing.assert_allclose(width / height, 8 / 5, rtol=0.01)


@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
def test_text_of_a_slide_is_twice_as_large_in_a_browser(fake, plot):
    sizes = [
        recorded(getattr(fake, plot)(backend="none", size=size), "title")[0]["size"]
        for size in ("screen", "slide")
    ]
    assert sizes[1] == 2 * sizes[0]


@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
@pytest.mark.parametrize("backend", DRAWN)
def test_a_dark_page_is_dark_and_its_ink_light(calibrated, plot, backend):
    canvas = getattr(calibrated, plot)(backend=backend, theme="dark")
    figure = canvas.viz["figure"].item()
    target = next(canvas.get_target(name, {}) for name in canvas.viz["plot"].to_dataset())
    page, ink = {
        "matplotlib": lambda: (
            mpl.colors.to_hex(target.get_facecolor()),
            mpl.colors.to_hex(target.title.get_color()),
        ),
        "plotly": lambda: (figure.layout.plot_bgcolor, figure.layout.font.color),
        "bokeh": lambda: (target.background_fill_color, target.title.text_color),
    }[backend]()
    assert (page, ink) == ("#161616", "#e8e8e8")


# panels, window, donors


@pytest.mark.parametrize("backend", ["none", *DRAWN])
@pytest.mark.parametrize("panels", [("effect",), ("path", "effect"), ("synthetic", "gap")])
def test_only_the_chosen_panels_are_drawn(fake, panels, backend):
    canvas = fake.plot(backend=backend, panels=panels)
    assert tuple(canvas.viz["plot"].to_dataset()) == panels


@pytest.mark.parametrize("panels", [(), ("efect",), ("effect", "effect"), "paths"], ids=str)
def test_panels_that_do_not_exist_are_refused(fake, panels):
    with pytest.raises(OptionError, match="O041"):
        fake.plot(backend="none", panels=panels)


def test_the_classical_picture_is_the_synthetic_outcome_and_its_gap(fake):
    viz = fake.plot(backend="none", panels=("synthetic", "gap")).viz["median"]
    table = fake.to_frame()
    np.testing.assert_allclose(viz["synthetic"].item()["y"], table["synthetic"])
    np.testing.assert_allclose(viz["gap"].item()["y"], table["gap"])


def test_the_gap_is_observed_minus_synthetic_and_the_effect_observed_minus_counterfactual(fake):
    table = fake.to_frame()
    np.testing.assert_allclose(table["gap"], table["observed"] - table["synthetic"])
    np.testing.assert_allclose(
        table["effect_median"], table["observed"] - table["counterfactual_median"]
    )


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        (slice("2024-02-01", None), "2024-02-01", None),
        (slice("2024-02", "2024-02"), "2024-02-01", "2024-02-29"),
        (slice(None, pd.Timestamp("2024-02-10")), None, "2024-02-10"),
    ],
)
def test_a_window_shows_its_times_only(window, first, last):
    fit = fake_fit(panel=fake_panel(pre=60, post=15, dates=True))
    x = plot_fit(fit, backend="none", window=window).viz["observed"]["path"].item()["x"]
    times = fit.panel.times
    assert x[0] == (times[0] if first is None else pd.Timestamp(first))
    assert x[-1] == (times[-1] if last is None else pd.Timestamp(last))


def test_a_window_before_the_start_has_no_start_line(fake):
    parts = fake.plot(backend="none", window=slice(None, 2015), panels=("path",)).viz.children
    assert "start" not in parts


@pytest.mark.parametrize("window", [slice(1900, 1901), slice(2020, 2020), (2000, 2010), 2020])
def test_a_window_without_times_is_refused(fake, window):
    with pytest.raises(OptionError, match="O042"):
        fake.plot(backend="none", window=window)


@pytest.mark.parametrize("backend", ["none", *DRAWN])
def test_donors_can_be_left_out_of_picture_and_legend(fake, backend):
    canvas = fake.plot(backend=backend, donors=False)
    assert "donors" not in canvas.viz.children
    assert "donors" not in legend_labels(canvas)


def test_the_average_effect_is_a_line_over_the_post_period(fake):
    line = fake.plot(backend="none").viz["average"]["effect"].item()
    assert list(line["x"]) == [fake.panel.post[0], fake.panel.post[-1]]
    np.testing.assert_allclose(line["y"], float(fake.effect("average").draws.median()))


# labels from data


@pytest.mark.parametrize("backend", DRAWN)
@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
def test_dollars_and_braces_in_labels_are_letters(long_names, plot, backend, tmp_path):
    canvas = getattr(long_names, plot)(backend=backend)
    canvas.savefig(tmp_path / f"f.{'png' if backend == 'matplotlib' else 'html'}")


@pytest.mark.parametrize(
    ("backend", "text", "expected"),
    [
        ("matplotlib", "rev_$ vs cost_$", r"rev_\$ vs cost_\$"),
        ("plotly", "<b> $x$", "&lt;b&gt; &#36;x&#36;"),
        ("bokeh", "$$x$$", "$\u2060$x$\u2060$"),
        ("none", "a\t b\nc", "a b\nc"),
    ],
)
def test_no_letter_of_a_label_is_markup(backend, text, expected):
    assert plain(text, backend) == expected


def test_names_that_begin_alike_stay_apart_when_they_are_cut():
    names = [f"The same long beginning of a name, region {i} (north)" for i in range(12)]
    short = shortened_apart(names, 28)
    assert len(set(short)) == 12
    assert max(map(len, short)) <= 28


@pytest.mark.parametrize("size", ["screen", "slide", "paper"])
@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
def test_no_title_is_cut_at_the_edge_with_long_names(long_names, plot, size):
    figure = getattr(long_names, plot)(backend="matplotlib", size=size).viz["figure"].item()
    figure.canvas.draw()
    boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    page = figure.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in boxes)


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        ([0, 31, 60], ["Jan\n2024", "Feb", "Mar"]),
        ([0, 7, 14], ["1 Jan\n2024", "8 Jan", "15 Jan"]),
        ([-31, 0, 31], ["Dec\n2023", "Jan\n2024", "Feb"]),
        ([0, 366, 731], ["2024", "2025", "2026"]),
        ([0, 0.5], ["00:00\n1 Jan 2024", "12:00"]),
    ],
)
def test_labels_of_dates_say_the_year_where_it_changes(days, labels):
    first = mpl.dates.date2num(pd.Timestamp("2024-01-01"))
    assert DateLabels().format_ticks([first + day for day in days]) == labels


def test_a_page_of_bokeh_needs_no_network(fake, tmp_path):
    fake.plot(backend="bokeh").savefig(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "cdn.bokeh.org" not in page.split("<body")[0].replace("https://cdn.bokeh.org/bokeh/", "")
    assert "src=" not in page.split("<body")[0]


# placebos and forests


@pytest.mark.parametrize("backend", ["none", *DRAWN])
def test_placebos_have_gaps_and_ratios(calibrated, backend):
    canvas = plot_placebos(calibrated, backend=backend)
    assert tuple(canvas.viz["plot"].to_dataset()) == ("gaps", "ratios")
    assert legend_labels(canvas) == ["treated", "6 donors as if treated"]


def test_the_gaps_of_placebos_are_those_of_the_calibration(calibrated):
    viz = plot_placebos(calibrated, backend="none").viz
    lines = viz["lines"]["gaps"].item()["y"].astype(float)
    assert np.isnan(lines).sum() == len(calibrated.calibration.gaps)


def test_donors_that_fit_worse_can_be_left_out(calibrated):
    canvas = plot_placebos(calibrated, backend="none", within=1e-6)
    words = " ".join(titles(canvas).split())
    assert "6 donors that fit worse before the start left out" in words


@pytest.mark.parametrize("within", [0, -1])
def test_a_bound_that_is_not_positive_is_refused(calibrated, within):
    with pytest.raises(OptionError, match="O044"):
        plot_placebos(calibrated, backend="none", within=within)


def test_a_fit_without_refits_of_donors_is_sent_to_the_check(fake):
    with pytest.raises(OptionError, match=r"O045.*placebo_in_space"):
        plot_placebos(fake, backend="none")


@pytest.mark.parametrize("backend", ["none", *DRAWN])
def test_effects_of_several_fits_stand_side_by_side(fake, dated, backend):
    canvas = plot_effects({"years": fake, "days": dated}, backend=backend)
    assert canvas.backend == backend


@pytest.mark.parametrize(("estimand", "factor"), [("average", 1), ("relative", 100)])
def test_a_row_is_median_and_interval_of_its_fit(fake, dated, estimand, factor):
    viz = plot_effects({"a": fake, "b": dated}, estimand, backend="none", ci_prob=0.8).viz
    ends = viz["interval"]["effect"].item()["x"].reshape(-1, 3)[:, :2]
    expected = [factor * fit.effect(estimand).interval(0.8).to_numpy() for fit in (fake, dated)]
    np.testing.assert_allclose(ends, expected)
    medians = [factor * float(fit.effect(estimand).draws.median()) for fit in (fake, dated)]
    np.testing.assert_allclose(viz["median"]["effect"].item()["x"], medians)


def test_a_row_says_what_alarms_about_its_fit(fake, calibrated):
    name = "a long name of a region that is cut before its alarms are"
    fits = {"a": calibrated, "b": fake, name: fake_fit(divergences=100)}
    labels = recorded(plot_effects(fits, backend="none"), "yticks")[0]["labels"]
    assert labels[:2] == ["a", "b (A004)"]
    assert labels[2].startswith("a long name")
    assert labels[2].endswith(" (not converged, A004)")


@pytest.mark.parametrize("plot", ["plot", "plot_effect", "plot_weights"])
@pytest.mark.parametrize("title", [None, ""])
def test_no_figure_hides_an_alarm(fake, calibrated, plot, title):
    written = recorded(getattr(fake, plot)(backend="none", title=title), "title")[0]
    assert written["string"].startswith("ALARM A004: see fit.alarms")
    assert written["color"] == "red"
    quiet = recorded(getattr(calibrated, plot)(backend="none"), "title")[0]
    assert "ALARM" not in quiet["string"]


@pytest.mark.parametrize("fits", [{}, [], None], ids=str)
def test_no_fits_are_refused(fits):
    with pytest.raises(OptionError, match="O043"):
        plot_effects(fits, backend="none")


def test_a_path_is_no_row(fake):
    with pytest.raises(ResultError, match="R005"):
        plot_effects({"a": fake}, "pointwise", backend="none")
