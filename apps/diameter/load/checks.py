"""Whether an answer is what a strict client takes."""

from __future__ import annotations

from typing import Any

from apps.diameter.protocol.codes import CcRequestType, FinalUnitAction, ResultCode, is_protocol_error
from apps.diameter.protocol.decoding import Message

_ECHOED = ("Session-Id", "CC-Request-Type", "CC-Request-Number")
_MANDATORY = (*_ECHOED, "Result-Code", "Origin-Host", "Origin-Realm", "Auth-Application-Id")
_UNITS = ("CC-Time", "CC-Total-Octets", "CC-Service-Specific-Units")


def problems_of(request: dict[str, Any], answer: Message) -> list[str]:
    """What is wrong with the CCA for ``request``, in words; nothing if all is well.

    A refusal is no problem in itself: whether it was right is for the ledger to say.
    """
    avps = answer.avps
    code = avps.get("Result-Code", 0)
    if answer.header.is_error != is_protocol_error(code):
        return [f"result code {code} {'with' if answer.header.is_error else 'without'} the E bit"]
    if answer.header.is_error:
        return (
            []
            if avps.get("Session-Id") == request["Session-Id"]
            else ["the error answer is of another session"]
        )
    problems = [f"{name} is missing" for name in _MANDATORY if name not in avps]
    if next(iter(avps), "") != "Session-Id":
        problems.append("Session-Id is not first")
    problems += [
        f"{name} is {avps.get(name)}, asked was {request[name]}"
        for name in _ECHOED
        if avps.get(name) != request[name]
    ]
    groups = request.get("Multiple-Services-Credit-Control")
    answered = avps.get("Multiple-Services-Credit-Control", [])
    if groups is None:
        if answered:
            problems.append("groups were answered that were not asked for")
        if code == ResultCode.SUCCESS:
            problems += _grant_problems(request, avps, request["CC-Request-Type"], "the command")
        return problems
    if len(answered) != len(groups):
        problems.append(f"{len(answered)} of {len(groups)} groups were answered")
        return problems
    for group, its_answer in zip(groups, answered, strict=True):
        name = f"rating group {group.get('Rating-Group')}"
        if group.get("Rating-Group") != its_answer.get("Rating-Group"):
            problems.append(f"{name} was answered as {its_answer.get('Rating-Group')}")
        if "Result-Code" not in its_answer:
            problems.append(f"{name} has no Result-Code")
        elif its_answer["Result-Code"] == ResultCode.SUCCESS and code == ResultCode.SUCCESS:
            problems += _grant_problems(group, its_answer, request["CC-Request-Type"], name)
    return problems


def _grant_problems(asked: dict[str, Any], answer: dict[str, Any], request_type: int, name: str) -> list[str]:
    grant = answer.get("Granted-Service-Unit")
    if "Requested-Service-Unit" not in asked or request_type == CcRequestType.TERMINATION_REQUEST:
        return [f"{name} was granted a quota without a request"] if grant is not None else []
    if grant is None:
        # To redirect or restrict at once is success without units (RFC 8506 sections 5.6.2 and 5.6.3).
        action = answer.get("Final-Unit-Indication", {}).get("Final-Unit-Action")
        if action in (FinalUnitAction.REDIRECT, FinalUnitAction.RESTRICT_ACCESS):
            return []
        return [f"{name} was granted nothing, with success"]
    given = [(unit, grant[unit]) for unit in _UNITS if unit in grant]
    if len(given) != 1:
        return [f"{name} was granted {len(given)} kinds of units"]
    unit, amount = given[0]
    wanted = asked["Requested-Service-Unit"].get(unit)
    if wanted is not None and amount > wanted:
        return [f"{name} was granted {amount} {unit}, asked were {wanted}"]
    if amount == 0 and "Final-Unit-Indication" not in answer:
        return [f"{name} was granted 0 {unit} without a final action"]
    return []
