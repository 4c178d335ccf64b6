"""The report's sentences and tables, all from the draws of one fit.

:mod:`bayes_synth.report.render` turns them into pages. A number in a sentence is written by the
same function as in the tables, so that they cannot differ.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from bayes_synth.checks.result import Checks
from bayes_synth.data.missing import unseen
from bayes_synth.report.headline import (
    alarms,
    attempts_sentence,
    estimator_sentence,
    near_zero,
    weights_sentence,
)
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.bands import band, band_promise
from bayes_synth.results.below_zero import below_zero
from bayes_synth.results.effects import Effect, IntervalKind, as_text
from bayes_synth.results.estimands import ESTIMANDS, per_period
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.sampling.regression import COEFFICIENTS
from bayes_synth.words import listed, per_cent, probable, short, span

if TYPE_CHECKING:
    from arviz_plots import PlotCollection


__all__ = ["Figure", "Section", "sections"]

TOP = 10
UNTESTED = (
    "No donor was affected by the treatment, and nothing else happened to the treated unit alone "
    "from its start on.",
    "The treated unit did not change before the start because it expected the treatment.",
    "A weighted average of these donors stands in for the treated unit after the start as well as "
    "before it.",
    "Where the interval is calibrated: the treated unit is as hard to forecast as the donors are.",
)
"""Assumptions that no check can test (Abadie 2021, section 5)."""
CITED = (
    "The bayes_synth developers: bayes_synth, Bayesian synthetic control (see CITATION.cff).",
    "Abadie, Diamond and Hainmueller (2010), Journal of the American Statistical Association "
    "105(490).",
    "Abadie (2021), Journal of Economic Literature 59(2).",
)


class Figure(NamedTuple):
    """A figure and its alternative text."""

    alt: str
    draw: "Callable[..., PlotCollection]"


class Section(NamedTuple):
    """One section: a heading, paragraphs, a table of words, figures and a list.

    The registered plots of a fit are added by :mod:`bayes_synth.report.render`.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    figures: tuple[Figure, ...] = ()
    items: tuple[str, ...] = ()


def sections(
    fit: AbstractFit, checks: Checks | None, ci_prob: float, ci_kind: IntervalKind
) -> Iterator[Section]:
    """Yield the report's sections in reading order; whatever speaks against the fit comes first."""
    if warning := tuple(alarms(fit)):
        yield Section("Before you read on", warning)
    yield Section("Question", (_question(fit),))
    yield Section(
        "Answer", tuple(_answer(fit, ci_prob, ci_kind)), effect_table(fit, ci_prob, ci_kind)
    )
    if fit.auxiliary:
        yield from auxiliary_sections(fit, ci_prob, ci_kind)
    yield Section("Data", (_data(fit),), items=tuple(fit.panel.report["remark"]))
    donors = weights_sentence(fit)
    yield Section("Donors", (f"{donors[0].upper()}{donors[1:]}.",), weight_table(fit))
    if fit.panel.predictors is not None and fit.panel.predictors.names:
        yield Section("Balance", (balance_sentence(fit),), _balance(fit, ci_prob, ci_kind))
    yield Section("Model", tuple(_model(fit)), _priors(fit))
    yield _trust_section(fit, checks)
    yield Section("What no check can test", items=UNTESTED)
    yield Section(
        "What would change the conclusion", tuple(_fragile(fit, checks, ci_prob, ci_kind))
    )
    yield Section("How this was made", (_made(fit),), items=CITED)


def auxiliary_sections(
    fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind
) -> Iterator[Section]:
    """Yield one section per auxiliary outcome: its alarms, its effects and its calibration."""
    for name, own in fit.auxiliary.items():
        said = (
            *alarms(own),
            f"The weights explain {fit.panel.outcome} and {name} before the treatment together; "
            f"{name} has noise of its own, and intervals that are {own.calibration.short}. "
            "Each interval is about its outcome alone.",
        )
        yield Section(f"Effect on {name}", said, effect_table(own, ci_prob, ci_kind))


def _question(fit: AbstractFit) -> str:
    panel = fit.panel
    return (
        f"What would {panel.outcome} of {panel.treated_name} have been from {short(panel.start)} "
        "on without the treatment?"
    )


def direction(value: float) -> str:
    """Return ``lower`` for a negative value, else ``higher``."""
    return "lower" if value < 0 else "higher"


def _answer(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> Iterator[str]:
    panel, effect = fit.panel, fit.effect("average")
    post = panel.post
    low, high = (float(bound) for bound in effect.interval(ci_prob, ci_kind))
    middle = float(effect.draws.median())
    yield (
        f"From {short(post[0])} to {short(post[-1])}, the average {fit.panel.outcome} of "
        f"{fit.panel.treated_name} was {_amount(effect, middle)} {direction(middle)} than it would "
        "have been without the treatment (posterior median). "
        f"The {per_cent(ci_prob)} credible interval ({ci_kind.upper()}) is {as_text(effect, low)} "
        f"to {as_text(effect, high)}; it {'excludes' if low > 0 or high < 0 else 'includes'} zero. "
        f"{sign_sentence(effect, middle)}"
    )
    if doubt := near_zero(effect, ci_prob, ci_kind):
        yield f"{doubt[0].upper()}{doubt[1:]}."
    yield total_sentence(fit, ci_prob, ci_kind)
    if "relative" in fit.effects:
        share = fit.effect("relative")
        low, high = (float(bound) for bound in share.interval(ci_prob, ci_kind))
        median = float(share.draws.median())
        yield (
            f"Relative to what would have been, the total is {as_text(share, median)} "
            f"({as_text(share, low)} to {as_text(share, high)}). "
            f"{fit.calibration.short.capitalize()}."
        )
    yield from band_sentences(fit, ci_prob)
    series = fit.panel.treated_outcome.to_series()
    for remark in unseen(series[: len(fit.panel.pre)], series[len(fit.panel.pre) :]):
        yield f"{remark.text[0].upper()}{remark.text[1:]}"


def total_sentence(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> str:
    """State the total, and what it is summed over."""
    total, units = fit.effect("total"), len(fit.panel.treated)
    low, high = (float(bound) for bound in total.interval(ci_prob, ci_kind))
    periods = len(fit.panel.post.difference(fit.panel.missing_times))
    over = f"{periods} periods" + (f" and {units} treated units" if units > 1 else "")
    return (
        f"Summed over {over}, the total effect is {as_text(total, float(total.median()))} "
        f"({as_text(total, low)} to {as_text(total, high)})."
    )


def band_sentences(fit: AbstractFit, ci_prob: float) -> Iterator[str]:
    """Say where the bands, which hold a whole path, leave zero."""
    for name, subject in (
        ("pointwise", "the effects of all periods"), ("cumulative", "the whole running total"),
    ):  # fmt: skip
        found = band(fit.effect(name).draws, ci_prob)
        excluded = ((found > 0).all("ci_bound") | (found < 0).all("ci_bound")).to_numpy()
        runs = _runs(fit.panel.post, excluded)
        where = f"excludes zero in {listed(runs)}" if runs else "includes zero throughout"
        yield f"The band that holds {subject} at once with {band_promise(found)} {where}."


def _runs(times: pd.Index, wanted: np.ndarray) -> list[str]:
    """Write the times that are wanted as runs of neighbours: 1990 to 1994, 1997."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    ends = zip(edges[::2], edges[1::2] - 1, strict=True)
    return [
        short(times[a]) if a == b else f"{short(times[a])} to {short(times[b])}" for a, b in ends
    ]


def sign_sentence(effect: Effect, middle: float) -> str:
    """State the probability of the sign that the median has, and what it is as a two-sided p."""
    mass = effect.probability(below=0) if middle < 0 else effect.probability(above=0)
    tails = f"two-sided p {probable(two_sided(effect.draws))}"
    return f"The probability that the treatment made it {direction(middle)} {_is(mass)} ({tails})."


def _is(mass: float) -> str:
    return f"is {probable(mass).removeprefix('= ').replace('>', 'above').replace('<', 'below')}"


def _amount(effect: Effect, value: float) -> str:
    return as_text(effect, value).lstrip("+-")


def effect_table(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> pd.DataFrame:
    """Return one row per estimand, with the numbers of :meth:`bayes_synth.Fit.summary` as text."""
    rows = {}
    for name, each in ESTIMANDS.items():
        if each.reported and not each.path and name in fit.effects:
            effect = fit.effect(name)
            low, high = effect.interval(ci_prob, ci_kind)
            values = {"median": effect.draws.median(), "lower": low, "upper": high}
            words = each.worded(len(fit.panel.treated))
            rows[words] = {
                column: as_text(effect, float(value)) for column, value in values.items()
            }
            masses = {"P(< 0)": effect.probability(below=0), "P(> 0)": effect.probability(above=0)}
            masses["two-sided p"] = two_sided(effect.draws)
            rows[words] |= {
                column: probable(mass).removeprefix("= ") for column, mass in masses.items()
            }
    return pd.DataFrame(rows).T.rename_axis(f"effect on {fit.panel.outcome}")


def weight_table(fit: AbstractFit) -> pd.DataFrame:
    """Return the heaviest donors, and the others together in one row."""
    table = fit.weights()
    shown, rest = table.head(TOP), table.iloc[TOP:]
    words = shown[["mean", "lower", "upper", "p_above_1_percent"]].map("{:.2f}".format)
    words.columns = pd.Index(["mean weight", "lower", "upper", "P(above 1%)"])
    if len(rest):
        words.loc[f"{len(rest)} others together"] = [f"{rest['mean'].sum():.2f}", "", "", ""]
    return words.rename_axis("donor")


def _data(fit: AbstractFit) -> str:
    panel = fit.panel
    return (
        f"The {panel.outcome} of {panel.treated_name} and of {len(panel.donors)} donors: "
        f"{span(panel.pre)} before the treatment, {span(panel.post)} from it on. "
        f"Donors: {listed(panel.donors, 60)}."
    )


def balance_sentence(fit: AbstractFit) -> str:
    """Say in which predictor the synthetic unit is farthest from the treated one."""
    table = fit.balance()
    apart = ((table["synthetic"] - table["treated"]) / table["sd"]).abs()
    worst = str(apart.idxmax())
    rule = fit.model.predictors
    how = "The predictors do not enter the model" if rule is None else f"They are {rule.describe()}"
    return (
        f"{how}. The synthetic {fit.panel.treated_name} is farthest from the treated one in "
        f"{worst}, by {apart.max():.2g} standard deviations over units."
    )


def _balance(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> pd.DataFrame:
    table = fit.balance(ci_prob=ci_prob, ci_kind=ci_kind).map("{:.4g}".format)
    table.columns = pd.Index(["treated", "synthetic", "lower", "upper", "donors' mean", "sd"])
    return table


def _model(fit: AbstractFit) -> Iterator[str]:
    yield f"{estimator_sentence(fit)}."
    if fit.problem.covariates is not None:
        yield covariates_sentence(fit)
    if where := below_zero(fit.idata, fit.problem):
        yield (
            f"The counterfactual is below zero in {where}, although no outcome is: "
            'scale="sqrt", or scale="log" where no outcome is zero, keeps it above.'
        )


def covariates_sentence(fit: AbstractFit) -> str:
    """Say by how much the outcome moves with each covariate, with 95 % intervals."""
    draws = fit.idata["posterior"].to_dataset()[COEFFICIENTS]
    over = ["chain", "draw"]
    low, middle, high = draws.quantile([0.025, 0.5, 0.975], dim=over).to_numpy()
    names = draws["covariate"].to_numpy()
    each = [
        f"{name} {m:+.3g} [{a:+.3g}, {b:+.3g}]"
        for name, a, m, b in zip(names, low, middle, high, strict=True)
    ]
    return (
        "By how much the outcome of any unit moves with a covariate that is larger by one "
        f"(95% ETI): {listed(each, 20)}. It is assumed that the treatment does not move them."
    )


def _priors(fit: AbstractFit) -> pd.DataFrame:
    rows = fit.problem.priors
    return pd.DataFrame({"prior": rows.values()}, index=pd.Index(rows, name="parameter"))


def _trust_section(fit: AbstractFit, checks: Checks | None) -> Section:
    """Put the three verdicts of every fit before the answers of the checks."""
    section = Section(
        "Can it be trusted?",
        (
            f"Sampler: {fit.convergence}{attempts_sentence(fit)}.",
            f"Fit before treatment, out of sample: {fit.fit_verdict}.",
            f"Interval: {fit.calibration}.",
        ),
    )
    if checks is None:
        return section._replace(
            items=("The checks of bayes_synth.checks were not run for this report.",)
        )
    figures = tuple(
        Figure(f"{check.question} {check.reason}", check.picture)
        for check in checks
        if check.picture
    )
    return section._replace(table=checks.table.set_index("question"), figures=figures)


def _fragile(
    fit: AbstractFit, checks: Checks | None, ci_prob: float, ci_kind: IntervalKind
) -> Iterator[str]:
    effect = fit.effect("average")
    low, high = (float(bound) for bound in effect.interval(ci_prob, ci_kind))
    if low <= 0 <= high:
        yield (
            "The interval includes zero: a clearer answer needs a longer past, closer donors, "
            "or a larger effect."
        )
    else:
        nearest = min(low, high, key=abs)
        yield (
            f"A bias of {_amount(effect, nearest)} {per_period(len(fit.panel.treated))}, "
            "shared by every draw, would bring the interval to zero."
        )
    for check in checks or ():
        if check.verdict in ("caution", "fail"):
            yield f"{check.question} {check.verdict.capitalize()}: {check.reason}"


def _made(fit: AbstractFit) -> str:
    record = fit.record
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    settings = record.settings
    return (
        f"{versions}; {record.chains} chains of {record.draws} draws after {settings.size.tune} of "
        f"tuning, target_accept {settings.size.target_accept:g}, seed {settings.random_seed}."
    )
