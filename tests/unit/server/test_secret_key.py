import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cronhook_core.errors import ConfigurationError
from cronhook_server.secret_key import pepper_of, secret_key_beside


def test_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    database = tmp_path / "cronhook.db"
    made = secret_key_beside(database)
    assert len(made) >= 32
    assert secret_key_beside(database) == made
    assert [path.name for path in tmp_path.iterdir()] == ["cronhook.db.key"]
    assert stat.S_IMODE((tmp_path / "cronhook.db.key").stat().st_mode) == 0o600


def test_all_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: secret_key_beside(tmp_path / "cronhook.db"), range(64)))
    assert len(made) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cronhook.db.key"
    path.write_text("short")
    with pytest.raises(ConfigurationError, match="damaged"):
        secret_key_beside(tmp_path / "cronhook.db")
    assert path.read_text() == "short"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CRONHOOK_SECRET_KEY"):
        secret_key_beside(tmp_path / "missing" / "cronhook.db")


def test_the_pepper_follows_from_the_secret_alone() -> None:
    assert pepper_of("a" * 32) == pepper_of("a" * 32)
    assert pepper_of("a" * 32) != pepper_of("b" * 32)
