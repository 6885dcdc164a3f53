"""What is wrong with a message, as the answer will say it."""

from __future__ import annotations


class DiameterFault(Exception):
    """A request that cannot be served as it is.

    ``result_code`` goes into Result-Code, ``message`` into Error-Message, and ``failed_avp`` (a whole AVP with
    header and padding, or None) into Failed-AVP.
    """

    def __init__(self, result_code: int, message: str, failed_avp: bytes | None = None) -> None:
        super().__init__(message)
        self.result_code = result_code
        self.message = message
        self.failed_avp = failed_avp

    def __str__(self) -> str:
        return f"{int(self.result_code)}: {self.message}"


class FramingFault(DiameterFault):
    """A header whose length cannot be right: where the next message begins is unknown, so the connection ends.

    ``header`` holds the 20 octets that were read, for the last answer.
    """

    def __init__(self, result_code: int, message: str, header: bytes) -> None:
        super().__init__(result_code, message)
        self.header = header
