"""What an RPC is: a projection of one operation, from message to plain values and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from google.protobuf.message import Message

from apps.crm.domain.operations import Operation
from apps.kernel.errors import BssError, InvalidInputs, Problem


@dataclass(frozen=True, slots=True)
class Rpc:
    """``read`` makes what the operation takes of a message, ``write`` a message of what it gives.

    ``places`` maps fields of use cases to those of the message, if they differ: errors name the message's.
    """

    name: str
    operation: Operation[Any, Any]
    request: type[Message]
    read: Callable[[Any], Any]
    write: Callable[[Any], Message]
    places: Mapping[str, str]

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream of messages, one for each value."""
        return get_origin(self.operation.output) is Iterator

    def placed(self, error: BssError) -> BssError:
        """The error under the message's names of fields."""
        if isinstance(error, InvalidInputs):
            return InvalidInputs(
                [
                    Problem(self.places.get(one.where, one.where), one.message, one.code)
                    for one in error.problems
                ]
            )
        error.where = self.places.get(error.where, error.where)
        return error
