"""The package as its source says it is: imports, bodies, widths, signatures, private reads."""

import ast
from collections.abc import Iterator
from pathlib import Path

import bayes_synth as bs

PACKAGE = Path(bs.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(["bayes_synth", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in FILES
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Modules of the package that a module imports: at its top, in functions, for types."""
    for node in ast.walk(tree(MODULES[name])):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bayes_synth":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in MODULES else node.module), node.lineno
        elif isinstance(node, ast.Import):
            yield from (
                (alias.name, node.lineno)
                for alias in node.names
                if alias.name.split(".")[0] == "bayes_synth"
            )
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"


def wing(name: str) -> str:
    """The room of the root that a module is in."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def circles() -> list[list[str]]:
    """Groups of modules that import each other in a round, by Tarjan's algorithm."""
    graph = {name: sorted({there for there, _ in imports(name)} - {name}) for name in MODULES}
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for there in graph[node]:
            if there not in index:
                visit(there)
                low[node] = min(low[node], low[there])
            elif there in stack:
                low[node] = min(low[node], index[there])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for name in graph:
        if name not in index:
            visit(name)
    return found


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def code_length(path: Path) -> int:
    """Lines of a file without docstrings and empty lines."""
    docs = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docs |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(path.read_text().splitlines(), 1)
    return sum(bool(line.strip()) and number not in docs for number, line in lines)


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    every = node.args
    return len(every.posonlyargs) + len(every.args) + len(every.kwonlyargs)


def private_reads(path: Path) -> Iterator[str]:
    """Private attributes that are read off anything but an own instance or class."""
    here = tree(path)
    own = {node.name for node in ast.walk(here) if isinstance(node, ast.ClassDef)} | {"self", "cls"}
    for node in ast.walk(here):
        private = (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        )
        if (
            private
            and not (isinstance(node.value, ast.Name) and node.value.id in own)
            and node.attr not in ALLOWED
        ):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} .{node.attr}"


ALLOWED = {"_replace", "_asdict", "_fields"}
"""Public methods of named tuples, whose names begin so."""


def code_lines() -> Iterator[tuple[str, int, str]]:
    """Every line of the package that is not empty, with where it stands."""
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip():
                yield str(path.relative_to(PACKAGE)), number, line
