"""The service as grpc.aio calls it: admission, a thread for the database, deadlines, and the answer or the refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import structlog

from apps.crm.domain.errors import TooManyRequests
from apps.crmapi.grpc.server.admission import Admission, Admitted, NotAllowed
from apps.crmapi.grpc.server.dispatch import (
    answer,
    messages,
    next_portion,
    read_together,
    redeemed_together,
    redemptions,
    subscribers_answers,
    subscribers_found,
)
from apps.crmapi.grpc.server.errors import Internal, Refusal, Unavailable, refusal
from apps.crmapi.grpc.server.group_reading import GroupReader
from apps.crmapi.grpc.server.threads import DatabaseThreads
from apps.crmapi.grpc.servicers.rpc import Rpc
from apps.crmapi.grpc.servicers.table import RPCS, SERVICE
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError

log = structlog.get_logger(__name__)

MESSAGES_A_PORTION = 200
TOO_LATE = "the deadline passed; the change may have been made: retry with its idempotency key"

Context = Any
Unary = Callable[[bytes, Context], Awaitable[bytes]]
Together = GroupReader[Admitted, Any, "bytes | BssError | None"]
Stream = Callable[[bytes, Context], AsyncIterator[bytes]]


class Servicer:
    """Answers calls of billing.CRMService in one process."""

    def __init__(
        self,
        admission: Admission,
        threads: DatabaseThreads,
        readers: DatabaseThreads,
        most_unary_s: float,
        most_stream_s: float,
    ) -> None:
        self._admission = admission
        self._threads = threads
        self._most_unary_s = most_unary_s
        self._most_stream_s = most_stream_s
        self._reading: Together = GroupReader(readers, subscribers_found, subscribers_answers, most_unary_s)
        self._redeeming: Together = GroupReader(threads, redemptions, _as_they_are, most_unary_s)
        self._refreshing: asyncio.Future[None] | None = None

    def handlers(self) -> grpc.GenericRpcHandler:
        """What a grpc.aio server is given. Messages come and go as octets: they are read after the token was."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                rpc.name: grpc.unary_stream_rpc_method_handler(self._streamed(rpc))
                if rpc.streams
                else grpc.unary_unary_rpc_method_handler(self._unary(rpc))
                for rpc in RPCS
            },
        )

    def _unary(self, rpc: Rpc) -> Unary:
        async def handle(raw: bytes, context: Context) -> bytes:
            try:
                admitted = await self._admitted(rpc, raw, context)
                group = self._group_of(admitted)
                if group is not None:
                    # The group ends within its time, and gRPC cancels a call whose own deadline passes.
                    found = await group.get(admitted)
                    if isinstance(found, BssError):
                        raise found
                    if found is not None:
                        return found
                ends_at = time.monotonic() + _seconds_left(context, self._most_unary_s)
                work = self._threads.submit(answer, admitted, lambda: time.monotonic() > ends_at)
                return bytes(await _until(ends_at, asyncio.wrap_future(work)))
            except BssError as error:
                refused = refusal(error)
            except Exception as error:
                refused = _fault(rpc, error)
            return await _abort(context, refused)

        return handle

    def _group_of(self, admitted: Admitted) -> Together | None:
        """The calls that this one can be done together with."""
        if read_together(admitted):
            return self._reading
        return self._redeeming if redeemed_together(admitted) else None

    def _streamed(self, rpc: Rpc) -> Stream:
        async def handle(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            ends_at = time.monotonic() + _seconds_left(context, self._most_stream_s)
            try:
                admitted = await self._admitted(rpc, raw, context)
                found = await _until(ends_at, self._in_thread(messages, admitted))
                while True:
                    portion = await _until(
                        ends_at, self._in_thread(next_portion, admitted, found, MESSAGES_A_PORTION)
                    )
                    for message in portion:
                        # Waits while the client does not read, so that no more than a portion is held.
                        yield message
                    if len(portion) < MESSAGES_A_PORTION:
                        return
            except BssError as error:
                refused = refusal(error)
            except Exception as error:
                refused = _fault(rpc, error)
            await _abort(context, refused)

        return handle

    async def _admitted(self, rpc: Rpc, raw: bytes, context: Context) -> Admitted:
        metadata, remote = context.invocation_metadata(), context.peer()
        now = utc_now()
        if self._admission.authenticator.is_due(now):
            refreshing = self._refreshed()
            if not self._admission.authenticator.is_fresh(now):
                await asyncio.shield(refreshing)
                now = utc_now()
        try:
            return self._admission.admit(rpc, raw, metadata, remote, now, time.monotonic())
        except NotAllowed as error:
            await self._in_thread(error.record)
            raise
        except TooManyRequests as error:
            log.warning("call_too_early", rpc=rpc.name, remote=remote, reason=error.message)
            raise

    def _refreshed(self) -> asyncio.Future[None]:
        """Keys and revocations are refreshed once for all calls, mostly before any has to wait for it."""
        if self._refreshing is None:
            work = self._threads.submit(self._refresh_known)
            self._refreshing = asyncio.wrap_future(work)
            self._refreshing.add_done_callback(self._refresh_ended)
        return self._refreshing

    def _refresh_known(self) -> None:
        self._admission.authenticator.refresh(utc_now())

    def _refresh_ended(self, ended: asyncio.Future[None]) -> None:
        self._refreshing = None
        if not ended.cancelled() and (error := ended.exception()) is not None:
            # Calls use the cached keys until they are too old, and are refused then.
            log.error("keys_cannot_be_read", error=str(error)[:300])

    def _in_thread(self, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        return asyncio.wrap_future(self._threads.submit(work, *args))


def _as_they_are(answers: list[bytes | BssError | None]) -> list[bytes | BssError | None]:
    return answers


def _seconds_left(context: Context, most: float) -> float:
    left = context.time_remaining()
    return most if left is None else min(left, most)


async def _until(ends_at: float, awaitable: Awaitable[Any]) -> Any:
    try:
        return await asyncio.wait_for(awaitable, max(0.0, ends_at - time.monotonic()))
    except TimeoutError:
        raise Unavailable(TOO_LATE, code="deadline_exceeded") from None


def _fault(rpc: Rpc, error: Exception) -> Refusal:
    log.error("call_failed", rpc=rpc.name, exc_info=error)
    return refusal(Internal("a fault of the server; its log has more"))


async def _abort(context: Context, refused: Refusal) -> NoReturn:
    await context.abort(refused.code, refused.message, refused.trailing)
    raise AssertionError("abort raises")
