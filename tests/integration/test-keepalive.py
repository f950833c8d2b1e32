# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is silent and who is gone: stock clients, the shell, and reeved."""
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVE, run, wait_for

INTERVAL_S = 1
COUNT = 2
GONE_S = INTERVAL_S * (COUNT + 1)
NO_SIGN = "no sign of life"

KEEPALIVE = (0x6B656570, 1)
REMOTE = (0x20008086, 1)
PING, PONG = 1, 2
CONNECT_OPEN = 1
SUSPEND = 34


def uuid_of(name):
    return uuid.uuid5(uuid.NAMESPACE_DNS, name)


def frame(program, procedure, kind, serial, payload=b""):
    return struct.pack(">IIIiIII", 28 + len(payload), *program, procedure, kind, serial, 0) + payload


def read_frame(stream):
    size = struct.unpack(">I", stream.read(4))[0]
    program, _, procedure, kind, serial, status = struct.unpack(">IIiIII", stream.read(24))
    stream.read(size - 28)
    return program, procedure, kind, serial, status


class Keepalive(harness.TestCase):
    config = (f"[server]\nkeepalive_interval = {INTERVAL_S}\nkeepalive_count = {COUNT}\n"
              "max_client_calls = 4\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        libvirt.virEventRegisterDefaultImpl()
        cls.is_running = True
        thread = threading.Thread(target=cls.run_events, daemon=True)
        thread.start()

    @classmethod
    def run_events(cls):
        while cls.is_running:
            libvirt.virEventRunDefaultImpl()

    def define(self, name):
        return run("virsh", "-q", "-c", self.reeved.unix_uri, "define",
                   self.write(f"{name}.xml", self.boot_xml(
                       name, uuid=uuid_of(name))))

    def spawn_event_loop(self, *words):
        """A client that prints events; it is connected when this returns."""
        log = open(self.path(f"events-{len(os.listdir(self.directory))}"), "w+",
                   encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env={**os.environ, "LC_ALL": "C"})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def has_event():
            self.define("told")
            return harness.read(log.name)

        wait_for("an event", has_event)
        return process, lambda: harness.read(log.name)

    def virsh_events(self, *options):
        return self.spawn_event_loop("stdbuf", "-oL", "virsh", "-c", self.reeved.unix_uri,
                                     *options, "event", "--event", "lifecycle", "--loop")

    def stop_qemu(self, name):
        """Starts a machine whose QEMU then hears nothing; returns its pid."""
        self.define(name)
        run("virsh", "-q", "-c", self.reeved.unix_uri, "start", name)
        self.wait_serial(name, "REEVE-BOOT")
        (pid,) = harness.qemus()[str(uuid_of(name))]
        os.kill(pid, signal.SIGSTOP)
        return pid

    def spawn_suspend(self, name):
        """A virsh whose call has left when this returns."""
        log = self.path("suspend.log")
        process = subprocess.Popen(
            ["virsh", "-q", "-c", self.reeved.unix_uri, "suspend", name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**os.environ, "LIBVIRT_LOG_FILTERS": "1:rpc",
                 "LIBVIRT_LOG_OUTPUTS": f"1:file:{log}"})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for("a call", lambda: f"proc={SUSPEND} type=0" in harness.read(log))
        return process

    def test_who_stays(self):
        """Clients without traffic stay, and one that is stopped while its call
        runs; one that is stopped and only waits does not."""
        qemu = self.stop_qemu("stuck")
        idle, idle_text = self.virsh_events("-k", str(INTERVAL_S), "-K", str(COUNT))
        connection = libvirt.open(self.reeved.unix_uri)
        self.assertEqual(connection.setKeepAlive(INTERVAL_S, COUNT), 0)
        caller = self.spawn_suspend("stuck")
        stopped, _ = self.virsh_events()
        self.assertIsNone(caller.poll())
        before = self.silent()
        caller.send_signal(signal.SIGSTOP)
        stopped.send_signal(signal.SIGSTOP)

        start = time.monotonic()
        wait_for("end of a silent client", lambda: self.silent() > before)
        self.assertGreater(time.monotonic() - start, GONE_S - INTERVAL_S)
        self.assertIn(NO_SIGN, self.reeved.log())
        time.sleep(GONE_S)
        self.assertEqual(self.silent(), before + 1)
        self.assertEqual(connection.isAlive(), 1)
        self.assertIsNone(idle.poll())
        self.define("after")
        wait_for("an event", lambda: "after" in idle_text())

        stopped.send_signal(signal.SIGCONT)
        os.kill(qemu, signal.SIGCONT)
        caller.send_signal(signal.SIGCONT)
        self.assertEqual(caller.wait(harness.WAIT_S), 0)
        connection.close()
        run("virsh", "-q", "-c", self.reeved.unix_uri, "destroy", "stuck")

    def test_server_stops(self):
        """The shell notices it in time, says so, and comes back."""
        process, text = self.spawn_event_loop(REEVE, "-c", self.reeved.shell_uri, "-k", "1",
                                              "-K", "2", "event", "--event", "lifecycle", "--loop")
        self.reeved.process.send_signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            wait_for("end of the connection", lambda: NO_SIGN in text())
            self.assertGreater(time.monotonic() - start, 1)
            self.assertIsNone(process.poll())
        finally:
            self.reeved.process.send_signal(signal.SIGCONT)
        wait_for("another connection", lambda: "connected again" in text())

    def test_reload(self):
        """Limits of the file hold after SIGHUP: nobody is asked any more."""
        self.define("told")
        stopped, _ = self.virsh_events()
        path = f"{self.reeved.root}/etc/reeved.conf"
        self.change(path, "keepalive_interval = 0\n")
        try:
            before = self.silent()
            stopped.send_signal(signal.SIGSTOP)
            time.sleep(GONE_S + 1)
            self.assertEqual(self.silent(), before)
        finally:
            self.change(path, self.config.partition("\n")[2])
        wait_for("end of a silent client", lambda: self.silent() > before)
        stopped.send_signal(signal.SIGCONT)

    def silent(self):
        """How many clients were silent too long."""
        text = run(REEVE, "-c", self.reeved.shell_uri, "--json", "call", "reeve.stats").stdout
        return int(harness.re.search(r"clients_silent\W+(\d+)", text).group(1))

    def change(self, path, limits):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[server]\n{limits}")
        self.reeved.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)

    def test_behind_calls(self):
        """Pings of a client with all the calls that it may have are answered."""
        qemu = self.stop_qemu("slow")
        domain = struct.pack(">I4s16si", 4, b"slow", uuid_of("slow").bytes, 1)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(harness.WAIT_S)
            peer.connect(self.reeved.socket)
            stream = peer.makefile("rb")
            peer.sendall(frame(REMOTE, CONNECT_OPEN, 0, 0, struct.pack(">III", 1, 0, 0)))
            self.assertEqual(read_frame(stream)[4], 0)
            peer.sendall(b"".join(frame(REMOTE, SUSPEND, 0, i + 1, domain) for i in range(8)))
            for _ in range(3):
                peer.sendall(frame(KEEPALIVE, PING, 2, 0))
                self.assertEqual(read_frame(stream)[:2], (KEEPALIVE[0], PONG))
            os.kill(qemu, signal.SIGCONT)
            self.assertEqual(sorted(read_frame(stream)[3] for _ in range(8)), list(range(1, 9)))
        run("virsh", "-q", "-c", self.reeved.unix_uri, "destroy", "slow")


if __name__ == "__main__":
    harness.main("virsh", "qemu-system-x86_64", "libvirt-python")
