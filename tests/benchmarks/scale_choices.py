"""Does ``scale="auto"`` choose the scale that forecasts better? Placebos of public panels.

``python tests/benchmarks/scale_choices.py --units 4`` takes that many donors of each panel as if
they had been treated, fits them on both scales and writes the table into ``docs/calibration.md``.
The fit with ``scale="auto"`` is, draw by draw, that of the scale it chooses, so no third fit is
made. Answers are kept, one line each, in a file under ``--store``.
"""

import argparse
import json
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import footer, stored, table, write_between
from coverage_scores import interval_score, quantiles
from real_panels import PANELS

import bayes_synth as bs
from bayes_synth.fitting.scale_choice import choose_scale
from bayes_synth.sampling.settings import Settings, Size

STORE = Path.home() / ".cache" / "bayes_synth" / "scale_choices.jsonl"
NAMES = ("Basque 1970", "Basque 1975", "Germany", "Texas", "Prop 99", "GeoLift", "Unemployment")
"""Panels whose outcomes are positive, once Texas has lost the donors with zeros."""
PLAN = bs.Calibration(most=16)
"""Sixteen donors are refitted on each scale, of panels that have more."""
SIZE = {"draws": 500, "tune": 500, "chains": 4, "cores": 1, "progressbar": False}
SCALES = ("linear", "log", "auto")


def panel_of(name: str) -> bs.Panel:
    """Return the panel without the donors that have outcomes of zero or less."""
    panel = PANELS[name]()
    donors = panel.donor_outcomes.to_pandas()
    return panel.drop([label for label in donors if (donors[label] <= 0).any()])


def placebo(name: str, donor: str) -> dict[str, Any]:
    """Fit one donor as if treated on both scales; scores are in its pre-period sds."""
    seed, panel = zlib.crc32(f"{name}|{donor}".encode()), panel_of(name).as_if_treated(donor)
    sd = float(panel.treated_outcome.to_numpy()[: len(panel.pre)].std(ddof=1))
    row: dict[str, Any] = {"panel": name, "donor": donor}
    for scale in ("linear", "log"):
        fit = bs.SyntheticControl(scale=scale, calibrate=PLAN).fit(panel, random_seed=seed, **SIZE)
        average = fit.effect("average").draws.to_numpy().ravel() / sd
        low, high = quantiles(average, 0.95)
        row[scale] = {
            "error": float(np.median(average)),
            "score": float(interval_score(low, high, 0.0)),
            "covered": bool(low <= 0 <= high),
        }
    settings = Settings.checked(Size(500, 500, 4, 0.99), cores=1, random_seed=seed)
    choice = choose_scale(bs.SyntheticControl(scale="auto", calibrate=PLAN), panel, settings)
    assert choice.table is not None, choice.words
    row["auto"] = row[choice.model.scale]
    return row | {
        "scale": choice.model.scale,
        "probability": float(choice.table["probability"]["log"]),
    }


def work(path: Path, units: int) -> None:
    """Run what is not stored yet: the same number of donors of every panel, evenly spread."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["panel"], row["donor"]) for row in stored(path)}
    with path.open("a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, donor in _wanted(units):
            if (name, donor) not in done:
                file.write(json.dumps(placebo(name, donor)) + "\n")
                file.flush()


def _wanted(units: int) -> Iterator[tuple[str, str]]:
    for name in NAMES:
        donors = panel_of(name).donors
        at = np.unique(np.linspace(0, len(donors) - 1, min(units, len(donors))).round().astype(int))
        yield from ((name, donors[k]) for k in at)


def report(rows: list[dict[str, Any]]) -> str:
    """Compare errors and scores, by panel and over all, with Monte Carlo errors of the ratios."""
    frame = pd.DataFrame(rows)
    lines = [
        _line(name, frame[frame["panel"] == name]) for name in NAMES if name in set(frame["panel"])
    ]
    return table([*lines, _line("**all**", frame)])


def _line(name: str, part: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {
        "panel (placebos)": f"{name} ({len(part)})",
        "log chosen": f"{(part['scale'] == 'log').mean():.2f}",
    }
    values = {scale: pd.DataFrame(list(part[scale])) for scale in SCALES}
    row["RMSE linear / log / auto"] = " / ".join(f"{_rms(values[s]['error']):.3f}" for s in SCALES)
    row["score linear / log / auto"] = " / ".join(
        f"{values[s]['score'].mean():.2f}" for s in SCALES
    )
    row["covered"] = " / ".join(f"{values[s]['covered'].mean():.2f}" for s in SCALES)
    saved = np.log(values["auto"]["score"].to_numpy() / values["linear"]["score"].to_numpy())
    error = saved.std(ddof=1) / np.sqrt(len(saved))
    row["score of auto over linear"] = (
        f"{np.exp(saved.mean()):.2f} ± {np.exp(saved.mean()) * error:.2f}"
    )
    return row


def _rms(errors: pd.Series) -> float:
    return float(np.sqrt((errors**2).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=4, help="donors of each panel")
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not options.report:
        work(options.store, options.units)
    command = f"python tests/benchmarks/scale_choices.py --units {options.units}"
    text = f"{report(list(stored(options.store)))}\n\n{footer(command)}"
    write_between("calibration.md", "scales", text)


if __name__ == "__main__":
    main()
