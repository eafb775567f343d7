"""Programs of Debian packages, unpacked where the tests keep their files: nothing is installed, and root is not needed.

What is downloaded stays in the user's cache folder, signed lists of packages included, and is unpacked anew by every
test run. A test that needs such a program is marked `debian` and runs with `--debian` only.
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.watchdog import WATCHDOG

DOWNLOAD_SECONDS = 300.0
_PLACES_OF_PROGRAMS = ("usr/bin", "usr/sbin", "bin", "sbin")
_NEW = re.compile(r"^Inst (\S+)", re.MULTILINE)


class CannotBeHad(Exception):
    """The packages cannot be downloaded here; the message says why."""


@attrs.frozen(kw_only=True)
class Unpacked:
    """The files of some packages, and of what these need that is not installed here, below `root`."""

    root: Path

    def program(self, name: str) -> Path:
        (found,) = (path for place in _PLACES_OF_PROGRAMS if (path := self.root / place / name).is_file())
        return found

    @property
    def environment(self) -> Mapping[str, str]:
        """In which the programs find their libraries."""
        folders = [path for path in self.root.glob("usr/lib/*-linux-gnu*") if path.is_dir()]
        return {"LD_LIBRARY_PATH": ":".join(map(str, folders)), "PATH": os.environ.get("PATH", os.defpath)}


@functools.cache
def unpacked(*packages: str) -> Unpacked:
    """The newest versions that this machine's Debian has, readable by every user; raises `CannotBeHad`."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise CannotBeHad(f"{' and '.join(packages)}: there is no {program} on this machine, so it is no Debian")
    archives = _downloaded(packages)
    root = WATCHDOG.make_folder()
    for archive in archives:
        subprocess.run(["dpkg-deb", "--extract", archive, root], check=True, capture_output=True)
    root.chmod(0o755)
    return Unpacked(root=root)


def _downloaded(packages: Sequence[str]) -> Sequence[Path]:
    folder = _cache() / "-".join(packages)
    if not folder.is_dir():
        apt = _Apt(_cache() / "apt")
        incomplete = Path(f"{folder}.{os.getpid()}")
        incomplete.mkdir(parents=True)
        try:
            apt.run("update")
            needed = _NEW.findall(apt.run("install", "--reinstall", "--simulate", *packages))
            apt.run("download", *needed, folder=incomplete)
            incomplete.replace(folder)
        finally:
            shutil.rmtree(incomplete, ignore_errors=True)
    return sorted(folder.glob("*.deb"))


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cronhook-tests" / "debian"


@attrs.frozen
class _Apt:
    """apt-get with lists of its own, so that the machine's stay as they are. The machine's sources count."""

    _folder: Path

    def run(self, *words: str, folder: Path | None = None) -> str:
        for part in ("lists/partial", "archives/partial"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        settings = {
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder,
            "Debug::NoLocking": "1",
            "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        command = ["apt-get", "-q", *options, *words]
        try:
            ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
        except subprocess.TimeoutExpired:
            raise CannotBeHad(f"apt-get {' '.join(words)} took more than {DOWNLOAD_SECONDS:.0f} s") from None
        if ran.returncode != 0:
            raise CannotBeHad(f"apt-get {' '.join(words)} failed:\n{ran.stdout}{ran.stderr}")
        return ran.stdout
