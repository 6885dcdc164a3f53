"""What can be done from outside: ``table.py`` lists every operation, the other files say what each does."""
