# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Normal clients among 4 000 half-open and 1 000 silent TLS connections, of
which new ones keep coming, a client that floods and never reads, and one that
sends a byte now and then.

REEVE_HOSTILE_CALLS says how many calls each normal client makes;
REEVE_HOSTILE_FACTOR how much slower they may be than without the others.
"""
import collections
import json
import os
import resource
import socket
import statistics
import struct
import threading

import harness
from harness import REEVE, run, wait_for

CALLS = int(os.environ.get("REEVE_HOSTILE_CALLS", "500"))
FACTOR = float(os.environ.get("REEVE_HOSTILE_FACTOR", "0"))
ROUNDS = 3
N_CLIENTS = 10
N_HALF_OPEN = 4000
N_SILENT = 1000

MAX_UNAUTH = 64
MAX_REPLY_BYTES = 1 << 20
KIB = 1024
# What is no limit: what is read ahead of a client, and what a thread takes, with
# what the allocator keeps for it.
READ_AHEAD_BYTES = 64 * KIB
THREAD_BYTES = 512 * KIB

CLIENT_HELLO = bytes([0x16, 3, 1, 2, 0])
REMOTE = (0x20008086, 1)
CONNECT_OPEN, GET_CAPABILITIES = 1, 7


def frame(procedure, serial, payload=b""):
    return struct.pack(">IIIiIII", 28 + len(payload), *REMOTE, procedure, 0, serial, 0) + payload


class Hostile(harness.TestCase):
    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if limit < N_HALF_OPEN + N_SILENT + 500:
            raise harness.unittest.SkipTest(f"a process may open {limit} files and no more")
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        cls.reeved = harness.Reeved(
            cls.directory,
            f"[server]\nmax_unauth_clients = {MAX_UNAUTH}\n"
            f"max_client_reply_bytes = {MAX_REPLY_BYTES}\n")
        run(REEVE, "pki", "ca", cls.path("ca"))
        run(REEVE, "pki", "server", f"{cls.reeved.root}/etc/pki", "--ca", cls.path("ca"),
            "127.0.0.1")
        cls.reeved.words += ["--listen", "ptls:127.0.0.1:0"]
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        cls.is_hostile = True
        cls.peers = []

    def tls_port(self):
        return int(harness.re.search(r"ptls:127\.0\.0\.1:(\d+)", self.reeved.log()).group(1))

    def resident(self, key):
        text = harness.read(f"/proc/{self.reeved.process.pid}/status")
        return int(harness.re.search(rf"{key}:\s+(\d+)", text).group(1)) * KIB

    def forget_peak(self):
        with open(f"/proc/{self.reeved.process.pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")

    def bound(self):
        """How much memory the limits that are in force allow for."""
        (metrics,) = json.loads(
            run(REEVE, "--json", "-c", self.reeved.shell_uri, "srv-metrics", "reeved").stdout)
        limits = metrics["limits"]
        # ours, the two hostile ones that authenticated, and who asks this
        n_known = N_CLIENTS + 3
        n_threads = limits["max_workers"] + limits["priority_workers"]
        return (limits["max_unauth_clients"] * limits["max_unauth_message_bytes"]
                + n_known * (limits["max_client_reply_bytes"] + READ_AHEAD_BYTES)
                + n_threads * THREAD_BYTES)

    def files(self):
        return len(os.listdir(f"/proc/{self.reeved.process.pid}/fd"))

    def connect(self):
        """Four of five say something, and all say no more."""
        peer = socket.create_connection(("127.0.0.1", self.port), harness.WAIT_S)
        try:
            if self.n_connected % 5 < 4:
                peer.sendall(CLIENT_HELLO)
        except OSError:
            pass  # it had to make room already
        self.n_connected += 1
        self.silent.append(peer)

    def go_on_connecting(self):
        """There are as many as before, and the oldest go."""
        while self.is_hostile:
            self.silent.popleft().close()
            self.connect()
            threading.Event().wait(0.001)

    def close_silent(self):
        for peer in self.silent:
            peer.close()

    def flood(self, peer):
        calls = b"".join(frame(GET_CAPABILITIES, i + 2) for i in range(1000))
        try:
            while self.is_hostile:
                peer.sendall(calls)
        except OSError:
            pass

    def dribble(self, peer):
        for byte in frame(GET_CAPABILITIES, 2):
            if not self.is_hostile:
                return
            peer.sendall(bytes([byte]))
            threading.Event().wait(0.2)

    def start_hostile(self, what):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(self.reeved.socket)
        peer.sendall(frame(CONNECT_OPEN, 1, struct.pack(">III", 1, 0, 0)))
        thread = threading.Thread(target=what, args=(peer,), daemon=True)
        thread.start()
        self.peers.append((peer, thread))

    def start_all_hostile(self):
        for _ in range(N_HALF_OPEN + N_SILENT):
            self.connect()
        self.start_hostile(self.flood)
        self.start_hostile(self.dribble)
        self.others = threading.Thread(target=self.go_on_connecting, daemon=True)
        self.others.start()

    def stop_hostile(self):
        self.is_hostile = False
        for peer, thread in self.peers:
            peer.shutdown(socket.SHUT_RDWR)
            thread.join(harness.WAIT_S)
            peer.close()
        self.others.join(harness.WAIT_S)

    def load(self):
        done = run(os.environ["REEVE_LOAD"], self.reeved.unix_uri, N_CLIENTS, CALLS // ROUNDS + 1,
                   timeout_s=100)
        result = json.loads(done.stdout)
        self.assertEqual(result["failed"], 0)
        return result

    def print(self, what, results):
        median = statistics.median(result["median_us"] for result in results)
        worst = max(result["p99_us"] for result in results)
        print(f"# {what}: median {median:.0f} us, 99th percentile {worst} us")
        return median

    def test_flood(self):
        self.port, self.n_connected, self.silent = self.tls_port(), 0, collections.deque()
        self.addCleanup(self.close_silent)
        before = [self.load() for _ in range(ROUNDS)]
        rss, bound = self.resident("VmRSS"), self.bound()
        self.forget_peak()
        self.start_all_hostile()
        try:
            during = [self.load() for _ in range(ROUNDS)]
            wait_for("few connections", lambda: self.files() < MAX_UNAUTH + 200)
        finally:
            self.stop_hostile()
        peak = self.resident("VmHWM")
        print(f"# resident: {rss // KIB} KiB before, at most {peak // KIB} KiB with all of them, "
              f"{(rss + bound) // KIB} KiB allowed; {self.n_connected} connections")
        if not harness.SANITIZED:
            self.assertLess(peak, rss + bound)
        self.assertGreater(self.n_connected, N_HALF_OPEN + N_SILENT)

        factor = self.print("among them", during) / self.print("without them", before)
        print(f"# {factor:.2f} times as slow")
        if FACTOR > 0:
            self.assertLessEqual(factor, FACTOR)
        self.assertIn("did not authenticate", self.reeved.log())


if __name__ == "__main__":
    harness.main()
