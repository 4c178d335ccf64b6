"""Any label is drawn as it is, in every figure and on every page."""

import html
import re

import pytest

import bayes_synth as bs
from bayes_synth.plots import PLOTS
from bayes_synth.plots.shipped import every_plot
from bayes_synth.testing import fake_fit, fake_panel
from bayes_synth.words import as_drawn

LABELS = {
    "two dollars": "rev_$ vs cost_$",
    "no formula": r"$ per user_{eu} $ \alpha $",
    "markup": "<b>Q&A</b> <br> 100 %",
    "bokeh's mathematics": r"$$x$$ and \(y\) and \[z\]",
    "braces": "{unit} %s {0}",
    "a line break": "sales\nper day",
}


def fit_with(label: str) -> bs.Fit:
    panel = fake_panel(effect=3.0)
    table = panel.outcomes.to_pandas().rename_axis(index=None, columns=None)
    table = table.rename(columns={panel.donors[0]: f"donor {label}", panel.treated[0]: label})
    return fake_fit(
        panel=bs.Panel.from_wide(
            table.rename_axis(f"time {label}"),
            treated=label,
            start=panel.start,
            time=f"time {label}",
            outcome=label,
        )
    )


def words(canvas) -> str:
    """Every text of a figure, as its reader sees it."""
    figure = canvas.viz["figure"].item()
    if canvas.backend == "matplotlib":
        from matplotlib.text import Text

        figure.canvas.draw()
        return " ".join(text.get_text().replace(r"\$", "$") for text in figure.findobj(Text))
    if canvas.backend == "plotly":
        layout = figure.to_dict()["layout"]
        axes = [axis for key, axis in layout.items() if key.startswith(("xaxis", "yaxis"))]
        found = [note["text"] for note in layout.get("annotations", ())]
        found += [axis["title"]["text"] for axis in axes if "title" in axis]
        found += [label for axis in axes for label in axis.get("ticktext", ())]
        return html.unescape(" ".join(found).replace("<br>", " "))
    from bokeh.models import Axis, Title

    found = [title.text for title in figure.select({"type": Title})]
    for axis in figure.select({"type": Axis}):
        found += [axis.axis_label or "", *axis.major_label_overrides.values()]
    return " ".join(map(str, found)).replace("\u2060", "")


@pytest.mark.long
@pytest.mark.parametrize("backend", ["matplotlib", "plotly", "bokeh"])
@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_a_label_is_drawn_as_it_is(label, backend):
    pytest.importorskip(backend)
    fit = fit_with(label)
    short = " ".join(label.split())[:20]
    drawn = [
        " ".join(words(plot.draw(fit, backend=backend)).split())
        for plot in every_plot()
        if plot.needs(fit)
    ]
    assert any(short in text for text in drawn)


@pytest.mark.long
@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_a_label_is_on_every_page_as_it_is(label):
    fit = fit_with(label)
    pages = {kind: fit.report(kind) for kind in ("text", "markdown", "html")}
    assert "<b>Q&A</b>" not in pages["html"] + pages["markdown"]
    assert " ".join(label.split())[:20] in pages["text"]
    assert pages["text"].splitlines()[1] == "=" * len(pages["text"].splitlines()[0])


def test_each_backend_escapes_its_own_marks():
    assert as_drawn("$a$", "matplotlib") == r"\$a\$"
    assert as_drawn("<b>$a$ & b", "plotly") == "&lt;b&gt;&#36;a&#36; &amp; b"
    assert as_drawn("$$a$$", "bokeh") == "$\u2060$a$\u2060$"
    assert as_drawn("$a$ <b>", "none") == "$a$ <b>"


WRITTEN = re.compile(
    r"(?<!\])\.(?:title|[xy]label|[xy]ticks|text|annotate|suptitle|set_\w*label)\("
)


def test_every_text_of_a_figure_is_written_by_the_functions_that_escape():
    """A title or a label that is given to a backend directly would be drawn as a formula."""
    from pathlib import Path

    root = Path(bs.__file__).parent
    files = [*root.glob("plots/*.py"), *root.glob("checks/**/*.py")]
    assert [f.name for f in files if WRITTEN.search(f.read_text())] == ["text.py"]
    assert "plain(entry.label" in (root / "plots" / "legend.py").read_text()
    assert len(PLOTS) >= 3


ROLES = {
    "the time": ("time", ["period", "observed", "effect_median", "donor"]),
    "the outcome": ("outcome", ["effect", "counterfactual", "time", "donor"]),
    "the unit": ("unit", ["time", "period", "treated", "outcome"]),
}


@pytest.mark.long
@pytest.mark.parametrize(("role", "names"), ROLES.values(), ids=ROLES.keys())
def test_columns_may_be_called_like_ours(role, names, tmp_path):
    panel = fake_panel(effect=3.0)
    table = panel.outcomes.to_pandas().rename_axis(index="when", columns="who").stack()
    long = table.rename("what").reset_index()
    for name in names:
        roles = {"time": "when", "unit": "who", "outcome": "what"}
        renamed = long.rename(columns={roles[role]: name})
        roles[role] = name
        made = bs.Panel.from_long(renamed, **roles, treated=panel.treated, start=panel.start)
        fit = fake_fit(panel=made, draws=50)
        assert fit.to_frame().reset_index().columns.is_unique
        assert "average" in fit.summary().index
        fit.plot(backend="none")
    fit.save(tmp_path / "named.nc")
    assert bs.load(tmp_path / "named.nc").panel == made
