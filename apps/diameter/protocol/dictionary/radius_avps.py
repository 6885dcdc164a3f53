"""Attributes of RADIUS and of network access that gateways put into credit-control requests.

Codes 1 to 255 are RADIUS attributes (RFC 6733 section 4.1). Names and types are those of RFC 7155, and of RFC 4072,
4372, 4675, 4818, 5090, 5447, 5580, 5607, 6911, 7683, 8581 and 8583 for what came beside it. Nothing here
reads them; a strict reader has to know them, since most carry the M bit.
"""

from __future__ import annotations

from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import listed

DEFINITIONS = listed(
    {
        T.OCTETS: """
        User-Password 2, CHAP-Password 3, NAS-IP-Address 4, Framed-IP-Address 8, Framed-IP-Netmask 9,
        Login-IP-Host 14, State 24, Vendor-Specific 26, Login-LAT-Service 34, Login-LAT-Node 35,
        Login-LAT-Group 36, Framed-AppleTalk-Zone 39, Egress-VLANID 56, User-Priority-Table 59,
        CHAP-Challenge 60, Login-LAT-Port 63, Acct-Tunnel-Connection 68, Tunnel-Password 69, ARAP-Password 70,
        ARAP-Features 71, ARAP-Security-Data 74, Configuration-Token 78, EAP-Message 79,
        Message-Authenticator 80, Tunnel-Private-Group-Id 81, Tunnel-Assignment-Id 82,
        ARAP-Challenge-Response 84, Framed-Pool 88, Chargeable-User-Identity 89, RADIUS-NAS-Filter-Rule 92,
        Originating-Line-Info 94, NAS-IPv6-Address 95, Framed-IPv6-Prefix 97, Login-IPv6-Host 98,
        Framed-IPv6-Pool 100, EAP-Key-Name 102, Delegated-IPv6-Prefix 123, MIP6-Home-Link-Prefix 125,
        Operator-Name 126, Location-Information 127, Location-Data 128, Basic-Location-Policy-Rules 129,
        Extended-Location-Policy-Rules 130, Location-Capable 131, Requested-Location-Info 132, PKM-SS-Cert 137,
        PKM-CA-Cert 138, PKM-Config-Settings 139, PKM-Cryptosuite-List 140, PPKM-SAID 141,
        PKM-SA-Descriptor 142, PKM-Auth-Key 143, Framed-IPv6-Address 168, DNS-Server-IPv6-Address 169,
        CHAP-Ident 404, CHAP-Response 405, EAP-Payload 462, EAP-Reissued-Payload 463,
        EAP-Master-Session-Key 464, MIP-Authenticator 488, MIP-MAC-Mobility-Data 489, MIP-Timestamp 490
        """,
        T.UTF8: """
        Reply-Message 18, Callback-Number 19, Callback-Id 20, Framed-Route 22, Calling-Station-Id 31,
        NAS-Identifier 32, Egress-VLAN-Name 58, Tunnel-Client-Endpoint 66, Tunnel-Server-Endpoint 67,
        Connect-Info 77, NAS-Port-Id 87, Tunnel-Client-Auth-Id 90, Tunnel-Server-Auth-Id 91,
        Framed-IPv6-Route 99, Digest-Response 103, Digest-Realm 104, Digest-Nonce 105,
        Digest-Response-Auth 106, Digest-Nextnonce 107, Digest-Method 108, Digest-URI 109, Digest-Qop 110,
        Digest-Algorithm 111, Digest-Entity-Body-Hash 112, Digest-CNonce 113, Digest-Nonce-Count 114,
        Digest-Username 115, Digest-Opaque 116, Digest-Auth-Param 117, Digest-AKA-Auts 118, Digest-Domain 119,
        Digest-Stale 120, Digest-HA1 121, SIP-AOR 122, Management-Policy-Id 135, Route-IPv6-Information 170,
        Delegated-IPv6-Prefix-Pool 171, Stateful-IPv6-Address-Pool 172, NAS-Filter-Rule 400,
        QoS-Filter-Rule 407, Service-Selection 493
        """,
        T.UNSIGNED32: """
        NAS-Port 5, Framed-MTU 12, Login-TCP-Port 16, Framed-IPX-Network 23, Idle-Timeout 28,
        Framed-AppleTalk-Link 37, Framed-AppleTalk-Network 38, Acct-Delay-Time 41, Acct-Input-Octets 42,
        Acct-Output-Octets 43, Acct-Session-Time 46, Acct-Input-Packets 47, Acct-Output-Packets 48,
        Acct-Link-Count 51, Acct-Input-Gigawords 52, Acct-Output-Gigawords 53, Port-Limit 62, ARAP-Security 73,
        Password-Retry 75, Tunnel-Preference 83, Acct-Tunnel-Packets-Lost 86, MIP-MN-HA-SPI 491,
        OC-Validity-Duration 625, OC-Reduction-Percentage 627
        """,
        T.UNSIGNED64: """
        Framed-Interface-Id 96, MIP6-Feature-Vector 124, Accounting-Input-Octets 363,
        Accounting-Output-Octets 364, Accounting-Input-Packets 365, Accounting-Output-Packets 366,
        Accounting-EAP-Auth-Method 465, OC-Feature-Vector 622, OC-Sequence-Number 624, OC-Peer-Algo 648,
        Load-Value 652
        """,
        T.INTEGER32: "Management-Privilege-Level 136",
        T.ENUMERATED: """
        Service-Type 6, Framed-Protocol 7, Framed-Routing 10, Framed-Compression 13, Login-Service 15,
        Termination-Action 29, Acct-Status-Type 40, Acct-Authentic 45, Acct-Terminate-Cause 49,
        Ingress-Filters 57, NAS-Port-Type 61, Tunnel-Type 64, Tunnel-Medium-Type 65, ARAP-Zone-Access 72,
        Prompt 76, Error-Cause 101, Framed-Management-Protocol 133, Management-Transport-Protection 134,
        CHAP-Algorithm 403, Accounting-Auth-Method 406, Origin-AAA-Protocol 408, OC-Report-Type 626,
        Load-Type 651
        """,
        T.GROUPED: """
        E2E-Sequence 300, Tunneling 401, CHAP-Auth 402, MIP6-Agent-Info 486, MIP-MN-HA-MSA 492, Load 650
        """,
        T.IDENTITY: "Redirect-Realm 620, SourceID 649",
        T.ADDRESS: "MIP-Careof-Address 487",
    }
)
