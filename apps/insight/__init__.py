"""The insight room: what operators count; statistics by service, plan and day."""
