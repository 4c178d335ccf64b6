"""Read a file of comma-separated values so that labels stay what is written there.

A program that guesses types turns ``NA`` (Namibia) into a missing label and ``06`` into 6.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from bayes_synth.errors import PanelError

__all__ = ["read_text_file"]

NO_OUTCOME = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A"]
"""Cells that hold no outcome."""


def read_text_file(
    path: Path, *, unit: str, time: str, outcome: str, **options: Any
) -> pd.DataFrame:
    """Read a file with labels and times as text, and with outcomes as numbers.

    Parameters
    ----------
    path
        The file.
    unit, time, outcome
        Columns. Units and times keep every character; of outcomes, empty cells, ``NA``, ``NaN``
        and ``NULL`` are missing.
    options
        Those of :func:`pandas.read_csv`, such as ``sep`` and ``decimal``.

    Raises
    ------
    PanelError
        P001 for a file that does not exist or is no table.
    """
    if not path.is_file():
        raise PanelError("P001", f"the data must be a CSV file; there is no {path}.")
    try:
        frame: pd.DataFrame = pd.read_csv(
            path,
            dtype={unit: str, time: str},
            keep_default_na=False,
            na_values={outcome: NO_OUTCOME},
            **options,
        )
    except ValueError as error:
        raise PanelError("P001", f"cannot read {path} as CSV: {error}") from error
    return frame
