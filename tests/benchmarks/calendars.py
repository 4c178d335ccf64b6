"""Do calendars forecast donors better? Placebos of one fit per panel, with and without.

``python tests/benchmarks/calendars.py`` fits GeoLift (daily) and unemployment (monthly) without a
calendar, with the one of their times and with ``calendar="auto"``, for two seeds, and writes the
table into ``docs/calendar.md``. Every donor is refitted as if treated by the fit's own calibration;
errors are over the donor's standard deviation before the treatment.
"""

import warnings
from typing import Any

import numpy as np
from common import footer, table, write_between
from real_panels import PANELS

import bayes_synth as bs
from bayes_synth import checks

SEEDS = (1, 2)
LEVELS = (0.5, 0.8, 0.95)
SIZE = {"draws": 500, "tune": 500, "chains": 4, "progressbar": False}
CALENDARS: dict[str, dict[str, Any]] = {
    "GeoLift": {"none": (), "DayOfWeek": bs.calendar.DayOfWeek(), "auto": "auto"},
    "Unemployment": {"none": (), "MonthOfYear": bs.calendar.MonthOfYear(), "auto": "auto"},
}


def scored(panel: bs.Panel, calendar: Any, seed: int) -> dict[str, Any]:
    """Return the placebos' root mean square errors, of the average and of single periods."""
    fit = bs.SyntheticControl(calendar=calendar).fit(panel, random_seed=seed, **SIZE)
    sds = panel.donor_outcomes.to_pandas().iloc[: len(panel.pre)].std()
    errors = fit.calibration.table[["error", "deviation"]].astype(float)
    squares = errors.div(sds[errors.index], axis=0) ** 2
    coverage = checks.placebo_in_space(fit).table.attrs["coverage"]
    return {
        "average": float(np.sqrt(squares["error"].mean())),
        "single": float(np.sqrt(squares.sum(axis=1).mean())),
        "coverage": [coverage[p] for p in LEVELS],
        "kept": " + ".join(each.describe() for each in fit.model.calendars) or "none",
    }


def rows() -> list[dict[str, Any]]:
    """Score every panel with every calendar; errors are relative to no calendar, seed by seed."""
    found = []
    for panel, calendars in CALENDARS.items():
        data = PANELS[panel]()
        scores = {
            name: [scored(data, calendar, seed) for seed in SEEDS]
            for name, calendar in calendars.items()
        }
        for name, each in scores.items():
            row: dict[str, Any] = {"panel": panel, "calendar": name, "kept": each[0]["kept"]}
            for part in ("average", "single"):
                changes = [
                    f"{own[part] / none[part] - 1:+.1%}"
                    for own, none in zip(each, scores["none"], strict=True)
                ]
                row[f"RMSE, {part}"] = f"{np.mean([one[part] for one in each]):.3f}"
                row[f"change, {part}"] = " / ".join(changes)
            covered = np.mean([one["coverage"] for one in each], axis=0)
            row["coverage at 50/80/95"] = " ".join(f"{value:.2f}" for value in covered)
            found.append(row)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    text = f"{table(rows())}\n\n{footer('python tests/benchmarks/calendars.py')}"
    write_between("calendar.md", "calendars", text)
