"""Show a fit and its checks in a terminal or a log: tables of which nothing is ever cut."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayes_synth.report.facts import effects_of, total
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import as_text, describe
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.words import listed, per_cent, probable, span

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["say", "show", "total_line"]

LARGEST_WEIGHTS = 8
"""Donors that the table of weights names; the others share its last row."""


def show(fit: AbstractFit, ci_prob: float = 0.95) -> None:
    """Print the headline of a fit, its effects and its weights."""
    say(f"{fit!r}\n")
    for table in (_effects(fit, ci_prob), _weights(fit, ci_prob)):
        _print_whole(table)


def say(text: str) -> None:
    """Print a sentence as it is, on as many lines as the terminal makes of it."""
    from rich.console import Console

    Console().print(text, soft_wrap=True, markup=False, highlight=False)


def total_line(fit: AbstractFit, ci_prob: float = 0.95) -> str:
    """State the effect summed over periods and treated units, and over how many of each."""
    panel, effect = fit.panel, total(fit)
    units = f", and {len(panel.treated)} treated units" if len(panel.treated) > 1 else ""
    return f"Total: {describe(effect, ci_prob)}, over {span(panel.post)}{units}."


def _print_whole(table: "Table") -> None:
    """Print a table at least as wide as its widest word, however narrow the terminal is."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    wide = console.options.update(width=10_000)
    least = Measurement.get(console, wide, table).minimum
    Console(width=max(console.width, least)).print(table)


def _effects(fit: AbstractFit, ci_prob: float) -> "Table":
    """Tabulate the effects, with as many digits as their draws warrant."""
    several = len(fit.panel.treated) > 1
    table = _table(
        f"Effects of the treatment on {fit.panel.outcome} {_intervals(ci_prob)}",
        ("effect", "median", "lower", "upper", "P(< 0)", "P(> 0)", "two-sided p"),
    )
    for name, effect in effects_of(fit).items():
        lower, upper = (float(bound) for bound in effect.interval(ci_prob))
        values = [as_text(effect, x) for x in (float(effect.draws.median()), lower, upper)]
        masses = [effect.probability(below=0), effect.probability(above=0)]
        masses.append(two_sided(effect.draws))
        table.add_row(name, *values, *(probable(mass).removeprefix("= ") for mass in masses))
    if several:
        table.caption = (
            f"total: summed over periods and the {len(fit.panel.treated)} treated units; "
            "average: per period and treated unit"
        )
    return table


def _weights(fit: AbstractFit, ci_prob: float) -> "Table":
    """Tabulate the heaviest donors, and the others together."""
    from rich.markup import escape

    weights = fit.weights(ci_prob=ci_prob)
    rest = weights.iloc[LARGEST_WEIGHTS:]
    columns = ("donor", "mean", "lower", "upper", "P(above 1 %)")
    table = _table(f"Donor weights {_intervals(ci_prob)}", columns)
    for donor, row in weights.head(LARGEST_WEIGHTS).iterrows():
        values = (row[name] for name in ("mean", "lower", "upper", "p_above_1_percent"))
        table.add_row(escape(str(donor)), *(f"{value:.3f}" for value in values))
    if len(rest):
        others = escape(f"{len(rest)} others: {listed(rest.index, 3)}")
        table.add_row(others, f"{rest['mean'].sum():.3f}", "", "", "")
    return table


def _intervals(ci_prob: float) -> str:
    return f"({per_cent(ci_prob)} equal-tailed credible intervals)"


def _table(title: str, columns: Sequence[str]) -> "Table":
    """Make an empty table whose first column is text and whose others are numbers."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title))
    for column in columns:
        justify = "left" if column == columns[0] else "right"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table
