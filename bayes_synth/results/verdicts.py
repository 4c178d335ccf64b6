"""Every verdict on a fit: has it converged, may it be believed, what must be read first.

Nothing here samples, and a fit that was read from a file is judged without PyMC.
"""

from abc import ABC
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.data.panel import Panel
from bayes_synth.model.problem import Problem
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.noise.base import MIXING, Draws
from bayes_synth.results.alarms import Alarm, Evidence, alarms_of
from bayes_synth.results.calibrated import Calibrated, read_calibration
from bayes_synth.results.convergence import (
    Convergence,
    convergence_of,
    diagnose,
    diagnose_weights,
    uncalibrated,
    watched,
)
from bayes_synth.results.fit_verdict import FitVerdict, fit_verdict
from bayes_synth.results.record import RunRecord
from bayes_synth.results.weighted import adjusted
from bayes_synth.results.width_ratio import width_ratio

__all__ = ["AbstractVerdicts"]


@dataclass(frozen=True, eq=False, repr=False)
class AbstractVerdicts(ABC):
    """Hold a panel, a model, the draws and the record of the run, and judge them."""

    panel: Panel
    model: AbstractSyntheticControl
    idata: xr.DataTree
    record: RunRecord = field(default_factory=RunRecord)

    def diagnostics(self) -> pd.DataFrame:
        """Diagnose everything that was sampled.

        Returns
        -------
        pandas.DataFrame
            Rows ``average effect``, the noise parameters, and ``weights[...]`` per donor; columns
            r_hat, ess_bulk, ess_tail, mcse (Monte Carlo error of the mean, in outcome units;
            weights are shares) and ``ok``. ``attrs`` has the verdicts in words (``convergence``,
            ``fit``), the ``alarms`` (pairs of code and sentence), the number of ``divergences``,
            the ``attempts`` at sampling (one mapping each: ``target_accept``, ``tune``,
            ``problems``, ``divergences``, ``kept``), what an interrupt left undone (``partial``)
            and the ``warnings`` given when the panel was read and while fitting.

        Examples
        --------
        >>> bool(fit.diagnostics().loc["average effect", "ok"])
        True
        """
        table = pd.concat([diagnose(self._watched), self._weight_diagnostics])
        attempts = [
            attempt._asdict() | {"problems": list(attempt.problems)}
            for attempt in self.record.attempts
        ]
        table.attrs = {
            "convergence": str(self.convergence),
            "fit": str(self.fit_verdict),
            "alarms": [list(each) for each in self.alarms],
            "divergences": self.convergence.divergences,
            "attempts": attempts,
            "partial": list(self.record.partial),
            "warnings": list(self.record.warnings),
        }
        return table

    @property
    def converged(self) -> bool:
        """Tell whether effect and noise have converged and nothing was interrupted.

        It is about the sampler alone. Whether the posterior may be believed is another question:
        see ``fit.alarms``, :attr:`fit_verdict`, :attr:`calibration` and
        :func:`bayes_synth.checks.run`. No flag says "may be used", because no computation can know
        that no donor was affected.

        Examples
        --------
        >>> fit.converged
        True
        """
        return self.convergence.ok

    @property
    def ok(self) -> bool:
        """Return :attr:`converged`, under its older name.

        ``if fit.ok:`` sounds like "may be used", which it does not say: write ``fit.converged`` for
        the sampler, and ``not fit.alarms`` for nothing known against the fit.
        """
        return self.converged

    @cached_property
    def calibration(self) -> Calibrated:
        """Say what the donors' own synthetic controls tell about the forecast error.

        It has kappa, the donors' z-scores, which donors were set aside, and how much wider all this
        has made the interval (``width_ratio``).
        """
        counts, plan = (len(self.panel.donors), len(self.panel.treated)), self.model.calibration
        group, stopped = self.idata.children.get("calibration"), self.record.calibration_stopped
        found = read_calibration(group, plan, counts, stopped)
        return replace(found, width_ratio=width_ratio(self.idata))

    @property
    def weights_ok(self) -> bool:
        """Tell whether every weight has an R-hat of at most 1.01 and both ESS of at least 400.

        Examples
        --------
        >>> fit.weights_ok
        True
        """
        return bool(self._weight_diagnostics["ok"].all())

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """List what must be read first, as pairs of code and sentence; empty when nothing must.

        The page *Alarms* says what each code means and what to do.
        """
        weights = self._draws("posterior", "weights").mean(("chain", "draw")).to_numpy()
        known = self.convergence, self.fit_verdict, self.calibration
        return alarms_of(
            Evidence.of(adjusted(self.problem, self.idata), weights, *self._noise, known)
        )

    @cached_property
    def problem(self) -> Problem:
        """Prepare the model and the panel as arrays, once for all that computes with them."""
        return Problem.of(self.model, self.panel)

    @cached_property
    def convergence(self) -> Convergence:
        """Judge the sampler by its draws."""
        return convergence_of(
            self._watched, self.idata["sample_stats"].to_dataset(), self.record.partial
        )

    @cached_property
    def fit_verdict(self) -> FitVerdict:
        """Judge whether the donors forecast the treated unit in its own past."""
        inputs, process = adjusted(self.problem, self.idata).inputs, self.problem.process
        average = inputs.scale.forward(uncalibrated(self.idata)).mean("time")
        variance = float((average / inputs.step).var())
        return fit_verdict(inputs, process, *self._noise, len(self.problem.observed), variance)

    @cached_property
    def _noise(self) -> tuple[Draws, np.ndarray | None]:
        """Return draws of the noise's parameters in typical steps, and the mean mixing, if any."""
        posterior, mixing = self.idata["posterior"], None
        draws = {
            name: posterior[name].to_numpy().reshape(-1) / self.problem.parameter_unit(name)
            for name in self.model.process.parameters
        }
        if MIXING in posterior:
            mixing = posterior[MIXING].mean(("chain", "draw")).to_numpy()
        return draws, mixing

    @property
    def _fit_verdict(self) -> FitVerdict:
        """Return the fit verdict under the name that scripts of version 0.1 know."""
        return self.fit_verdict

    @property
    def _watched(self) -> xr.Dataset:
        return watched(self.panel, self.model, self.idata)

    @cached_property
    def _weight_diagnostics(self) -> pd.DataFrame:
        draws = self._draws("posterior", "weights")
        # One donor has weight one in every draw: there is nothing to converge.
        return diagnose_weights(draws if draws.sizes["donor"] > 1 else draws.isel(donor=slice(0)))

    def _draws(self, group: str, name: str) -> xr.DataArray:
        return self.idata[group].to_dataset()[name]
