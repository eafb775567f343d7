"""The requirement files of the image and the build fit `pyproject.toml` and pin every package by its hash."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
OWN = "cronhook"


def required_by_extra(extra: str) -> list[Requirement]:
    requirements = [Requirement(text) for text in EXTRAS[extra]]
    others = [one for one in requirements if one.name != OWN]
    return others + [
        found for one in requirements if one.name == OWN for name in one.extras for found in required_by_extra(name)
    ]


DIRECT = {
    "server": [*map(Requirement, PROJECT["project"]["dependencies"]), *required_by_extra("server")],
    "chores": [Requirement(text) for text in PROJECT["dependency-groups"]["chores"]],
    "build": [Requirement(text) for text in PROJECT["dependency-groups"]["build"]],
}


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ \\n]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", DIRECT)
def test_every_direct_requirement_is_pinned_to_a_version_that_fits(name: str) -> None:
    pinned = pins(name)
    assert {one.name: pinned.get(one.name) for one in DIRECT[name] if one.name not in pinned} == {}
    assert [str(one) for one in DIRECT[name] if not one.specifier.contains(pinned[one.name])] == []


@pytest.mark.parametrize("name", DIRECT)
def test_every_package_has_hashes_and_no_file_names_an_index(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    packages = [line for line in lines if line and line[0] not in " #"]
    assert len(packages) == len(pins(name))
    assert all(line.endswith("\\") for line in packages)
    assert {line.strip().partition(":")[0] for line in lines if line.startswith("    --")} == {"--hash=sha256"}
