"""Changes of the actions room."""
