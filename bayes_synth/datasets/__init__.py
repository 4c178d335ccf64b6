"""Load panels to learn with: some are shipped, some fetched from their public addresses.

The page *Datasets* of the documentation has sources, licences and known results.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, final

import pandas as pd

from bayes_synth.data.panel import Panel, from_table
from bayes_synth.data.remarks import Remark
from bayes_synth.data.table import Names
from bayes_synth.errors import LoadError, PanelError
from bayes_synth.words import suggestion

__all__ = ["fetch_dataset", "load_dataset"]


@final
@dataclass(frozen=True)
class Design:
    """Say how a table becomes a panel, and who has to be credited."""

    unit: str
    time: str
    outcome: str
    treated: str | tuple[str, ...]
    start: Any
    source: str
    licence: str
    citation: str

    def panel(self, table: pd.DataFrame) -> Panel:
        """Make the panel of this design; it is not warned about, and its report has the remarks."""
        from bayes_synth.data.readers import read_long

        notes: list[Remark] = []
        names = {"unit": self.unit, "time": self.time, "outcome": self.outcome}
        return self.made(read_long(table, **names, notes=notes), notes)

    def made(self, cells: pd.DataFrame, notes: Sequence[Remark] = ()) -> Panel:
        """Make the panel of this design from a table of times by units."""
        names = Names(self.unit, self.time, self.outcome)
        return from_table(cells, self.treated, self.start, names, notes=[*notes], quiet=True)


SHIPPED = {
    "prop99": Design(
        unit="state",
        time="year",
        outcome="cigsale",
        treated="California",
        start=1989,
        source="CDC, The Tax Burden on Tobacco; figures as in the CausalPy 0.9.0 wheel",
        licence="Apache-2.0 (CausalPy); figures of the United States government",
        citation="Abadie, Diamond and Hainmueller (2010), JASA 105(490), 493-505",
    ),
    "texas": Design(
        unit="state",
        time="year",
        outcome="bmprison",
        treated="Texas",
        start=1993,
        source="Package causaldata 0.1.5, texas",
        licence="MIT (causaldata)",
        citation="Cunningham (2021), Causal Inference: The Mixtape, chapter 10; "
        "Cunningham and Kang (2019)",
    ),
    "castle": Design(
        unit="state",
        time="year",
        outcome="homicide",
        treated="Florida",
        start=2006,
        source="Package causaldata 0.1.5, castle",
        licence="MIT (causaldata)",
        citation="Cheng and Hoekstra (2013), Journal of Human Resources 48(3), 821-854",
    ),
    "geo_test": Design(
        unit="market",
        time="date",
        outcome="orders",
        treated="Springfield",
        start="2025-05-01",
        source="Simulated with bayes_synth.simulate: 120 orders a day added from the start on",
        licence="Apache-2.0",
        citation="This library",
    ),
}

MLSYNTH = "https://raw.githubusercontent.com/jgreathouse9/mlsynth/{}/basedata/{}"


@final
@dataclass(frozen=True)
class Remote:
    """Name a public file, the units to leave out, and the digest of the panel it must give."""

    address: str
    design: Design
    sha256: str
    leave_out: tuple[str, ...] = ()

    def panel(self, table: pd.DataFrame) -> Panel:
        """Make the panel of this file, without the units to leave out."""
        return self.design.panel(table[~table[self.design.unit].isin(self.leave_out)])


VIA = "via the repository jgreathouse9/mlsynth"

FETCHED = {
    "germany": Remote(
        MLSYNTH.format("edb24cc3850e998314d4f658352be573257b81b2", "german_reunification.csv"),
        Design(
            unit="country",
            time="year",
            outcome="gdp",
            treated="West Germany",
            start=1990,
            source=f"doi:10.7910/DVN/24714, {VIA}",
            licence="MIT (mlsynth)",
            citation="Abadie, Diamond and Hainmueller (2015), "
            "American Journal of Political Science 59(2), 495-510",
        ),
        "69f9ffb8414f1be0f8175fc32d41bf5f406f76a114a5a4f006d92e7d8c95785b",
    ),
    "basque": Remote(
        MLSYNTH.format("c9b589142dd908e133f60449a26553bf7897539d", "basque_jasa.csv"),
        Design(
            unit="regionname",
            time="year",
            outcome="gdpcap",
            treated="Basque Country (Pais Vasco)",
            start=1970,
            source=f"Abadie and Gardeazabal (2003), {VIA}",
            licence="MIT (mlsynth)",
            citation="Abadie and Gardeazabal (2003), American Economic Review 93(1), 113-132",
        ),
        "1e754bfefae0eb24f0ff9e7b836b4aefb598b31628345ebfc65f2e635ea23f77",
        leave_out=("Spain (Espana)",),
    ),
    "geolift": Remote(
        MLSYNTH.format("3da7d8c899d0dbf794514b1b7f4a2da9a1b43be3", "geolift_test_data.csv"),
        Design(
            unit="location",
            time="date",
            outcome="Y",
            treated=("chicago", "portland"),
            start="2021-04-01",
            source=f"facebookincubator/GeoLift walkthrough (simulated), {VIA}",
            licence="MIT",
            citation="GeoLift, Meta Incubator",
        ),
        "d69babe531aadd32ec28bab80f080c8ae3c67ff7d8436cfd48c0e104cb385895",
    ),
}


def load_dataset(name: str) -> Panel:
    """Load a panel that ships with the library; works offline.

    Parameters
    ----------
    name
        ``"prop99"`` (California's tobacco programme, 1989), ``"texas"`` (prison building, 1993),
        ``"castle"`` (Florida's castle doctrine against states that never adopted one, 2006; six
        pre-periods, an example only) or ``"geo_test"`` (a simulated campaign in one market, daily).

    Raises
    ------
    PanelError
        P003 for an unknown name.

    Examples
    --------
    >>> bs.load_dataset("prop99").treated
    ('California',)
    """
    design: Design = _dataset(name, SHIPPED, other=FETCHED, hint="fetch_dataset")
    table = pd.read_csv(Path(__file__).parent / f"{name}.csv")
    if isinstance(table[design.time].iloc[0], str):
        table[design.time] = pd.to_datetime(table[design.time]).dt.as_unit("ns")
    return design.made(table.pivot(index=design.time, columns=design.unit, values=design.outcome))


def fetch_dataset(name: str, *, cache: str | PathLike[str] | None = None) -> Panel:
    """Fetch a panel from its public address, and keep the file for later calls.

    Parameters
    ----------
    name
        ``"germany"`` (reunification, 1990), ``"basque"`` (terrorism, 1970) or ``"geolift"`` (two
        markets, 2021).
    cache
        Folder to keep the file in. Default: the user's cache folder.

    Raises
    ------
    PanelError
        P003 for an unknown name.
    LoadError
        L007 when the address cannot be reached, L001 when the file there holds other figures.

    Examples
    --------
    >>> bs.fetch_dataset("germany")  # doctest: +SKIP
    """
    remote: Remote = _dataset(name, FETCHED, other=SHIPPED, hint="load_dataset")
    file = _download(remote.address, cache)
    try:
        panel = remote.panel(pd.read_csv(file))
    except (KeyError, ValueError) as error:
        raise _unexpected(name, remote, file) from error
    if digest(panel) != remote.sha256:
        raise _unexpected(name, remote, file)
    return panel


def digest(panel: Panel) -> str:
    """Compute the digest of a panel's figures, whatever the line ends and row order of its file."""
    rows = panel.outcomes.to_pandas().stack()
    text = "\n".join(
        f"{unit},{time},{value!r}" for (time, unit), value in sorted(rows.to_dict().items())
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _download(address: str, cache: str | PathLike[str] | None) -> str:
    """Return the path of a local copy of the file, which is downloaded unless it is there."""
    import pooch

    folder = cache or pooch.os_cache("bayes_synth")
    try:
        # Copies of these files differ in line ends and row order, so the digest of the figures is
        # compared, not one of the bytes.
        name = address.rsplit("/", 1)[1]
        return str(pooch.retrieve(address, known_hash=None, path=folder, fname=name))
    except (OSError, ValueError) as error:
        raise LoadError(
            "L007",
            f"{address} cannot be reached ({error}).\n"
            "  Download it yourself and use bs.Panel.from_long.",
        ) from error


def _unexpected(name: str, remote: Remote, file: str) -> LoadError:
    """Return the error for a file that holds other figures than expected."""
    return LoadError(
        "L001",
        f"the figures at {remote.address} are not those of {name!r} as known to this version.\n"
        f"  Delete {file} and try again; if they have changed for good, use bs.Panel.from_long.",
    )


def _dataset(name: str, datasets: dict[str, Any], *, other: dict[str, Any], hint: str) -> Any:
    """Look a dataset up by name; ``hint`` is the function that knows the others."""
    if name in datasets:
        return datasets[name]
    if name in other:
        raise PanelError("P003", f"{name!r} is a dataset for bs.{hint}({name!r}).")
    hint = suggestion(name, [*datasets, *other])
    raise PanelError("P003", f"name must be that of a dataset, got {name!r}. {hint}")
