"""Files beside the SQLite file: the secret that all others are derived from, and the first API key."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cronhook_core.domain.key_derivation import MIN_SECRET_KEY_LENGTH, derive_key
from cronhook_core.errors import ConfigurationError

VARIABLE = "CRONHOOK_SECRET_KEY"


def key_file_of(database: Path) -> Path:
    """Where the key of a SQLite file is kept."""
    return database.with_name(f"{database.name}.key")


def secret_key_beside(database: Path) -> str:
    """The key kept in ``<database>.key``; makes it, readable by its owner alone, where there is none.

    Processes that make it at the same time all get the same one. Raises `ConfigurationError` where it cannot be read.
    """
    path = key_file_of(database)
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(VARIABLE, f"the key in {path} cannot be read or made: {error}") from None
    if len(key) < MIN_SECRET_KEY_LENGTH:
        raise ConfigurationError(VARIABLE, f"the key in {path} is damaged; restore the file from a backup")
    return key


def write_first_key(database: Path, api_key: str) -> Path:
    """Write an API key to ``<database>.first-key``, readable by its owner alone, and return the path.

    Replaces a file of that name. Raises OSError.
    """
    path = database.with_name(f"{database.name}.first-key").absolute()
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(api_key + "\n")
    return path


def pepper_of(secret_key: str) -> bytes:
    """What API keys are hashed under."""
    return derive_key(secret_key, "api-key-pepper")


def _make(path: Path) -> None:
    """Written to a file of its own first and then linked, so that no one ever reads half a key."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
