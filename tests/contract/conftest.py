import pytest

pytest.register_assert_rewrite("cronhook_core.testing")
