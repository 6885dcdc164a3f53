"""One loader a file content at a time, without anybody waiting for the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def file_lock(digest: str) -> Iterator[bool]:
    """Whether the content is this loader's for the block's time.

    The unique hash of a CdrFile is what keeps a file from being loaded twice; this lock only spares the second
    loader the wait for the first one's commit. MySQL gives it up by itself when a loader's connection dies.
    SQLite has one writer at a time, and there the second loader finds the file loaded when its turn comes.
    """
    if connection.vendor != "mysql":
        yield True
        return
    # Names are limited to 64 characters, and shared by all databases of a server.
    name = f"cdr:{connection.settings_dict['NAME']}"[:24] + ":" + digest[:36]
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        mine = cursor.fetchone()[0] == 1
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])
