# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines outlive the daemon, however it ends."""
import os
import signal
import threading
import time

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import wait_for

MACHINES = 5
KILLS = 20
NAMES = [f"m{number}" for number in range(MACHINES)]


class Survival(harness.TestCase):
    def connect(self):
        return libvirt.open(self.reeved.unix_uri)

    def setUp(self):
        connection = self.connect()
        for name in NAMES:
            connection.defineXML(self.boot_xml(name)).create()
        connection.close()
        for name in NAMES:
            self.wait_serial(name, "REEVE-BOOT")
        self.before = self.seen()
        self.qemus = harness.qemus()
        self.assertEqual(len(self.qemus), MACHINES)

    def tearDown(self):
        """Each can be stopped, and leaves nothing behind."""
        connection = self.connect()
        for domain in connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
            self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)
            domain.undefine()
        connection.close()
        self.assertEqual(harness.qemus(), {})

    def seen(self):
        """Name, id, uuid and state of each machine."""
        connection = self.connect()
        seen = sorted((d.name(), d.ID(), d.UUIDString(), d.state()[0])
                      for d in connection.listAllDomains())
        connection.close()
        return seen

    def test_sigkill(self):
        for number in range(KILLS):
            self.reeved.kill()
            self.reeved.start()
            with self.subTest(number):
                self.assertEqual(self.seen(), self.before)
                self.assertEqual(harness.qemus(), self.qemus)
        self.check_that_monitors_work()

    def test_sigkill_while_it_takes_up(self):
        self.reeved.kill()
        for number in range(KILLS):
            self.reeved.spawn()
            time.sleep(number * 0.002)
            self.reeved.kill()
            self.assertEqual(harness.qemus(), self.qemus)
        self.reeved.start()
        self.assertEqual(self.seen(), self.before)

    def test_sigkill_while_a_machine_starts(self):
        """It runs or it does not; a QEMU that nobody knows must not be."""
        connection = self.connect()
        uuid = connection.defineXML(self.boot_xml("half")).UUIDString()
        connection.close()
        for number in range(KILLS):
            connection = self.connect()
            domain = connection.lookupByUUIDString(uuid)
            start = threading.Thread(target=self.create, args=(domain,))
            start.start()
            time.sleep(number * 0.003)
            self.reeved.kill()
            start.join()
            self.reeved.start()
            connection = self.connect()
            domain = connection.lookupByUUIDString(uuid)
            with self.subTest(number):
                wait_for("agreement", lambda: len(harness.qemus().get(uuid, []))
                         == int(domain.isActive()), 5)
                if domain.isActive():
                    domain.destroy()
                self.assertEqual(harness.qemus(), self.qemus)
            connection.close()

    @staticmethod
    def create(domain):
        try:
            domain.create()
        except libvirt.libvirtError:
            pass  # the daemon was killed

    def check_that_monitors_work(self):
        connection = self.connect()
        for domain in connection.listAllDomains():
            domain.suspend()
            self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_PAUSED)
            domain.resume()
        connection.close()

    def test_sigterm(self):
        self.reeved.stop()
        self.assertEqual(harness.qemus(), self.qemus)
        self.reeved.start()
        self.assertEqual(self.seen(), self.before)
        self.check_that_monitors_work()

    def test_paused_stays_paused(self):
        connection = self.connect()
        connection.lookupByName(NAMES[0]).suspend()
        connection.close()
        self.reeved.kill()
        self.reeved.start()
        connection = self.connect()
        self.assertEqual(connection.lookupByName(NAMES[0]).state(),
                         [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER])
        connection.close()

    def test_qemu_dies_while_the_daemon_is_away(self):
        self.reeved.kill()
        uuid = self.before[0][2]
        os.kill(self.qemus[uuid][0], signal.SIGKILL)
        wait_for("its end", lambda: uuid not in harness.qemus())
        self.reeved.start()
        connection = self.connect()
        self.assertEqual(connection.lookupByName(NAMES[0]).state(), [
            libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED])
        self.assertEqual(self.seen()[1:], self.before[1:])
        connection.lookupByName(NAMES[0]).create()
        connection.close()

    def test_qemu_dies_before_our_eyes(self):
        connection = self.connect()
        domain = connection.lookupByName(NAMES[0])
        os.kill(self.qemus[domain.UUIDString()][0], signal.SIGKILL)
        wait_for("its end", lambda: not domain.isActive())
        self.assertEqual(domain.state(), [libvirt.VIR_DOMAIN_SHUTOFF,
                                          libvirt.VIR_DOMAIN_SHUTOFF_CRASHED])
        connection.close()

    def test_guest_powers_off_while_the_daemon_is_away(self):
        """It was asked to, and does it with nobody listening."""
        connection = self.connect()
        connection.lookupByName(NAMES[0]).shutdown()
        self.reeved.kill()
        connection.close()
        self.reeved.start()
        connection = self.connect()
        domain = connection.lookupByName(NAMES[0])
        wait_for("its end", lambda: not domain.isActive())
        self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)
        connection.close()

    def test_transient_machine(self):
        connection = self.connect()
        uuid = connection.createXML(self.boot_xml("fleeting")).UUIDString()
        connection.close()
        self.reeved.kill()
        self.reeved.start()
        connection = self.connect()
        domain = connection.lookupByUUIDString(uuid)
        self.assertFalse(domain.isPersistent())
        domain.destroy()
        with self.assertRaises(libvirt.libvirtError):
            connection.lookupByUUIDString(uuid)
        connection.close()


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "qemu-system-x86_64")
