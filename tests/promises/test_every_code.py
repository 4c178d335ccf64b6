"""Every code of the package has a test that names it."""

from pathlib import Path

import make_errors_page

TESTS = Path(__file__).parents[1]
CATALOGUES = {"corruptions.py", "fuzz.py", Path(__file__).name}
"""Lists of what may happen, which assert no message."""


def test_every_code_is_named_in_a_test():
    texts = [path.read_text() for path in TESTS.rglob("*.py") if path.name not in CATALOGUES]
    codes = {entry.code for entry in make_errors_page.entries()}
    assert [code for code in sorted(codes) if not any(code in text for text in texts)] == []
