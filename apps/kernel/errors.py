"""Errors that say what is wrong, in which field or line, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


class BssError(Exception):
    """An error that a person can act on.

    ``code`` is stable and meant for programs (``unauthorised_destination``), ``message`` is one or two
    sentences for people, and ``where`` names the place: a file with line and column, a field, a record.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InvalidInput(BssError):
    """Input cannot be read or breaks a rule; a retry without a change fails again."""

    code = "invalid_input"


class NotFound(BssError):
    """The named object does not exist, or not for this tenant."""

    code = "not_found"


class Conflict(BssError):
    """The state of things forbids it: something is in use, done already, or owned by another."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about an input, as a value: readers collect problems rather than stop at the first.

    ``where`` is for people (a file, line and column, or a field); ``field`` is the field's or column's name alone,
    if it has one of its own.
    """

    where: str
    message: str
    code: str = "invalid_input"
    field: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InvalidInputs(BssError):
    """Several problems with one input; nothing of it was taken."""

    code = "invalid_input"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = len(problems)
        super().__init__(
            "\n".join(str(problem) for problem in problems[:50])
            + (f"\n… and {count - 50} more" if count > 50 else "")
        )
