"""Changes of the events room: publishing, numbering, handing over, forgetting."""
