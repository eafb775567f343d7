"""No host and no workspace can take a worker's last free slots."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from cronhook_core.domain.execution import QueueMessage


class Slots:
    """The sends that one worker may have in flight, ``capacity`` in all.

    A host may start another send only while it has no more in flight than there are free slots, a workspace than
    twice the free slots. One host alone can so use half of the slots.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._taken = 0
        self._by_host: Counter[str] = Counter()
        self._by_workspace: Counter[str] = Counter()

    @property
    def free(self) -> int:
        return self._capacity - self._taken

    @property
    def taken(self) -> int:
        return self._taken

    def take(self, host: str, workspace_id: str) -> bool:
        """Take a slot if the rule allows it."""
        if not self.free or self.host_is_full(host) or self.workspace_is_full(workspace_id):
            return False
        self._taken += 1
        self._by_host[host] += 1
        self._by_workspace[workspace_id] += 1
        return True

    def give_back(self, host: str, workspace_id: str) -> None:
        self._taken -= 1
        _count_down(self._by_host, host)
        _count_down(self._by_workspace, workspace_id)

    def host_is_full(self, host: str) -> bool:
        return self._by_host[host] > self.free if host in self._by_host else False

    def workspace_is_full(self, workspace_id: str) -> bool:
        return self._by_workspace[workspace_id] > 2 * self.free if workspace_id in self._by_workspace else False

    def full_hosts(self) -> list[str]:
        return [host for host in self._by_host if self.host_is_full(host)]

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


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
