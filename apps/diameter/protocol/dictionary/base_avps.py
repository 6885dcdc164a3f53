"""AVPs of the base protocol (RFC 6733, section 4.5)."""

from __future__ import annotations

from apps.diameter.protocol.codes import ReAuthRequestType
from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import table, values_of

MANDATORY = table(
    (
        ("Acct-Interim-Interval", 85, T.UNSIGNED32),
        ("Accounting-Realtime-Required", 483, T.ENUMERATED),
        ("Acct-Multi-Session-Id", 50, T.UTF8),
        ("Accounting-Record-Number", 485, T.UNSIGNED32),
        ("Accounting-Record-Type", 480, T.ENUMERATED),
        ("Acct-Session-Id", 44, T.OCTETS),
        ("Accounting-Sub-Session-Id", 287, T.UNSIGNED64),
        ("Acct-Application-Id", 259, T.UNSIGNED32),
        ("Auth-Application-Id", 258, T.UNSIGNED32),
        ("Auth-Request-Type", 274, T.ENUMERATED),
        ("Authorization-Lifetime", 291, T.UNSIGNED32),
        ("Auth-Grace-Period", 276, T.UNSIGNED32),
        ("Auth-Session-State", 277, T.ENUMERATED),
        ("Re-Auth-Request-Type", 285, T.ENUMERATED, values_of(ReAuthRequestType)),
        ("Class", 25, T.OCTETS),
        ("Destination-Host", 293, T.IDENTITY),
        ("Destination-Realm", 283, T.IDENTITY),
        ("Disconnect-Cause", 273, T.ENUMERATED),
        ("Error-Reporting-Host", 294, T.IDENTITY),
        ("Event-Timestamp", 55, T.TIME),
        ("Experimental-Result", 297, T.GROUPED),
        ("Experimental-Result-Code", 298, T.UNSIGNED32),
        ("Failed-AVP", 279, T.OCTETS),
        ("Host-IP-Address", 257, T.ADDRESS),
        ("Inband-Security-Id", 299, T.UNSIGNED32),
        ("Multi-Round-Time-Out", 272, T.UNSIGNED32),
        ("Origin-Host", 264, T.IDENTITY),
        ("Origin-Realm", 296, T.IDENTITY),
        ("Origin-State-Id", 278, T.UNSIGNED32),
        ("Proxy-Host", 280, T.IDENTITY),
        ("Proxy-Info", 284, T.RAW),
        ("Proxy-State", 33, T.OCTETS),
        ("Redirect-Host", 292, T.UTF8),
        ("Redirect-Host-Usage", 261, T.ENUMERATED),
        ("Redirect-Max-Cache-Time", 262, T.UNSIGNED32),
        ("Result-Code", 268, T.UNSIGNED32),
        ("Route-Record", 282, T.IDENTITY),
        ("Session-Id", 263, T.UTF8),
        ("Session-Timeout", 27, T.UNSIGNED32),
        ("Session-Binding", 270, T.UNSIGNED32),
        ("Session-Server-Failover", 271, T.ENUMERATED),
        ("Supported-Vendor-Id", 265, T.UNSIGNED32),
        ("Termination-Cause", 295, T.ENUMERATED),
        ("User-Name", 1, T.UTF8),
        ("Vendor-Id", 266, T.UNSIGNED32),
        ("Vendor-Specific-Application-Id", 260, T.GROUPED),
        # RFC 7155, and named by grammars.
        ("Called-Station-Id", 30, T.UTF8),
        ("Filter-Id", 11, T.UTF8),
    )
)
OPTIONAL = table(
    (
        ("Error-Message", 281, T.UTF8),
        ("Firmware-Revision", 267, T.UNSIGNED32),
        ("Product-Name", 269, T.UTF8),
        ("DRMP", 301, T.ENUMERATED),
        ("OC-Supported-Features", 621, T.GROUPED),
        ("OC-OLR", 623, T.GROUPED),
    ),
    mandatory=False,
)
DEFINITIONS = MANDATORY + OPTIONAL
