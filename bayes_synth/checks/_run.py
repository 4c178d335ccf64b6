"""Ask every check of a fit, in the order in which a colleague would ask."""

from collections.abc import Sequence

from bayes_synth.checks.registry import QUESTIONS
from bayes_synth.checks.result import Checks, not_applicable
from bayes_synth.errors import ConvergenceWarning, warn
from bayes_synth.results.answers import AbstractFit
from bayes_synth.sampling.progress import shared_bar
from bayes_synth.words import listed

__all__ = ["run"]


def run(
    fit: AbstractFit,
    *,
    only: Sequence[str] | None = None,
    random_seed: int = 0,
    progressbar: bool = True,
) -> Checks:
    """Ask every question about a fit.

    Parameters
    ----------
    fit
        The fit.
    only
        Names of the checks to run; None for all.
    random_seed, progressbar
        Seed and progress bar of the refits; see :meth:`bayes_synth.SyntheticControl.fit`.

    Returns
    -------
    Checks
        The answers by name, in the order in which they were asked.

    Raises
    ------
    OptionError
        O001 for an unknown check.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C). Checks that were ready are returned, the last one with the
        refits that were complete, and the others as not applicable.
    """
    ordered = sorted(QUESTIONS.values(), key=lambda question: question.place)
    asked = ordered if only is None else [QUESTIONS.known(name, "only") for name in only]
    answers = []
    with shared_bar("Checking", shown=progressbar) as bar:
        for question in asked:
            try:
                answers.append(question.ask(fit, random_seed=random_seed, progressbar=progressbar))
            except KeyboardInterrupt:
                bar.stopped = True
            if bar.stopped:
                break
    left = asked[len(answers) :]
    if left:
        text = f"interrupted: {listed(question.name for question in left)} were not asked"
        warn(ConvergenceWarning, "S004", f"{text}; run the checks again to go on from there.")
    reason = "Interrupted before it was asked; run the checks again."
    return Checks((*answers, *(not_applicable(each.name, each.question, reason) for each in left)))
