"""A model and a panel, prepared once: whatever samples, labels or checks reads the same arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self, final

import numpy as np

from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import require_periods, require_varies
from bayes_synth.errors import OptionError
from bayes_synth.model.auxiliary import alone, require_shareable
from bayes_synth.model.calendar import NO_CALENDAR, Columns, columns_of
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.covariates import CovariateSeries, covariates_of
from bayes_synth.model.graph import (
    MISSING_RESIDUAL,
    build_graph,
    data_arrays,
    match_rows,
    structure,
)
from bayes_synth.model.inputs import Inputs, inputs_of
from bayes_synth.model.observed_graph import observed_graph
from bayes_synth.model.outcome_scale import outcome_name, outcome_scale
from bayes_synth.model.predictors import Traits
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import AbstractNoise
from bayes_synth.noise.columns import WithColumns
from bayes_synth.priors import AbstractWeightsPrior, Dirichlet
from bayes_synth.sampling.regression import (
    COEFFICIENTS,
    Covariates,
    Regression,
    Rows,
    regression,
    with_outcomes,
)
from bayes_synth.sampling.task import AbstractTask
from bayes_synth.words import listed

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["Problem"]


@final
@dataclass(frozen=True, eq=False)
class Problem(AbstractTask):
    """A model with its data as arrays, ready to be sampled; build one with :meth:`of`.

    Parameters
    ----------
    model
        The specification; its prior on weights is the one on these donors.
    donors
        Labels of the donors.
    treated, donor_outcomes
        Series in outcome units, dims ``(time,)`` and ``(time, donor)``; the treated one is NaN
        where it is missing.
    inputs
        The same series in typical steps, the treated one before ``start`` only.
    pool
        Donors whose compiled model is shared; they include these.
    make_panel
        Makes the panel with its labels, when it is needed.
    calendar
        The columns of the model's calendars over all times.
    traits
        The predictors of the treated unit and of the donors, if the model uses them.
    covariates
        Their series, if the panel carries any and the model uses them.
    auxiliary
        The problems of the auxiliary outcomes, which share the weights.
    """

    model: AbstractSyntheticControl
    donors: tuple[str, ...]
    treated: np.ndarray
    donor_outcomes: np.ndarray
    inputs: Inputs
    pool: tuple[str, ...]
    make_panel: Callable[[], Panel] = field(repr=False)
    calendar: Columns = NO_CALENDAR
    traits: Traits | None = None
    covariates: CovariateSeries | None = None
    auxiliary: tuple["Problem", ...] = ()

    @classmethod
    def of(
        cls, model: AbstractSyntheticControl, panel: Panel, *, pool: Sequence[str] | None = None
    ) -> Self:
        """Prepare a panel.

        ``pool`` are the donors of another panel; if they include this panel's donors, its compiled
        model is shared.

        Raises
        ------
        PanelError
            V013 for outcomes that have no logarithm, when they are modelled on that scale.
        OptionError
            O091 when the panel's times have no such calendar, O084 when the model has a rule for
            predictors and the panel has none.
        PriorError
            O111 when the prior on coefficients does not name every covariate.
        DesignError
            D074 to D076 for what cannot be fitted with auxiliary outcomes.
        """
        require_shareable(model, panel)
        names = panel.auxiliary.names if panel.auxiliary else ()
        others = tuple(cls.of(model, alone(panel, name), pool=pool) for name in names)
        scale, donors = outcome_scale(model.scale), panel.donors
        treated = panel.treated_outcome.to_numpy()
        outcomes = np.asfortranarray(panel.donor_outcomes.to_numpy())
        pre = treated[: len(panel.pre)]
        scale.require_range(pre, outcomes, list(donors))
        shared = tuple(pool) if pool is not None and set(donors) <= set(pool) else donors
        if shared != donors:
            model = replace(model, weights=model.prior.restricted(shared, donors))
        inputs = inputs_of(scale, scale.forward(pre), scale.forward(outcomes))
        calendar = columns_of(model.calendars, panel.times)
        more = _traits(model, panel), covariates_of(panel, model.covariates), others
        return cls(model, donors, treated, outcomes, inputs, shared, lambda: panel, calendar, *more)

    @cached_property
    def panel(self) -> Panel:
        """The data with their labels."""
        return self.make_panel()

    @property
    def observed(self) -> np.ndarray:
        """The treated outcome from ``start`` on, in outcome units, dims ``(post,)``, or NaN."""
        return self.treated[self.inputs.periods :]

    def as_if_treated(self, chosen: Sequence[str]) -> Self:
        """Return the problem in which these donors are the treated units.

        It equals, bit for bit, the one of :meth:`bayes_synth.Panel.as_if_treated`, but no panel is
        made for it.

        Raises
        ------
        DesignError
            D014 when no donor would be left, V004 when the chosen ones are constant before
            ``start``.
        """
        at = [self.donors.index(label) for label in chosen]
        keep = [j for j in range(len(self.donors)) if j not in at]
        treated = self.donor_outcomes[:, at].mean(1)
        treated[np.isnan(self.treated)] = np.nan
        pre, seen = treated[: self.inputs.periods], np.isfinite(treated)
        require_periods(
            len(keep), int(seen[: len(pre)].sum()), int(seen[len(pre) :].sum()), self.panel.start
        )
        require_varies(pre[seen[: len(pre)]])
        scale, donors = self.inputs.scale, tuple(self.donors[j] for j in keep)
        raw = np.asfortranarray(self.donor_outcomes[:, keep])
        inputs = inputs_of(scale, scale.forward(pre), scale.forward(raw))
        model = replace(self.model, weights=self.model.prior.restricted(self.donors, donors))
        origin = self.make_panel
        return type(self)(
            model,
            donors,
            treated,
            raw,
            inputs,
            self.pool,
            lambda: origin().as_if_treated(tuple(chosen)),
            self.calendar,
            self.traits and self.traits.as_if_treated(at, keep),
            self.covariates and self.covariates.as_if_treated(at, keep),
            tuple(each.as_if_treated(chosen) for each in self.auxiliary),
        )

    def given(self, coefficients: np.ndarray) -> Self:
        """Return the problem in which covariates have these coefficients, in prior sds.

        Its series in typical steps lose what the covariates explain, and it has no covariates.
        """
        if self.covariates is None:
            return self
        inputs, scaled = self.inputs, self.covariates.scaled
        outcome = inputs.outcome - coefficients @ scaled.treated[:, : inputs.periods]
        explained = np.tensordot(coefficients, scaled.donors, 1).T
        donors = np.asfortranarray(inputs.donor_outcomes - explained)
        inputs = inputs._replace(outcome=outcome, donor_outcomes=donors)
        return replace(self, inputs=inputs, covariates=None)

    def narrowed(self, factor: float) -> Self | None:
        """Multiply the prior sd of ``q`` by a factor; None where the noise has no such prior."""
        process = self.model.process.narrowed(factor)
        if process is None or factor == 1:
            return self if factor == 1 else None
        return replace(self, model=replace(self.model, noise=process))

    def factors(self, plan: Calibration | None) -> tuple[float, ...]:
        """Return the factors on the prior sd of ``q`` that the donors' errors are to weigh."""
        if plan is None or self.narrowed(plan.q_factors[0]) is None:
            return (1.0,)
        return plan.q_factors

    @cached_property
    def process(self) -> AbstractNoise:
        """The noise process, with the columns of the calendars if the model has any."""
        process = self.model.process
        return WithColumns(process, self.calendar.values) if self.calendar.labels else process

    @cached_property
    def prior(self) -> AbstractWeightsPrior:
        """The prior on the weights, as the predictors change it."""
        rule, prior = self.model.predictors, self.model.prior
        if rule is None or self.traits is None:
            return prior
        return rule.prior(prior, self.donors, self.traits.apart)

    @cached_property
    def rows(self) -> Rows | None:
        """What is matched beside the outcomes: the predictors, if the model has such a rule."""
        rule = self.model.predictors
        return None if rule is None or self.traits is None else rule.rows(self.traits.apart)

    @property
    def width(self) -> int:
        """Length of the graph's ``donor`` dim."""
        return self.prior.width(self.donors, self.pool)

    def parameter_unit(self, name: str) -> float:
        """Return the factor that brings a parameter of the noise to the model's scale."""
        return 1.0 if name in self.model.process.unitless else self.inputs.step

    @property
    def priors(self) -> dict[str, str]:
        """The priors in force, in words, by parameter."""
        model, process = self.model, self.model.process
        measure = f"x {self.inputs.step:.4g} {outcome_name(model.scale, self.panel.outcome)}"
        rows = {
            n: f"{p}" if n in process.unitless else f"{p} {measure}"
            for n, p in process.priors().items()
        }
        weights, integrated = self.prior.describe(self.donors), process.integrated(measure)
        if model.predictors is not None:
            rows["predictors"] = model.predictors.describe()
        if self.covariates is not None:
            names = listed(self.covariates.names)
            rows[COEFFICIENTS] = f"{model.covariates} typical steps per typical step of {names}"
        integrated |= {c.describe(): f"Normal(0, {c.sd:g}) {measure}" for c in model.calendars}
        others = {
            f"{name} of {each.panel.outcome}": text
            for each in self.auxiliary
            for name, text in each.priors.items()
            if name not in ("weights", "predictors", "kappa")
        }
        kappa = {"kappa": str(model.calibration or "none")}
        return {"weights": weights, **rows, **integrated, **others, **kappa}

    def observed_graph(self) -> "pm.Model":
        """Build the PyMC model as its users write one: with an observed outcome."""
        model, times = self.model, self.panel.pre
        graph = observed_graph(
            self.prior,
            self.process,
            self.inputs,
            model.scale,
            self.donors,
            times,
            self.covariates,
            {each.panel.outcome: (each.process, each.inputs) for each in self.auxiliary},
        )
        if self.rows is not None:
            with graph:
                match_rows(graph["weights"], self.rows.treated, self.rows.donors)
        return graph

    def build(self) -> "pm.Model":
        """Build the PyMC model that samplers compile."""
        parts = self.prior, self.process, self.inputs
        return build_graph(*parts, self.donors, self.width, self.rows, self._before)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Every array of the graph by name."""
        parts = self.prior, self.process, self.inputs
        return data_arrays(*parts, self.donors, self.width, self.rows, self._before)

    @property
    def _before(self) -> Covariates | None:
        """The scaled covariates before ``start``."""
        return None if self.covariates is None else self.covariates.before

    @property
    def names(self) -> tuple[str, ...]:
        """The variables to store."""
        extra = (MISSING_RESIDUAL,) if len(self.inputs.missing) else ()
        known = () if self.covariates is None else (COEFFICIENTS,)
        return ("weights", *self.model.process.sampled, *extra, *known)

    @cached_property
    def structure(self) -> object:
        """The key under which the compiled graph is shared."""
        return structure(self.prior, self.process, self.arrays)

    @cached_property
    def regression(self) -> Regression | None:
        """The model as the slice sampler takes it; None when it has no such form."""
        prior, noise = self.prior, self.process.diagonal(self.inputs.periods)
        if noise is None or not isinstance(prior, Dirichlet) or len(self.inputs.missing):
            return None
        pre = self.inputs.donor_outcomes[: self.inputs.periods]
        alpha, limits = prior.alpha(self.donors), prior.limits(self.donors)
        more = self.rows, limits, self._before
        main = regression(self.process, noise, alpha, self.inputs.outcome, pre, *more)
        others = [each.regression for each in self.auxiliary]
        return with_outcomes(main, [each for each in others if each is not None])


def _traits(model: AbstractSyntheticControl, panel: Panel) -> Traits | None:
    """Return the panel's predictors if the model uses them."""
    if model.predictors is None:
        return None
    if panel.predictors is None:
        raise OptionError(
            "O084",
            "the model has a rule for predictors, but the panel carries none; name them when it "
            "is read: bs.Panel.from_long(..., predictors=bs.Predictors([...])).",
        )
    treated, donors = (panel.predictors.of(units) for units in (panel.treated, panel.donors))
    return Traits(panel.predictors.names, treated.mean("unit").to_numpy(), donors.to_numpy())
