"""Reads that the gRPC door, the REST door and the admin share; each is for one tenant and answers with plain values."""
