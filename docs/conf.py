"""Settings of the site: ``uv run --group docs sphinx-build -W --keep-going -b html docs BUILD``.

Nothing is requested from a network, neither while the site is built nor while it is read: notebooks
are shown with the outputs that they were kept with, and mathematics is MathML.
"""

import sys
from pathlib import Path

import bayes_synth as bs

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "bayes_synth"
project_copyright = "The bayes_synth developers"
author = "The bayes_synth developers"
version = release = bs.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "pictures",
    "copies",
    "mathml",
    "numbers_in_tables",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build"]
templates_path = ["_templates"]

nb_execution_mode = "off"  # tests/tools/run_notebooks.py runs them
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "groupwise"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
numpydoc_show_class_members = False
for name in bs.__all__:  # public modules by the names that users type
    if type(getattr(bs, name)) is type(bs):
        sys.modules.setdefault(f"bayes_synth.{name}", getattr(bs, name))

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "bayes_synth"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"gallery": []}  # has no pages below it
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "navbar_end": ["theme-switcher"],
    "navigation_depth": 2,
    "show_toc_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
