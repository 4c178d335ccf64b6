"""One remark on a panel, and the table that rules look at."""

from typing import NamedTuple

import pandas as pd

__all__ = ["Remark", "Table"]


class Remark(NamedTuple):
    """State one thing to know: code, ``"warned"`` or only ``"noted"``, and the sentence."""

    code: str
    kind: str
    text: str


class Table(NamedTuple):
    """Hold a panel's treated series (several averaged), donors and number of pre-periods."""

    treated: pd.Series
    donors: pd.DataFrame
    pre: int

    @property
    def before(self) -> tuple[pd.Series, pd.DataFrame]:
        """Return treated series and donors in the pre-periods with a treated outcome."""
        series = self.treated.iloc[: self.pre].dropna()
        return series, self.donors.loc[series.index]
