"""A program with the engine inside it, until a signal ends it."""

import sys

from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.embedded import embedded
from cronhook_server.process import Signals, run


async def main(database: str) -> None:
    targets = TargetPolicy(allowed=AllowedTargets.parse("127.0.0.0/8"))
    with Signals() as signals:
        async with embedded(database=database, targets=targets, signing_secrets=[b"benchmark" * 4]):
            await signals.stop.wait()


if __name__ == "__main__":
    run(main(sys.argv[1]))
