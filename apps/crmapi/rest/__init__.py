"""The REST door, ``/api/v1/``: views translate, call one use case, and translate back; rules are in the rooms below."""
