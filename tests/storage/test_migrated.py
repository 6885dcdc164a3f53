"""The databases that the tests copy are what the migrations make."""

from __future__ import annotations

import json
import os
import sqlite3

import pytest
from django.db import connection

from tests import migrated
from tests.fixtures.migrated_database import Cleaner, url_of

WHEN = "UPDATE django_migrations SET applied = '2026-01-01 00:00:00'"
NAME = f"bss_copy_{os.getpid()}"


def _content(url: str) -> list[str]:
    """What it holds, whenever it was migrated."""
    if migrated.is_sqlite(url):
        with sqlite3.connect(migrated.sqlite_path(url)) as database:
            database.execute(WHEN)
    else:
        with migrated.cursor_of(url) as cursor:
            cursor.execute(WHEN)
    return migrated.content(url)


@pytest.mark.django_db(transaction=True)
def test_a_copy_holds_what_the_migrations_make_of_an_empty_database():
    url = url_of(connection)
    with migrated.new_database(url, NAME) as copy:
        migrated.fill(copy)
        # In the whole suite, the copied tables have come from the real migrations minutes ago.
        if os.environ.get("BSS_TEST_TEMPLATES"):
            with migrated.template(url) as path:
                made = (
                    migrated.content(f"sqlite:///{path}")
                    if migrated.is_sqlite(url)
                    else json.loads(path.read_text())
                )
            assert migrated.content(copy) == made
        else:
            with migrated.new_database(url, f"{NAME}_new") as new:
                migrated.migrate(new)
                assert _content(copy) == _content(new)
        tables = {*connection.introspection.table_names()}
        assert {"billing_bill", "mediation_cdr", "django_migrations"} <= tables
        assert all(
            any(
                f" {quote}{table}{quote} (" in line for quote in ('"', "`") for line in migrated.content(copy)
            )
            for table in tables
        )


@pytest.mark.django_db(transaction=True)
def test_what_a_test_has_left_is_taken_away_and_what_the_migrations_made_is_put_back():
    from django.contrib.auth.models import Permission, User
    from django.contrib.contenttypes.models import ContentType

    cleaner = Cleaner(connection)
    before = {table: cleaner.rows(table) for table in cleaner.tables}
    assert before["auth_permission"]
    permission = Permission.objects.earliest("pk")
    user = User.objects.create_user("somebody", "", "only-for-tests")
    user.user_permissions.add(permission)
    Permission.objects.filter(pk=permission.pk).update(name="Another name")
    ContentType.objects.latest("pk").delete()
    assert {table: cleaner.rows(table) for table in cleaner.tables} != before
    cleaner.clean()
    assert {table: cleaner.rows(table) for table in cleaner.tables} == before
