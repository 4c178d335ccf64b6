"""Ask every check of a fit, in the order in which a colleague would ask."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bayes_synth.checks.forecast import foreseen
from bayes_synth.checks.registry import QUESTIONS
from bayes_synth.checks.result import Checks, not_applicable
from bayes_synth.errors import ConvergenceWarning, warn
from bayes_synth.results.answers import AbstractFit
from bayes_synth.sampling.progress import announce, shared_bar
from bayes_synth.storage.digests import answer_digest
from bayes_synth.words import listed, texts

__all__ = ["run"]


def run(
    fit: AbstractFit,
    *,
    only: Sequence[str] | None = None,
    neighbours: str | Sequence[str] = (),
    covariates: pd.DataFrame | None = None,
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
    neighbours
        Donors that the treatment may have reached, for :func:`spillover` and :func:`screen`: you
        must name them, since the data have no map.
    covariates
        One row per unit, treated and donors, one column per covariate, for :func:`likeness`.
    random_seed, progressbar
        Seed of the refits; and whether to say how many there are and how long they may take, and
        to show one bar that counts them all.

    Returns
    -------
    Checks
        The answers by name, in the order in which they were asked.

    Raises
    ------
    OptionError
        O001 for an unknown check.
    DesignError
        D008, D009 for a neighbour that is not a donor, D009 when ``covariates`` lacks a unit, D014
        when no donor is left without the neighbours.
    PanelError
        P010, V018, V019 for covariates that cannot be compared; see :func:`likeness`.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C). Checks that were ready are returned, the last one with the
        refits that were complete, and the others as not applicable.

    Examples
    --------
    >>> checks = bs.checks.run(fit, only=["concentration", "convex_hull"])
    >>> checks.table["verdict"].tolist()
    ['caution', 'pass']
    """
    ordered = sorted(QUESTIONS.values(), key=lambda question: question.place)
    asked = ordered if only is None else [QUESTIONS.known(name, "only") for name in only]
    options: dict[str, Any] = {"random_seed": random_seed, "progressbar": progressbar}
    options |= {"neighbours": tuple(texts(neighbours)), "covariates": covariates}
    answers, work = [], foreseen(fit, asked, options) if progressbar else None
    if work is not None and work.refits:
        announce(f"{work}.")
    with shared_bar(
        "Checking", shown=progressbar, expected=work.refits if work is not None else 0
    ) as bar:
        for question in asked:
            try:
                answers.append(question.ask(fit, **options))
            except KeyboardInterrupt:
                bar.stopped = True
            if bar.stopped:
                break
    left = asked[len(answers) :]
    if left:
        text = f"interrupted: {listed(question.name for question in left)} were not asked"
        warn(ConvergenceWarning, "S004", f"{text}; run the checks again to go on from there.")
    reason = "Interrupted before it was asked; run the checks again."
    undone = (not_applicable(each.name, each.question, reason) for each in left)
    return Checks((*answers, *undone), answer_digest(fit.panel, fit.idata))
