"""Every registered plot: in the report with its alternative text, and drawn on every backend."""

import html
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from arviz_plots import PlotCollection

from bayes_synth.data.predictors import PredictorTable
from bayes_synth.plots import PLOTS, every_plot, plot
from bayes_synth.report.render import report
from bayes_synth.testing import fake_fit, fake_panel

BACKENDS = ("none", "matplotlib", "plotly", "bokeh")

mpl.use("agg")


@pytest.fixture(scope="module")
def fake():
    """A fit whose panel has predictors, so that it has what every plot needs."""
    panel = fake_panel()
    numbers = np.random.default_rng(1).standard_normal((2, 1, panel.outcomes.sizes["unit"]))
    units = panel.outcomes["unit"].to_numpy()
    coords = {"predictor": ["income", "age"], "time": panel.times[:1], "unit": units}
    known = PredictorTable(xr.DataArray(numbers, dims=tuple(coords), coords=coords))
    return fake_fit(panel=replace(panel, predictors=known))


@pytest.fixture(params=["Donors", "No such section"])
def own(request):
    """A plot as a user would define it, forgotten after the test."""

    @plot("Own picture of {outcome} of {treated}.", section=request.param, place=0)
    def plot_own(fit, *, backend=None):
        data = xr.Dataset({"own": ("time", fit.panel.treated_outcome.to_numpy())})
        return PlotCollection.wrap(data, cols=["__variable__"], backend=backend)

    yield PLOTS["plot_own"]
    PLOTS.remove("plot_own")


def section_of(page, text):
    """The title of the section of an HTML page that holds a text."""
    (part,) = [part for part in page.split("<section") if text in part]
    return part.split("<h2>")[1].split("</h2>")[0]


@pytest.mark.long
def test_a_plot_of_ones_own_is_in_the_html_report_with_its_alternative_text(own, fake):
    page = report(fake, "html")
    expected = {"Donors": "Donors"}.get(own.section, "How this was made")
    assert section_of(page, "alt='Own picture of sales of treated.'") == expected
    assert page.count("<img") == len(every_plot())


def test_a_plot_of_ones_own_is_drawn_in_the_order_of_its_place(own):
    assert every_plot()[0] is own


def test_our_plots_are_in_the_html_report_with_their_alternative_text(fake):
    page = report(fake, "html")
    for each in every_plot():
        assert section_of(page, html.escape(each.shows(fake), quote=True)) == each.section


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [each.name for each in every_plot()])
def test_every_registered_plot_draws_on_every_backend(name, backend, fake):
    canvas = PLOTS[name].draw(fake, backend=backend)
    assert isinstance(canvas, PlotCollection)
    assert canvas.backend == backend


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_plot_of_ones_own_draws_on_every_backend(own, backend, fake):
    assert own.draw(fake, backend=backend).backend == backend


def test_the_alternative_text_names_outcome_and_treated_unit(fake):
    assert all("{" not in each.shows(fake) for each in every_plot())
