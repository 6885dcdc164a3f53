"""The database edge: fast writes that the ORM does not offer, on MySQL and SQLite alike."""
