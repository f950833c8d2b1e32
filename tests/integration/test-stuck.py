# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine whose QEMU is stopped delays nobody."""
import os
import signal
import socket
import statistics
import time

try:
    import libvirt
    import libvirt_qemu
except ImportError:
    libvirt = None

import harness
from harness import REEVE, run, wait_for

CALL_TIMEOUT_S = 3
ROUNDS = 15
ANSWER_S = 0.1 if not harness.SANITIZED else 1.0


class Stuck(harness.TestCase):
    config = f"[server]\ncall_timeout = {CALL_TIMEOUT_S}\n"

    def setUp(self):
        self.connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(self.connection.close)
        self.domains = {name: self.connection.defineXML(self.boot_xml(name))
                        for name in ("stuck", "well", "off")}
        for name in ("stuck", "well"):
            self.domains[name].create()
            self.wait_serial(name, "REEVE-BOOT")
        (self.stuck,) = harness.qemus()[self.domains["stuck"].UUIDString()]
        os.kill(self.stuck, signal.SIGSTOP)

    def tearDown(self):
        for domain in self.connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
            domain.undefine()
        self.assertEqual(harness.qemus(), {})

    def list_by_json(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.reeved.socket)
            client.sendall(b'{"id":1,"method":"machine.list","params":[]}')
            self.assertIn(b"stuck", client.makefile("rb").readline())

    def reads(self):
        """What looks at machines, by name."""
        connection = self.connection
        reads = {
            "list": connection.listAllDomains,
            "machine.list": self.list_by_json,
            "domstats": connection.getAllDomainStats,
            "domstats of their state": lambda: connection.getAllDomainStats(
                libvirt.VIR_DOMAIN_STATS_STATE),
        }
        for name, domain in self.domains.items():
            reads[f"domstate {name}"] = domain.state
            reads[f"dominfo {name}"] = domain.info
            reads[f"dumpxml {name}"] = domain.XMLDesc
            reads[f"maxmemory {name}"] = domain.maxMemory
        return reads

    def check_reads(self):
        for name, read in self.reads().items():
            with self.subTest(name):
                times = []
                for _ in range(ROUNDS):
                    start = time.monotonic()
                    read()
                    times.append(time.monotonic() - start)
                median = statistics.median(times)
                print(f"# {name}: {median * 1000:.2f} ms")
                self.assertLess(median, ANSWER_S)

    def changes(self):
        """What needs the monitor, by name."""
        domain = self.domains["stuck"]
        return {
            "suspend": domain.suspend,
            "reset": domain.reset,
            "shutdown": domain.shutdown,
            "monitor": lambda: libvirt_qemu.qemuMonitorCommand(
                domain, '{"execute":"query-status"}', 0),
            "send-key": lambda: domain.sendKey(
                libvirt.VIR_KEYCODE_SET_LINUX, 0, [30], 1, 0),
            "setmem": lambda: domain.setMemoryFlags(
                24 * 1024, libvirt.VIR_DOMAIN_AFFECT_LIVE),
        }

    def test_reads_answer(self):
        self.check_reads()

    def test_calls_end_at_their_deadline(self):
        for name, change in self.changes().items():
            with self.subTest(name):
                start = time.monotonic()
                with self.assertRaises(libvirt.libvirtError) as caught:
                    change()
                self.assertEqual(caught.exception.get_error_code(),
                                 libvirt.VIR_ERR_OPERATION_TIMEOUT,
                                 caught.exception)
                self.assertLess(time.monotonic() - start, CALL_TIMEOUT_S + 5)
        # what timed out is not in the way of what looks, nor of the others
        self.check_reads()
        self.domains["well"].suspend()
        self.domains["well"].resume()

    def test_reads_answer_while_a_call_waits(self):
        """The waiting call costs no thread and holds no lock."""
        waiting = [
            harness.spawn("virsh", "-c", self.reeved.unix_uri, "suspend", "stuck")
            for _ in range(12)
        ]
        self.check_reads()
        self.domains["well"].suspend()
        self.domains["well"].resume()
        for process in waiting:
            self.assertNotEqual(process.wait(harness.WAIT_S), 0)

    def test_destroy(self):
        """SIGKILL ends also what is stopped."""
        self.domains["stuck"].destroy()
        self.assertEqual(self.domains["stuck"].state(), [
            libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED])
        self.assertEqual(len(harness.qemus()), 1)

    def test_it_goes_on(self):
        with self.assertRaises(libvirt.libvirtError):
            self.domains["stuck"].suspend()
        os.kill(self.stuck, signal.SIGCONT)
        domain = self.domains["stuck"]

        def answers():
            try:
                libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-status"}', 0)
            except libvirt.libvirtError:
                return False
            return True

        wait_for("an answer", answers)
        # the late pause took place, and is known
        wait_for("a pause", lambda: domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED)
        domain.resume()
        self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_RUNNING)

    def test_taken_up(self):
        """A daemon that finds it stopped serves all the same."""
        self.reeved.kill()
        start = time.monotonic()
        self.reeved.start()
        self.assertLess(time.monotonic() - start, 15)
        self.connection = libvirt.open(self.reeved.unix_uri)
        self.domains = {d.name(): d for d in self.connection.listAllDomains()}
        self.check_reads()
        self.assertEqual(self.domains["stuck"].state()[0], libvirt.VIR_DOMAIN_RUNNING)
        os.kill(self.stuck, signal.SIGCONT)
        listing = run(REEVE, "-c", self.reeved.shell_uri, "list").stdout
        self.assertIn("stuck", listing)


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "virsh", "qemu-system-x86_64")
