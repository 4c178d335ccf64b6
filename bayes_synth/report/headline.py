"""One screen that says what was found and whether to trust it, in sentences from the draws."""

from bayes_synth.model.outcome_scale import outcome_name, outcome_scale
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.auxiliary import AUXILIARY_TO
from bayes_synth.results.effects import Effect, IntervalKind, as_text, describe
from bayes_synth.results.monte_carlo import NEAR, end_errors
from bayes_synth.words import probable, short

__all__ = [
    "alarms",
    "attempts_sentence",
    "auxiliary_sentence",
    "estimator_sentence",
    "headline",
    "near_zero",
    "variance_sentence",
    "weights_sentence",
]

SOURCES = {"s": "noise", "q": "drift"}
"""What the parameters of our noise processes stand for."""
REST = {"drift": "trend"}
"""What is integrated out, where another source has its name."""


def headline(fit: AbstractFit) -> str:
    """State the effect, its interval and the verdicts; whatever alarms stands first."""
    unmixed = "" if fit.weights_ok else "; single weights have not mixed (similar donors)"
    has_ratio = "relative" in fit.effects
    lines = {
        "effect": describe(fit.effect("average")),
        "total": describe(fit.effect("total")),
        "relative": describe(fit.effect("relative")) if has_ratio else "undefined (R004)",
        "estimator": estimator_sentence(fit),
        "sampler": f"{fit.convergence}{attempts_sentence(fit)}{unmixed}",
        "fit": str(fit.fit_verdict),
        "variance": variance_sentence(fit),
        "interval": str(fit.calibration),
        "weights": weights_sentence(fit),
    }
    if sentence := auxiliary_sentence(fit):
        lines["auxiliary"] = sentence
    if doubt := near_zero(fit.effect("average")):
        lines["near zero"] = doubt
    if warnings := fit.record.warnings:
        codes = ", ".join(dict.fromkeys(text[1:5] for text in warnings))
        lines["warned"] = f'{codes}; in words: fit.diagnostics().attrs["warnings"]'
    panel = fit.panel
    if len(panel.missing_times):
        lines["missing"] = panel.facts["missing"]
    several = f"{len(panel.treated)} treated units"
    treated = ", ".join(panel.treated) if len(panel.treated) < 4 else several
    title = f"Fit: {treated} from {short(panel.start)}, {len(panel.donors)} donors"
    return "\n".join(
        [*alarms(fit), title, *(f"  {name:<10} {text}" for name, text in lines.items())]
    )


def alarms(fit: AbstractFit) -> list[str]:
    """List what must be read first, each sentence with its code."""
    return [f"{sentence} [{code}]" for code, sentence in fit.alarms]


def auxiliary_sentence(fit: AbstractFit) -> str:
    """Say which outcomes share the weights, with their effects; empty where there is one outcome.

    An auxiliary outcome's alarms are counted, as they stand in its own headline.
    """
    if main := fit.idata.attrs.get(AUXILIARY_TO):
        return f"weights shared with {main}, the main outcome of this fit"
    parts = []
    for name, own in fit.auxiliary.items():
        codes = ", ".join(alarm.code for alarm in own.alarms)
        warned = f" (alarms {codes}: see fit.auxiliary[{name!r}].alarms)" if codes else ""
        parts.append(f"{describe(own.effect('average'))}{warned}")
    return "; ".join(parts)


def near_zero(effect: Effect, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> str:
    """Say that another seed might move zero into the interval or out of it; else nothing.

    So it might when one end lies within two Monte Carlo errors of zero.
    """
    ends = [float(end) for end in effect.interval(ci_prob, ci_kind)]
    errors = end_errors(effect.draws, *ends)
    words = zip(("lower", "upper"), ends, errors, strict=True)
    doubts = [
        f"the interval's {word} end, {as_text(effect, end)}, has a Monte Carlo error of {error:.2g}"
        for word, end, error in words
        if abs(end) <= NEAR * error
    ]
    return (
        f"{' and '.join(doubts)}: another seed may put zero on its other side; raise draws"
        if doubts
        else ""
    )


def attempts_sentence(fit: AbstractFit) -> str:
    """Say which of two attempts was kept, and what was wrong with the other; empty after one."""
    attempts = fit.record.attempts
    if len(attempts) < 2:
        return ""
    first, second = attempts
    how = "more sweeps between draws" if fit.record.sampled_by == "slice" else "smaller steps"
    if second.kept:
        return f"; second attempt, with {how} (the first: {'; '.join(first.problems)})"
    return f"; first attempt, a second with {how} was worse ({'; '.join(second.problems)})"


def estimator_sentence(fit: AbstractFit) -> str:
    """Say which estimator was used, on which scale, and how either was chosen."""
    plural = outcome_scale(fit.model.scale).plural
    logs = f", {plural} of outcomes" if plural else ""
    reason = ""
    if "noise_scores" in fit.idata.children:
        reason = f" (chosen by held-out log score: {_reason_of_choice(fit)})"
    scale = f" ({fit.record.scale_choice})" if fit.record.scale_choice else ""
    return f"{fit.model.process.describe()}{_seasons(fit)}{logs}{scale}{reason}"


def _seasons(fit: AbstractFit) -> str:
    """Name the calendars, and say how they were chosen or why there are none."""
    names = " and ".join(each.describe() for each in fit.model.calendars)
    if "calendar_scores" not in fit.idata.children:
        return f", deviations by {names}" if names else ""
    scores = fit.idata["calendar_scores"].to_dataset()
    gain, error = (float(scores[name][1]) for name in ("difference", "difference_se"))
    asked = scores["calendar_choice"].to_numpy()[1]
    held_out = f"held-out log score with it {gain:+.2g}, se {error:.2g}"
    if names:
        return f", deviations by {names} (chosen: {held_out})"
    return f", no deviations by {asked} ({held_out})"


def _reason_of_choice(fit: AbstractFit) -> str:
    scores = fit.idata["noise_scores"].to_dataset()
    advantage, error = (
        float(scores[name].where(scores["chosen"] == 1).max())
        for name in ("difference", "difference_se")
    )
    if advantage == 0:
        return f"no other of {scores.sizes['noise']} was clearly better"
    return f"better than the default by {advantage:.2g} (se {error:.2g})"


def variance_sentence(fit: AbstractFit) -> str:
    """Split the predictive variance of the average counterfactual by its sources, in per cent.

    Weights and whatever was integrated out (level, drift) share the rest.
    """
    shares = fit.fit_verdict.noise_share
    sources = sorted(shares.items(), key=lambda item: -item[1])
    parts = [f"{SOURCES[name]} ({name})" if name in SOURCES else name for name, _ in sources]
    noise = [f"{part} {share:.0%}" for part, (_, share) in zip(parts, sources, strict=True)]
    integrated = fit.model.process.integrated("").items()
    rest = ["weights", *(REST.get(name, name) for name, prior in integrated if prior != "none")]
    # Shares are estimates from draws, so they may add up to a little more than all of it.
    remainder = f"{' and '.join(rest)} {max(0.0, 1 - sum(shares.values())):.0%}"
    return f"forecast variance: {', '.join([*noise, remainder])}"


def weights_sentence(fit: AbstractFit) -> str:
    """Name the core donors with their probability, and the projection with its loss."""
    table = fit.weights()
    core = table[table["core"]]
    listed = ", ".join(f"{donor} {mean:.2f}" for donor, mean in core["mean"].head(6).items())
    more = f" and {len(core) - 6} more" if len(core) > 6 else ""
    sure = probable(table.attrs["core_probability"]).removeprefix("= ")
    few = int((table["projected"] > 0).sum())
    measure = outcome_name(fit.model.scale, fit.panel.outcome)
    alone = f"{few} donors alone reproduce" if few > 1 else "one donor alone reproduces"
    noun = "core donors" if len(core) > 1 else "core donor"
    return (
        f"{noun} {listed}{more} (80% of the weight with probability {sure}); "
        f"{alone} the counterfactual to {table.attrs['projection_loss']:.2g} {measure}"
    )
