"""3GPP's RADIUS attributes (TS 29.061 section 16.4.7) as they appear within Service-Information."""

from __future__ import annotations

from apps.diameter.protocol.codes import VENDOR_3GPP
from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import table

DEFINITIONS = table(
    (
        ("3GPP-IMSI", 1, T.OCTETS),
        ("3GPP-Charging-Id", 2, T.OCTETS),
        ("3GPP-PDP-Type", 3, T.UNSIGNED32),
        ("3GPP-CG-Address", 4, T.OCTETS),
        ("3GPP-GPRS-Negotiated-QoS-Profile", 5, T.OCTETS),
        ("3GPP-SGSN-Address", 6, T.OCTETS),
        ("3GPP-GGSN-Address", 7, T.OCTETS),
        ("3GPP-IMSI-MCC-MNC", 8, T.OCTETS),
        ("3GPP-GGSN-MCC-MNC", 9, T.OCTETS),
        ("3GPP-NSAPI", 10, T.OCTETS),
        ("3GPP-Session-Stop-Indicator", 11, T.OCTETS),
        ("3GPP-Selection-Mode", 12, T.OCTETS),
        ("3GPP-Charging-Characteristics", 13, T.OCTETS),
        ("3GPP-CG-IPv6-Address", 14, T.OCTETS),
        ("3GPP-SGSN-IPv6-Address", 15, T.OCTETS),
        ("3GPP-GGSN-IPv6-Address", 16, T.OCTETS),
        ("3GPP-IPv6-DNS-Server", 17, T.OCTETS),
        ("3GPP-SGSN-MCC-MNC", 18, T.OCTETS),
        ("3GPP-Teardown-Indicator", 19, T.OCTETS),
        ("3GPP-IMEISV", 20, T.OCTETS),
        ("3GPP-RAT-Type", 21, T.OCTETS),
        ("3GPP-User-Location-Info", 22, T.OCTETS),
        ("3GPP-MS-TimeZone", 23, T.OCTETS),
        ("3GPP-CAMEL-Charging-Info", 24, T.OCTETS),
        ("3GPP-Packet-Filter", 25, T.OCTETS),
        ("3GPP-Negotiated-DSCP", 26, T.OCTETS),
        ("3GPP-Allocate-IP-Type", 27, T.OCTETS),
        ("3GPP-TWAN-Identifier", 29, T.OCTETS),
        ("3GPP-User-Location-Info-Time", 30, T.OCTETS),
        ("3GPP-Secondary-RAT-Usage", 31, T.OCTETS),
        ("3GPP-UE-Local-IP-Address", 32, T.OCTETS),
        ("3GPP-UE-Source-Port", 33, T.OCTETS),
    ),
    vendor=VENDOR_3GPP,
)
