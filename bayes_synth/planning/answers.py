"""Every number that one asks of a plan."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import xarray as xr

from bayes_synth.data.history import AbstractHistory
from bayes_synth.data.remarks import Remark
from bayes_synth.errors import PlanError
from bayes_synth.model.specification import AbstractSyntheticControl
from bayes_synth.planning.before import Before
from bayes_synth.planning.cost import Spend, require_cost, share_of, volume_of
from bayes_synth.planning.operating import Law, Window
from bayes_synth.planning.request import Prior, checked_effect
from bayes_synth.planning.rules import AbstractRule, probability_of, require_share
from bayes_synth.results.calibrated import FEW, INFLUENTIAL
from bayes_synth.results.fit_verdict import FitVerdict
from bayes_synth.words import listed

__all__ = ["POWER", "AbstractPlan"]

POWER = 0.8
"""Power that a test should have at the stated effect, by convention."""


@dataclass(frozen=True, eq=False, repr=False)
class AbstractPlan(ABC):
    """Hold what pretend tests have shown, and answer questions; see :class:`bayes_synth.Plan`."""

    history: AbstractHistory
    model: AbstractSyntheticControl
    treated: tuple[str, ...]
    rule: AbstractRule
    pretend_tests: pd.DataFrame
    counterfactual: xr.DataArray
    placebo_tests: pd.DataFrame
    before: Before
    effects: tuple[float, ...] = ()
    prior: Prior | None = None
    additive: bool = False
    never_donors: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Remark, ...] = ()

    @abstractmethod
    def report(self, kind: str = "text") -> str:
        """Write the plan down."""

    @property
    def periods(self) -> tuple[int, ...]:
        """Return the lengths of the test, the shortest first.

        Examples
        --------
        >>> plan.periods
        (5, 10)
        """
        return tuple(self.counterfactual["periods"].values.tolist())

    @property
    def ci_prob(self) -> float:
        """Return the probability of the intervals: the rule's own, else 0.95.

        Examples
        --------
        >>> plan.ci_prob
        0.9
        """
        return probability_of(self.rule)

    def law(self, periods: int | None = None) -> Law:
        """Return the predictive law of a test of this length, from which every number is read.

        Parameters
        ----------
        periods
            Length of the test; None for the only one.

        Raises
        ------
        PlanError
            H014 for a length that was not planned, or for None when there are several.
        """
        length = self.length_of(periods)
        draws = self.counterfactual.sel(periods=length).stack(sample=("chain", "draw"))
        rows = self.pretend_tests[self.pretend_tests["periods"] == length]
        values = draws.transpose("start", "sample").to_numpy()
        windows = [Window(d, float(o)) for d, o in zip(values, rows["observed"], strict=True)]
        return Law(windows, self.rule, self.additive)

    def power(self, effect: float, *, periods: int | None = None) -> float:
        """Return the probability of finding an effect, with its own sign.

        Parameters
        ----------
        effect
            A fraction, such as 0.05; in outcome units in additive plans.
        periods
            Length of the test; None for the only one.

        Returns
        -------
        float
            Averaged over the past windows. Their realised share is a check of it, not an estimate:
            windows overlap.

        Raises
        ------
        PlanError
            H007 for an effect of zero or beyond -100 %, H014 as in :meth:`law`.

        Examples
        --------
        >>> 0 < plan.power(0.02, periods=5) < plan.power(0.05, periods=5)
        True
        """
        (size,) = checked_effect(float(effect), additive=self.additive)
        return self.law(periods).power(size)

    def assurance(self, prior: Any, *, periods: int | None = None) -> float:
        """Average the power over a prior on the effect, exactly.

        Parameters
        ----------
        prior
            Anything with ``cdf``, such as ``scipy.stats.norm(0.05, 0.02)``.
        periods
            Length of the test; None for the only one.

        Returns
        -------
        float
            It never exceeds ``plan.rule.claim(prior)``.

        Raises
        ------
        PlanError
            H007 unless ``prior`` has ``cdf`` and ``ppf``, H014 as in :meth:`law`.

        Examples
        --------
        >>> import scipy.stats
        >>> 0 < plan.assurance(scipy.stats.norm(0.05, 0.02), periods=10) < 1
        True
        """
        if not isinstance(prior, Prior):
            text = (
                f"prior must have cdf and ppf, such as scipy.stats.norm(0.05, 0.02), got {prior!r}."
            )
            raise PlanError("H007", text)
        return self.law(periods).assurance(prior)

    def detectable(
        self, *, power: float = POWER, periods: int | None = None, sign: int = 1
    ) -> float:
        """Return the smallest effect that is found with a stated probability.

        Parameters
        ----------
        power
            That probability.
        periods
            Length of the test; None for the only one.
        sign
            1 for gains, -1 for losses.

        Raises
        ------
        OptionError
            O060 for a probability outside (0, 1).
        PlanError
            H014 as in :meth:`law`.

        Examples
        --------
        >>> plan.detectable(power=0.8, periods=10) > 0
        True
        """
        require_share("power", power)
        return self.law(periods).detectable(power, sign)

    def width(self, *, ci_prob: float | None = None, periods: int | None = None) -> float:
        """Return the expected width of the interval of the average effect, in outcome units.

        Parameters
        ----------
        ci_prob
            Its probability; None for :attr:`ci_prob`.
        periods
            Length of the test; None for the only one.

        Raises
        ------
        OptionError
            O060 for a probability outside (0, 1).
        PlanError
            H014 as in :meth:`law`.

        Examples
        --------
        >>> plan.width(ci_prob=0.5, periods=5) < plan.width(ci_prob=0.9, periods=5)
        True
        """
        probability = self.ci_prob if ci_prob is None else ci_prob
        require_share("ci_prob", probability)
        return self.law(periods).width(probability)[0]

    def cost(
        self,
        *,
        per_unit: float | None = None,
        spend: Spend | None = None,
        effect: float | None = None,
        periods: int | None = None,
    ) -> float:
        """Return what the test costs.

        Parameters
        ----------
        per_unit
            Money per outcome unit that the treatment adds: then the cost is this times the effect
            times the volume of the treated units over the latest window. Of a negative effect it is
            what is withheld, a negative number.
        spend
            What is spent today and how the test changes it, instead of ``per_unit``.
        effect
            With ``per_unit``: the effect; None for the only one that is stated.
        periods
            Length of the test; None for the only one.

        Raises
        ------
        PlanError
            H012 unless exactly one of both is given, and positive; H013 for a treated unit without
            an entry; H014 when no single effect or length is known.

        Examples
        --------
        >>> plan.cost(per_unit=7.5, periods=10) > 0
        True
        """
        length = self.length_of(periods)
        if (per_unit is None) == (spend is None):
            raise PlanError("H012", "give per_unit= (a price) or spend=bs.Spend(...), one of both.")
        if spend is not None:
            return spend.cost(self.treated, length)
        price, size = require_cost(per_unit), self.stated(effect)
        if self.additive:
            return price * size * length * len(self.treated)
        return price * size * volume_of(self.history, self.treated, length)

    @property
    def share(self) -> float:
        """Return the share of all outcomes of the history that is the treated units'."""
        return share_of(self.history, self.treated)

    @property
    def weights(self) -> pd.DataFrame:
        """Return the donors' weights before the test, as :meth:`bayes_synth.Fit.weights` does.

        Examples
        --------
        >>> plan.weights.index[:2].tolist()
        ['u02', 'u03']
        """
        return self.before.weights

    @property
    def fit_verdict(self) -> FitVerdict:
        """Say whether the donors forecast the planned units in their past."""
        return self.before.verdict

    @property
    def balance(self) -> dict[str, float]:
        """Return the means of observed and synthetic over the history, and their rms difference."""
        return self.before.balance

    @property
    def donors(self) -> tuple[str, ...]:
        """Return the donors of the latest window.

        Examples
        --------
        >>> len(plan.donors)
        10
        """
        return tuple(sorted(self.before.weights.index))

    @property
    def weakly_calibrated(self) -> bool:
        """Tell whether kappa rests on its prior more than on donors, or nothing is calibrated."""
        tests = self.pretend_tests
        few = bool((tests["placebos"] < FEW).any())
        prior = bool((tests["prior_influence"] > INFLUENTIAL).any())
        return self.model.calibration is None or few or prior

    def length_of(self, periods: int | None) -> int:
        """Return a length that was planned; the only one for None.

        Parameters
        ----------
        periods
            The length.

        Raises
        ------
        PlanError
            H014 as in :meth:`law`.
        """
        if periods is None and len(self.periods) == 1:
            return self.periods[0]
        if periods is None or int(periods) not in self.periods:
            known = listed(self.periods)
            raise PlanError(
                "H014", f"periods must be one of those planned ({known}), got {periods!r}."
            )
        return int(periods)

    def stated(self, effect: float | None) -> float:
        """Return an effect; the only stated one for None.

        Parameters
        ----------
        effect
            The effect.

        Raises
        ------
        PlanError
            H014 when none or several are stated, H007 for one that is none.
        """
        if effect is not None:
            return checked_effect(float(effect), additive=self.additive)[0]
        if len(self.effects) != 1:
            text = f"say which effect: effect=..., {len(self.effects)} are stated in the plan."
            raise PlanError("H014", text)
        return self.effects[0]
