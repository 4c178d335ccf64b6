"""A methods paragraph with the numbers and the references of one fit, all read off the fit."""

from collections.abc import Iterator

from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.report.cite import REFERENCES, cited
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import listed, short

__all__ = ["methods_text", "references"]

SAMPLERS = {
    "slice": "slice sampling",
    "nutpie": "the No-U-Turn Sampler of nutpie",
    "pymc": "the No-U-Turn Sampler of PyMC",
}


def methods_text(fit: AbstractFit) -> str:
    """Write the paragraph and its references; see :meth:`bayes_synth.Fit.methods_text`."""
    paragraph = " ".join(_sentences(fit))
    return f"{paragraph}\n\nReferences\n{cited(references(fit), number=_version(fit))}"


def references(fit: AbstractFit) -> tuple[str, ...]:
    """Return the keys of the papers that this fit rests on, in the order of the list."""
    sampled = fit.record.sampled_by
    used = {
        "abadie2010": True,
        "abadie2021": True,
        "ferman2021": "demeaned" in fit.model.process.describe(),
        "vehtari2021": True,
        "neal2003": sampled == "slice",
        "pymc2023": sampled in ("nutpie", "pymc"),
    }
    return tuple(key for key in REFERENCES if used[key])


def _version(fit: AbstractFit) -> str:
    return fit.record.versions.get("bayes_synth", "")


def _sentences(fit: AbstractFit) -> Iterator[str]:
    panel = fit.panel
    treated = listed(panel.treated, 5)
    several = f" (the mean of {len(panel.treated)} units)" if len(panel.treated) > 1 else ""
    yield (
        f"We estimated what {panel.outcome} of {treated}{several} would have been without the "
        "treatment by a Bayesian synthetic control (Abadie, Diamond and Hainmueller 2010; "
        "Abadie 2021)."
    )
    yield (
        f"The panel has {len(panel.donors)} untreated donors, {len(panel.pre)} periods before the "
        f"treatment ({short(panel.pre[0])} to {short(panel.pre[-1])}) and {len(panel.post)} from "
        f"its start on ({short(panel.post[0])} to {short(panel.post[-1])}); outcomes from the "
        "start on did not influence the weights."
    )
    yield _model(fit)
    yield _calibration(fit)
    yield _sampling(fit)
    yield (
        "The effect is the observed outcome minus the posterior predictive of the outcome without "
        "treatment, noise included; we report posterior medians and equal-tailed credible "
        "intervals."
    )


def _model(fit: AbstractFit) -> str:
    names = " and ".join(each.describe() for each in fit.model.calendars)
    seasons = f", with deviations by {names}" if names else ""
    plural = outcome_scale(fit.model.scale).plural
    logs = f" of the {plural}" if plural else ""
    scale = f" ({fit.record.scale_choice})" if fit.record.scale_choice else ""
    priors = "; ".join(f"{name}: {text}" for name, text in fit.problem.priors.items())
    return (
        f"Before the treatment the outcome was modelled as a weighted average{logs} of the "
        "donors, with non-negative weights that sum to one, plus "
        f"{fit.model.process.describe()}{seasons}{scale}{_shared(fit)}; priors were {priors}."
    )


def _shared(fit: AbstractFit) -> str:
    """Say that auxiliary outcomes share the weights; empty where there are none."""
    if not fit.auxiliary:
        return ""
    names = listed(fit.auxiliary, 5)
    return f"; the same weights had to explain {names}, with location, level and noise of its own"


def _calibration(fit: AbstractFit) -> str:
    calibrated = fit.calibration
    if calibrated.kappa is None:
        return f"Intervals rest on the model alone ({calibrated.reason})."
    low, high = calibrated.interval()
    kappa = float(calibrated.kappa.mean())
    return (
        f"Intervals were calibrated on {len(calibrated.table)} placebos, donors refitted as if "
        f"treated: their forecast errors inflate the predictive spread by a factor kappa with "
        f"posterior mean {kappa:.2g} (95% interval {low:.2g} to {high:.2g})."
    )


def _sampling(fit: AbstractFit) -> str:
    record, verdict = fit.record, fit.convergence
    sampler = SAMPLERS.get(record.sampled_by, record.sampled_by or "sampling")
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    judged = (
        f"the largest R-hat of effect and noise was {verdict.r_hat:.3f} and the smallest effective "
        f"sample size {verdict.ess:.0f} (Vehtari et al. 2021)"
    )
    trouble = "" if verdict.ok else "; the draws did NOT pass these checks"
    return (
        f"We drew {record.chains} chains of {record.draws} posterior draws by {sampler} (seed "
        f"{record.settings.random_seed}; {versions}); {judged}{trouble}."
    )
