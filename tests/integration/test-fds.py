# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""File descriptors there and back, by python3-libvirt and a real QEMU."""
import json
import os
import socket
import subprocess
import tempfile

try:
    import libvirt
    import libvirt_qemu
except ImportError:
    libvirt = None

import harness
from harness import wait_for

GREETING = b"RFB 003.008\n"
VNC = "<graphics type='vnc' socket='{path}'/>"


class Fds(harness.TestCase):
    def setUp(self):
        self.connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(self.connection.close)

    def start(self, name, extra=""):
        domain = self.connection.createXML(self.boot_xml(name, extra=extra))
        self.addCleanup(domain.destroy)
        return domain

    def start_vnc(self, name):
        return self.start(name, VNC.format(path=self.path(f"{name}.vnc")))

    def assert_greets(self, viewer):
        viewer.settimeout(20)
        greeting = b""
        while len(greeting) < len(GREETING):
            part = viewer.recv(len(GREETING) - len(greeting))
            self.assertNotEqual(part, b"")
            greeting += part
        self.assertEqual(greeting, GREETING)

    def count_fds(self):
        return len(os.listdir(f"/proc/{self.reeved.process.pid}/fd"))

    def refused(self, code, function, *words):
        with self.assertRaises(libvirt.libvirtError) as caught:
            function(*words)
        self.assertEqual(caught.exception.get_error_code(), code, caught.exception)

    def test_viewer_gets_a_socket(self):
        domain = self.start_vnc("out")
        before = self.count_fds()
        for _ in range(3):
            with socket.socket(fileno=domain.openGraphicsFD(
                    0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)) as viewer:
                self.assert_greets(viewer)
        wait_for("reeved to close what it passed on", lambda: self.count_fds() <= before)

    def test_viewer_brings_a_socket(self):
        domain = self.start_vnc("in")
        before = self.count_fds()
        for _ in range(3):
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    domain.openGraphics(0, theirs.fileno(), 0)
                self.assert_greets(ours)
        wait_for("reeved to close what it passed on", lambda: self.count_fds() <= before)

    def test_refusals(self):
        domain = self.start("plain")
        shown = self.start_vnc("shown")
        before = self.count_fds()
        self.refused(libvirt.VIR_ERR_INVALID_ARG, domain.openGraphicsFD, 0)
        self.refused(libvirt.VIR_ERR_INVALID_ARG, shown.openGraphicsFD, 1)
        self.refused(libvirt.VIR_ERR_INVALID_ARG, shown.openGraphicsFD, 0, 2)
        idle = self.connection.defineXML(self.boot_xml("idle"))
        self.addCleanup(idle.undefine)
        self.refused(libvirt.VIR_ERR_OPERATION_INVALID, idle.openGraphicsFD, 0)
        wait_for("reeved to keep none", lambda: self.count_fds() <= before)

    def test_tcp(self):
        self.start_vnc("far")
        far = libvirt.open(self.reeved.tcp_uri)
        self.addCleanup(far.close)
        domain = far.lookupByName("far")
        self.refused(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, domain.openGraphicsFD, 0)
        self.assertTrue(far.isAlive())

    def test_monitor_command(self):
        domain = self.start("monitor")
        before = self.count_fds()
        with tempfile.TemporaryFile() as file:
            text, files = libvirt_qemu.qemuMonitorCommandWithFiles(
                domain, '{"execute":"add-fd","arguments":{"fdset-id":7}}', [file.fileno()])
        self.assertEqual(json.loads(text)["return"]["fdset-id"], 7)
        self.assertEqual(files, [])
        text = libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-fdsets"}', 0)
        self.assertEqual([row["fdset-id"] for row in json.loads(text)["return"]], [7])
        text, files = libvirt_qemu.qemuMonitorCommandWithFiles(
            domain, '{"execute":"query-status"}', [])
        self.assertEqual(json.loads(text)["return"]["status"], "running")
        wait_for("reeved to close what it passed on", lambda: self.count_fds() <= before)


    def test_shell(self):
        self.start("shell")
        words = [harness.REEVE, "-c", self.reeved.shell_uri, "qemu-monitor-command"]
        with tempfile.TemporaryFile() as file:
            done = subprocess.run(
                [*words, "shell", "--pass-fds", str(file.fileno()),
                 '{"execute":"add-fd","arguments":{"fdset-id":3}}'],
                pass_fds=[file.fileno()], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('"fdset-id"', done.stdout)


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "qemu-system-x86_64")
