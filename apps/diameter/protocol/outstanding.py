"""Requests of this side on one connection that wait for their answers."""

from __future__ import annotations


class Outstanding:
    """Hop-by-hop ids in use, each with its command, deadline and the owner's token.

    The ids count up from a random start, so that a late answer to an earlier connection's request meets nothing.
    End-to-end ids count apart from them (RFC 6733 section 3).
    """

    __slots__ = ("_next_end_to_end", "_next_hop_by_hop", "_waiting")

    def __init__(self, first_id: int) -> None:
        self._next_hop_by_hop = first_id & 0xFFFFFFFF
        self._next_end_to_end = first_id >> 32 & 0xFFFFFFFF
        self._waiting: dict[int, tuple[int, float, int]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, command: int, deadline: float, token: int) -> tuple[int, int]:
        """The hop-by-hop and the end-to-end id for a request that is sent now."""
        while self._next_hop_by_hop in self._waiting:
            self._next_hop_by_hop = self._next_hop_by_hop + 1 & 0xFFFFFFFF
        hop_by_hop, end_to_end = self._next_hop_by_hop, self._next_end_to_end
        self._next_hop_by_hop = hop_by_hop + 1 & 0xFFFFFFFF
        self._next_end_to_end = end_to_end + 1 & 0xFFFFFFFF
        self._waiting[hop_by_hop] = (int(command), deadline, token)
        return hop_by_hop, end_to_end

    def settle(self, hop_by_hop: int, command: int) -> int | None:
        """The token of the request that an answer belongs to, or None if there is none of that command."""
        waiting = self._waiting.get(hop_by_hop)
        if waiting is None or waiting[0] != command:
            return None
        del self._waiting[hop_by_hop]
        return waiting[2]

    def first_deadline(self) -> float | None:
        """Ids are given out in the order of their deadlines, and a dict keeps that order."""
        for _, deadline, _ in self._waiting.values():
            return deadline
        return None

    def expired(self, now: float) -> list[int]:
        """Tokens of the requests whose time is over; they are forgotten."""
        late = [(key, token) for key, (_, deadline, token) in self._waiting.items() if deadline <= now]
        for key, _ in late:
            del self._waiting[key]
        return [token for _, token in late]

    def abandon(self) -> list[int]:
        """Tokens of all; they are forgotten."""
        tokens = [token for _, _, token in self._waiting.values()]
        self._waiting.clear()
        return tokens
