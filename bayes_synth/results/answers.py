"""Every number that one asks of a fit; :mod:`bayes_synth.results.verdicts` has the verdicts.

Nothing here samples, and a fit that was read from a file answers without PyMC.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.model.auxiliary import about
from bayes_synth.model.outcome_scale import outcome_scale
from bayes_synth.results.auxiliary import AUXILIARY_TO, auxiliary_groups
from bayes_synth.results.balance import balance_table
from bayes_synth.results.bands import BandKind
from bayes_synth.results.convergence import diagnose
from bayes_synth.results.effects import Effect, IntervalKind, require_interval
from bayes_synth.results.estimands import ESTIMANDS, effect_draws
from bayes_synth.results.frames import path_frame, summary_row, with_old_row
from bayes_synth.results.verdicts import AbstractVerdicts
from bayes_synth.results.weight_table import weight_table
from bayes_synth.results.windows import Window, effect_of, stored_effects
from bayes_synth.sampling.regression import COEFFICIENTS
from bayes_synth.words import public

__all__ = ["AbstractFit"]


@dataclass(frozen=True, eq=False, repr=False)
class AbstractFit(AbstractVerdicts):
    """Hold a panel, a model and the draws, and answer questions; see :class:`bayes_synth.Fit`."""

    def effect(self, estimand: str = "average", *, window: Window | None = None) -> Effect:
        """Return the posterior of the effect.

        Parameters
        ----------
        estimand
            ``"average"``: per period and treated unit, the mean over the window and over the
            treated units; ``"total"``: summed over the window and over the treated units;
            ``"relative"``: total over the size of the total counterfactual; ``"log_ratio"``: log
            of the total outcome over the total counterfactual, which treats gains and losses
            alike. Paths: ``"pointwise"``: in each period, the mean of the treated units;
            ``"cumulative"``: the running total from the window's first period on, summed over the
            treated units; its last value is the total.
        window
            Part of the post-period by label, ends included, such as ``slice(1990, 1995)``, or a
            list of parts that do not overlap, such as the bursts of a campaign:
            ``[slice("2024-04-01", "2024-04-14"), slice("2024-05-01", None)]``. Text is a date in
            ISO, in the time zone of the data, and means all of what it names: ``slice("2024-04",
            "2024-04")`` is April. What happened after a campaign's end is the effect over
            ``slice(end, None)``. Default: all of the post-period.

        Returns
        -------
        Effect
            Draws with dims ``(chain, draw)``, and ``time`` for a path, in outcome units; ratios are
            pure numbers. With several treated units the measure says whether it is of their mean
            (``per unit, mean of 2``) or of their sum (``sum of 2 units``).

        Raises
        ------
        ResultError
            R002 for a window that has no post-periods or goes beyond them, R004 when a ratio
            means nothing, R005 for an unknown estimand, R033 for windows that overlap.

        Examples
        --------
        >>> fit.effect("total", window=slice(2030, 2033))  # doctest: +ELLIPSIS
        Effect: total, +12.0 sales [+8.2, +15.6] (95% ETI), P(effect > 0) = 0.999, ...
        """
        return effect_of(self.panel, self.idata, estimand, window)

    def summary(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Summarise every effect that is one number, in a row each.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``effect``: average (per period and treated unit), total (summed over periods and
            treated units), cumulative (the running total at its end, which is the total; this row
            goes with version 0.3), relative, log_ratio. Columns mean, median, sd, lower, upper,
            ci_prob, ci_kind, p_below_0, p_above_0, p_two_sided, ess_bulk, ess_tail, r_hat, mcse,
            mcse_lower, mcse_upper and measure (in which the row's numbers are). ``p_two_sided`` is
            twice the smaller of the two probabilities before it, on the scale of two-sided
            p-values; the three mcse are Monte Carlo errors of the mean and of the interval's ends.
            ``attrs["calibration"]`` says what the intervals rest on. The relative effect is a
            fraction. It and the log ratio are left out when they mean nothing (R004). Of the
            relative effect read the median: a ratio's mean may not exist. On the log scale mean,
            sd and mcse are NaN, because the exponential of a Student-t has none.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Examples
        --------
        >>> fit.summary().loc[["average", "total"], ["median", "p_two_sided"]].round(2)
                 median  p_two_sided
        average    3.01          0.0
        total     24.05          0.0
        """
        require_interval(ci_prob, ci_kind)
        effects = self.effects
        names = [name for name in ESTIMANDS if name in effects and not ESTIMANDS[name].path]
        rows = {name: summary_row(self.effect(name), ci_prob, ci_kind) for name in names}
        diagnosed = diagnose(effects[names]).drop(columns="ok")
        table = pd.DataFrame(rows).T.infer_objects().rename_axis("effect")
        ends = table[["mcse_lower", "mcse_upper"]]
        checked = diagnosed[["ess_bulk", "ess_tail", "r_hat", "mcse"]]
        table = pd.concat([table.drop(columns=ends.columns), checked, ends], axis=1)
        table["measure"] = [self.effect(name).measure for name in names]
        if self.model.scale == "log":
            heavy = [name for name in names if name != "log_ratio"]
            table.loc[heavy, ["mean", "sd", "mcse"]] = np.nan
        table = with_old_row(table)
        table.attrs = {"calibration": str(self.calibration)}
        return table

    def weights(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Summarise the donors' weights, the heaviest first.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``donor``; columns mean, sd, lower, upper, ``p_above_1_percent`` (probability
            that the weight exceeds 1 %), ``core`` (member of the smallest set of donors that holds
            80 % of the weight) and ``projected`` (weights of the closest counterfactual on at most
            five donors). ``attrs`` has ``core_probability`` (that the set does hold 80 %),
            ``projection_loss`` (root mean square distance between the two counterfactuals, on the
            model's scale), ``ci_prob`` and ``ci_kind``.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        Similar donors trade weight: the counterfactual is known better than its weights.

        Examples
        --------
        >>> fit.weights()["mean"].head(2).round(1)
        donor
        donor_00    0.6
        donor_01    0.4
        Name: mean, dtype: float64
        """
        donors = outcome_scale(self.model.scale).forward(self.panel.donor_outcomes).to_numpy()
        return weight_table(
            self._draws("posterior", "weights"),
            self.panel.donors,
            donors,
            level=self.model.process.level_sd > 0,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
        )

    def balance(self, *, ci_prob: float = 0.95, ci_kind: IntervalKind = "eti") -> pd.DataFrame:
        """Compare the predictors of the treated unit, of its synthetic control and of the donors.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.

        Returns
        -------
        pandas.DataFrame
            Index ``predictor``; columns ``treated`` (the mean of several), ``synthetic`` (posterior
            mean of the weighted donors), ``lower``, ``upper``, ``donors`` (plain mean) and ``sd``
            (over all units), each in the predictor's own measure. ``attrs`` has the ``times`` that
            each is averaged over.

        Raises
        ------
        ResultError
            P057 when the panel carries no predictors.
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        The draws of the weights say all of it; whether the model has a rule for predictors or not
        does not matter. A level, which the weights may leave to the noise, is no part of it.

        Examples
        --------
        >>> columns = {"unit": "state", "time": "year", "outcome": "sales"}
        >>> known = bs.Panel.from_long(
        ...     df.assign(income=df["sales"] / 2),
        ...     **columns,
        ...     treated="treated",
        ...     start=2030,
        ...     predictors=bs.Predictors(["income"]),
        ... )
        >>> bs.testing.fake_fit(panel=known).balance().columns.tolist()
        ['treated', 'synthetic', 'lower', 'upper', 'donors', 'sd']
        """
        return balance_table(self._draws("posterior", "weights"), self.panel, ci_prob, ci_kind)

    @property
    def effects(self) -> xr.Dataset:
        """Draws of every estimand that these data allow, by name.

        An estimand that was declared after the fit was made or saved is computed now.

        Examples
        --------
        >>> sorted(fit.effects.data_vars)
        ['average', 'cumulative', 'log_ratio', 'pointwise', 'relative', 'total']
        """
        stored = stored_effects(self.idata)
        if set(ESTIMANDS) <= set(stored):
            return stored
        observed = self._draws("predictions_constant_data", "outcome")
        counterfactual = self._draws("predictions", "counterfactual")
        computed = effect_draws(observed, counterfactual, units=len(self.panel.treated))
        return computed.assign(dict(stored.data_vars))

    @cached_property
    def auxiliary(self) -> dict[str, Self]:
        """Return a fit of every auxiliary outcome, by name; empty where the panel carries none.

        Its draws have the weights of this fit and noise, calibration and effects of its own, in its
        own measure. Draws of the noise to come are independent between outcomes.

        Examples
        --------
        >>> fit.auxiliary
        {}
        """
        return {
            name: replace(self, panel=about(self.panel, name), idata=_marked(group, self.panel))
            for name, group in auxiliary_groups(self.idata).items()
        }

    @property
    def synthetic(self) -> xr.DataArray:
        """Return donors @ weights plus the constant level over all times: no noise, no drift.

        What covariates explain is part of it. Dims ``(chain, draw, time)``, outcome units.

        Examples
        --------
        >>> fit.synthetic.dims
        ('chain', 'draw', 'time')
        """
        weights, level = self._draws("posterior", "weights"), self._draws("posterior", "level")
        scale = outcome_scale(self.model.scale)
        weighted: xr.DataArray = xr.dot(
            scale.forward(self.panel.donor_outcomes), weights, dim="donor"
        )
        if self.problem.covariates is not None:
            weighted = weighted + self._explained(weights)
        synthetic: xr.DataArray = scale.back(weighted + level)
        return synthetic.transpose("chain", "draw", "time").rename("synthetic")

    def _explained(self, weights: xr.DataArray) -> xr.DataArray:
        """Return what covariates explain of treated minus weighted donors, on the model's scale."""
        panel = self.panel
        assert panel.covariates is not None
        donors = panel.covariates.of(panel.donors).rename(unit="donor")
        apart = panel.covariates.of(panel.treated).mean("unit") - xr.dot(
            donors, weights, dim="donor"
        )
        coefficients = self._draws("posterior", COEFFICIENTS)
        explained: xr.DataArray = xr.dot(coefficients, apart, dim="covariate")
        return explained

    @property
    def counterfactual(self) -> xr.DataArray:
        """Return the outcome without treatment, noise included, over all times.

        Dims ``(chain, draw, time)``, outcome units: replicates before ``start``, predictions from
        then on.

        Examples
        --------
        >>> fit.counterfactual.dims
        ('chain', 'draw', 'time')
        """
        parts = [
            self.idata["posterior_predictive"]["outcome"],
            self.idata["predictions"]["counterfactual"],
        ]
        return xr.concat([part.rename("counterfactual") for part in parts], dim="time")

    def to_frame(
        self,
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        band: BandKind = "none",
    ) -> pd.DataFrame:
        """Return what the plots show as numbers, one row per time.

        Parameters
        ----------
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.
        band
            ``"simultaneous"`` adds bands that hold the whole path from ``start`` on with
            probability ``ci_prob``; ``"none"`` does not.

        Returns
        -------
        pandas.DataFrame
            Index: times. Columns ``period`` (pre, post), ``observed``, ``synthetic`` (median),
            ``gap`` (observed minus synthetic), and median, lower and upper of ``counterfactual``,
            ``effect`` (observed minus counterfactual) and, from ``start`` on, ``cumulative``, all
            in outcome units; with a band also ``effect_band_lower``, ``effect_band_upper``,
            ``cumulative_band_lower`` and ``cumulative_band_upper``. Before ``start`` the effect is
            observed minus replicate. With several treated units everything is of their mean, but
            ``cumulative`` is summed over them; ``attrs["measures"]`` says so of each, and
            ``attrs["bands"]`` what each band holds.

        Raises
        ------
        OptionError
            O004 for a probability outside (0, 1), O001 for an unknown kind.

        Notes
        -----
        Gap and effect are two questions. The synthetic outcome is what the weighted donors and the
        level give, without noise and drift: the classical picture, whose gap before ``start`` shows
        how well the donors fit. The counterfactual is what would have been seen: forecasts carry
        noise and drift on, so the effect may be smaller than the gap, and before ``start``, where
        it is observed minus a replicate, it is near zero by construction. Intervals and
        probabilities are about the effect.

        Examples
        --------
        >>> fit.to_frame()[["observed", "synthetic", "gap"]].tail(2).round(0)
              observed  synthetic  gap
        time
        2036     108.0      105.0  3.0
        2037     108.0      104.0  3.0
        """
        paths = {"effect": self.effect("pointwise"), "cumulative": self.effect("cumulative")}
        return path_frame(
            self.panel,
            self.synthetic,
            self.counterfactual,
            paths,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
            band=band,
        )

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    @abstractmethod
    def __repr__(self) -> str:
        """Tell the result in one screen."""


def _marked(group: xr.DataTree, panel: Panel) -> xr.DataTree:
    """Return a tree of its own, which names the main outcome that its own one is auxiliary to."""
    own = group.copy()
    own.attrs = {AUXILIARY_TO: panel.outcome}
    return own
