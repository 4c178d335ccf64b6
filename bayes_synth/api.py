"""SyntheticControl, Fit and load: what a user types.

Each method calls one function of a wing, which knows the abstract classes only; nothing here
computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, final, overload

import numpy as np
import xarray as xr

from bayes_synth.data.abstract_study import AbstractStudy
from bayes_synth.data.history import AbstractHistory, PlanOptions
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PlanError
from bayes_synth.fitting.extend import Posteriors, extended, remembered
from bayes_synth.fitting.fit_panel import fit_panel
from bayes_synth.fitting.from_draws import fit_of_draws
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.registry import saved
from bayes_synth.report.headline import headline
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.results.groups import prior_groups, tree
from bayes_synth.results.windows import Window
from bayes_synth.sampling.settings import Sampler, Settings, Size, entropy, require_count
from bayes_synth.storage.save import read, save
from bayes_synth.words import listed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pymc as pm
    from arviz_plots import PlotCollection

    from bayes_synth.checks.result import Checks
    from bayes_synth.plots.look import CanvasOptions, PathOptions
    from bayes_synth.report.export import DrawsFormat
    from bayes_synth.report.render import Kind

__all__ = ["Fit", "SyntheticControl", "load"]


class FitOptions(TypedDict, total=False):
    """What :meth:`SyntheticControl.fit` takes beside the data; its signature has the defaults."""

    draws: int
    tune: int
    chains: int
    target_accept: float
    sampler: Sampler
    cores: int | None
    random_seed: int | np.random.Generator | np.random.SeedSequence | None
    progressbar: bool | str
    strict: bool


class StudyFitOptions(FitOptions, total=False):
    """What :meth:`SyntheticControl.fit` takes beside a study."""

    backend: str | None
    n_jobs: int | None
    store: str | PathLike[str] | None


@saved()
@final
@dataclass(frozen=True)
class SyntheticControl(AbstractSyntheticControl):
    r"""Specify a Bayesian synthetic control: priors, noise, calibration and scale.

    Before the treatment the outcome of the treated unit in period t is modelled as

    .. math:: y_t = \sum_j w_j x_{jt} + a + u_t, \qquad w_j \ge 0, \quad \sum_j w_j = 1,

    with the outcomes x of the donors, their weights w, a constant level a, which is integrated
    out, and noise u. From ``start`` on, the posterior predictive of the right-hand side is the
    counterfactual, and the observed outcome minus the counterfactual is the effect.

    Parameters
    ----------
    weights
        Prior on the donor weights, such as ``bs.priors.Dirichlet(effective_donors=4)``, or any
        object with the method ``create_variable`` of pymc-extras' priors.
    noise
        Process of the noise: how it behaves before the treatment decides how uncertain the
        counterfactual is after it. ``"auto"`` chooses the process that forecasts donors best in
        held-out periods before the treatment when the model is fitted, and the fit says which;
        this refits the model up to 96 times.
    calibrate
        Whether to widen or narrow the intervals by how far forecasts of the donors' own synthetic
        controls miss; a :class:`bayes_synth.Calibration` says how. With False the intervals rest
        on the model alone.
    scale
        ``"linear"``, or ``"log"`` for outcomes that grow in proportion: the weights then average
        logarithms; or ``"sqrt"`` for counts with zeros: they average square roots, of the outcome
        plus 3/8, and the counterfactual is never below zero. ``"auto"`` chooses between linear and
        log, the one under which the donors' realised errors are more probable when the model is
        fitted, and the fit says which; this refits every donor on both. Effects are in outcome
        units on every scale (the relative effect is a fraction); on the log scale the noise
        parameters ``s`` and ``q`` and the level are in log units, on the square-root scale in
        square-root units.

    Raises
    ------
    PriorError
        O006 unless ``weights`` is a prior and ``noise`` a noise process or ``"auto"``.
    OptionError
        O001 for another value of ``calibrate`` or ``scale``; O016 for ``scale="auto"`` with
        ``calibrate=False``, which leaves nothing to choose by.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105(490), eq. 1 and section 2.3.
    Ferman and Pinto (2021), Quantitative Economics 12(4), for the free level.

    Examples
    --------
    >>> model = bs.SyntheticControl(
    ...     weights=bs.priors.Dirichlet(effective_donors=3), noise=bs.noise.IID()
    ... )
    >>> model.priors(panel)["weights"]
    'Dirichlet(0.667), expects 3 effective donors of 6'
    """

    def build(self, panel: Panel) -> "pm.Model":
        """Build the PyMC model of the panel's pre-period, without sampling it.

        Parameters
        ----------
        panel
            The data. Outcomes from ``start`` on are not part of the model.

        Returns
        -------
        pymc.Model
            Has ``weights`` (dim ``donor``), the noise's standard deviations in outcome units (in
            log units with ``scale="log"``), ``synthetic`` (donors @ weights, dim ``pre_period``)
            and the observed ``outcome`` (dim ``time``: the pre-periods that have one). The level,
            the slope and the deviations of calendars are integrated out of its law. Everything
            that PyMC does to a model works: ``pm.sample_prior_predictive``, ``pm.sample``,
            ``pm.sample_posterior_predictive``, ``pm.compute_log_likelihood``,
            ``pm.model_to_graphviz``, ``pm.do``; :meth:`Fit.from_idata` makes a fit of the draws.

        Raises
        ------
        PriorError
            O002, O015 when the prior does not fit these donors, O006 while the noise is still
            ``"auto"``.
        OptionError
            O017 while the scale is still ``"auto"``.

        Examples
        --------
        >>> graph = model.build(panel)  # a PyMC model
        >>> len(graph.observed_RVs), len(graph.coords["donor"])
        (1, 6)
        """
        return Problem.of(self, panel).observed_graph()

    def prior_predictive(
        self, panel: Panel, *, draws: int = 1000, random_seed: int | None = None
    ) -> xr.DataTree:
        """Draw from the prior, and from the pre-period that it implies.

        Parameters
        ----------
        panel
            The data; only its pre-period is used.
        draws
            Number of independent draws.
        random_seed
            A whole number; None for a fresh one.

        Returns
        -------
        xarray.DataTree
            Groups ``prior`` (weights, dims ``(chain, draw, donor)``, and noise parameters, dims
            ``(chain, draw)``, in outcome units), ``prior_predictive`` (``outcome``, dims
            ``(chain, draw, time)``, in outcome units) and ``observed_data``. A free level has no
            prior: each path is then centred on the observed pre-period mean.

        Raises
        ------
        OptionError
            O010 unless ``draws`` is at least 1, O009 unless ``random_seed`` is a seed, O017
            while the scale is still ``"auto"``.
        PriorError
            O002, O015 when the prior does not fit these donors, O006 while the noise is still
            ``"auto"``.

        Examples
        --------
        >>> prior = model.prior_predictive(panel, draws=50, random_seed=1)
        >>> prior["prior"]["weights"].sizes["draw"]
        50
        """
        require_count("draws", draws, 1)
        rng = np.random.default_rng(entropy(random_seed))
        return tree(prior_groups(Problem.of(self, panel), draws, rng))

    @overload
    def fit(self, panel: Panel, **options: Unpack[FitOptions]) -> "Fit": ...

    @overload
    def fit[Joint](
        self, panel: AbstractStudy[Joint], **options: Unpack[StudyFitOptions]
    ) -> Joint: ...

    def fit(
        self,
        panel: Panel | AbstractStudy[Any],
        *,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        target_accept: float = 0.99,
        sampler: Sampler = "auto",
        cores: int | None = None,
        random_seed: int | np.random.Generator | np.random.SeedSequence | None = None,
        progressbar: bool | str = True,
        strict: bool = False,
        backend: str | None = None,
        n_jobs: int | None = None,
        store: str | PathLike[str] | None = None,
    ) -> "Fit | Any":
        """Sample the posterior of weights, counterfactual and effect.

        Parameters
        ----------
        panel
            The data, or a :class:`bayes_synth.Study` of several treated units, which are fitted
            jointly. Outcomes from ``start`` on never influence the weights.
        draws, tune, chains
            Posterior draws per chain, steps per chain that are discarded before them, and chains.
        target_accept
            Acceptance rate that the step size of nutpie and PyMC aims at; higher is slower and
            safer.
        sampler
            ``"slice"`` moves weight between pairs of donors by slice sampling: it compiles no graph
            and tunes nothing. It needs a Dirichlet prior, normal noise that is a local level, a
            trend or iid, and a treated unit without missing outcomes. ``"nutpie"`` (compiled once
            per structure and process) and ``"pymc"`` (compiled each time) are NUTS on the PyMC
            model. ``"auto"`` is ``"slice"`` where it applies, else ``"nutpie"``. All sample the
            same posterior.
        cores
            Chains that run at a time; None for as many as this process may use. Never changes a
            result.
        random_seed
            Seed of all draws, recorded with the fit, also when a fresh one is chosen for None. The
            same panel, model, seed and versions give the same draws bit for bit on one type of
            machine.
        progressbar
            As in :func:`pymc.sample`.
        strict
            What to do when sampling has not converged. The fit is first repeated once with safer
            settings and the better attempt kept. If that is not enough, ``False`` returns it with
            a warning and ``fit.converged == False``; ``True`` raises. An interrupted fit is treated
            likewise. See Notes for when an attempt is repeated.
        backend, n_jobs
            Of a study: where its placebo sets are refitted and its units sampled, as in
            :func:`bayes_synth.fit_many`: processes, Dask or Ray. None for both, outside of
            ``joblib.parallel_config(...)``: threads of this process. Never change a result.
        store
            Of a study: a folder of its own that keeps what was sampled, so that a run that was
            killed goes on from there, with the same result bit for bit. Without ``random_seed`` it
            goes on with the folder's.

        Returns
        -------
        Fit or JointFit
            The draws in outcome units, with their verdict on convergence; of a study the
            :class:`bayes_synth.JointFit` of all its units.

        Raises
        ------
        OptionError
            O001 unless ``panel`` is a Panel or a Study and ``sampler`` can sample this model, and
            for an unknown ``backend``, or one, or a ``store``, for a single unit; O009 unless
            ``random_seed`` is a seed, O010 for a count or a rate that is out of range, O055 for a
            backend that cannot be used here.
        LoadError
            L001, L002 and L008 for a ``store`` that is damaged, or belongs to another study, model,
            seed or version.
        PriorError
            O002, O015 when the prior does not fit these donors; O006 when ``noise="auto"`` has too
            few donors to choose by.
        DesignError
            D004 when ``noise="auto"`` has too few pre-periods to hold some out.
        SamplingFailed
            S001 when the sampler could not start, S002 when it crashed, S004 when it left no usable
            draws, S005 when the draws would take too much memory; with ``strict=True`` S003 when
            they have not converged, S004 when they are partial.

        Warns
        -----
        ConvergenceWarning
            S003 when the draws of the effect or of the noise have not converged, S004 when an
            interrupt (Ctrl-C) left a partial fit.

        Notes
        -----
        NUTS is repeated after divergences, saturated trees or a low E-BFMI, with smaller steps and
        twice the tuning; the slice sampler when R-hat or the effective sample size ask for it, with
        four times the sweeps between draws. Of two equal attempts the second is kept, and the fit
        says so.

        Ctrl-C during sampling returns the draws completed so far: the chains and the common length
        that hold the most draws. Ctrl-C during calibration uses the donors refitted so far if there
        are at least eight; otherwise the intervals are not calibrated. Either way
        ``fit.converged`` is False and nothing further is refitted. A second Ctrl-C, or one before
        anything was sampled, is a KeyboardInterrupt.

        Examples
        --------
        >>> quick = bs.SyntheticControl(calibrate=False)
        >>> fit = quick.fit(panel, draws=500, tune=200, random_seed=1, progressbar=False)
        >>> fit.effect("average").probability(above=0) > 0.9
        True
        """
        settings = Settings.checked(
            Size(draws, tune, chains, target_accept),
            sampler=sampler,
            cores=cores,
            random_seed=random_seed,
            progressbar=progressbar,
        )
        asked: dict[str, Any] = {"backend": backend, "n_jobs": n_jobs, "store": store}
        if isinstance(panel, AbstractStudy):
            seeded = asked | {"random_seed": random_seed}
            return panel.fitted_by(self, settings, strict=strict, asked=seeded)
        _require_nothing_of_a_study(asked)
        return self._fit_one(panel, settings, strict=strict)

    def _fit_one(self, panel: Panel, settings: Settings, *, strict: bool) -> "Fit":
        posteriors = Posteriors()
        fitted = fit_panel(self, panel, settings, strict=strict, draw=posteriors.sample)
        return remembered(Fit(panel, *fitted), posteriors)

    def plan(
        self,
        history: AbstractHistory,
        treated: str | Sequence[str],
        *,
        periods: int | Sequence[int],
        effect: Any = None,
        rule: Any = None,
        random_seed: int | None = None,
        **options: Unpack[PlanOptions],
    ) -> Any:
        """Plan a test: say what this model could find if these units were treated.

        Past windows are treated as if they were the test, and judged by this model with the
        calibration that a fit would have.

        Parameters
        ----------
        history
            The data before the test, a :class:`bayes_synth.History`.
        treated
            Label or labels of the units that will be treated.
        periods
            Length of the test, or several; at most a third of the history.
        effect
            The effect that one hopes to find, such as 0.05 for 5 % (negative for losses), several
            of them, or a prior on it with ``cdf`` and ``ppf``, such as
            ``scipy.stats.norm(0.05, 0.02)``. None: only what can be said without.
        rule
            How the test will be judged: one of :mod:`bayes_synth.rules`; None for
            ``bs.rules.Interval(0.95)``.
        random_seed
            As in :meth:`fit`.
        **options
            ``starts`` (``"auto"``: up to seven past windows; a number, or labels),
            ``never_donors``, ``additive`` (effects in outcome units), ``draws``, ``tune``,
            ``chains``, ``sampler``, ``cores`` and ``progressbar`` as in :meth:`fit`; by default 500
            draws in each of 2 chains. ``backend``, ``n_jobs`` and ``store`` (a folder from which an
            interrupted plan goes on) as in :func:`bayes_synth.fit_many`; a past start is one task.

        Returns
        -------
        Plan
            Power, detectable effect, width, false positives and the fit before the test.

        Raises
        ------
        PlanError
            H001 for unknown units, H004 and H005 for lengths and starts that the history cannot
            judge, H006 for a rule that is none, H007 for an effect that is none, H008 for something
            that is no history, H009 for units with two roles, H010 for shares of an outcome of zero
            or less, H011 for a history that ends inside an earlier test, H033 for a rule that no
            outcome satisfies, H034 when there is too little memory.
        OptionError
            O061 for an unknown option, O001 and O055 for a backend that is unknown or cannot be
            used, else as in :meth:`fit`.
        LoadError
            L001 for a damaged file in ``store``.
        DesignError
            D014 when no donor is left, V004 when the treated series is constant.

        Warns
        -----
        PlanWarning
            H020 when there is only one past window, H021 when kappa rests on its prior, H024 when
            a pretend test has not settled.

        Examples
        --------
        >>> few = dict(draws=60, tune=60, starts=2, progressbar=False)
        >>> calibration = bs.Calibration(draws=60, tune=60, q_factors=(1.0,))
        >>> plan = bs.SyntheticControl(calibrate=calibration).plan(
        ...     history, ["u00"], periods=7, effect=0.05, random_seed=1, **few
        ... )
        >>> plan.table.columns[:4].tolist()
        ['starts', 'independent', 'effect', 'power']
        """
        if not isinstance(history, AbstractHistory):
            raise _no_history(history)
        request = {"periods": periods, "effect": effect, "rule": rule, "random_seed": random_seed}
        return history.planned(self, treated, request | dict(options))

    def priors(self, panel: Panel) -> dict[str, str]:
        """Put the priors in force into words.

        Parameters
        ----------
        panel
            The data, on whose typical step and number of donors the priors depend.

        Returns
        -------
        dict
            Text by parameter, such as ``HalfNormal(1) x 2.5 sales``; on the log scale in log units.

        Examples
        --------
        >>> for name, prior in model.priors(panel).items():
        ...     print(name, "~", prior)
        weights ~ Dirichlet(1), expects 3.5 effective donors of 6
        s ~ HalfNormal(1) x 1.065 sales
        q ~ HalfNormal(0.5) x 1.065 sales
        level ~ Normal(0, 4) x 1.065 sales
        kappa ~ LogNormal(0, 1), Student-t with learnt tails
        """
        return Problem.of(self, panel).priors


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit(AbstractFit):
    """Answer questions about the posterior of one synthetic control.

    :meth:`SyntheticControl.fit` and :func:`load` return it. Every answer is read off the same
    draws, so that no two can contradict each other.

    Parameters
    ----------
    panel
        The data that were fitted.
    model
        The model that was fitted; its noise and its scale are the chosen ones where they were
        ``"auto"``.
    idata
        All draws in the ArviZ schema, in outcome units, dims ``(chain, draw, ...)``, for
        ``az.summary``, ``az.loo`` and ArviZ's plots. Groups: ``posterior``, ``sample_stats``,
        ``posterior_predictive`` (pre-period), ``predictions`` (``counterfactual``), ``effects``,
        ``log_likelihood`` (not with Student-t noise), ``log_prior``, ``prior``,
        ``prior_predictive``, ``predictions_uncalibrated`` and ``calibration`` (not with
        ``calibrate=False``), ``noise_scores`` (with ``noise="auto"``), ``scale_scores``
        (with ``scale="auto"``), ``observed_data``, ``constant_data``,
        ``predictions_constant_data``.
    record
        How the fit was made: settings, seed, attempts, interrupts, warnings and versions.

    Notes
    -----
    An effect is causal only if no donor was affected by the treatment and nothing else happened to
    the treated unit alone from ``start`` on (Abadie 2021, JEL 59(2), section 5); see
    :func:`bayes_synth.checks.run` for what can be checked.

    Examples
    --------
    >>> fit.effect("average").median() > 2
    True
    >>> fit.converged, fit.alarms
    (True, ())
    """

    def plot(
        self,
        *,
        panels: Sequence[str] = ("path", "effect", "cumulative"),
        window: slice | None = None,
        donors: bool = True,
        ci_probs: Sequence[float] = (0.5, 0.95),
        ci_kind: IntervalKind = "eti",
        backend: str | None = None,
        **options: "Unpack[PathOptions]",
    ) -> "PlotCollection":
        """Plot observed and counterfactual, the effect per period, and the cumulative effect.

        Parameters
        ----------
        panels, window, donors, ci_probs, ci_kind, backend, **options
            See :func:`bayes_synth.plots.plot_fit`, also for errors; the last are ``band``
            (``"none"``, ``"simultaneous"``), ``title``, ``labels``, ``figsize``, ``size``
            (``"screen"``, ``"slide"``, ``"paper"``), ``theme`` (``"light"``, ``"dark"``),
            ``visuals``, ``plot_collection`` and ``figure_kwargs``.

        Returns
        -------
        arviz_plots.PlotCollection
            Panels over time, in outcome units; ``savefig`` and ``show`` as in ArviZ.

        Examples
        --------
        >>> figure = fit.plot(panels=("path", "effect"), title="Sales since the campaign")
        """
        from bayes_synth.plots.fit import plot_fit

        return plot_fit(
            self,
            panels=panels,
            window=window,
            donors=donors,
            ci_probs=ci_probs,
            ci_kind=ci_kind,
            backend=backend,
            **options,
        )

    def plot_effect(
        self,
        estimand: str = "average",
        *,
        window: Window | None = None,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        rope: tuple[float, float] | None = None,
        backend: str | None = None,
        **options: "Unpack[CanvasOptions]",
    ) -> "PlotCollection":
        """Plot the posterior density of an effect.

        Parameters
        ----------
        estimand, window, ci_prob, ci_kind, rope, backend, **options
            See :func:`bayes_synth.plots.plot_effect`, also for errors; the last as in
            :meth:`plot`.

        Returns
        -------
        arviz_plots.PlotCollection
            One density, in outcome units; that of the relative effect in per cent.

        Examples
        --------
        >>> figure = fit.plot_effect("average", rope=(-0.5, 0.5))
        """
        from bayes_synth.plots.effect import plot_effect

        return plot_effect(
            self,
            estimand,
            window=window,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
            rope=rope,
            backend=backend,
            **options,
        )

    def plot_weights(
        self,
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        most: int = 15,
        backend: str | None = None,
        **options: "Unpack[CanvasOptions]",
    ) -> "PlotCollection":
        """Plot the donor weights with their intervals.

        Parameters
        ----------
        ci_prob, ci_kind, most, backend, **options
            See :func:`bayes_synth.plots.plot_weights`, also for errors; the last as in
            :meth:`plot`.

        Returns
        -------
        arviz_plots.PlotCollection
            One row per donor, the heaviest on top.

        Examples
        --------
        >>> figure = fit.plot_weights(most=5)
        """
        from bayes_synth.plots.weights import plot_weights

        return plot_weights(
            self, ci_prob=ci_prob, ci_kind=ci_kind, most=most, backend=backend, **options
        )

    @classmethod
    def from_idata(
        cls,
        panel: Panel,
        model: SyntheticControl,
        idata: xr.DataTree,
        *,
        cores: int | None = None,
        random_seed: int | np.random.Generator | np.random.SeedSequence | None = None,
        progressbar: bool | str = True,
    ) -> "Fit":
        """Make a fit of draws of ``model.build(panel)`` by any sampler.

        They are forecast, judged and calibrated as those of :meth:`SyntheticControl.fit` are.

        Parameters
        ----------
        panel, model
            The data, and the specification whose PyMC model was sampled. The donors are refitted
            with this specification: a prior that was changed in the PyMC model only, as by
            ``pm.do``, holds for the treated unit alone.
        idata
            What ``pm.sample`` returns, also with ``nuts_sampler="nutpie"``, ``"numpyro"`` or
            ``"blackjax"``: a group ``posterior`` with ``weights``, dims
            ``(chain, draw, donor)``, and the noise's parameters in outcome units, dims
            ``(chain, draw)``; ``sample_stats`` where the sampler has some.
        cores, random_seed, progressbar
            As in :meth:`SyntheticControl.fit`, for the forecast and the donors' refits.

        Returns
        -------
        Fit
            A fit whose calibration takes the prior on ``q`` as the model states it, since the draws
            do: no other one is averaged over.

        Raises
        ------
        OptionError
            O001 for another type, O095 while noise, calendar or scale are ``"auto"``.
        ResultError
            R046 when the draws lack a variable, have other donors or are not finite.

        Warns
        -----
        ConvergenceWarning
            S003 when the draws have not converged.

        Examples
        --------
        >>> model = bs.SyntheticControl(calibrate=False)
        >>> graph = model.build(panel)
        >>> idata = pm.sample(model=graph, random_seed=1)  # doctest: +SKIP
        >>> fit = bs.Fit.from_idata(panel, model, idata, random_seed=1)
        >>> fit.effect("average").median() > 2
        True
        """
        settings = Settings.checked(
            Size(), cores=cores, random_seed=random_seed, progressbar=progressbar
        )
        return cls(panel, *fit_of_draws(model, panel, idata, settings))

    def extend(self, panel: Panel, *, strict: bool = False) -> "Fit":
        """Take in rows that have arrived since: the weights stay, the counterfactual goes on.

        Parameters
        ----------
        panel
            The fitted data with later times, all other rows unchanged.
        strict
            As in :meth:`SyntheticControl.fit`.

        Returns
        -------
        Fit
            What a fresh fit of ``panel`` with this model, these settings and this seed gives, bit
            for bit; this fit itself if there is no new row.

        Raises
        ------
        OptionError
            O001 unless ``panel`` is a Panel.
        ResultError
            R040 when fitted rows have changed, with their cells; R041 for other treated units,
            donors or start; R042 when times are lost or new ones are not the latest; R043 for a fit
            that is partial or has not converged; R044 when its draws cannot be made again; R055 for
            a fit of a study.
        SamplingFailed
            As in :meth:`SyntheticControl.fit`.

        Warns
        -----
        ConvergenceWarning
            As in :meth:`SyntheticControl.fit`, and R045 when the longer window makes a fresh fit
            keep another attempt at sampling, so that the weights change after all.

        Notes
        -----
        Weights and noise rest on the pre-period, and every period to come has shocks of its own, so
        with ``calibrate=False`` the counterfactual of earlier periods keeps its draws. Else it does
        so until calibrated, while the donors weigh the priors on ``q`` alike. The calibration is
        made again, because it is about the forecast error over the whole window: kappa changes, and
        with it the intervals of earlier periods. That takes most of the time of a fit, as the
        donors' refits are sampled again.

        A fit that was read from a file is sampled again and compared with the file, bit for bit.

        Examples
        --------
        >>> fit.extend(panel) is fit  # no new row: itself
        True
        """
        return extended(self, panel, strict=strict)

    def lift_test(self, *, channel: str, x: float, delta_x: float) -> "pd.DataFrame":
        """Return the row that this test adds to a marketing-mix model.

        Parameters
        ----------
        channel
            Name of the channel.
        x, delta_x
            What is spent on it without the test, and by how much the test changed that, both per
            period.

        Returns
        -------
        pandas.DataFrame
            One row in pymc-marketing's columns: ``channel``, ``x``, ``delta_x``, ``delta_y``
            (median effect per period, summed over the treated units, in outcome units) and
            ``sigma`` (half the central 68 % interval).

        Raises
        ------
        ResultError
            R060 for a change of zero, and for an effect whose sign is not that of the change, which
            pymc-marketing refuses.

        Examples
        --------
        >>> fit.lift_test(channel="tv", x=1000.0, delta_x=200.0).columns.tolist()
        ['channel', 'x', 'delta_x', 'delta_y', 'sigma']
        """
        from bayes_synth.results.lift_test import lift_test

        return lift_test(self, channel, x, delta_x)

    def report(
        self,
        kind: "Kind" = "text",
        *,
        checks: "Checks | bool | None" = None,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
    ) -> str:
        """Write down what was asked, found and assumed, and whether to believe it.

        Every sentence is read off the same draws.

        Parameters
        ----------
        kind
            ``"text"``, ``"markdown"``, or ``"html"``: one page with its figures, which needs no
            script and no network.
        checks
            The answers of :func:`bayes_synth.checks.run` about this fit, or True to ask all now;
            with None or False the report says that no check was run.
        ci_prob, ci_kind
            Probability of the intervals, and ``"eti"`` (equal tails) or ``"hdi"`` (highest
            density).

        Returns
        -------
        str
            The report; write it to a file with the suffix of its kind.

        Raises
        ------
        OptionError
            O001 for another kind, O004 for a probability outside (0, 1), O054 for the answers
            about another fit.

        Examples
        --------
        >>> print(fit.report().splitlines()[0])
        Synthetic control of treated, sales
        """
        from bayes_synth.report.render import report

        return report(self, kind, checks=checks, ci_prob=ci_prob, ci_kind=ci_kind)

    def methods_text(self) -> str:
        """Write a methods paragraph with the numbers of this fit, and the references it needs.

        Returns
        -------
        str
            One paragraph (question, panel, model, priors, calibration, sampling, convergence,
            versions), all read off the fit, and a list of references.

        Examples
        --------
        >>> fit.methods_text()[:12]
        'We estimated'
        """
        from bayes_synth.report.methods import methods_text

        return methods_text(self)

    def export(
        self,
        folder: str | PathLike[str],
        *,
        checks: "Checks | None" = None,
        draws: "DrawsFormat" = "csv",
        workbook: bool = False,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        overwrite: bool = False,
    ) -> "tuple[Path, ...]":
        """Write tables for spreadsheets, R and LaTeX into a folder, each column described.

        Parameters
        ----------
        folder
            Where to write; it is made if it does not exist. Files that are not an export's own
            stay as they are.
        checks
            The answers of :func:`bayes_synth.checks.run`, as a table of their own.
        draws
            ``"csv"``, ``"parquet"`` or ``"none"``: the format of the posterior draws.
        workbook
            Whether to write all tables into one Excel workbook too; this needs openpyxl.
        ci_prob, ci_kind
            Interval's probability, and ``"eti"`` or ``"hdi"``.
        overwrite
            Whether an earlier export in the folder may be replaced.

        Returns
        -------
        tuple of pathlib.Path
            What was written: ``effects.csv``, ``path.csv``, ``weights.csv``, ``checks.csv`` (if
            given), ``draws.csv`` (effects, noise and weights), ``draws_counterfactual.csv``,
            ``dictionary.csv``, ``effects.tex``, ``weights.tex``, ``methods.txt``,
            ``references.bib``, ``README.md``, and ``fit.xlsx`` (if asked for).

        Raises
        ------
        LoadError
            L010 without openpyxl, L011 without pyarrow when they are asked for, L012 when the
            folder holds an export already, or is a file.
        OptionError
            O047 for another format of draws, O004 for a probability outside (0, 1), O001 for an
            unknown kind.

        Examples
        --------
        >>> sorted(path.name for path in fit.export("results"))[:4]
        ['README.md', 'dictionary.csv', 'draws.csv', 'draws_counterfactual.csv']
        """
        from bayes_synth.report.export import Plan, export

        plan = Plan(draws, workbook, ci_prob, ci_kind)
        return export(self, folder, plan, checks=checks, overwrite=overwrite)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the fit as netCDF or zarr, so that :func:`bayes_synth.load` reads it back.

        Parameters
        ----------
        path
            A name that ends in ``.nc`` (one netCDF file), ``.zarr`` (a folder) or ``.zarr.zip``
            (one file). All draws, the data, the specification and the record of the run are
            written.
        overwrite
            Whether an existing file or zarr folder may be replaced; the old one stays until the
            new one is complete.

        Raises
        ------
        LoadError
            L001 when the folder does not exist, L003 when the model could not be rebuilt from a
            file, L004 when the file exists, L005 for another suffix, L006 when ``fit.idata`` holds
            something that a file cannot. Nothing is written then.

        Examples
        --------
        >>> fit.save("fit.nc", overwrite=True)
        """
        save(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        return headline(self)

    def _repr_html_(self) -> str:
        from bayes_synth.report.notebook import notebook_html

        return notebook_html(self)


def _require_nothing_of_a_study(asked: dict[str, Any]) -> None:
    """Refuse options that mean something for several treated units only."""
    given = [f"{name}=" for name, value in asked.items() if value is not None]
    if given:
        raise OptionError(
            "O001",
            f"{listed(given)} must be given with a bs.Study of several treated units, got a panel; "
            "leave it out, or fit many panels: bs.fit_many([bs.FitTask(panel, model)], store=...).",
        )


def _no_history(given: object) -> PlanError:
    return PlanError(
        "H008",
        f"history must be a bs.History, the data before any test, got {type(given).__name__}; "
        "build one with bs.History.from_long(...).",
    )


def load(path: str | PathLike[str]) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote; this needs no PyMC.

    Parameters
    ----------
    path
        A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``. A file whose model uses a class of
        your own needs that class to be defined or imported first.

    Returns
    -------
    Fit
        Equal to the one that was saved: its draws, data, model and record.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not a file of this library, is damaged, or was changed
        since it was written; L002 when a newer version wrote it; L003 when its model cannot be
        rebuilt, or it is older than the first release; L005 for another suffix.

    Examples
    --------
    >>> fit.save("fit.nc")
    >>> bs.load("fit.nc").panel == fit.panel
    True
    """
    return Fit(*read(path))
