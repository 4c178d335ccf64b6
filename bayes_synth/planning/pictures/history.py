"""Draw the history of the planned units, their synthetic, and the latest past window."""

from typing import TYPE_CHECKING, Unpack

import numpy as np

from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.planning.rules import Interval
from bayes_synth.plots.legend import Entry
from bayes_synth.words import listed, per_cent

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.planning.answers import AbstractPlan
    from bayes_synth.plots.look import PictureOptions

__all__ = ["plot_history"]


def plot_history(plan: "AbstractPlan", **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw it; see :meth:`bayes_synth.Plan.plot`."""
    path, length = plan.before.path, max(plan.periods)
    times = path.index.to_numpy()
    gap = (path["observed"] - path["synthetic"]).to_numpy()
    start = plan.counterfactual["start"].to_numpy()[-1]
    accent = {"color": "C0", "width": 2.0}
    paths = {
        "synthetic": Layer("line", times, path["synthetic"].to_numpy(), style=accent),
        "observed": Layer("line", times, path["observed"].to_numpy(), style={"color": "B1"}),
        "start": Layer("vertical", start),
    }
    panels = {
        "path": Axes(
            f"{listed(plan.treated, 4)} and synthetic before a test ({plan.fit_verdict.word} fit)",
            paths,
            "",
            plan.history.outcome,
            legend=[
                Entry("observed", "line", "B1"),
                Entry("synthetic", "line", "C0"),
                Entry(
                    f"interval of the average over the latest {length} periods", "band", "gray", 0.3
                ),
            ],
        ),
        "gap": Axes(
            f"Gap, and the {per_cent(plan.ci_prob)} interval of its average in the latest window",
            _gap_layers(plan, times, gap, start),
            plan.history.time,
            f"gap ({plan.history.outcome})",
        ),
    }
    return picture(panels, options, fit=None, height=300)


def _gap_layers(
    plan: "AbstractPlan", times: np.ndarray, gap: np.ndarray, start: object
) -> dict[str, Layer]:
    """Return the gap by time, and the interval of the latest window as a band."""
    window = plan.law(max(plan.periods)).windows[-1]
    low, high, _ = Interval(plan.ci_prob).region(window.draws)
    inside = times[times >= start][: max(plan.periods)]
    bottom, top = (np.full(len(inside), end - window.median) for end in (low, high))
    return {
        "window": Layer("band", inside, bottom, top, {"color": "gray", "alpha": 0.3}),
        "gap": Layer("line", times, gap, style={"color": "C0", "width": 1.6}),
        "zero": Layer("horizontal", y=0.0),
        "start": Layer("vertical", start),
    }
