"""Members of grouped AVPs: RFC 6733, RFC 8506 section 8, 3GPP TS 32.299 section 7.2."""

from __future__ import annotations

from apps.diameter.protocol.grammar.rules import Grammar, grammar

BASE: dict[str, Grammar] = {
    "Proxy-Info": grammar("Proxy-Host Proxy-State"),
    "Vendor-Specific-Application-Id": grammar(
        optional="Auth-Application-Id Acct-Application-Id", repeated="Vendor-Id"
    ),
    "Experimental-Result": grammar("Vendor-Id Experimental-Result-Code"),
}

CREDIT_CONTROL: dict[str, Grammar] = {
    "Subscription-Id": grammar("Subscription-Id-Type Subscription-Id-Data"),
    "Subscription-Id-Extension": grammar(
        optional=(
            "Subscription-Id-E164 Subscription-Id-IMSI Subscription-Id-SIP-URI Subscription-Id-NAI "
            "Subscription-Id-Private"
        )
    ),
    "User-Equipment-Info": grammar("User-Equipment-Info-Type User-Equipment-Info-Value"),
    "User-Equipment-Info-Extension": grammar(
        optional=(
            "User-Equipment-Info-IMEISV User-Equipment-Info-MAC User-Equipment-Info-EUI64 "
            "User-Equipment-Info-ModifiedEUI64 User-Equipment-Info-IMEI"
        )
    ),
    "Unit-Value": grammar("Value-Digits", optional="Exponent"),
    "CC-Money": grammar("Unit-Value", optional="Currency-Code"),
    "Cost-Information": grammar("Unit-Value Currency-Code", optional="Cost-Unit"),
    "Requested-Service-Unit": grammar(
        optional="CC-Time CC-Money CC-Total-Octets CC-Input-Octets CC-Output-Octets CC-Service-Specific-Units"
    ),
    "Used-Service-Unit": grammar(
        optional=(
            "Tariff-Change-Usage CC-Time CC-Money CC-Total-Octets CC-Input-Octets CC-Output-Octets "
            "CC-Service-Specific-Units 3GPP-Reporting-Reason"
        ),
        repeated="Event-Charging-TimeStamp",
    ),
    "Granted-Service-Unit": grammar(
        optional=(
            "Tariff-Time-Change CC-Time CC-Money CC-Total-Octets CC-Input-Octets CC-Output-Octets "
            "CC-Service-Specific-Units"
        )
    ),
    "Redirect-Server": grammar("Redirect-Address-Type Redirect-Server-Address"),
    "Redirect-Server-Extension": grammar(
        optional="Redirect-Address-IPAddress Redirect-Address-URL Redirect-Address-SIP-URI"
    ),
    "Final-Unit-Indication": grammar(
        "Final-Unit-Action", optional="Redirect-Server", repeated="Restriction-Filter-Rule Filter-Id"
    ),
    "QoS-Final-Unit-Indication": grammar(
        "Final-Unit-Action", optional="Redirect-Server-Extension", repeated="Filter-Id"
    ),
    "G-S-U-Pool-Reference": grammar("G-S-U-Pool-Identifier CC-Unit-Type Unit-Value"),
    "Service-Parameter-Info": grammar("Service-Parameter-Type Service-Parameter-Value"),
    "Multiple-Services-Credit-Control": grammar(
        optional=(
            "Granted-Service-Unit Requested-Service-Unit Tariff-Change-Usage Rating-Group Validity-Time Result-Code "
            "Final-Unit-Indication QoS-Final-Unit-Indication Time-Quota-Threshold Volume-Quota-Threshold "
            "Unit-Quota-Threshold Quota-Holding-Time Quota-Consumption-Time 3GPP-Reporting-Reason Trigger "
            "PS-Furnish-Charging-Information Time-Quota-Mechanism Refund-Information"
        ),
        repeated=(
            "Used-Service-Unit Service-Identifier G-S-U-Pool-Reference AF-Correlation-Information Envelope "
            "Service-Specific-Info Announcement-Information"
        ),
    ),
}

TGPP: dict[str, Grammar] = {
    "Trigger": grammar(repeated="Trigger-Type"),
    "Remaining-Balance": grammar("Unit-Value Currency-Code"),
    "PS-Furnish-Charging-Information": grammar(
        "3GPP-Charging-Id PS-Free-Format-Data", optional="PS-Append-Free-Format-Data"
    ),
    "Service-Information": grammar(
        optional=(
            "PS-Information IMS-Information SMS-Information MMS-Information MMTel-Information LCS-Information "
            "AoC-Information Service-Generic-Information"
        ),
        repeated="Subscription-Id",
    ),
    "PS-Information": grammar(
        optional=(
            "3GPP-Charging-Id PDN-Connection-Charging-ID Node-Id 3GPP-PDP-Type Dynamic-Address-Flag "
            "Dynamic-Address-Flag-Extension QoS-Information SGW-Change CG-Address 3GPP-IMSI-MCC-MNC "
            "IMSI-Unauthenticated-Flag 3GPP-GGSN-MCC-MNC 3GPP-NSAPI Called-Station-Id 3GPP-Session-Stop-Indicator "
            "3GPP-Selection-Mode 3GPP-Charging-Characteristics Charging-Characteristics-Selection-Mode "
            "3GPP-SGSN-MCC-MNC 3GPP-MS-TimeZone 3GPP-User-Location-Info User-CSG-Information 3GPP-RAT-Type "
            "PS-Furnish-Charging-Information PDP-Context-Type Offline-Charging User-Equipment-Info "
            "Terminating-IOI 3GPP-GPRS-Negotiated-QoS-Profile 3GPP-IMSI Low-Priority-Indicator Diagnostics "
            "Start-Time Stop-Time TWAN-User-Location-Info Served-Party-IP-Address 3GPP-CG-Address Node-Functionality"
        ),
        repeated=(
            "PDP-Address PDP-Address-Prefix-Length SGSN-Address GGSN-Address SGW-Address Serving-Node-Type "
            "Traffic-Data-Volumes Service-Data-Container 3GPP-GGSN-Address 3GPP-SGSN-Address"
        ),
    ),
    "IMS-Information": grammar(
        optional=(
            "Event-Type Role-Of-Node Node-Functionality User-Session-ID Requested-Party-Address "
            "Time-Stamps IMS-Charging-Identifier Cause IMS-Visited-Network-Identifier Outgoing-Session-Id "
            "Access-Network-Information Online-Charging-Flag Reason-Header Alternate-Charged-Party-Address "
            "Application-Provided-Called-Party-Address Number-Portability-Routing-Information "
            "Carrier-Select-Routing-Information Trunk-Group-ID Bearer-Service"
        ),
        repeated=(
            "Calling-Party-Address Called-Party-Address Called-Asserted-Identity Associated-URI "
            "Application-Server-Information Inter-Operator-Identifier SDP-Session-Description SDP-Media-Component "
            "Served-Party-IP-Address Early-Media-Description Message-Body Service-Specific-Info NNI-Information"
        ),
    ),
    "Event-Type": grammar(optional="SIP-Method Event Expires"),
    "Time-Stamps": grammar(
        optional=(
            "SIP-Request-Timestamp SIP-Response-Timestamp SIP-Request-Timestamp-Fraction "
            "SIP-Response-Timestamp-Fraction"
        )
    ),
    "SMS-Information": grammar(
        optional=(
            "SMS-Node Client-Address Originator-SCCP-Address SMSC-Address Data-Coding-Scheme SM-Discharge-Time "
            "SM-Message-Type Originator-Interface SM-Protocol-ID Reply-Path-Requested SM-Status "
            "SM-User-Data-Header Number-of-Messages-Sent Originator-Received-Address SM-Service-Type "
            "Submission-Time"
        ),
        repeated="Recipient-Info",
    ),
    "Recipient-Info": grammar(
        optional="Destination-Interface Recipient-SCCP-Address SM-Protocol-ID",
        repeated="Recipient-Address Recipient-Received-Address",
    ),
    "Recipient-Address": grammar(optional="Address-Type Address-Data Address-Domain Addressee-Type"),
    "Recipient-Received-Address": grammar(optional="Address-Type Address-Data Address-Domain"),
    "Originator-Address": grammar(optional="Address-Type Address-Data Address-Domain"),
    "Originator-Received-Address": grammar(optional="Address-Type Address-Data Address-Domain"),
    "Address-Domain": grammar(optional="Domain-Name 3GPP-IMSI-MCC-MNC"),
    "MMS-Information": grammar(
        optional=(
            "Originator-Address Submission-Time MM-Content-Type Priority Message-ID Message-Type Message-Size "
            "Message-Class Delivery-Report-Requested Read-Reply-Report-Requested MMBox-Storage-Requested Applic-ID "
            "Reply-Applic-ID Aux-Applic-Info Content-Class DRM-Content Adaptations"
        ),
        repeated="Recipient-Address",
    ),
}

GROUPS: dict[str, Grammar] = BASE | CREDIT_CONTROL | TGPP
