"""The sets of units that were compared: what each claimed when it was chosen, and what since."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Unpack, final

import pandas as pd

from bayes_synth.planning.plan import Plan
from bayes_synth.words import preformatted, public, short

if TYPE_CHECKING:
    from arviz_plots import PlotCollection

    from bayes_synth.plots.look import PictureOptions

__all__ = ["Choice"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """Compare sets of units; :func:`bayes_synth.choose_treated` makes it.

    Parameters
    ----------
    table
        One row per finalist and length, the best first: ``units``, ``size``, ``periods``, ``rank``,
        ``tied`` (its power when chosen is within two errors of the best), ``power_when_chosen`` (of
        the longest test) with ``power_when_chosen_error``, ``power`` (from windows that took no
        part in choosing), ``detectable_up``, ``width_share``, ``false_positives`` with its error,
        ``share``, ``cost``, ``verdict``.
    plans
        The finalists' plans by their units. They rest on windows that took no part in choosing.
    left_out
        What each constraint removed, and the sets that were not looked at (``missing outcomes``,
        ``not drawn``): index ``constraint``, columns ``sets``, ``example``, ``nearest``.
    considered
        How many sets were screened, and how many were fitted.
    windows
        Starts of the windows for choosing and of those for claiming.

    Examples
    --------
    >>> choice.best.treated
    ('u00', 'u01')
    >>> len(choice.ties) > 0
    True
    """

    table: pd.DataFrame
    plans: Mapping[tuple[str, ...], Plan]
    left_out: pd.DataFrame
    considered: tuple[int, int]
    windows: tuple[tuple[object, ...], tuple[object, ...]]

    @property
    def best(self) -> Plan:
        """Return the plan of the set that was best when it was chosen; see :attr:`ties` too.

        Examples
        --------
        >>> choice.best.treated
        ('u00', 'u01')
        """
        return next(iter(self.plans.values()))

    @property
    def ties(self) -> tuple[tuple[str, ...], ...]:
        """Return the sets that cannot be told from the best.

        Examples
        --------
        >>> len(choice.ties) > 0
        True
        """
        tied = self.table.loc[self.table["tied"], "units"]
        return tuple(dict.fromkeys(tied))

    def plot(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot every finalist's power when it was chosen beside its power since.

        Parameters
        ----------
        **options
            ``backend``, ``title``, ``size``, ``theme`` and the others of every picture, see
            :meth:`bayes_synth.Fit.plot`.

        Examples
        --------
        >>> figure = choice.plot()
        """
        from bayes_synth.planning.pictures.choice import plot_choice

        return plot_choice(self.table, **options)

    def plot_cost(self, **options: "Unpack[PictureOptions]") -> "PlotCollection":
        """Plot every finalist's power by what the test costs, a point per length.

        Parameters
        ----------
        **options
            As in :meth:`plot`.

        Raises
        ------
        OptionError
            O063 when the choice was made without a price or an effect.

        Examples
        --------
        >>> figure = choice.plot_cost()
        """
        from bayes_synth.planning.pictures.cost import plot_cost

        return plot_cost(self.table, **options)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the choice and its plans as netCDF or zarr; :func:`bayes_synth.load` reads it back.

        Parameters
        ----------
        path
            A name that ends in ``.nc``, ``.zarr`` or ``.zarr.zip``.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        LoadError
            As in :meth:`bayes_synth.Plan.save`.

        Examples
        --------
        >>> choice.save("choice.nc")
        """
        from bayes_synth.planning.saving import save_choice

        save_choice(self, path, overwrite=overwrite)

    def __dir__(self) -> list[str]:
        return public(super().__dir__())

    def __repr__(self) -> str:
        return "\n".join([*self._head(), *(f"  {line}" for line in self._rows())])

    def _head(self) -> list[str]:
        tied = len(self.ties)
        chosen, claimed = (", ".join(short(t) for t in part) for part in self.windows)
        lines = [
            f"Choice: {' + '.join(self.best.treated)} ({self.best.verdict}), best of "
            f"{len(self.plans)} finalists of {self.considered[0]} sets",
            f"  chosen by windows from {chosen}; claims rest on windows from {claimed}",
        ]
        if tied > 1:
            lines.append(f"  {tied} finalists are tied: their difference is within its error")
        lines += [f"  {name}: removed {row['sets']} sets" for name, row in self.left_out.iterrows()]
        return lines

    def _rows(self) -> list[str]:
        columns = ["periods", "power_when_chosen", "power", "detectable_up", "width_share", "tied"]
        shown = self.table[columns].copy()
        shown.insert(0, "units", [" + ".join(units) for units in self.table["units"]])
        text = shown.to_string(index=False, float_format=lambda value: f"{value:.3g}")
        return text.splitlines()

    def _repr_html_(self) -> str:
        return preformatted(repr(self))
