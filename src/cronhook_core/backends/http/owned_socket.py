"""Sockets that close no descriptor but their own."""

from __future__ import annotations

import os
import socket


class OwnedSocket(socket.socket):
    """A socket that knows which descriptor is its own.

    uvloop closes the descriptor of a connection that is reset just when it stands, and leaves the socket object with
    the number. Collected later, the object would close whatever has got that number since: a connection to another
    receiver, or to the database.
    """

    __slots__ = ("_inode",)

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._inode = os.fstat(self.fileno()).st_ino

    def __del__(self) -> None:
        descriptor = self.fileno()
        if descriptor != -1:
            if self._is_own(descriptor):
                self.close()
            else:
                self.detach()

    def _is_own(self, descriptor: int) -> bool:
        try:
            return os.fstat(descriptor).st_ino == self._inode
        except OSError:
            return False
