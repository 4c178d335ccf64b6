"""The specification as one frozen value: priors, noise, calibration and the outcome's scale."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.model.calendar import AbstractCalendar, as_calendar
from bayes_synth.model.calibration import Calibration
from bayes_synth.model.outcome_scale import AUTO, outcome_scale
from bayes_synth.model.predictors import AbstractPredictorRule
from bayes_synth.noise import AbstractNoise, LocalLevel
from bayes_synth.priors import (
    AbstractWeightsPrior,
    Coefficients,
    Dirichlet,
    VariableFactory,
    as_weights_prior,
)

__all__ = ["AbstractSyntheticControl"]


USUAL_COEFFICIENTS = Coefficients()


@dataclass(frozen=True)
class AbstractSyntheticControl(ABC):
    """The fields of :class:`bayes_synth.SyntheticControl`, validated, and what they stand for."""

    weights: AbstractWeightsPrior | VariableFactory = Dirichlet()
    noise: AbstractNoise | Literal["auto"] = LocalLevel()
    calibrate: bool | Calibration = True
    scale: Literal["linear", "log", "sqrt", "auto"] = "linear"
    calendar: Sequence[AbstractCalendar] | AbstractCalendar | Literal["auto"] = ()
    predictors: AbstractPredictorRule | None = None
    covariates: Coefficients | None = USUAL_COEFFICIENTS

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_weights_prior(self.weights))
        if not isinstance(self.noise, AbstractNoise) and self.noise != "auto":
            wanted = 'a noise process such as bs.noise.LocalLevel(), or "auto"'
            raise PriorError("O006", f"noise must be {wanted}; got {self.noise!r}.")
        if not isinstance(self.calibrate, (bool, Calibration)):
            raise OptionError(
                "O001",
                f"calibrate must be True, False or a bs.Calibration(...), got {self.calibrate!r}.",
            )
        if self.scale != AUTO:
            outcome_scale(self.scale)
        elif self.calibrate is False:
            raise OptionError(
                "O016",
                'scale="auto" needs calibrate=True, because it is chosen by the errors that '
                'calibration finds, got calibrate=False; pass scale="linear" or scale="log".',
            )
        if self.calendar != "auto":
            object.__setattr__(self, "calendar", as_calendar(self.calendar))
        if not isinstance(self.predictors, AbstractPredictorRule | None):
            wanted = "a rule such as bs.predictors.Matched(), or None"
            raise OptionError("O088", f"predictors must be {wanted}, got {self.predictors!r}.")
        if not isinstance(self.covariates, Coefficients | None):
            wanted = "bs.priors.Coefficients(sd=...), or None to leave them out"
            raise OptionError(
                "O112",
                f"covariates must be {wanted}, got {self.covariates!r}; their columns are named "
                "when the panel is read: bs.Panel.from_long(..., covariates=[...]).",
            )

    @abstractmethod
    def build(self, panel: Panel) -> Any:
        """Build the PyMC model of the panel's pre-period."""

    @property
    def prior(self) -> AbstractWeightsPrior:
        """The prior on the weights."""
        return as_weights_prior(self.weights)

    @property
    def process(self) -> AbstractNoise:
        """The noise process.

        Raises
        ------
        PriorError
            O006 while ``noise="auto"``: it is chosen by a fit, whose model has it.
        """
        if isinstance(self.noise, AbstractNoise):
            return self.noise
        raise PriorError(
            "O006",
            'noise="auto" is chosen by fit(panel), and fit.model then names it; '
            "here, pass a process such as bs.noise.LocalLevel().",
        )

    def suits(self, noise: AbstractNoise) -> bool:
        """Tell whether this noise can be sampled under the prior on the weights."""
        return not self.prior.slices_only or noise.diagonal(3) is not None

    @property
    def calendars(self) -> tuple[AbstractCalendar, ...]:
        """The calendars; none while ``calendar="auto"``: they are chosen by a fit."""
        return () if self.calendar == "auto" else as_calendar(self.calendar)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that ``calibrate`` stands for; None when it is False."""
        if isinstance(self.calibrate, Calibration):
            return self.calibrate
        return Calibration() if self.calibrate else None
