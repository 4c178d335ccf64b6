"""After the test: make its panel as it was planned, and hold the plan to what it promised."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_synth.data.history import AbstractHistory
from bayes_synth.data.panel import Panel
from bayes_synth.data.times import first_treated
from bayes_synth.errors import PlanError
from bayes_synth.planning.answers import POWER
from bayes_synth.planning.operating import Law, Window
from bayes_synth.planning.request import require_history
from bayes_synth.words import listed, short

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan
    from bayes_synth.results.answers import AbstractFit

__all__ = ["compared", "planned_panel", "window_of_fit"]


def planned_panel(plan: "AbstractPlan", data: Any, start: Any) -> Panel:
    """Make the panel of the test; see :meth:`bayes_synth.Plan.panel`."""
    require_history(data)
    wanted = sorted({*plan.treated, *plan.donors})
    if absent := [unit for unit in wanted if unit not in data.units]:
        raise PlanError(
            "H015",
            f"the data must hold every unit that was planned, {len(absent)} are gone: "
            f"{listed(absent)}. Plan again without them.",
        )
    _require_continued(plan, data, wanted)
    last, first = plan.history.times[-1], first_treated(start, data.times, data.zone)
    if first <= last:
        raise PlanError(
            "H016",
            f"start must lie after the history that was planned on, which ends at {short(last)}, "
            f"got {short(first)}: a window that was looked at for planning is no test.",
        )
    outcomes = data.outcomes.sel(unit=wanted)
    missing = outcomes.sel(unit=list(plan.donors)).isnull().any("time")
    if bool(missing.any()):
        lost = [unit for unit, m in zip(plan.donors, missing.to_numpy(), strict=True) if m]
        raise PlanError("H015", f"planned donors have missing outcomes: {listed(lost)}.")
    names = data.unit, data.time, data.outcome
    return Panel(outcomes, plan.treated, first, *names, zone=data.zone)


def _require_continued(plan: "AbstractPlan", data: AbstractHistory, units: list[str]) -> None:
    """Refuse data in which the planned history is absent or has changed."""
    past = plan.history.outcomes.sel(unit=units)
    lost = plan.history.times.difference(data.times)
    if len(lost):
        text = f"the data must begin with the history that was planned on, {len(lost)} times of it"
        raise PlanError("H015", f"{text} are gone: {listed(map(short, lost))}.")
    now = data.outcomes.sel(unit=units, time=past["time"].to_numpy()).to_numpy()
    then = past.to_numpy()
    changed = ~np.isclose(now, then, rtol=1e-12, atol=0, equal_nan=True)
    if changed.any():
        row, column = np.argwhere(changed)[0]
        where = f"{units[column]} at {short(past.indexes['time'][row])}"
        text = f"{int(changed.sum())} outcomes of the planned history have changed, first {where}"
        back = bool((np.isnan(then) & changed).any())
        cure = "leave out with data.exclude(...) what was left out then, or " if back else ""
        raise PlanError("H015", f"{text}: {cure}plan again on the revised data.")


def window_of_fit(fit: "AbstractFit") -> Window:
    """Return the window of the test itself, over the periods in which it has an outcome."""
    seen = fit.panel.treated_outcome.sel(time=fit.panel.post.to_numpy())
    seen = seen[seen.notnull().to_numpy()]
    average = fit.counterfactual.sel(time=seen["time"].to_numpy()).mean("time")
    return Window(average.transpose("chain", "draw").to_numpy().ravel(), float(seen.mean()))


def compared(plan: "AbstractPlan", fit: "AbstractFit") -> pd.DataFrame:
    """Compare promise and delivery; see :meth:`bayes_synth.Plan.compare`."""
    panel = fit.panel
    if plan.treated != tuple(sorted(panel.treated)):
        raise PlanError(
            "H017",
            f"the fit must be of the planned units, {listed(plan.treated)}, "
            f"got {listed(panel.treated)}.",
        )
    length = min(plan.periods, key=lambda p: abs(p - len(panel.post)))
    law = plan.law(length)
    real = Law([window_of_fit(fit)], plan.rule, plan.additive)
    (width, share), (wide, part) = law.width(plan.ci_prob), real.width(plan.ci_prob)
    kappa = fit.calibration.kappa
    rows = {
        "periods": (length, len(panel.post)),
        "pre_periods": (float(plan.pretend_tests["pre"].max()), len(panel.pre)),
        "donors": (len(plan.donors), len(panel.donors)),
        "width": (width, wide),
        "width_share": (share, part),
        "detectable_up": (law.detectable(POWER), real.detectable(POWER)),
        "kappa": (
            float(plan.pretend_tests.query("periods == @length")["kappa"].mean()),
            float(kappa.mean()) if kappa is not None else np.nan,
        ),
    }
    table = pd.DataFrame(rows, index=["promised", "delivered"]).T.rename_axis("quantity")
    table.attrs = {
        "donors_gone": sorted({*plan.donors} - {*panel.donors}),
        "donors_new": sorted({*panel.donors} - {*plan.donors}),
    }
    return table
