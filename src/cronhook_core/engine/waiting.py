"""Messages that wait for a slot; no workspace and no host keeps out those of another."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.fairness import Slots

DROPPED_AT_ONCE = 64
"""The part of the bound that is dropped at least where anything is, for that takes time by the number of hosts."""


class Waiting:
    """Messages that wait in a worker for a slot, at most ``bound`` of them.

    Workspaces are served in turn, and within a workspace its hosts. What overflows is dropped from the workspace of
    which most messages wait, and there from the host with most: the store still has it, and a later look finds it
    again. So no workspace loses a message while it has at most ``bound``, divided by the number of workspaces, waiting.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._workspaces: dict[str, _Lanes] = {}
        self._turns: deque[str] = deque()
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def room(self) -> int:
        """How many messages may be added before some are dropped."""
        return self._bound - len(self._ids)

    def hosts_with(self, count: int) -> list[str]:
        """The hosts of which at least so many messages of one workspace wait."""
        sizes = (lanes.sizes() for lanes in self._workspaces.values() if lanes.count >= count)
        return [host for hosts in sizes for host, size in hosts.items() if size >= count]

    def add(self, messages: Iterable[QueueMessage]) -> int:
        """Let messages wait; how many of them did not do so already."""
        new = list(self._unknown(messages))
        for message in new:
            self._lanes_of(message).append(message)
        self._drop_surplus()
        return len(new)

    def put_back(self, messages: Sequence[QueueMessage]) -> None:
        """Let messages that were admitted wait again, before all others of their hosts."""
        for message in self._unknown(reversed(messages)):
            self._lanes_of(message).append_first(message)
        self._drop_surplus()

    def admit(self, slots: Slots, limit: int) -> list[QueueMessage]:
        """Take slots for up to ``limit`` messages, one workspace after another in turn, and hand these out.

        A workspace or host that is full stays so until slots are given back: each is asked once.
        """
        admitted: list[QueueMessage] = []
        turns, full, asked = self._turns, list[str](), set[str]()
        while turns and len(admitted) < limit and slots.free:
            workspace_id = turns[0]
            asked.add(workspace_id)
            lanes = self._workspaces[workspace_id]
            message = None if slots.workspace_is_full(workspace_id) else lanes.pop_next(slots, workspace_id)
            if message is None:
                full.append(turns.popleft())
                continue
            admitted.append(message)
            turns.rotate(-1)
            if not lanes.count:
                del self._workspaces[turns.pop()]
        turns.extendleft(reversed(full))
        for workspace_id in asked & self._workspaces.keys():
            self._workspaces[workspace_id].end_pass()
        self._ids.difference_update(message.execution_id for message in admitted)
        return admitted

    def _unknown(self, messages: Iterable[QueueMessage]) -> Iterator[QueueMessage]:
        for message in messages:
            if message.execution_id not in self._ids:
                self._ids.add(message.execution_id)
                yield message

    def _lanes_of(self, message: QueueMessage) -> _Lanes:
        lanes = self._workspaces.get(message.workspace_id)
        if lanes is None:
            lanes = self._workspaces[message.workspace_id] = _Lanes()
            self._turns.append(message.workspace_id)
        return lanes

    def _drop_surplus(self) -> None:
        if self.room >= 0:
            return
        sizes = {workspace_id: lanes.count for workspace_id, lanes in self._workspaces.items()}
        surplus = max(-self.room, self._bound // DROPPED_AT_ONCE)
        for workspace_id, count in _from_largest(sizes, surplus).items():
            dropped = self._workspaces[workspace_id].drop(count)
            self._ids.difference_update(message.execution_id for message in dropped)


class _Lanes:
    """The messages of one workspace, by host, and the order in which the hosts have their turns."""

    def __init__(self) -> None:
        self.count = 0
        self._of: dict[str, deque[QueueMessage]] = {}
        self._turns: deque[str] = deque()
        self._full: list[str] = []

    def sizes(self) -> dict[str, int]:
        return {host: len(lane) for host, lane in self._of.items()}

    def append(self, message: QueueMessage) -> None:
        self._lane(message.host).append(message)
        self.count += 1

    def append_first(self, message: QueueMessage) -> None:
        self._lane(message.host).appendleft(message)
        self.count += 1

    def pop_next(self, slots: Slots, workspace_id: str) -> QueueMessage | None:
        """Take a slot for the first message of the first host that may have one; None where all hosts are full."""
        turns = self._turns
        while turns:
            host = turns[0]
            if not slots.take(host, workspace_id):
                self._full.append(turns.popleft())
                continue
            self.count -= 1
            lane = self._of[host]
            message = lane.popleft()
            if lane:
                turns.rotate(-1)
            else:
                del self._of[turns.popleft()]
            return message
        return None

    def end_pass(self) -> None:
        """Full hosts keep their turn."""
        self._turns.extendleft(reversed(self._full))
        self._full.clear()

    def drop(self, count: int) -> list[QueueMessage]:
        """Remove the last messages of the hosts that have most."""
        of_hosts = _from_largest(self.sizes(), count)
        dropped = [self._of[host].pop() for host, number in of_hosts.items() for _ in range(number)]
        self.count -= len(dropped)
        self._of = {host: lane for host, lane in self._of.items() if lane}
        self._turns = deque(host for host in self._turns if host in self._of)
        return dropped

    def _lane(self, host: str) -> deque[QueueMessage]:
        lane = self._of.get(host)
        if lane is None:
            lane = self._of[host] = deque()
            self._turns.append(host)
        return lane


def _from_largest(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many to take from each, ``count`` in all, if each is taken from whoever has most by then."""
    having = Counter(sizes.values())
    level, above = max(having), 0
    while count > 0:  # take all that is above the level
        above += having[level]
        level -= 1
        count -= above
    taken = {key: size - level for key, size in sizes.items() if size > level}
    for key in islice(taken, -count):  # that many too much
        taken[key] -= 1
    return taken
