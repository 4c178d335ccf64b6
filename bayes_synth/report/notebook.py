"""A fit in a notebook: the headline in columns, and the effects as a small table."""

from bayes_synth.report.headline import headline
from bayes_synth.report.sections import effect_table
from bayes_synth.report.tables import as_html
from bayes_synth.results.answers import AbstractFit
from bayes_synth.words import preformatted

__all__ = ["notebook_html"]


def notebook_html(fit: AbstractFit) -> str:
    """Write what a notebook shows of a fit: its lines in a fixed font, and its effects."""
    return (
        f"{preformatted(headline(fit))}"
        f"{as_html(effect_table(fit, 0.95, 'eti'))}"
        "<small>Median and 95% ETI; all columns: <code>fit.summary()</code>.</small>"
    )
