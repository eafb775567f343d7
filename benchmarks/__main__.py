"""`python -m benchmarks NAME... [--quick] [--peers] [--json FILE]`; without a name, all of them.

`python -m benchmarks table FILE...` makes one table of the JSON files of several runs: medians, in Markdown.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from benchmarks.api import run_api
from benchmarks.cancelling import run_cancelling
from benchmarks.database import run_database
from benchmarks.herd import run_herd
from benchmarks.hosts import run_hosts
from benchmarks.idle import run_idle
from benchmarks.kill import run_kill
from benchmarks.peers import run_peers
from benchmarks.planner import run_planner
from benchmarks.registered import run_registered
from benchmarks.reporting import Row, print_table, write_json
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.steady import run_steady
from benchmarks.tables import markdown, merged
from benchmarks.targets import verdicts
from tests.services import hear_signals

BENCHMARKS: dict[str, Callable[[Sizes], list[Row]]] = {
    "herd": run_herd,
    "hosts": run_hosts,
    "steady": run_steady,
    "registered": run_registered,
    "planner": run_planner,
    "database": run_database,
    "cancelling": run_cancelling,
    "kill": run_kill,
    "api": run_api,
    "idle": run_idle,
}
PEERS = {"peers": run_peers}
TABLE = "table"
INTERRUPTED = 130


def main() -> int:
    if sys.argv[1:2] == [TABLE]:
        print(markdown(merged([Path(name) for name in sys.argv[2:]])))
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="one run of the small sizes")
    parser.add_argument("--runs", type=int, help="how many runs of each")
    parser.add_argument("--peers", action="store_true", help="the herd of APScheduler and of arq as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    if arguments.runs:
        sizes = evolve(sizes, runs=arguments.runs)
    chosen = {name: BENCHMARKS[name] for name in arguments.name or BENCHMARKS} | (PEERS if arguments.peers else {})
    hear_signals()
    try:
        _run(chosen, sizes, arguments.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _run(chosen: dict[str, Callable[[Sizes], list[Row]]], sizes: Sizes, json: Path | None) -> None:
    results: dict[str, list[Row]] = {}
    for name, bench in chosen.items():
        results[name] = bench(sizes)
        print_table(name, results[name])
        if found := verdicts({name: results[name]}):
            print_table(f"{name}, targets", found)
        if json:
            write_json(json, results)


if __name__ == "__main__":
    sys.exit(main())
