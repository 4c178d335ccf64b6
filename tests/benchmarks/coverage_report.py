"""The tables and the picture of the coverage scoreboard, from the stored answers alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common import ROOT, footer, table, write_between
from coverage_scores import LEVELS, MODELS, NEGATIVE, interval_score

EFFECTS = (0.5, 1.0, 2.0)
LIFTS = (0.05, 0.10, 0.15, 0.20)
BOOTSTRAPS = 2000
WORST = 0.87
"""Lowest coverage of 95 % intervals that counts as calibrated on a single panel."""


def write(fits: pd.DataFrame) -> None:
    """Every section of ``docs/calibration.md`` for which there are answers."""
    real, simulated = fits[fits["real"]], fits[~fits["real"]]
    default = real[real["model"] == "default"]
    if len(default):
        write_between("calibration.md", "panels", panel_table(default))
        write_between("calibration.md", "statements", statement_table(default))
        write_between("calibration.md", "factors", factor_table(default))
        write_between("calibration.md", "estimators", estimator_table(default))
        write_between("calibration.md", "power", power_table(default))
        write_between("calibration.md", "selected", selected_table(default))
        if len(set(real["model"])) > 1:
            write_between("calibration.md", "models", model_table(real))
        picture(default, ROOT / "docs" / "calibration.png")
    if len(simulated):
        write_between("calibration.md", "simulations", simulation_table(simulated))
    settled = default["ok"].astype(bool).mean() if len(default) else float("nan")
    command = footer("python tests/benchmarks/scoreboard.py --full")
    models = "; ".join(
        f"{name}: {size}" for name, size in real.groupby("model", sort=False).size().items()
    )
    note = f"{command} Placebos: {models}. Converged: {settled:.1%} of the default model's."
    write_between("calibration.md", "footer", note)


def control_covers(fits: pd.DataFrame) -> bool:
    """Whether the negative control looks calibrated: then the scoreboard shows nothing."""
    covered = fits.loc[fits["model"] == NEGATIVE, "covered 0.95"]
    return bool(len(covered)) and bool(covered.mean() >= WORST)


def scored(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row per fit with its errors, widths and scores, in the unit's own pre-period sd."""
    fits = pd.DataFrame([row for row in rows if "bounds" in row])
    fits["real"] = ~fits["unit"].str.fullmatch(r"\d+")
    for level in LEVELS:
        low, high = (
            fits["bounds"].map(lambda b, i=i, level=level: b[str(level)][i]) for i in (0, 1)
        )
        fits[f"low {level}"], fits[f"high {level}"] = low, high
        fits[f"covered {level}"] = (low <= fits["truth"]) & (fits["truth"] <= high)
        fits[f"pointwise {level}"] = fits["pointwise"].map(lambda p, level=level: p[str(level)])
    fits["width"] = (fits["high 0.95"] - fits["low 0.95"]) / fits["pre_sd"]
    fits["score"] = (
        interval_score(fits["low 0.95"], fits["high 0.95"], fits["truth"]) / fits["pre_sd"]
    )
    fits["raw low"], fits["raw high"] = fits["uncalibrated"].str[0], fits["uncalibrated"].str[1]
    for name in ("mean", "simplex", "sdid"):
        fits[f"error {name}"] = (fits[name] - fits["truth"]) / fits["pre_sd"]
    return fits


def rms(errors: pd.Series) -> float:
    return float(np.sqrt((errors**2).mean()))


def panel_table(fits: pd.DataFrame) -> str:
    """Coverage of the average effect by panel, pooled with a bootstrap band, and the scores."""
    lines = [_panel_line(name, part) for name, part in fits.groupby("source", sort=False)]
    pooled = _panel_line("**all**", fits)
    bands = {f"{level:.0%}": bootstrap(fits[f"covered {level}"]) for level in LEVELS}
    pooled |= {
        name: f"{pooled[name]} ({low:.2f}-{high:.2f})" for name, (low, high) in bands.items()
    }
    return table([*lines, pooled])


STATEMENTS = ("first", "single", "first third", "last third", "thirds", "running")


def statement_table(fits: pd.DataFrame) -> str:
    """Coverage of every statement by panel and pooled, and of the bands."""
    groups = [*fits.groupby("source", sort=False), ("**all**", fits)]
    lines = []
    for name, part in groups:
        held = pd.DataFrame(list(part["statements"]))
        average = " ".join(f"{part[f'covered {level}'].mean():.2f}" for level in LEVELS)
        row = {"panel (placebos)": f"{name} ({len(part)})", "average": average}
        for each in STATEMENTS:
            row[each] = " ".join(f"{held[f'{each} {level}'].mean():.2f}" for level in LEVELS)
        row["band"] = f"{held['band pointwise'].mean():.2f}"
        row["band of the running total"] = f"{held['band cumulative'].mean():.2f}"
        lines.append(row)
    return table(lines)


def factor_table(fits: pd.DataFrame) -> str:
    """Coverage of single periods and of the average by the factor that the fit prints."""
    groups = pd.cut(
        fits["factor"], [0, 0.7, 1.4, np.inf], labels=["below 0.7", "0.7 to 1.4", "above 1.4"]
    )
    lines = []
    for name, part in fits.groupby(groups, observed=True):
        held = pd.DataFrame(list(part["statements"]))
        row = {"printed factor": str(name), "placebos": len(part)}
        row["average"] = " ".join(f"{part[f'covered {level}'].mean():.2f}" for level in LEVELS)
        for each in ("first", "single"):
            row[each] = " ".join(f"{held[f'{each} {level}'].mean():.2f}" for level in LEVELS)
        lines.append(row)
    return table(lines)


def _panel_line(name: str, part: pd.DataFrame) -> dict[str, str]:
    raw = (part["raw low"] <= part["truth"]) & (part["truth"] <= part["raw high"])
    return {
        "panel (placebos)": f"{name} ({len(part)})",
        **{f"{level:.0%}": f"{part[f'covered {level}'].mean():.2f}" for level in LEVELS},
        "pointwise 50/80/90/95": " ".join(
            f"{part[f'pointwise {level}'].mean():.2f}" for level in LEVELS
        ),
        "score": f"{part['score'].mean():.2f}",
        "CRPS": f"{(part['crps'] / part['pre_sd']).mean():.3f}",
        "median width": f"{part['width'].median():.2f}",
        "false positives": f"{1 - part['covered 0.95'].mean():.2f}",
        "kappa": f"{part['kappa'].mean():.2f}",
        "95% uncalibrated": f"{raw.mean():.2f}",
    }


def bootstrap(values: pd.Series) -> np.ndarray:
    """95 % band of a mean over resampled units."""
    data, rng = values.to_numpy(dtype=float), np.random.default_rng(1)
    return np.quantile(rng.choice(data, (BOOTSTRAPS, len(data))).mean(1), [0.025, 0.975])


def estimator_table(fits: pd.DataFrame) -> str:
    """RMSE of the average effect against the two classical estimators."""
    names = {
        "this library": "error mean",
        "synthetic difference-in-differences": "error sdid",
        "simplex": "error simplex",
    }
    parts = list(fits.groupby("source", sort=False))
    lines = [
        {"panel": name} | {n: f"{rms(part[c]):.3f}" for n, c in names.items()}
        for name, part in parts
    ]
    mean = {n: f"{np.mean([rms(part[c]) for _, part in parts]):.3f}" for n, c in names.items()}
    return table([*lines, {"panel": "**mean over panels**"} | mean])


def power(part: pd.DataFrame, effect: pd.Series) -> float:
    """Share of units whose 95 % interval would exclude zero with this effect, which shifts all
    draws.
    """
    return float(((part["low 0.95"] + effect > 0) | (part["high 0.95"] + effect < 0)).mean())


def power_table(fits: pd.DataFrame) -> str:
    """Power against effects in pre-period sd, and in per cent of the mean level."""
    lines = []
    for name, part in fits.groupby("source", sort=False):
        sds = {f"{size:g} sd": f"{power(part, size * part['pre_sd']):.2f}" for size in EFFECTS}
        lifts = {
            f"{lift:.0%}": f"{power(part, lift * part['pre_mean'].abs()):.2f}" for lift in LIFTS
        }
        lines.append({"panel": name, **sds, **lifts})
    return table(lines)


SELECTIONS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "largest": lambda part: part["pre_mean"].abs(),
    "most trending": lambda part: (part["trend"] / part["pre_mean"]).abs(),
    "fastest": lambda part: part["trend"] / part["pre_mean"].abs(),
    "slowest": lambda part: -part["trend"] / part["pre_mean"].abs(),
    "noisiest": lambda part: part["pre_sd"] / part["pre_mean"].abs(),
    "best fitting": lambda part: -part["fit_ratio"],
}


def selected_table(fits: pd.DataFrame) -> str:
    """Coverage among the quarter of each panel's units that a study would have selected."""
    chosen = {name: [] for name in SELECTIONS}
    for _, part in fits.groupby("source", sort=False):
        for name, rank in SELECTIONS.items():
            chosen[name].append(part.loc[rank(part).nlargest(-(-len(part) // 4)).index])
    parts = {name: pd.concat(pieces) for name, pieces in chosen.items()}
    rows = [
        {"selected": name, "units": len(part)}
        | {f"{level:.0%}": f"{part[f'covered {level}'].mean():.2f}" for level in LEVELS}
        for name, part in parts.items()
    ]
    return table(rows)


def model_table(fits: pd.DataFrame) -> str:
    """Coverage and score of every model on the panels that all of them were fitted to."""
    models = {
        name: set(fits.loc[fits["model"] == name, "source"])
        for name in MODELS
        if name in set(fits["model"])
    }
    shared = set.intersection(*models.values())
    lines = []
    for name in models:
        part = fits[(fits["model"] == name) & fits["source"].isin(shared)]
        scores = part.groupby("source")["score"].mean()
        covered = {f"{level:.0%}": f"{part[f'covered {level}'].mean():.2f}" for level in LEVELS}
        lines.append(
            {
                "model": name,
                "units": len(part),
                **covered,
                "score (mean of panels)": f"{scores.mean():.2f}",
            }
        )
    note = (
        " (The last one must fail: it shows that the scoreboard can.)" if NEGATIVE in models else ""
    )
    return table(lines) + f"\n\nOn {', '.join(sorted(shared))}.{note}"


FEW = 20
"""Replications below which a design is left out of the table."""


def simulation_table(fits: pd.DataFrame) -> str:
    """False positives and widths with their Monte Carlo errors, for designs with enough
    replications.
    """
    lines = []
    begun = fits.groupby("source", sort=True).filter(lambda part: len(part) >= FEW)
    for name, part in begun.groupby("source", sort=True):
        missed, width = 1 - part["covered 0.95"], part["high 0.95"] - part["low 0.95"]
        width_error = width.std(ddof=1) / np.sqrt(len(part))
        error = np.sqrt(max(missed.mean() * (1 - missed.mean()), 0.25 / len(part)) / len(part))
        lines.append(
            {
                "design": name,
                "replications": len(part),
                "95% misses the truth": f"{missed.mean():.3f} ± {error:.3f}",
                "90%": f"{part['covered 0.9'].mean():.2f}",
                "80%": f"{part['covered 0.8'].mean():.2f}",
                "50%": f"{part['covered 0.5'].mean():.2f}",
                "mean width": f"{width.mean():,.3g} ± {width_error:,.2g}",
                "RMSE": f"{rms(part['mean'] - part['truth']):.3g}",
                "RMSE sdid": f"{rms(part['sdid'] - part['truth']):.3g}",
                "RMSE simplex": f"{rms(part['simplex'] - part['truth']):.3g}",
            }
        )
    return table(lines)


def picture(fits: pd.DataFrame, path: Path) -> None:
    """Nominal against empirical coverage: each panel, and all of them with their bootstrap band."""
    figure, axes = plt.subplots(figsize=(5.5, 5))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for name, part in fits.groupby("source", sort=False):
        axes.plot(
            LEVELS,
            [part[f"covered {level}"].mean() for level in LEVELS],
            marker="o",
            alpha=0.5,
            label=name,
        )
    mean = np.array([fits[f"covered {level}"].mean() for level in LEVELS])
    bands = np.array([bootstrap(fits[f"covered {level}"]) for level in LEVELS]).T
    error = np.abs(bands - mean)
    axes.errorbar(
        LEVELS,
        mean,
        error,
        color="black",
        marker="s",
        capsize=4,
        linewidth=2,
        label="all (95% bootstrap band)",
    )
    axes.set(xlim=(0.4, 1.02), ylim=(0.3, 1.02), xlabel="Nominal probability of the interval")
    axes.set_ylabel("Share of placebos whose interval holds zero")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
