"""Members of commands: RFC 6733 sections 5 and 8, RFC 8506 section 3."""

from __future__ import annotations

from typing import NamedTuple

from apps.diameter.protocol.codes import APPLICATION_BASE, APPLICATION_CREDIT_CONTROL, Command
from apps.diameter.protocol.grammar.rules import Grammar, grammar


class CommandGrammar(NamedTuple):
    """A command: what its request and its answer hold."""

    code: Command
    abbreviation: str
    """Without its last letter: ``CC`` for CCR and CCA."""
    application: int
    request: Grammar
    answer: Grammar

    def name(self, is_request: bool) -> str:
        return self.abbreviation + ("R" if is_request else "A")


_CAPABILITIES_OPTIONAL = "Origin-State-Id Firmware-Revision"
_CAPABILITIES_REPEATED = (
    "Supported-Vendor-Id Auth-Application-Id Inband-Security-Id Acct-Application-Id "
    "Vendor-Specific-Application-Id"
)
_ANSWER_ERRORS = "Error-Message Error-Reporting-Host Failed-AVP"

ERROR_ANSWER = grammar(
    "Result-Code Origin-Host Origin-Realm",
    optional=f"Session-Id Origin-State-Id {_ANSWER_ERRORS}",
    repeated="Proxy-Info",
)
"""Any answer with the E bit (RFC 6733 section 7.2)."""

COMMANDS: dict[int, CommandGrammar] = {
    command.code: command
    for command in (
        CommandGrammar(
            Command.CAPABILITIES_EXCHANGE,
            "CE",
            APPLICATION_BASE,
            grammar(
                "Origin-Host Origin-Realm Vendor-Id Product-Name",
                optional=_CAPABILITIES_OPTIONAL,
                repeated=_CAPABILITIES_REPEATED,
                required_repeated="Host-IP-Address",
            ),
            grammar(
                "Result-Code Origin-Host Origin-Realm Vendor-Id Product-Name",
                optional=f"{_CAPABILITIES_OPTIONAL} {_ANSWER_ERRORS}",
                repeated=_CAPABILITIES_REPEATED,
                required_repeated="Host-IP-Address",
            ),
        ),
        CommandGrammar(
            Command.DEVICE_WATCHDOG,
            "DW",
            APPLICATION_BASE,
            grammar("Origin-Host Origin-Realm", optional="Origin-State-Id"),
            grammar("Result-Code Origin-Host Origin-Realm", optional=f"Origin-State-Id {_ANSWER_ERRORS}"),
        ),
        CommandGrammar(
            Command.DISCONNECT_PEER,
            "DP",
            APPLICATION_BASE,
            grammar("Origin-Host Origin-Realm Disconnect-Cause"),
            grammar("Result-Code Origin-Host Origin-Realm", optional=_ANSWER_ERRORS),
        ),
        CommandGrammar(
            Command.CREDIT_CONTROL,
            "CC",
            APPLICATION_CREDIT_CONTROL,
            grammar(
                "Session-Id Origin-Host Origin-Realm Destination-Realm Auth-Application-Id Service-Context-Id "
                "CC-Request-Type CC-Request-Number",
                optional=(
                    "Destination-Host User-Name CC-Sub-Session-Id Acct-Multi-Session-Id Origin-State-Id "
                    "Event-Timestamp Service-Identifier Termination-Cause Requested-Service-Unit Requested-Action "
                    "Multiple-Services-Indicator CC-Correlation-Id User-Equipment-Info User-Equipment-Info-Extension "
                    "Service-Information Rating-Group DRMP OC-Supported-Features AoC-Request-Type"
                ),
                repeated=(
                    "Subscription-Id Subscription-Id-Extension Used-Service-Unit Multiple-Services-Credit-Control "
                    "Service-Parameter-Info Proxy-Info Route-Record"
                ),
            ),
            grammar(
                "Session-Id Result-Code Origin-Host Origin-Realm Auth-Application-Id CC-Request-Type CC-Request-Number",
                optional=(
                    "User-Name CC-Session-Failover CC-Sub-Session-Id Acct-Multi-Session-Id Origin-State-Id "
                    "Event-Timestamp Granted-Service-Unit Cost-Information Final-Unit-Indication "
                    "QoS-Final-Unit-Indication Check-Balance-Result Credit-Control-Failure-Handling "
                    "Direct-Debiting-Failure-Handling Validity-Time Redirect-Host-Usage Redirect-Max-Cache-Time "
                    "Low-Balance-Indication Remaining-Balance Service-Information OC-Supported-Features OC-OLR "
                    f"{_ANSWER_ERRORS}"
                ),
                repeated="Multiple-Services-Credit-Control Redirect-Host Proxy-Info Route-Record",
            ),
        ),
        CommandGrammar(
            Command.RE_AUTH,
            "RA",
            APPLICATION_CREDIT_CONTROL,
            grammar(
                "Session-Id Origin-Host Origin-Realm Destination-Realm Destination-Host Auth-Application-Id "
                "Re-Auth-Request-Type",
                optional=(
                    "User-Name Origin-State-Id CC-Sub-Session-Id G-S-U-Pool-Identifier Service-Identifier Rating-Group"
                ),
                repeated="Proxy-Info Route-Record",
            ),
            grammar(
                "Session-Id Result-Code Origin-Host Origin-Realm",
                optional=f"User-Name Origin-State-Id Redirect-Host-Usage Redirect-Max-Cache-Time {_ANSWER_ERRORS}",
                repeated="Redirect-Host Proxy-Info",
            ),
        ),
        CommandGrammar(
            Command.ABORT_SESSION,
            "AS",
            APPLICATION_CREDIT_CONTROL,
            grammar(
                "Session-Id Origin-Host Origin-Realm Destination-Realm Destination-Host Auth-Application-Id",
                optional="User-Name Origin-State-Id",
                repeated="Proxy-Info Route-Record",
            ),
            grammar(
                "Session-Id Result-Code Origin-Host Origin-Realm",
                optional=f"User-Name Origin-State-Id Redirect-Host-Usage Redirect-Max-Cache-Time {_ANSWER_ERRORS}",
                repeated="Redirect-Host Proxy-Info",
            ),
        ),
    )
}
