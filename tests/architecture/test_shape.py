"""The shape of the packages: what is public, how large a file may be, that types are shipped."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cronhook_client", "cronhook_core", "cronhook_server")
MOST_LINES = 450
VAGUE_NAMES = {"common.py", "helpers.py", "misc.py", "utils.py"}

SOURCES = sorted(path for path in ROOT.glob("src/**/*.py"))
OURS = [*SOURCES, *sorted(ROOT.glob("tests/**/*.py")), *sorted(ROOT.glob("benchmarks/**/*.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_shipped(package: str) -> None:
    origin = importlib.import_module(package).__file__
    assert origin is not None
    assert Path(origin).with_name("py.typed").exists()


def public_packages() -> list[str]:
    """Packages with an `__all__`, by their import path."""
    return [
        ".".join(path.parent.relative_to(ROOT / "src").parts)
        for path in SOURCES
        if path.name == "__init__.py" and "__all__" in path.read_text()
    ]


@pytest.mark.parametrize("name", public_packages())
def test_public_names_are_sorted_and_exist(name: str) -> None:
    package = importlib.import_module(name)
    names = list(package.__all__)
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), name)), "constants first"
    assert [public for public in names if not hasattr(package, public)] == []


def test_the_core_has_public_names() -> None:
    assert "cronhook_core" in public_packages()


def test_no_file_is_too_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in OURS}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_files_are_named_after_one_thing() -> None:
    assert [path for path in OURS if path.name in VAGUE_NAMES] == []
