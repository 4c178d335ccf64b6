"""Aggregate the joint posterior: which average, of which units, over which cells.

Three averages differ: a unit counts once, a cell counts once, or units count by weights of the
user. Sums add up cells.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from bayes_synth.errors import ResultError
from bayes_synth.results.effects import Effect
from bayes_synth.results.estimands import SIGN_CHANGES
from bayes_synth.study.cells import (
    By,
    Cells,
    Level,
    adding,
    averaging,
    combined,
    labelled,
    running,
)
from bayes_synth.words import listed

__all__ = ["ESTIMANDS", "Weights", "aggregate", "contrast", "in_words", "sizes_of", "until"]

ESTIMANDS = ("average", "total", "cumulative", "relative")
Weights = str | Mapping[Any, float]
"""``"unit"``, ``"cell"``, or a number per unit."""


def aggregate(
    cells: Mapping[str, Cells],
    estimand: str,
    by: By | None,
    weights: Weights,
    outcome: str,
) -> Effect:
    """Return the draws of one aggregate; see :meth:`bayes_synth.JointFit.effect`.

    Raises
    ------
    ResultError
        R050 for an unknown estimand or ``by``, or for a running total by unit or start, R051 for
        weights that cannot be used or leave a level without a unit, R004 when a relative effect
        means nothing.
    """
    by = _asked(estimand, by)
    sizes = sizes_of(weights, list(cells))
    if estimand == "average":
        size = None if weights == "cell" else sizes
        levels = averaging(cells, by, size)
    else:
        levels = adding(cells, by, None if isinstance(weights, str) else sizes)
    values = combined(cells, levels, "effect")
    if estimand == "cumulative":
        values, levels = np.cumsum(values, axis=-1), running(levels)
    if estimand == "relative":
        values = _ratio(values, combined(cells, levels, "counterfactual"), levels)
    draws = labelled(values, levels, by)
    return Effect(draws, estimand, _measure(estimand, weights, len(cells), outcome))


def contrast(
    cells: Mapping[str, Cells],
    groups: tuple[Sequence[str], Sequence[str]],
    weights: Weights,
    outcome: str,
) -> Effect:
    """Return the difference of the averages of two groups of units.

    Raises
    ------
    ResultError
        R053 for empty groups, or for a unit in both.
    """
    both = sorted({*groups[0]} & {*groups[1]})
    if both or not all(groups):
        got = f"{listed(both)} in both" if both else "a group without units"
        raise ResultError(
            "R053", f"contrast must have two groups of different treated units, got {got}."
        )
    parts = [
        aggregate({unit: cells[unit] for unit in group}, "average", None, weights, outcome)
        for group in groups
    ]
    names = [listed(group, 3) for group in groups]
    draws = parts[0].draws - parts[1].draws
    measure = f"{outcome} per period"
    return Effect(draws, "average", measure, f"average of {names[0]} minus {names[1]}")


def until(cells: Mapping[str, Cells], balanced: int | None) -> dict[str, Cells]:
    """Keep units that have an outcome at every event time up to ``balanced``, and these cells.

    Raises
    ------
    ResultError
        R052 unless it is a whole number that at least one unit reaches.
    """
    if balanced is None:
        return dict(cells)
    whole = isinstance(balanced, (int, np.integer)) and not isinstance(balanced, bool)
    kept = {u: part for u, each in cells.items() if whole and (part := each.until(balanced))}
    if not whole or balanced < 0 or not kept:
        longest = max(each.count for each in cells.values()) - 1
        raise ResultError(
            "R052",
            "balanced must be an event time that some unit reaches without a missing outcome, from "
            f"0 to {longest} at most, got {balanced!r}.",
        )
    return kept


def sizes_of(weights: Weights, units: Sequence[str]) -> dict[str, float]:
    """Return the weight of each unit.

    Raises
    ------
    ResultError
        R051 for an unknown word, and for numbers that are missing, negative or not finite.
    """
    if isinstance(weights, str):
        if weights not in ("unit", "cell"):
            raise ResultError(
                "R051",
                f'weights must be "unit" (each treated unit counts once), "cell" (each treated '
                f"period of a unit counts once) or a number per unit, got {weights!r}.",
            )
        return dict.fromkeys(units, 1.0)
    given = {str(unit): number for unit, number in dict(weights).items()}
    absent = [unit for unit in units if unit not in given]
    if absent:
        raise ResultError(
            "R051", f"weights must name every treated unit, got none for {listed(absent)}."
        )
    numbers = {unit: float(given[unit]) for unit in units}
    odd = [u for u, number in numbers.items() if not (np.isfinite(number) and number >= 0)]
    if odd or sum(numbers.values()) == 0:
        raise ResultError(
            "R051",
            "weights must be finite, not negative and not all zero, got "
            f"{listed(f'{u}: {numbers[u]:g}' for u in odd or units)}.",
        )
    return numbers


def in_words(weights: Weights, units: int) -> str:
    """Say which average it is."""
    if not isinstance(weights, str):
        return f"mean of {units} units by given weights"
    if weights == "unit":
        return f"mean of {units} units, each once"
    return f"mean of the treated cells of {units} units, each once"


def _asked(estimand: str, by: Any) -> Any:
    """Return the dim of the result; a running total is a path over event time unless asked."""
    if estimand not in ESTIMANDS:
        raise ResultError(
            "R050",
            f"a study's effect must be one of {listed(ESTIMANDS)}, got {estimand!r}; other "
            "estimands are answered per unit: joint.fits[unit].effect(...).",
        )
    if by is not None and by not in get_args(By):
        raise ResultError("R050", f"by must be None or one of {listed(get_args(By))}, got {by!r}.")
    if estimand == "cumulative" and by in ("treated", "start"):
        raise ResultError(
            "R050",
            f'a running total must go by "event" or "time", got by={by!r}; for one unit or some, '
            "use joint.fits[unit], or joint.keep([...]).",
        )
    return "event" if estimand == "cumulative" and by is None else by


def _ratio(effect: np.ndarray, counterfactual: np.ndarray, levels: Sequence[Level]) -> np.ndarray:
    """Divide totals by the size of the total counterfactual, where this has one sign."""
    share = np.minimum((counterfactual <= 0).mean((0, 1)), (counterfactual >= 0).mean((0, 1)))
    odd = [str(level.label) for level, s in zip(levels, share, strict=True) if s > SIGN_CHANGES]
    if odd:
        where = "" if odd == ["None"] else f" at {listed(odd)}"
        raise ResultError(
            "R004",
            "the counterfactual total must have one sign to be a denominator, got both in "
            f"{share.max():.1%} of the draws{where}; use the average or the total effect.",
        )
    return np.asarray(effect / np.abs(counterfactual))


def _measure(estimand: str, weights: Weights, units: int, outcome: str) -> str:
    """Say what the draws are measured in, and of what they are the mean or the sum."""
    if estimand == "relative":
        return ""
    if estimand == "average":
        return f"{outcome} per period ({in_words(weights, units)})"
    weighted = "" if isinstance(weights, str) else " times their weights"
    return f"{outcome} (sum of {units} units{weighted})"
