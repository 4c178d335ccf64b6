"""Tables of a fit as LaTeX, with the columns that a paper prints, and tables of texts as HTML."""

import html

import pandas as pd

from bayes_synth.report.sections import effect_table, weight_table
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind
from bayes_synth.words import left, per_cent, short

__all__ = ["as_html", "as_latex", "effects_latex", "escaped", "weights_latex"]

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}


def escaped(text: object) -> str:
    """Write a text so that LaTeX prints every letter of it; line breaks become blanks."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(str(text).split()))


def as_html(table: pd.DataFrame) -> str:
    """Write a table with its index as the first column; texts show every letter."""
    flat = table.reset_index()
    flat = flat.map(lambda cell: html.escape(cell) if isinstance(cell, str) else cell)
    first, *names = flat.columns
    flat[first] = [left(name) for name in table.index]
    flat.columns = pd.Index([left(first), *(html.escape(str(name)) for name in names)])
    return str(flat.to_html(index=False, border=0, escape=False))


def as_latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """Write a table of texts with booktabs' rules; numbers stand at the right."""
    head = [table.index.name or "", *table.columns]
    rows = [[name, *row] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [" & ".join(map(_cell, row)) + r" \\" for row in [head, *rows]]
    body = "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
    return f"{body}\n"


def _cell(value: object) -> str:
    """Escape a cell, and write a sign as mathematics, so that it is a minus and no hyphen."""
    text = escaped(value)
    signed = text[:1] in ("+", "-") and text[1:2].isdigit()
    # Braces keep the comma between thousands from being followed by a space.
    return f"${text.replace(',', '{,}')}$" if signed else text


def effects_latex(fit: AbstractFit, ci_prob: float, ci_kind: IntervalKind) -> str:
    """Write one row per effect: median, interval, and the probability of each sign."""
    table = effect_table(fit, ci_prob, ci_kind)
    panel = fit.panel
    caption = (
        f"Effect of the treatment on {panel.outcome} of {panel.treated_name}, "
        f"{short(panel.post[0])} to {short(panel.post[-1])}: posterior median, "
        f"{per_cent(ci_prob)} credible interval ({ci_kind.upper()}) and probability of each sign."
    )
    return as_latex(table.rename_axis("Effect"), caption, "tab:effects")


def weights_latex(fit: AbstractFit) -> str:
    """Write one row per donor with weight: mean and interval."""
    table = weight_table(fit).rename_axis("Donor")
    caption = f"Weights of the synthetic {fit.panel.treated_name}: posterior means."
    return as_latex(table, caption, "tab:weights")
