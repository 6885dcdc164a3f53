"""Whole messages out of a stream of octets, however the network cuts it."""

from __future__ import annotations

from apps.diameter.protocol.codes import HEADER_BYTES, ResultCode
from apps.diameter.protocol.faults import FramingFault


class MessageSplitter:
    """Collects what arrives and gives out messages; never holds more than one message that is not complete.

    The length is judged as soon as the header is there, before anything is held for it.
    """

    __slots__ = ("_held", "_max_octets", "_ready", "_wanted")

    def __init__(self, max_message_octets: int) -> None:
        self._held = bytearray()
        self._wanted = HEADER_BYTES
        self._max_octets = max_message_octets
        self._ready: bytes = b""

    @property
    def held_octets(self) -> int:
        """What is kept of messages that were not given out yet."""
        return len(self._held) + len(self._ready)

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        if self._ready:
            self._ready += data
            return
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return
            data = bytes(self._held)
            self._held.clear()
            self._wanted = HEADER_BYTES
        self._ready = data

    def messages(self) -> list[bytes]:
        """The whole messages that have arrived. Raises FramingFault once those before the fault are given out."""
        data = self._ready
        found: list[bytes] = []
        start, size = 0, len(data)
        self._ready = b""
        while size - start >= HEADER_BYTES:
            length = int.from_bytes(data[start + 1 : start + 4], "big")
            if length < HEADER_BYTES or length % 4 or length > self._max_octets:
                if found:
                    self._ready = data[start:]
                    return found
                raise FramingFault(
                    ResultCode.INVALID_MESSAGE_LENGTH,
                    self._complaint(length),
                    data[start : start + HEADER_BYTES],
                )
            if size - start < length:
                self._wanted = length
                break
            found.append(data[start : start + length])
            start += length
        else:
            self._wanted = HEADER_BYTES
        if start < size:
            self._held += data[start:]
        return found

    def give_back(self, messages: list[bytes]) -> None:
        """Put messages that were given out, and not read, before what else has arrived."""
        if messages:
            self._ready = b"".join(messages) + self._ready + bytes(self._held)
            self._held.clear()
            self._wanted = HEADER_BYTES

    def _complaint(self, length: int) -> str:
        if length < HEADER_BYTES:
            return f"the message length {length} is less than a header's {HEADER_BYTES}"
        if length % 4:
            return f"the message length {length} is not a multiple of 4"
        return f"the message length {length} is above this server's limit of {self._max_octets}"
