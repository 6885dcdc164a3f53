"""Several processes behind one port."""

from __future__ import annotations

import socket

import pytest

from apps.runtime.ports import held_port


def test_a_held_port_is_shared_with_those_who_ask_to_share_and_kept_from_others() -> None:
    with held_port("127.0.0.1", 0) as port:
        with socket.socket() as sharing:
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharing.bind(("127.0.0.1", port))
            sharing.listen()
            with pytest.raises(OSError), held_port("127.0.0.1", port):
                pass
        with socket.socket() as other, pytest.raises(OSError):
            other.bind(("127.0.0.1", port))
