"""The long run, on both stores: ``python -m tests.openapi 20000`` makes so many requests on each."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.running import Up
from tests.databases import Databases
from tests.openapi.fuzzing import SETTINGS, Fuzzing
from tests.receiver import Receiver
from tests.services import PostgresServer

EXAMPLES = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=20_000, help="on each store")
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    return max([run(store, asked.requests, asked.seed) for store in asked.stores])


def run(store: str, requests: int, seed: int) -> int:
    with ExitStack() as stack:
        settings = dict(SETTINGS)
        if store == "postgres":
            databases = Databases(stack.enter_context(PostgresServer()).url)
            stack.callback(databases.close)
            settings["database_url"] = stack.enter_context(databases.fresh())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cronhook-openapi-")))
        up = stack.enter_context(Up(folder, **settings))
        fuzzing = Fuzzing(up, stack.enter_context(Receiver()))
        return _judge(store, fuzzing, requests, seed)


def _judge(store: str, fuzzing: Fuzzing, requests: int, seed: int) -> int:
    began, failed = time.monotonic(), 0
    for number, ran in enumerate(fuzzing.until(requests, examples=EXAMPLES, seed=seed), start=1):
        answers = fuzzing.answers()
        print(f"{store}: round {number}, {answers.total()} requests, {time.monotonic() - began:.0f} s", flush=True)
        if ran.exit_code:
            failed += 1
            print(ran.output, flush=True)
    by_status = Counter[int]()
    for (_, _, status), count in fuzzing.answers().items():
        by_status[status] += count
    print(f"{store}: {dict(sorted(by_status.items()))}")
    without_success = fuzzing.never(range(200, 300))
    if without_success:
        print(f"{store}: never succeeded: {', '.join(without_success)}")
    return 1 if failed or without_success else 0


if __name__ == "__main__":
    sys.exit(main())
