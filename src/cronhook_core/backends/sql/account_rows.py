"""Rows of workspaces, keys and signing secrets become domain values here, and domain values rows."""

from __future__ import annotations

from cronhook_core.backends.sql import rows
from cronhook_core.domain.api_key import ApiKey, Scope
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace


def workspace_from(row: rows.AnyRow) -> Workspace:
    return Workspace(id=row.id, name=row.name, created_at=row.created_at, max_jobs=row.max_jobs)


def workspace_values(workspace: Workspace) -> rows.Values:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "created_at": workspace.created_at,
        "max_jobs": workspace.max_jobs,
    }


def api_key_from(row: rows.AnyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        prefix=row.prefix,
        digest=row.digest,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def api_key_values(key: ApiKey) -> rows.Values:
    return {
        "id": key.id,
        "workspace_id": key.workspace_id,
        "name": key.name,
        "prefix": key.prefix,
        "digest": key.digest,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def signing_version_from(row: rows.AnyRow) -> SigningSecretVersion:
    return SigningSecretVersion(
        workspace_id=row.workspace_id, version=row.version, created_at=row.created_at, expires_at=row.expires_at
    )


def signing_version_values(version: SigningSecretVersion) -> rows.Values:
    return {
        "workspace_id": version.workspace_id,
        "version": version.version,
        "created_at": version.created_at,
        "expires_at": version.expires_at,
    }
