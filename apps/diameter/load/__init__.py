"""The load client and simulator (µBSS: diameter_client): gateways that ask the server and check what it answers."""
