from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cronhook_core.engine.fairness import Slots


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


def test_payloads_are_shared_out_as_slots_are() -> None:
    slots = Slots(100, max_bytes=1000)
    slots.hold("large.example", "wsp_1", 501)
    assert slots.full_hosts() == ["large.example"]
    assert not slots.take("large.example", "wsp_2")
    assert slots.take("small.example", "wsp_1")
    slots.hold("small.example", "wsp_1", 200)
    assert slots.full_workspaces() == ["wsp_1"]
    assert not slots.take("another.example", "wsp_1")
    assert slots.take("another.example", "wsp_2")
    slots.let_go("large.example", "wsp_1", 501)
    assert slots.full_hosts() == slots.full_workspaces() == []
    assert slots.free == 98


def test_without_memory_no_slot_is_free() -> None:
    slots = Slots(100, max_bytes=1000)
    slots.hold("large.example", "wsp_1", 1200)
    assert (slots.free, slots.free_bytes) == (0, -200)
    assert not slots.take("small.example", "wsp_2")
