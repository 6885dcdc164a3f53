"""Errands: signed calls and mails, tried until they succeed or finally fail, and only where they may go."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail

from apps.actions.domain.destinations import NotAllowed, choose, read_allowed, target_of
from apps.actions.models import ActionGroup, Errand
from apps.actions.services.errands import drop, forget_done, pause_after, resend, run_errands
from apps.actions.services.running import run_group
from apps.events.models import Event
from apps.events.services.consuming import deliver
from apps.kernel.errors import Conflict, InvalidInput
from tests.actions.makers import NOW, account, make_group
from tests.charging.stored import make_prepaid

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


class Receiver:
    """A server that keeps what it is told, and answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.ACTIONS_HOSTS = "127.0.0.0/8"
    settings.ACTIONS_KEY = "secret"
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


def ask(kind: str, parameters: str, **also: object) -> Errand:
    """The errand of a group that tops up as well."""
    make_prepaid()
    group = make_group(
        "G", {"kind": kind, "extra_parameters": parameters}, {"kind": "*topup", "units": "1"} | also
    )
    run_group(group, [account().pk], NOW, key="k")
    deliver(NOW)
    return Errand.objects.get()


def errand_group() -> int:
    return ActionGroup.objects.get(code="G").pk


def test_a_call_posts_the_account_signed_and_named(receiver: Receiver) -> None:
    errand = ask("*call_url", receiver.url)
    assert run_errands(NOW) == 1
    ((path, headers, body),) = receiver.heard
    assert path == "/hook?x=1"
    stamp, _, given = headers["X-BSS-Signature"].partition(",")
    signed = f"{stamp.removeprefix('t=')}.".encode() + body
    assert given == f"v1={hmac.new(b'secret', signed, sha256).hexdigest()}"
    assert headers["Idempotency-Key"] == f"run:{errand_group()}:k:{account().pk}:0:{account().pk}"
    told = json.loads(body)
    assert told["account"]["number"] == "C1"
    assert told["account"]["balances"][0]["value"] == "2"
    assert (told["cause"], told["action"]) == (f"run:{errand_group()}:k:{account().pk}", "*call_url")
    errand.refresh_from_db()
    assert (errand.status, errand.attempts, errand.retry_at) == ("done", 1, None)
    assert run_errands(NOW + HOUR) == 0
    assert len(receiver.heard) == 1


def test_a_call_that_is_not_taken_is_tried_again_later_and_fails_for_good_in_the_end(
    receiver: Receiver, settings: Any
) -> None:
    settings.ACTIONS_CALL_ATTEMPTS = 3
    receiver.status = 503
    errand = ask("*call_url_async", receiver.url)
    now = NOW
    for attempts in (1, 2, 3):
        assert run_errands(now) == 0
        assert run_errands(now) == 0
        errand.refresh_from_db()
        assert errand.attempts == attempts
        now = errand.retry_at or now
    assert (errand.status, errand.result) == ("failed", "answered 503 Service Unavailable")
    assert len(receiver.heard) == 3
    receiver.status = 204
    resend(errand, now)
    assert run_errands(now) == 1
    assert {headers["Idempotency-Key"] for _, headers, _ in receiver.heard} == {
        f"run:{errand_group()}:k:{account().pk}:0:{account().pk}"
    }
    with pytest.raises(Conflict, match="nothing to send again"):
        resend(errand, now)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 302
    errand = ask("*call_url", receiver.url)
    run_errands(NOW)
    errand.refresh_from_db()
    assert errand.result.startswith("answered 302")


def test_a_receiver_that_does_not_answer_is_waited_for_so_long(receiver: Receiver, settings: Any) -> None:
    settings.ACTIONS_CALL_TIMEOUT_S = 1
    receiver.server.shutdown()
    errand = ask("*call_url", receiver.url)
    run_errands(NOW)
    errand.refresh_from_db()
    assert (errand.status, errand.retry_at) == ("waiting", NOW + timedelta(seconds=10))
    assert "Timeout" in errand.result or "timed out" in errand.result


def test_a_private_address_is_not_called_unless_it_is_listed(receiver: Receiver, settings: Any) -> None:
    settings.ACTIONS_HOSTS = ""
    errand = ask("*call_url", receiver.url)
    run_errands(NOW)
    errand.refresh_from_db()
    assert (errand.status, errand.attempts) == ("failed", 1)
    assert "public addresses" in errand.result
    assert not receiver.heard


@pytest.mark.parametrize(
    ("allowed", "host", "addresses", "fine"),
    [
        ("", "a.example", ["8.8.8.8"], True),
        ("", "a.example", ["10.0.0.1"], False),
        ("", "a.example", ["169.254.169.254"], False),
        ("", "a.example", ["::1"], False),
        ("", "a.example", ["::ffff:127.0.0.1"], False),
        ("", "a.example", ["224.0.0.1"], False),
        ("b.example", "a.example", ["8.8.8.8"], False),
        ("A.example", "a.example", ["10.0.0.1"], True),
        ("*.example", "a.example", ["10.0.0.1"], True),
        ("*.example", "example", ["10.0.0.1"], False),
        ("*.ample", "a.example", ["10.0.0.1"], False),
        ("10.0.0.0/8", "a.example", ["10.0.0.1"], True),
        ("10.0.0.0/8", "a.example", ["8.8.8.8"], False),
    ],
)
def test_calls_go_to_what_is_listed_or_to_public_addresses(
    allowed: str, host: str, addresses: list[str], fine: bool
) -> None:
    target = target_of(f"https://{host}/x")
    if fine:
        assert choose(target, addresses, read_allowed(allowed)) == addresses
    else:
        with pytest.raises(NotAllowed):
            choose(target, addresses, read_allowed(allowed))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.example/",
        "http:///x",
        "https://u:p@a.example/",
        "http://a.example:99999/",
        "http://a/ b",
    ],
)
def test_only_plain_urls_of_http_are_called(url: str) -> None:
    with pytest.raises(NotAllowed):
        target_of(url)


def test_a_list_of_hosts_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read_allowed("10.0.0.0/99")


def test_a_mail_goes_to_its_addresses(settings: Any) -> None:
    ask("*mail_async", "ops@a.example; noc@a.example")
    assert run_errands(NOW) == 1
    (sent,) = mail.outbox
    assert sent.to == ["ops@a.example", "noc@a.example"]
    assert '"number": "C1"' in sent.body


def test_a_cdrlog_records_what_its_group_moved() -> None:
    errand = ask("*cdrlog", "", balance_type="*voice", units="60")
    assert run_errands(NOW) == 1
    errand.refresh_from_db()
    assert errand.result.startswith("60 voice voice-")


def test_what_the_product_has_no_figures_for_fails_and_says_so() -> None:
    errand = ask("*set_ddestinations", "")
    run_errands(NOW)
    errand.refresh_from_db()
    assert (errand.status, "statistics" in errand.result) == ("failed", True)


def test_an_errand_is_kept_once_however_often_it_is_told() -> None:
    errand = ask("*log", "hello")
    event = Event.objects.get(kind="charging.errand_due")
    Event.objects.create(
        kind=event.kind, version=1, tenant=event.tenant, subject=event.subject, body=event.body, at=event.at
    )
    deliver(NOW)
    assert Errand.objects.get() == errand


def test_a_process_that_died_with_an_errand_leaves_it_to_another_once_its_lease_is_over(
    receiver: Receiver,
) -> None:
    errand = ask("*call_url", receiver.url)
    Errand.objects.update(retry_at=NOW + HOUR, attempts=1)
    assert run_errands(NOW) == 0
    assert run_errands(NOW + HOUR) == 1
    errand.refresh_from_db()
    assert errand.attempts == 2


def test_errands_that_ended_are_dropped_and_forgotten() -> None:
    errand = ask("*log", "hello")
    drop(errand, NOW)
    assert run_errands(NOW) == 0
    errand.refresh_from_db()
    with pytest.raises(Conflict, match="dropped already"):
        drop(errand, NOW)
    assert forget_done(NOW + timedelta(days=29)) == 0
    assert forget_done(NOW + timedelta(days=31)) == 1


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause_after(count).total_seconds() for count in (1, 2, 3, 20)] == [10, 20, 40, 3600]
