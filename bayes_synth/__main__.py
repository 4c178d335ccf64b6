"""The command line: ``python -m bayes_synth demo``, ``fit data.csv ...`` and ``report fit.nc``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import bayes_synth as bs
from bayes_synth.data.missing import Missing
from bayes_synth.errors import BayesSynthError
from bayes_synth.report.render import Kind
from bayes_synth.words import listed

__all__ = ["main"]

LARGEST_WEIGHTS = 8

PAGES: dict[str, Kind] = {".html": "html", ".md": "markdown", ".txt": "text"}
FORMATS = {"relative": "+.1%", "log_ratio": "+.3f"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when the fit converged, 1 when it did not, 2 when it could not be run."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BayesSynthError as error:
        sys.stderr.write(f"{type(error).__name__} {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bayes_synth", description="Bayesian synthetic control."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="fit Proposition 99 with the recommended model")
    fit = commands.add_parser("fit", help="fit your own data: one row per unit and time")
    fit.add_argument("data", type=Path, help="a CSV file")
    for name, what in {
        "unit": "column",
        "time": "column",
        "outcome": "column",
        "start": "first treated period",
    }.items():
        fit.add_argument(f"--{name}", required=True, help=what)
    fit.add_argument(
        "--treated", required=True, action="append", help="a treated unit; repeat for several"
    )
    fit.add_argument(
        "--missing", choices=get_args(Missing), default="error", help="what to do about gaps"
    )
    for command in (demo, fit):
        command.add_argument(
            "--out", type=Path, default=Path.cwd(), help="folder for the figure and the fit"
        )
        command.add_argument(
            "--seed", type=int, default=None if command is fit else 1, help="random seed"
        )
    report = commands.add_parser("report", help="a page about a saved fit, with every check")
    report.add_argument("fit", type=Path, help="a file that fit.save() wrote")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        help="the page; .html, .md or .txt (default: beside the fit, .html)",
    )
    report.add_argument(
        "--no-checks",
        action="store_true",
        help="do not run the checks, which refit the model many times",
    )
    for command in (demo, fit, report):
        command.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _run(options: argparse.Namespace) -> int:
    return _report(options) if options.command == "report" else _fit(options)


def _report(options: argparse.Namespace) -> int:
    fit, page = bs.load(options.fit), options.output or options.fit.with_suffix(".html")
    if page.suffix not in PAGES:
        raise bs.errors.LoadError("L005", f"{page.name!r} must end in one of {listed(PAGES)}.")
    page.parent.mkdir(parents=True, exist_ok=True)
    checks = None if options.no_checks else bs.checks.run(fit, progressbar=not options.quiet)
    page.write_text(fit.report(PAGES[page.suffix], checks=checks), encoding="utf-8")
    Console().print(f"Report: {page.resolve()}", soft_wrap=True)
    return 0 if fit.ok else 1


def _fit(options: argparse.Namespace) -> int:
    name, panel = (
        ("prop99", bs.load_dataset("prop99")) if options.command == "demo" else _read(options)
    )
    fit = bs.SyntheticControl().fit(panel, random_seed=options.seed, progressbar=not options.quiet)
    _show(fit)
    options.out.mkdir(parents=True, exist_ok=True)
    figure, file = options.out / f"{name}.png", options.out / f"{name}.nc"
    fit.plot(backend="matplotlib").savefig(figure)
    fit.save(file, overwrite=True)
    Console().print(f"Figure: {figure.resolve()}\nFit:    {file.resolve()}", soft_wrap=True)
    return 0 if fit.ok else 1


def _read(options: argparse.Namespace) -> tuple[str, bs.Panel]:
    if not options.data.is_file():
        raise bs.errors.PanelError("P001", f"{options.data} is no file.")
    try:
        table = pd.read_csv(options.data)
    except ValueError as error:
        raise bs.errors.PanelError("P001", f"{options.data} is no CSV file: {error}") from error
    panel = bs.Panel.from_long(
        table,
        unit=options.unit,
        time=options.time,
        outcome=options.outcome,
        treated=options.treated,
        start=options.start,
        missing=options.missing,
    )
    return f"{options.data.stem}_fit", panel


def _show(fit: bs.Fit) -> None:
    console = Console()
    console.print(f"{fit!r}\n", soft_wrap=True, markup=False, highlight=False)
    console.print(_effects(fit))
    console.print(_weights(fit))


def _effects(fit: bs.Fit) -> Table:
    table = Table(
        title=escape(
            f"Effects of the treatment, {fit.panel.outcome} (95 % equal-tailed credible intervals)"
        )
    )
    for column in ("effect", "median", "lower", "upper", "P(< 0)", "P(> 0)", "ESS", "R-hat"):
        table.add_column(column, justify="left" if column == "effect" else "right", no_wrap=True)
    for name, row in fit.summary().iterrows():
        values = [
            f"{row[c]:{FORMATS.get(str(name), '+,.2f')}}" for c in ("median", "lower", "upper")
        ]
        masses = [f"{row[c]:.3f}" for c in ("p_below_0", "p_above_0")]
        table.add_row(str(name), *values, *masses, f"{row['ess_bulk']:.0f}", f"{row['r_hat']:.3f}")
    return table


def _weights(fit: bs.Fit) -> Table:
    weights = fit.weights()
    rest = weights.iloc[LARGEST_WEIGHTS:]
    table = Table(title="Donor weights (95 % equal-tailed credible intervals)")
    for column in ("donor", "mean", "lower", "upper", "P(above 1 %)"):
        table.add_column(column, justify="left" if column == "donor" else "right")
    for donor, row in weights.head(LARGEST_WEIGHTS).iterrows():
        table.add_row(
            escape(str(donor)),
            *(f"{row[c]:.3f}" for c in ("mean", "lower", "upper", "p_above_1_percent")),
        )
    if len(rest):
        table.add_row(
            escape(f"{len(rest)} others: {listed(rest.index, 3)}"),
            f"{rest['mean'].sum():.3f}",
            "",
            "",
            "",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
