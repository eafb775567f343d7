from attrs import frozen


@frozen(kw_only=True)
class Sizes:
    """How much is measured.

    ``seconds`` is how long a steady load lasts, ``idle_seconds`` how long daemons with nothing to do are watched.
    ``great_herd`` is one that no list in memory or in Redis holds, for one worker, once; 0: none.
    ``registered`` is how many jobs are stored for later while a herd is due, ``calls`` how many the API is asked for.
    """

    runs: int
    herds: tuple[int, ...]
    great_herd: int
    seconds: int
    idle_seconds: int
    registered: tuple[int, ...]
    calls: int


FULL = Sizes(
    runs=3,
    herds=(5_000, 20_000),
    great_herd=150_000,
    seconds=20,
    idle_seconds=600,
    registered=(1_000, 100_000, 1_000_000),
    calls=10_000,
)
QUICK = Sizes(
    runs=1, herds=(5_000,), great_herd=0, seconds=5, idle_seconds=20, registered=(1_000, 100_000), calls=3_000
)
