"""The Gy server: Diameter credit control (RFC 6733, RFC 8506, 3GPP TS 32.299) on top of the charging room."""
