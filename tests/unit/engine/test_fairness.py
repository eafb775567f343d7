from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.fairness import Slots, Waiting

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def message(number: int, host: str = "a.example", workspace: str = "wsp_1") -> QueueMessage:
    return QueueMessage(
        execution_id=f"exe_{number}", job_id="job_1", workspace_id=workspace, host=host, scheduled_for=NOON
    )


def fill(slots: Slots, host: str, workspace: str) -> int:
    taken = 0
    while slots.take(host, workspace):
        taken += 1
    return taken


def test_one_host_alone_uses_half_of_the_slots() -> None:
    slots = Slots(100)
    hosts = [fill(slots, "slow.example", f"wsp_{n}") for n in range(50)]
    assert sum(hosts) in (50, 51)
    assert slots.full_hosts() == ["slow.example"]


def test_one_workspace_alone_uses_two_thirds_of_the_slots() -> None:
    slots = Slots(99)
    taken = sum(fill(slots, f"host-{n}.example", "wsp_1") for n in range(99))
    assert taken in (66, 67)
    assert slots.full_workspaces() == ["wsp_1"]


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), max_size=200), st.integers(4, 40))
def test_the_last_slots_stay_for_those_who_have_none(wishes: list[tuple[str, str]], capacity: int) -> None:
    slots = Slots(capacity)
    for host, workspace in wishes:
        slots.take(host, workspace)
    if slots.free:
        assert slots.take("newcomer.example", "wsp_newcomer")


def test_a_slot_given_back_can_be_taken_again() -> None:
    slots = Slots(1)
    assert slots.take("a.example", "wsp_1")
    assert not slots.take("b.example", "wsp_2")
    slots.give_back("a.example", "wsp_1")
    assert slots.free == 1
    assert slots.take("b.example", "wsp_2")


def test_waiting_messages_are_admitted_in_order_and_hosts_take_turns() -> None:
    waiting = Waiting(bound=100)
    for number in range(4):
        waiting.add(message(number, "a.example"))
    waiting.add(message(9, "b.example"))
    admitted = waiting.admit(Slots(100), limit=10)
    assert [m.execution_id for m in admitted] == ["exe_0", "exe_9", "exe_1", "exe_2", "exe_3"]
    assert len(waiting) == 0


def test_a_full_host_does_not_hold_up_another() -> None:
    waiting, slots = Waiting(bound=100), Slots(10)
    fill(slots, "slow.example", "wsp_1")
    waiting.add(message(1, "slow.example"))
    waiting.add(message(2, "fast.example"))
    assert [m.execution_id for m in waiting.admit(slots, limit=10)] == ["exe_2"]
    assert len(waiting) == 1


def test_hosts_take_turns_also_where_slots_become_free_one_at_a_time() -> None:
    slots, waiting = Slots(10), Waiting(bound=1000)
    hosts = [f"host-{n}.example" for n in range(20)]
    for number in range(200):
        waiting.add(message(number, hosts[number % 20]))
    served = waiting.admit(slots, 100)
    while len(served) < 40:
        slots.give_back(served[-6].host, "wsp_1")
        served += waiting.admit(slots, 1)
    assert {message.host for message in served} == set(hosts)


def test_a_message_that_already_waits_is_not_added_again() -> None:
    waiting = Waiting(bound=100)
    assert waiting.add(message(1))
    assert not waiting.add(message(1))
    assert len(waiting.admit(Slots(10), limit=10)) == 1


def test_what_overflows_is_taken_from_the_longest_lane() -> None:
    waiting = Waiting(bound=3)
    for number in range(5):
        waiting.add(message(number, "slow.example"))
    waiting.add(message(9, "fast.example"))
    assert len(waiting) == 3
    admitted = {m.execution_id for m in waiting.admit(Slots(100), limit=10)}
    assert admitted == {"exe_0", "exe_1", "exe_9"}
