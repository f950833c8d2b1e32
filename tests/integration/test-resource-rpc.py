# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The resource tree by calls, over each wire."""
import base64
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import run, wait_for

DAEMON = os.environ.get("REEVE_RESOURCE_DAEMON", "")
REEVE = os.environ.get("REEVE", "")
NOBODY = 65534
PROGRAM = 0x20525605
READ, WRITE, NONBLOCK, TRUNCATE = 1, 2, 4, 8
POLL, ARM, NEXT = (f"RESOURCE_NOTIFY_{name}" for name in ("POLL", "ARM", "NEXT"))
DOUBLE_NUMBER = 3 << 30 | 8 << 16 | ord("q") << 8 | 4
MAX_HANDLES = 256
END = "\n##\n"


class Refused(Exception):
    pass


class Client:
    """Speaks JSON-RPC."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.WAIT_S)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.events = []
        self.replies = {}
        self.serial = 0

    def close(self):
        self.lines.close()
        self.socket.close()

    def begin(self, name, **params):
        self.serial += 1
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", "id": self.serial, "params": params,
                                        "method": f"resource.{name}"}).encode())
        return self.serial

    def read(self):
        message = json.loads(self.lines.readline())
        if message.get("id") is None:
            self.events.append(message)
        else:
            self.replies[message["id"]] = message

    def end(self, serial):
        while serial not in self.replies:
            self.read()
        reply = self.replies.pop(serial)
        if "error" in reply:
            raise Refused(reply["error"]["message"])
        return reply["result"]

    def call(self, name, **params):
        return self.end(self.begin(name, **params))

    def event(self):
        while not self.events:
            self.read()
        message = self.events.pop(0)
        assert message["method"] == "resource.notified", message
        return message["params"]

    # ----------------------------------------------------------- shortcuts --

    def open(self, path, flags=READ):
        return self.call("open", path=path, flags=flags)["handle"]

    def begin_read(self, handle, offset=0, size=65536, timeout_ms=0):
        return self.begin("read", handle=handle, offset=offset, size=size, timeout_ms=timeout_ms)

    def end_read(self, serial):
        return base64.b64decode(self.end(serial)["bytes"]).decode()

    def text(self, handle, **more):
        return self.end_read(self.begin_read(handle, **more))

    def put(self, handle, text, offset=0):
        return self.call("write", handle=handle, offset=offset, timeout_ms=0,
                         bytes=base64.b64encode(text.encode()).decode())["size"]

    def notify(self, handle, action, events=select.POLLIN, cookie=0):
        return self.call("notify", handle=handle, action=action, events=events, cookie=cookie)

    def combine(self, *steps, closes=True):
        return self.call("combine", closes=closes,
                         steps=[{"kind": f"RESOURCE_STEP_{kind}", **more} for kind, more in steps])


class Daemon(harness.Daemon):
    def __init__(self, directory, mount="-"):
        self.socket = os.path.join(directory, "socket")
        super().__init__(directory, "daemon", [DAEMON, mount, self.socket],
                         lambda: self.log().startswith("ready"))


class ResourceRpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        cls.addClassCleanup(directory.cleanup)
        os.chmod(directory.name, 0o711)
        cls.daemon = Daemon(directory.name).start()
        cls.addClassCleanup(cls.daemon.stop)

    def setUp(self):
        self.client = self.connect()

    def connect(self):
        client = Client(self.daemon.socket)
        self.addCleanup(client.close)
        return client

    def refused(self, words, function, *args, **more):
        with self.assertRaises(Refused) as caught:
            function(*args, **more)
        self.assertIn(words, str(caught.exception))

    def command(self, words):
        handle = self.client.open("/ctl", WRITE)
        self.client.put(handle, words)
        self.client.call("close", handle=handle)

    def counts(self):
        """Without the call that asks, and its handle."""
        lines = base64.b64decode(self.client.combine(
            ("OPEN", {"open": {"path": "/.clients", "flags": READ}}),
            ("READ", {"read": {"handle": 0, "offset": 0, "size": 4096, "timeout_ms": 0}}),
        )["results"][1]["read"]["bytes"]).decode().splitlines()
        counts = {name: int(value) for name, value in map(str.split, lines)}
        counts["open"] -= 1
        return counts

    # ------------------------------------------------------------- names --

    def test_resolve(self):
        attr = self.client.call("resolve", path="/name", follow=True)
        self.assertEqual((oct(attr["mode"]), attr["uid"], attr["target"]),
                         ("0o100644", os.geteuid(), ""))
        link = self.client.call("resolve", path="/cur", follow=False)
        self.assertEqual((oct(link["mode"]), link["target"], link["size"]), ("0o120777", "name", 4))
        self.assertEqual(oct(self.client.call("resolve", path="/cur", follow=True)["mode"]),
                         "0o100644")
        for path, words in (("/none", "No such file"), ("/name/x", "Not a directory")):
            self.refused(f"{path}: {words}", self.client.call, "resolve", path=path, follow=True)

    def test_list_in_pages(self):
        everything = self.client.call("list", path="/watched", after="", count=0)
        self.assertEqual((len(everything["entries"]), everything["more"]), (1000, False))
        names, after, n_pages = [], "", 0
        while True:
            page = self.client.call("list", path="/watched", after=after, count=300)
            names += [entry["name"] for entry in page["entries"]]
            n_pages += 1
            if not page["more"]:
                break
            after = names[-1]
        self.assertEqual(n_pages, 4)
        self.assertEqual(names, sorted(str(i) for i in range(1000)))
        self.assertEqual(self.client.call("list", path="/watched", after="x", count=9),
                         {"entries": [], "more": False})
        self.refused("Not a directory", self.client.call, "list", path="/name", after="", count=0)

    # ----------------------------------------------------- read and write --

    def test_read_and_write(self):
        handle = self.client.open("/watched/1", READ | WRITE)
        self.assertEqual(self.client.text(handle), "same\n")
        self.assertEqual(self.client.text(handle, offset=2, size=2), "me")
        self.assertEqual(self.client.text(handle, offset=5), "")
        self.assertEqual(self.client.put(handle, "other"), 5)
        self.assertEqual(self.client.text(handle), "other\n")
        self.refused("Invalid argument", self.client.put, handle, "bad")
        self.assertEqual(self.client.call("stat", handle=handle)["vers"], 1)
        self.client.put(handle, "same")

    def test_handles(self):
        reader = self.client.open("/name")
        self.refused("Bad file descriptor", self.client.put, reader, "x")
        for flags in (0, NONBLOCK, 16 | READ, TRUNCATE | READ):
            self.refused("Invalid argument", self.client.open, "/name", flags)
        self.refused("/d: Is a directory", self.client.open, "/d", WRITE)
        # another client's, and one that is closed
        other = self.connect()
        self.refused("Bad file descriptor", other.text, reader)
        self.client.call("close", handle=reader)
        for name in ("close", "stat", "cancel"):
            self.refused("Bad file descriptor", self.client.call, name, handle=reader)

    def test_handles_are_bounded_and_go_with_the_client(self):
        other = self.connect()
        handles = [other.open("/name") for _ in range(MAX_HANDLES)]
        self.refused("Too many open files", other.open, "/name")
        self.assertEqual(self.counts()["open"], MAX_HANDLES)
        other.call("close", handle=handles[7])
        other.open("/name")
        other.close()
        wait_for("the handles to go", lambda: self.counts()["open"] == 0)

    def test_log_is_truncated(self):
        handle = self.client.open("/log", READ | WRITE | TRUNCATE)
        self.command("log one")
        self.assertEqual(self.client.text(handle, offset=1), "ne\n")
        self.assertEqual(self.client.call("stat", handle=handle)["size"], 4)
        self.client.open("/log", WRITE | TRUNCATE)
        self.assertEqual(self.client.call("stat", handle=handle)["size"], 0)

    def test_users(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be others")
        os.seteuid(NOBODY)
        try:
            nobody = self.connect()
        finally:
            os.seteuid(0)
        self.refused("/secret: Permission denied", nobody.open, "/secret")
        self.refused("/name: Permission denied", nobody.open, "/name", WRITE)
        self.assertEqual(nobody.text(nobody.open("/name")), "value\n")
        self.assertEqual(self.client.text(self.client.open("/secret")), "secret\n")

    # --------------------------------------------------------------- wait --

    def test_reader_waits(self):
        handle = self.client.open("/events")
        serials = [self.client.begin_read(handle) for _ in range(3)]
        wait_for("readers", lambda: self.counts()["waiting"] == 3)
        self.command("event one")
        self.command("event two")
        self.command("event three")
        self.assertEqual([self.client.end_read(serial) for serial in serials],
                         ["one\n", "two\n", "three\n"])

    def test_many_readers_hold_no_worker(self):
        clients = [self.connect() for _ in range(20)]
        serials = [[client.begin_read(client.open("/events")) for _ in range(20)]
                   for client in clients]
        wait_for("readers", lambda: self.counts()["waiting"] == 400)
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as status:
            n_threads = int(next(line for line in status if line.startswith("Threads:")).split()[1])
        self.assertLess(n_threads, 30)
        self.command("event all")
        for client, all_of_it in zip(clients, serials):
            for serial in all_of_it:
                self.assertEqual(client.end_read(serial), "all\n")

    def test_limits_of_waiting(self):
        handle = self.client.open("/events")
        before = time.monotonic()
        self.refused("timed out", self.client.text, handle, timeout_ms=50)
        self.assertLess(time.monotonic() - before, 5)
        self.refused("temporarily unavailable", self.client.text,
                     self.client.open("/events", READ | NONBLOCK))
        # what comes then is not lost in the call that gave up
        self.command("event later")
        self.assertEqual(self.client.text(handle), "later\n")

    def test_cancel(self):
        handle = self.client.open("/events")
        other = self.client.open("/events")
        serials = [self.client.begin_read(handle) for _ in range(2)]
        kept = self.client.begin_read(other)
        self.assertEqual(self.client.call("cancel", handle=handle)["count"], 2)
        for serial in serials:
            self.refused("Interrupted", self.client.end, serial)
        self.assertEqual(self.client.call("cancel", handle=handle)["count"], 0)
        self.client.call("close", handle=other)
        self.refused("Bad file descriptor", self.client.end, kept)

    # --------------------------------------------------------------- pool --

    def pool(self):
        words = self.client.text(self.client.open("/.pool")).split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def at_rest(self):
        return self.pool()["waiting"] == self.pool()["threads"]

    def test_what_blocks_is_run_by_the_pool(self):
        clients = [self.connect() for _ in range(4)]
        serials = [[client.begin_read(client.open("/gate")) for _ in range(15)]
                   for client in clients]
        full = {"threads": 50, "waiting": 0, "queued": 10}
        wait_for("all to be there", lambda: self.pool() == full)
        # some who run, or who wait, give up
        clients[3].close()
        wait_for("them to go", lambda: self.pool()["queued"] == 0 and
                 self.pool()["threads"] - self.pool()["waiting"] == 45)
        self.command("pass 45")
        for client, all_of_it in list(zip(clients, serials))[:3]:
            for serial in all_of_it:
                self.assertEqual(client.end_read(serial), "passed\n")
        wait_for("the rest", lambda: self.pool() == {"threads": 4, "waiting": 4, "queued": 0})

    def test_pool_is_left_by_who_gives_up(self):
        handle = self.client.open("/gate")
        serial = self.client.begin_read(handle)
        self.assertEqual(self.client.call("cancel", handle=handle)["count"], 1)
        self.refused("Interrupted", self.client.end, serial)
        self.refused("timed out", self.client.text, handle, timeout_ms=50)
        serial = self.client.begin_read(handle)
        self.client.call("close", handle=handle)
        self.refused("Bad file descriptor", self.client.end, serial)
        wait_for("the pool to be at rest", self.at_rest)
        self.command("pass 1")
        self.assertEqual(self.client.text(self.client.open("/gate")), "passed\n")

    def test_client_that_dies_leaves_nothing(self):
        other = self.connect()
        for _ in range(8):
            other.begin_read(other.open("/events"))
        wait_for("readers", lambda: self.counts()["waiting"] == 8)
        other.close()
        wait_for("them to go", lambda: self.counts()["open"] == self.counts()["waiting"] == 0)

    # ------------------------------------------------------------- events --

    def test_notify(self):
        handle = self.client.open("/watched/2", READ | WRITE)
        self.assertEqual(self.client.notify(handle, POLL)["ready"], select.POLLIN)
        self.assertEqual(self.client.notify(handle, ARM),
                         {"ready": select.POLLIN, "armed": False})
        self.client.text(handle)
        self.assertEqual(self.client.notify(handle, ARM, cookie=77), {"ready": 0, "armed": True})
        self.command("touch 2")
        event = self.client.event()
        self.assertEqual((event["handle"], event["cookie"], event["ready"]),
                         (handle, 77, select.POLLIN))
        # one shot; and the next is told of whatever is true
        self.command("touch 2")
        self.assertTrue(self.client.notify(handle, NEXT, cookie=78)["armed"])
        self.command("touch 2")
        self.assertEqual(self.client.event()["cookie"], 78)
        self.assertEqual(self.client.events, [])
        # taken back
        self.client.notify(handle, NEXT)
        self.client.notify(handle, POLL)
        self.command("touch 2")
        self.counts()
        self.assertEqual(self.client.events, [])

    def test_interrupted_for_a_successor(self):
        handle = self.client.open("/events")
        self.client.notify(handle, ARM, cookie=5)
        serial = self.client.begin_read(self.client.open("/events"))
        self.command("interrupt")
        self.refused("Interrupted", self.client.end, serial)
        event = self.client.event()
        self.assertEqual((event["cookie"], event["ready"]), (5, 0))

    # ------------------------------------------------- devctl, messages --

    def test_devctl(self):
        def devctl(handle, code, **more):
            data = struct.pack("=q", 21)
            return self.client.call("devctl", **{
                "handle": handle, "code": code, "max_size": 8, "timeout_ms": 0,
                "bytes": base64.b64encode(data).decode(), **more})

        handle = self.client.open("/ioctl", READ | WRITE)
        done = devctl(handle, DOUBLE_NUMBER)
        self.assertEqual((done["value"], struct.unpack("=q", base64.b64decode(done["bytes"]))),
                         (5, (42,)))
        self.assertEqual(len(base64.b64decode(devctl(handle, DOUBLE_NUMBER, max_size=3)["bytes"])),
                         3)
        self.refused("Inappropriate ioctl", devctl, handle, 1)
        self.refused("Inappropriate ioctl", devctl, self.client.open("/name"), DOUBLE_NUMBER)

    def test_messages(self):
        def send(number, text, max_size=100):
            return self.client.call("send", type=number, max_size=max_size,
                                    bytes=base64.b64encode(text.encode()).decode())

        for number in (1000, 1010):
            done = send(number, "hello")
            self.assertEqual((done["status"], base64.b64decode(done["bytes"])), (number, b"HELLO"))
        self.assertEqual(base64.b64decode(send(1005, "hello", 2)["bytes"]), b"HE")
        self.refused("Invalid argument", send, 1005, "")
        # outside of the range, and the connection stays
        for number in (999, 1011, 0):
            self.refused("not implemented", send, number, "hello")
        self.assertEqual(send(1000, "x")["status"], 1000)

    def test_pulses(self):
        before = self.counts()["pulses"]

        def pulse():
            client = self.connect()
            serials = [client.begin("pulse", code=7, value=2) for _ in range(250)]
            for serial in serials:
                client.end(serial)

        threads = [threading.Thread(target=pulse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.counts()["pulses"], before + 2000)
        self.refused("not implemented", self.client.call, "pulse", code=8, value=1)

    # ------------------------------------------------------------ combine --

    def test_combine(self):
        done = self.client.combine(
            ("OPEN", {"open": {"path": "/watched/3", "flags": READ | WRITE}}),
            ("WRITE", {"write": {"handle": 0, "offset": 0, "timeout_ms": 0,
                                 "bytes": base64.b64encode(b"new").decode()}}),
            ("STAT", {"stat": {"handle": 0}}),
            ("READ", {"read": {"handle": 0, "offset": 0, "size": 10, "timeout_ms": 0}}),
            ("CLOSE", {"close": {"handle": 0}}))
        self.assertEqual(done["error"], 0)
        self.assertEqual([result["kind"].split("_")[-1] for result in done["results"]],
                         ["OPEN", "WRITE", "STAT", "READ", "CLOSE"])
        self.assertEqual(base64.b64decode(done["results"][3]["read"]["bytes"]), b"new\n")
        self.assertEqual(self.counts()["open"], 0)

    def test_combine_stops_at_the_first_error(self):
        bad = ("WRITE", {"write": {"handle": 0, "offset": 0, "timeout_ms": 0,
                                   "bytes": base64.b64encode(b"bad").decode()}})
        good = ("WRITE", {"write": {"handle": 0, "offset": 0, "timeout_ms": 0,
                                    "bytes": base64.b64encode(b"good").decode()}})
        start = ("OPEN", {"open": {"path": "/watched/4", "flags": READ | WRITE}})
        done = self.client.combine(start, bad, good, closes=False)
        self.assertEqual((len(done["results"]), os.strerror(done["error"])),
                         (1, "Invalid argument"))
        # nothing of what is behind it was done, and nothing is left open
        self.assertEqual(self.counts()["open"], 0)
        self.assertEqual(self.client.text(self.client.open("/watched/4")), "same\n")

    def test_combine_keeps_a_handle(self):
        done = self.client.combine(("OPEN", {"open": {"path": "/name", "flags": READ}}),
                                   closes=False)
        self.assertEqual(self.client.text(done["results"][0]["open"]["handle"]), "value\n")

    def test_combine_waits(self):
        serial = self.client.begin("combine", closes=True, steps=[
            {"kind": "RESOURCE_STEP_OPEN", "open": {"path": "/events", "flags": READ}},
            {"kind": "RESOURCE_STEP_READ", "read": {"handle": 0, "offset": 0, "size": 99, "timeout_ms": 0}},
            {"kind": "RESOURCE_STEP_READ", "read": {"handle": 0, "offset": 0, "size": 99, "timeout_ms": 0}}])
        wait_for("it to wait", lambda: self.counts()["waiting"] == 1)
        self.command("event one")
        self.command("event two")
        self.assertEqual([base64.b64decode(result["read"]["bytes"])
                          for result in self.client.end(serial)["results"][1:]],
                         [b"one\n", b"two\n"])

    # ------------------------------------------------------------- wires --

    def test_text(self):
        answer = run("socat", "-t30", "-", f"UNIX-CONNECT:{self.daemon.socket}",
                     stdin=f'request="resource.resolve"\npath="/cur"\nfollow=0\n{END}').stdout
        self.assertIn('response="OK"', answer)
        self.assertIn('target="name"', answer)
        answer = run("socat", "-t30", "-", f"UNIX-CONNECT:{self.daemon.socket}",
                     stdin=f'request="resource.open"\npath="/none"\nflags=1\n{END}').stdout
        self.assertIn("No such file", answer)

    def xdr(self, client, serial, procedure, payload, fd=None):
        more = b"" if fd is None else struct.pack(">I", 1)
        client.sendall(struct.pack(">IIIiIII", 28 + len(more) + len(payload), PROGRAM, 1,
                                   procedure, 0 if fd is None else 4, serial, 0) + more + payload)
        if fd is not None:
            socket.send_fds(client, [b"\0"], [fd])
        return self.take_xdr(client)

    def take_xdr(self, client):
        """Procedure, status and body of the next message."""
        data = b""
        while len(data) < 28 or len(data) < struct.unpack(">I", data[:4])[0]:
            data += client.recv(4096)
        return struct.unpack(">iIII", data[12:28])[0], struct.unpack(">I", data[24:28])[0], data[28:]

    def test_xdr_and_an_eventfd(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(harness.WAIT_S)
        client.connect(self.daemon.socket)
        path = b"/events\0"
        _, status, body = self.xdr(client, 1, 3, struct.pack(">I", 7) + path + struct.pack(">I", 1))
        self.assertEqual(status, 0)
        handle = struct.unpack(">Q", body)[0]

        def arm(serial, fd):
            return self.xdr(client, serial, 15, struct.pack(">QiIQ", handle, 1, 1, 9), fd)

        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.addCleanup(os.close, fd)
        self.assertEqual(arm(2, fd), (15, 0, struct.pack(">Ii", 0, 1)))
        self.command("event for-the-eventfd")
        self.assertEqual(select.select([fd], [], [], harness.WAIT_S)[0], [fd])
        self.assertEqual(os.eventfd_read(fd), 1)
        _, status, body = self.xdr(client, 3, 5, struct.pack(">QQII", handle, 0, 99, 0))
        self.assertEqual((status, body[4:20]), (0, b"for-the-eventfd\n"))
        # what is no eventfd, and one that blocks, are refused
        pipe = os.pipe()
        blocking = os.eventfd(0)
        for serial, other in enumerate((*pipe, blocking), 4):
            self.assertEqual(arm(serial, other)[1], 1)
            os.close(other)
        # an event, where none came with it
        self.assertEqual(self.xdr(client, 8, 9, struct.pack(">QiIQ", handle, 1, 1, 10)),
                         (9, 0, struct.pack(">Ii", 0, 1)))
        self.command("event for-the-client")
        procedure, _, body = self.take_xdr(client)
        self.assertEqual((procedure, struct.unpack(">QQI", body[:20])), (10, (handle, 10, 1)))

    def test_eventfds_are_given_back(self):
        def count_fds():
            return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

        self.counts()  # who is there has been accepted
        before = count_fds()
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(harness.WAIT_S)
        client.connect(self.daemon.socket)
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.addCleanup(os.close, fd)
        for serial in range(1, 80, 2):
            _, _, body = self.xdr(client, serial, 3,
                                  struct.pack(">I", 7) + b"/events\0" + struct.pack(">I", 1))
            status = self.xdr(client, serial + 1, 15, body + struct.pack(">iIQ", 1, 1, 0), fd)[1]
            self.assertEqual(status, 0 if serial < 64 else 1)
        client.close()
        wait_for("all to be closed", lambda: count_fds() <= before)

    # ------------------------------------------------------------- shell --

    def reeve(self, *words, **more):
        return run(REEVE, "-c", f"unix:{self.daemon.socket}", *words, **more)

    def test_shell_lists(self):
        names = [line.split()[0] for line in self.reeve("ls").stdout.splitlines()[2:] if line]
        self.assertEqual(names, sorted(names))
        self.assertIn("events", names)
        self.assertEqual(json.loads(self.reeve("--json", "ls", "/d/sub").stdout),
                         [{"name": "in-both", "type": "file"},
                          {"name": "only-in-sub", "type": "file"}])
        tree = self.reeve("tree", "/d").stdout
        self.assertEqual(tree, "in-both\nonly-in-one\nonly-in-two\n"
                               "sub/\n  in-both\n  only-in-sub\n")
        for words in ("ls",), ("tree",), ("stat",), ("cat",), ("watch",), ("write", "x"):
            refused = self.reeve(words[0], "/none", *words[1:], check=False)
            self.assertEqual((refused.returncode, refused.stderr),
                             (4, "error: /none: No such file or directory\n"))
        self.assertEqual(self.reeve("cat", "/name/x", check=False).returncode, 1)

    def test_shell_completes_paths(self):
        def complete(path):
            return run(REEVE, "-c", f"unix:{self.daemon.socket}", "complete", "--", "cat",
                       path).stdout.split()

        self.assertEqual(complete("/d/"), ["/d/in-both", "/d/only-in-one", "/d/only-in-two",
                                           "/d/sub/"])
        self.assertEqual(complete("/sec"), ["/secret"])

    def test_shell_reads_and_writes(self):
        self.assertEqual(self.reeve("cat", "/watched/6").stdout, "same\n")
        self.reeve("write", "/watched/6", "words")
        self.assertEqual(self.reeve("cat", "/watched/6").stdout, "words\n")
        self.reeve("write", "/watched/6", stdin="by pipe\n")
        self.assertEqual(self.reeve("cat", "/watched/6").stdout, "by pipe\n")
        refused = self.reeve("write", "/watched/6", "bad", check=False)
        self.assertEqual((refused.returncode, refused.stderr),
                         (1, "error: /watched/6: Invalid argument\n"))
        self.assertIn("Target:   name\n", self.reeve("stat", "/cur").stdout)
        self.assertEqual(json.loads(self.reeve("--json", "stat", "/secret").stdout)["mode"], "0600")

    def start(self, *words):
        process = subprocess.Popen([REEVE, "-c", f"unix:{self.daemon.socket}", *words],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_shell_watches(self):
        watch = self.start("watch", "/watched/7", "--count", "2")
        self.assertEqual(watch.stdout.readline(), b"same\n")
        for text in ("first", "second"):
            self.reeve("write", "/watched/7", text)
            self.assertEqual(watch.stdout.readline(), f"{text}\n".encode())
        self.assertEqual(watch.wait(harness.WAIT_S), 0)

    def test_shell_waits_for_events(self):
        cat = self.start("cat", "/events")
        watch = self.start("watch", "/events")
        wait_for("both to wait", lambda: self.counts()["open"] == 2 and
                 self.counts()["waiting"] == 1)
        self.command("event one")
        for process in (cat, watch):
            self.assertEqual(process.stdout.readline(), b"one\n")


class Machines(harness.TestCase):
    """What reeved has, without a mount."""

    def reeve(self, *words, uri=None, **more):
        return run(REEVE, "-c", uri or self.reeved.shell_uri, *words, **more)

    def define(self, name):
        self.reeve("define", self.write(f"{name}.xml", self.boot_xml(name)))
        self.addCleanup(self.reeve, "undefine", name)

    def test_machine_is_driven(self):
        self.define("web")
        state = ("cat", "/machines/web/state")
        self.assertIn("web/", self.reeve("tree").stdout)
        self.assertEqual(self.reeve(*state).stdout, "shut off\n")
        self.reeve("write", "/machines/web/ctl", "start")
        self.assertEqual(self.reeve(*state).stdout, "running\n")
        refused = self.reeve("write", "/machines/web/ctl", "start", check=False)
        self.assertIn("busy", refused.stderr)
        self.reeve("write", "/machines/web/ctl", "destroy")
        self.assertEqual(self.reeve(*state).stdout, "shut off\n")

    def test_who_comes_from_elsewhere_is_nobody(self):
        self.define("far")
        uri = f"tcp:127.0.0.1:{self.reeved.port}"
        self.assertEqual(self.reeve("cat", "/machines/far/state", uri=uri).stdout, "shut off\n")
        refused = self.reeve("write", "/machines/far/ctl", "start", uri=uri, check=False)
        self.assertEqual((refused.returncode, refused.stderr),
                         (5, "error: /machines/far/ctl: Permission denied\n"))
        self.assertEqual(self.reeve("-r", "cat", "/machines/far/state").stdout, "shut off\n")
        refused = self.reeve("-r", "write", "/machines/far/ctl", "start", check=False)
        self.assertIn("ermission denied", refused.stderr)
        self.assertEqual(self.reeve("cat", "/machines/far/state").stdout, "shut off\n")

    def test_watch_goes_on(self):
        """With another daemon that takes over, and one that is started again."""
        self.define("watched")
        with subprocess.Popen([REEVE, "-c", self.reeved.shell_uri, "watch", "/server/pid"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            try:
                self.assertEqual(watch.stdout.readline(), f"{self.reeved.process.pid}\n")
                self.take_over()
                self.assertIn("/server/pid: opened again", watch.stderr.readline())
                self.assertEqual(watch.stdout.readline(), f"{self.reeved.process.pid}\n")
                self.reeved.kill()
                self.reeved.start()
                self.assertIn("/server/pid: opened again", watch.stderr.readline())
                self.assertEqual(watch.stdout.readline(), f"{self.reeved.process.pid}\n")
            finally:
                watch.kill()

    def test_watch_ends_with_its_resource(self):
        self.define("goes")
        with subprocess.Popen([REEVE, "-c", self.reeved.shell_uri, "watch",
                               "/machines/goes/autostart"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            try:
                self.assertEqual(watch.stdout.readline(), "0\n")
                self.reeve("write", "/machines/goes/autostart", "1")
                self.assertEqual(watch.stdout.readline(), "1\n")
                self.reeve("undefine", "goes")
                self.take_over()
                # there is no such machine any more
                wait_for("its end", lambda: watch.poll() is not None)
                self.assertEqual(watch.returncode, 4)
                self.assertIn("No such file", watch.stderr.read())
            finally:
                watch.kill()
                self.reeve("define", self.path("goes.xml"))

    def take_over(self):
        old = self.reeved.process
        self.reeved.words.append("--takeover")
        self.reeved.start()
        self.reeved.words.remove("--takeover")
        self.assertEqual(old.wait(harness.WAIT_S), 0)

    def test_takeover(self):
        client = Client(self.reeved.socket)
        self.addCleanup(client.close)
        handle = client.open("/machines/events")
        client.notify(handle, ARM, cookie=3)
        serial = client.begin_read(handle)
        self.take_over()
        for refused, words in (((client.end, serial), "Interrupted"),
                               ((client.text, handle), "Bad file descriptor")):
            with self.assertRaises(Refused) as caught:
                refused[0](*refused[1:])
            self.assertIn(words, str(caught.exception))
        event = client.event()
        self.assertEqual((event["cookie"], event["ready"]), (3, 0))
        self.assertEqual(client.text(client.open("/server/pid")), f"{self.reeved.process.pid}\n")


if __name__ == "__main__":
    harness.main("socat", "qemu-system-x86_64")
