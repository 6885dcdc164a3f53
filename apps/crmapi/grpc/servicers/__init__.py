"""What each RPC does: read the message, call one use case, write the message; one file a concern."""
