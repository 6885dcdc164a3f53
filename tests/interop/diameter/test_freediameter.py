"""freeDiameter (the library under Open5GS) as a gateway: it drops in silence what its dictionary's rules forbid."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.charging.models import ChargingSession
from tests.charging.stored import make_prepaid
from tests.diameter.certificates import certificate_files
from tests.interop.diameter.processes import diameter_server
from tests.interop.diameter.recording import RecordingRelay, complaints_of_tshark
from tests.servers import find_program, free_port

HERE = Path(__file__).parent
PATIENCE_S = 120

CONFIGURATION = """
Identity = "pgw.test";
Realm = "visited.test";
Port = {own_port};
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "127.0.0.1";
TcTimer = 60;
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{authority}";
LoadExtension = "dict_nasreq.fdx";
LoadExtension = "dict_dcca.fdx";
LoadExtension = "{gateway}";
ConnectPeer = "ocs.test" {{ ConnectTo = "127.0.0.1"; No_TLS; Port = {port}; }};
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory) -> Path:
    """The gateway, compiled as an extension of freeDiameter."""
    path = tmp_path_factory.mktemp("freediameter") / "gy_gateway.fdx"
    command = [find_program("gcc"), "-shared", "-fPIC", "-o", str(path), str(HERE / "gy_gateway.c")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def relay(database_url) -> Iterator[RecordingRelay]:
    make_prepaid(1, balance_micros=50_000_000)
    with diameter_server(database_url) as server, RecordingRelay(server.port) as relay:
        yield relay


@pytest.mark.any_database
def test_a_gateway_on_freediameter_takes_every_answer(extension, relay, tmp_path):
    files = certificate_files(tmp_path)
    configuration = tmp_path / "freeDiameter.conf"
    configuration.write_text(
        CONFIGURATION.format(
            own_port=free_port(),
            port=relay.port,
            certificate=files.client_certificate,
            key=files.client_key,
            authority=files.authority,
            gateway=extension,
        )
    )

    done = subprocess.run(
        [find_program("freeDiameterd"), "-c", str(configuration)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    said = [line.removeprefix("GY ") for line in done.stdout.splitlines() if line.startswith("GY ")]
    assert said == [
        "open 0",
        "initial: 2001 e-bit 0 type 1 number 0",
        "update: 2001 e-bit 0 type 2 number 1",
        "terminate: 2001 e-bit 0 type 3 number 2",
        "unknown session: 5002 e-bit 0 type 2 number 7",
        "event: 2001 e-bit 0 type 4 number 0",
        "price enquiry: 2001 e-bit 0 type 4 number 0",
    ], done.stdout[-3_000:] + done.stderr[-2_000:]
    session = ChargingSession.objects.get(session_id="fd.test;1;1")
    assert session.status == ChargingSession.Status.CLOSED
    sent = [int.from_bytes(message[5:8], "big") for message in relay.messages(from_server=True)]
    assert sent == [257, *[272] * 6, 282]
    relay.write_capture(tmp_path / "freediameter.pcap")
    assert complaints_of_tshark(tmp_path / "freediameter.pcap") == []
