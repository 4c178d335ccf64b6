"""Overfitting: ask whether weights that fit some periods also fit those they have not seen."""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np
import pandas as pd

from bayes_synth.checks.innovations import SHORT, periods_seen, residual_of, typical, whitener
from bayes_synth.checks.pictures.layers import Axes, Layer, picture
from bayes_synth.checks.registry import check
from bayes_synth.checks.result import Check, graded, not_applicable, thresholds
from bayes_synth.model.inputs import Inputs
from bayes_synth.plots.legend import Entry
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.fit_verdict import gls_weights
from bayes_synth.results.weighted import adjusted

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["overfitting"]

QUESTION = "Do weights that fit some periods also fit periods they have not seen?"
MOST = 30
"""Largest number of origins of leave-future-out."""


@check(QUESTION, place=2)
def overfitting(fit: AbstractFit, *, caution: float = 0.5, fail: float = 1.0) -> Check:
    """Ask whether the weights follow the treated unit's signal or its noise.

    Weights are learnt again from a part of the pre-period, by generalised least squares over the
    simplex under the fitted noise, and forecast what follows one step ahead; nothing is sampled.
    Without a prior they overfit more than the fit does.

    Parameters
    ----------
    fit
        The fit.
    caution, fail
        Upper bounds: up to ``caution`` it passes, above ``fail`` it fails. They bound the share of
        the outcome's variation that the donors explain in sample minus out of sample, from rolling
        origins. 0 is honest, 1 is a fit that explains everything it has seen and nothing else (our
        thresholds, from simulations). The ratio of errors does not decide: with more donors than
        periods it exceeds 2 for good donors too.

    Returns
    -------
    Check
        Table: rows ``last third`` and ``rolling origins`` (leave future out); columns ``periods``
        (held out), ``in_sample`` and ``out_of_sample`` (root mean square one-step-ahead errors
        over their standard deviations), ``ratio``, ``explained_in_sample``,
        ``explained_out_of_sample``, ``optimism`` and ``log_score`` (mean log predictive density of
        a held-out outcome on the model's scale).

    References
    ----------
    Abadie (2021), Journal of Economic Literature 59(2), sections 3.2 and 3.3. Abadie, Diamond and
    Hainmueller (2015), American Journal of Political Science 59(2), for training and validation
    periods. Buerkner, Gabry and Vehtari (2020), Journal of Statistical Computation and Simulation
    90(14), for leave-future-out.

    Examples
    --------
    >>> bs.checks.overfitting(fit).verdict
    'pass'
    """
    inputs = adjusted(fit.problem, fit.idata).inputs
    seen = periods_seen(inputs)
    if len(seen) < SHORT:
        few = f"{len(seen)} pre-periods with an outcome are too few to hold some out"
        return not_applicable("overfitting", QUESTION, f"{few}; at least {SHORT} are needed.")
    whitened = _Whitened(fit, inputs)
    third = _split_row([_split(whitened, len(seen) - len(seen) // 3, len(seen))])
    origins = np.unique(np.linspace(max(len(seen) // 2, 5), len(seen) - 1, MOST).astype(int))
    rolling = _split_row([_split(whitened, int(first), int(first) + 1) for first in origins])
    table = pd.DataFrame({"last third": third, "rolling origins": rolling}).T.rename_axis("split")
    verdict = graded(rolling["optimism"], caution, fail)
    reason = (
        f"Held-out last third: error {third['ratio']:.2g} times that in sample; rolling origins: "
        f"donors explain {rolling['explained_in_sample']:.0%} of the variation in sample and "
        f"{rolling['explained_out_of_sample']:.0%} one step ahead ({len(fit.panel.donors)} donors, "
        f"{len(seen)} periods)."
    )
    table = thresholds(table, caution=caution, fail=fail)
    return Check("overfitting", QUESTION, verdict, reason, table, partial(_draw_errors, fit))


class _Split(NamedTuple):
    """Hold one-step-ahead errors with weights from before an origin, and those without donors.

    ``inside`` is before the origin, ``outside`` from it on, ``..._alone`` without donors;
    ``log_density`` is that of the outcomes outside.
    """

    inside: np.ndarray
    outside: np.ndarray
    inside_alone: np.ndarray
    outside_alone: np.ndarray
    log_density: np.ndarray


class _Whitened:
    """Turn residuals into one-step-ahead errors by one matrix for the whole pre-period.

    Row t of it looks at no later period, so that it serves every origin.
    """

    def __init__(self, fit: AbstractFit, inputs: Inputs) -> None:
        self.noise, self.inputs, self.draws = fit.problem.process, inputs, typical(fit)
        self.seen = periods_seen(inputs)
        self.matrix = whitener(self.noise, self.draws, inputs.missing, inputs.periods)

    def weights(self, first: int) -> np.ndarray:
        """Return generalised least squares weights from so many first periods with an outcome."""
        end = int(self.seen[first - 1]) + 1
        distances = self.inputs.donor_outcomes[:end] - self.inputs.outcome[:end, None]
        draws = {
            name: value[:, :end] if value.ndim > 1 else value for name, value in self.draws.items()
        }
        missing = self.inputs.missing[self.inputs.missing < end]
        return gls_weights(self.noise, draws, distances, missing)

    def errors(self, residual: np.ndarray) -> np.ndarray:
        """Return the standardised errors of the periods with an outcome."""
        return np.asarray(self.matrix @ residual[self.seen])


def _split(whitened: _Whitened, first: int, end: int) -> _Split:
    """Learn weights from the first periods, and forecast those up to ``end``."""
    inputs = whitened.inputs
    errors = whitened.errors(residual_of(inputs, whitened.weights(first)))
    alone = whitened.errors(inputs.outcome)
    log_scale = np.log(np.diag(whitened.matrix) / inputs.step / np.sqrt(2 * np.pi))
    density, ahead = log_scale - 0.5 * errors**2, slice(first, end)
    return _Split(errors[1:first], errors[ahead], alone[1:first], alone[ahead], density[ahead])


def _split_row(splits: list[_Split]) -> dict[str, float]:
    """Summarise the errors of several origins as a row of the table."""
    *errors, densities = (np.concatenate(part) for part in zip(*splits, strict=True))
    inside, outside, inside_alone, outside_alone = (float(np.mean(part**2)) for part in errors)
    explained = 1 - inside / inside_alone, 1 - outside / outside_alone
    return {
        "periods": float(sum(len(split.outside) for split in splits)),
        "in_sample": inside**0.5,
        "out_of_sample": outside**0.5,
        "ratio": (outside / inside) ** 0.5,
        "explained_in_sample": explained[0],
        "explained_out_of_sample": explained[1],
        "optimism": explained[0] - explained[1],
        "log_score": float(densities.mean()),
    }


def _draw_errors(fit: AbstractFit, **options: "Unpack[PictureOptions]") -> "PlotCollection":
    """Draw one-step-ahead errors with weights from the first two thirds."""
    whitened = _Whitened(fit, adjusted(fit.problem, fit.idata).inputs)
    first = len(whitened.seen) - len(whitened.seen) // 3
    split = _split(whitened, first, len(whitened.seen))
    times = fit.panel.pre.to_numpy()[whitened.seen]
    alone = np.append(split.inside_alone, split.outside_alone)
    outside = np.append(split.inside[-1:], split.outside)
    layers = {
        "zero": Layer("horizontal", y=0),
        "alone": Layer("line", times[1:], alone, style={"color": "gray", "width": 1}),
        "inside": Layer("line", times[1:first], split.inside),
        "outside": Layer("line", times[first - 1 :], outside, style={"color": "C1"}),
        "origin": Layer("vertical", times[first]),
    }
    title = "One-step-ahead errors with weights from the first two thirds of the pre-period"
    legend = [
        Entry("periods that the weights have seen", "line", "C0"),
        Entry("periods that they have not", "line", "C1"),
        Entry("without donors", "line", "gray", width=1.0),
    ]
    axes = Axes(title, layers, fit.panel.time, "standardised error", legend=legend)
    return picture({"errors": axes}, options, fit=fit, height=400)
