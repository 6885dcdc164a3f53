"""Rules of the subscribers room, as functions over values."""
