# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd gives a daemon, by its own tools and without a running one."""
import os

import harness
from harness import run


class Activated(harness.Daemon):
    """A reeved that systemd-socket-activate starts for the first connection."""

    def __init__(self, directory, sockets, *options):
        """`sockets` are pairs of a name, or None, and an address."""
        self.root = os.path.join(directory, "reeved")
        words = ["systemd-socket-activate"]
        if sockets[0][0] is not None:
            words.append("--fdname=" + ":".join(name for name, _ in sockets))
        for _, address in sockets:
            words += ["-l", address]
        super().__init__(
            directory, "activated",
            words + [harness.REEVED, "--root", self.root, *options],
            lambda: self.log().count("Listening on") == len(sockets))


class Activation(harness.TestCase):
    with_reeved = False

    def start(self, *sockets, options=()):
        daemon = Activated(self.directory, sockets, *options).start()
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.kill())
        return daemon

    def uri(self, name):
        return f"qemu+unix:///system?socket={self.path(name)}"

    def test_each_socket_is_what_its_name_says(self):
        daemon = self.start(*((name, self.path(name)) for name in ("admin", "ro", "rw")))
        xml = self.write("m.xml", harness.machine_xml("m"))
        run("virsh", "-c", self.uri("rw"), "define", xml)
        listed = run("virsh", "-c", self.uri("ro"), "list", "--all", "--name")
        self.assertEqual(listed.stdout.split(), ["m"])
        refused = run("virsh", "-c", self.uri("ro"), "undefine", "m", check=False)
        self.assertIn("read only", refused.stderr)
        servers = run("virt-admin", "-c", f"libvirtd:///system?socket={self.path('admin')}",
                      "server-list")
        self.assertIn("reeved", servers.stdout)
        # nothing was made beside them
        self.assertFalse(os.path.exists(f"{daemon.root}/run/reeved.sock"))
        daemon.stop()
        # they are systemd's, and it listens on
        for name in ("admin", "ro", "rw"):
            self.assertTrue(os.path.exists(self.path(name)), name)

    def test_several_addresses_of_the_network(self):
        ports = [harness.free_port() for _ in range(2)]
        daemon = self.start(*(("tcp", f"127.0.0.1:{port}") for port in ports))
        for port in ports:
            run("virsh", "-c", f"qemu+tcp://127.0.0.1:{port}/system", "list")
        self.assertIn(f"Listening at ptcp:127.0.0.1:{ports[1]}", daemon.log())
        daemon.stop()

    def check_refused(self, sockets, words, options=()):
        daemon = self.start(*sockets, options=options)
        refused = run("virsh", "-c", self.uri(sockets[0][1].split("/")[-1]), "list",
                      check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual(daemon.process.wait(harness.WAIT_S), 1)
        self.assertIn(words, daemon.log())

    def test_a_name_that_is_unknown_is_refused(self):
        self.check_refused([("rwx", self.path("a"))], "“rwx”, which is none of rw, ro, admin")

    def test_a_name_that_comes_twice_is_refused(self):
        self.check_refused([("rw", self.path("a")), ("rw", self.path("b"))],
                           "two sockets were handed over with the name “rw”")

    def test_sockets_without_names_are_refused(self):
        self.check_refused([(None, self.path("a"))], "$LISTEN_FDNAMES has 0 names")

    def test_variables_for_another_process_are_ignored(self):
        """As of a service whose shell script starts us."""
        reeved = harness.Reeved(self.directory)
        reeved.env = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "x"}
        reeved.start()
        with open(f"/proc/{reeved.process.pid}/environ", encoding="utf-8") as file:
            self.assertIn("LISTEN_PID=1", file.read())
        run("virsh", "-c", reeved.unix_uri, "list")
        reeved.stop()

    def test_it_comes_back_after_it_was_idle(self):
        """The socket outlives the daemon, and the next client starts it anew."""
        path = self.path("again")
        daemon = Activated(self.directory, [("rw", path)], "--timeout", "1")
        for _ in range(2):
            daemon.start()
            run("virsh", "-c", self.uri("again"), "list")
            self.assertEqual(daemon.process.wait(harness.WAIT_S), 0)
            self.assertIn("nobody needs", daemon.log())


if __name__ == "__main__":
    harness.main("systemd-socket-activate", "virsh", "virt-admin")
