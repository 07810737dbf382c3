"""What keeps the house habitable, as figures that a change may not pass."""

import ast
from collections.abc import Iterator

from tests.test_layers import MODULES, tree

MOST_ARGUMENTS = 6
"""Of a constructor that is written out, besides the object itself; who needs more is handed them as one value."""

LONGEST_CLASS = 250
"""Lines."""


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield every class of the package, beside its dotted name."""
    for module in MODULES:
        yield from (
            (f"{module}.{node.name}", node) for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef)
        )


def arguments(node: ast.ClassDef) -> int:
    """Return how many arguments a class is made of."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return len(part.args.posonlyargs + part.args.args + part.args.kwonlyargs) - 1
    return 0


def lines(node: ast.ClassDef) -> int:
    """Return how long the text of a class is."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_a_constructor_fits_into_one_look():
    taken = {name: arguments(node) for name, node in classes()}
    assert max(taken.values()) > 3, "a check that sees no arguments would hold for ever"
    assert {name: number for name, number in taken.items() if number > MOST_ARGUMENTS} == {}


def test_a_class_has_one_reason():
    """Its text is a few pages."""
    long = {name: lines(node) for name, node in classes()}
    assert max(long.values()) > 100
    assert {name: number for name, number in long.items() if number > LONGEST_CLASS} == {}
