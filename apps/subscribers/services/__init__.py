"""Changes of the subscribers room, one transaction a call."""
