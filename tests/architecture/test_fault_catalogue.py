"""No row of the fault catalogue lacks a test, and no test that it names is missing."""

import ast
from pathlib import Path

import pytest

from tests.faults.catalogue import CATALOGUE

FAULTS = Path(__file__).parents[1] / "faults"
ROWS = 30


def functions_of(file: str) -> set[str]:
    functions = (node for node in ast.walk(ast.parse((FAULTS / file).read_text())) if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions}


def test_no_row_was_forgotten() -> None:
    assert len(CATALOGUE) == ROWS


@pytest.mark.parametrize("row", CATALOGUE)
def test_every_row_has_tests_that_exist(row: str) -> None:
    named = [name.split("::") for name in CATALOGUE[row]]
    assert named
    assert [f"{file}::{function}" for file, function in named if function not in functions_of(file)] == []
