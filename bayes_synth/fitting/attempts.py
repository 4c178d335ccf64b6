"""Try, judge, try once more: the one policy of fits, batches, placebos and checks.

Fits and batches ask :func:`mendable` whether a second attempt may help; a refit is repeated when it
has not settled (:mod:`bayes_synth.fitting.refit`).
"""

from collections.abc import Callable
from typing import NamedTuple

from bayes_synth.errors import SamplingFailed
from bayes_synth.results.convergence import Convergence, Standard
from bayes_synth.results.record import Attempt
from bayes_synth.sampling.settings import Settings

__all__ = ["Judged", "Settled", "mendable", "settle"]


class Judged[T](NamedTuple):
    """Hold one attempt and the verdict on it.

    ``problems`` says what is wrong, one sentence each; ``divergences`` counts the transitions that
    diverged; ``again`` tells whether another attempt may mend it.
    """

    value: T
    settings: Settings
    problems: tuple[str, ...]
    divergences: int
    again: bool

    @property
    def trouble(self) -> tuple[int, float]:
        """Return what attempts are compared by: problems, then the share of divergences.

        Nothing of the effect is part of it.
        """
        return len(self.problems), self.divergences / self.settings.size.total


class Settled[T](NamedTuple):
    """Hold every attempt and the one to keep.

    ``unfinished`` says what became of a second one that did not finish; empty when it did.
    """

    tried: tuple[Judged[T], ...]
    best: Judged[T]
    unfinished: str = ""

    @property
    def record(self) -> tuple[Attempt, ...]:
        """Record the attempts in plain values."""
        return tuple(
            Attempt(
                attempt.settings.size.target_accept,
                attempt.settings.size.tune,
                attempt.problems,
                attempt.divergences,
                kept=attempt is self.best,
            )
            for attempt in self.tried
        )


def settle[T](
    run: Callable[[Settings], Judged[T]],
    settings: Settings,
    again: Callable[[Settings], Settings],
    *,
    keep_interrupted: bool = False,
) -> Settled[T]:
    """Make an attempt and, where another may mend it, a second, and keep the better one.

    Of equal attempts the second is kept. A second one in which sampling fails leaves the first.

    Parameters
    ----------
    run
        Makes and judges an attempt.
    settings
        How the first one is sampled.
    again
        Turns them into those of the second.
    keep_interrupted
        Whether an interrupt of the second attempt leaves the first.

    Raises
    ------
    KeyboardInterrupt
        When the first attempt is interrupted, or the second unless ``keep_interrupted``.
    SamplingFailed
        When sampling fails in the first attempt.
    """
    first, unfinished = run(settings), ""
    tried = [first]
    if first.again:
        try:
            tried.append(run(again(settings)))
        except KeyboardInterrupt:
            if not keep_interrupted:
                raise
            unfinished = "second attempt interrupted, the first is kept"
        except SamplingFailed as error:
            unfinished = f"second attempt failed, the first is kept ({error.code})"
    best = min(reversed(tried), key=lambda attempt: attempt.trouble)
    return Settled(tuple(tried), best, unfinished)


def mendable(verdict: Convergence, standard: Standard, draws: int, sampler: str) -> bool:
    """Tell whether stricter settings may mend a fit.

    Steps that were in trouble may be made smaller. Draws that mix slowly may be swept more often
    by slices, unless they are simply too few. An interrupted attempt is not repeated.

    Parameters
    ----------
    verdict, standard
        What is wrong, and what would pass as converged.
    draws
        Draws of all chains together.
    sampler
        Name of the sampler.
    """
    mixing = bool(verdict.problems) and sampler == "slice" and standard.enough(draws)
    return (verdict.steps or mixing) and not verdict.partial
