"""Sample, judge, sample again: the one policy of fits, batches, placebos and checks."""

from collections.abc import Callable
from typing import NamedTuple

from bayes_synth.errors import SamplingFailed
from bayes_synth.results.convergence import Convergence, Standard
from bayes_synth.results.record import Attempt
from bayes_synth.sampling.settings import Settings

__all__ = ["Judged", "Settled", "mendable", "settle"]


class Judged[T](NamedTuple):
    """One attempt and the verdict on it.

    ``problems`` says what is wrong, one sentence each; ``divergent`` is the share of transitions that diverged; ``again``
    says whether another attempt may mend it.
    """

    value: T
    settings: Settings
    problems: tuple[str, ...]
    divergences: int
    again: bool

    @property
    def trouble(self) -> tuple[int, float]:
        """What attempts are compared by; nothing of the effect is among it."""
        return len(self.problems), self.divergences / self.settings.size.total


class Settled[T](NamedTuple):
    """Every attempt, the one to keep, and what became of a second one that did not finish."""

    tried: tuple[Judged[T], ...]
    best: Judged[T]
    unfinished: str = ""

    @property
    def record(self) -> tuple[Attempt, ...]:
        """The attempts in plain values."""
        return tuple(
            Attempt(
                each.settings.size.target_accept,
                each.settings.size.tune,
                each.problems,
                each.divergences,
                each is self.best,
            )
            for each in self.tried
        )


def settle[T](
    run: Callable[[Settings], Judged[T]],
    settings: Settings,
    again: Callable[[Settings], Settings],
    *,
    keep_interrupted: bool = False,
) -> Settled[T]:
    """Make an attempt and, where another may mend it, a second; the better one is kept, of equals the second.

    Parameters
    ----------
    run
        Makes and judges an attempt.
    settings
        How the first one is sampled.
    again
        Turns them into those of the second.
    keep_interrupted
        Whether an interrupt of the second attempt leaves the first; otherwise it stays a KeyboardInterrupt.
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
    """Whether stricter settings may mend a fit.

    Steps that were in trouble may be made smaller. Draws that mix slowly may be swept more often, by slices, unless they
    are simply too few.
    """
    mixing = bool(verdict.problems) and sampler == "slice" and standard.enough(draws)
    return (verdict.steps or mixing) and not verdict.partial
