"""The rules of a bill, one a module: each adds its lines, ``apply(draft, terms) -> draft``."""
