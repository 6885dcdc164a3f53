"""Who is charged, and whom or what the usage goes to, out of what gateways send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from apps.diameter.protocol.codes import SubscriptionIdType

_E164_TYPE = int(SubscriptionIdType.END_USER_E164)
_IMSI_TYPE = int(SubscriptionIdType.END_USER_IMSI)
_NOT_DIGITS = re.compile(r"\D+", re.ASCII)
MAX_NUMBER_CHARACTERS = 64
MAX_DESTINATION_CHARACTERS = 255
_IMSI = re.compile(r"\d{14,15}", re.ASCII)
_E164 = re.compile(r"\d{5,15}", re.ASCII)


class Subscriber(NamedTuple):
    """Who is charged, by the numbers that the request gives; digits only, empty if not given.

    ``further`` are MSISDNs after the first: all of them have to be the same subscriber's.
    """

    msisdn: str
    imsi: str
    further: tuple[str, ...] = ()


def subscriber(avps: Mapping[str, Any]) -> Subscriber:
    """From Subscription-Id (RFC 8506 section 8.46) and Subscription-Id-Extension (section 8.58).

    Without an E.164 number or an IMSI, the first SIP URI, NAI or User-Name that contains one.
    """
    msisdn = imsi = ""
    spare: list[str] = []
    further: tuple[str, ...] = ()
    for entry in avps.get("Subscription-Id", ()):
        kind, text = entry["Subscription-Id-Type"], entry["Subscription-Id-Data"]
        if kind == _E164_TYPE:
            number = _digits(text)
            if msisdn and number != msisdn:
                further = (*further, number)
            msisdn = msisdn or number
        elif kind == _IMSI_TYPE:
            imsi = imsi or _digits(text)
        else:
            spare.append(text)
    for entry in avps.get("Subscription-Id-Extension", ()):
        number = _digits(entry.get("Subscription-Id-E164", ""))
        if msisdn and number and number != msisdn:
            further = (*further, number)
        msisdn = msisdn or number
        imsi = imsi or _digits(entry.get("Subscription-Id-IMSI", ""))
        spare += [entry[name] for name in ("Subscription-Id-SIP-URI", "Subscription-Id-NAI") if name in entry]
    if not msisdn and not imsi:
        if "User-Name" in avps:
            spare.append(avps["User-Name"])
        for text in spare:
            msisdn, imsi = _of_address(text)
            if msisdn or imsi:
                break
    return Subscriber(msisdn, imsi, further)


def _digits(text: str) -> str:
    """The digits of a number; empty if it is too long to be one, which the cache of numbers must not keep."""
    if len(text) > MAX_NUMBER_CHARACTERS:
        return ""
    return text if text.isdecimal() and text.isascii() else _NOT_DIGITS.sub("", text)


def _of_address(text: str) -> tuple[str, str]:
    """Of ``sip:+49170…@ims.example``, ``tel:+49170…`` or an NAI such as ``0262…@nai.epc…`` (TS 23.003)."""
    local = text.partition("@")[0].partition(";")[0]
    scheme, _, rest = local.rpartition(":")
    digits = rest.removeprefix("+")
    if rest.startswith("+") or scheme in ("sip", "sips", "tel"):
        return (digits, "") if _E164.fullmatch(digits) else ("", "")
    if len(digits) == 16 and digits[0] in "016":
        digits = digits[1:]
    if _IMSI.fullmatch(digits):
        return "", digits
    return (digits, "") if _E164.fullmatch(digits) else ("", "")


def destination(avps: Mapping[str, Any]) -> str:
    """The called number, the recipient's number, or the access point (TS 32.299 section 7.2); else empty."""
    information = avps.get("Service-Information")
    if not information:
        return ""
    if (ims := information.get("IMS-Information")) is not None:
        for name in ("Called-Party-Address", "Called-Asserted-Identity"):
            for address in ims.get(name, ()):
                return _number_or_name(address)
        return _number_or_name(ims.get("Requested-Party-Address", ""))
    if (sms := information.get("SMS-Information")) is not None:
        for recipient in sms.get("Recipient-Info", ()):
            for address in recipient.get("Recipient-Address", ()):
                return _number_or_name(address.get("Address-Data", ""))
        return ""
    if (mms := information.get("MMS-Information")) is not None:
        for address in mms.get("Recipient-Address", ()):
            return _number_or_name(address.get("Address-Data", ""))
        return ""
    if (ps := information.get("PS-Information")) is not None:
        name = ps.get("Called-Station-Id", "")
        return name[:MAX_DESTINATION_CHARACTERS] if isinstance(name, str) else ""
    return ""


def _number_or_name(address: str) -> str:
    """``tel:+4930…;phone-context=…`` and ``sip:+4930…@host`` as the number; the beginning of any other address."""
    if len(address) > MAX_DESTINATION_CHARACTERS:
        address = address[:MAX_DESTINATION_CHARACTERS]
    if address.isdecimal() and address.isascii():
        return address
    text = address.strip()
    lowered = text.lower()
    for scheme in ("tel:", "sip:", "sips:"):
        if lowered.startswith(scheme):
            text = text[len(scheme) :].partition(";")[0].partition("@")[0]
            break
    number = text.removeprefix("+")
    compact = re.sub(r"[ ().-]", "", number)
    return compact if compact.isascii() and compact.isdigit() else text
