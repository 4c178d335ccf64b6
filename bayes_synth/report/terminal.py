"""Show a fit and its checks in a terminal or a log: tables of which nothing is ever cut."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayes_synth.report.facts import effects_of, total
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import Effect, as_text, describe
from bayes_synth.results.monte_carlo import two_sided
from bayes_synth.words import listed, per_cent, probable, span

if TYPE_CHECKING:
    from rich.measure import Measurement
    from rich.table import Table

__all__ = ["say", "show", "total_line"]

LARGEST_WEIGHTS = 8
"""Donors that the table of weights names; the others share its last row."""
BELOW = "P(< 0)"
EFFECT_COLUMNS = ("effect", "median", "lower", "upper", BELOW, "P(> 0)", "two-\nsided p")
"""Headings of the table of effects, the last one on two lines."""


def show(fit: AbstractFit, ci_prob: float = 0.95) -> None:
    """Print the headline of a fit, its effects and its weights."""
    say(f"{fit!r}\n")
    _print_effects(fit, ci_prob)
    _print_whole(_weights(fit, ci_prob))


def say(text: str) -> None:
    """Print a sentence as it is, on as many lines as the terminal makes of it."""
    from rich.console import Console

    Console().print(text, soft_wrap=True, markup=False, highlight=False)


def total_line(fit: AbstractFit, ci_prob: float = 0.95) -> str:
    """State the effect summed over periods and treated units, and over how many of each."""
    panel, effect = fit.panel, total(fit)
    units = f", and {len(panel.treated)} treated units" if len(panel.treated) > 1 else ""
    return f"Total: {describe(effect, ci_prob)}, over {span(panel.post)}{units}."


def _print_effects(fit: AbstractFit, ci_prob: float) -> None:
    """Print the effects; in a narrow terminal without P(< 0), which is one minus P(> 0)."""
    from rich.console import Console

    console, columns = Console(), EFFECT_COLUMNS
    table = _effects(fit, ci_prob, columns)
    if _size(table).maximum > console.width:
        table = _effects(fit, ci_prob, tuple(name for name in columns if name != BELOW))
    # Numbers stay on one line each.
    Console(width=max(console.width, _size(table).maximum)).print(table)


def _print_whole(table: "Table") -> None:
    """Print a table at least as wide as its widest word, however narrow the terminal is."""
    from rich.console import Console

    Console(width=max(Console().width, _size(table).minimum)).print(table)


def _size(table: "Table") -> "Measurement":
    """Measure how narrow and how wide a table may be."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    return Measurement.get(console, console.options.update(width=10_000), table)


def _effects(fit: AbstractFit, ci_prob: float, columns: Sequence[str]) -> "Table":
    """Tabulate the effects, with as many digits as their draws warrant."""
    several = len(fit.panel.treated) > 1
    title = f"Effects of the treatment on {fit.panel.outcome} {_intervals(ci_prob)}"
    table = _table(title, columns)
    for name, effect in effects_of(fit).items():
        row = {"effect": name} | _numbers(effect, ci_prob)
        table.add_row(*(row[column] for column in columns))
    if several:
        table.caption = (
            f"total: summed over periods and the {len(fit.panel.treated)} treated units; "
            "average: per period and treated unit"
        )
    return table


def _numbers(effect: Effect, ci_prob: float) -> dict[str, str]:
    """Write the numbers of a row, by column."""
    lower, upper = (float(bound) for bound in effect.interval(ci_prob))
    values = [as_text(effect, x) for x in (float(effect.draws.median()), lower, upper)]
    masses = [effect.probability(below=0), effect.probability(above=0), two_sided(effect.draws)]
    values += [probable(mass).removeprefix("= ") for mass in masses]
    return dict(zip(EFFECT_COLUMNS[1:], values, strict=True))


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
