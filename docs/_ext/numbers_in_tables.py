"""Keep a number of a table and its error on one line."""

import re

from docutils import nodes
from sphinx.application import Sphinx

TOGETHER = re.compile(r"\d ± \d")
FIXED = "\N{NO-BREAK SPACE}"


def kept_together(app: Sphinx, doctree: nodes.document) -> None:
    """Write the spaces within numbers of tables so that no line breaks there."""
    for table in doctree.findall(nodes.table):
        for text in list(table.findall(nodes.Text)):
            fixed = TOGETHER.sub(lambda found: found[0].replace(" ", FIXED), text)
            if fixed != text:
                text.parent.replace(text, nodes.Text(fixed))


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx when to do so."""
    app.connect("doctree-read", kept_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
