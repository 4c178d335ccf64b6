"""Write mathematics as MathML, which browsers show without a script and without a network.

docutils, on which Sphinx stands, converts the TeX of the pages. A command that it does not know is
a warning, so that the build fails instead of showing a page with a hole.
"""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

log = logging.getLogger(__name__)


def converted(node: nodes.Element, *, as_block: bool) -> str:
    """Return the formula as MathML, or as it was typed where that fails."""
    text = node.astext()
    try:
        return tex2mathml(text, as_block=as_block)
    except MathError as error:
        log.warning("%s is not converted to MathML: %s", text, error, location=node)
        return f"<code>{text}</code>"


def inline(writer: HTML5Translator, node: nodes.Element) -> None:
    """Write a formula within a line."""
    writer.body.append(converted(node, as_block=False))
    raise nodes.SkipNode


def block(writer: HTML5Translator, node: nodes.Element) -> None:
    """Write a displayed formula, which scrolls where it is wider than the page."""
    writer.body.append(f'<div class="formula">{converted(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the renderer, which ``html_math_renderer`` names."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(inline, None), block_renderers=(block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
