"""Measure how often looking every day raises a false alarm, by rule, on donors as if treated.

``uv run python tests/benchmarks/monitoring.py [--panels ...] [--most N] [--draws N]`` fits every
donor of Proposition 99, Germany and GeoLift as if it had been treated, calibrated on the others, so
that its true effect is zero in every period, and asks each rule whether it would have called an
effect in any period. Answers are kept in a file, so that a killed run goes on; the table is written
into ``docs/monitoring.md``.

The days' looks are read off the fit of the last day: its weights know the pre-period only, as those
of every earlier day do, but its kappa was learnt over the whole post-period.
"""

import argparse
import json
import time
import warnings
import zlib
from itertools import zip_longest
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import xarray as xr
from common import footer, stored, table, write_between
from real_panels import PANELS
from scipy.stats import beta

import bayes_synth as bs

PROB = 0.95
RULES = {
    "interval": "running total, 95 % interval of the day",
    "anew": "running total, band of the days so far",
    "band": "running total, band of all days",
    "planned": "running total, level from a pretend test",
    "pointwise": "single days, 95 % interval of the day",
    "pointwise band": "single days, band of all days",
}
"""The rules by name; the first is what people do."""


def placebo(panel: str, donor: str, draws: int) -> dict[str, Any]:
    """Fit one donor as if treated, and tell which rules call an effect that is not there."""
    began, seed = time.perf_counter(), zlib.crc32(f"{panel}|{donor}".encode())
    known = {"panel": panel, "donor": donor, "draws": draws}
    try:
        treated = PANELS[panel]().as_if_treated(donor)
    except bs.errors.DesignError as error:
        return known | {"reason": str(error)}
    fit = fitted(treated, draws, seed)
    level = planned_level(treated, draws, seed)
    alarms, width = looks(fit, level)
    return known | {
        "alarms": alarms,
        "level": level,
        "width": width,
        "kappa": float(fit.calibration.kappa.mean()),
        "seconds": time.perf_counter() - began,
    }


def fitted(panel: bs.Panel, draws: int, seed: int) -> bs.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.errors.ConvergenceWarning)
        return bs.SyntheticControl().fit(
            panel, draws=draws, tune=draws, cores=1, random_seed=seed, progressbar=False
        )


def planned_level(panel: bs.Panel, draws: int, seed: int) -> float | None:
    """Return the probability of each day's interval that a pretend test of equal length asks for.

    None where the pre-period is too short for one.
    """
    try:
        before = panel.backdate(panel.pre[-len(panel.post)])
    except (bs.errors.DesignError, IndexError):
        return None
    return ends(fitted(before, draws, seed).effect("cumulative"))[1]


def ends(effect: bs.Effect) -> tuple[np.ndarray, float]:
    """Return a band's ends, dims ``(time, ci_bound)``, and the probability of its intervals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.errors.ConvergenceWarning)
        found = effect.band(PROB)
    return found.to_numpy(), float(found.attrs["interval_prob"])


def looks(fit: bs.Fit, level: float | None) -> tuple[dict[str, bool], float]:
    """Tell which rules call an effect, and how much wider the band is than the intervals."""
    running, single = fit.effect("cumulative"), fit.effect("pointwise")
    (band, _), interval = ends(running), running.interval(PROB).to_numpy()
    alarms = {
        "interval": apart(interval),
        "anew": apart(anew(running)),
        "band": apart(band),
        "pointwise": apart(single.interval(PROB).to_numpy()),
        "pointwise band": apart(ends(single)[0]),
    }
    if level is not None:
        alarms["planned"] = apart(running.interval(level).to_numpy())
    return alarms, float(np.median(np.ptp(band, axis=1) / np.ptp(interval, axis=1)))


def anew(running: bs.Effect) -> np.ndarray:
    """Return the last period of the band that each day makes of the days so far."""
    days = running.draws.sizes["time"]
    parts = (running.draws.isel(time=slice(day + 1)) for day in range(days))
    return np.stack([ends(bs.Effect(part, "cumulative"))[0][-1] for part in parts])


def apart(bounds: np.ndarray | xr.DataArray) -> bool:
    """Tell whether bounds, lower and upper last, exclude zero in any period."""
    return bool(((bounds[:, 0] > 0) | (bounds[:, 1] < 0)).any())


def of_draws(path: Path, draws: int) -> list[dict[str, Any]]:
    """Return the answers in a file, but for those of other draws."""
    return [row for row in stored(path) if row["draws"] == draws]


def run(path: Path, panels: list[str], most: int | None, draws: int, minutes: float) -> None:
    """Answer what is not answered yet, on every core, until the time is over."""
    done = {(row["panel"], row["donor"]) for row in of_draws(path, draws)}
    donors = [[(panel, donor) for donor in PANELS[panel]().donors[:most]] for panel in panels]
    # Panels in turn, so that a run cut short has some of each.
    todo = [each for turn in zip_longest(*donors) for each in turn if each and each not in done]
    end = time.monotonic() + 60 * minutes
    path.parent.mkdir(parents=True, exist_ok=True)
    pool = joblib.Parallel(
        n_jobs=joblib.cpu_count(), return_as="generator_unordered", pre_dispatch="n_jobs"
    )
    in_time = (each for each in todo if time.monotonic() < end)
    for row in pool(joblib.delayed(placebo)(*each, draws) for each in in_time):
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def share(found: list[bool]) -> str:
    """Write a share with its 95 % interval (Jeffreys)."""
    if not found:
        return "-"
    low, high = beta.ppf([0.025, 0.975], sum(found) + 0.5, len(found) - sum(found) + 0.5)
    return f"{np.mean(found):.2f} [{low:.2f}, {high:.2f}]"


def row_of(name: str, answers: list[dict[str, Any]]) -> dict[str, str]:
    """Write the false alarms of one panel, or of all."""
    rates = {
        words: share([row["alarms"][rule] for row in answers if rule in row["alarms"]])
        for rule, words in RULES.items()
    }
    widths = [row["width"] for row in answers]
    levels = [row["level"] for row in answers if row["level"] is not None]
    facts = {
        "band's width": f"{np.median(widths):.2f}",
        "planned level": f"{np.median(levels):.3f}" if levels else "-",
    }
    return {"panel (placebos)": f"{name} ({len(answers)})", **rates, **facts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", nargs="+", default=["Prop 99", "Germany", "GeoLift"])
    parser.add_argument("--most", type=int, help="donors per panel; default: all")
    parser.add_argument("--draws", type=int, default=1000, help="per chain")
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--store", type=Path, default=Path("monitoring.jsonl"))
    options = parser.parse_args()
    run(options.store, options.panels, options.most, options.draws, options.minutes)
    answers = [row for row in of_draws(options.store, options.draws) if "alarms" in row]
    rows = [
        row_of(panel, found)
        for panel in options.panels
        if (found := [row for row in answers if row["panel"] == panel])
    ]
    rows.append(row_of("**all**", answers))
    most = f" --most {options.most}" if options.most else ""
    command = f"python tests/benchmarks/monitoring.py --draws {options.draws}{most}"
    write_between("monitoring.md", "monitoring", f"{table(rows)}\n\n{footer(command)}")


if __name__ == "__main__":
    main()
