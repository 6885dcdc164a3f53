"""Queues as files: every message once, however many processes write and read at the same time."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from bss_project.file_broker import Channel

MESSAGES = 400
SENDERS = 3
READERS = 4


def connection(folder: Path) -> Connection:
    options = {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.001,
    }
    return Connection(transport="bss_project.file_broker:Transport", transport_options=options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "queue").mkdir()
    (tmp_path / "control").mkdir()
    return tmp_path


def channel(folder: Path) -> Channel:
    return connection(folder).channel()


def send_many(folder: Path, sender: int) -> None:
    to = channel(folder)
    for number in range(MESSAGES):
        to._put("work", {"number": sender * MESSAGES + number, "padding": "x" * 5_000})


def read_many(folder: Path, results: Any) -> None:
    """Take messages until all have been taken; this transport must make no error here."""
    source, taken = channel(folder), []
    deadline = time.monotonic() + 60
    try:
        while (time.monotonic() < deadline and not (folder / "sent").exists()) or source._size("work"):
            try:
                taken.append(source._get("work")["number"])
            except Empty:
                time.sleep(0.0005)
        results.put((None, taken))
    except Exception as error:
        results.put((repr(error), taken))


def bind_many(folder: Path, results: Any) -> None:
    source = channel(folder)
    try:
        for number in range(100):
            source._queue_bind("everybody", "", "", f"{os.getpid()}.{number}")
            source.get_table("everybody")
        results.put(None)
    except Exception as error:
        results.put(repr(error))


def processes(target: Any, arguments: list[tuple[Any, ...]]) -> list[multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=target, args=each) for each in arguments]
    for process in started:
        process.start()
    return started


def test_many_senders_and_readers_at_once_lose_and_double_nothing(folder: Path) -> None:
    results = multiprocessing.get_context("spawn").Queue()
    readers = processes(read_many, [(folder, results)] * READERS)
    senders = processes(send_many, [(folder, number) for number in range(SENDERS)])
    for sender in senders:
        sender.join()
    (folder / "sent").touch()
    answers = [results.get(timeout=90) for _ in readers]
    for reader in readers:
        reader.join()
    assert [error for error, _ in answers if error] == []
    assert Counter(number for _, taken in answers for number in taken) == Counter(range(SENDERS * MESSAGES))
    assert os.listdir(folder / "queue") == []


def test_workers_that_start_at_once_are_all_bound(folder: Path) -> None:
    results = multiprocessing.get_context("spawn").Queue()
    started = processes(bind_many, [(folder, results)] * READERS)
    errors = [results.get(timeout=90) for _ in started]
    for process in started:
        process.join()
    assert errors == [None] * READERS
    assert len(channel(folder).get_table("everybody")) == READERS * 100


class LooksWhileItIsWritten(dict[str, Any]):
    """A message during whose writing a worker looks for messages."""

    def __init__(self, folder: Path, **fields: Any) -> None:
        super().__init__(fields)
        self.folder = folder
        self.looked = 0

    def items(self) -> Any:
        self.looked += 1
        with pytest.raises(Empty):
            channel(self.folder)._get("work")
        return super().items()


def test_a_message_that_is_still_being_written_is_not_taken(folder: Path) -> None:
    message = LooksWhileItIsWritten(folder, number=1)
    channel(folder)._put("work", message)
    assert message.looked
    (folder / "queue" / "1_a.work.msg.new").write_text("{")
    assert channel(folder)._get("work") == {"number": 1}
    with pytest.raises(Empty):
        channel(folder)._get("work")


def test_a_damaged_message_is_left_out_and_the_next_is_taken(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "queue" / "0000000000001_a.work.msg").write_text("")
    channel(folder)._put("work", {"number": 2})
    assert channel(folder)._get("work") == {"number": 2}
    assert "0000000000001_a.work.msg is damaged" in caplog.text


def test_messages_come_in_the_order_in_which_they_were_sent(folder: Path) -> None:
    queue = channel(folder)
    for number in range(3):
        queue._put("work", {"number": number})
        time.sleep(0.002)
    assert [queue._get("work")["number"] for _ in range(3)] == [0, 1, 2]


def test_a_queue_whose_name_ends_like_anothers_gets_its_own_messages(folder: Path) -> None:
    queue = channel(folder)
    queue._put("billing.bc_11", {"number": 11})
    with pytest.raises(Empty):
        queue._get("bc_11")
    with pytest.raises(Empty):
        queue._get("billing.bc_1")
    assert queue._get("billing.bc_11") == {"number": 11}


def test_a_fanout_reaches_every_bound_queue_until_it_is_deleted(folder: Path) -> None:
    with connection(folder) as link:
        exchange = Exchange("news", type="fanout")
        queues = [Queue(name, exchange, channel=link.channel()) for name in ("one", "two")]
        for queue in queues:
            queue.declare()
        queues[1].delete()
        link.Producer(exchange=exchange, serializer="json").publish({"to": "all"})
        assert queues[0].get(no_ack=True).payload == {"to": "all"}
        assert [row.queue for row in link.default_channel.get_table("news")] == ["one"]
