"""The server as a process: TLS, deadlines, limits, draining, and a death in the middle of its work."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from apps.charging.models import Account, LedgerEntry, Payer
from apps.crm.models import ApiCall, StoredAnswer
from apps.crmapi.grpc.pb import __file__ as package
from apps.crmapi.grpc.pb import crm_pb2 as crm
from apps.crmapi.grpc.pb.__main__ import generate
from apps.crmapi.grpc.server.certificates import development_certificate
from apps.crmapi.grpc.servicers.table import RPCS, SERVICE
from apps.kernel.clock import utc_now
from apps.rating.models import PricePlan
from apps.rating.services.publishing import publish
from apps.subscribers.models import Customer, PlanAssignment, Resource, ResourceAssignment, Subscriber
from tests.crmapi.rest.world import forget_everything
from tests.crmapi.rpc.network import channel, metadata, new_person, start
from tests.crmapi.rpc.network import crm as service
from tests.crmapi.rpc.stub import CrmStub
from tests.diameter.certificates import certificate_files
from tests.factories import make_cycle, make_plan
from tests.interop.diameter.processes import RunningServer
from tests.interop.grpc_server import authority, crm_server, other_authority
from tests.patience import eventually

CODE = grpc.StatusCode


def test_the_generated_code_is_up_to_date(tmp_path: Path):
    generate(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["crm_pb2.py", "crm_pb2.pyi"]
    for name in names:
        assert Path(package).with_name(name).read_text() == (tmp_path / name).read_text(), (
            f"{name} is not that of proto/crm.proto; run: .venv/bin/python -m apps.crmapi.grpc.pb"
        )


def test_the_certificate_for_development_is_kept_and_renewed_in_time(tmp_path: Path):
    now = datetime(2026, 5, 4, tzinfo=UTC)
    files = development_certificate(tmp_path, ["crm.example.org", "10.0.0.9"], now)
    first = files.certificate.read_bytes()
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*ca*key*"))
    assert development_certificate(tmp_path, ["crm.example.org"], now + timedelta(days=300)) == files
    assert files.certificate.read_bytes() == first
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert {"localhost", "crm.example.org"} <= set(names.value.get_values_for_type(x509.DNSName))
    development_certificate(tmp_path, ["other.example.org"], now)
    second = files.certificate.read_bytes()
    assert second != first
    development_certificate(tmp_path, ["other.example.org"], now + timedelta(days=390))
    assert files.certificate.read_bytes() != second
    files.key.write_text("spoilt")
    development_certificate(tmp_path, [], now + timedelta(days=390))
    assert "PRIVATE" in files.key.read_text()


@pytest.fixture
def plan(transactional_db: None) -> int:
    forget_everything()
    made = make_plan(sms=(50_000, 0))
    make_cycle(1)
    publish(utc_now())
    return PricePlan.objects.get(pk=made.pk).pk


def _code(call: object) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        call()  # type: ignore[operator]
    return refused.value.code()


def test_a_server_serves_over_tls_within_its_limits(plan, database_url, tmp_path):
    """One server for all that a network shows: starting one takes seconds."""
    with crm_server(database_url, BSS_GRPC_REFLECTION="1", BSS_API_TOKEN_MAX_OCTETS="2000") as server:
        with service(server.port) as stub:
            made = stub.CreateSubscriber(new_person(plan, 1), metadata=metadata("k1"), timeout=30)
            assert stub.CreateSubscriber(new_person(plan, 1), metadata=metadata("k1"), timeout=30) == made
            for number in range(2, 8):
                stub.CreateSubscriber(new_person(plan, number), metadata=metadata(), timeout=30)
            listed = list(stub.GetSubscribers(crm.GetSubscribersRequest(), metadata=metadata(), timeout=30))
            assert [one.id for one in listed] == sorted(Subscriber.objects.values_list("pk", flat=True))
            # Many at once are read together, and each gets its own; a missing one is refused for itself.
            asked = [*(one.id for one in listed), 999_999] * 10
            calls = [
                stub.GetSubscriber.future(crm.GetSubscriberRequest(id=pk), metadata=metadata(), timeout=30)
                for pk in asked
            ]
            for pk, call in zip(asked, calls, strict=True):
                if pk == 999_999:
                    assert call.code() is CODE.NOT_FOUND
                else:
                    assert call.result().id == pk
            _vouchers(stub, [one.id for one in listed])
            _limits(stub, made.id)
        with channel(server.port) as opened:
            for rpc in RPCS:
                _broken(opened, rpc.name, rpc.streams)
            health = health_pb2_grpc.HealthStub(opened)
            for name in ("", SERVICE):
                status = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status
                assert status == health_pb2.HealthCheckResponse.SERVING
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            answers = reflection_pb2_grpc.ServerReflectionStub(opened).ServerReflectionInfo(
                iter([asked]), timeout=10
            )
            services = {one.name for one in next(answers).list_services_response.service}
            assert SERVICE in services
        with service(server.port, trust=other_authority(tmp_path)) as stranger:
            assert _code(lambda: stranger.GetRefData(crm.GetRefDataRequest(), timeout=10)) is CODE.UNAVAILABLE
        with grpc.insecure_channel(f"localhost:{server.port}") as plain:
            stub = CrmStub(plain)
            assert _code(lambda: stub.GetRefData(crm.GetRefDataRequest(), timeout=10)) is CODE.UNAVAILABLE
        assert "call_failed" not in "".join(server.log)


def _vouchers(stub: CrmStub, subscriber_ids: list[int]) -> None:
    """Redemptions that come at once are done together, each once and each recorded."""
    count = len(subscriber_ids)
    order = crm.InsertVoucherRequest(
        name="Cards", count=count + 1, amount_micros=5_000_000, expires_at=int(time.time()) + 3600
    )
    pins = [voucher.pin for voucher in stub.InsertVoucher(order, metadata=metadata("cards")).vouchers]

    def redeemed(pairs: list[tuple[int, str]], key: str = "") -> list[crm.RedeemVoucherResponse]:
        calls = [
            stub.RedeemVoucher.future(
                crm.RedeemVoucherRequest(id=pk, pin=pin),
                metadata=metadata(key and f"{key}-{pk}"),
                timeout=60,
            )
            for pk, pin in pairs
        ]
        wrong = {call.code() for call in calls} - {CODE.OK}
        assert wrong <= {CODE.FAILED_PRECONDITION, CODE.RESOURCE_EXHAUSTED}
        return [call.result() for call in calls if call.code() is CODE.OK]

    # Each card by its owner, and again under the same keys; then one that all are after, three times each.
    own = list(zip(subscriber_ids, pins, strict=False))
    done = redeemed(own, "own")
    assert [answer.repeated for answer in redeemed(own, "own")] == [True] * count
    assert ApiCall.objects.filter(operation="RedeemVoucher", repeated=True).count() == count
    assert [answer.balance_micros for answer in done] == [6_000_000] * count
    assert len({answer.serial for answer in done}) == count
    assert len(redeemed([(pk, pins[-1]) for pk in subscriber_ids] * 3)) == 1
    recorded = ApiCall.objects.filter(operation="RedeemVoucher")
    assert recorded.count() == 5 * count
    assert recorded.filter(outcome="ok", repeated=False, target__startswith="account ").count() == count + 1
    assert LedgerEntry.objects.filter(note__startswith="Voucher").count() == count + 1


def _limits(stub: CrmStub, subscriber_id: int) -> None:
    request = crm.GetSubscriberRequest(id=subscriber_id)
    for bearer, expected in (("x" * 3_000, CODE.UNAUTHENTICATED), ("x" * 60_000, CODE.RESOURCE_EXHAUSTED)):
        sent = [("authorization", f"Bearer {bearer}")]
        assert _code(lambda sent=sent: stub.GetSubscriber(request, metadata=sent, timeout=10)) is expected
    large = crm.GetSubscriberRequest(msisdn="1" * (5 * 1024 * 1024))
    assert (
        _code(lambda: stub.GetSubscriber(large, metadata=metadata(), timeout=10)) is CODE.RESOURCE_EXHAUSTED
    )
    late = _code(lambda: stub.GetStatistics(crm.GetStatisticsRequest(), metadata=metadata(), timeout=0.00001))
    assert late is CODE.DEADLINE_EXCEEDED
    with pytest.raises(grpc.RpcError) as refused:
        stub.CreateSubscriber(new_person(0, 99), metadata=metadata(), timeout=10)
    status = rpc_status.from_call(refused.value)
    assert status is not None
    assert any("BadRequest" in detail.type_url for detail in status.details)


def _broken(opened: grpc.Channel, name: str, streams: bool) -> None:
    """Octets that are no message, by a client that does not care."""
    path = f"/{SERVICE}/{name}"
    for octets in (b"\xff" * 9, b"\x0a\xff" + os.urandom(64)):
        if streams:
            stream = opened.unary_stream(path)(octets, metadata=metadata(), timeout=30)
            code = _code(lambda stream=stream: list(stream))
        else:
            code = _code(
                lambda octets=octets: opened.unary_unary(path)(octets, metadata=metadata(), timeout=30)
            )
        assert code is CODE.INVALID_ARGUMENT, name


def test_mutual_tls_lets_in_who_has_a_certificate_of_the_authority(plan, database_url, tmp_path):
    files = certificate_files(tmp_path)
    with crm_server(database_url, BSS_GRPC_TLS_CLIENT_CA=files.authority) as server:
        assert "(mutual TLS)" in "".join(server.log)
        own = {
            "private_key": Path(files.client_key).read_bytes(),
            "certificate_chain": Path(files.client_certificate).read_bytes(),
        }
        with service(server.port, **own) as known:
            assert (
                known.GetRefData(crm.GetRefDataRequest(), metadata=metadata(), timeout=20).tenant == "default"
            )
        with service(server.port) as unknown:
            assert _code(lambda: unknown.GetRefData(crm.GetRefDataRequest(), timeout=10)) is CODE.UNAVAILABLE


def test_what_is_wrong_with_the_start_is_said(settings, tmp_path):
    settings.GRPC_TLS_CERTIFICATE = str(tmp_path / "none.pem")
    with pytest.raises(CommandError, match="belong together"):
        call_command("rungrpc", "--port", "0")
    settings.GRPC_TLS_KEY = str(tmp_path / "none.key")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rungrpc", "--port", "0")
    with pytest.raises(CommandError, match="at least 1"):
        call_command("rungrpc", "--processes", "0")


class Writers:
    """Clients that create subscribers as fast as they can, and know which were acknowledged."""

    def __init__(self, port: int, plan: int, count: int = 4) -> None:
        self.acknowledged: dict[int, int] = {}
        self.codes: set[grpc.StatusCode] = set()
        self._port, self._plan = port, plan
        self._stop = threading.Event()
        self._numbers = iter(range(1, 100_000))
        self._lock = threading.Lock()
        self._sent = metadata()
        self._pool = ThreadPoolExecutor(count)
        self._work = [self._pool.submit(self._write) for _ in range(count)]

    def _write(self) -> None:
        with service(self._port) as stub:
            while not self._stop.is_set():
                with self._lock:
                    number = next(self._numbers)
                sent = [*self._sent, ("idempotency-key", f"person-{number}")]
                try:
                    made = stub.CreateSubscriber(new_person(self._plan, number), metadata=sent, timeout=30)
                except grpc.RpcError as error:
                    self.codes.add(error.code())
                    return
                self.acknowledged[number] = made.id

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, self.codes
            time.sleep(0.01)

    def end(self) -> None:
        self._stop.set()
        for work in self._work:
            work.result(60)
        self._pool.shutdown()


def _said(server: RunningServer, words: str) -> int:
    return sum(words in line for line in server.log)


def _whole() -> int:
    """How many subscribers there are, after having looked that each has everything and nothing else is left over."""
    count = Subscriber.objects.count()
    assert Customer.objects.count() == Account.objects.count() == Payer.objects.count() == count
    assert PlanAssignment.objects.count() == count
    assert LedgerEntry.objects.filter(amount_micros=1_000_000).count() == count
    assert Resource.objects.count() == ResourceAssignment.objects.count() == 2 * count
    assert StoredAnswer.objects.exclude(body=b"").count() == StoredAnswer.objects.count() == count
    assert ApiCall.objects.filter(operation="CreateSubscriber", outcome="ok", repeated=False).count() == count
    return count


def test_no_subscriber_is_half_created_by_a_server_that_is_killed(plan, database_url):
    server = start(database_url)
    try:
        writers = Writers(server.port, plan)
        writers.wait_for(12)
        server.process.kill()
        writers.end()
    finally:
        server.process.kill()
        server.process.wait()
    assert writers.codes <= {CODE.UNAVAILABLE, CODE.CANCELLED, CODE.UNKNOWN}
    count = _whole()
    assert set(writers.acknowledged.values()) <= set(Subscriber.objects.values_list("pk", flat=True))
    # The clients send again what they heard nothing of: each is there once.
    with crm_server(database_url) as again, service(again.port) as stub:
        numbers = range(1, max(writers.acknowledged) + 5)
        for number in numbers:
            made = stub.CreateSubscriber(
                new_person(plan, number), metadata=metadata(f"person-{number}"), timeout=30
            )
            assert made.id == writers.acknowledged.get(number, made.id)
    assert ApiCall.objects.filter(repeated=True).count() == count
    assert Subscriber.objects.count() == len(numbers)


def test_a_server_that_is_stopped_answers_what_it_has_begun(plan, database_url):
    server = start(database_url, "--processes", "2")
    try:
        # Each process says so for itself, and the first is served while another may still begin.
        eventually(lambda: _said(server, "listening at") == 2, "both processes to listen")
        writers = Writers(server.port, plan)
        writers.wait_for(8)
        assert server.stop() == 0
        writers.end()
    finally:
        server.process.kill()
        server.process.wait()
    assert writers.codes <= {CODE.UNAVAILABLE, CODE.CANCELLED}
    # Every committed change was answered: no caller is left in doubt.
    assert _whole() == len(writers.acknowledged)
    assert _said(server, "draining") == 2
    assert authority().exists()
