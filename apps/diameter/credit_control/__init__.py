"""Between the wire and the charging room: a CCR becomes a ChargingRequest, a ChargingAnswer becomes a CCA. Pure."""
