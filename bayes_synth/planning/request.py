"""What a caller asks of a plan, checked before anything is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, final, runtime_checkable

import numpy as np

from bayes_synth.data.history import AbstractHistory, PlanOptions
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.planning.rules import AbstractRule, as_rule
from bayes_synth.planning.starts import past_starts, require_periods
from bayes_synth.planning.workers import Workers
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.words import listed, suggestion

__all__ = ["Prior", "Request", "checked_effect", "require_history", "require_options"]


@runtime_checkable
class Prior(Protocol):
    """A prior on an effect: any frozen distribution of SciPy has these methods."""

    def cdf(self, x: Any) -> Any:
        """Return the probability below ``x``."""

    def ppf(self, q: Any) -> Any:
        """Return the value below which lies probability ``q``."""


@final
@dataclass(frozen=True, eq=False)
class Request:
    """Hold a checked request.

    Parameters
    ----------
    treated, never
        Units that will be treated, and those that shall not be donors.
    periods
        Lengths of the test, the shortest first.
    starts
        Positions of the past starts.
    effects, prior
        The stated effects, and the prior on the effect if one was given.
    rule, additive
        How the test will be judged, and whether effects are in outcome units.
    settings
        How to sample.
    workers
        Where past starts are refitted and kept.
    """

    treated: tuple[str, ...]
    never: tuple[str, ...]
    periods: tuple[int, ...]
    starts: tuple[int, ...]
    effects: tuple[float, ...]
    prior: Prior | None
    rule: AbstractRule
    additive: bool
    settings: Settings
    workers: Workers

    @classmethod
    def checked(
        cls,
        history: AbstractHistory,
        treated: Any,
        periods: Any,
        effect: Any,
        rule: Any,
        random_seed: Any,
        options: PlanOptions,
    ) -> Self:
        """Check a request against the history.

        Raises
        ------
        PlanError
            H001 for units that the history has not, H006 for a rule that is none, H007 for an
            effect of zero or beyond -100 %, H009 for units that are treated and no donors at once
            or for nobody treated, H004 and H005 for lengths and starts, H011 for a history that
            ends inside an earlier test of these units.
        OptionError
            O061 for an unknown option, O001 for an unknown backend, O055 for one that cannot be
            used here, O009 and O010 as in a fit.
        """
        require_options(options)
        chosen = history.known(treated, "treated")
        never = history.known(options.get("never_donors"), "never_donors")
        _require_apart(chosen, never)
        lengths = require_periods(periods, len(history.times))
        additive = bool(options.get("additive", False))
        prior = effect if isinstance(effect, Prior) else None
        effects = checked_effect(effect, additive=additive)
        starts = past_starts(history, options.get("starts", "auto"), max(lengths))
        _require_untreated(history, chosen, starts, lengths, additive)
        settings = Settings.checked(
            Size(
                draws=options.get("draws", 500),
                tune=options.get("tune", 500),
                chains=options.get("chains", 2),
            ),
            sampler=options.get("sampler", "auto"),
            cores=options.get("cores"),
            random_seed=random_seed,
            progressbar=options.get("progressbar", True),
        )
        return cls(
            chosen,
            never,
            lengths,
            starts,
            effects,
            prior,
            as_rule(rule, additive=additive),
            additive,
            settings,
            Workers.checked(options),
        )


def require_options(options: PlanOptions) -> None:
    """Refuse an option that does not exist.

    Raises
    ------
    OptionError
        O061.
    """
    known = tuple(PlanOptions.__annotations__)
    for name in options:
        if name not in known:
            raise OptionError("O061", f"{name!r} is no option of a plan. {suggestion(name, known)}")


def require_history(history: Any) -> None:
    """Refuse a panel, or anything else that is not a history.

    Raises
    ------
    PlanError
        H008.
    """
    if not isinstance(history, AbstractHistory):
        got = type(history).__name__
        raise PlanError(
            "H008",
            f"history must be a bs.History, the data before any test, got {got}; "
            "build one with bs.History.from_long(...).",
        )


def checked_effect(effect: Any, *, additive: bool = False) -> tuple[float, ...]:
    """Return the stated effects as numbers; the median of a prior, and none for None.

    Raises
    ------
    PlanError
        H007.
    """
    if effect is None:
        return ()
    if isinstance(effect, Prior):
        effect = float(effect.ppf(0.5))
    given = [effect] if np.ndim(effect) == 0 else list(effect)
    for e in given:
        number = isinstance(e, (int, float, np.integer, np.floating)) and not isinstance(e, bool)
        if not number or not np.isfinite(e) or e == 0:
            raise PlanError("H007", f"effect must be numbers other than 0, or a prior, got {e!r}.")
        if not additive and not -1 < e < 1:
            hint = f"did you mean {e / 100:g}" if abs(e) < 100 else "pass additive=True"
            raise PlanError(
                "H007",
                f"effect must be a fraction between -1 and 1, such as 0.05 for 5 %, got {e:g}: "
                f"{hint}? In outcome units pass additive=True.",
            )
    return tuple(sorted({float(e) for e in given}, key=abs))


def _require_apart(treated: Sequence[str], never: Sequence[str]) -> None:
    """Refuse nobody treated, and a unit with two roles."""
    if not treated:
        raise PlanError("H009", "nobody is treated: name at least one unit with treated=...")
    if both := sorted({*treated} & {*never}):
        raise PlanError("H009", f"units are treated or no donors, not both: {listed(both)}.")


def _require_untreated(
    history: AbstractHistory,
    treated: tuple[str, ...],
    starts: Sequence[int],
    periods: Sequence[int],
    additive: bool,
) -> None:
    """Refuse a history without outcomes where the test would begin, and ratios to nothing."""
    series = history.series(treated)
    if np.isnan(series[-1]):
        raise PlanError(
            "H011",
            f"the history ends inside an earlier test, or without an outcome, of {listed(treated)}:"
            " wait until it is over, or cut the history before it.",
        )
    windows = [series[s : s + d] for s in starts for d in periods]
    if not additive and any(np.nanmean(w) <= 0 for w in windows if not np.isnan(w).all()):
        raise PlanError(
            "H010",
            f"the mean outcome of {listed(treated)} is zero or less in a past window, so that a "
            "share of it means nothing: pass additive=True and effects in outcome units.",
        )
