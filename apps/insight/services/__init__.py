"""Changes of the insight room: counting, one transaction a portion."""
