"""LCS-Information: charged location requests (3GPP TS 32.299, TS 32.271)."""

from __future__ import annotations

from apps.diameter.protocol.codes import VENDOR_3GPP
from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import table

DEFINITIONS = table(
    (
        ("LCS-Information", 878, T.GROUPED),
        ("Deferred-Location-Event-Type", 1230, T.UTF8),
        ("LCS-APN", 1231, T.UTF8),
        ("LCS-Client-ID", 1232, T.GROUPED),
        ("LCS-Client-Dialed-By-MS", 1233, T.UTF8),
        ("LCS-Client-External-ID", 1234, T.UTF8),
        ("LCS-Client-Name", 1235, T.GROUPED),
        ("LCS-Data-Coding-Scheme", 1236, T.UTF8),
        ("LCS-Format-Indicator", 1237, T.ENUMERATED),
        ("LCS-Name-String", 1238, T.UTF8),
        ("LCS-Requestor-ID", 1239, T.GROUPED),
        ("LCS-Requestor-ID-String", 1240, T.UTF8),
        ("LCS-Client-Type", 1241, T.ENUMERATED),
        ("Location-Estimate", 1242, T.OCTETS),
        ("Location-Estimate-Type", 1243, T.ENUMERATED),
        ("Location-Type", 1244, T.GROUPED),
        ("Positioning-Data", 1245, T.UTF8),
    ),
    vendor=VENDOR_3GPP,
)
