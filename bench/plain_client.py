# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client whose own time does not count."""
import socket
import struct
import sys

import harness

REMOTE_PROGRAM = 0x20008086
CONNECT_OPEN = 1


class Client:
    """Speaks to a daemon as virsh does: one call, one reply."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.WAIT_S)
        self.socket.connect(path)
        self.call(CONNECT_OPEN, struct.pack(">iI", 0, 0))

    def receive(self, room):
        size = 0
        while size < len(room):
            n_bytes = self.socket.recv_into(room[size:])
            if n_bytes == 0:
                sys.exit("the daemon hung up")
            size += n_bytes

    def call(self, procedure, args):
        """Returns the reply's body."""
        self.socket.sendall(struct.pack(
            ">IIIiiII", 28 + len(args), REMOTE_PROGRAM, 1, procedure, 0, 1, 0) + args)
        size = bytearray(4)
        self.receive(memoryview(size))
        reply = bytearray(struct.unpack(">I", size)[0] - 4)
        self.receive(memoryview(reply))
        if struct.unpack(">I", reply[20:24])[0] != 0:
            sys.exit(f"a call failed: {bytes(reply[24:])}")
        return reply[24:]
