"""Settings of the tests: the product's own, in a temporary folder, and each parallel test process by itself.

DATABASE_URL and BROKER_URL choose the servers as for the product; ``./run test`` sets them. Unset: SQLite and files.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
_number = int(_worker.removeprefix("gw")) + 1 if _worker.startswith("gw") else 0

if "BSS_TEST_DIR" not in os.environ:
    os.environ["BSS_TEST_DIR"] = tempfile.mkdtemp(prefix="bss-test-")
    atexit.register(shutil.rmtree, os.environ["BSS_TEST_DIR"], ignore_errors=True)
TEST_DIR = Path(os.environ["BSS_TEST_DIR"]) / _worker
TEST_DIR.mkdir(parents=True, exist_ok=True)

os.environ["BSS_VAR_DIR"] = str(TEST_DIR / "var")
_broker = os.environ.get("BROKER_URL", "")
if _broker.startswith("redis://"):
    # A database of its own for each test process, so that no worker takes another one's tasks.
    os.environ["BROKER_URL"] = f"{_broker.rsplit('/', 1)[0]}/{_number}"
elif not _broker or _broker.startswith("filesystem://"):
    os.environ["BROKER_URL"] = f"filesystem://{TEST_DIR / 'broker'}"

# A licence of this machine for all tests and the processes that they start; some are in another year.
os.environ["BSS_LICENSE_CLOCK_TOLERANCE_S"] = str(20 * 366 * 86_400)
os.environ["BSS_LICENSE_FILE"] = str(TEST_DIR / "license" / "platform.lic")
os.environ["BSS_LICENSE_STATE"] = str(TEST_DIR / "license" / ".lkgt")

from bss_project.settings import *  # noqa: E402, F403
from bss_project.settings import (  # noqa: E402
    DATABASES,
    LICENSE_FILE,
    LICENSE_STATE,
    STATIC_ROOT,
    VAR_DIR,
)

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file rather than memory: real workers and other connections see the same database, as in the product.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DIR / "test.sqlite3")}

for _folder in (VAR_DIR, STATIC_ROOT):
    _folder.mkdir(parents=True, exist_ok=True)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if not LICENSE_FILE.exists():
    from datetime import UTC, datetime

    from apps.licensing.services.files import machine_id
    from apps.licensing.services.issuing import make_evaluation

    make_evaluation(
        LICENSE_FILE,
        LICENSE_STATE.with_name("evaluation.pub"),
        machine_id(),
        datetime.now(UTC),
        days=20 * 366,
    )
