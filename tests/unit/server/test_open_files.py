"""How many files a process may open, which is how many requests it can make at once."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, resource, sys
from cronhook_server.process import open_files_warnings
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
print(json.dumps([list(open_files_warnings(300)), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))
"""


@pytest.mark.parametrize(("hard", "warnings"), [(1000, 0), (400, 1)])
def test_a_process_uses_all_that_it_may_and_says_where_that_is_too_few(hard: int, warnings: int) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(hard)], capture_output=True, check=True, timeout=60)
    told, limit = json.loads(ran.stdout)
    assert (len(told), limit) == (warnings, hard)
    assert all("CRONHOOK_WORKER_CONCURRENCY=300" in warning and "to 620" in warning for warning in told)
