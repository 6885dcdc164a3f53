"""Diameter without any input or output: bytes and the time go in, events and bytes come out.

Sources: RFC 6733 (base protocol), RFC 3539 (watchdog), RFC 8506 (credit control), 3GPP TS 32.299 (Gy).
"""
