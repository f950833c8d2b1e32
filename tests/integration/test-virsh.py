# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virsh drives real machines, over unix and over TCP."""
import re
import subprocess
import time
import uuid
import xml.etree.ElementTree as ElementTree

import harness
from harness import run, wait_for, wait_for_value


class Commands:
    """The commands of virsh; a subclass gives the URI."""

    def virsh(self, *words):
        return run("virsh", "-q", "-c", self.uri, *words).stdout.strip()

    def said(self, *words):
        """What it says to a human, that is more than the answer."""
        return run("virsh", "-c", self.uri, *words).stdout.strip()

    def refusal(self, *words):
        """The one line that virsh says for a call that is refused."""
        done = run("virsh", "-q", "-c", self.uri, *words, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr.strip()

    def define(self, name, **more):
        self.virsh("define", self.write(f"{name}.xml", self.boot_xml(name, **more)))

    def start(self, name, **more):
        self.define(name, **more)
        self.virsh("start", name)

    def names(self, *options):
        return set(self.virsh("list", "--name", *options).split())

    def table(self, *words):
        """What virsh prints as `key value` or `key: value`, as a dictionary."""
        text = self.virsh(*words)
        return dict(re.findall(r"^ *([^:=\n]+?) *[:= ] *(\S[^:=\n]*)$", text, re.M))

    def state(self, name):
        return self.virsh("domstate", "--reason", name)

    def wait_state(self, name, state):
        wait_for_value(state, lambda: self.state(name))

    def tearDown(self):
        for name in self.names():
            run("virsh", "-c", self.uri, "destroy", name, check=False)
        for name in self.names("--all"):
            self.virsh("undefine", name)
        self.assertEqual(harness.qemus(), {})

    # Connection and host

    def test_connection(self):
        self.assertEqual(self.virsh("uri"), self.uri)
        self.assertEqual(self.virsh("hostname"), run("hostname").stdout.strip())
        version = self.virsh("version", "--daemon")
        self.assertIn("Using API: QEMU", version)
        emulator = run("qemu-system-x86_64", "--version").stdout.split()[3]
        self.assertIn(f"Running hypervisor: QEMU {emulator}", version)
        self.assertIn("Running against daemon:", version)
        self.virsh("connect", self.uri)

    def test_nodeinfo(self):
        info = self.said("nodeinfo")
        self.assertRegex(info, r"CPU model: +x86_64\n")
        cpus = int(run("nproc", "--all").stdout)
        self.assertRegex(info, rf"CPU\(s\): +{cpus}\n")
        total = re.search(r"MemTotal: +(\d+)", harness.read("/proc/meminfo"))
        self.assertRegex(info, rf"Memory size: +{total.group(1)} KiB")

    def test_capabilities(self):
        host = ElementTree.fromstring(self.virsh("capabilities"))
        self.assertEqual(host.findtext("host/cpu/arch"), "x86_64")
        arch = host.find("guest/arch[@name='x86_64']")
        self.assertEqual(arch.findtext("wordsize"), "64")
        self.assertIsNotNone(arch.find("domain[@type='qemu']"))
        self.assertIn("pc", [machine.text for machine in arch.iter("machine")])

    def test_domcapabilities(self):
        can = ElementTree.fromstring(self.virsh("domcapabilities", "--machine", "pc"))
        self.assertEqual(can.tag, "domainCapabilities")
        self.assertEqual(can.findtext("arch"), "x86_64")
        self.assertTrue(can.findtext("machine").startswith("pc"))
        self.assertTrue(can.findtext("path").endswith("qemu-system-x86_64"))

    # Lists

    def test_list_filters(self):
        self.start("runs")
        self.virsh("autostart", "runs")
        self.define("paused")
        self.virsh("start", "--paused", "paused")
        self.define("off")
        self.virsh("desc", "off", "--title", "Switched off")
        self.virsh("create", self.write("fleeting.xml", self.boot_xml("fleeting")))
        every = {"runs", "paused", "off", "fleeting"}
        expected = {
            (): {"runs", "paused", "fleeting"},
            ("--inactive",): {"off"},
            ("--all",): every,
            ("--all", "--transient"): {"fleeting"},
            ("--all", "--persistent"): every - {"fleeting"},
            ("--persistent",): {"runs", "paused"},
            ("--all", "--with-snapshot"): set(),
            ("--all", "--without-snapshot"): every,
            ("--all", "--with-checkpoint"): set(),
            ("--all", "--without-checkpoint"): every,
            ("--all", "--state-running"): {"runs", "fleeting"},
            ("--all", "--state-paused"): {"paused"},
            ("--all", "--state-shutoff"): {"off"},
            ("--all", "--state-running", "--state-shutoff"): {"runs", "fleeting", "off"},
            ("--all", "--state-other"): set(),
            ("--all", "--autostart"): {"runs"},
            ("--all", "--no-autostart"): every - {"runs"},
            ("--all", "--with-managed-save"): set(),
            ("--all", "--without-managed-save"): every,
            ("--inactive", "--autostart"): set(),
        }
        for options, names in expected.items():
            with self.subTest(options=options):
                self.assertEqual(self.names(*options), names)
        ids = self.virsh("list", "--id").split()
        self.assertEqual(len(set(ids)), 3)
        self.assertEqual(
            set(self.virsh("list", "--all", "--uuid").split()),
            {self.virsh("domuuid", name) for name in every},
        )
        rows = self.virsh("list", "--all", "--title").splitlines()
        self.assertIn(["-", "off", "shut", "off", "Switched", "off"],
                      [row.split() for row in rows])
        both = self.virsh("list", "--all", "--managed-save")
        self.assertRegex(both, r"- +off +shut off")

    # Definition

    def test_define_and_undefine(self):
        one = str(uuid.uuid4())
        path = self.write("one.xml", self.boot_xml("one", uuid=one))
        self.assertEqual(self.said("define", path), f"Domain 'one' defined from {path}")
        self.assertEqual(self.virsh("domuuid", "one"), one)
        self.assertEqual(self.virsh("domname", one), "one")
        self.assertEqual(self.virsh("domid", "one"), "-")
        self.assertEqual(self.state("one"), "shut off (unknown)")
        # the same again is a change of what is there
        self.define("one", uuid=one, memory_mib=48)
        self.assertEqual(self.table("dominfo", "one")["Max memory"], "49152 KiB")
        self.assertIn("exists already", self.refusal("define", self.write(
            "other.xml", self.boot_xml("one", uuid=uuid.uuid4()))))
        self.assertEqual(self.said("undefine", "one"), "Domain 'one' has been undefined")
        self.assertIn("failed to get domain", self.refusal("domstate", "one"))

    def test_create_is_transient(self):
        path = self.write("gone.xml", self.boot_xml("gone"))
        self.assertEqual(self.said("create", path), f"Domain 'gone' created from {path}")
        self.assertEqual(self.table("dominfo", "gone")["Persistent"], "no")
        self.virsh("destroy", "gone")
        self.assertEqual(self.names("--all"), set())
        self.virsh("create", "--paused", path)
        self.assertTrue(self.state("gone").startswith("paused"))

    def test_rename(self):
        self.define("before")
        identity = self.virsh("domuuid", "before")
        self.virsh("domrename", "before", "after")
        self.assertEqual(self.names("--all"), {"after"})
        self.assertEqual(self.virsh("domuuid", "after"), identity)
        self.virsh("start", "after")
        self.refusal("domrename", "after", "again")
        self.assertEqual(self.names("--all"), {"after"})

    def test_autostart(self):
        self.define("auto")
        self.assertEqual(self.table("dominfo", "auto")["Autostart"], "disable")
        self.assertEqual(self.said("autostart", "auto"),
                         "Domain 'auto' marked as autostarted")
        self.assertEqual(self.table("dominfo", "auto")["Autostart"], "enable")
        self.virsh("autostart", "--disable", "auto")
        self.assertEqual(self.table("dominfo", "auto")["Autostart"], "disable")

    def test_dumpxml(self):
        self.define("dump")
        xml = ElementTree.fromstring(self.virsh("dumpxml", "dump"))
        self.assertEqual(xml.findtext("name"), "dump")
        self.assertIsNone(xml.get("id"))
        self.virsh("start", "dump")
        live = ElementTree.fromstring(self.virsh("dumpxml", "dump"))
        self.assertEqual(live.get("id"), self.virsh("domid", "dump"))
        self.assertIsNotNone(live.find("devices/disk/alias"))
        inactive = ElementTree.fromstring(self.virsh("dumpxml", "--inactive", "dump"))
        self.assertIsNone(inactive.get("id"))
        self.assertIsNone(inactive.find("devices/disk/alias"))
        self.assertEqual(inactive.find("devices/disk/source").get("file"),
                         self.path("dump.img"))

    def test_desc(self):
        self.define("told")
        self.assertIn("No description", self.said("desc", "told"))
        self.virsh("desc", "told", "A machine that was described")
        self.virsh("desc", "told", "--title", "Told")
        self.assertEqual(self.virsh("desc", "told"), "A machine that was described")
        self.assertEqual(self.virsh("desc", "told", "--title"), "Told")
        self.virsh("start", "told")
        self.virsh("desc", "told", "--live", "For this run")
        self.assertEqual(self.virsh("desc", "told", "--live"), "For this run")
        self.assertEqual(self.virsh("desc", "told", "--config"),
                         "A machine that was described")

    def test_metadata(self):
        self.define("noted")
        namespace = "urn:reeve:note"
        self.refusal("metadata", "noted", namespace)
        self.virsh("metadata", "noted", namespace, "--key", "r",
                   "--set", "<note colour='blue'>yes</note>")
        note = ElementTree.fromstring(self.virsh("metadata", "noted", namespace))
        self.assertEqual((note.text, note.get("colour")), ("yes", "blue"))
        self.assertIn(namespace, self.virsh("dumpxml", "noted"))
        self.virsh("metadata", "noted", namespace, "--remove")
        self.refusal("metadata", "noted", namespace)

    # Life

    def test_life(self):
        self.define("life")
        self.assertEqual(self.said("start", "life"), "Domain 'life' started")
        self.assertEqual(self.state("life"), "running (booted)")
        self.wait_serial("life", "REEVE-BOOT")
        self.assertIn("already", self.refusal("start", "life"))
        self.virsh("suspend", "life")
        self.assertEqual(self.state("life"), "paused (user)")
        self.virsh("resume", "life")
        self.assertEqual(self.state("life"), "running (unpaused)")
        self.virsh("reset", "life")
        self.wait_serial("life", "REEVE-BOOT", count=2)
        self.assertEqual(self.said("destroy", "life"), "Domain 'life' destroyed")
        self.assertEqual(self.state("life"), "shut off (destroyed)")
        self.assertIn("not running", self.refusal("destroy", "life"))

    def test_start_paused(self):
        self.define("held")
        self.virsh("start", "--paused", "held")
        self.assertTrue(self.state("held").startswith("paused"))
        self.assertEqual(harness.read(self.path("held.serial")), "")
        self.virsh("resume", "held")
        self.wait_serial("held", "REEVE-BOOT")

    def test_shutdown(self):
        self.start("button")
        self.wait_serial("button", "REEVE-BOOT")
        self.assertEqual(self.said("shutdown", "button"),
                         "Domain 'button' is being shutdown")
        self.wait_state("button", "shut off (shutdown)")

    def test_reboot(self):
        self.start("again")
        self.wait_serial("again", "REEVE-BOOT")
        machine_id = self.virsh("domid", "again")
        self.virsh("reboot", "again")
        self.wait_serial("again", "REEVE-BOOT", count=2)
        self.assertEqual(self.virsh("domid", "again"), machine_id)
        self.assertTrue(self.state("again").startswith("running"))

    def test_linux(self):
        """A Linux guest boots, takes keys, reboots and shuts down."""
        linux = harness.linux_guest()
        self.virsh("define", self.write("linux.xml", harness.machine_xml(
            "linux", linux=linux, memory_mib=128, serial=self.path("linux.serial"))))
        self.virsh("start", "linux")
        self.wait_serial("linux", "REEVE-LINUX ready")
        self.virsh("send-key", "linux", "KEY_A", "KEY_B")
        self.wait_serial("linux", "REEVE-LINUX key 30")
        self.wait_serial("linux", "REEVE-LINUX key 48")
        statistics = self.table("dommemstat", "linux")
        self.assertEqual(statistics["actual"], "131072")
        self.virsh("setmem", "linux", "96M", "--live")
        wait_for("a smaller balloon", lambda:
                 self.table("dominfo", "linux")["Used memory"] == "98304 KiB")
        self.virsh("reboot", "linux")
        self.wait_serial("linux", "REEVE-LINUX ready", count=2)
        self.virsh("shutdown", "linux")
        self.wait_state("linux", "shut off (shutdown)")
        self.assertIn("REEVE-LINUX off", harness.read(self.path("linux.serial")))

    # Statistics and devices

    def test_dominfo(self):
        self.start("info")
        info = self.table("dominfo", "info")
        expected = {
            "Id": self.virsh("domid", "info"),
            "Name": "info",
            "UUID": self.virsh("domuuid", "info"),
            "State": "running",
            "CPU(s)": "1",
            "Persistent": "yes",
            "Autostart": "disable",
        }
        self.assertEqual({key: info.get(key) for key in expected}, expected)
        self.assertEqual(self.virsh("domname", self.virsh("domid", "info")), "info")

    def test_vcpucount(self):
        self.start("cpus")
        counts = [line.split() for line in self.virsh("vcpucount", "cpus").splitlines()]
        self.assertEqual(counts, [
            ["maximum", "config", "1"], ["maximum", "live", "1"],
            ["current", "config", "1"], ["current", "live", "1"],
        ])
        self.assertEqual(self.virsh("vcpucount", "cpus", "--current", "--live"), "1")

    def test_setmem(self):
        self.define("memory", memory_mib=64)
        self.virsh("setmem", "memory", "49152", "--config")
        info = self.table("dominfo", "memory")
        self.assertEqual((info["Max memory"], info["Used memory"]),
                         ("65536 KiB", "49152 KiB"))
        self.refusal("setmem", "memory", "128M", "--config")

    def test_devices(self):
        self.start("devices", extra="<interface type='user'>"
                   "<mac address='52:54:00:12:34:56'/><model type='virtio'/></interface>")
        self.assertEqual(self.virsh("domblklist", "devices").split(),
                         ["vda", self.path("devices.img")])
        self.assertEqual(self.virsh("domblklist", "--details", "devices").split(),
                         ["file", "disk", "vda", self.path("devices.img")])
        interface = self.virsh("domiflist", "devices").split()
        self.assertEqual(interface[1:], ["user", "-", "virtio", "52:54:00:12:34:56"])

    def test_statistics(self):
        self.start("counted")
        self.define("resting")
        memory = self.table("dommemstat", "counted")
        self.assertEqual(memory["actual"], "32768")
        self.assertGreater(int(memory["rss"]), 1000)
        counted = self.table("domstats", "counted")
        expected = {
            "state.state": "1", "state.reason": "1", "balloon.maximum": "32768",
            "vcpu.current": "1", "vcpu.maximum": "1", "block.count": "1",
            "block.0.name": "vda", "block.0.path": self.path("counted.img"),
        }
        self.assertEqual({key: counted.get(key) for key in expected}, expected)
        self.assertGreater(int(counted["cpu.time"]), 0)
        state_only = self.table("domstats", "--state", "counted")
        self.assertNotIn("cpu.time", state_only)
        self.assertEqual(state_only["state.state"], "1")
        every = self.virsh("domstats")
        self.assertIn("'counted'", every)
        self.assertIn("'resting'", every)
        self.assertNotIn("'resting'", self.virsh("domstats", "--list-running"))

    # Monitor

    def test_monitor(self):
        self.start("monitor")
        answer = self.virsh("qemu-monitor-command", "monitor",
                            '{"execute":"query-status"}')
        self.assertIn('"running":true', answer.replace(" ", ""))
        self.assertIn("VM status: running", self.virsh(
            "qemu-monitor-command", "--hmp", "monitor", "info status"))
        unknown = self.virsh("qemu-monitor-command", "monitor",
                             '{"execute":"no-such-command"}')
        self.assertIn("CommandNotFound", unknown)

    def test_send_key(self):
        self.start("keys")
        self.virsh("send-key", "keys", "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")
        self.virsh("send-key", "keys", "--holdtime", "10", "0x1e")
        self.refusal("send-key", "keys", "KEY_OF_NOTHING")

    # Events

    def test_events(self):
        log = self.path("events.log")
        with open(log, "w", encoding="utf-8") as output:
            watcher = subprocess.Popen(
                ["stdbuf", "-oL", "virsh", "-c", self.uri, "event", "--all",
                 "--loop", "--timeout", "60"], stdout=output, stderr=output)
        # nothing says that virsh has subscribed but the first event
        def is_subscribed():
            self.define("probe")
            self.virsh("undefine", "probe")
            time.sleep(0.02)
            return "Undefined" in harness.read(log)
        wait_for("an event", is_subscribed)

        self.start("watched")
        self.virsh("suspend", "watched")
        self.virsh("resume", "watched")
        self.virsh("reset", "watched")
        self.virsh("destroy", "watched")
        self.virsh("undefine", "watched")
        wait_for("the last event", lambda: re.search(
            "'watched'.*Undefined", harness.read(log)))
        watcher.terminate()
        watcher.wait()
        lifecycle = re.findall(r"event 'lifecycle' for domain '?watched'?: (.*)",
                               harness.read(log))
        self.assertEqual(lifecycle, [
            "Defined Added", "Resumed Unpaused", "Started Booted", "Suspended Paused",
            "Resumed Unpaused", "Shutdown Finished after host request",
            "Stopped Destroyed", "Undefined Removed",
        ])

    def test_event_timeout(self):
        self.define("quiet")
        done = run("virsh", "-c", self.uri, "event", "--event", "lifecycle",
                   "--domain", "quiet", "--timeout", "1", check=False)
        self.assertIn("event loop timed out", done.stdout)
        self.assertIn("events received: 0", done.stdout)


class Unix(Commands, harness.TestCase):
    @property
    def uri(self):
        return self.reeved.unix_uri

    def test_read_only(self):
        """The read-only socket shows everything and changes nothing."""
        self.start("looked-at")
        def read_only(*words):
            return run("virsh", "-c", self.reeved.read_only_uri, *words, check=False)
        self.assertIn("looked-at", read_only("list").stdout)
        self.assertEqual(read_only("dominfo", "looked-at").returncode, 0)
        for change in (["destroy", "looked-at"], ["suspend", "looked-at"],
                       ["qemu-monitor-command", "looked-at", "{}"]):
            with self.subTest(change=change):
                done = read_only(*change)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("read only", done.stderr.replace("-", " "))
        self.assertEqual(self.virsh("domstate", "looked-at"), "running")


class Tcp(Commands, harness.TestCase):
    @property
    def uri(self):
        return self.reeved.tcp_uri


if __name__ == "__main__":
    harness.main("virsh", "qemu-system-x86_64", "stdbuf")
