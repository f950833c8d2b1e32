# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon of a user is started by the first client, once, and leaves again."""
import os
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
from harness import wait_for

CLIENTS = 50
NOBODY = 65534


class Autostart(unittest.TestCase):
    """Each test is a user with a home of his own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        self.addCleanup(directory.cleanup)
        self.addCleanup(harness.end_all)
        self.home = directory.name
        self.run_dir = os.path.join(self.home, "run")
        self.socket = os.path.join(self.run_dir, "reeve", "reeved.sock")
        self.log = os.path.join(self.home, "state", "reeve", "reeved.log")
        self.uid = os.geteuid() or NOBODY
        os.makedirs(os.path.join(self.run_dir, "reeve"))
        os.makedirs(os.path.join(self.home, "config", "reeve"))
        for path, _, _ in os.walk(self.home):
            os.chown(path, self.uid, self.uid)
            os.chmod(path, 0o700)

    def words(self, *words, **env):
        """A command of the user's."""
        env = {
            "HOME": self.home,
            "XDG_RUNTIME_DIR": self.run_dir,
            "XDG_CONFIG_HOME": f"{self.home}/config",
            "XDG_DATA_HOME": f"{self.home}/data",
            "XDG_STATE_HOME": f"{self.home}/state",
            "XDG_CACHE_HOME": f"{self.home}/cache",
            "REEVED_PATH": harness.REEVED,
            **env,
        }
        become = ([] if os.geteuid() != 0 else
                  ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"])
        return [*become, "env", *(f"{key}={value}" for key, value in env.items()), *words]

    def reeve(self, *words, **env):
        return harness.run(*self.words(harness.REEVE, *words, **env), check=False)

    def start(self, *words, **env):
        return subprocess.Popen(
            self.words(harness.REEVE, *words, **env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def daemons(self):
        harness.reap()
        return [pid for pid, program in harness.descendants().items()
                if os.path.basename(program) == "reeved"]

    def configure(self, text):
        path = f"{self.home}/config/reeve/reeved.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.uid, self.uid)

    def stop(self):
        for pid in self.daemons():
            os.kill(pid, signal.SIGTERM)
        wait_for("the end of the daemon", lambda: not self.daemons())
        self.assertNotIn("Sanitizer", harness.read(self.log))

    def answers(self, clients):
        return [(*client.communicate(timeout=harness.WAIT_S * 2), client.returncode)
                for client in clients]

    def test_one_daemon_for_clients_that_come_at_once(self):
        answers = self.answers([self.start("uri") for _ in range(CLIENTS)])
        self.assertEqual(set(answers), {("qemu:///session\n", "", 0)})
        self.assertEqual(len(self.daemons()), 1)
        # it is no child of a client, has none of its files, and stays
        [daemon] = self.daemons()
        self.assertEqual(os.getsid(daemon), daemon)
        self.assertEqual(self.reeve("uri").stdout, "qemu:///session\n")
        self.assertEqual(self.daemons(), [daemon])
        self.assertIn("is ready", harness.read(self.log))
        self.assertEqual(os.listdir(f"{self.run_dir}/reeve").count("start.notify"), 0)
        self.stop()

    def test_each_hears_why_it_does_not_start(self):
        self.configure("[server]\nmax_clients = many\n")
        answers = self.answers([self.start("uri") for _ in range(CLIENTS)])
        for out, err, status in answers:
            self.assertEqual((out, status), ("", 3))
            self.assertIn("max_clients", err)
            self.assertIn("many", err)
        # most of them heard it from the one that tried
        self.assertLess(harness.read(self.log).count("max_clients"), CLIENTS / 2)
        # and the next one tries anew
        self.configure("")
        self.assertEqual(self.reeve("uri").stdout, "qemu:///session\n")
        self.stop()

    def test_a_socket_that_nobody_serves(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(self.socket)
        os.chown(self.socket, self.uid, self.uid)
        self.assertEqual(self.reeve("uri").stdout, "qemu:///session\n")
        self.stop()

    def test_a_socket_that_somebody_else_serves(self):
        """It is left alone, and so is whoever listens."""
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.socket)
            os.chown(self.socket, self.uid, self.uid)
            other.listen()
            client = self.start("--timeout", "1", "uri")
            peer, _ = other.accept()
            _, err, status = self.answers([client])[0]
            self.assertNotEqual(status, 0)
            peer.close()
            self.assertEqual(self.daemons(), [])
            self.assertTrue(os.path.exists(self.socket))
        self.assertNotIn("does not start", err)

    def test_no_daemon_and_none_wanted(self):
        missing = self.reeve("uri", REEVED_PATH="/no/such/reeved")
        self.assertEqual(missing.returncode, 3)
        self.assertIn("/no/such/reeved does not start", missing.stderr)
        unwanted = self.reeve("uri", REEVED_PATH="")
        self.assertEqual(unwanted.returncode, 3)
        self.assertIn("Cannot connect to", unwanted.stderr)
        elsewhere = self.reeve("-c", f"unix:{self.home}/other.sock", "uri")
        self.assertEqual(elsewhere.returncode, 3)
        self.assertEqual(self.daemons(), [])

    def test_it_dies_while_it_starts(self):
        failed = self.reeve("uri", REEVED_PATH="/bin/false")
        self.assertEqual(failed.returncode, 3)
        self.assertIn("gives no reason", failed.stderr)
        asleep = self.start("--timeout", "1", "uri", REEVED_PATH=self.sleeper())
        self.assertIn("too long", self.answers([asleep])[0][1])

    def sleeper(self):
        path = f"{self.home}/sleeper"
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec sleep 60\n")
        os.chmod(path, 0o755)
        return path

    def test_it_leaves_and_comes_back(self):
        self.assertEqual(self.reeve("uri").stdout, "qemu:///session\n")
        [first] = self.daemons()
        self.assertIn("--timeout\0", harness.read(f"/proc/{first}/cmdline"))
        self.reeve("daemon-timeout", "1")
        wait_for("its end", lambda: not self.daemons())
        self.assertEqual(self.reeve("uri").stdout, "qemu:///session\n")
        self.assertEqual(len(self.daemons()), 1)
        self.stop()

    def test_killed_under_a_client(self):
        """Whoever keeps its connection brings it back."""
        shell = subprocess.Popen(
            self.words(harness.REEVE), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        for _ in range(2):
            shell.stdin.write("uri\n")
            shell.stdin.flush()
            self.assertEqual(shell.stdout.readline(), "qemu:///session\n")
            [daemon] = self.daemons()
            os.kill(daemon, signal.SIGKILL)
        out, err = shell.communicate("uri\n", timeout=harness.WAIT_S)
        self.assertEqual((out, err), ("qemu:///session\n", ""))
        self.stop()


harness.main(harness.REEVED, *(["setpriv"] if os.geteuid() == 0 else []))
