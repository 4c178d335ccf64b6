"""The command line: ``python -m bayes_synth demo``, ``fit data.csv ...`` and ``report fit.nc``.

Each command imports what takes time to import, so that ``--help`` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bayes_synth as bs
from bayes_synth.errors import BayesSynthError, LoadError, OptionError
from bayes_synth.words import listed

if TYPE_CHECKING:
    from rich.table import Table

    from bayes_synth.report.render import Kind

__all__ = ["main"]

LARGEST_WEIGHTS = 8
"""Donors that the table of weights names; the others share its last row."""
PAGES: "dict[str, Kind]" = {".html": "html", ".md": "markdown", ".txt": "text"}
MAIN_PLOT = "plot_fit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when the fit converged, 1 when it did not, 2 when the command could not be run.
    """
    options = _parser().parse_args(arguments)
    try:
        return _report(options) if options.command == "report" else _fit(options)
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
    _data_options(fit)
    for command in (demo, fit):
        command.add_argument(
            "--out", type=Path, default=Path.cwd(), help="folder for the figures and the fit"
        )
        command.add_argument(
            "--seed", type=int, default=None if command is fit else 1, help="random seed"
        )
        command.add_argument(
            "--plot",
            action="append",
            default=[],
            metavar="NAME",
            help="another figure, such as plot_weights; repeat for several",
        )
    report = commands.add_parser("report", help="a page about a saved fit, with every check")
    report.add_argument("fit", type=Path, help="a file that fit.save() wrote")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        help="the page: .html, .md or .txt; default: .html beside the fit",
    )
    no_checks = "do not run the checks, which refit the model many times"
    report.add_argument("--no-checks", action="store_true", help=no_checks)
    for command in (demo, fit, report):
        command.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _data_options(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("data", type=Path, help="a CSV file")
    for name in ("unit", "time", "outcome"):
        fit.add_argument(f"--{name}", required=True, help="column")
    fit.add_argument("--start", required=True, help="first treated period, in ISO")
    fit.add_argument(
        "--treated", required=True, action="append", help="a treated unit; repeat for several"
    )
    missing = "what to do about missing outcomes: error, drop_donors, drop_times or model"
    fit.add_argument("--missing", default="error", help=missing)


def _report(options: argparse.Namespace) -> int:
    fit, page = bs.load(options.fit), options.output or options.fit.with_suffix(".html")
    if page.suffix not in PAGES:
        raise LoadError("L005", f"the page must end in one of {listed(PAGES)}, got {page.name!r}.")
    page.parent.mkdir(parents=True, exist_ok=True)
    checks = None if options.no_checks else bs.checks.run(fit, progressbar=not options.quiet)
    page.write_text(fit.report(PAGES[page.suffix], checks=checks), encoding="utf-8")
    _say(f"Report: {page.resolve()}")
    return 0 if fit.converged else 1


def _fit(options: argparse.Namespace) -> int:
    _require_plots(options.plot)
    demo = options.command == "demo"
    name, panel = ("prop99", bs.load_dataset("prop99")) if demo else _read(options)
    fit = bs.SyntheticControl().fit(panel, random_seed=options.seed, progressbar=not options.quiet)
    _show(fit)
    options.out.mkdir(parents=True, exist_ok=True)
    for plot in dict.fromkeys([MAIN_PLOT, *options.plot]):
        figure = options.out / (f"{name}.png" if plot == MAIN_PLOT else f"{name}_{plot}.png")
        bs.plots.PLOTS[plot].draw(fit, backend="matplotlib").savefig(figure)
        _say(f"Figure: {figure.resolve()}")
    file = options.out / f"{name}.nc"
    fit.save(file, overwrite=True)
    _say(f"Fit:    {file.resolve()}")
    return 0 if fit.converged else 1


def _require_plots(names: Sequence[str]) -> None:
    """Refuse an unknown plot before anything is fitted."""
    known = {each.name for each in bs.plots.every_plot()}
    for name in names:
        if name not in known:
            raise OptionError(
                "O001", f"--plot must be one of {listed(sorted(known))}; got {name!r}."
            )


def _read(options: argparse.Namespace) -> "tuple[str, bs.Panel]":
    from bayes_synth.data.text_file import read_text_file

    columns = {name: getattr(options, name) for name in ("unit", "time", "outcome")}
    table = read_text_file(options.data, **columns)
    names = ("unit", "time", "outcome", "treated", "start", "missing")
    panel = bs.Panel.from_long(table, **{name: getattr(options, name) for name in names})
    return f"{options.data.stem}_fit", panel


def _show(fit: "bs.Fit") -> None:
    from rich.console import Console

    console = Console()
    console.print(f"{fit!r}\n", soft_wrap=True, markup=False, highlight=False)
    console.print(_effects(fit))
    console.print(_weights(fit))


def _say(text: str) -> None:
    from rich.console import Console

    Console().print(text, soft_wrap=True, markup=False, highlight=False)


def _effects(fit: "bs.Fit") -> "Table":
    from rich.markup import escape

    title = f"Effects of the treatment, {fit.panel.outcome} (95 % equal-tailed credible intervals)"
    table = _table(
        escape(title), ("effect", "median", "lower", "upper", "P(< 0)", "P(> 0)", "ESS", "R-hat")
    )
    for name, row in fit.summary().iterrows():
        if bs.estimands.ESTIMANDS[str(name)].path:
            continue
        spread = float(fit.effect(str(name)).draws.std())
        text = bs.estimands.ESTIMANDS[str(name)].text
        values = [text(float(row[column]), spread) for column in ("median", "lower", "upper")]
        masses = [f"{row[column]:.3f}" for column in ("p_below_0", "p_above_0")]
        words = bs.estimands.ESTIMANDS[str(name)].of(len(fit.panel.treated))
        label = f"{name}, {words}" if words and row["measure"] else str(name)
        table.add_row(label, *values, *masses, f"{row['ess_bulk']:.0f}", f"{row['r_hat']:.3f}")
    return table


def _weights(fit: "bs.Fit") -> "Table":
    from rich.markup import escape

    weights = fit.weights()
    rest = weights.iloc[LARGEST_WEIGHTS:]
    columns = ("donor", "mean", "lower", "upper", "P(above 1 %)")
    table = _table("Donor weights (95 % equal-tailed credible intervals)", columns)
    for donor, row in weights.head(LARGEST_WEIGHTS).iterrows():
        values = (
            f"{row[column]:.3f}" for column in ("mean", "lower", "upper", "p_above_1_percent")
        )
        table.add_row(escape(str(donor)), *values)
    if len(rest):
        others = escape(f"{len(rest)} others: {listed(rest.index, 3)}")
        table.add_row(others, f"{rest['mean'].sum():.3f}", "", "", "")
    return table


def _table(title: str, columns: Sequence[str]) -> "Table":
    """An empty table whose first column is text and whose others are numbers."""
    from rich.table import Table

    table = Table(title=title)
    for column in columns:
        text = column == columns[0]
        table.add_column(column, justify="left" if text else "right", no_wrap=not text)
    return table


if __name__ == "__main__":
    sys.exit(main())
