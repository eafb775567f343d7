"""What cronhook must reach, and whether rows of figures hold it."""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from benchmarks.reporting import Row

Rows = Sequence[Row]


@frozen(kw_only=True)
class Target:
    """``figure`` is None where the rows do not have it."""

    bench: str
    text: str
    figure: Callable[[Rows], float | None]
    at_least: float | None = None
    at_most: float | None = None

    def verdict(self, rows: Rows) -> Row:
        figure = self.figure(rows)
        if figure is None:
            return {"target": self.text, "figure": "not measured", "verdict": ""}
        low, high = self.at_least, self.at_most
        holds = (low is None or figure >= low) and (high is None or figure <= high)
        return {"target": self.text, "figure": figure, "verdict": "holds" if holds else "does not hold"}


def value(column: str, **words: str) -> Callable[[Rows], float | None]:
    """The figure of the row with these words: of the median, where there were several runs."""

    def found(rows: Rows) -> float | None:
        fitting = [row for row in rows if all(row.get(name) == word for name, word in words.items())]
        medians = [row for row in fitting if row.get("run") == "median"]
        figure = (medians or fitting or [{}])[0].get(column)
        return None if figure is None or isinstance(figure, str) else float(figure)

    return found


def quotient(of: Callable[[Rows], float | None], by: Callable[[Rows], float | None]) -> Callable[[Rows], float | None]:
    def found(rows: Rows) -> float | None:
        upper, lower = of(rows), by(rows)
        return upper / lower if upper is not None and lower else None

    return found


def worst(column: str) -> Callable[[Rows], float | None]:
    """The greatest figure of all rows."""

    def found(rows: Rows) -> float | None:
        return max((v for row in rows if not isinstance(v := row.get(column, ""), str)), default=None)

    return found


def difference(
    of: Callable[[Rows], float | None], by: Callable[[Rows], float | None]
) -> Callable[[Rows], float | None]:
    def found(rows: Rows) -> float | None:
        left, right = of(rows), by(rows)
        return None if left is None or right is None else left - right

    return found


BOTH, TWO, ALONE, EMBEDDED = "postgres + redis", "postgres + redis, 2 workers", "postgres", "embedded sqlite"
SMALL, LARGE, GREAT = {"jobs": "5,000"}, {"jobs": "20,000"}, {"jobs": "150,000"}

TARGETS: Sequence[Target] = [
    Target(bench="herd", text="herd 5,000, x ceiling ≥ 0.40", figure=value("ratio", on=BOTH, **SMALL), at_least=0.40),
    Target(bench="herd", text="herd 20,000, x ceiling ≥ 0.40", figure=value("ratio", on=BOTH, **LARGE), at_least=0.40),
    Target(bench="herd", text="herd 5,000, p99 ≤ 1,000 ms", figure=value("p99 ms", on=BOTH, **SMALL), at_most=1000),
    Target(bench="herd", text="herd 5,000, worker ≤ 150 µs", figure=value("worker µs", on=BOTH, **SMALL), at_most=150),
    Target(
        bench="herd", text="herd 5,000, Postgres ≤ 60 µs", figure=value("postgres µs", on=BOTH, **SMALL), at_most=60
    ),
    Target(
        bench="herd",
        text="herd 5,000, Postgres, x the ceiling's µs ≤ 0.8",
        figure=quotient(value("postgres µs", on=BOTH, **SMALL), value("ceiling µs", on=BOTH, **SMALL)),
        at_most=0.8,
    ),
    Target(
        bench="herd",
        text="herd 5,000, two workers ≥ 1.2 x one",
        figure=quotient(value("per second", on=TWO, **SMALL), value("per second", on=BOTH, **SMALL)),
        at_least=1.2,
    ),
    Target(
        bench="herd",
        text="herd 5,000, Postgres alone, x ceiling ≥ 0.33",
        figure=value("ratio", on=ALONE, **SMALL),
        at_least=0.33,
    ),
    Target(
        bench="herd",
        text="herd 5,000, embedded, x ceiling ≥ 0.17",
        figure=value("ratio", on=EMBEDDED, **SMALL),
        at_least=0.17,
    ),
    Target(
        bench="herd",
        text="herd 150,000, worker's memory ≤ 1.5 x that after 5,000",
        figure=quotient(value("worker MB", on=BOTH, **GREAT), value("worker MB", on=BOTH, **SMALL)),
        at_most=1.5,
    ),
    Target(bench="herd", text="herd 150,000, missing = 0", figure=value("missing", on=BOTH, **GREAT), at_most=0),
    Target(bench="hosts", text="50 slow hosts, x slots a second ≥ 0.8", figure=value("ratio"), at_least=0.8),
    *[
        Target(
            bench="steady",
            text=f"{rate}/s, {share} ≤ {most} ms",
            figure=value(share, **{"per second": rate}),
            at_most=most,
        )
        for rate in ("100", "500")
        for share, most in (("p50 ms", 8), ("p99 ms", 25))
    ],
    Target(
        bench="registered",
        text="1,000,000 registered, last arrival ≤ 1.15 x with 1,000",
        figure=quotient(value("last ms", registered="1,000,000"), value("last ms", registered="1,000")),
        at_most=1.15,
    ),
    Target(
        bench="registered",
        text="1,000,000 registered, scheduler ≤ 5 MB more than with 1,000",
        figure=difference(value("scheduler MB", registered="1,000,000"), value("scheduler MB", registered="1,000")),
        at_most=5,
    ),
    Target(bench="planner", text="planned a second ≥ 15,000", figure=value("per second"), at_least=15_000),
    Target(
        bench="cancelling",
        text="10,000 queued executions of a job cancelled in ≤ 500 ms",
        figure=worst("ms"),
        at_most=500,
    ),
    Target(bench="kill", text="missing after a kill = 0", figure=worst("missing"), at_most=0),
    Target(
        bench="kill",
        text="repeats ÷ claims at the kill ≤ 1",
        figure=quotient(value("repeats"), value("claimed at the kill")),
        at_most=1,
    ),
    Target(bench="kill", text="last arrival ≤ 12 s after the kill", figure=worst("last s after the kill"), at_most=12),
    Target(bench="api", text="create, x echo ≥ 0.25", figure=value("create ratio"), at_least=0.25),
    Target(bench="api", text="get, x echo ≥ 0.5", figure=value("get ratio"), at_least=0.5),
    Target(bench="idle", text="each idle daemon < 1 % of a core", figure=worst("% of a core"), at_most=1),
    Target(bench="idle", text="growth of an idle daemon ≤ 1 MB", figure=worst("growth MB"), at_most=1),
]


def verdicts(results: Mapping[str, Rows]) -> list[Row]:
    """One row for each target of the benchmarks that ran."""
    return [target.verdict(results[target.bench]) for target in TARGETS if target.bench in results]
