"""The secret key of an installation, as an operator meets it: its file, another one, a lost one."""

import re
import stat
from pathlib import Path

import pytest

from tests.acceptance.running import Up, run
from tests.canaries import canary

pytestmark = pytest.mark.suite("integration")

FIRST, SECOND = canary("first-secret-key"), canary("second-secret-key")
KEYS = ("keys", "create", "--workspace", "default")


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with Up(tmp_path):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("cronhook.db*")}
    assert modes.keys() >= {"cronhook.db", "cronhook.db-wal", "cronhook.db-shm", "cronhook.db.key"}
    assert set(modes.values()) == {0o600}, modes


def test_another_secret_key_is_told_before_anything_goes_wrong(tmp_path: Path) -> None:
    assert run(*KEYS, folder=tmp_path, secret_key=FIRST).returncode == 0
    for command in (KEYS, ("up",)):
        refused = run(*command, folder=tmp_path, secret_key=SECOND, port=0)
        assert refused.returncode == 2
        assert "CRONHOOK_SECRET_KEY" in refused.stderr
        assert "cronhook migrate --new-secret-key" in re.sub(r"\s+", " ", refused.stderr)
        assert "Traceback" not in refused.stderr
        assert not any(key in refused.stdout + refused.stderr for key in (FIRST, SECOND))
    assert run(*KEYS, folder=tmp_path, secret_key=FIRST).returncode == 0


def test_a_lost_key_is_noticed_and_a_new_one_may_be_accepted(tmp_path: Path) -> None:
    assert run(*KEYS, folder=tmp_path).returncode == 0
    (tmp_path / "cronhook.db.key").unlink()
    assert run(*KEYS, folder=tmp_path).returncode == 2
    accepted = run("migrate", "--new-secret-key", folder=tmp_path)
    assert accepted.returncode == 0, accepted.stderr
    assert run(*KEYS, folder=tmp_path).returncode == 0
