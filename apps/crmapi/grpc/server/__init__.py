"""The gRPC server: who is let in, how calls run, and processes behind one port. What RPCs do is ``servicers/``."""
