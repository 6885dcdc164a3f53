"""The hot paths compiled: the same source, as machine code where a C compiler was at hand (README.md)."""
