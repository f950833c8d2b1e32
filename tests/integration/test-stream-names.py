# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listeners and connections by Open vSwitch's names of streams."""
import os
import re
import socket
import subprocess

import harness
from harness import REEVE, REEVED, run

ABSTRACT = f"@reeve-names-{os.getpid()}"


class Names(harness.TestCase):
    config = (
        "[listen]\n"
        "addresses=punix:beside.sock; punix:" + ABSTRACT + "; ptcp:0:127.0.0.1; ptcp:[::1]:0;"
        " pssl:0:127.0.0.1\n"
    )
    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ca = cls.path("ca")
        cls.reeved = harness.Reeved(cls.directory, cls.config)
        run(REEVE, "pki", "ca", ca, "CN=CA")
        run(REEVE, "pki", "server", f"{cls.reeved.root}/etc/pki", "127.0.0.1", "--ca", ca)
        run(REEVE, "pki", "client", cls.path("alice"), "CN=alice", "--ca", ca)
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)

    def ports(self, pattern):
        return re.findall(f"Listening at {pattern}:(\\d+)", self.reeved.log())

    def ask(self, name, check=True):
        return run(REEVE, "-c", name, "call", "reeve.version", check=check)

    def assert_serves(self, name):
        self.assertIn('"reeved"', self.ask(name).stdout, name)

    def test_unix(self):
        path = f"{self.reeved.root}/run/beside.sock"
        self.assert_serves(f"unix:{path}")
        self.assert_serves(f"unix:{os.path.relpath(path)}")

    def test_abstract(self):
        self.assert_serves(f"unix:{ABSTRACT}")
        self.assertIn(f"punix:{ABSTRACT} asks nobody who he is", self.reeved.log())
        self.assertFalse(os.path.exists(f"{self.reeved.root}/run/{ABSTRACT}"))

    def test_tcp(self):
        # that of the test's own command line, and Open vSwitch's order
        ports = self.ports(r"ptcp:127\.0\.0\.1")
        self.assertEqual(len(ports), 2)
        for port in ports:
            self.assert_serves(f"tcp:127.0.0.1:{port}")
            self.assert_serves(f"tcp:localhost:{port}")
        (port,) = self.ports(r"ptcp:\[::1\]")
        self.assert_serves(f"tcp:[::1]:{port}")

    def test_pssl(self):
        (port,) = self.ports(r"ptls:127\.0\.0\.1")
        self.assert_serves(f"qemu+tls://127.0.0.1:{port}/system?pkipath={self.path('alice')}")

    def test_exec(self):
        self.assert_serves(f"exec:socat - UNIX-CONNECT:{self.reeved.socket}")

    def test_fd(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.reeved.socket)
            done = subprocess.run([REEVE, "-c", f"fd:{client.fileno()}", "call", "reeve.version"],
                                  pass_fds=[client.fileno()], capture_output=True, text=True,
                                  timeout=60, check=True)
        self.assertIn('"reeved"', done.stdout)

    def test_refused(self):
        for name, why in (
            ("tcp:::1:16509", "an IPv6 address stands in brackets"),
            ("tcp:127.0.0.1:0", "nobody can connect to port 0"),
            ("unix:", "the path is missing"),
            ("fd:-1", "a file descriptor is a number"),
        ):
            done = self.ask(name, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"{name}: {why}", done.stderr)

    def test_listeners_refused(self):
        for name in "ptcp::127.0.0.1", "ptcp:0:::1", "ptcp:1:2", "punix:", "pexec:true":
            config = self.write("bad.conf", f"[listen]\naddresses={name}\n")
            done = run(REEVED, "--root", self.reeved.root, "--config", config, "--check-config",
                       check=False)
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn(f"{name}: ", done.stderr)

    def test_takeover(self):
        old = self.reeved
        ports = self.ports("ptls:127.0.0.1") + self.ports("ptcp:127.0.0.1")
        new = harness.Reeved(self.directory, self.config)
        new.log_path = self.path("successor.log")
        new.words = [*new.words, "--takeover"]
        new.start()
        type(self).reeved = new
        self.assertEqual(old.process.wait(harness.WAIT_S), 0)
        self.assertEqual(self.ports("ptls:127.0.0.1") + self.ports("ptcp:127.0.0.1"), ports)
        self.assertNotIn("no more", new.log())
        self.test_abstract()
        self.test_unix()


if __name__ == "__main__":
    harness.main("socat")
