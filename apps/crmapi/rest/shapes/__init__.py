"""What requests and answers look like in JSON, and how the rooms' plain values become that."""
