"""What every test has: hypothesis profiles, the choice of what runs on which database, and the shared fixtures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis
import pytest

from tests.fixtures.browser import browser, page, signed_in_page
from tests.fixtures.celery_workers import celery_worker_process, database_url
from tests.fixtures.database_servers import own_mariadb, own_redis
from tests.fixtures.migrated_database import django_db_keepdb, django_db_modify_db_settings, django_db_setup

__all__ = [
    "browser",
    "celery_worker_process",
    "database_url",
    "django_db_keepdb",
    "django_db_modify_db_settings",
    "django_db_setup",
    "own_mariadb",
    "own_redis",
    "page",
    "signed_in_page",
]

hypothesis.settings.register_profile("dev", deadline=None)
# The same examples each time, so that a run tells of the change and not of luck.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile(
    os.environ.get("BSS_HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server", "database_url"}


def _touches_the_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or bool(
        DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    )


# First, so that pytest's own -m sees the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what touches the database, and leave out what means nothing on the database that is in use."""
    on_mariadb = os.environ.get("DATABASE_URL", "").startswith(("mysql", "mariadb"))
    foreign = "sqlite_only" if on_mariadb else "mariadb_only"
    kept, left_out = [], []
    for item in items:
        if _touches_the_database(item):
            item.add_marker("database")
        (left_out if item.get_closest_marker(foreign) else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Leave the counts where ``tests/run_suite.py`` asked for them."""
    path = os.environ.get("BSS_TEST_COUNTS")
    if not path or os.environ.get("PYTEST_XDIST_WORKER"):
        return
    names = {
        "passed": "passed",
        "failed": "failed",
        "error": "errors",
        "skipped": "skipped",
        "xfailed": "xfailed",
    }
    stats = terminalreporter.stats
    Path(path).write_text(json.dumps({name: len(stats.get(key, [])) for key, name in names.items()}))
