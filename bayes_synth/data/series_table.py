"""Hold further series of all units at all times of a panel: covariates, auxiliary outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["AbstractSeriesTable"]


@dataclass(frozen=True, eq=False)
class AbstractSeriesTable(ABC):
    """Hold a copy of the series that cannot be written to.

    Parameters
    ----------
    series
        Dims ``(DIM, time, unit)``, finite numbers as the user gave them.
    """

    DIM: ClassVar[str]
    """The dimension of the series' names."""

    series: xr.DataArray

    def __post_init__(self) -> None:
        dims = (self.DIM, "time", "unit")
        series = self.series.transpose(*dims)
        values = np.array(series.to_numpy(), dtype=float)
        values.flags.writeable = False
        coords = {dim: series[dim].to_numpy() for dim in dims}
        object.__setattr__(self, "series", xr.DataArray(values, dims=dims, coords=coords))
        for name, table in zip(self.names, self.series, strict=True):
            self.require_complete(name, table.to_pandas())

    @staticmethod
    @abstractmethod
    def require_complete(name: str, table: pd.DataFrame) -> None:
        """Refuse missing or infinite numbers of one series, dims ``(time, unit)``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the series."""
        return tuple(self.series[self.DIM].values.tolist())

    def of(self, units: Sequence[str]) -> xr.DataArray:
        """Return the series of these units, dims ``(DIM, time, unit)``."""
        return self.series.sel(unit=list(units))
