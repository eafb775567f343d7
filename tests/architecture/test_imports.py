"""Who may import whom: the contracts of `pyproject.toml`, and what an import really loads."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SERVER_LIBRARIES = ("aiohttp", "alembic", "click", "litestar", "psycopg", "redis", "sqlalchemy", "uvicorn")


def test_import_contracts_are_kept() -> None:
    """In the work tree, whichever copy of the packages is installed."""
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


@pytest.mark.parametrize("package", ["cronhook_client", "cronhook_core"])
def test_the_base_install_is_enough_to_import(package: str) -> None:
    assert loaded_by(f"import {package}") == set()


def test_what_is_loaded_is_seen() -> None:
    assert loaded_by("import sqlalchemy, redis") == {"sqlalchemy", "redis"}


def test_httpx_can_be_replaced_in_one_file() -> None:
    """Its last release is old: the exit stays open."""
    sources = (ROOT / "src").glob("**/*.py")
    importers = {path.name for path in sources if re.search(r"^\s*(import|from) httpx\b", path.read_text(), re.M)}
    assert importers <= {"_transport.py"}


def loaded_by(code: str) -> set[str]:
    """Those of the server's libraries that a new interpreter has loaded after `code`."""
    report = f"{code}; import sys; print(*(set({SERVER_LIBRARIES!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return set(done.stdout.split())
