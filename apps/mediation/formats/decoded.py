"""A record's raw form for people to look at: its fields, its text, its octets."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from apps.mediation.pb.billing_pb2 import CDR

OCTETS_A_LINE = 16


def message_fields(message: bytes) -> list[tuple[str, str]]:
    """Name and value of each field of a serialised CDR message; nothing if it is none."""
    try:
        cdr = CDR.FromString(message)
    except DecodeError:
        return []
    fields = []
    for field, value in cdr.ListFields():
        text = str(value)
        if field.name == "start" and 0 <= value < 253_402_300_800:
            text = f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC ({value})"
        fields.append((field.name, text))
    return fields


def printable(raw: bytes) -> str:
    """The raw form as text, for formats of lines; empty if it is no text."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return text if all(character.isprintable() or character in "\r\n\t" for character in text) else ""


def hex_dump(raw: bytes) -> str:
    """``00000010  0a 03 61 62 …  |..ab…|``, sixteen octets a line."""
    lines = []
    for start in range(0, len(raw), OCTETS_A_LINE):
        part = raw[start : start + OCTETS_A_LINE]
        octets = f"{part[:8].hex(' ')}  {part[8:].hex(' ')}"
        text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        lines.append(f"{start:08x}  {octets:<49} |{text}|")
    return "\n".join(lines)
