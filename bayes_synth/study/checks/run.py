"""Ask a joint fit every check of a study."""

import hashlib
from collections.abc import Sequence
from typing import Any

from bayes_synth.checks.result import Check, Checks, not_applicable
from bayes_synth.errors import ConvergenceWarning, ResultError, warn
from bayes_synth.storage.digests import answer_digest
from bayes_synth.study.checks.registry import STUDY_QUESTIONS
from bayes_synth.words import listed

__all__ = ["digest_of", "require_same", "run"]


def run(
    joint: Any,
    *,
    only: Sequence[str] | None = None,
    random_seed: int = 0,
    progressbar: bool = True,
) -> Checks:
    """Ask every question about a joint fit; see :meth:`bayes_synth.JointFit.check`.

    Warns
    -----
    ConvergenceWarning
        S004 after an interrupt (Ctrl-C): what was not asked is not applicable.
    """
    ordered = sorted(STUDY_QUESTIONS.values(), key=lambda question: question.place)
    asked = ordered if only is None else [STUDY_QUESTIONS.known(name, "only") for name in only]
    answers: list[Check] = []
    for question in asked:
        try:
            answers.append(question.ask(joint, random_seed=random_seed, progressbar=progressbar))
        except KeyboardInterrupt:
            break
    left = asked[len(answers) :]
    if left:
        names = listed(question.name for question in left)
        text = f"interrupted: {names} were not asked; run the checks again for their answers."
        warn(ConvergenceWarning, "S004", text)
    reason = "Interrupted before it was answered; run the checks again."
    undone = (not_applicable(each.name, each.question, reason) for each in left)
    return Checks((*answers, *undone), digest_of(joint))


def digest_of(joint: Any) -> str:
    """Return a digest of what a joint fit answers, so that its checks are told from others."""
    whole = hashlib.sha256()
    for fit in joint.fits.values():
        whole.update(answer_digest(fit.panel, fit.idata).encode())
    return whole.hexdigest()


def require_same(joint: Any, checks: object) -> Checks:
    """Refuse anything but the answers about this joint fit.

    Raises
    ------
    ResultError
        R061.
    """
    if not isinstance(checks, Checks):
        got = type(checks).__name__
        raise ResultError(
            "R061", f"checks must be a bool or what joint.check() gave, got {got}; pass True."
        )
    if checks.about != digest_of(joint):
        raise ResultError(
            "R061",
            "checks must be a bool or the answers about this joint fit, got those about another "
            "one; pass checks=joint.check().",
        )
    return checks
