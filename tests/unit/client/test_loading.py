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


def test_httpx_is_loaded_by_who_calls() -> None:
    assert "httpx" not in loaded_by("from cronhook_client import AsyncCronhook, Cronhook, NotFound")
    assert "httpx" in loaded_by("from cronhook_client import Cronhook; Cronhook('chk_1')")


def test_public_names_are_listed_and_others_are_not_there() -> None:
    assert set(cronhook_client.__all__) <= set(dir(cronhook_client))
    with pytest.raises(AttributeError, match="NoSuchName"):
        cronhook_client.NoSuchName  # type: ignore[attr-defined]  # noqa: B018
