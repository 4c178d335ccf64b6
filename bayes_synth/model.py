"""SyntheticControl: a frozen specification that turns a panel into a PyMC model.

Imports priors, noise and panel; PyMC only inside the methods that build a graph.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

import numpy as np
import xarray as xr

from bayes_synth.calibration import Calibration
from bayes_synth.design import ROUNDING
from bayes_synth.errors import PriorError
from bayes_synth.noise import AR1, IID, AbstractNoise, LocalLevel, LocalLinearTrend
from bayes_synth.noise.ar1 import Autocorrelation
from bayes_synth.outcome_scale import OutcomeScale, outcome_scale
from bayes_synth.panel import Panel
from bayes_synth.priors import (
    AbstractWeightsPrior,
    CustomWeights,
    Dirichlet,
    HalfNormal,
    VariableFactory,
    as_weights_prior,
)
from bayes_synth.sampling import Settings, Task, check_count, entropy

if TYPE_CHECKING:
    import pymc as pm

    from bayes_synth.fit import Fit
    from bayes_synth.pairs import Regression

__all__ = ["GAP_RESIDUAL", "Inputs", "SyntheticControl", "task_for"]

GAP_RESIDUAL = "gap_residual"
"""The treated unit's residual in each pre-period that has no outcome: flat, so that it leaves the likelihood exactly."""


class Inputs(NamedTuple):
    """A panel as the model sees it: one location and one scale for all series, on the scale ``measure``.

    ``outcome`` has dims ``(pre,)`` and is NaN where it is missing, ``donor_outcomes`` ``(time, donor)`` over pre- and
    post-period.
    """

    measure: OutcomeScale
    location: float
    scale: float
    outcome: np.ndarray
    donor_outcomes: np.ndarray

    @property
    def periods(self) -> int:
        """Number of pre-periods."""
        return len(self.outcome)

    @property
    def gaps(self) -> np.ndarray:
        """Positions of the pre-periods without outcome."""
        return np.flatnonzero(np.isnan(self.outcome))

    def restore(self, values: np.ndarray) -> np.ndarray:
        """In outcome units again."""
        return np.asarray(self.measure.back(self.location + self.scale * values))


@final
@dataclass(frozen=True)
class SyntheticControl:
    """Bayesian synthetic control: ``outcome = donors @ weights + noise`` before treatment.

    Parameters
    ----------
    weights
        Prior on the donor weights; also any object with pymc-extras' ``create_variable``.
    noise
        What is left: how it behaves before treatment and how uncertain the counterfactual is after. ``"auto"``: the
        process that forecasts donors best in held-out periods before treatment is chosen when the model is fitted,
        and the fit says so; that takes eight rounds of twelve refits.
    calibrate
        Whether to learn from every donor's own synthetic control how far such forecasts drift; a
        :class:`bayes_synth.Calibration` says how. False: intervals rest on the model alone.
    scale
        ``"linear"``, or ``"log"`` for outcomes that grow in proportion: the weights then average logarithms. Effects
        are in outcome units (and, relative, in per cent) either way; ``s``, ``q`` and the level are in log units.

    Raises
    ------
    PriorError
        O006 for an object that is no prior or no noise process, O001 for another ``calibrate`` or ``scale``.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), eq. 1 and section 2.3.
    Ferman and Pinto (2021), Quantitative Economics 12(4), for the free level.
    """

    weights: AbstractWeightsPrior | VariableFactory = Dirichlet()
    noise: AbstractNoise | Literal["auto"] = LocalLevel()
    calibrate: bool | Calibration = True
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_weights_prior(self.weights))
        if not isinstance(self.noise, AbstractNoise) and self.noise != "auto":
            raise PriorError("O006", f"noise={self.noise!r} is no noise process; write noise=bs.noise.LocalLevel().")
        if not isinstance(self.calibrate, (bool, Calibration)):
            raise PriorError("O001", f"calibrate={self.calibrate!r} must be True, False or a bs.Calibration(...).")
        outcome_scale(self.scale)

    def build(self, panel: Panel) -> "pm.Model":
        """The PyMC model of the panel's pre-period; nothing is sampled.

        Parameters
        ----------
        panel
            The data. Donors are padded to a multiple of eight; padding has exactly zero weight.

        Returns
        -------
        pymc.Model
            ``weights`` (dim ``donor``) and the noise parameters, in units of the panel's scale. The data are
            in the coordinates in which the noise is uncorrelated, all in ``pm.Data``.

        Raises
        ------
        PriorError
            O015, O002 when the prior does not fit this number of donors.
        """
        width = as_weights_prior(self.weights).width(panel.donors)
        return build_graph(self, scaled(self, panel), panel.donors, width)

    def prior_predictive(self, panel: Panel, *, draws: int = 1000, random_seed: int | None = None) -> xr.DataTree:
        """Draws from the prior and of the pre-period that it implies.

        Parameters
        ----------
        panel
            The data; only its pre-period is looked at.
        draws
            Number of independent draws.
        random_seed
            A whole number; None for a fresh one.

        Returns
        -------
        xarray.DataTree
            Groups ``prior`` (weights, noise parameters in outcome units), ``prior_predictive`` (``outcome``,
            dim ``time``) and ``observed_data``. A free level has no prior: each path is then centred on the
            observed pre-period mean.
        """
        from bayes_synth.draws import prior_groups, tree

        check_count("draws", draws, 1)
        return tree(prior_groups(self, panel, draws, np.random.default_rng(entropy(random_seed))))

    def fit(
        self,
        panel: Panel,
        *,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        target_accept: float = 0.99,
        sampler: Literal["auto", "slice", "nutpie", "pymc"] = "auto",
        cores: int | None = None,
        random_seed: int | np.random.Generator | np.random.SeedSequence | None = None,
        progressbar: bool | str = True,
        strict: bool = False,
    ) -> "Fit":
        """Sample the posterior of weights, counterfactual and effect.

        Parameters
        ----------
        panel
            The data. What happens from ``start`` on never influences the weights.
        draws, tune, chains
            Posterior draws and discarded earlier ones per chain, and chains.
        target_accept
            Acceptance rate that the step size of nutpie and PyMC aims at; higher is slower and safer.
        sampler
            ``"slice"`` moves weight between pairs of donors by slice sampling: no graph to compile, nothing to tune. It is
            for a Dirichlet prior, normal noise that is a local level, a trend or iid, and outcomes without gaps.
            ``"nutpie"`` (compiled once per structure and process) and ``"pymc"`` (each time) are NUTS on the PyMC model.
            ``"auto"`` is slice where it applies, else nutpie. All sample the same posterior.
        cores
            Chains at a time; None for as many as this process may use. Never changes a result.
        random_seed
            Recorded with the fit, also when not given; the same panel, model, seed and versions give the
            same draws bit for bit on one type of machine.
        progressbar
            As in :func:`pymc.sample`.
        strict
            Whether a fit that has not converged, or was interrupted, is an error instead of a warning and a mark. Either way
            a fit in trouble is first sampled a second time: by NUTS, after divergences, saturated trees or low E-BFMI, with
            smaller steps and twice the tuning; by slices, when R-hat or the effective sample size ask for it, with four times
            the sweeps between draws. The second is kept unless it is worse, and the fit says so.

        Returns
        -------
        Fit
            Draws with their verdict on convergence, in outcome units.

        Raises
        ------
        PriorError
            O009, O010 for options that make no sense.
        SamplingFailed
            S001, S002, S004 when the sampler could not start, crashed, or left no usable draws; S005 when the draws would
            take too much memory; with ``strict`` S003 when they have not converged, S004 when they are partial.

        Warns
        -----
        ConvergenceWarning
            S003 when the draws of the effect or of the noise have not converged, S004 when an interrupt (Ctrl-C) left a
            partial fit.

        Notes
        -----
        An interrupt while the posterior is sampled leaves what is whole: the chains and the common length that hold the
        most draws. One during the donors' refits leaves the intervals calibrated on the refits that were whole if they
        are eight or more, else not calibrated. Either way ``fit.ok`` is False. Nothing further is refitted; a second
        interrupt is a KeyboardInterrupt, as is one before anything was sampled.
        """
        from bayes_synth.fitting import fit_panel

        settings = Settings.checked(
            draws=draws,
            tune=tune,
            chains=chains,
            target_accept=target_accept,
            sampler=sampler,
            cores=cores,
            random_seed=random_seed,
            progressbar=progressbar,
        )
        return fit_panel(self, panel, settings, strict=strict)

    def priors(self, panel: Panel) -> dict[str, str]:
        """The priors in force, in words, by parameter.

        Parameters
        ----------
        panel
            The data, whose scale and number of donors the priors depend on.
        """
        unit = f"x {scaled(self, panel).scale:.4g} {unit_of(self, panel)}"
        noise = self.process.priors().items()
        rows = {n: f"{p}" if n in self.process.unitless else f"{p} {unit}" for n, p in noise}
        weights = as_weights_prior(self.weights).describe(panel.donors)
        integrated = self.process.integrated(unit)
        return {"weights": weights, **rows, **integrated, "kappa": str(self.calibration or "none")}

    @property
    def process(self) -> AbstractNoise:
        """The noise process.

        Raises
        ------
        PriorError
            O006 while it is still to be chosen (``noise="auto"``): the model of a fit has it.
        """
        if isinstance(self.noise, AbstractNoise):
            return self.noise
        raise PriorError(
            "O006", 'noise="auto" is chosen by fit(panel); fit.model then names it. Here, name a process yourself.'
        )

    @property
    def calibration(self) -> Calibration | None:
        """The plan that ``calibrate`` stands for; None when it is False."""
        if isinstance(self.calibrate, Calibration):
            return self.calibrate
        return Calibration() if self.calibrate else None


def structure(model: SyntheticControl, arrays: Mapping[str, np.ndarray]) -> tuple[object, ...]:
    """What decides the compiled code: types, foreign priors, and shapes other than the number of periods."""
    parts = [_identity(part) for part in (model.weights, *model.process.priors().values())]
    return (
        _identity(model.process),
        # Student-t noise has one variable per period, and each gap has one.
        len(arrays["outcome"]) if model.process.heavy else 0,
        arrays["gaps"].shape[1] if "gaps" in arrays else 0,
        *parts,
        arrays["donor_outcomes"].shape[1],
        arrays.get("concentration", np.zeros(0)).ndim,
    )


OURS = (Dirichlet, HalfNormal, Autocorrelation, LocalLevel, LocalLinearTrend, IID, AR1)
"""Specifications whose every number enters the graph as data, so that their type decides the compiled code."""


def _identity(prior: Any) -> object:
    """Equal for priors that make the same graph: our own by type, foreign ones only with themselves."""
    if isinstance(prior, CustomWeights):
        return id(prior.factory)
    return type(prior) if type(prior) in OURS else id(prior)


def data_arrays(model: SyntheticControl, inputs: Inputs, donors: tuple[str, ...], width: int) -> dict[str, np.ndarray]:
    """Every array of the graph by name; equal names and donor widths share one compiled model."""
    prior, pre = as_weights_prior(model.weights), inputs.donor_outcomes[: inputs.periods]
    padded = np.pad(pre, ((0, 0), (0, width - len(donors))))
    seen = ~np.isnan(inputs.outcome)
    series = {"outcome": np.where(seen, inputs.outcome, 0), "donor_outcomes": padded * seen[:, None]}
    if len(inputs.gaps):
        series["gaps"] = np.eye(inputs.periods)[:, inputs.gaps]
    rotated = {name: model.process.rotate(values) for name, values in series.items()}
    return {**rotated, **prior.inputs(donors, width), **model.process.inputs(inputs.periods)}


def build_graph(model: SyntheticControl, inputs: Inputs, donors: tuple[str, ...], width: int) -> "pm.Model":
    """The graph and nothing else."""
    import pymc as pm

    arrays = data_arrays(model, inputs, donors, width)
    labels = [*donors, *(f"(padding {i})" for i in range(width - len(donors)))]
    with pm.Model(coords={"donor": labels}) as graph:
        outcome = pm.Data("outcome", arrays["outcome"])
        donor_outcomes = pm.Data("donor_outcomes", arrays["donor_outcomes"])
        weights = as_weights_prior(model.weights).build(arrays, width)
        residual = outcome - donor_outcomes @ weights
        if "gaps" in arrays:
            residual += pm.Data("gaps", arrays["gaps"]) @ pm.Flat(GAP_RESIDUAL, shape=len(inputs.gaps))
        model.process.build(residual, model.process.inputs(inputs.periods))
    return graph


def task_for(model: SyntheticControl, panel: Panel, *, like: Panel) -> Task:
    """What to sample for this panel, on the compiled model of the panel ``like``, whose donors include its own."""
    prior = as_weights_prior(model.weights)
    if panel.donors != like.donors:
        prior = prior.restricted(like.donors, panel.donors)
        model = replace(model, weights=prior)
    width = prior.width(panel.donors, like.donors)
    inputs = scaled(model, panel)
    arrays = data_arrays(model, inputs, panel.donors, width)
    build = partial(build_graph, model, inputs, panel.donors, width)
    names = ("weights", *model.process.sampled, *([GAP_RESIDUAL] if "gaps" in arrays else []))
    return Task(build, arrays, names, structure(model, arrays), as_regression(model, inputs, panel.donors))


def as_regression(
    model: SyntheticControl, inputs: Inputs, donors: tuple[str, ...]
) -> "Callable[[], Regression] | None":
    """The model in the form of :class:`bayes_synth.pairs.Regression`, made when called; None when it has no such form."""
    prior, noise = as_weights_prior(model.weights), model.process.diagonal(inputs.periods)
    if noise is None or not isinstance(prior, Dirichlet) or len(inputs.gaps):
        return None

    def made() -> "Regression":
        from bayes_synth.pairs import regression

        pre = inputs.donor_outcomes[: inputs.periods]
        return regression(model.process, noise, prior.alpha(donors), inputs.outcome, pre)

    return made


def scaled(model: SyntheticControl, panel: Panel) -> Inputs:
    """The panel as the model sees it: one location and one scale, both from the treated unit's pre-period."""
    measure = outcome_scale(model.scale)
    treated, donors = measure.outcomes(panel)
    pre = treated.to_numpy()
    location, scale = float(pre[~np.isnan(pre)].mean()), robust_scale(pre)
    return Inputs(measure, location, scale, (pre - location) / scale, (donors.to_numpy() - location) / scale)


def unit_of(model: SyntheticControl, panel: Panel) -> str:
    """Name of the outcome on the scale on which it is modelled."""
    return f"{outcome_scale(model.scale).prefix}{panel.outcome}"


def robust_scale(series: np.ndarray) -> float:
    """Scale of a series: robust sd of its first differences, else their sd, else the sd of its levels.

    Differences across a gap are left out; when gaps leave none, the levels are used.
    """
    steps, series = np.diff(series), series[~np.isnan(series)]
    steps = steps[~np.isnan(steps)] if np.isfinite(steps).any() else series[:1] * 0
    candidates = (1.4826 * np.median(np.abs(steps - np.median(steps))), steps.std(), series.std())
    # Steps of 0.1 differ by rounding alone: that is no scale.
    least = ROUNDING * np.abs(series).max()
    return float(next(value for value in candidates if value > least))
