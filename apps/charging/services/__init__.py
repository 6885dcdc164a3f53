"""Changes of the charging room."""
