"""A report as text, as Markdown, or as one HTML page.

The page needs no script and no network, and is readable in light and dark.
"""

import base64
import html
import io
from functools import partial
from textwrap import fill
from typing import Literal, get_args

import pandas as pd

from bayes_synth.checks import run
from bayes_synth.checks.result import Checks
from bayes_synth.errors import OptionError
from bayes_synth.report.sections import Figure, Section, sections
from bayes_synth.report.tables import as_html
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind, require_interval
from bayes_synth.storage.digests import answer_digest
from bayes_synth.words import one_line, suggestion

__all__ = ["Kind", "report"]

Kind = Literal["text", "markdown", "html"]
WIDTH = 100

STYLE = """
:root{color-scheme:light dark;
--ink:#1b1b1b;--page:#fff;--line:#ccc;--soft:#f3f3f3;--alarm:#a40000}
@media(prefers-color-scheme:dark){:root{
--ink:#e6e6e6;--page:#161616;--line:#444;--soft:#222;--alarm:#ff8a80}}
body{font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--page);
max-width:52rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2rem}
.warning{border-left:.3rem solid var(--alarm);padding-left:.8rem;color:var(--alarm)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{background:var(--soft)}figure{margin:1rem 0}
img{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){img{filter:invert(.9) hue-rotate(180deg)}}
@media(max-width:500px){table{font-size:.78rem}th,td{padding:.25rem .3rem}
h1{font-size:1.3rem;overflow-wrap:anywhere}figure{overflow-x:auto;margin:1rem 0}
img{max-width:none;width:38rem}}
@media print{body{max-width:none;padding:0}h2,figure,tr{break-inside:avoid}}
"""


def report(
    fit: AbstractFit,
    kind: Kind = "text",
    *,
    checks: Checks | bool | None = None,
    ci_prob: float = 0.95,
    ci_kind: IntervalKind = "eti",
) -> str:
    """Write down what was asked, found and assumed; see :meth:`bayes_synth.Fit.report`."""
    if kind not in RENDERERS:
        raise OptionError(
            "O001",
            f'kind must be "text", "markdown" or "html", got {kind!r}. '
            f"{suggestion(str(kind), get_args(Kind))}",
        )
    require_interval(ci_prob, ci_kind)
    title = one_line(f"Synthetic control of {fit.panel.treated_name}, {fit.panel.outcome}")
    parts = list(sections(fit, _answers(fit, checks), ci_prob, ci_kind))
    return RENDERERS[kind](title, _with_plots(fit, parts) if kind == "html" else parts)


def _answers(fit: AbstractFit, checks: object) -> Checks | None:
    """Run the checks when asked to; refuse the answers about another fit.

    Raises
    ------
    OptionError
        O001 for something that is not an answer, O054 for the answers about another fit.
    """
    if checks is True:
        return run(fit)
    if checks is None or checks is False:
        return None
    if not isinstance(checks, Checks):
        got = type(checks).__name__
        raise OptionError(
            "O001", f"checks must be True, or what bs.checks.run(fit) returned; got {got}."
        )
    if checks.about not in ("", answer_digest(fit.panel, fit.idata)):
        raise OptionError(
            "O054",
            "checks must be the answers about this fit, got those about another: "
            "pass checks=bs.checks.run(fit), or checks=True to run them now.",
        )
    return checks


def _with_plots(fit: AbstractFit, parts: list[Section]) -> list[Section]:
    """Add every registered plot of the fit to its section, or to the last if there is none."""
    from bayes_synth.plots.shipped import every_plot

    titles = [part.title for part in parts]
    figures: dict[str, tuple[Figure, ...]] = {}
    for plot in (each for each in every_plot() if each.needs(fit)):
        section = plot.section if plot.section in titles else titles[-1]
        figure = Figure(plot.shows(fit), partial(plot.draw, fit))
        figures[section] = (*figures.get(section, ()), figure)
    return [part._replace(figures=figures.get(part.title, ()) + part.figures) for part in parts]


def _text(title: str, parts: list[Section]) -> str:
    lines = [title, "=" * len(title)]
    for part in parts:
        lines += [
            "",
            part.title,
            "-" * len(part.title),
            *(fill(text, WIDTH) for text in part.paragraphs),
        ]
        lines += [fill(f"- {item}", WIDTH, subsequent_indent="  ") for item in part.items]
        lines += [] if part.table is None else [_plain(part.table)]
    return "\n".join(lines) + "\n"


def _plain(table: pd.DataFrame) -> str:
    """Write a table of short cells as columns, one of long sentences as a list."""
    if table.map(len).to_numpy().max(initial=0) <= WIDTH // 2:
        return table.to_string()
    rows = [
        ": ".join([str(name), *map(str, row)])
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return "\n".join(fill(f"- {row}", WIDTH, subsequent_indent="  ") for row in rows)


def _markdown(title: str, parts: list[Section]) -> str:
    lines = [f"# {_marked(title)}"]
    for part in parts:
        lines += ["", f"## {part.title}"]
        lines += [line for text in part.paragraphs for line in ("", _marked(text))]
        lines += ["", *(f"- {_marked(item)}" for item in part.items)] if part.items else []
        lines += [] if part.table is None else ["", *_rows(part.table)]
    return "\n".join(lines) + "\n"


def _rows(table: pd.DataFrame) -> list[str]:
    cells = table.reset_index().map(lambda cell: _marked(str(cell)))
    head = [_marked(str(name)) for name in cells.columns]
    return [
        f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells.to_numpy().tolist()]
    ]


def _marked(text: str) -> str:
    """Escape labels from data, so that they are markup neither in Markdown nor in its HTML."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{letter}" if letter in r"\`*_[]#|~" else letter for letter in escaped)


def _html(title: str, parts: list[Section]) -> str:
    body = "".join(_section(part, warning=part.title == "Before you read on") for part in parts)
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title>"
    )
    return (
        f"<!doctype html><html lang='en'><head>{head}<style>{STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


def _section(part: Section, *, warning: bool) -> str:
    pieces = [
        f"<h2>{part.title}</h2>",
        *(f"<p>{html.escape(text)}</p>" for text in part.paragraphs),
    ]
    if part.items:
        pieces.append(
            "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in part.items) + "</ul>"
        )
    if part.table is not None:
        pieces.append(f"<div class='wide'>{as_html(part.table)}</div>")
    pieces += [_figure(figure) for figure in part.figures]
    return f"<section{' class=warning' if warning else ''}>{''.join(pieces)}</section>"


def _figure(figure: Figure) -> str:
    import matplotlib.pyplot as plt

    picture = figure.draw(backend="matplotlib").viz["figure"].item()
    png = io.BytesIO()
    # Without a page of its own, so that the style can turn light and dark round.
    picture.savefig(png, format="png", dpi=110, bbox_inches="tight", transparent=True)
    plt.close(picture)
    data, alt = base64.b64encode(png.getvalue()).decode(), html.escape(figure.alt, quote=True)
    return f"<figure><img alt='{alt}' src='data:image/png;base64,{data}'></figure>"


RENDERERS = {"text": _text, "markdown": _markdown, "html": _html}
