"""The contract suites of JobStore and AccountStore on memory."""

from contextlib import nullcontext

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.testing.account_store_contract import AccountStoreContract, OpenAccounts
from cronhook_core.testing.job_store import HoldJob, JobStoreContract, OpenStore


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def store(database: MemoryDatabase) -> MemoryJobStore:
    return MemoryJobStore(database)


@pytest.fixture
def accounts(database: MemoryDatabase) -> MemoryAccountStore:
    return MemoryAccountStore(database)


@pytest.fixture
def open_store(database: MemoryDatabase) -> OpenStore:
    async def opened() -> MemoryJobStore:
        return MemoryJobStore(database)

    return opened


@pytest.fixture
def open_accounts(database: MemoryDatabase) -> OpenAccounts:
    async def opened() -> MemoryAccountStore:
        return MemoryAccountStore(database)

    return opened


@pytest.fixture
def hold_job() -> HoldJob:
    return lambda job: nullcontext()


class TestMemoryJobStore(JobStoreContract):
    pass


class TestMemoryAccountStore(AccountStoreContract):
    pass
