"""Workspaces, API keys and versions of signing secrets, on a connection within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cronhook_core.backends.sql import account_rows as rows
from cronhook_core.backends.sql.rows import Values
from cronhook_core.backends.sql.tables import api_keys, meta, signing_secret_versions, workspaces
from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace
from cronhook_core.errors import NotFound, Quota, QuotaExceeded

_KEY_ID = "secret_key_id"


def ensure_workspace(connection: Connection, workspace: Workspace) -> Workspace:
    _insert_unless(connection, workspaces, "name", rows.workspace_values(workspace))
    query = select(workspaces).where(workspaces.c.name == workspace.name)
    return rows.workspace_from(connection.execute(query).one())


def get_workspace(connection: Connection, workspace_id: str) -> Workspace | None:
    row = connection.execute(select(workspaces).where(workspaces.c.id == workspace_id)).one_or_none()
    return None if row is None else rows.workspace_from(row)


def find_workspace(connection: Connection, name: str) -> Workspace | None:
    row = connection.execute(select(workspaces).where(workspaces.c.name == name)).one_or_none()
    return None if row is None else rows.workspace_from(row)


def set_max_jobs(connection: Connection, workspace_id: str, max_jobs: int | None) -> Workspace | None:
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(max_jobs=max_jobs))
    return get_workspace(connection, workspace_id)


def stored_key_id(connection: Connection) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == _KEY_ID)).scalar_one_or_none()


def remember_key_id(connection: Connection, key_id: str, anew: bool) -> str:
    _insert_unless(connection, meta, "key", {"key": _KEY_ID, "value": key_id})
    if anew:
        connection.execute(update(meta).where(meta.c.key == _KEY_ID).values(value=key_id))
    return stored_key_id(connection) or key_id


def add_key(connection: Connection, key: ApiKey, max_keys: int | None) -> None:
    locked = select(workspaces.c.id).where(workspaces.c.id == key.workspace_id).with_for_update()
    if connection.execute(locked).one_or_none() is None:
        raise NotFound("workspace", key.workspace_id)
    if max_keys is not None:
        _make_room(connection, key, max_keys)
    _insert_unless(connection, api_keys, "id", rows.api_key_values(key))


def _make_room(connection: Connection, key: ApiKey, max_keys: int) -> None:
    own = (api_keys.c.workspace_id == key.workspace_id, api_keys.c.id != key.id)
    has_ended = or_(api_keys.c.expires_at <= key.created_at, api_keys.c.revoked_at <= key.created_at).is_(True)
    valid = select(func.count()).select_from(api_keys).where(*own, ~has_ended)
    if connection.execute(valid).scalar_one() >= max_keys:
        raise QuotaExceeded(max_keys, Quota.KEYS)
    too_many = select(api_keys.c.id).where(*own, has_ended).order_by(api_keys.c.id.desc()).offset(max_keys)
    connection.execute(delete(api_keys).where(api_keys.c.id.in_(too_many)))


def find_key(connection: Connection, digest: bytes) -> ApiKey | None:
    row = connection.execute(select(api_keys).where(api_keys.c.digest == digest)).one_or_none()
    return None if row is None else rows.api_key_from(row)


def list_keys(connection: Connection, workspace_id: str) -> list[ApiKey]:
    query = select(api_keys).where(api_keys.c.workspace_id == workspace_id)
    newest_first = query.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
    return [rows.api_key_from(row) for row in connection.execute(newest_first)]


def end_key(
    connection: Connection,
    workspace_id: str,
    key_id: str,
    revoked_at: datetime | None,
    expires_at: datetime | None,
) -> ApiKey | None:
    mine = (api_keys.c.id == key_id, api_keys.c.workspace_id == workspace_id)
    row = connection.execute(select(api_keys).where(*mine).with_for_update()).one_or_none()
    if row is None:
        return None
    ends = {
        "revoked_at": _earlier(row.revoked_at, revoked_at),
        "expires_at": _earlier(row.expires_at, expires_at),
    }
    connection.execute(update(api_keys).where(*mine).values(ends))
    return rows.api_key_from(connection.execute(select(api_keys).where(*mine)).one())


def replace_key(
    connection: Connection,
    key_id: str,
    new: ApiKey,
    revoked_at: datetime | None,
    expires_at: datetime | None,
    max_keys: int | None,
) -> bool:
    mine = (api_keys.c.id == key_id, api_keys.c.workspace_id == new.workspace_id)
    row = connection.execute(select(api_keys).where(*mine).with_for_update()).one_or_none()
    if row is None or not rows.api_key_from(row).may_be_replaced(new.created_at):
        return False
    end_key(connection, new.workspace_id, key_id, revoked_at, expires_at)
    add_key(connection, new, max_keys)
    return True


def touch_keys(connection: Connection, used: Sequence[tuple[str, datetime]]) -> None:
    if not used:
        return
    used_at = bindparam("used_at", type_=api_keys.c.last_used_at.type)
    earlier = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < used_at)
    touch = update(api_keys).where(api_keys.c.id == bindparam("key_id"), earlier).values(last_used_at=used_at)
    in_one_order = sorted(used)  # so that two nodes that touch the same keys never wait for each other in a circle
    connection.execute(touch, [{"key_id": key_id, "used_at": at} for key_id, at in in_one_order])


def signing_versions(connection: Connection, workspace_id: str) -> list[SigningSecretVersion]:
    versions = signing_secret_versions
    query = select(versions).where(versions.c.workspace_id == workspace_id).order_by(versions.c.version.desc())
    return [rows.signing_version_from(row) for row in connection.execute(query)]


def rotate_signing_secret(
    connection: Connection, workspace_id: str, now: datetime, old_expires_at: datetime
) -> SigningSecretVersion:
    query = select(workspaces).where(workspaces.c.id == workspace_id).with_for_update()
    workspace = connection.execute(query).one_or_none()
    if workspace is None:
        raise NotFound("workspace", workspace_id)
    stored = signing_versions(connection, workspace_id)
    if stored:
        current = stored[0].version
        versions = signing_secret_versions.c
        mine = (versions.workspace_id == workspace_id, versions.version == current)
        connection.execute(update(signing_secret_versions).where(*mine).values(expires_at=old_expires_at))
    else:
        current = 1
        _add_version(connection, workspace_id, 1, created_at=workspace.created_at, expires_at=old_expires_at)
    return _add_version(connection, workspace_id, current + 1, created_at=now, expires_at=None)


def _add_version(
    connection: Connection, workspace_id: str, version: int, *, created_at: datetime, expires_at: datetime | None
) -> SigningSecretVersion:
    added = SigningSecretVersion(
        workspace_id=workspace_id, version=version, created_at=created_at, expires_at=expires_at
    )
    connection.execute(insert(signing_secret_versions).values(rows.signing_version_values(added)))
    return added


def _insert_unless(connection: Connection, table: Table, unique_column: str, values: Values) -> None:
    """Insert a row, or do nothing where another one has the same value in that column, also when they race."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).values(values).on_conflict_do_nothing(index_elements=[unique_column]))


def _earlier(stored: datetime | None, new: datetime | None) -> datetime | None:
    return min((instant for instant in (stored, new) if instant is not None), default=None)
