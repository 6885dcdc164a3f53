"""The server process: sockets, the clock and the threads around ``protocol`` and ``credit_control``."""
