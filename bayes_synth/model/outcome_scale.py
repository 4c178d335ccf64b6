"""The scale on which outcomes are modelled: as they are, as logarithms or as square roots.

Results are always in outcome units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.errors import OptionError, PanelError
from bayes_synth.words import listed, suggestion

__all__ = ["AUTO", "COUNT", "SCALES", "OutcomeScale", "outcome_scale"]


@final
@dataclass(frozen=True)
class OutcomeScale:
    """How outcomes enter the model and how its results come back.

    Parameters
    ----------
    forward, back
        Maps from outcome units to the model's scale, and back, of numpy and xarray arrays alike.
    log_slope
        Log of the derivative of ``forward``, which turns a log density on the model's scale into
        one of outcomes.
    prefix
        Precedes the outcome's name where numbers are on the model's scale.
    least
        Bound that every outcome must exceed.
    plural, measure
        What the weights average, such as ``"logarithms"``, and what its numbers are in.
    """

    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]
    prefix: str = ""
    least: float = -np.inf
    plural: str = ""
    measure: str = ""

    def require_range(self, treated: np.ndarray, outcomes: np.ndarray, labels: list[str]) -> None:
        """Refuse outcomes that the scale cannot take.

        Parameters
        ----------
        treated
            The treated unit's pre-period, ``(pre,)``: after ``start`` only the counterfactual is on
            the model's scale.
        outcomes, labels
            The donors' outcomes, ``(time, donor)``, and their labels.

        Raises
        ------
        PanelError
            V013 for outcomes that have no logarithm, V050 for outcomes that have no square root.
        """
        low = (outcomes <= self.least).sum(0)
        donors = [f"{name} ({n})" for name, n in zip(labels, low.tolist(), strict=True) if n]
        if donors:
            rest = f"{listed(donors)}.\n  Drop them with panel.drop([...]) or use scale='linear'."
            raise self._refusal(f"{len(donors)} donors have", "(periods in brackets)", rest)
        if before := int((treated <= self.least).sum()):
            where = f"in {before} pre-periods"
            raise self._refusal("the treated unit has", where, "use scale='linear'.")

    def _refusal(self, who: str, where: str, rest: str) -> PanelError:
        """Say who has outcomes out of range, and what they lack."""
        if self.least < 0:
            negative = f"{who} outcomes below zero {where}, which have no square root: {rest}"
            return PanelError("V050", negative)
        low = f"{who} outcomes of zero or less {where}, which have no logarithm: {rest}"
        return PanelError("V013", low)


COUNT = 3 / 8
"""Added to counts before the root, which gives Poisson noise of any mean nearly one variance
(Anscombe 1948, Biometrika 35(3/4))."""


def _same(values: Any) -> Any:
    return values


SCALES = {
    "linear": OutcomeScale(_same, _same, np.zeros_like),
    "log": OutcomeScale(
        np.log, np.exp, lambda values: -np.log(values), "log ", 0.0, "logarithms", "log units"
    ),
    "sqrt": OutcomeScale(
        lambda values: np.sqrt(values + COUNT),
        lambda values: np.maximum(np.maximum(values, 0.0) ** 2 - COUNT, 0.0),
        lambda values: -np.log(2 * np.sqrt(values + COUNT)),
        "sqrt ",
        -np.finfo(float).smallest_subnormal,
        "square roots",
        "square-root units",
    ),
}
"""Every scale by name. A square root comes back as a square, never below zero."""


AUTO = "auto"
"""Stands for the scale that a fit chooses."""


def outcome_name(scale: str, outcome: str) -> str:
    """Return the outcome's name on the scale on which it is modelled."""
    return f"{outcome_scale(scale).prefix}{outcome}"


def outcome_scale(name: str) -> OutcomeScale:
    """Return the scale of this name.

    Raises
    ------
    OptionError
        O001 for an unknown name, O017 for ``"auto"``, which only a fit turns into a scale.
    """
    if name == AUTO:
        raise OptionError(
            "O017",
            'scale="auto" is chosen by fit(panel), and fit.model then names it; '
            'here, pass "linear", "log" or "sqrt".',
        )
    if name not in SCALES:
        raise OptionError(
            "O001", f"scale={name!r} is unknown. {suggestion(str(name), (*SCALES, AUTO))}"
        )
    return SCALES[name]
