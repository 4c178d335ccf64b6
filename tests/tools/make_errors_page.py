"""Write the table of ``docs/errors.md`` from the source: every code with its kind and its sentence.

``python tests/tools/make_errors_page.py`` rewrites the page; a test compares it with the source.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
CODE = re.compile(r"[A-Z]\d{3}")
MARKS = "<!-- codes:start -->\n", "<!-- codes:end -->"
KINDS = {"warned": "warning", "noted": "noted in `panel.report`"}


class Entry(NamedTuple):
    code: str
    kind: str
    text: str


def entries() -> list[Entry]:
    """Every code in the package with the sentence that goes with it, each sentence once."""
    found = {entry for path in (ROOT / "bayes_synth").rglob("*.py") for entry in _in_file(path)}
    return sorted(found)


def _in_file(path: Path) -> Iterator[Entry]:
    for scope in ast.walk(ast.parse(path.read_text())):
        if isinstance(scope, ast.FunctionDef):
            texts = _texts(scope)
            for node in ast.walk(scope):
                if isinstance(node, ast.Call) and node.args:
                    named = isinstance(node.func, ast.Name)
                    name = node.func.id if named else getattr(node.func, "attr", "")
                    args = [_resolved(arg, texts, node.lineno) for arg in node.args]
                    yield from _from_call(name, args)


def _texts(scope: ast.FunctionDef) -> list[tuple[int, str, ast.expr]]:
    """Texts that a function gives a name before it says them, by line."""
    named = (node for node in ast.walk(scope) if isinstance(node, ast.Assign))
    return sorted(
        (
            (node.lineno, node.targets[0].id, node.value)
            for node in named
            if isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.JoinedStr | ast.Constant)
        ),
        key=lambda text: text[0],
    )


def _resolved(arg: ast.expr, texts: list[tuple[int, str, ast.expr]], line: int) -> ast.expr:
    """Return what a name holds at a line: what it was given last."""
    if not isinstance(arg, ast.Name):
        return arg
    held = [text for at, name, text in texts if name == arg.id and at <= line]
    return held[-1] if held else arg


def _from_call(name: str, args: list[ast.expr]) -> Iterator[Entry]:
    if name.endswith(("Error", "Failed")) and len(args) == 2 and _is_code(args[0]):
        yield Entry(args[0].value, f"`{name}`", _words(args[1]))
    if name == "Remark" and len(args) == 3 and _is_code(args[0]):
        yield Entry(args[0].value, KINDS[args[1].value], _words(args[2]))
    if name == "warn" and len(args) == 3 and _is_code(args[1]):
        yield Entry(args[1].value, "warning", _words(args[2]))


def _is_code(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and bool(CODE.fullmatch(node.value))
    )


def _words(node: ast.expr) -> str:
    """A message with an ellipsis for what is filled in."""
    if isinstance(node, ast.Constant):
        return " ".join(str(node.value).split())
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values]
        return " ".join("".join(parts).split())
    return "…"


def table() -> str:
    """The entries as Markdown; the first sentence says what was found, the rest what to do."""
    lines = ["| code | kind | what it says |", "| --- | --- | --- |"]
    lines += [f"| {e.code} | {e.kind} | {e.text.replace('|', '/')} |" for e in entries()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with the table of today."""
    before, rest = PAGE.read_text().split(MARKS[0])
    return before + MARKS[0] + table() + MARKS[1] + rest.split(MARKS[1])[1]


if __name__ == "__main__":
    PAGE.write_text(page())
