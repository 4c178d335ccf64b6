"""Write a plan down as text, Markdown or one HTML page with its pictures."""

import base64
import html
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_synth.errors import OptionError
from bayes_synth.planning.sentences import headline
from bayes_synth.planning.table import plan_table
from bayes_synth.words import listed, span, suggestion

if TYPE_CHECKING:
    from bayes_synth.planning.answers import AbstractPlan

__all__ = ["report"]

KINDS = ("text", "markdown", "html")
TRUST = (
    "Power is predictive: draws of the calibrated counterfactual, with the effect added, put to "
    "the rule, averaged over past windows. Past windows of other units, where nobody was treated, "
    "audit the rule. Choosing units or rules by this report makes its numbers too good: plan once, "
    "or let bs.choose_treated hold windows back. Spillover cannot be seen in a history."
)


def report(plan: "AbstractPlan", kind: str) -> str:
    """Write the report; see :meth:`bayes_synth.Plan.report`."""
    if kind not in KINDS:
        raise OptionError("O062", f"kind={kind!r} is unknown. {suggestion(str(kind), KINDS)}")
    sections = dict(_sections(plan))
    if kind == "html":
        return _page(plan, sections)
    marks = ("## ", "") if kind == "markdown" else ("", "")
    blocks = []
    for title, body in sections.items():
        text = f"```text\n{body}\n```" if kind == "markdown" else body
        rule = "" if kind == "markdown" else "\n" + "-" * len(title)
        blocks.append(f"{marks[0]}{title}{rule}\n\n{text}")
    return "\n\n".join(blocks) + "\n"


def _sections(plan: "AbstractPlan") -> Iterator[tuple[str, str]]:
    history = plan.history
    donors = f"{len(plan.donors)}: {listed(plan.donors, 8)}"
    asked = [
        f"treated  {listed(plan.treated, 20)} ({plan.share:.1%} of all {history.outcome})",
        f"donors   {donors}",
        f"never    {listed(plan.never_donors, 20) or 'none'}",
        f"history  {span(history.times)}",
        f"rule     {plan.rule}",
        f"seed     {plan.record.get('random_seed', 'unknown')}",
    ]
    yield "Plan", headline(plan)
    yield "What was asked", "\n".join(asked)
    yield "What a test could say", _text(plan_table(plan).T)
    yield "Pretend tests", _text(plan.pretend_tests)
    yield "Donors before the test", _text(plan.weights[["mean", "lower", "upper"]].head(12))
    balance = ", ".join(f"{name} {value:,.4g}" for name, value in plan.balance.items())
    yield "Balance", balance
    yield "What to trust", TRUST


def _text(table: pd.DataFrame) -> str:
    return table.to_string(float_format=lambda value: f"{value:,.4g}")


def _page(plan: "AbstractPlan", sections: dict[str, str]) -> str:
    parts = [
        f"<h2>{html.escape(title)}</h2><pre>{html.escape(body)}</pre>"
        for title, body in sections.items()
    ]
    figures = "".join(_figure(plan, draw, alt) for draw, alt in _pictures())
    style = (
        "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "pre{white-space:pre-wrap;overflow-x:auto}img{max-width:100%}"
    )
    title = html.escape(f"Plan of a test: {listed(plan.treated, 8)}")
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{style}</style></head><body><h1>{title}</h1>{parts[0]}{figures}"
        f"{''.join(parts[1:])}</body></html>\n"
    )


def _pictures() -> list[tuple[Callable[..., Any], str]]:
    """Return the pictures of a report, with a sentence for those who cannot see them."""
    from bayes_synth.planning.pictures.history import plot_history
    from bayes_synth.planning.pictures.lengths import plot_lengths
    from bayes_synth.planning.pictures.power import plot_power
    from bayes_synth.planning.pictures.pretend_tests import plot_pretend_tests

    return [
        (plot_power, "Power by effect, one line per length of the test."),
        (plot_lengths, "Detectable effect and expected width by length of the test."),
        (plot_pretend_tests, "Interval of each past window, zero marked."),
        (plot_history, "History of the planned units and their synthetic."),
    ]


def _figure(plan: "AbstractPlan", draw: Callable[..., Any], alt: str) -> str:
    import matplotlib.pyplot as plt

    canvas = draw(plan, backend="matplotlib", size="paper", theme="light")
    buffer = io.BytesIO()
    figure = canvas.viz["figure"].item()
    figure.savefig(buffer, format="png", dpi=120)
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<figure><img alt='{html.escape(alt)}' src='data:image/png;base64,{data}'></figure>"
