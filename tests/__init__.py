"""The tests: one folder a room, ``journeys/`` for whole ways through the house."""
