"""SyntheticControl and Fit: what a user types. Each method is a door into a wing.

The wings below know the abstract classes only; nothing here computes.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack, final

import numpy as np
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.fitting.fit_panel import fit_panel
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.registry import saved
from bayes_synth.report.headline import headline
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.results.groups import prior_groups, tree
from bayes_synth.sampling.settings import Sampler, Settings, Size, entropy, require_count
from bayes_synth.storage.save import read, save

if TYPE_CHECKING:
    import pymc as pm
    from arviz_plots import PlotCollection

    from bayes_synth.checks.result import Checks
    from bayes_synth.plots.common import CanvasOptions, Visuals
    from bayes_synth.report.render import Kind

__all__ = ["Fit", "SyntheticControl", "load"]


@saved()
@final
@dataclass(frozen=True)
class SyntheticControl(AbstractSyntheticControl):
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
        return Problem.of(self, panel).build()

    def prior_predictive(
        self, panel: Panel, *, draws: int = 1000, random_seed: int | None = None
    ) -> xr.DataTree:
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
        require_count("draws", draws, 1)
        rng = np.random.default_rng(entropy(random_seed))
        return tree(prior_groups(Problem.of(self, panel), draws, rng))

    def fit(
        self,
        panel: Panel,
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
        settings = Settings.checked(
            Size(draws, tune, chains, target_accept),
            sampler=sampler,
            cores=cores,
            random_seed=random_seed,
            progressbar=progressbar,
        )
        return Fit(panel, *fit_panel(self, panel, settings, strict=strict))

    def priors(self, panel: Panel) -> dict[str, str]:
        """The priors in force, in words, by parameter.

        Parameters
        ----------
        panel
            The data, whose scale and number of donors the priors depend on.
        """
        return Problem.of(self, panel).priors


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit(AbstractFit):
    """Posterior of one synthetic control.

    Parameters
    ----------
    panel
        The data.
    model
        What was fitted.
    idata
        All draws in the ArviZ schema, in outcome units; ``az.summary``, ``az.loo`` and ArviZ's plots take it
        as it is. Groups: ``posterior``, ``sample_stats``, ``posterior_predictive`` (pre-period),
        ``predictions`` (``counterfactual``), ``effects``, ``log_likelihood``, ``log_prior``, ``prior``,
        ``prior_predictive``, ``predictions_uncalibrated`` and ``calibration`` (unless switched off),
        ``noise_scores`` (when the noise was chosen), ``observed_data``, ``constant_data``, ``predictions_constant_data``.
        Student-t noise has no ``log_likelihood``.
    """

    def plot(
        self,
        *,
        ci_probs: Sequence[float] = (0.5, 0.95),
        ci_kind: IntervalKind = "eti",
        backend: str | None = None,
        plot_collection: "PlotCollection | None" = None,
        visuals: "Visuals | None" = None,
        figure_kwargs: Mapping[str, Any] | None = None,
    ) -> "PlotCollection":
        """Plot observed and counterfactual, the effect per period, and the cumulative effect.

        Parameters
        ----------
        ci_probs, ci_kind, backend, plot_collection, visuals, figure_kwargs
            See :func:`bayes_synth.plots.plot_fit`.
        """
        from bayes_synth.plots.fit import plot_fit

        return plot_fit(
            self,
            ci_probs=ci_probs,
            ci_kind=ci_kind,
            backend=backend,
            plot_collection=plot_collection,
            visuals=visuals,
            figure_kwargs=figure_kwargs,
        )

    def plot_effect(
        self,
        estimand: str = "average",
        *,
        window: slice | None = None,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        rope: tuple[float, float] | None = None,
        backend: str | None = None,
        **canvas_options: "Unpack[CanvasOptions]",
    ) -> "PlotCollection":
        """Plot the posterior density of an effect.

        Parameters
        ----------
        estimand, window, ci_prob, ci_kind, rope, backend, **canvas_options
            See :func:`bayes_synth.plots.plot_effect`; the last are ``plot_collection``, ``visuals`` and
            ``figure_kwargs``.
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
            **canvas_options,
        )

    def plot_weights(
        self,
        *,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
        most: int = 15,
        backend: str | None = None,
        plot_collection: "PlotCollection | None" = None,
        visuals: "Visuals | None" = None,
        figure_kwargs: Mapping[str, Any] | None = None,
    ) -> "PlotCollection":
        """Plot the donor weights with their intervals.

        Parameters
        ----------
        ci_prob, ci_kind, most, backend, plot_collection, visuals, figure_kwargs
            See :func:`bayes_synth.plots.plot_weights`.
        """
        from bayes_synth.plots.weights import plot_weights

        return plot_weights(
            self,
            ci_prob=ci_prob,
            ci_kind=ci_kind,
            most=most,
            backend=backend,
            plot_collection=plot_collection,
            visuals=visuals,
            figure_kwargs=figure_kwargs,
        )

    def report(
        self,
        kind: "Kind" = "text",
        *,
        checks: "Checks | None" = None,
        ci_prob: float = 0.95,
        ci_kind: IntervalKind = "eti",
    ) -> str:
        """Write down what was asked, found and assumed, and whether to believe it.

        Every sentence is read off the same draws.

        Parameters
        ----------
        kind
            ``"text"``, ``"markdown"``, or ``"html"``: one page with its figures, which needs no script and no network.
        checks
            The answers of :func:`bayes_synth.checks.run`; None: the report says that no check was asked.
        ci_prob, ci_kind
            Intervals' probability and kind.

        Raises
        ------
        OptionError
            O001 for another kind, O004 for a probability outside (0, 1).
        """
        from bayes_synth.report.render import report

        return report(self, kind, checks=checks, ci_prob=ci_prob, ci_kind=ci_kind)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the fit as netCDF or zarr, so that :func:`bayes_synth.load` reads it back.

        Parameters
        ----------
        path
            A name that ends in ``.nc`` (one netCDF file), ``.zarr`` (a folder) or ``.zarr.zip`` (one file). All draws,
            the data and the specification are written.
        overwrite
            Whether an existing file or zarr folder may be replaced; it goes only when the new one is complete.

        Raises
        ------
        LoadError
            L001 when the folder does not exist, L003 when the model could not be rebuilt from a file, L004 when the file
            exists, L005 for another suffix, L006 when something was added to ``fit.idata`` that a file cannot hold.
        """
        save(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        return headline(self)

    def _repr_html_(self) -> str:
        table = self.summary().to_html(float_format=lambda x: f"{x:.4g}")
        return f"<pre>{html.escape(headline(self))}</pre>{table}"


def load(path: str | PathLike[str]) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote; needs no PyMC.

    Parameters
    ----------
    path
        A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``.

    Raises
    ------
    LoadError
        L001 when the file does not exist, is not ours, is damaged, or was changed since it was written; L002 when a
        newer version wrote it; L003 when its model cannot be rebuilt; L005 for another suffix.
    """
    return Fit(*read(path))
