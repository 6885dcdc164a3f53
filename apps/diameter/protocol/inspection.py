"""What a request's header alone says (RFC 6733 section 7.1.3)."""

from __future__ import annotations

from apps.diameter.protocol.codes import APPLICATION_BASE, FLAG_ERROR, VERSION, ResultCode
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.grammar.commands import COMMANDS
from apps.diameter.protocol.header import Header


def check_header(header: Header, served_commands: frozenset[int], applications: tuple[int, ...]) -> None:
    """Raise 5011, 3008, 3007 or 3001 for a request that this node does not serve.

    ``served_commands`` are those of ``applications``; the commands of the base protocol are served always.
    """
    if header.version != VERSION:
        raise DiameterFault(ResultCode.UNSUPPORTED_VERSION, f"version {header.version} is not spoken here")
    if header.flags & FLAG_ERROR:
        raise DiameterFault(ResultCode.INVALID_HDR_BITS, "a request cannot have the E bit")
    command = COMMANDS.get(header.command)
    served = command is not None and (
        command.application == APPLICATION_BASE or header.command in served_commands
    )
    wanted = (command.application,) if command is not None and served else (APPLICATION_BASE, *applications)
    if header.application not in wanted:
        raise DiameterFault(
            ResultCode.APPLICATION_UNSUPPORTED, f"application {header.application} is not served here"
        )
    if not served:
        raise DiameterFault(ResultCode.COMMAND_UNSUPPORTED, f"command {header.command} is not served here")
