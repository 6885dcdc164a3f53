"""Which AVPs a command or a grouped AVP must and may hold, and how often: the tables, and their compiled form."""
