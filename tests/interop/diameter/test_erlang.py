"""Erlang/OTP's diameter as a gateway: a strict client that checks every answer against its dictionary."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.charging.models import ChargingSession, SessionOrder
from apps.charging.services.session_orders import order_abort, order_reauthorisation
from apps.kernel.clock import utc_now
from tests.charging.stored import make_prepaid
from tests.interop.diameter.processes import diameter_server
from tests.interop.diameter.recording import RecordingRelay, complaints_of_tshark
from tests.servers import find_program

HERE = Path(__file__).parent
WATCHDOG_MS = 6_000
SOUND = "2001 errors [] e-bit false"
GRANTED_10 = "{[10],[2001],[[100000]]}"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Path:
    """The gateway and its dictionaries, compiled by OTP's own tools."""
    folder = tmp_path_factory.mktemp("erlang")
    home = subprocess.run(
        [find_program("erl"), "-noshell", "-eval", "io:put_chars(code:lib_dir(diameter)), halt()."],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    examples = Path(home) / "examples" / "dict"
    for dictionary in (examples / "rfc4005_nas.dia", examples / "rfc4006_cc.dia", HERE / "gy_gateway.dia"):
        common = ("--inherits", "common/diameter_gen_base_rfc6733")
        run(
            find_program("diameterc"),
            "-o",
            str(folder),
            "-i",
            str(folder),
            *common,
            str(dictionary),
            folder=folder,
        )
        run(find_program("erlc"), f"{dictionary.stem}.erl", folder=folder)
    run(find_program("erlc"), str(HERE / "gy_gateway_client.erl"), folder=folder)
    return folder


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


class Gateway:
    """The running Erlang node; ``line()`` waits for the next thing that it says."""

    def __init__(self, folder: Path, port: int) -> None:
        self.process = subprocess.Popen(
            [
                find_program("erl"),
                "-noshell",
                "-run",
                "gy_gateway_client",
                "start",
                str(port),
                str(WATCHDOG_MS),
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> str:
        return self._lines.get(timeout=60)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())


@pytest.fixture
def gateway(compiled, database_url) -> Iterator[tuple[Gateway, RecordingRelay]]:
    make_prepaid(1, balance_micros=50_000_000)
    with (
        diameter_server(database_url, BSS_DIAMETER_WATCHDOG_S="60") as server,
        RecordingRelay(server.port) as relay,
    ):
        erlang = Gateway(compiled, relay.port)
        try:
            yield erlang, relay
        finally:
            erlang.process.kill()
            erlang.process.wait()


@pytest.mark.any_database
def test_a_strict_gateway_finds_nothing_wrong_with_a_whole_session(gateway, tmp_path):
    erlang, relay = gateway

    assert erlang.line() == "up"
    assert (
        erlang.line()
        == "initial: 2001 errors [] e-bit false groups [{[10],[2001],[[100000]]},{[20],[2001],[[100000]]}] own []"
    )
    assert (
        erlang.line()
        == "update: 2001 errors [] e-bit false groups [{[10],[2001],[[100000]]},{[20],[2001],[[100000]]}] own []"
    )

    session = ChargingSession.objects.get(session_id="erlang.test;1;1")
    assert erlang.line() == "ready for 'RAR'"
    order_reauthorisation(session, "a test", utc_now(), 10)
    assert erlang.line() == "'RAR'"
    assert erlang.line() == f"update: {SOUND} groups [{GRANTED_10}] own []"

    assert erlang.line() == "silent"
    assert erlang.line() == "watchdog answered"

    assert erlang.line() == "ready for 'ASR'"
    order_abort(session, "another test", utc_now())
    assert erlang.line() == "'ASR'"
    assert (
        erlang.line()
        == "terminate: 2001 errors [] e-bit false groups [{[10],[2001],[]},{[20],[2001],[]}] own []"
    )
    assert erlang.line() == "unknown session: 5002 errors [] e-bit false groups [] own []"
    assert erlang.line() == "event: 2001 errors [] e-bit false groups [] own [[1]]"
    assert erlang.line() == "down"
    assert erlang.process.wait(30) == 0

    session.refresh_from_db()
    assert session.status == ChargingSession.Status.CLOSED
    assert set(SessionOrder.objects.values_list("kind", "result_code")) == {("rar", 2001), ("asr", 2001)}
    sent = [int.from_bytes(message[5:8], "big") for message in relay.messages(from_server=True)]
    assert set(sent) == {257, 258, 272, 274, 280, 282}
    relay.write_capture(tmp_path / "erlang.pcap")
    assert complaints_of_tshark(tmp_path / "erlang.pcap") == []
