"""Connections that come, stay away, pretend or die: who is let in, and when."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.charging.models import ChargingSession, SessionOrder
from apps.charging.services.session_orders import order_reauthorisation
from apps.diameter.load.client import ConnectionRefused
from apps.diameter.models import Connection, Peer
from apps.diameter.protocol.limits import Limits
from apps.diameter.worker.configuration import TlsFiles
from apps.diameter.worker.listening import UnintroducedConnections, network_of
from apps.diameter.worker.server import DiameterServer
from tests.diameter.certificates import certificate_files
from tests.diameter.connections import read
from tests.diameter.fake_charging import FakeCharging
from tests.diameter.messages import ccr_avps, cer, dpr
from tests.diameter.servers import (
    configuration,
    eventually,
    gateway,
    nobody_is_connected,
    run,
    running,
    somebody_is_connected,
    split_whole,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Silent:
    """A connection that sends what it is told to and answers nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, octets: bytes = b"", local: str = "127.0.0.1") -> Silent:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
        writer.write(octets)
        return cls(reader, writer)

    async def first_message(self) -> dict[str, Any]:
        """The AVPs of the first message that comes. Raises TimeoutError without one in 0.2 seconds, or at the end."""
        received = b""
        async with asyncio.timeout(0.2):
            while not split_whole(received):
                more = await self.reader.read(65_536)
                if not more:
                    raise TimeoutError
                received += more
        return read(split_whole(received)[0]).avps

    async def is_cut(self) -> bool:
        try:
            async with asyncio.timeout(0.05):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


async def cut_ones(silent: list[Silent]) -> int:
    return sum([await one.is_cut() for one in silent])


def test_a_server_that_was_empty_once_drains_all_the_same():
    async def scenario() -> None:
        charging = FakeCharging()
        server = DiameterServer(configuration(), charging)
        await server.start()
        first = gateway("early.test")
        await first.connect("127.0.0.1", server.ports[0])
        await first.leave()
        await eventually(nobody_is_connected)
        client = gateway()
        await client.connect("127.0.0.1", server.ports[0])
        charging.hold()
        asked = [asyncio.create_task(client.request(ccr_avps(1, number))) for number in range(300)]

        async def all_arrived() -> bool:
            return len(charging.requests) == 300

        await eventually(all_arrived)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        charging.release()

        answers = await asyncio.gather(*asked)
        assert {answer.avps["Result-Code"] for answer in answers} == {2001}
        await stopping
        assert client.ended == "the peer left: REBOOTING"
        charging.close()

    run(scenario)


def test_an_order_that_is_out_when_the_server_stops_is_noted():
    session = ChargingSession(session_id="s;1", status=ChargingSession.Status.OPEN, peer="pgw.test")

    async def scenario() -> None:
        async with running() as (server, _):
            deaf = await Silent.connect(server.ports[0], cer())
            await eventually(somebody_is_connected)
            a_second_ago = datetime.now(UTC) - timedelta(seconds=1)
            await asyncio.to_thread(order_reauthorisation, session, "top-up 1", a_second_ago)

            async def sent() -> bool:
                return await asyncio.to_thread(
                    SessionOrder.objects.filter(status=SessionOrder.Status.SENT).exists
                )

            await eventually(sent)
            busy = asyncio.create_task(server._rows.run(time.sleep, 0.5))
            deaf.writer.close()
        await busy

    run(scenario)
    order = SessionOrder.objects.get()
    assert (order.status, order.detail.partition(":")[0]) == (
        SessionOrder.Status.FAILED,
        "the connection ended",
    )


def test_a_gateway_that_comes_back_is_let_in_once_its_dead_connection_does_not_answer():
    async def scenario() -> None:
        async with running(limits=Limits(probe_s=0.5, disconnect_timeout_s=0.2)) as (server, _):
            dead = await Silent.connect(server.ports[0], cer())
            await eventually(somebody_is_connected)
            client = gateway()

            await client.connect("127.0.0.1", server.ports[0])

            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001
            dead.writer.close()

    run(scenario)


def test_a_gateway_that_tries_again_faster_than_the_probe_is_let_in_too():
    async def scenario() -> None:
        async with running(limits=Limits(probe_s=1.0, disconnect_timeout_s=0.2)) as (server, _):
            dead = await Silent.connect(server.ports[0], cer())
            await eventually(somebody_is_connected)
            began = time.monotonic()
            while time.monotonic() - began < 30:
                attempt = await Silent.connect(server.ports[0], cer())
                try:
                    answer = await attempt.first_message()
                except TimeoutError:
                    # It gives up after 0.2 seconds and tries again.
                    attempt.writer.close()
                    continue
                assert answer["Result-Code"] == 2001
                dead.writer.close()
                return
            pytest.fail("locked out")

    run(scenario)


def test_a_gateway_that_left_and_comes_back_before_it_closes_is_let_in_at_once():
    async def scenario() -> None:
        limits = Limits(probe_s=30.0, disconnect_timeout_s=30.0, capabilities_timeout_s=40.0)
        async with running(limits=limits) as (server, _):
            leaving = await Silent.connect(server.ports[0], cer())
            await leaving.first_message()
            leaving.writer.write(dpr())
            assert (await leaving.first_message())["Result-Code"] == 2001
            client = gateway()
            async with asyncio.timeout(10):
                await client.connect("127.0.0.1", server.ports[0])
            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001
            await client.leave()

    run(scenario)


def test_a_name_whose_row_outlived_its_connection_is_free():
    async def scenario() -> None:
        async with running() as (server, _):
            await asyncio.to_thread(
                Connection.objects.create,
                peer_host="pgw.test",
                peer_realm="visited.test",
                process_id=server.key,
                token="gone",
                remote="x",
                opened_at=datetime.now(UTC),
            )
            await gateway().connect("127.0.0.1", server.ports[0])

    run(scenario)


def test_connections_that_say_nothing_keep_no_peer_out():
    Peer.objects.create(host="pgw.test")

    async def scenario() -> None:
        async with running(max_unintroduced=5, accept_unknown_peers=False) as (server, _):
            silent = [await Silent.connect(server.ports[0]) for _ in range(30)]
            client = gateway()

            await client.connect("127.0.0.1", server.ports[0])

            # The client's place is its own now.
            assert await cut_ones(silent) == 26
            late = [await Silent.connect(server.ports[0]) for _ in range(30)]

            async def rest_is_cut() -> bool:
                return await cut_ones(silent + late) == 55

            await eventually(rest_is_cut)
            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001

    run(scenario)


def test_connections_that_say_nothing_end_in_time_before_tls_and_after(tmp_path):
    files = certificate_files(tmp_path)

    async def scenario() -> None:
        tls = TlsFiles(files.server_certificate, files.server_key, files.authority)
        limits = Limits(capabilities_timeout_s=0.5)
        async with running(tls_port=0, tls=tls, limits=limits, max_unintroduced=3) as (server, _):
            silent = [await Silent.connect(port) for port in server.ports]
            half = await Silent.connect(server.ports[0], cer()[:30])

            async def all_cut() -> bool:
                return await cut_ones([*silent, half]) == 3

            await eventually(all_cut)
            silent = [await Silent.connect(server.ports[1]) for _ in range(9)]

            async def all_but_three_cut() -> bool:
                return await cut_ones(silent) >= 6

            await eventually(all_but_three_cut)

    run(scenario)


def test_a_flood_from_one_address_takes_its_own_places():
    cut: list[int] = []
    places = UnintroducedConnections(4)
    places.add(0, "192.0.2.1", lambda: cut.append(0))
    for number in range(1, 10):
        places.add(number, "198.51.100.7", lambda number=number: cut.append(number))

    assert cut == [1, 2, 3, 4, 5, 6]
    places.discard(0)
    places.add(10, "192.0.2.1", lambda: cut.append(10))
    assert (cut, len(places)) == ([1, 2, 3, 4, 5, 6], 4)


def test_an_ipv6_host_counts_as_one_whichever_of_its_addresses_it_uses():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1%eth0") == "2001:db8::/64"
    assert network_of("192.0.2.1") == "192.0.2.1"


def test_peers_that_are_not_configured_leave_room_for_those_that_are():
    Peer.objects.create(host="pgw.test")

    async def scenario() -> None:
        async with running(max_unknown_peers=2) as (server, _):
            for number in range(2):
                await gateway(f"unknown{number}.test").connect("127.0.0.1", server.ports[0])
            with pytest.raises(ConnectionRefused, match=r"3004.*not configured"):
                await gateway("unknown3.test").connect("127.0.0.1", server.ports[0])
            await gateway().connect("127.0.0.1", server.ports[0])

    run(scenario)
