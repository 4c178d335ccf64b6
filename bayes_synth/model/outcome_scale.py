"""The scale on which outcomes are modelled: as they are, or as logarithms.

Results are always in outcome units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayes_synth.errors import OptionError, PanelError
from bayes_synth.words import listed, suggestion

__all__ = ["AUTO", "SCALES", "OutcomeScale", "outcome_scale"]


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
    """

    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]
    prefix: str = ""
    least: float = -np.inf

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
            V013 for outcomes that have no logarithm.
        """
        low = (outcomes <= self.least).sum(0)
        donors = [f"{name} ({n})" for name, n in zip(labels, low.tolist(), strict=True) if n]
        if donors:
            raise PanelError(
                "V013",
                f"{len(donors)} donors have outcomes of zero or less (periods in brackets), which "
                f"have no logarithm: {listed(donors)}.\n"
                "  Drop them with panel.drop([...]) or use scale='linear'.",
            )
        if before := int((treated <= self.least).sum()):
            raise PanelError(
                "V013",
                f"the treated unit has outcomes of zero or less in {before} pre-periods, which "
                "have no logarithm: use scale='linear'.",
            )


def _same(values: Any) -> Any:
    return values


SCALES = {
    "linear": OutcomeScale(_same, _same, np.zeros_like),
    "log": OutcomeScale(np.log, np.exp, lambda values: -np.log(values), "log ", 0.0),
}


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
            'here, pass "linear" or "log".',
        )
    if name not in SCALES:
        raise OptionError(
            "O001", f"scale={name!r} is unknown. {suggestion(str(name), (*SCALES, AUTO))}"
        )
    return SCALES[name]
