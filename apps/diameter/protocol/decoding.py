"""Messages from octets: bounded, checked against dictionary and grammar in one walk."""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from apps.diameter.protocol.codes import AVP_MANDATORY, AVP_VENDOR, FLAG_REQUEST, HEADER_BYTES, ResultCode
from apps.diameter.protocol.definitions import AvpType
from apps.diameter.protocol.encoding import FIXED_OCTETS, zero_filled_avp
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.grammar.plans import (
    ANSWER_PLANS,
    ELSEWHERE,
    ERROR_ANSWER_PLAN,
    REQUEST_PLANS,
    Plan,
    Shape,
    remember,
)
from apps.diameter.protocol.header import Header, read_header
from apps.diameter.protocol.layouts import (
    ALONE,
    FIRST_OF_MANY,
    MISSES_BEFORE_LEARNING_ANEW,
    Layout,
    Walked,
    layout_key,
    learn_layout,
    learn_next_time,
    learn_nothing,
)
from apps.diameter.protocol.limits import DEFAULT_LIMITS, Limits
from apps.diameter.protocol.values import unix_seconds_of_time


class Message(NamedTuple):
    """A decoded message: values by AVP name, lists for what may be repeated."""

    header: Header
    avps: dict[str, Any]


def decode_message(
    data: bytes,
    *,
    ignore_unknown_mandatory: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    header: Header | None = None,
) -> Message:
    """Read and check a whole message of a command in the dictionary; ``header`` saves reading it again.

    ``ignore_unknown_mandatory`` is the peer's M-bit policy: unknown AVPs are ignored even with the M bit,
    and known but unreadable ones are ignored without it. Raises DiameterFault with the answer's
    result code, Error-Message and Failed-AVP; of several faults the first one in the message counts.
    """
    if header is None:
        header = read_header(data)
    plans = REQUEST_PLANS if header.flags & FLAG_REQUEST else ANSWER_PLANS
    plan = plans.get(header.command)
    if plan is None:
        raise DiameterFault(ResultCode.COMMAND_UNSUPPORTED, f"command {header.command} is not known here")
    return Message(header, decode_avps(data, HEADER_BYTES, plan, ignore_unknown_mandatory, limits))


def read_error_answer(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """An answer with the E bit, which has a grammar of its own for every command (RFC 6733 section 7.2)."""
    return Message(read_header(data), decode_avps(data, HEADER_BYTES, ERROR_ANSWER_PLAN, True, limits))


def decode_avps(
    data: bytes, start: int, plan: Plan, lenient: bool, limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """The AVPs of ``data`` from ``start`` to its end; raises as ``decode_message``."""
    # An AVP takes eight octets at least, so only a long message needs counting.
    if len(data) > limits.max_avps * 8 and _count_of_avps(data, start, plan) > limits.max_avps:
        raise DiameterFault(
            ResultCode.UNABLE_TO_COMPLY,
            f"the message has more than {limits.max_avps} AVPs, this server's limit",
        )
    return _read_like_before(data, start, len(data), plan, lenient, limits.max_depth)


_HEAD = Struct(">II").unpack_from
_UNSIGNED32 = Struct(">I").unpack_from
_UNSIGNED64 = Struct(">Q").unpack_from
_INTEGER32 = Struct(">i").unpack_from
_INTEGER64 = Struct(">q").unpack_from

_VENDOR_FLAG = AVP_VENDOR << 24
_MANDATORY_FLAG = AVP_MANDATORY << 24
_LENGTH = 0xFFFFFF

# Plain integers: looking members of an enumeration up costs more than the comparison.
_OCTETS = int(AvpType.OCTETS)
_UTF8 = int(AvpType.UTF8)
_U32 = int(AvpType.UNSIGNED32)
_U64 = int(AvpType.UNSIGNED64)
_I32 = int(AvpType.INTEGER32)
_I64 = int(AvpType.INTEGER64)
_ENUM = int(AvpType.ENUMERATED)
_GROUP = int(AvpType.GROUPED)
_IDENTITY = int(AvpType.IDENTITY)
_TIME = int(AvpType.TIME)
_ADDRESS = int(AvpType.ADDRESS)
_ADDRESS_OCTETS = {b"\0\1": 6, b"\0\2": 18}
_VENDOR_FOLLOWS = -1
_SKIPPED = -2
_REJECTED = -3
_WRONG_LENGTH = -4


class _BadLength(Exception):
    """The data is not of the length that its type has."""


class _BadValue(Exception):
    """The data is no value of its type."""


# One loop without calls: every AVP of every message goes through it.
def _read_group(  # noqa: C901
    data: bytes, position: int, end: int, plan: Plan, lenient: bool, depth: int
) -> dict[str, Any]:
    """The values between two positions.

    What a header means (eight octets, twelve with a vendor) is worked out once for each plan and remembered, since
    gateways send the same few shapes; ``Plan.shapes`` is bounded.
    """
    values: dict[str, Any] = {}
    shapes = plan.shapes
    while position < end:
        shape = shapes.get(data[position : position + 8])
        if shape is None:
            shape = _learn(plan, data, position, end)
        if shape[1] == _VENDOR_FOLLOWS:
            shape = plan.vendor_shapes.get(data[position : position + 12])
            if shape is None:
                shape = _learn_of_vendor(plan, data, position, end)
        name, kind, repeated, header_octets, octets, step, entry = shape
        start = position + header_octets
        after = start + octets
        if after > end:
            raise _bad_length(data, position, end, entry)
        try:
            if kind == _U32:
                value: Any = _UNSIGNED32(data, start)[0]
            elif kind == _GROUP:
                value = _read_members(data, position, start, after, entry, lenient, depth)
            elif kind == _UTF8:
                value = str(data[start:after], "utf-8")
            elif kind == _U64:
                value = _UNSIGNED64(data, start)[0]
            elif kind == _OCTETS:
                value = data[start:after]
            elif kind == _ENUM:
                value = _INTEGER32(data, start)[0]
                if entry[4] is not None and value not in entry[4]:
                    raise _BadValue
            elif kind == _IDENTITY:
                value = str(data[start:after], "ascii")
                if not value:
                    raise _BadValue
            elif kind == _SKIPPED:
                position += step
                continue
            elif kind == _REJECTED:
                if lenient:
                    position += step
                    continue
                raise _unknown_mandatory(data, position, after)
            else:
                value = _read_rarer(data, position, start, after, entry, lenient, depth)
        except (_BadLength, _BadValue, UnicodeDecodeError) as error:
            if lenient and not data[position + 4] & AVP_MANDATORY:
                position += step
                continue
            if isinstance(error, _BadLength):
                raise _bad_length(data, position, end, entry) from None
            raise DiameterFault(
                ResultCode.INVALID_AVP_VALUE,
                f"{name} has a value that cannot be",
                whole_avp(data, position, after),
            ) from None
        if name not in values:
            values[name] = [value] if repeated else value
        elif repeated:
            values[name].append(value)
        else:
            raise DiameterFault(
                ResultCode.AVP_OCCURS_TOO_MANY_TIMES,
                f"{name} occurs more than once",
                whole_avp(data, position, after),
            )
        position += step
    if plan.required and not plan.required <= values.keys():
        name = next(name for name in plan.required_names if name not in values)
        raise DiameterFault(ResultCode.MISSING_AVP, f"{name} is missing", zero_filled_avp(name))
    return values


def _read_members(
    data: bytes, position: int, start: int, after: int, entry: Any, lenient: bool, depth: int
) -> dict[str, Any]:
    """The members of the group whose header is at ``position``; a fault's Failed-AVP is put within its header."""
    if not depth:
        raise DiameterFault(ResultCode.UNABLE_TO_COMPLY, "groups are nested deeper than this server's limit")
    plan: Plan = entry[3]
    if start == after and not plan.required:
        return {}
    try:
        return _read_like_before(data, start, after, plan, lenient, depth - 1)
    except DiameterFault as fault:
        if fault.failed_avp is not None:
            fault.failed_avp = _wrapped(data, position, start, fault.failed_avp)
        raise


def _read_like_before(
    data: bytes, start: int, after: int, plan: Plan, lenient: bool, depth: int
) -> dict[str, Any]:
    """As ``_read_group``, at once if one with the same headers was read before."""
    layout: Layout | None = plan.layouts.get((after - start, data[start : start + 8]))
    if layout is not None:
        if layout.unpack_headers(data, start) == layout.headers and layout.levels <= depth:
            try:
                return _read_by_layout(data, start, layout, lenient, depth)
            except (_BadLength, _BadValue, UnicodeDecodeError, DiameterFault):
                # The walk finds the same AVP and reports its fault and place, or ignores it.
                return _read_group(data, start, after, plan, lenient, depth)
        layout.misses += 1
    values = _read_group(data, start, after, plan, lenient, depth)
    if layout is None:
        learn_next_time(plan, layout_key(data, start, after))
    elif layout.misses > MISSES_BEFORE_LEARNING_ANEW:
        walked = _walk_again(data, start, after, plan)
        if walked is None:
            learn_nothing(plan, layout_key(data, start, after))
        else:
            learn_layout(plan, data, start, after, walked)
    return values


def _read_by_layout(data: bytes, start: int, layout: Layout, lenient: bool, depth: int) -> dict[str, Any]:
    unpacked = layout.unpack_values(data, start)
    values: list[Any] = list(unpacked if layout.order is None else layout.order((*unpacked, None)))
    for index in layout.texts:
        values[index] = values[index].decode()
    for index in layout.identities:
        values[index] = identity = values[index].decode("ascii")
        if not identity:
            raise _BadValue
    for index, known in layout.enumerated:
        if values[index] not in known:
            raise _BadValue
    for index in layout.times:
        values[index] = unix_seconds_of_time(values[index])
    for index in layout.addresses:
        address = values[index]
        if len(address) < 3 or len(address) != _ADDRESS_OCTETS.get(address[:2], len(address)):
            raise _BadLength
    for index in layout.listed:
        values[index] = [values[index]]
    # There are as many values as names, since both are of the layout.
    message: dict[str, Any] = dict(zip(layout.names, values))  # noqa: B905
    groups = [message]
    for parent, name, place, names, first, after in layout.groups:
        group: dict[str, Any] = dict(zip(names, values[first:after])) if names else {}  # noqa: B905
        groups.append(group)
        _put(groups[parent], name, place, group)
    for number, level, name, place, position, data_start, end, entry in layout.raw:
        octets = _read_rarer(
            data, start + position, start + data_start, start + end, entry, lenient, depth - level
        )
        _put(groups[number], name, place, octets)
    return message


def _put(group: dict[str, Any], name: str, place: int, value: Any) -> None:
    if place == ALONE:
        group[name] = value
    elif place == FIRST_OF_MANY:
        group[name] = [value]
    else:
        group[name].append(value)


def _walk_again(data: bytes, start: int, end: int, plan: Plan) -> Walked | None:
    """Where the members are of what has just been read without a fault; None where a layout could not say."""
    walked: Walked = []
    position = start
    while position < end:
        shape = plan.shapes.get(data[position : position + 8])
        if shape is not None and shape[1] == _VENDOR_FOLLOWS:
            shape = plan.vendor_shapes.get(data[position : position + 12])
        if shape is None or shape[1] in (_REJECTED, _WRONG_LENGTH):
            return None
        within = None
        if shape[1] == _GROUP:
            data_start = position + shape[3]
            within = _walk_again(data, data_start, data_start + shape[4], shape[6][3])
            if within is None:
                return None
        walked.append((position, shape, within))
        position += shape[5]
    return walked


def _learn(plan: Plan, data: bytes, position: int, end: int) -> Shape:
    """The shape of the header at ``position``, cached in the plan. Raises a DiameterFault if it has none."""
    if end - position < 8:
        raise _bad_length(data, position, end, None)
    code, word = _HEAD(data, position)
    if word & _VENDOR_FLAG:
        shape: Shape = ("", _VENDOR_FOLLOWS, False, 0, 0, 0, None)
    else:
        shape = _shape(plan, code, word, 8, data, position, end)
    return remember(plan.shapes, data[position : position + 8], shape)


def _learn_of_vendor(plan: Plan, data: bytes, position: int, end: int) -> Shape:
    code, word = _HEAD(data, position)
    if end - position < 12 or (word & _LENGTH) < 12:
        raise _bad_length(data, position, end, None)
    vendor = _UNSIGNED32(data, position + 8)[0]
    if not vendor:
        raise DiameterFault(
            ResultCode.INVALID_AVP_BITS,
            f"AVP {code} has the V bit and vendor 0",
            whole_avp(data, position, min(end, position + (word & _LENGTH))),
        )
    shape = _shape(plan, vendor << 32 | code, word, 12, data, position, end)
    return remember(plan.vendor_shapes, data[position : position + 12], shape)


def _shape(
    plan: Plan, key: int, word: int, header_octets: int, data: bytes, position: int, end: int
) -> Shape:
    entry = plan.entries.get(key) or ELSEWHERE.get(key)
    octets = (word & _LENGTH) - header_octets
    if octets < 0:
        raise _bad_length(data, position, end, entry)
    step = header_octets + octets + 3 & -4
    if entry is None:
        kind = _REJECTED if word & _MANDATORY_FLAG else _SKIPPED
        return ("", kind, False, header_octets, octets, step, None)
    kind = int(entry.type)
    if octets != FIXED_OCTETS.get(kind, octets):
        # Not of its type's length: the slow reader says so each time, as the peer's policy has it.
        kind = _WRONG_LENGTH
    return (entry.name, kind, entry.repeated, header_octets, octets, step, tuple(entry))


def _unknown_mandatory(data: bytes, position: int, after: int) -> DiameterFault:
    code, word = _HEAD(data, position)
    vendor = _UNSIGNED32(data, position + 8)[0] if word & _VENDOR_FLAG else 0
    return DiameterFault(
        ResultCode.AVP_UNSUPPORTED,
        f"AVP {code} of vendor {vendor} is mandatory and not known here",
        whole_avp(data, position, after),
    )


def _read_rarer(
    data: bytes, position: int, start: int, after: int, entry: Any, lenient: bool, depth: int
) -> Any:
    kind = entry[1]
    octets = after - start
    if octets != FIXED_OCTETS.get(kind, octets):
        raise _BadLength
    if kind == _TIME:
        return unix_seconds_of_time(_UNSIGNED32(data, start)[0])
    if kind == _I32:
        return _INTEGER32(data, start)[0]
    if kind == _I64:
        return _INTEGER64(data, start)[0]
    if kind == _ADDRESS:
        if octets < 3 or octets != _ADDRESS_OCTETS.get(data[start : start + 2], octets):
            raise _BadLength
        return data[start:after]
    # RAW: its members are checked although its octets are kept.
    _read_members(data, position, start, after, entry, lenient, depth)
    whole = data[position : after + 3 & -4]
    return whole + bytes(-len(whole) % 4)


def whole_avp(data: bytes, position: int, after: int) -> bytes:
    """The AVP from its header to ``after``, padded with zeroes."""
    avp = data[position:after]
    return avp + bytes(-len(avp) % 4)


def _wrapped(data: bytes, position: int, start: int, member: bytes) -> bytes:
    """``member`` within a copy of the header of the group that held it."""
    length = start - position + len(member)
    return data[position : position + 5] + length.to_bytes(3, "big") + data[position + 8 : start] + member


def _bad_length(data: bytes, position: int, end: int, entry: Any) -> DiameterFault:
    """The fault of an AVP whose length cannot be: its header, with zeroes of the least length of its type."""
    header = data[position : min(position + 8, end)]
    header += bytes(8 - len(header))
    vendor = b""
    if header[4] & AVP_VENDOR:
        vendor = data[position + 8 : min(position + 12, end)]
        vendor += bytes(4 - len(vendor))
        if entry is None:
            entry = ELSEWHERE.get(int.from_bytes(vendor, "big") << 32 | int.from_bytes(header[:4], "big"))
    elif entry is None:
        entry = ELSEWHERE.get(int.from_bytes(header[:4], "big"))
    kind = -1 if entry is None else entry[1]
    octets = FIXED_OCTETS.get(kind, 6 if kind == _ADDRESS else 0)
    length = len(header) + len(vendor) + octets
    code = int.from_bytes(header[:4], "big")
    name = f"AVP {code}" if entry is None else entry[0]
    return DiameterFault(
        ResultCode.INVALID_AVP_LENGTH,
        f"{name} has a length that cannot be",
        header[:5] + length.to_bytes(3, "big") + vendor + bytes(octets + (-octets % 4)),
    )


def _count_of_avps(data: bytes, start: int, plan: Plan) -> int:
    """How many AVPs there are, groups included; a malformed one ends the count of its group."""
    count = 0
    pending = [(start, len(data), plan)]
    while pending:
        position, end, within = pending.pop()
        while end - position >= 8:
            code, word = _HEAD(data, position)
            after = position + (word & _LENGTH)
            inner_start = position + (12 if word & _VENDOR_FLAG else 8)
            count += 1
            if after < inner_start or after > end:
                break
            key = code | (_UNSIGNED32(data, position + 8)[0] << 32 if word & _VENDOR_FLAG else 0)
            entry = within.entries.get(key) or ELSEWHERE.get(key)
            if entry is not None and entry.plan is not None:
                pending.append((inner_start, after, entry.plan))
            position = after + 3 & -4
    return count
