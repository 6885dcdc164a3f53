"""AVPs of 3GPP that may come within Service-Information and that nothing here reads.

PoC, MBMS, WLAN, IM, DCD, VCS, ProSe, NIDD and exposure functions, announcements (TS 32.299 section 7.2); those of
TS 29.061, 29.212, 29.214 and 29.273 that it refers to. A strict reader has to know them, since they carry the M bit.
"""

from __future__ import annotations

from apps.diameter.protocol.codes import VENDOR_3GPP
from apps.diameter.protocol.definitions import AvpType as T
from apps.diameter.protocol.definitions import listed

DEFINITIONS = listed(
    {
        T.OCTETS: """
        3GPP-WLAN-APN-Id 100, Access-Network-Charging-Identifier-Value 503, AF-Application-Identifier 504,
        AF-Charging-Identifier 505, Authorization-Token 506, Service-URN 525, MPS-Identifier 528,
        Visited-Network-Identifier 600, WAG-PLMN-Id 891, TMGI 900, MBMS-Service-Area 903,
        MBMS-Session-Duration 904, MBMS-Session-Identity 908, Additional-MBMS-Trace-Info 910,
        MBMS-Time-To-Data-Transfer 911, MBMS-Session-Repetition-Number 912, MBMS-GGSN-Address 916,
        MBMS-GGSN-IPv6-Address 917, MBMS-BMSC-SSM-IP-Address 918, MBMS-BMSC-SSM-IPv6-Address 919,
        MBMS-Flow-Identifier 920, MBMS-GW-SSM-IPv6-Address 925, MBMS-BMSC-SSM-UDP-Port 926,
        MBMS-GW-UDP-Port 927, MBMS-Cell-List 934, Packet-Filter-Identifier 1060, PDN-Connection-ID 1065,
        Monitoring-Key 1066, TDF-Application-Identifier 1088, ADC-Rule-Name 1096, RAN-NAS-Release-Cause 2819,
        Presence-Reporting-Area-Elements-List 2820, Presence-Reporting-Area-Identifier 2821,
        Traffic-Steering-Policy-Identifier-DL 2836, Traffic-Steering-Policy-Identifier-UL 2837,
        Bearer-Capability 3412, Teleservice 3413, ISUP-Location-Number 3414, MSC-Address 3417,
        Network-Call-Reference-Number 3418, VLR-Number 3420, ISUP-Cause-Diagnostics 3422,
        Layer-2-Group-ID 3429, Cellular-Network-Information 3924, eNodeB-ID 4008,
        Extended-eNodeB-ID 4013, ProSe-UE-to-Network-Relay-UE-ID 4409, ProSe-Target-Layer-2-ID 4410
        """,
        T.UTF8: """
        3GPP-External-Identifier 28, Flow-Description 507, Codec-Data 524, Sponsor-Identity 531,
        Application-Service-Provider-Identity 532, Participants-Involved 887,
        Required-MBMS-Bearer-Capabilities 901, Alternative-APN 905, RAI 909, MBMS-Required-QoS 913,
        TFT-Filter 1012, Packet-Filter-Content 1059, ADC-Rule-Base-Name 1095, PoC-Session-Id 1229,
        WLAN-Session-Id 1246, PoC-User-Role-IDs 1253, ANID 1504, SSID 1524, HESSID 1525, Delivery-Status 2104,
        Content-ID 2116, Content-provider-ID 2117, External-Identifier 3111, Instance-Id 3402,
        Route-Header-Received 3403, Route-Header-Transmitted 3404, Announcing-UE-HPLMN-Identifier 3426,
        Announcing-UE-VPLMN-Identifier 3427, Monitored-PLMN-Identifier 3430,
        Monitoring-UE-HPLMN-Identifier 3431, Monitoring-UE-Identifier 3432,
        Monitoring-UE-VPLMN-Identifier 3433, Requested-PLMN-Identifier 3436, Requestor-PLMN-Identifier 3437,
        ProSe-3rd-Party-Application-ID 3440, Variable-Part-Value 3910, Language 3914, Called-Identity 3916,
        Discoveree-UE-HPLMN-Identifier 4402, Discoveree-UE-VPLMN-Identifier 4403,
        Discoverer-UE-HPLMN-Identifier 4404, Discoverer-UE-VPLMN-Identifier 4405, Announcing-PLMN-ID 4408,
        FE-Identifier-List 4413
        """,
        T.UNSIGNED32: """
        Flow-Number 509, Media-Component-Number 518, RR-Bandwidth 521, RS-Bandwidth 522,
        Min-Requested-Bandwidth-DL 534, Min-Requested-Bandwidth-UL 535, WLAN-Technology 893,
        PDG-Charging-Id 896, MBMS-Flags 931, Restart-Counter 932, Diagnostic-Info 933, Precedence 1010,
        Number-Of-Received-Talk-Bursts 1282, Number-Of-Talk-Bursts 1283, Received-Talk-Burst-Time 1284,
        Received-Talk-Burst-Volume 1285, Talk-Burst-Time 1286, Talk-Burst-Volume 1287,
        Application-Server-ID 2101, Application-Session-ID 2103, Number-Of-Messages-Successfully-Exploded 2111,
        Number-Of-Messages-Successfully-Sent 2112, Total-Number-Of-Messages-Exploded 2113,
        Total-Number-Of-Messages-Sent 2114, UDP-Source-Port 2806, SM-Sequence-Number 3408, SMS-Result 3409,
        ISUP-Cause-Location 3423, ISUP-Cause-Value 3424, Announcement-Order 3906,
        Variable-Part-Order 3908, Variable-Part-Type 3909,
        Time-Indicator 3911, Monitoring-Event-Report-Number 3923, Rate-Control-Max-Message-Size 3937,
        Rate-Control-Max-Rate 3938, Rate-Control-Time-Unit 3939, Uplink-Rate-Limit 4311,
        Downlink-Rate-Limit 4312, Unused-Quota-Timer 4407
        """,
        T.UNSIGNED64: """
        MBMS-Data-Transfer-Start 929, MBMS-Data-Transfer-Stop 930
        """,
        T.INTEGER32: """
        Number-Of-Participants 885, PC3-Control-Protocol-Cause 3434, PC3-EPC-Control-Protocol-Cause 3435,
        Usage-Information-Report-Sequence-Number 3439, Monitoring-Event-Configuration-Activity 3919,
        Monitoring-Event-Functionality 3922
        """,
        T.ENUMERATED: """
        Abort-Cause 500, Flow-Status 511, Flow-Usage 512, Media-Type 520, SIP-Forking-Indication 523,
        Service-Info-Status 527, AF-Signalling-Protocol 529, Rx-Request-Type 533, PoC-Server-Role 883,
        PoC-Session-Type 884, MBMS-StartStop-Indication 902, MBMS-Service-Type 906, MBMS-2G-3G-Indicator 907,
        MBMS-Counting-Information 914, MBMS-User-Data-Mode-Indication 915, CN-IP-Multicast-Distribution 921,
        MBMS-HC-Indicator 922, MBMS-Access-Indicator 923, MBMS-GW-UDP-Port-Indicator 928, Bearer-Usage 1000,
        Event-Trigger 1006, Metering-Method 1007, Offline 1008, Online 1009, Reporting-Level 1011,
        Network-Request-Support 1024, IP-CAN-Type 1027, Flow-Direction 1080, Redirect-Support 1086,
        MBMS-User-Service-Type 1225, PoC-User-Role-info-Units 1254, Participant-Access-Priority 1259,
        PoC-Change-Condition 1261, PoC-Session-Initiation-type 1277, User-Participating-Type 1279,
        AN-Trusted 1503, Transport-Access-Type 1519, Change-Condition 2037, Application-Service-Type 2102,
        Presence-Reporting-Area-Status 2823, NetLoc-Access-Support 2824, SM-Device-Trigger-Indicator 3407,
        Forwarding-Pending 3415, CN-Operator-Selection-Entity 3421, Coverage-Status 3428,
        Role-Of-ProSe-Function 3438, Inter-UE-Transfer 3902, Quota-Indicator 3912, Play-Alternative 3913,
        Privacy-Indicator 3915, CP-CIoT-EPS-Optimisation-Indicator 3930, SGi-PtP-Tunnelling-Method 3931,
        UNI-PDU-CP-Only-Flag 3932, Additional-Exception-Reports 3936,
        Charging-Per-IP-CAN-Session-Indicator 4400, 3GPP-PS-Data-Off-Status 4406
        """,
        T.GROUPED: """
        Access-Network-Charging-Identifier 502, Flow-Grouping 508, Flows 510, Media-Component-Description 517,
        Media-Sub-Component 519, Acceptable-Service-Info 526, Sponsored-Connectivity-Data 530,
        WLAN-Information 875, PoC-Information 879, MBMS-Information 880, WLAN-Radio-Container 892,
        Tunnel-Information 1038, CoA-Information 1039, Flow-Information 1058, Redirect-Information 1085,
        TDF-Information 1087, Application-Detection-Information 1098, PoC-User-Role 1252,
        Talk-Burst-Exchange 1255, Participant-Group 1260, RAN-Secondary-RAT-Usage-Report 1302,
        WLAN-Identifier 1509, TWAN-Access-Info 1510, IM-Information 2110, DCD-Information 2115,
        Presence-Reporting-Area-Information 2822, Fixed-User-Location-Info 2825,
        SM-Device-Trigger-Information 3405, VCS-Information 3410, Basic-Service-Code 3411,
        ISUP-Release-Cause 3416, Enhanced-Diagnostics 3901, Variable-Part 3907, Called-Identity-Change 3917,
        UWAN-User-Location-Info 3918, Monitoring-Event-Report-Data 3920, Monitoring-Event-Information 3921,
        Related-Change-Condition-Information 3925, APN-Rate-Control 3933, APN-Rate-Control-Downlink 3934,
        APN-Rate-Control-Uplink 3935, SCS-AS-Address 3940, Serving-PLMN-Rate-Control 4310,
        Access-Network-Info-Change 4401
        """,
        T.IDENTITY: """
        TDF-Destination-Host 1089, TDF-Destination-Realm 1090, SCEF-ID 3125, SCS-Realm 3942
        """,
        T.TIME: """
        PoC-Change-Time 1262, Change-Time 2038, User-Location-Info-Time 2812, Start-of-Charging 3419
        """,
        T.ADDRESS: """
        Access-Network-Charging-Address 501, WAG-Address 890, WLAN-UE-Local-IPAddress 894, PDG-Address 895,
        MBMS-GW-SSM-IP-Address 924, AN-GW-Address 1050, TDF-IP-Address 1091, MBMS-GW-Address 2307,
        UE-Local-IP-Address 2805, MTC-IWF-Address 3406, ePDG-Address 3425, BMSC-Address 3500,
        TWAG-Address 3903, SCS-Address 3941, Relay-IP-address 4411, Target-IP-Address 4412
        """,
    },
    vendor=VENDOR_3GPP,
)
