"""Between the wire and the charging room: a CCR becomes a OnlineRequest, a ChargingAnswer becomes a CCA. Pure."""
