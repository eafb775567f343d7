"""The long run, one on each store: ``python -m tests.openapi 20000`` makes at least so many requests in it."""

import argparse
import math
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

REQUESTS_OF_AN_EXAMPLE = 11
"""At least so many for each of ``--max-examples``: what some operations can be asked is soon exhausted."""


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
    began = time.monotonic()
    ran = fuzzing.run(examples=math.ceil(requests / REQUESTS_OF_AN_EXAMPLE), seed=seed)
    print(ran.output, flush=True)
    answers = fuzzing.answers()
    print(f"{store}: {answers.total()} requests in one run of {time.monotonic() - began:.0f} s, seed {seed}")
    by_status = Counter[int]()
    for (_, _, status), count in answers.items():
        by_status[status] += count
    print(f"{store}: {dict(sorted(by_status.items()))}")
    without_success = fuzzing.never(range(200, 300))
    if without_success:
        print(f"{store}: never succeeded: {', '.join(without_success)}")
    left_out = len(fuzzing.operations()) - ran.tested
    if left_out:
        print(f"{store}: {left_out} operations were left out")
    too_few = answers.total() < requests
    if too_few:
        print(f"{store}: fewer than {requests} requests were asked for by so many examples")
    return 1 if ran.exit_code or left_out or without_success or too_few else 0


if __name__ == "__main__":
    sys.exit(main())
