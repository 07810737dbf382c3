"""What keeps the house habitable, as figures that a change may not pass."""

import ast

import pytest

from tests.test_layers import MODULES

MOST_ARGUMENTS = 6
"""Of a constructor, besides the object itself; who needs more is handed them as one value."""

LONGEST_CLASS = 250
"""Lines."""

CLASSES = [
    (name, node)
    for name, file in sorted(MODULES.items())
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
]


def test_the_walk_sees_classes():
    assert len(CLASSES) > 100


@pytest.mark.parametrize(("module", "node"), [pytest.param(*one, id=f"{one[0]}.{one[1].name}") for one in CLASSES])
def test_a_class_has_one_reason(module: str, node: ast.ClassDef):
    """Its constructor takes what fits into one look, and its text on a few pages."""
    assert node.end_lineno is not None
    assert node.end_lineno - node.lineno < LONGEST_CLASS
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            arguments = part.args
            assert len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs) - 1 <= MOST_ARGUMENTS
