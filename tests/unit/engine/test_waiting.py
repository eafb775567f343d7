from datetime import UTC, datetime

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.fairness import Slots
from cronhook_core.engine.waiting import Waiting
from tests.unit.engine.test_fairness import fill

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def message(number: int, host: str = "a.example", workspace: str = "wsp_1") -> QueueMessage:
    return QueueMessage(
        execution_id=f"exe_{number}", job_id="job_1", workspace_id=workspace, host=host, scheduled_for=NOON
    )


def test_waiting_messages_are_admitted_in_order_and_hosts_take_turns() -> None:
    waiting = Waiting(bound=100)
    for number in range(4):
        waiting.add([message(number, "a.example")])
    waiting.add([message(9, "b.example")])
    admitted = waiting.admit(Slots(100), limit=10)
    assert [m.execution_id for m in admitted] == ["exe_0", "exe_9", "exe_1", "exe_2", "exe_3"]
    assert len(waiting) == 0


def test_a_full_host_does_not_hold_up_another() -> None:
    waiting, slots = Waiting(bound=100), Slots(10)
    fill(slots, "slow.example", "wsp_1")
    waiting.add([message(1, "slow.example")])
    waiting.add([message(2, "fast.example")])
    assert [m.execution_id for m in waiting.admit(slots, limit=10)] == ["exe_2"]
    assert len(waiting) == 1


def test_hosts_take_turns_also_where_slots_become_free_one_at_a_time() -> None:
    slots, waiting = Slots(10), Waiting(bound=1000)
    hosts = [f"host-{n}.example" for n in range(20)]
    for number in range(200):
        waiting.add([message(number, hosts[number % 20])])
    served = waiting.admit(slots, 100)
    while len(served) < 40:
        slots.give_back(served[-6].host, "wsp_1")
        served += waiting.admit(slots, 1)
    assert {message.host for message in served} == set(hosts)


def test_a_message_that_already_waits_is_not_added_again() -> None:
    waiting = Waiting(bound=100)
    assert waiting.add([message(1)])
    assert not waiting.add([message(1)])
    assert len(waiting.admit(Slots(10), limit=10)) == 1


def test_what_overflows_is_dropped_from_the_host_with_most() -> None:
    waiting = Waiting(bound=3)
    for number in range(5):
        waiting.add([message(number, "slow.example")])
    waiting.add([message(9, "fast.example")])
    assert len(waiting) == 3
    admitted = {m.execution_id for m in waiting.admit(Slots(100), limit=10)}
    assert admitted == {"exe_0", "exe_1", "exe_9"}


def test_a_backlog_over_many_hosts_pushes_out_nothing_of_another_workspace() -> None:
    waiting = Waiting(bound=20_000)
    waiting.add(message(n, f"host-{n}.example", "wsp_backlog") for n in range(20_000))
    for n in range(300):
        waiting.add([message(30_000 + n, "other.example", "wsp_other")])
    waiting.add(message(n, f"host-{n}.example", "wsp_backlog") for n in range(20_000, 21_000))
    assert 19_000 < len(waiting) <= 20_000
    slots = Slots(500)
    fill(slots, "slow.example", "wsp_backlog")
    others = [m for m in waiting.admit(slots, 300) if m.workspace_id == "wsp_other"]
    while len(others) < 300:
        slots.give_back("other.example", "wsp_other")
        others += [m for m in waiting.admit(slots, 1) if m.workspace_id == "wsp_other"]
    assert {m.execution_id for m in others} == {f"exe_{n}" for n in range(30_000, 30_300)}


def test_workspaces_lose_messages_down_to_equal_shares() -> None:
    waiting = Waiting(bound=1_200)
    for workspace, count in (("wsp_1", 900), ("wsp_2", 900), ("wsp_3", 300)):
        waiting.add(message(hash((workspace, n)), f"host-{n % 7}.example", workspace) for n in range(count))
    left = Waiting(bound=1_200)
    admitted = waiting.admit(Slots(10_000), 10_000)
    assert len(admitted) == left.add(admitted) == 1_200
    of = [len([m for m in admitted if m.workspace_id == f"wsp_{n}"]) for n in (1, 2, 3)]
    assert of == [450, 450, 300]


def test_workspaces_take_turns_whatever_the_number_of_their_hosts() -> None:
    waiting = Waiting(bound=1000)
    waiting.add(message(n, f"host-{n}.example", "wsp_many") for n in range(100))
    waiting.add(message(100 + n, "one.example", "wsp_one") for n in range(10))
    admitted = waiting.admit(Slots(1000), 20)
    assert [m.workspace_id for m in admitted].count("wsp_one") == 10


class Asked(Slots):
    """Counts how often it is asked."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.times = 0

    def take(self, host: str, workspace_id: str) -> bool:
        self.times += 1
        return super().take(host, workspace_id)


def test_a_full_workspace_is_passed_over_in_one_step() -> None:
    waiting, slots = Waiting(bound=20_000), Asked(300)
    fill(slots, "slow.example", "wsp_full")
    for n in range(1000):
        slots.take(f"host-{n}.example", "wsp_full")
    assert slots.full_workspaces() == ["wsp_full"]
    waiting.add(message(n, f"host-{n}.example", "wsp_full") for n in range(19_000))
    waiting.add([message(19_000, "other.example", "wsp_other")])
    slots.times = 0
    assert [m.execution_id for m in waiting.admit(slots, 300)] == ["exe_19000"]
    assert slots.times == 1


def test_full_hosts_are_asked_once_and_keep_their_turn() -> None:
    waiting, slots = Waiting(bound=20_000), Asked(100)
    fill(slots, "full.example", "wsp_0")
    waiting.add(message(n, "full.example") for n in range(100))
    waiting.add(message(100 + n, "free.example") for n in range(100))
    slots.times = 0
    admitted = waiting.admit(slots, 10)
    assert {m.host for m in admitted} == {"free.example"}
    assert slots.times == 11
    for _ in range(30):
        slots.give_back("full.example", "wsp_0")
    assert waiting.admit(slots, 1)[0].host == "full.example"


def test_what_is_put_back_is_admitted_first_and_in_its_order() -> None:
    waiting = Waiting(bound=100)
    waiting.add(message(n) for n in range(6))
    admitted = waiting.admit(Slots(100), 4)
    waiting.put_back(admitted[1:])
    assert len(waiting) == 5
    assert [m.execution_id for m in waiting.admit(Slots(100), 10)] == [f"exe_{n}" for n in (1, 2, 3, 4, 5)]


def test_hosts_with_many_waiting_messages_are_known() -> None:
    waiting = Waiting(bound=100)
    waiting.add(message(n, "many.example") for n in range(5))
    waiting.add(message(n, "few.example") for n in range(10, 14))
    assert waiting.hosts_with(5) == ["many.example"]
