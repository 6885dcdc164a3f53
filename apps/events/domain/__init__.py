"""What an event is: names, versions and fields, without a database."""
