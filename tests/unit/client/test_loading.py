"""What is loaded when."""

import subprocess
import sys

import pytest

import cronhook_client


def loaded_by(code: str) -> set[str]:
    """The top names of all that a new interpreter loads for `code`, the standard library left out."""
    report = (
        f"import sys; before = set(sys.modules); {code}; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split() if not name.startswith("_sysconfigdata")}


def modules_after(code: str) -> set[str]:
    report = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def processor_seconds_of(code: str) -> float:
    report = f"{code}; import time; print(time.process_time())"
    return float(subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True).stdout)


def test_the_package_alone_loads_nothing() -> None:
    assert loaded_by("import cronhook_client") == {"cronhook_client"}


@pytest.mark.parametrize(
    "code",
    [
        "from cronhook_client import Delivery, Webhook, WebhookVerificationError",
        "import cronhook_client.asgi, cronhook_client.wsgi, cronhook_client.seen",
    ],
)
def test_receivers_need_the_standard_library_alone(code: str) -> None:
    assert loaded_by(code) == {"cronhook_client"}


def test_what_is_slow_to_load_is_loaded_by_who_calls() -> None:
    clients = "from cronhook_client import AsyncCronhook, Cronhook, NotFound"
    assert loaded_by(clients) == {"attr", "attrs", "cronhook_client", "cronhook_core"}
    assert "httpx" in loaded_by("from cronhook_client import Cronhook; Cronhook('chk_1')")
    slow = {"asyncio", "email", "importlib.metadata", "importlib.resources", "ssl"}
    assert slow & modules_after("from cronhook_client import Cronhook, NotFound") == set()


def test_loading_takes_no_time_that_anybody_would_notice() -> None:
    """150 ms of a processor, the interpreter's own start included, whatever else the machine does."""
    assert min(processor_seconds_of("import cronhook_client") for _ in range(5)) < 0.150


def test_public_names_are_listed_and_others_are_not_there() -> None:
    assert set(cronhook_client.__all__) <= set(dir(cronhook_client))
    with pytest.raises(AttributeError, match="NoSuchName"):
        cronhook_client.NoSuchName  # type: ignore[attr-defined]  # noqa: B018
