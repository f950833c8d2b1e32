# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3-libvirt: a program's calls, events and threads."""
import threading
import xml.etree.ElementTree as ElementTree

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import wait_for

THREADS = 8
CYCLES = 5


class Calls:
    """What a program does; a subclass gives the URI."""

    def setUp(self):
        self.connection = libvirt.open(self.uri)
        self.addCleanup(self.connection.close)

    def remove(self, domain):
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefine()

    def define(self, name, **more):
        domain = self.connection.defineXML(self.boot_xml(name, **more))
        return domain

    def names(self, flags=0):
        return sorted(d.name() for d in self.connection.listAllDomains(flags))

    def test_life(self):
        domain = self.define("life")
        self.assertEqual(self.names(), ["life"])
        self.assertEqual(domain.ID(), -1)
        self.assertFalse(domain.isActive())
        domain.create()
        self.assertEqual(domain.state(), [libvirt.VIR_DOMAIN_RUNNING,
                                          libvirt.VIR_DOMAIN_RUNNING_BOOTED])
        self.assertGreater(domain.ID(), 0)
        self.assertEqual(self.names(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE), ["life"])
        self.assertEqual(self.names(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE), [])
        live = ElementTree.fromstring(domain.XMLDesc())
        self.assertEqual(live.get("id"), str(domain.ID()))
        inactive = ElementTree.fromstring(
            domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        self.assertIsNone(inactive.get("id"))
        domain.suspend()
        self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_PAUSED)
        domain.resume()
        domain.destroy()
        self.assertEqual(domain.state(), [libvirt.VIR_DOMAIN_SHUTOFF,
                                          libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED])
        domain.undefine()
        self.assertEqual(self.names(), [])

    def test_machines_end_with_their_connection(self):
        owner = libvirt.open(self.uri)
        domain = self.define("ends-too")
        self.addCleanup(self.remove, domain)
        owner.lookupByName("ends-too").createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
        owner.createXML(self.boot_xml("gone-too"), libvirt.VIR_DOMAIN_START_AUTODESTROY)
        active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
        self.assertEqual(self.names(active), ["ends-too", "gone-too"])
        self.assertEqual(owner.close(), 0)
        wait_for("their end", lambda: self.names(active) == [])
        self.assertEqual(self.names(), ["ends-too"])

    def test_own_xml_defines_the_same(self):
        domain = self.define("round")
        self.addCleanup(self.remove, domain)
        xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        self.assertEqual(self.connection.defineXML(xml).XMLDesc(
            libvirt.VIR_DOMAIN_XML_INACTIVE), xml)

    def test_lookups(self):
        domain = self.define("sought")
        self.addCleanup(self.remove, domain)
        domain.create()
        connection = self.connection
        for found in (
            connection.lookupByName("sought"),
            connection.lookupByID(domain.ID()),
            connection.lookupByUUID(domain.UUID()),
            connection.lookupByUUIDString(domain.UUIDString()),
        ):
            self.assertEqual(found.name(), "sought")
        self.assertEqual(connection.listDomainsID(), [domain.ID()])
        self.assertEqual(connection.numOfDomains(), 1)
        self.assertEqual(connection.numOfDefinedDomains(), 0)

    def test_errors_have_codes(self):
        domain = self.define("wrong")
        self.addCleanup(self.remove, domain)
        connection = self.connection
        cases = {
            "no such machine": (lambda: connection.lookupByName("nobody"),
                                libvirt.VIR_ERR_NO_DOMAIN),
            "not running": (domain.destroy, libvirt.VIR_ERR_OPERATION_INVALID),
            "broken XML": (lambda: connection.defineXML("<domain"),
                           libvirt.VIR_ERR_XML_ERROR),
            "unknown flag": (lambda: domain.createWithFlags(1 << 30),
                             libvirt.VIR_ERR_INVALID_ARG),
            "no such procedure": (connection.getSysinfo,
                                  libvirt.VIR_ERR_NO_SUPPORT),
        }
        for name, (call, code) in cases.items():
            with self.subTest(name):
                with self.assertRaises(libvirt.libvirtError) as caught:
                    call()
                self.assertEqual(caught.exception.get_error_code(), code,
                                 caught.exception)
                self.assertTrue(caught.exception.get_error_message())

    def test_events(self):
        """Each change comes once and in order, and none after the end."""
        seen = []
        subscribed = self.connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _, domain, event, detail, data: seen.append(
                (domain.name(), event, detail)), None)
        domain = self.define("watched")
        domain.create()
        domain.suspend()
        domain.resume()
        domain.destroy()
        domain.undefine()
        expected = [
            (libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_DEFINED_ADDED),
            (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED),
            (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED),
            (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
            (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED),
            (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST),
            (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
            (libvirt.VIR_DOMAIN_EVENT_UNDEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED),
        ]
        wait_for("all events", lambda: len(seen) >= len(expected))
        self.assertEqual(seen, [("watched", *event) for event in expected])
        self.connection.domainEventDeregisterAny(subscribed)
        self.define("unseen").undefine()
        self.assertEqual(len(seen), len(expected))

    def test_events_of_one_machine(self):
        one, other = self.define("one"), self.define("other")
        self.addCleanup(self.remove, one)
        self.addCleanup(self.remove, other)
        seen = []
        subscribed = self.connection.domainEventRegisterAny(
            one, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _, domain, event, detail, data: seen.append(domain.name()), None)
        other.create()
        one.create()
        other.destroy()
        one.destroy()
        wait_for("four events", lambda: len(seen) >= 4)
        self.assertEqual(set(seen), {"one"})
        self.connection.domainEventDeregisterAny(subscribed)

    def test_threads(self):
        """Threads share one connection, each with a machine of its own."""
        failures = []

        def live(number):
            try:
                xml = self.boot_xml(f"thread{number}")
                for _ in range(CYCLES):
                    domain = self.connection.defineXML(xml)
                    domain.create()
                    state = self.connection.lookupByName(f"thread{number}").state()
                    assert state[0] == libvirt.VIR_DOMAIN_RUNNING, state
                    self.connection.listAllDomains()
                    domain.destroy()
                    domain.undefine()
            except Exception as error:  # told below, by the test's thread
                failures.append(f"thread {number}: {error!r}")

        threads = [threading.Thread(target=live, args=(number,))
                   for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.names(), [])
        self.assertEqual(harness.qemus(), {})


class Unix(Calls, harness.TestCase):
    @property
    def uri(self):
        return self.reeved.unix_uri


class Tcp(Calls, harness.TestCase):
    @property
    def uri(self):
        return self.reeved.tcp_uri


def turn_events():
    while True:
        libvirt.virEventRunDefaultImpl()


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=turn_events, daemon=True).start()
    harness.main("libvirt-python", "qemu-system-x86_64")
