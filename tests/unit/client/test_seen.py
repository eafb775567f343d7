"""Remembering executions."""

from concurrent.futures import ThreadPoolExecutor

from cronhook_client.seen import SeenInMemory, Sighting


def test_an_execution_is_new_once() -> None:
    seen = SeenInMemory()
    assert seen.begin("exe_1") is Sighting.NEW
    assert seen.begin("exe_1") is Sighting.UNDER_WAY
    seen.end("exe_1", handled=True)
    assert seen.begin("exe_1") is Sighting.HANDLED
    assert seen.begin("exe_2") is Sighting.NEW


def test_what_failed_is_new_again() -> None:
    seen = SeenInMemory()
    seen.begin("exe_1")
    seen.end("exe_1", handled=False)
    assert seen.begin("exe_1") is Sighting.NEW


def test_the_oldest_are_forgotten() -> None:
    seen = SeenInMemory(size=2)
    for execution_id in ("exe_1", "exe_2", "exe_3"):
        seen.begin(execution_id)
        seen.end(execution_id, handled=True)
    assert seen.begin("exe_1") is Sighting.NEW
    assert seen.begin("exe_2") is Sighting.HANDLED
    assert seen.begin("exe_3") is Sighting.HANDLED


def test_of_threads_that_race_one_is_first() -> None:
    seen = SeenInMemory()
    with ThreadPoolExecutor(16) as threads:
        for round_ in range(50):
            sightings = list(threads.map(seen.begin, [f"exe_{round_}"] * 16))
            assert sightings.count(Sighting.NEW) == 1
