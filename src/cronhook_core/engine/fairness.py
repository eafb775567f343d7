"""No host and no workspace can take a worker's last free slots."""

from __future__ import annotations

from collections import Counter

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Payloads that a worker holds: of requests under way, and of those whose results are not written yet."""


class Slots:
    """What one worker may have in hand: ``capacity`` sends in flight, and ``max_bytes`` of payloads.

    A host may start another send only while it has no more in flight than there are free slots, a workspace than
    twice the free slots. One host alone can so use half of the slots. Bytes are shared out by the same rule, except
    that one claim may exceed a share: only its answer tells how large it is.
    """

    def __init__(self, capacity: int, max_bytes: int = MAX_HELD_BYTES) -> None:
        self._sends = _Shared(capacity)
        self._memory = _Shared(max_bytes)

    @property
    def free(self) -> int:
        """None while all memory is in use."""
        return self._sends.free if self._memory.free > 0 else 0

    @property
    def taken(self) -> int:
        return self._sends.capacity - self._sends.free

    @property
    def free_bytes(self) -> int:
        return self._memory.free

    @property
    def is_short_of_memory(self) -> bool:
        """Whether some host or workspace may be full for its bytes."""
        return self._memory.is_scarce

    def take(self, host: str, workspace_id: str) -> bool:
        """Take a slot if the rule allows it."""
        may_take = self._sends.has_room_for(host, workspace_id) and self._memory.has_room_for(host, workspace_id)
        if may_take:
            self._sends.take(host, workspace_id, 1)
        return may_take

    def give_back(self, host: str, workspace_id: str) -> None:
        self._sends.give_back(host, workspace_id, 1)

    def hold(self, host: str, workspace_id: str, size: int) -> None:
        """Count a payload of so many bytes until `let_go`."""
        self._memory.take(host, workspace_id, size)

    def let_go(self, host: str, workspace_id: str, size: int) -> None:
        self._memory.give_back(host, workspace_id, size)

    def workspace_is_full(self, workspace_id: str) -> bool:
        return self._sends.workspace_is_full(workspace_id) or self._memory.workspace_is_full(workspace_id)

    def full_hosts(self) -> list[str]:
        return self._sends.full_hosts() + self._memory.full_hosts()

    def full_workspaces(self) -> list[str]:
        return self._sends.full_workspaces() + self._memory.full_workspaces()


class _Shared:
    """Something of which there is so much, and how much of it each host and each workspace has.

    ``free`` may be less than nothing: what is taken is not refused.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        self._half = capacity / 2
        self._by_host: Counter[str] = Counter()
        self._by_workspace: Counter[str] = Counter()

    @property
    def is_scarce(self) -> bool:
        """Else nobody can have more than is free."""
        return self.free < self._half

    def take(self, host: str, workspace_id: str, amount: int) -> None:
        self.free -= amount
        self._by_host[host] += amount
        self._by_workspace[workspace_id] += amount

    def give_back(self, host: str, workspace_id: str, amount: int) -> None:
        self.free += amount
        _count_down(self._by_host, host, amount)
        _count_down(self._by_workspace, workspace_id, amount)

    def has_room_for(self, host: str, workspace_id: str) -> bool:
        free = self.free
        if free >= self._half:
            return free > 0
        return free > 0 and self._by_host.get(host, 0) <= free and self._by_workspace.get(workspace_id, 0) <= 2 * free

    def workspace_is_full(self, workspace_id: str) -> bool:
        return self.free < self._half and self._by_workspace.get(workspace_id, 0) > 2 * self.free

    def full_hosts(self) -> list[str]:
        return [host for host, amount in self._by_host.items() if amount > self.free] if self.is_scarce else []

    def full_workspaces(self) -> list[str]:
        return [one for one, amount in self._by_workspace.items() if amount > 2 * self.free] if self.is_scarce else []


def _count_down(counter: Counter[str], key: str, amount: int) -> None:
    counter[key] -= amount
    if counter[key] <= 0:
        del counter[key]
