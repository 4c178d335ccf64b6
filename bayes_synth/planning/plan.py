"""One set of units for given lengths of a test, judged: the final class, doors only."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack, final

import pandas as pd

from bayes_synth.planning.answers import AbstractPlan
from bayes_synth.planning.sentences import headline, sentences, verdict_word
from bayes_synth.planning.table import plan_table
from bayes_synth.words import preformatted, public

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.data.panel import Panel
    from bayes_synth.plots.look import PictureOptions
    from bayes_synth.results.answers import AbstractFit

__all__ = ["Plan"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Plan(AbstractPlan):
    """Say what a test could find; :meth:`bayes_synth.SyntheticControl.plan` makes it.

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
        ``start``, ``periods``, ``observed``, ``median``, ``spread`` (sd without the tails),
        ``pit``, ``found``, ``held`` (by the interval).
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

    Examples
    --------
    >>> plan.verdict
    'ready'
    >>> plan.power(0.05, periods=10) > 0.5
    True
    """

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

    @property
    def verdict(self) -> str:
        """Call the plan ``ready``, ``weak``, ``not to be trusted`` or ``no effect stated``.

        Weak: the power is below 0.8 at a stated effect, for every length. Not to be trusted: units
        that nobody treated show an effect more often than the rule says, by more than two errors,
        or kappa rests on its prior. Without a stated effect there is nothing to be ready for.

        Examples
        --------
        >>> plan.verdict
        'ready'
        """
        return verdict_word(self)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Put the plan into sentences, all read off the same draws.

        Examples
        --------
        >>> len(plan.sentences) > 2
        True
        """
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

        Examples
        --------
        >>> panel = plan.panel(after, start="2024-03-01")  # the history, and ten days of the test
        >>> panel.treated, len(panel.post)
        (('u00', 'u01'), 10)
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

        Examples
        --------
        >>> panel = plan.panel(after, start="2024-03-01")
        >>> plan.compare(bs.testing.fake_fit(panel=panel)).columns.tolist()
        ['promised', 'delivered']
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
            H014 when no single effect is known.
        ResultError
            R060 for a row that pymc-marketing refuses.

        Examples
        --------
        >>> plan.lift_test(channel="tv", x=1000.0, delta_x=200.0).columns.tolist()
        ['channel', 'x', 'delta_x', 'delta_y', 'sigma']
        """
        from bayes_synth.planning.lift_test import expected_lift_test

        return expected_lift_test(self, channel, x, delta_x, self.stated(effect))

    def plot(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot the history, its synthetic, and where the test would stand.

        Parameters
        ----------
        **options
            ``backend``, ``title``, ``size``, ``theme`` and the others of every picture, see
            :meth:`bayes_synth.Fit.plot`.

        Examples
        --------
        >>> figure = plan.plot()
        """
        from bayes_synth.planning.pictures.history import plot_history

        return plot_history(self, **options)

    def plot_power(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot the power by effect, one line per length.

        Parameters
        ----------
        **options
            ``backend``, ``title``, ``size``, ``theme`` and the others of every picture, see
            :meth:`bayes_synth.Fit.plot`.

        Examples
        --------
        >>> figure = plan.plot_power()
        """
        from bayes_synth.planning.pictures.power import plot_power

        return plot_power(self, **options)

    def plot_lengths(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot detectable effect and expected width by the length of the test.

        Parameters
        ----------
        **options
            ``backend``, ``title``, ``size``, ``theme`` and the others of every picture, see
            :meth:`bayes_synth.Fit.plot`.

        Examples
        --------
        >>> figure = plan.plot_lengths()
        """
        from bayes_synth.planning.pictures.lengths import plot_lengths

        return plot_lengths(self, **options)

    def plot_pretend_tests(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot the interval of every past window; those that exclude zero are marked.

        Parameters
        ----------
        **options
            ``backend``, ``title``, ``size``, ``theme`` and the others of every picture, see
            :meth:`bayes_synth.Fit.plot`.

        Examples
        --------
        >>> figure = plan.plot_pretend_tests()
        """
        from bayes_synth.planning.pictures.pretend_tests import plot_pretend_tests

        return plot_pretend_tests(self, **options)

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

        Examples
        --------
        >>> len(plan.report()) > 100
        True
        """
        from bayes_synth.planning.report import report

        return report(self, kind)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the plan as netCDF or zarr; :func:`bayes_synth.load` reads it back.

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

        Examples
        --------
        >>> plan.save("plan.nc")
        """
        from bayes_synth.planning.saving import save_plan

        save_plan(self, path, overwrite=overwrite)

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return headline(self)

    def _repr_html_(self) -> str:
        return preformatted(repr(self))
