# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd gives a daemon, by its own tools and without a running one."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import harness
from harness import run, wait_for


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


class Notify(harness.TestCase):
    with_reeved = False
    config = "[daemon]\noverdue_after = 1\n"

    def start(self, **env):
        """A reeved that is not yet ready when this returns."""
        self.supervisor = harness.Supervisor(self.path("notify"))
        self.addCleanup(os.unlink, self.supervisor.path)
        self.addCleanup(self.supervisor.close)
        reeved = harness.Reeved(self.directory, self.config)
        reeved.env = {"NOTIFY_SOCKET": self.supervisor.path, **env}
        reeved.spawn()
        self.addCleanup(lambda: reeved.process.poll() is None and reeved.kill())
        return reeved

    def test_ready_when_it_answers_and_stopping_when_it_ends(self):
        reeved = self.start()
        self.supervisor.wait_for("READY", "1")
        run("virsh", "-c", reeved.unix_uri, "list")
        reeved.process.terminate()
        self.supervisor.wait_for("STOPPING", "1")
        self.assertGreater(int(self.supervisor.wait_for("EXTEND_TIMEOUT_USEC")), 30e6)
        self.assertEqual(reeved.process.wait(harness.WAIT_S), 0)

    def test_reloading_has_a_time_and_an_end(self):
        reeved = self.start()
        self.supervisor.wait_for("READY", "1")
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        reeved.process.send_signal(signal.SIGHUP)
        self.supervisor.wait_for("RELOADING", "1")
        at_us = int(self.supervisor.wait_for("MONOTONIC_USEC"))
        self.assertGreaterEqual(at_us, before_us)
        self.assertLess(at_us, before_us + 30e6)
        self.supervisor.wait_for("READY", "1")
        reeved.stop()

    def test_a_start_that_fails_says_why(self):
        with open(os.path.join(self.directory, "reeved.bad"), "w", encoding="utf-8") as file:
            file.write("[server]\nmax_clients = many\n")
        reeved = self.start()
        self.supervisor.wait_for("READY", "1")
        second = harness.run(harness.REEVED, "--root", reeved.root, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"process {reeved.process.pid} is running", second.stderr)
        reeved.stop()
        self.supervisor.drain()
        done = subprocess.run(
            [harness.REEVED, "--root", reeved.root, "-f", self.path("reeved.bad")],
            env={**os.environ, "LC_ALL": "C", "NOTIFY_SOCKET": self.supervisor.path},
            capture_output=True, timeout=harness.WAIT_S, check=False)
        self.assertEqual(done.returncode, 6)
        self.assertIn("max_clients", self.supervisor.wait_for("STATUS"))

    def test_the_variables_reach_no_child(self):
        reeved = self.start(WATCHDOG_USEC="1000000", FDSTORE="1")
        self.supervisor.wait_for("READY", "1")
        connection = ["virsh", "-c", reeved.unix_uri]
        run(*connection, "create", self.write("m.xml", self.boot_xml("m")))
        (qemu,) = [pid for pids in harness.qemus().values() for pid in pids]
        environ = harness.read(f"/proc/{qemu}/environ")
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "FDSTORE", "LISTEN_"):
            self.assertNotIn(name, environ)
        run(*connection, "destroy", "m")
        reeved.stop()

    def test_the_watchdog_is_fed_unless_a_job_is_overdue(self):
        """A worker waits for an emulator that does not tell what it can."""
        go = self.path("go")
        program = self.write("emulator", f"""#!/bin/sh
            while [ ! -e {go} ]; do sleep 0.05; done
            exec {shutil.which("qemu-system-x86_64")} "$@"
            """)
        os.chmod(program, 0o755)
        reeved = self.start(WATCHDOG_USEC="100000")
        for _ in range(3):
            self.supervisor.wait_for("WATCHDOG", "1")
        client = harness.spawn("virsh", "-c", reeved.unix_uri, "domcapabilities",
                               "--emulatorbin", program)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        wait_for("overdue job", lambda: "has been busy with" in reeved.log())
        self.assertEqual(self.supervisor.count("WATCHDOG", 0.5), 0)
        # the others are served meanwhile
        run("virsh", "-c", reeved.unix_uri, "list")
        self.write("go", "")
        self.supervisor.wait_for("WATCHDOG", "1")
        self.assertEqual(client.wait(harness.WAIT_S), 0)
        self.assertEqual(reeved.log().count("has been busy with"), 1)
        reeved.stop()

    def test_a_watchdog_of_another_process_is_not_fed(self):
        reeved = self.start(WATCHDOG_USEC="20000", WATCHDOG_PID="1")
        self.supervisor.wait_for("READY", "1")
        self.assertEqual(self.supervisor.count("WATCHDOG", 0.2), 0)
        reeved.stop()

    def start_that_cannot_stop(self):
        """It reads a configuration that does not come to its end."""
        reeved = self.start()
        self.supervisor.wait_for("READY", "1")
        os.makedirs(f"{reeved.root}/etc/reeved.conf.d", exist_ok=True)
        endless = f"{reeved.root}/etc/reeved.conf.d/endless.conf"
        os.mkfifo(endless)
        self.addCleanup(os.unlink, endless)
        reeved.process.send_signal(signal.SIGHUP)
        self.supervisor.wait_for("RELOADING", "1")
        reeved.process.terminate()
        self.supervisor.wait_for("STOPPING", "1")
        return reeved

    def test_a_stop_that_does_not_end_is_ended(self):
        self.config = "[daemon]\nstop_timeout = 1\n"
        reeved = self.start_that_cannot_stop()
        self.assertEqual(reeved.process.wait(harness.WAIT_S), 1)
        self.assertIn("has not ended within 1 seconds", reeved.log())

    def test_a_second_signal_ends_a_stop_that_hangs(self):
        reeved = self.start_that_cannot_stop()
        reeved.process.terminate()
        self.assertEqual(reeved.process.wait(harness.WAIT_S), 1)

    def test_listeners_are_stored_and_come_back(self):
        """What a client sends between two daemons waits for the second."""
        first = self.start(FDSTORE="64")
        self.supervisor.wait_for("READY", "1")
        stored = {**self.supervisor.fds}
        self.assertEqual(sorted(stored), ["admin", "ptcp%3A127.0.0.1%3A0", "ro", "rw"])
        port = first.port
        first.kill()
        client = subprocess.Popen(
            ["virsh", "-c", f"qemu+tcp://127.0.0.1:{port}/system", "uri"],
            stdout=subprocess.PIPE, text=True)
        names = list(stored)

        def hand_over():
            # not by subprocess: the numbers must be 3 and what follows
            fds = [os.dup2(stored[name], 100 + i) for i, name in enumerate(names)]
            for i, fd in enumerate(fds):
                os.dup2(fd, 3 + i)
                os.set_inheritable(3 + i, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)),
                              LISTEN_FDNAMES=":".join(names))

        log = self.path("second.log")
        pid = os.fork()
        if pid == 0:
            hand_over()
            out = os.open(log, os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 2)
            os.execv(harness.REEVED, first.words)
        self.assertIn("system", client.communicate(timeout=harness.WAIT_S)[0])
        self.assertIn(f"Listening at ptcp:127.0.0.1:{port}", harness.read(log))
        run("virsh", "-c", first.unix_uri, "list")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        # they may be wanted a third time
        self.assertTrue(os.path.exists(first.socket))


class Scopes(harness.TestCase):
    """Each QEMU in a unit of its own, where there is a systemd to ask."""

    with_reeved = False

    def test_a_machine_gets_a_scope(self):
        if os.geteuid() != 0:
            self.skipTest("others have a bus of their own")
        bus = harness.Bus(self.directory)
        systemd = harness.Daemon(
            self.directory, "systemd",
            [sys.executable, os.path.join(os.path.dirname(__file__), "systemd-in-place.py"),
             self.directory], lambda: "ready" in systemd.log())
        reeved = harness.Reeved(self.directory, "[log]\nlevel = debug\n")
        for daemon in (bus, systemd, reeved):
            daemon.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus.path}"}
            daemon.start()
        connection = ["virsh", "-c", reeved.unix_uri]
        xml = self.write("m.xml", self.boot_xml("m"))
        run(*connection, "create", xml)
        ((uuid, (pid,)),) = harness.qemus().items()
        name, mode, properties, _ = json.loads(harness.read(self.path("asked")))
        self.assertEqual(name, f"reeve-machine-{uuid}.scope")
        self.assertEqual(mode, "fail")
        self.assertEqual(dict(properties)["PIDs"], [pid])
        run(*connection, "destroy", "m")
        # one that cannot be had, and no systemd at all, cost nothing
        self.write("refuse", "")
        run(*connection, "create", xml)
        self.assertIn("it is there already", reeved.log())
        run(*connection, "destroy", "m")
        systemd.kill()
        run(*connection, "create", xml)
        bus.kill()
        run(*connection, "destroy", "m")
        run(*connection, "create", xml)
        wait_for("line", lambda: reeved.log().count("no scope for process") == 3)
        run(*connection, "destroy", "m")
        reeved.stop()


class Log(harness.TestCase):
    with_reeved = False

    def test_the_journal_gets_fields(self):
        """By its own protocol, at a socket that only this daemon sees."""
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        os.mkdir(self.path("journal"))
        journal.bind(self.path("journal/socket"))
        journal.settimeout(harness.WAIT_S)
        reeved = harness.Reeved(self.directory, "[log]\noutputs = 1:journald\n")
        script = """mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
            mount --bind "$1" /run/systemd/journal && shift && exec "$@" """
        reeved.words = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["-r"]), "sh",
                        "-c", script, "sh", self.path("journal"), *reeved.words]
        reeved.spawn()
        self.addCleanup(lambda: reeved.process.poll() is None and reeved.kill())
        entry = b""
        while b" is ready" not in entry:
            entry = journal.recv(65536)
        fields = dict(line.split("=", 1) for line in entry.decode().splitlines())
        header = harness.read(f"{Units.source}/../../src/daemon/message-ids.h")
        (ready,) = re.findall(r'MESSAGE_READY\s+"(\w+)"', header)
        self.assertEqual(fields["MESSAGE_ID"], ready)
        self.assertEqual(fields["PRIORITY"], "5")
        self.assertEqual(fields["SYSLOG_IDENTIFIER"], "reeved")
        self.assertEqual(fields["TID"], str(reeved.process.pid))
        self.assertTrue(fields["CODE_FILE"].endswith("daemon.c"))
        self.assertNotEqual(fields["CODE_LINE"], "")
        reeved.process.terminate()
        self.assertEqual(reeved.process.wait(harness.WAIT_S), 0)

    def test_systemd_gets_priorities_where_it_reads_lines(self):
        for is_read in (True, False):
            reeved = harness.Reeved(self.directory)
            self.write("reeved.log", "")
            info = os.stat(reeved.log_path)
            # as of a service whose output was directed to a file of its own
            inode = info.st_ino if is_read else info.st_ino + 1
            reeved.env = {"JOURNAL_STREAM": f"{info.st_dev}:{inode}"}
            reeved.start()
            self.assertEqual(bool(re.search("^<5>daemon.*is ready", reeved.log(), re.M)),
                             is_read)
            reeved.stop()


class Units(harness.TestCase):
    """What is installed, by systemd's own judgement."""

    with_reeved = False
    folder = os.environ.get("REEVE_UNITS", "")
    source = os.path.join(os.path.dirname(__file__), "..", "..", "data", "systemd")

    def test_the_service_is_exposed_to_less_than_3_5(self):
        done = run("systemd-analyze", "security", "--offline=true", "--threshold=35",
                   f"{self.folder}/reeved.service")
        self.assertRegex(done.stdout, r"Overall exposure level for reeved.service: [0-3]\.")

    def test_systemd_understands_all_of_them(self):
        names = [name for name in os.listdir(self.folder)
                 if name.endswith((".service", ".socket"))]
        self.assertEqual(len(names), 6)
        for name in names:
            text = harness.read(f"{self.folder}/{name}")
            # what is tested is not installed
            self.write(name, re.sub("ExecStart=[^ ]*", f"ExecStart={harness.REEVED}", text))
        done = run("systemd-analyze", "verify", "--man=no",
                   *(self.path(name) for name in names))
        self.assertEqual(done.stdout + done.stderr, "")

    def test_users_and_folders(self):
        os.makedirs(self.path("root/etc"))
        for tool, name in (("sysusers", "reeve.sysusers"), ("tmpfiles", "reeve.tmpfiles")):
            os.makedirs(self.path(f"root/usr/lib/{tool}.d"))
            shutil.copy(f"{self.source}/{name}", self.path(f"root/usr/lib/{tool}.d/reeve.conf"))
        run("systemd-sysusers", f"--root={self.path('root')}", "reeve.conf")
        self.assertIn("reeve:", harness.read(self.path("root/etc/passwd")))
        self.assertRegex(harness.read(self.path("root/etc/group")), r"kvm:x:\d+:reeve")
        if os.geteuid() == 0:
            run("systemd-tmpfiles", f"--root={self.path('root')}", "--create", "reeve.conf")
            self.assertEqual(os.stat(self.path("root/run/reeve")).st_mode & 0o777, 0o755)

    def test_each_message_of_the_code_is_in_the_catalogue(self):
        for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
            os.makedirs(self.path(f"journal/{folder}"))
        shutil.copy(f"{self.source}/reeve.catalog",
                    self.path("journal/usr/lib/systemd/catalog/reeve.catalog"))
        root = f"--root={self.path('journal')}"
        run("journalctl", root, "--update-catalog")
        listed = run("journalctl", root, "--list-catalog").stdout
        header = harness.read(f"{self.source}/../../src/daemon/message-ids.h")
        ids = re.findall(r'"([0-9a-f]{32})"', header)
        self.assertGreater(len(ids), 5)
        self.assertEqual(sorted(re.findall(r"^[0-9a-f]{32}", listed, re.M)), sorted(ids))


if __name__ == "__main__":
    harness.main("dbus-daemon", "python3-gi", "systemd-analyze", "systemd-socket-activate", "systemd-sysusers", "virsh",
                 "virt-admin")
