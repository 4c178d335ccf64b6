"""Sentences from the draws: one screen that says what was found and whether to trust it."""

from bayes_synth.model.outcome_scale import outcome_name
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import describe
from bayes_synth.words import probable, short

__all__ = ["alarms", "attempts_sentence", "estimator_sentence", "headline", "weights_sentence"]


def headline(fit: AbstractFit) -> str:
    """The effect, its interval, and the verdicts; a fit that has not converged or is partial says so first."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in fit.fit_verdict.noise_share.items())
    rest = [
        "weights",
        *(name for name, prior in fit.model.process.integrated("").items() if prior != "none"),
    ]
    lines = {
        "effect": describe(fit.effect("average")),
        "relative": describe(fit.effect("relative"))
        if "relative" in fit.effects
        else "undefined (R004)",
        "estimator": estimator_sentence(fit),
        "sampler": str(fit.convergence)
        + attempts_sentence(fit)
        + ("" if fit.weights_ok else "; single weights have not mixed (similar donors)"),
        "fit": str(fit.fit_verdict),
        "variance": f"of the average counterfactual: {shares}, the rest {' and '.join(rest)}",
        "interval": str(fit.calibration),
        "weights": weights_sentence(fit),
    }
    if warned := fit.record.warnings:
        codes = ", ".join(dict.fromkeys(text[1:5] for text in warned))
        lines["warned"] = f'{codes}; in words: fit.diagnostics().attrs["warnings"]'
    panel = fit.panel
    if len(panel.missing_times):
        lines["missing"] = panel.facts["missing"]
    treated = (
        ", ".join(panel.treated)
        if len(panel.treated) < 4
        else f"{len(panel.treated)} treated units"
    )
    title = f"Fit: {treated} from {short(panel.start)}, {len(panel.donors)} donors"
    return "\n".join(
        [*alarms(fit), title, *(f"  {name:<10} {text}" for name, text in lines.items())]
    )


def alarms(fit: AbstractFit) -> list[str]:
    """What stands above everything else: no convergence, an interrupt, donors that do not fit."""
    details = [text for text in (fit.convergence.problems, fit.convergence.partial) if text]
    found = [
        f"{alarm}. {'; '.join(text)}."
        for alarm, text in zip(fit.convergence.alarms, details, strict=True)
    ]
    if fit.fit_verdict.word == "poor":
        found.append(
            "POOR FIT: before treatment these donors forecast the treated unit no better than its own past does."
        )
    return found


def attempts_sentence(fit: AbstractFit) -> str:
    """Which of two attempts was kept, and what was wrong with the other; nothing after one."""
    attempts = fit.record.attempts
    if len(attempts) < 2:
        return ""
    first, second = attempts
    how = "more sweeps between draws" if fit.record.sampled_by == "slice" else "smaller steps"
    if second.kept:
        return f"; second attempt, with {how} (the first: {'; '.join(first.problems)})"
    return f"; first attempt, a second with {how} was worse ({'; '.join(second.problems)})"


def estimator_sentence(fit: AbstractFit) -> str:
    """Which estimator was used, on which scale, and whether it was chosen."""
    logs = ", logarithms of outcomes" if fit.model.scale == "log" else ""
    chosen = (
        f" (chosen by held-out log score: {_why(fit)})"
        if "noise_scores" in fit.idata.children
        else ""
    )
    return f"{fit.model.process.describe()}{logs}{chosen}"


def _why(fit: AbstractFit) -> str:
    scores = fit.idata["noise_scores"].to_dataset()
    gap, error = (
        float(scores[name].where(scores["chosen"] == 1).max())
        for name in ("difference", "difference_se")
    )
    if gap == 0:
        return f"no other of {scores.sizes['noise']} was clearly better"
    return f"better than the default by {gap:.2g} (se {error:.2g})"


def weights_sentence(fit: AbstractFit) -> str:
    """The core donors with their probability, and the projection with its loss."""
    table = fit.weights()
    core = table[table["core"]]
    listed = ", ".join(f"{donor} {mean:.2f}" for donor, mean in core["mean"].head(6).items())
    more = f" and {len(core) - 6} more" if len(core) > 6 else ""
    sure = probable(table.attrs["core_probability"])
    few = int((table["projected"] > 0).sum())
    loss = (
        f"{table.attrs['projection_loss']:.2g} {outcome_name(fit.model.scale, fit.panel.outcome)}"
    )
    return (
        f"{listed}{more} hold 80% of the weight on average (at least that with probability {sure}); "
        f"{few} donors come within {loss}"
    )
