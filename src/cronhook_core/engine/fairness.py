"""No host and no workspace can take a worker's last free slots."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from cronhook_core.domain.execution import QueueMessage

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
        if not self.free or self.host_is_full(host) or self.workspace_is_full(workspace_id):
            return False
        self._sends.take(host, workspace_id, 1)
        return True

    def give_back(self, host: str, workspace_id: str) -> None:
        self._sends.give_back(host, workspace_id, 1)

    def hold(self, host: str, workspace_id: str, size: int) -> None:
        """Count a payload of so many bytes until `let_go`."""
        self._memory.take(host, workspace_id, size)

    def let_go(self, host: str, workspace_id: str, size: int) -> None:
        self._memory.give_back(host, workspace_id, size)

    def host_is_full(self, host: str) -> bool:
        return self._sends.host_is_full(host) or self._memory.host_is_full(host)

    def workspace_is_full(self, workspace_id: str) -> bool:
        return self._sends.workspace_is_full(workspace_id) or self._memory.workspace_is_full(workspace_id)

    def full_hosts(self) -> list[str]:
        return list(dict.fromkeys([*self._sends.full_hosts(), *self._memory.full_hosts()]))

    def full_workspaces(self) -> list[str]:
        return list(dict.fromkeys([*self._sends.full_workspaces(), *self._memory.full_workspaces()]))


class _Shared:
    """Something of which there is so much, and how much of it each host and each workspace has.

    ``free`` may be less than nothing: what is taken is not refused.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        self._by_host: Counter[str] = Counter()
        self._by_workspace: Counter[str] = Counter()

    @property
    def is_scarce(self) -> bool:
        return self.capacity > 2 * self.free

    def take(self, host: str, workspace_id: str, amount: int) -> None:
        self.free -= amount
        self._by_host[host] += amount
        self._by_workspace[workspace_id] += amount

    def give_back(self, host: str, workspace_id: str, amount: int) -> None:
        self.free += amount
        _count_down(self._by_host, host, amount)
        _count_down(self._by_workspace, workspace_id, amount)

    def host_is_full(self, host: str) -> bool:
        return self._by_host.get(host, 0) > self.free

    def workspace_is_full(self, workspace_id: str) -> bool:
        return self._by_workspace.get(workspace_id, 0) > 2 * self.free

    def full_hosts(self) -> list[str]:
        return [host for host in self._by_host if self.host_is_full(host)] if self.is_scarce else []

    def full_workspaces(self) -> list[str]:
        return [workspace for workspace in self._by_workspace if self.workspace_is_full(workspace)]


class Waiting:
    """Messages that wait in a worker for a slot, at most ``bound`` of them.

    They stand in lanes, one for each host and workspace, that are served in turn. What overflows is dropped from the
    longest lane: the store still has it, and the floor finds it again.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lanes: dict[tuple[str, str], deque[QueueMessage]] = {}
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def hosts_with(self, count: int) -> list[str]:
        """Those of which at least so many messages of one workspace wait."""
        return [host for (host, _), lane in self._lanes.items() if len(lane) >= count]

    def add(self, message: QueueMessage) -> bool:
        """Let a message wait; False when it already did."""
        if message.execution_id in self._ids:
            return False
        self._ids.add(message.execution_id)
        self._lanes.setdefault((message.host, message.workspace_id), deque()).append(message)
        if len(self._ids) > self._bound:
            longest = max(self._lanes, key=lambda lane: len(self._lanes[lane]))
            self._take(longest, self._lanes[longest].pop)
        return True

    def put_back(self, messages: Sequence[QueueMessage]) -> None:
        """Let messages that were admitted wait again, before all others of their lanes."""
        for message in reversed(messages):
            if message.execution_id not in self._ids:
                self._ids.add(message.execution_id)
                self._lanes.setdefault((message.host, message.workspace_id), deque()).appendleft(message)

    def admit(self, slots: Slots, limit: int) -> list[QueueMessage]:
        """Take slots for up to ``limit`` messages, one lane after another in turn, and hand these out."""
        admitted: list[QueueMessage] = []
        turns = deque(self._lanes)
        while turns and len(admitted) < limit and slots.free:
            lane = turns.popleft()
            if slots.take(*lane):
                admitted.append(self._take(lane, self._lanes[lane].popleft))
                if lane in self._lanes:
                    turns.append(lane)
                    self._lanes[lane] = self._lanes.pop(lane)  # its next turn, in a later call too, is after all others
        return admitted

    def _take(self, lane: tuple[str, str], pop: Callable[[], QueueMessage]) -> QueueMessage:
        message = pop()
        self._ids.discard(message.execution_id)
        if not self._lanes[lane]:
            del self._lanes[lane]
        return message


def _count_down(counter: Counter[str], key: str, amount: int) -> None:
    counter[key] -= amount
    if counter[key] <= 0:
        del counter[key]
