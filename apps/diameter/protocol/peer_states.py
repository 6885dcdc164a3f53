"""The life of a connection as a table (RFC 6733 section 5.6, for connections that are set up already)."""

from __future__ import annotations

from enum import Enum


class PeerState(Enum):
    WAIT_CER = "wait-cer"
    """Accepted; the peer must introduce itself."""
    CHECKING = "checking"
    """Introduced; the owner decides whether it is let in."""
    WAIT_CEA = "wait-cea"
    """This side opened the connection and introduced itself."""
    OPEN = "open"
    DRAINING = "draining"
    """This side wants to end: requests in flight are answered first."""
    DISCONNECTING = "disconnecting"
    """DPR sent."""
    LEAVING = "leaving"
    """DPR received: requests in flight are answered before the DPA."""
    LEFT = "left"
    """DPA sent: the peer closes."""
    CLOSED = "closed"


class PeerInput(Enum):
    CER = "CER"
    CEA = "CEA"
    DWR = "DWR"
    DWA = "DWA"
    DPR = "DPR"
    DPA = "DPA"
    REQUEST = "request"
    ANSWER = "answer"
    ACCEPT = "accept"
    REFUSE = "refuse"
    STOP = "stop"
    """The owner wants the connection to end."""
    DRAINED = "drained"
    """The last request in flight was answered."""
    TIMEOUT = "timeout"
    """The state has lasted too long."""
    LOST = "lost"
    """The transport is gone."""


class PeerAction(Enum):
    REPORT_CAPABILITIES = "report_capabilities"
    SEND_CEA_AND_OPEN = "send_cea_and_open"
    SEND_CEA_AGAIN = "send_cea_again"
    REFUSE_AND_CLOSE = "refuse_and_close"
    CHECK_CEA = "check_cea"
    SEND_DWA = "send_dwa"
    DELIVER_REQUEST = "deliver_request"
    TURN_AWAY = "turn_away"
    MATCH_ANSWER = "match_answer"
    DRAIN = "drain"
    DRAIN_FOR_PEER = "drain_for_peer"
    SEND_DPR = "send_dpr"
    SEND_DPA = "send_dpa"
    CLOSE = "close"


_S, _I, _A = PeerState, PeerInput, PeerAction

TRANSITIONS: dict[tuple[PeerState, PeerInput], tuple[PeerAction, PeerState]] = {
    (_S.WAIT_CER, _I.CER): (_A.REPORT_CAPABILITIES, _S.CHECKING),
    (_S.WAIT_CER, _I.STOP): (_A.CLOSE, _S.CLOSED),
    (_S.WAIT_CER, _I.TIMEOUT): (_A.CLOSE, _S.CLOSED),
    (_S.CHECKING, _I.ACCEPT): (_A.SEND_CEA_AND_OPEN, _S.OPEN),
    (_S.CHECKING, _I.REFUSE): (_A.REFUSE_AND_CLOSE, _S.CLOSED),
    (_S.CHECKING, _I.STOP): (_A.CLOSE, _S.CLOSED),
    (_S.CHECKING, _I.TIMEOUT): (_A.CLOSE, _S.CLOSED),
    (_S.WAIT_CEA, _I.CEA): (_A.CHECK_CEA, _S.OPEN),
    (_S.WAIT_CEA, _I.STOP): (_A.CLOSE, _S.CLOSED),
    (_S.WAIT_CEA, _I.TIMEOUT): (_A.CLOSE, _S.CLOSED),
    (_S.OPEN, _I.CER): (_A.SEND_CEA_AGAIN, _S.OPEN),
    (_S.OPEN, _I.DWR): (_A.SEND_DWA, _S.OPEN),
    (_S.OPEN, _I.DWA): (_A.MATCH_ANSWER, _S.OPEN),
    (_S.OPEN, _I.REQUEST): (_A.DELIVER_REQUEST, _S.OPEN),
    (_S.OPEN, _I.ANSWER): (_A.MATCH_ANSWER, _S.OPEN),
    (_S.OPEN, _I.STOP): (_A.DRAIN, _S.DRAINING),
    (_S.OPEN, _I.DPR): (_A.DRAIN_FOR_PEER, _S.LEAVING),
    (_S.DRAINING, _I.DWR): (_A.SEND_DWA, _S.DRAINING),
    (_S.DRAINING, _I.DWA): (_A.MATCH_ANSWER, _S.DRAINING),
    (_S.DRAINING, _I.REQUEST): (_A.TURN_AWAY, _S.DRAINING),
    (_S.DRAINING, _I.ANSWER): (_A.MATCH_ANSWER, _S.DRAINING),
    (_S.DRAINING, _I.DRAINED): (_A.SEND_DPR, _S.DISCONNECTING),
    (_S.DRAINING, _I.TIMEOUT): (_A.SEND_DPR, _S.DISCONNECTING),
    (_S.DRAINING, _I.DPR): (_A.DRAIN_FOR_PEER, _S.LEAVING),
    (_S.DISCONNECTING, _I.DWR): (_A.SEND_DWA, _S.DISCONNECTING),
    (_S.DISCONNECTING, _I.DWA): (_A.MATCH_ANSWER, _S.DISCONNECTING),
    (_S.DISCONNECTING, _I.REQUEST): (_A.TURN_AWAY, _S.DISCONNECTING),
    (_S.DISCONNECTING, _I.ANSWER): (_A.MATCH_ANSWER, _S.DISCONNECTING),
    (_S.DISCONNECTING, _I.DPR): (_A.SEND_DPA, _S.DISCONNECTING),
    (_S.DISCONNECTING, _I.DPA): (_A.CLOSE, _S.CLOSED),
    (_S.DISCONNECTING, _I.TIMEOUT): (_A.CLOSE, _S.CLOSED),
    (_S.LEAVING, _I.DWR): (_A.SEND_DWA, _S.LEAVING),
    (_S.LEAVING, _I.DWA): (_A.MATCH_ANSWER, _S.LEAVING),
    (_S.LEAVING, _I.REQUEST): (_A.TURN_AWAY, _S.LEAVING),
    (_S.LEAVING, _I.ANSWER): (_A.MATCH_ANSWER, _S.LEAVING),
    (_S.LEAVING, _I.DRAINED): (_A.SEND_DPA, _S.LEFT),
    (_S.LEAVING, _I.TIMEOUT): (_A.SEND_DPA, _S.LEFT),
    (_S.LEFT, _I.TIMEOUT): (_A.CLOSE, _S.CLOSED),
} | {(state, _I.LOST): (_A.CLOSE, _S.CLOSED) for state in PeerState if state is not PeerState.CLOSED}

INTRODUCED = frozenset((_S.OPEN, _S.DRAINING, _S.DISCONNECTING, _S.LEAVING, _S.LEFT))
"""States in which an input without a row is passed over; in others it ends the connection."""
