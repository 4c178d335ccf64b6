"""Write an effect as the row that a marketing-mix model of pymc-marketing learns from."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_synth.errors import ResultError

if TYPE_CHECKING:
    from bayes_synth.results.answers import AbstractFit

__all__ = ["lift_row", "lift_test", "spread_of"]


def lift_test(fit: "AbstractFit", channel: str, x: float, delta_x: float) -> pd.DataFrame:
    """Return the row of a fit; see :meth:`bayes_synth.Fit.lift_test`."""
    total = fit.effect("total").draws.to_numpy().ravel()
    periods = int(fit.panel.post.difference(fit.panel.missing_times).size)
    draws = total / periods
    return lift_row(channel, x, delta_x, float(np.median(draws)), spread_of(draws))


def spread_of(draws: np.ndarray) -> float:
    """Return half the width of the central 68.27 % of draws: the sd of a normal with these tails.

    Calibrated draws have the tails of a Student-t, whose sd may not exist.
    """
    low, high = np.quantile(draws, [0.15865, 0.84135])
    return float(high - low) / 2


def lift_row(channel: str, x: float, delta_x: float, delta_y: float, sigma: float) -> pd.DataFrame:
    """Return one row, and refuse one that the model would.

    Raises
    ------
    ResultError
        R060 for a change of spend of zero, or an effect of the other sign.
    """
    if not np.isfinite(delta_x) or delta_x == 0:
        raise ResultError(
            "R060", f"delta_x must be a change of spend other than 0, got {delta_x!r}."
        )
    if delta_x * delta_y < 0:
        raise ResultError(
            "R060",
            f"the effect, {delta_y:,.4g} (sigma {sigma:,.4g}), has not the sign of delta_x, "
            f"{delta_x:,.4g}: pymc-marketing refuses such a row, because its curves only rise with "
            "spend. Leave the test out or let another prior into the model, and say so: dropping "
            "only the tests that came out so makes a channel look better than it is.",
        )
    row = {"channel": channel, "x": x, "delta_x": delta_x, "delta_y": delta_y, "sigma": sigma}
    return pd.DataFrame([row])
