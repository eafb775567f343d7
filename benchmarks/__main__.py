"""`python -m benchmarks NAME... [--quick] [--json FILE]`; without a name, all of them."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.herd import run_herd
from benchmarks.planner import run_planner
from benchmarks.reporting import Row, print_table, write_json
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.steady import run_steady

BENCHMARKS: dict[str, Callable[[Sizes], list[Row]]] = {
    "herd": run_herd,
    "planner": run_planner,
    "steady": run_steady,
}
INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="one run of the small sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    results: dict[str, list[Row]] = {}
    try:
        for name in arguments.name or BENCHMARKS:
            results[name] = BENCHMARKS[name](sizes)
            print_table(name, results[name])
            if arguments.json:
                write_json(arguments.json, results)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
