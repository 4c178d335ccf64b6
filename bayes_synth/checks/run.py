"""Every check of a fit, in the order in which one would ask."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from bayes_synth.checks.anticipation import anticipation
from bayes_synth.checks.backdating import backdating
from bayes_synth.checks.bar import shared_bar
from bayes_synth.checks.concentration import concentration
from bayes_synth.checks.convex_hull import convex_hull
from bayes_synth.checks.detectable import detectable
from bayes_synth.checks.fit_quality import fit_quality
from bayes_synth.checks.hidden_bias import hidden_bias
from bayes_synth.checks.leave_one_out import leave_one_out
from bayes_synth.checks.likeness import likeness
from bayes_synth.checks.overfitting import overfitting
from bayes_synth.checks.placebo_in_space import placebo_in_space
from bayes_synth.checks.prior_sensitivity import prior_sensitivity
from bayes_synth.checks.result import Check, Checks, not_applicable
from bayes_synth.checks.screen import screen
from bayes_synth.checks.spillover import spillover
from bayes_synth.errors import ConvergenceWarning, PriorError, listed, suggestion
from bayes_synth.fit import Fit

__all__ = ["ALL", "run"]

ALL: dict[str, Callable[..., Check]] = {
    "fit_quality": fit_quality,
    "overfitting": overfitting,
    "convex_hull": convex_hull,
    "likeness": likeness,
    "screen": lambda fit: screen(fit.panel),
    "concentration": concentration,
    "leave_one_out": leave_one_out,
    "backdating": backdating,
    "placebo_in_space": placebo_in_space,
    "anticipation": anticipation,
    "spillover": spillover,
    "prior_sensitivity": prior_sensitivity,
    "detectable": detectable,
    "hidden_bias": hidden_bias,
}
"""Checks by name; those in ``REFITTING`` also take ``random_seed`` and ``progressbar``."""

REFITTING: frozenset[str] = frozenset(
    {"leave_one_out", "backdating", "placebo_in_space", "anticipation", "spillover", "prior_sensitivity"}
)


def run(fit: Fit, *, only: Sequence[str] | None = None, random_seed: int = 0, progressbar: bool = True) -> Checks:
    """Ask every question about a fit.

    Parameters
    ----------
    fit
        The fit.
    only
        Names of the checks to run; None for all.
    random_seed, progressbar
        Of the refits, as in :meth:`bayes_synth.SyntheticControl.fit`.

    Raises
    ------
    PriorError
        O001 for an unknown check.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C): the checks that were ready, the last with the refits that were, are handed back,
        the others as not applicable.
    """
    for name in only or ():
        if name not in ALL:
            raise PriorError("O001", f"there is no check {name!r}. {suggestion(name, tuple(ALL))}")
    options: dict[str, Any] = {"random_seed": random_seed, "progressbar": progressbar}
    asked, done = tuple(only or ALL), []
    with shared_bar(shown=progressbar) as bar:
        for name in asked:
            try:
                done.append(ALL[name](fit, **(options if name in REFITTING else {})))
            except KeyboardInterrupt:
                bar.stopped = True
            if bar.stopped:
                break
    if left := asked[len(done) :]:
        warnings.warn(
            f"[S004] interrupted: {listed(left)} were not asked; run the checks again to go on with what is left to refit.",
            ConvergenceWarning,
            stacklevel=2,
        )
    unasked = (
        not_applicable(name, "Not asked", "Interrupted before it was asked; run the checks again.") for name in left
    )
    return Checks((*done, *unasked))
