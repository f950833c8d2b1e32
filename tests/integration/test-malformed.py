# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nobody's bytes disturb the daemon or its other clients."""
import os
import random
import socket
import struct
import threading

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import WAIT_S, wait_for

FRAMES = 10_000
HALF_OPEN = 100
SEED = 20230610

REMOTE, QEMU, KEEPALIVE, REEVE = 0x20008086, 0x20008087, 0x6B656570, 0x20525600
CALL, REPLY, EVENT, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, HOLE = range(7)
FRAME_MAX = 32 * 1024 * 1024


def string(text):
    octets = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(octets)) + octets + b"\0" * (-len(octets) % 4)


def frame(procedure, payload=b"", program=REMOTE, version=1, kind=CALL, serial=1,
          status=0, length=None):
    body = struct.pack(">IiiiIi", program, version, procedure, kind, serial, status)
    body += payload
    return struct.pack(">I", len(body) + 4 if length is None else length) + body


DOMAIN = string("other") + bytes(range(16)) + struct.pack(">i", -1)
OPEN = frame(1, struct.pack(">I", 1) + string("qemu:///system") + struct.pack(">I", 0))

# Calls that are as they should be, to be spoilt: procedure and arguments.
CALLS = (
    (1, struct.pack(">I", 1) + string("") + struct.pack(">I", 0)),
    (10, string("<domain type='qemu'><name>x</name></domain>") + struct.pack(">I", 0)),
    (11, string("<domain><name>x</name><memory>9</memory></domain>")),
    (14, DOMAIN + struct.pack(">I", 0)),
    (16, DOMAIN),
    (22, bytes(range(16))),
    (23, string("other")),
    (66, b""),
    (159, DOMAIN + struct.pack(">II", 16, 0)),
    (198, DOMAIN + struct.pack(">iI", 16, 0)),
    (273, struct.pack(">iI", 1, 3)),
    (294, DOMAIN + struct.pack(">IIIIII", 0, 0, 3, 29, 56, 83) + struct.pack(">I", 0)),
    (316, struct.pack(">I", 0) + struct.pack(">I", 0)),
    (344, struct.pack(">I", 1) + DOMAIN + struct.pack(">II", 0, 0)),
)


def bad_length(dice):
    length = dice.choice((0, 1, 4, 27, 28, FRAME_MAX + 5, 0x7FFFFFFF, 0x80000000,
                          0xFFFFFFFF, dice.getrandbits(32)))
    return frame(66, dice.randbytes(dice.randrange(64)), length=length)


def cut_short(dice):
    procedure, payload = dice.choice(CALLS)
    whole = frame(procedure, payload)
    return OPEN + whole[: dice.randrange(len(whole))]


def short_payload(dice):
    """The length is right for what comes, which is too little."""
    procedure, payload = dice.choice(CALLS)
    return OPEN + frame(procedure, payload[: dice.randrange(len(payload) + 1)])


def spoilt(dice):
    procedure, payload = dice.choice(CALLS)
    octets = bytearray(payload)
    for _ in range(dice.randrange(1, 6)):
        if octets:
            octets[dice.randrange(len(octets))] = dice.getrandbits(8)
    return OPEN + frame(procedure, bytes(octets) + dice.randbytes(4 * dice.randrange(3)))


def huge_count(dice):
    """A count of what cannot be there."""
    count = struct.pack(">I", dice.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x01000000, 4097)))
    procedure, payload = dice.choice(
        ((23, count), (10, count + b"<domain>"), (344, count + DOMAIN),
         (294, DOMAIN + struct.pack(">II", 0, 0) + count), (1, struct.pack(">I", 1) + count)))
    return OPEN + frame(procedure, payload)


def bad_header(dice):
    return OPEN + frame(
        dice.choice((0, -1, 66, 999, 0x7FFFFFFF, dice.randrange(460))),
        dice.randbytes(4 * dice.randrange(8)),
        program=dice.choice((REMOTE, QEMU, KEEPALIVE, REEVE, 0, dice.getrandbits(32))),
        version=dice.choice((1, 1, 0, -1, 2)),
        kind=dice.choice((*range(8), -1)),
        serial=dice.getrandbits(32),
        status=dice.choice((0, 1, 2, 3, -1)),
    )


def bad_xml(dice):
    xml = bytearray(b"<domain type='qemu'><name>x</name><memory>1</memory><devices>"
                    b"<disk><source file='/x'/></disk></devices></domain>")
    for _ in range(dice.randrange(1, 4)):
        xml[dice.randrange(len(xml))] = dice.getrandbits(8)
    return OPEN + frame(11, string(bytes(xml)))


def noise(dice):
    return dice.randbytes(dice.randrange(1, 400))


def words(dice):
    return dice.choice((b"GET / HTTP/1.1\r\n\r\n", b'{"method":"x"}', b"\x16\x03\x01",
                        b"[" * 1000, b"hello\n", b"\xff" * 64))


def unfinished_sentence(dice):
    """Many good calls, whose answers are not waited for."""
    return OPEN + b"".join(
        frame(273, struct.pack(">iI", 1, 3), serial=serial)
        for serial in range(dice.randrange(1, 50)))


MAKERS = (bad_length, cut_short, short_payload, spoilt, huge_count, bad_header,
          bad_xml, noise, words, unfinished_sentence)


class Judge(threading.Thread):
    """Another client, all of whose calls must succeed."""

    def __init__(self, uri):
        super().__init__()
        self.uri = uri
        self.calls = 0
        self.failure = None
        self.is_over = threading.Event()

    def run(self):
        try:
            connection = libvirt.open(self.uri)
            while not self.is_over.is_set():
                (domain,) = connection.listAllDomains()
                assert domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
                domain.XMLDesc()
                connection.getHostname()
                self.calls += 4
            connection.close()
        except Exception as error:  # told by the test's thread
            self.failure = error

    def end(self):
        self.is_over.set()
        self.join()


class Malformed(harness.TestCase):
    def setUp(self):
        self.connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(self.connection.close)
        self.domain = self.connection.createXML(self.boot_xml("m"))
        self.addCleanup(self.domain.destroy)

    def dial(self, over_tcp):
        if over_tcp:
            return socket.create_connection(("127.0.0.1", self.reeved.port), WAIT_S)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(WAIT_S)
        client.connect(self.reeved.socket)
        return client

    def say(self, octets, over_tcp):
        """Says it, hangs up, and reads to the end of what comes."""
        with self.dial(over_tcp) as client:
            try:
                client.sendall(octets)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise AssertionError("the daemon keeps a client that is gone")

    def n_open(self):
        return len(os.listdir(f"/proc/{self.reeved.process.pid}/fd"))

    def check_that_it_serves(self, judges):
        for judge in judges:
            judge.end()
            self.assertIsNone(judge.failure)
            self.assertGreater(judge.calls, 0)
            print(f"# {judge.calls} calls of another client succeeded")
        self.assertIsNone(self.reeved.process.poll(), self.reeved.log())
        self.assertEqual(self.domain.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        self.assertEqual(len(self.connection.listAllDomains()), 1)

    def judges(self):
        judges = [Judge(self.reeved.unix_uri), Judge(self.reeved.tcp_uri)]
        for judge in judges:
            judge.start()
        return judges

    def test_frames(self):
        dice = random.Random(SEED)
        n_open = self.n_open()
        judges = self.judges()
        half_open = []
        for number in range(HALF_OPEN):
            client = self.dial(number % 2)
            client.sendall(cut_short(dice))
            half_open.append(client)
        for number in range(FRAMES):
            maker = MAKERS[number % len(MAKERS)]
            octets = maker(dice)
            try:
                self.say(octets, over_tcp=dice.random() < 0.5)
            except (AssertionError, OSError) as error:
                self.fail(f"frame {number}, {maker.__name__}: {error}\n{octets.hex()}")
        for client in half_open:
            client.close()
        self.check_that_it_serves(judges)
        wait_for("no client left", lambda: self.n_open() <= n_open)

    def test_one_that_does_not_read(self):
        """It is bounded, and does not hold up the others."""
        judges = self.judges()
        capabilities = b"".join(frame(7, serial=serial) for serial in range(1, 200))
        deaf = []
        for over_tcp in (False, True) * 3:
            client = self.dial(over_tcp)
            client.setblocking(False)
            client.send(OPEN)
            try:
                for _ in range(1000):
                    client.send(capabilities)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            deaf.append(client)
        before = [judge.calls for judge in judges]
        wait_for("calls of others", lambda: all(
            judge.calls > calls + 200 or judge.failure
            for judge, calls in zip(judges, before)))
        (memory,) = (int(line.split()[1]) for line in harness.read(
            f"/proc/{self.reeved.process.pid}/status").splitlines()
            if line.startswith("VmRSS:"))
        print(f"# the daemon has {memory // 1024} MiB")
        if not harness.SANITIZED:
            self.assertLess(memory // 1024, 256)
        self.check_that_it_serves(judges)
        for client in deaf:
            client.close()

    def test_byte_by_byte(self):
        """A slow client is served as any other."""
        with self.dial(over_tcp=True) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in OPEN + frame(59, serial=2):
                client.sendall(bytes([octet]))
            answer = b""
            while socket.gethostname().encode() not in answer:
                octets = client.recv(4096)
                self.assertNotEqual(octets, b"", answer)
                answer += octets


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "qemu-system-x86_64")
