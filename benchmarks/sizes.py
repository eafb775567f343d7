from attrs import frozen


@frozen(kw_only=True)
class Sizes:
    """How much is measured. ``seconds`` is how long a steady load lasts."""

    runs: int
    herds: tuple[int, ...]
    seconds: int


FULL = Sizes(runs=3, herds=(5_000, 20_000), seconds=20)
QUICK = Sizes(runs=1, herds=(5_000,), seconds=5)
