"""Why a call was not let through."""

from __future__ import annotations

from apps.kernel.errors import BssError


class Unauthenticated(BssError):
    """Who calls is not known: no token, or one that does not count. ``code`` says which rule it broke."""

    code = "unauthenticated"


class Forbidden(BssError):
    """The caller is known and may not do this."""

    code = "forbidden"


class TooManyRequests(BssError):
    """The client calls more often than it may; ``retry_after_s`` says when the next call may come."""

    code = "too_many_requests"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
