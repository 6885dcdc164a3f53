"""Resources of the REST door, a file a kind."""
