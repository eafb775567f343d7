import pytest

from cronhook_core.errors import MissingDependency
from cronhook_server import testing


def test_a_server_within_a_test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package without its extra has `cronhook_server.testing`, too."""

    def without_litestar(name: str) -> None:
        raise ModuleNotFoundError(f"No module named 'litestar', which {name} needs", name="litestar")

    monkeypatch.setattr(testing, "import_module", without_litestar)
    monkeypatch.delitem(vars(testing), "InProcessServer", raising=False)
    with pytest.raises(MissingDependency, match=r"^litestar is not installed: pip install 'cronhook\[server\]'$"):
        testing.InProcessServer  # noqa: B018 - the module is loaded when the name is first used
