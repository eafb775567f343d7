"""In which order webhooks of one instant come in users' tests."""

from datetime import timedelta

from cronhook_server.testing import InProcessServer

URL = "https://app.example/hooks/report"


def test_what_is_due_at_one_instant_goes_in_the_order_of_creation_in_every_run() -> None:
    for _ in range(5):  # each begins now, with ids of its own
        with InProcessServer() as server:
            server.mount(URL, lambda body, headers: None)
            for number in range(12):
                server.client.jobs.create(name="one", callback_url=URL, run_at=server.now, payload=number)
            assert [webhook.json() for webhook in server.advance()] == list(range(12))


def test_a_retry_goes_before_what_is_due_first_at_its_instant() -> None:
    answers = iter([500, 200, 200])
    with InProcessServer() as server:
        server.mount(URL, lambda body, headers: next(answers))
        server.client.jobs.create(
            name="later", callback_url=URL, run_at=server.now + timedelta(seconds=30), payload="later"
        )
        server.client.jobs.create(
            name="again", callback_url=URL, run_at=server.now, payload="again", retry_delays_seconds=[30]
        )
        assert [webhook.json() for webhook in server.advance(minutes=1)] == ["again", "again", "later"]
