"""The hot paths compiled: the same source, as machine code if a C compiler was at hand (README.md)."""
