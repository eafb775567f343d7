"""A socket that closes no descriptor but its own."""

import os
import socket

from cronhook_core.backends.http.owned_socket import OwnedSocket


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_its_own_descriptor_is_closed_with_it() -> None:
    owned = OwnedSocket(socket.AF_INET, socket.SOCK_STREAM, 0)
    descriptor = owned.fileno()
    assert is_open(descriptor)
    del owned
    assert not is_open(descriptor)


def test_a_descriptor_that_went_to_another_is_left_alone() -> None:
    owned = OwnedSocket(socket.AF_INET, socket.SOCK_STREAM, 0)
    descriptor = owned.fileno()
    with socket.socket() as other:
        os.dup2(other.fileno(), descriptor)
    del owned
    assert is_open(descriptor)
    os.close(descriptor)


def test_a_descriptor_that_is_gone_is_no_error() -> None:
    owned = OwnedSocket(socket.AF_INET, socket.SOCK_STREAM, 0)
    os.close(owned.fileno())
    del owned
