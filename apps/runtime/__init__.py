"""Running a server: one process until it is told to stop, or several behind one port (README.md)."""
