"""The demonstration: an invented operator, its customers and a month of their usage."""
