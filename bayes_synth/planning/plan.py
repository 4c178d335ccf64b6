"""One set of units for given lengths of a test, judged: every number that one asks of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack, final

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
from bayes_synth.planning.rules import AbstractRule, Interval, require_share
from bayes_synth.planning.sentences import headline, sentences, verdict_word
from bayes_synth.planning.table import POWER, plan_table
from bayes_synth.results.calibrated import FEW, INFLUENTIAL
from bayes_synth.results.fit_verdict import FitVerdict
from bayes_synth.words import listed, preformatted, public

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.data.panel import Panel
    from bayes_synth.plots.look import CanvasOptions
    from bayes_synth.results.answers import AbstractFit

__all__ = ["Plan"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """Say what a test of these units could find; :meth:`bayes_synth.SyntheticControl.plan` makes it.

    The units were treated in the past as if it were the test, by the model and the calibration that
    will judge it. All numbers are read off the same draws.

    Parameters
    ----------
    history, model, treated, rule
        What was planned, by which model, and how the test will be judged.
    pretend_tests
        One row per length and past start: ``start``, ``periods``, ``pre`` (periods before it),
        ``observed``, ``median``, ``lower``, ``upper`` (means between which the rule finds nothing),
        ``from_below``, ``from_above`` (the effects that would reach them), ``pit`` (share of the
        draws below the observed mean), ``found`` (an effect, where none was), ``kappa``,
        ``prior_influence``, ``placebos``, ``ok``.
    counterfactual
        Draws of the average counterfactual, dims ``(periods, start, chain, draw)``, in outcome
        units per period and treated unit.
    placebo_tests
        The same windows of units that are not planned, each calibrated on the others: ``unit``,
        ``start``, ``periods``, ``observed``, ``median``, ``pit``, ``found``.
    before
        The fit before the test: ``weights``, ``verdict``, ``path``, ``balance``.
    effects, prior, additive
        The stated effects, the prior on the effect if there is one, and whether they are in outcome
        units instead of fractions.
    never_donors
        Units that are neither treated nor donors.
    record
        How the plan was made: seed, sizes, starts.
    notes
        Remarks, as triples of code, kind and sentence.
    """

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

    @property
    def periods(self) -> tuple[int, ...]:
        """Return the lengths of the test, the shortest first."""
        return tuple(self.counterfactual["periods"].values.tolist())

    @property
    def ci_prob(self) -> float:
        """Return the probability of the intervals: the rule's own, else 0.95."""
        return self.rule.ci_prob if isinstance(self.rule, Interval) else 0.95

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tabulate what a test could say, one row per length and stated effect.

        Returns
        -------
        pandas.DataFrame
            Index ``periods``. Columns ``starts`` and ``independent`` (past windows, and how many of
            them do not overlap), ``effect``, ``power`` (probability of finding it, with its own
            sign), ``wrong_sign`` (share of findings with the other sign), ``exaggeration`` (mean
            size of the estimate over the effect, where one is found), ``assurance`` (power averaged
            over the prior) and ``assurance_bound``, which it cannot exceed, ``detectable_up`` and
            ``detectable_down`` (effects found with probability 0.8), ``width`` and ``width_share``
            (expected interval, in outcome units and as a share of the counterfactual),
            ``false_positives`` with ``false_positives_error`` beside ``nominal``, over ``audited``
            windows of other units, ``coverage`` of those windows, ``bias`` (observed over median,
            minus one), ``kappa``, ``share`` (of all outcomes that is the treated units') and
            ``ok``.
        """
        return plan_table(self)

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
        length = self._length(periods)
        draws = self.counterfactual.sel(periods=length).stack(sample=("chain", "draw"))  # noqa: PD013
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
            H007 for something that is no prior, H014 as in :meth:`law`.
        """
        if not isinstance(prior, Prior):
            text = f"prior must have cdf and ppf, such as scipy.stats.norm(0.05, 0.02), got {prior!r}."
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
        """
        length = self._length(periods)
        if (per_unit is None) == (spend is None):
            raise PlanError("H012", "give per_unit= (a price) or spend=bs.Spend(...), one of both.")
        if spend is not None:
            return spend.cost(self.treated, length)
        price, size = require_cost(per_unit), self._effect(effect)
        if self.additive:
            return price * size * length * len(self.treated)
        return price * size * volume_of(self.history, self.treated, length)

    @property
    def share(self) -> float:
        """Return the share of all outcomes of the history that is the treated units'."""
        return share_of(self.history, self.treated)

    @property
    def weights(self) -> pd.DataFrame:
        """Return the donors' weights before the test, as :meth:`bayes_synth.Fit.weights` does."""
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
        """Return the donors of the latest window."""
        return tuple(sorted(self.before.weights.index))

    @property
    def weakly_calibrated(self) -> bool:
        """Tell whether the prior of kappa decides more than the donors do, or nothing is calibrated."""
        tests = self.pretend_tests
        few = bool((tests["placebos"] < FEW).any())
        prior = bool((tests["prior_influence"] > INFLUENTIAL).any())
        return self.model.calibration is None or few or prior

    @property
    def verdict(self) -> str:
        """Call the plan ``ready``, ``weak``, ``not to be trusted`` or ``no effect stated``.

        Weak: the power is below 0.8 at a stated effect, for every length. Not to be trusted: units
        that nobody treated show an effect more often than the rule says, by more than two errors,
        or kappa rests on its prior. Without a stated effect there is nothing to be ready for.
        """
        return verdict_word(self)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Put the plan into sentences, all read off the same draws."""
        return tuple(sentences(self))

    def panel(self, data: Any, start: Any) -> "Panel":
        """Make the panel of the test, with the units that were planned.

        Parameters
        ----------
        data
            The history and the test: a :class:`bayes_synth.History`, which its readers make.
        start
            Label of the first treated period.

        Returns
        -------
        Panel
            Its treated units and donors are those of the plan.

        Raises
        ------
        PlanError
            H008 for anything but a history, H015 when a planned unit is gone or the data are not a
            continuation of the history, H016 for a start within the history that was planned on.
        """
        from bayes_synth.planning.after import planned_panel

        return planned_panel(self, data, start)

    def compare(self, fit: "AbstractFit") -> pd.DataFrame:
        """Hold the plan to what it promised.

        Parameters
        ----------
        fit
            The fit of the test.

        Returns
        -------
        pandas.DataFrame
            Index ``quantity``, columns ``promised`` and ``delivered``: width, detectable effect,
            donors, periods, pre-periods, kappa.

        Raises
        ------
        PlanError
            H017 for a fit of other treated units.
        """
        from bayes_synth.planning.after import compared

        return compared(self, fit)

    def lift_test(
        self, *, channel: str, x: float, delta_x: float, effect: float | None = None
    ) -> pd.DataFrame:
        """Return the row that this test is expected to add to a marketing-mix model.

        Parameters
        ----------
        channel, x, delta_x
            Name of the channel, what is spent on it without the test, and by how much the test
            changes that, both per period.
        effect
            The effect; None for the only one that is stated.

        Returns
        -------
        pandas.DataFrame
            One row per length, in pymc-marketing's columns ``channel``, ``x``, ``delta_x``,
            ``delta_y``, ``sigma``, in outcome units per period, summed over the treated units.

        Raises
        ------
        PlanError
            H014 when no single effect is known, H018 for a row that pymc-marketing refuses.
        """
        from bayes_synth.planning.lift_test import expected_lift_test

        return expected_lift_test(self, channel, x, delta_x, self._effect(effect))

    def plot(
        self, *, backend: str | None = None, **options: "Unpack[CanvasOptions]"
    ) -> "PlotCollection":
        """Plot the history, its synthetic, and where the test would stand.

        Parameters
        ----------
        backend, **options
            As in :meth:`bayes_synth.Fit.plot`.
        """
        from bayes_synth.planning.pictures.history import plot_history

        return plot_history(self, backend=backend, **options)

    def plot_power(
        self, *, backend: str | None = None, **options: "Unpack[CanvasOptions]"
    ) -> "PlotCollection":
        """Plot the power by effect, one line per length.

        Parameters
        ----------
        backend, **options
            As in :meth:`bayes_synth.Fit.plot`.
        """
        from bayes_synth.planning.pictures.power import plot_power

        return plot_power(self, backend=backend, **options)

    def plot_lengths(
        self, *, backend: str | None = None, **options: "Unpack[CanvasOptions]"
    ) -> "PlotCollection":
        """Plot detectable effect and expected width by the length of the test.

        Parameters
        ----------
        backend, **options
            As in :meth:`bayes_synth.Fit.plot`.
        """
        from bayes_synth.planning.pictures.lengths import plot_lengths

        return plot_lengths(self, backend=backend, **options)

    def plot_pretend_tests(
        self, *, backend: str | None = None, **options: "Unpack[CanvasOptions]"
    ) -> "PlotCollection":
        """Plot the interval of every past window; those that exclude zero are marked.

        Parameters
        ----------
        backend, **options
            As in :meth:`bayes_synth.Fit.plot`.
        """
        from bayes_synth.planning.pictures.pretend_tests import plot_pretend_tests

        return plot_pretend_tests(self, backend=backend, **options)

    def report(self, kind: str = "text") -> str:
        """Write the plan down: what was asked, what a test could say, and whether to trust it.

        Parameters
        ----------
        kind
            ``"text"``, ``"markdown"`` or ``"html"`` (one page with its pictures).

        Raises
        ------
        OptionError
            O062 for another kind.
        """
        from bayes_synth.planning.report import report

        return report(self, kind)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the plan as netCDF or zarr; :meth:`load` reads it back.

        Parameters
        ----------
        path
            A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        LoadError
            L001, L004, L005 as in :meth:`bayes_synth.Fit.save`; L003 for a prior on the effect that
            is not a frozen distribution of SciPy, or a model that could not be rebuilt.
        """
        from bayes_synth.planning.files import save_plan

        save_plan(self, path, overwrite=overwrite)

    @staticmethod
    def load(path: str | PathLike[str]) -> "Plan":
        """Read a plan that :meth:`save` wrote; this needs no PyMC.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        LoadError
            L001 when it is not there, is damaged or holds no plan, L003 when its model or rule
            cannot be rebuilt, L005 for another suffix.
        """
        from bayes_synth.planning.files import load_plan

        return load_plan(path)

    def _length(self, periods: int | None) -> int:
        if periods is None and len(self.periods) == 1:
            return self.periods[0]
        if periods is None or int(periods) not in self.periods:
            known = listed(self.periods)
            raise PlanError("H014", f"periods must be one of those planned ({known}), got {periods!r}.")
        return int(periods)

    def _effect(self, effect: float | None) -> float:
        if effect is not None:
            return checked_effect(float(effect), additive=self.additive)[0]
        if len(self.effects) != 1:
            text = f"say which effect: effect=..., {len(self.effects)} are stated in the plan."
            raise PlanError("H014", text)
        return self.effects[0]

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return headline(self)

    def _repr_html_(self) -> str:
        return preformatted(repr(self))

