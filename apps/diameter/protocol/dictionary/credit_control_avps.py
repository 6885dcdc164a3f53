"""AVPs of credit control (RFC 8506 section 8; those of RFC 4006 keep their codes)."""

from __future__ import annotations

from apps.diameter.protocol.codes import (
    CcRequestType,
    MultipleServicesIndicator,
    RequestedAction,
    SubscriptionIdType,
    TariffChangeUsage,
)
from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import table, values_of

MANDATORY = table(
    (
        ("CC-Correlation-Id", 411, T.OCTETS),
        ("CC-Input-Octets", 412, T.UNSIGNED64),
        ("CC-Money", 413, T.GROUPED),
        ("CC-Output-Octets", 414, T.UNSIGNED64),
        ("CC-Request-Number", 415, T.UNSIGNED32),
        ("CC-Request-Type", 416, T.ENUMERATED, values_of(CcRequestType)),
        ("CC-Service-Specific-Units", 417, T.UNSIGNED64),
        ("CC-Session-Failover", 418, T.ENUMERATED),
        ("CC-Sub-Session-Id", 419, T.UNSIGNED64),
        ("CC-Time", 420, T.UNSIGNED32),
        ("CC-Total-Octets", 421, T.UNSIGNED64),
        ("Check-Balance-Result", 422, T.ENUMERATED),
        ("Cost-Information", 423, T.GROUPED),
        ("Cost-Unit", 424, T.UTF8),
        ("Currency-Code", 425, T.UNSIGNED32),
        ("Credit-Control", 426, T.ENUMERATED),
        ("Credit-Control-Failure-Handling", 427, T.ENUMERATED),
        ("Direct-Debiting-Failure-Handling", 428, T.ENUMERATED),
        ("Exponent", 429, T.INTEGER32),
        ("Final-Unit-Indication", 430, T.GROUPED),
        ("Granted-Service-Unit", 431, T.GROUPED),
        ("Rating-Group", 432, T.UNSIGNED32),
        ("Redirect-Address-Type", 433, T.ENUMERATED),
        ("Redirect-Server", 434, T.GROUPED),
        ("Redirect-Server-Address", 435, T.UTF8),
        ("Requested-Action", 436, T.ENUMERATED, values_of(RequestedAction)),
        ("Requested-Service-Unit", 437, T.GROUPED),
        ("Restriction-Filter-Rule", 438, T.UTF8),
        ("Service-Identifier", 439, T.UNSIGNED32),
        ("Service-Parameter-Info", 440, T.GROUPED),
        ("Service-Parameter-Type", 441, T.UNSIGNED32),
        ("Service-Parameter-Value", 442, T.OCTETS),
        ("Subscription-Id", 443, T.GROUPED),
        ("Subscription-Id-Data", 444, T.UTF8),
        ("Unit-Value", 445, T.GROUPED),
        ("Used-Service-Unit", 446, T.GROUPED),
        ("Value-Digits", 447, T.INTEGER64),
        ("Validity-Time", 448, T.UNSIGNED32),
        ("Final-Unit-Action", 449, T.ENUMERATED),
        ("Subscription-Id-Type", 450, T.ENUMERATED, values_of(SubscriptionIdType)),
        ("Tariff-Time-Change", 451, T.TIME),
        ("Tariff-Change-Usage", 452, T.ENUMERATED, values_of(TariffChangeUsage)),
        ("G-S-U-Pool-Identifier", 453, T.UNSIGNED32),
        ("CC-Unit-Type", 454, T.ENUMERATED),
        ("Multiple-Services-Indicator", 455, T.ENUMERATED, values_of(MultipleServicesIndicator)),
        ("Multiple-Services-Credit-Control", 456, T.GROUPED),
        ("G-S-U-Pool-Reference", 457, T.GROUPED),
        ("User-Equipment-Info", 458, T.GROUPED),
        ("User-Equipment-Info-Type", 459, T.ENUMERATED),
        ("User-Equipment-Info-Value", 460, T.OCTETS),
        ("Service-Context-Id", 461, T.UTF8),
    )
)
# What RFC 8506 added may be ignored by a client of RFC 4006.
ADDED_BY_RFC_8506 = table(
    (
        ("User-Equipment-Info-Extension", 653, T.GROUPED),
        ("User-Equipment-Info-IMEISV", 654, T.OCTETS),
        ("User-Equipment-Info-MAC", 655, T.OCTETS),
        ("User-Equipment-Info-EUI64", 656, T.OCTETS),
        ("User-Equipment-Info-ModifiedEUI64", 657, T.OCTETS),
        ("User-Equipment-Info-IMEI", 658, T.OCTETS),
        ("Subscription-Id-Extension", 659, T.GROUPED),
        ("Subscription-Id-E164", 660, T.UTF8),
        ("Subscription-Id-IMSI", 661, T.UTF8),
        ("Subscription-Id-SIP-URI", 662, T.UTF8),
        ("Subscription-Id-NAI", 663, T.UTF8),
        ("Subscription-Id-Private", 664, T.UTF8),
        ("Redirect-Server-Extension", 665, T.GROUPED),
        ("Redirect-Address-IPAddress", 666, T.ADDRESS),
        ("Redirect-Address-URL", 667, T.UTF8),
        ("Redirect-Address-SIP-URI", 668, T.UTF8),
        ("QoS-Final-Unit-Indication", 669, T.GROUPED),
    ),
    mandatory=False,
)
DEFINITIONS = MANDATORY + ADDED_BY_RFC_8506
