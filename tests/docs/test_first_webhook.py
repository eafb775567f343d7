"""The README's five minutes, and the tutorial's: from a server to a verified webhook in an application of one's own."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from tests.acceptance.running import Up
from tests.services import free_port, wait_until

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text()
TUTORIAL = ROOT.joinpath("docs", "tutorial", "first_webhook.md").read_text()
APP = ROOT.joinpath("docs", "tutorial", "app.py").read_text()


def shell(text: str) -> list[str]:
    """Every line that a reader types, but the README's first two: those are run as they stand."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if not line.startswith("python3 -m venv .venv &&")]


def test_the_readme_shows_the_application_of_the_tutorial() -> None:
    (shown,) = re.findall(r"```py\n(.*?)```", README, re.DOTALL)
    assert shown == APP
    assert "{literalinclude} app.py" in TUTORIAL


def test_the_readme_and_the_tutorial_type_the_same() -> None:
    assert set(shell(README)) - set(shell(TUTORIAL)) == {"mkdir ../my-app && cd ../my-app"}
    assert "CRONHOOK_ALLOWED_TARGETS=127.0.0.1/32 cronhook up" in shell(README)
    assert "uvicorn app:app" in shell(README)


def test_the_reminder_comes_and_is_verified(tmp_path: Path) -> None:
    port = free_port()
    tmp_path.joinpath("app.py").write_text(APP.replace(":8000/", f":{port}/"))
    with Up(tmp_path) as up:
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
        variables = {"CRONHOOK_API_KEY": up.key or "", "CRONHOOK_BASE_URL": up.url}
        with subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as application:
            printed: list[str] = []
            assert application.stdout is not None
            assert application.stderr is not None
            readers = [
                threading.Thread(target=printed.extend, args=(stream,))
                for stream in (application.stdout, application.stderr)
            ]
            for reader in readers:
                reader.start()
            try:
                wait_until(lambda: any("running on" in line for line in printed), 30, "the application is there")
                url = f"http://127.0.0.1:{port}"
                forged = httpx.post(f"{url}/hooks/reminder", json={"text": "forged"})
                assert forged.status_code == 401
                assert "webhook-id" in forged.text
                asked = httpx.post(f"{url}/reminders", params={"text": "tea", "seconds": 1})
                assert "runs at" in asked.json()
                wait_until(lambda: any(line.startswith("verified: tea exe_") for line in printed), 30, "the webhook")
            finally:
                application.terminate()
                application.wait(30)
                for reader in readers:
                    reader.join()
        assert not any("forged" in line for line in printed if line.startswith("verified"))
