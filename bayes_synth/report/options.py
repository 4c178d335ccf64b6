"""Options of the command line that say what is fitted, written and reported."""

import argparse
from pathlib import Path
from typing import Any

from bayes_synth.data.text_options import add_layout_options

__all__ = ["add_data_options", "add_file_options", "add_fit_options", "add_report_options"]


def add_file_options(fit: argparse.ArgumentParser) -> None:
    """Add what both fits of one panel and of a study are told about a file and the model."""
    fit.add_argument(
        "data", type=Path, nargs="?", help="a CSV file; .gz, .bz2 and .xz are read too"
    )
    for name, text in {
        "unit": "column of the units' labels, which stay text (NA and 06 too)",
        "time": "column of the times: numbers or dates",
        "outcome": "column of the numbers",
    }.items():
        fit.add_argument(f"--{name}", required=True, metavar="COLUMN", help=text)
    missing = "what to do about missing outcomes: error (default), drop_donors, drop_times or model"
    fit.add_argument("--missing", default="error", help=missing)
    add_layout_options(fit)
    model = fit.add_argument_group("the model")
    model.add_argument("--scale", default="linear", help="linear (default), log, sqrt or auto")
    model.add_argument("--noise", help="LocalLevel (default), LocalLinearTrend, AR1, IID or auto")


def add_data_options(fit: argparse.ArgumentParser) -> None:
    """Add what a fit of one panel is told about its data."""
    add_file_options(fit)
    treated = "the treated unit, or several: their mean is fitted, --total sums over them"
    several: Any = {"action": "extend", "nargs": "+", "metavar": "UNIT"}
    fit.add_argument("--treated", required=True, help=treated, **several)
    fit.add_argument("--start", required=True, help="first treated period, such as 2021-04-01")
    driving = "columns that drive the outcome and are known at all times, such as price"
    fit.add_argument("--time-covariates", nargs="+", metavar="COLUMN", help=driving)
    sharing = "further outcomes, which share the weights"
    fit.add_argument("--auxiliary", nargs="+", metavar="COLUMN", help=sharing)


def add_fit_options(command: argparse.ArgumentParser, seed: int | None) -> None:
    """Add what a fit writes and prints, and its seed unless it is given."""
    add = command.add_argument
    add("--out", type=Path, default=Path.cwd(), help="folder for the files (default: this one)")
    add("--seed", type=int, default=seed, help="random seed (default: a fresh one, which is said)")
    add("--plot", action="append", default=[], metavar="NAME", help="another figure; repeatable")
    add("--total", action="store_true", help="lead with the total over periods and treated units")
    add("--csv", action="store_true", help="also write the path per period as CSV")
    add("--json", action="store_true", help="print one JSON object instead of tables")
    add("--strict", action="store_true", help="exit with 1 also when the fit has any alarm")


def add_report_options(report: argparse.ArgumentParser) -> None:
    """Add what a report reads, writes and checks."""
    add = report.add_argument
    add("fit", type=Path, help="a file that fit.save() or the command fit wrote")
    add("-o", "--output", type=Path, metavar="PAGE", help=".html (default), .md or .txt")
    add("--no-checks", action="store_true", help="do not run the checks, which refit the model")
    add(
        "--strict",
        action="store_true",
        help="exit with 1 also when the fit has any alarm, or a check fails",
    )
    add("--neighbours", nargs="+", default=[], metavar="UNIT", help="donors possibly affected")
    add(
        "--covariates",
        type=Path,
        metavar="CSV",
        help="one row per unit, its label first, then numbers from before the start",
    )
    add("--seed", type=int, default=0, help="random seed of the checks' refits (default: 0)")
    add("--json", action="store_true", help="print one JSON object with the checks' verdicts")
