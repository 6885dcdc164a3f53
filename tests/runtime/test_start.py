"""What every process does first."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import faulthandler, resource
import django
django.setup()
from apps.runtime.start import Role, start
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
start(Role.DIAMETER)
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert faulthandler.is_enabled()
"""


def test_a_process_may_open_as_many_files_as_the_system_allows_and_says_what_it_is() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "process.started" in done.stdout + done.stderr
    assert "diameter" in done.stdout + done.stderr
