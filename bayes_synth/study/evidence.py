"""Learn both inflations from placebo sets: one kappa and one tail for all treated units.

Per set the z-scores of the averages are jointly Student-t with scale ``kappa^2 R``, where ``R`` is
the correlation that shared donors and periods imply. With ``Q = z' R^-1 z`` over ``m`` members this
is ``Q / (m kappa^2) ~ F(m, nu)``, the same form as that of the deviations, so that the rule of
:mod:`bayes_synth.model.inflation` serves both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from scipy import special

from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.model.forecast_error import growth_factors, learn_growth_over_windows, summarise
from bayes_synth.model.inflation import Inflation, learn_inflation
from bayes_synth.results.calibrated import Alternative, Placebos
from bayes_synth.study.data import AbstractStudyData
from bayes_synth.study.members import Refitting, horizon
from bayes_synth.study.overlap import correlation_of_averages, covariance
from bayes_synth.study.refit import Refitted, Spread

__all__ = [
    "SetAverage",
    "SetEvidence",
    "learn_averages",
    "learn_from_sets",
    "placebos_of",
    "window_factors",
]

OWN_START = 8
"""From so many placebos with a unit's own start on, they alone say what its sd typically is."""


class SetAverage(NamedTuple):
    """Hold the averages of a set's members.

    ``names`` of the members; their ``error`` and the pooled predictive standard deviation of it,
    ``width``, dims ``(member,)``; the ``correlation`` of their errors, dims ``(member, member)``.
    """

    names: tuple[str, ...]
    error: np.ndarray
    width: np.ndarray
    correlation: np.ndarray

    @property
    def square(self) -> float:
        """Return ``z' R^-1 z``."""
        z = self.error / self.width
        return float(z @ np.linalg.solve(self.correlation, z))

    @property
    def log_width(self) -> float:
        """Return the log of the density's scale: of all widths and of the correlation."""
        determinant = float(np.linalg.slogdet(self.correlation)[1])
        return 0.5 * determinant + float(np.log(np.abs(self.width)).sum())

    @property
    def score(self) -> float:
        """Return the z-score of the mean of the members' errors."""
        scaled = self.width[:, None] * self.correlation * self.width
        return float(self.error.sum() / np.sqrt(scaled.sum()))


@final
@dataclass(frozen=True, eq=False)
class SetEvidence:
    """Hold what the sets have taught under one prior on ``q``.

    Parameters
    ----------
    factor, share
        The factor on the prior sd of ``q``, and its posterior probability.
    rows
        One row per member, with the columns of a placebo and ``set``, ``donor``, ``role``,
        ``start`` and ``horizon``.
    spreads
        Of every member's noise, by name.
    growth
        The power of the horizon by which errors grow beyond what the model says.
    average, deviations
        Posteriors of kappa and of the tails of each part.
    log_evidence
        Log marginal likelihood of the errors of the averages, up to a constant of the data.
    sets
        The averages of every set's members.
    """

    factor: float
    share: float
    rows: pd.DataFrame
    spreads: Mapping[str, Spread]
    growth: float
    average: Inflation
    deviations: Inflation
    log_evidence: float
    sets: tuple[SetAverage, ...]

    def alternative(self, start: Any, periods: int) -> Alternative:
        """Return it as the calibration of a unit with this start and so many periods takes it."""
        table = as_if_over(self.rows, self.spreads, start, periods)[list(COLUMNS)]
        inflations = self.average, self.deviations
        return Alternative(self.factor, self.share, table, self.growth, inflations)


def learn_from_sets(
    refitting: Refitting, study: AbstractStudyData[Any], plan: Calibration, power: float
) -> tuple[SetEvidence, ...]:
    """Learn from the sets under every prior on ``q``, and weigh the priors by the errors.

    Parameters
    ----------
    refitting
        The answers of the refits.
    study
        The treated units, whose starts the members have.
    plan
        How to calibrate.
    power
        Power of the likelihood of the sets.
    """
    each = [_learnt(refitting, study, plan, power, factor) for factor in refitting.factors]
    prior = plan.q_probabilities if len(each) > 1 else (1.0,)
    logs = [np.log(p) + one.log_evidence for p, one in zip(prior, each, strict=True)]
    shares = special.softmax(logs)
    return tuple(
        SetEvidence(**(vars(one) | {"share": float(share)}))
        for one, share in zip(each, shares, strict=True)
    )


def placebos_of(
    evidence: Sequence[SetEvidence],
    refitting: Refitting,
    study: AbstractStudyData[Any],
    unit: str,
    power: float,
) -> Placebos:
    """Return the evidence in the form in which one unit's fit is calibrated on it."""
    start, periods = study.starts[unit], horizon(study, unit)
    alternatives = tuple(each.alternative(start, periods) for each in evidence)
    best = max(range(len(evidence)), key=lambda k: evidence[k].share)
    table, factor = alternatives[best].table, evidence[best].factor
    rows = {
        name: pd.Series(
            refitting.answers[name, factor].gap, study.panels[refitting.members[name].role].times
        )
        for name in table.index
    }
    gaps = pd.DataFrame(rows).T.reindex(columns=study.panels[unit].times)
    return Placebos(
        table,
        refitting.skipped,
        gaps,
        alternatives=alternatives,
        power=power,
        sets=len(refitting.sets),
    )


def as_if_over(
    rows: pd.DataFrame, spreads: Mapping[str, Spread], start: Any, periods: int
) -> pd.DataFrame:
    """Return placebos as if each had been treated over a unit's own window.

    These are the ones with its start where there are enough of them. Else all of them, errors and
    predictive sds multiplied by how the noise's own sd depends on the number of periods; z-scores
    stay as they are.
    """
    same = pd.DataFrame(rows[(rows["start"] == start) & (rows["horizon"] == periods)])
    if len(same) >= OWN_START:
        return same
    own = [spreads[str(name)][int(k)] for name, k in zip(rows.index, rows["horizon"], strict=True)]
    wanted = [spreads[str(name)][periods] for name in rows.index]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.array(wanted) / np.array(own)
    ratio[~(np.isfinite(ratio) & (ratio > 0))] = np.nan
    parts = zip(("error", "sd", "deviation", "deviation_sd"), (0, 0, 1, 1), strict=True)
    return rows.assign(**{name: rows[name] * ratio[:, part] for name, part in parts})


def _learnt(
    refitting: Refitting,
    study: AbstractStudyData[Any],
    plan: Calibration,
    power: float,
    factor: float,
) -> SetEvidence:
    """Learn growth and inflations from the refits under one prior on ``q``."""
    answers = {name: refitting.answers[name, factor] for names in refitting.sets for name in names}
    growth = learn_growth_over_windows(_by_window(answers.values()), plan.growth_sd)
    rows = _rows(refitting, study, answers, growth)
    spreads = {name: answer.spread for name, answer in answers.items()}
    rows = _scored(rows, spreads, plan)
    sets = averages_of(refitting, answers, rows, growth)
    average, evidence = learn_averages(sets, plan, power)
    deviations = _of_deviations(refitting, answers, rows, plan, power, growth)
    return SetEvidence(factor, 1.0, rows, spreads, growth, average, deviations, evidence, sets)


def _by_window(answers: Any) -> list[tuple[list[Any], np.ndarray]]:
    """Group forecasts by their periods since the start."""
    windows: dict[bytes, tuple[list[Any], np.ndarray]] = {}
    for answer in answers:
        windows.setdefault(answer.ahead.tobytes(), ([], answer.ahead))[0].append(answer.forecast)
    return list(windows.values())


def _rows(
    refitting: Refitting,
    study: AbstractStudyData[Any],
    answers: Mapping[str, Refitted],
    growth: float,
) -> pd.DataFrame:
    rows = []
    for number, names in enumerate(refitting.sets, 1):
        for name in names:
            answer, member = answers[name], refitting.members[name]
            known = {"doubt": answer.forecast.doubt, "z": np.nan, **answer.row}
            role = {"donor": member.donor, "role": member.role, "start": study.starts[member.role]}
            place = {"set": number, "horizon": len(answer.ahead)}
            rows.append(summarise(answer.forecast, answer.ahead, growth) | known | role | place)
    index = pd.Index(list(answers), name="donor", dtype=object)
    return pd.DataFrame(rows, index=index)


def _scored(rows: pd.DataFrame, spreads: Mapping[str, Spread], plan: Calibration) -> pd.DataFrame:
    """Add each member's z-score, and the pooled sd of its deviations."""
    scored = rows.assign(pooled_deviation=np.nan)
    for key, part in rows.groupby(["start", "horizon"], sort=False):
        start, periods = key
        table = as_if_over(rows, spreads, start, int(str(periods)))
        own = {name: part[name] for name in ("sd", "step", "doubt")}
        scored.loc[part.index, "z"] = part["error"] / plan.pooled(own, "sd", table)
        known = table[np.isfinite(table["deviation_sd"].astype(float))]
        own = {name: part[name].astype(float) for name in ("deviation_sd", "step", "doubt")}
        if len(known):
            scored.loc[part.index, "pooled_deviation"] = plan.pooled(own, "deviation_sd", known)
    return scored


def averages_of(
    refitting: Refitting, answers: Mapping[str, Refitted], rows: pd.DataFrame, growth: float
) -> tuple[SetAverage, ...]:
    """Return the averages of every set's members, and how their errors go together."""
    found = []
    for names in refitting.sets:
        members, part = [answers[name] for name in names], rows.loc[list(names)]
        matrix = correlation_of_averages(
            [each.response for each in members],
            part["sd"].to_list(),
            [window_factors(each, growth) for each in members],
        )
        z, error = part["z"].to_numpy(float), part["error"].to_numpy(float)
        found.append(SetAverage(names, error, error / z, matrix))
    return tuple(found)


def learn_averages(
    sets: Sequence[SetAverage], plan: Calibration, power: float
) -> tuple[Inflation, float]:
    """Learn the inflation of the averages; the second value is the evidence of the errors."""
    sizes = np.array([float(len(each.error)) for each in sets])
    squares = np.array([each.square for each in sets]) / sizes
    learnt = learn_inflation(squares, sizes, plan.kappa_sd, plan.degrees_of_freedom, power)
    widths = sum(each.log_width for each in sets)
    return learnt, learnt.evidence - power * widths


def _of_deviations(
    refitting: Refitting,
    answers: Mapping[str, Refitted],
    rows: pd.DataFrame,
    plan: Calibration,
    power: float,
    growth: float,
) -> Inflation:
    """Learn the inflation of the deviations from the average, over all members of a set."""
    squares, sizes = [], []
    for names in refitting.sets:
        part = rows.loc[list(names)]
        part = part[np.isfinite(part["pooled_deviation"].astype(float)) & (part["periods"] > 0)]
        if not len(part):
            continue
        counts = part["periods"].to_numpy(float)
        each = (part["deviation"] / part["pooled_deviation"]).to_numpy(float) ** 2
        squares.append(float(counts @ each / counts.sum()))
        sizes.append(_independent([answers[str(name)] for name in part.index], counts, growth))
    return learn_inflation(
        np.array(squares), np.array(sizes), plan.kappa_sd, plan.degrees_of_freedom, power
    )


def _independent(members: Sequence[Refitted], counts: np.ndarray, growth: float) -> float:
    """Return over how many independent periods the set's mean square of deviations is."""
    spread = float(2 * counts.sum())
    for i, one in enumerate(members):
        for k in range(i):
            other = members[k]
            cross = _deviations(one, growth) @ covariance(one.response, other.response)
            cross = cross @ _deviations(other, growth).T
            sizes = _deviation_variance(one, growth) * _deviation_variance(other, growth)
            shared = 2 * float((cross**2).sum()) / sizes if sizes > 0 else 0.0
            spread += 2 * counts[i] * counts[k] * shared
    return float(2 * counts.sum() ** 2 / spread)


def window_factors(member: Refitted, growth: float) -> np.ndarray:
    """Return the growth's factor of every period to come, zero where there is no outcome."""
    factors = np.zeros(len(member.response.periods))
    factors[member.ahead.astype(int) - 1] = growth_factors(member.ahead, growth)
    return factors


def _deviations(member: Refitted, growth: float) -> np.ndarray:
    """Return the matrix that takes a path to its deviations, dims ``(time seen, time)``."""
    factors, seen = growth_factors(member.ahead, growth), member.ahead.astype(int) - 1
    covariance_seen = factors[:, None] * member.forecast.covariance * factors
    beta = covariance_seen.mean(1) / covariance_seen.mean()
    matrix = np.zeros((len(seen), len(member.response.periods)))
    matrix[np.arange(len(seen)), seen] = factors
    return matrix - np.outer(beta, matrix.mean(0))


def _deviation_variance(member: Refitted, growth: float) -> float:
    """Return the total predictive variance of the deviations."""
    row = summarise(member.forecast, member.ahead, growth)
    return float(len(member.ahead) * row["deviation_sd"] ** 2)
