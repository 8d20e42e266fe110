"""Functions are short enough to be read at once."""

import ast
import pathlib

import simclr_tf

_ROOT = pathlib.Path(simclr_tf.__file__).parent
_LONGEST = 60  # Lines, without the docstring.


def _length(function):
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def test_no_function_of_the_package_is_longer_than_a_page():
    found = [
        (path.relative_to(_ROOT).as_posix(), node.name, _length(node))
        for path in _ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert len(found) > 500
    assert not [each for each in found if each[2] >= _LONGEST]
