from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CDR(_message.Message):
    __slots__ = ("record_id", "source", "service", "msisdn", "imsi", "imei", "other_party", "start", "duration_s", "octets_up", "octets_down", "events", "cell", "roaming_network", "cause", "session_id", "part", "rating_group", "radio_access", "trunk")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    IMSI_FIELD_NUMBER: _ClassVar[int]
    IMEI_FIELD_NUMBER: _ClassVar[int]
    OTHER_PARTY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    OCTETS_UP_FIELD_NUMBER: _ClassVar[int]
    OCTETS_DOWN_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    ROAMING_NETWORK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    RATING_GROUP_FIELD_NUMBER: _ClassVar[int]
    RADIO_ACCESS_FIELD_NUMBER: _ClassVar[int]
    TRUNK_FIELD_NUMBER: _ClassVar[int]
    record_id: str
    source: str
    service: str
    msisdn: str
    imsi: str
    imei: str
    other_party: str
    start: int
    duration_s: int
    octets_up: int
    octets_down: int
    events: int
    cell: str
    roaming_network: str
    cause: int
    session_id: str
    part: int
    rating_group: int
    radio_access: int
    trunk: str
    def __init__(self, record_id: _Optional[str] = ..., source: _Optional[str] = ..., service: _Optional[str] = ..., msisdn: _Optional[str] = ..., imsi: _Optional[str] = ..., imei: _Optional[str] = ..., other_party: _Optional[str] = ..., start: _Optional[int] = ..., duration_s: _Optional[int] = ..., octets_up: _Optional[int] = ..., octets_down: _Optional[int] = ..., events: _Optional[int] = ..., cell: _Optional[str] = ..., roaming_network: _Optional[str] = ..., cause: _Optional[int] = ..., session_id: _Optional[str] = ..., part: _Optional[int] = ..., rating_group: _Optional[int] = ..., radio_access: _Optional[int] = ..., trunk: _Optional[str] = ...) -> None: ...

class CDRFileHeader(_message.Message):
    __slots__ = ("magic", "source", "sequence", "count", "created")
    MAGIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    magic: str
    source: str
    sequence: int
    count: int
    created: int
    def __init__(self, magic: _Optional[str] = ..., source: _Optional[str] = ..., sequence: _Optional[int] = ..., count: _Optional[int] = ..., created: _Optional[int] = ...) -> None: ...
