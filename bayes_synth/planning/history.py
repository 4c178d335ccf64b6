"""The final class of a history: it knows how to plan a test with a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from bayes_synth.data.history import AbstractHistory
from bayes_synth.planning.make import make_plan
from bayes_synth.planning.plan import Plan

__all__ = ["History"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class History(AbstractHistory):
    """Hold outcomes of units that nobody has treated yet, to plan a test on.

    Build one with :meth:`from_long`, :meth:`from_wide` or :meth:`from_xarray`; it has no treated
    units and no start.

    Parameters
    ----------
    outcomes
        Dims ``(time, unit)``, sorted along both. Outcomes may be missing (NaN).
    unit, time, outcome
        Names that the user gave them.
    remarks
        Notes from when the history was read; see :attr:`report`.
    zone
        Time zone of the data.

    Raises
    ------
    PanelError
        P014 for other dims.

    Examples
    --------
    >>> history = bs.History.from_long(df, unit="state", time="year", outcome="sales")
    >>> history.units[-2:]
    ('donor_05', 'treated')
    """

    def planned(self, model: Any, treated: Any, request: Mapping[str, Any]) -> Plan:
        """Plan a test with this model.

        Parameters
        ----------
        model, treated
            As in :meth:`bayes_synth.SyntheticControl.plan`.
        request
            The other arguments of that method, by name.
        """
        return make_plan(model, self, treated, **request)
