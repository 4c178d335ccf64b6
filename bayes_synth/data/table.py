"""A table of outcomes on its way to a panel: its design, its remarks, and the panel in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import pandas as pd
import xarray as xr

from bayes_synth.data.missing import complete, unseen
from bayes_synth.data.remarks import Remark, Table, remarks, skipped
from bayes_synth.data.times import NO_ZONE, Zone, first_treated
from bayes_synth.data.validation import locked, one_start, require_treated
from bayes_synth.errors import DesignWarning, PanelError, PanelWarning, warn
from bayes_synth.words import listed, short, span, texts

__all__ = ["NAMES", "Design", "Names", "design_of", "facts", "remarks_on", "warn_about"]


@final
@dataclass(frozen=True)
class Names:
    """Hold the user's names for units, times and outcomes, with which axes are labelled."""

    unit: str = "unit"
    time: str = "time"
    outcome: str = "outcome"


NAMES = Names()
"""Names for data that bring none of their own."""


class Design(NamedTuple):
    """Hold what makes a panel: outcomes, dims ``(time, unit)``, treated units, start and zone."""

    outcomes: xr.DataArray
    treated: tuple[str, ...]
    start: Any
    zone: Zone = NO_ZONE


def design_of(
    table: pd.DataFrame, treated: Any, start: Any, missing: str, notes: list[Remark]
) -> Design:
    """Complete a table as ``missing`` says, and find its treated units and first treated period.

    Raises
    ------
    PanelError, DesignError, OptionError
        As in :meth:`bayes_synth.Panel.from_long`.
    """
    chosen = tuple(sorted(texts(treated)))
    table.index.name, table.columns.name = "time", "unit"
    if table.shape[1] < 2:
        text = f"the data hold a single unit ({listed(table.columns)}): no donors to weight."
        raise PanelError("P037", text)
    require_treated(chosen, [str(label) for label in table.columns])
    zone = table.attrs.get("zone", NO_ZONE)
    table = complete(table, missing, chosen, notes)
    times = pd.Index(table.index)
    notes += skipped(zone.instants(times))
    first = first_treated(zone.typed(one_start(start, chosen)), times, zone)
    return Design(locked(xr.DataArray(table, dims=("time", "unit"))), chosen, first, zone)


def remarks_on(treated: pd.Series, donors: pd.DataFrame, pre: int) -> list[Remark]:
    """Return everything about a treated series and its donors that deserves a look."""
    return [*unseen(treated[:pre], treated[pre:]), *remarks(Table(treated, donors, pre))]


def warn_about(notes: Sequence[Remark]) -> None:
    """Warn about every remark that is more than a note; those on the design have codes with D."""
    for code, kind, text in notes:
        if kind == "warned":
            warn(DesignWarning if code.startswith("D") else PanelWarning, code, text)


def facts(
    design: Design, donors: Sequence[str], halves: tuple[pd.Index, pd.Index], missing: pd.Index
) -> dict[str, str]:
    """Put a panel in words: treated units, start, donors, both periods, missing times."""
    count = len(design.treated)
    mean = f" (mean of {count} units; a placebo is a mean of as many donors)"
    words = {
        "treated": listed(design.treated, 3) + (mean if count > 1 else ""),
        "start": short(design.start),
        "donors": f"{len(donors)}: {listed(donors, 4)}",
        "pre": span(halves[0]),
        "post": span(halves[1]),
        "outcome": str(design.outcomes.name),
    }
    if len(missing):
        words["missing"] = f"no treated outcome at {listed(map(short, missing))}"
    return words
