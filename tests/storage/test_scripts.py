"""Statements that go to the database together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, connections, transaction

from apps.storage.upserts import Script, insert_few, select, select_many

pytestmark = pytest.mark.django_db
AWKWARD = 'it\'s; a "text" \\ of ü\n%s;'


@pytest.fixture
def table() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE scripted (id BIGINT PRIMARY KEY, word VARCHAR(50))")
    yield "scripted"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE scripted")


def rows_of(table: str) -> list[tuple[int, str]]:
    return select(
        connections["default"], f"SELECT id, word FROM {table} WHERE id IN ({{values}}) ORDER BY id", range(9)
    )


def test_statements_are_carried_out_in_their_order_once_the_script_is_run(table: str) -> None:
    wrapper = connections["default"]
    script = Script(wrapper)
    insert_few(wrapper, table, ("id", "word"), [(1, AWKWARD), (2, "two")], "it", script)
    insert_few(wrapper, table, ("id", "word"), [(3, None)], "io", script)
    script.run()
    script.run()
    assert rows_of(table) == [(1, AWKWARD), (2, "two"), (3, None)]


def test_a_statement_that_fails_says_so_and_leaves_the_connection_as_it_was(table: str) -> None:
    wrapper = connections["default"]
    script = Script(wrapper)

    def write() -> None:
        with transaction.atomic():
            for row in [(1, "one"), (1, "again"), (2, "two")]:
                insert_few(wrapper, table, ("id", "word"), [row], "it", script)
            script.run()

    with pytest.raises(IntegrityError):
        write()
    assert rows_of(table) == []


def test_questions_are_answered_in_their_order(table: str) -> None:
    wrapper = connections["default"]
    insert_few(wrapper, table, ("id", "word"), [(1, "one"), (2, AWKWARD)], "it")
    by_id = f"SELECT id FROM {table} WHERE id IN ({{values}}) ORDER BY id"
    by_word = f"SELECT word FROM {table} WHERE word IN ({{values}})"
    assert select_many(wrapper, [(by_id, [2, 1]), (by_id, []), (by_word, [AWKWARD]), (by_id, [7])]) == [
        [(1,), (2,)],
        [],
        [(AWKWARD,)],
        [],
    ]
