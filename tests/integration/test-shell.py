# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our shell drives reeved with all its commands, and a stock libvirtd."""
import json
import re
import subprocess
import uuid
import xml.etree.ElementTree as ElementTree

import harness
from harness import REEVE, run, wait_for, wait_for_value

OK, FAILED, USAGE, CANNOT_CONNECT, NOT_FOUND, DENIED = range(6)
UUID = str(uuid.uuid4())
NAMESPACE = "urn:reeve:note"


class Shell:
    """Runs the shell; a subclass gives the URI."""

    def reeve(self, *words, status=OK, **more):
        done = run(REEVE, "-c", self.uri, *words, check=False, **more)
        self.assertEqual(done.returncode, status,
                         f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout if status == OK else done.stderr

    def json(self, *words):
        return json.loads(self.reeve("--json", *words))

    def watch(self, *options):
        """Starts `event`; its output goes to the path that this returns."""
        path = self.path("events.log")
        with open(path, "w", encoding="utf-8") as output:
            watcher = subprocess.Popen([REEVE, "-c", self.uri, *options],
                                       stdout=output, stderr=output)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.terminate)
        return path


class Reeved(Shell, harness.TestCase):
    @property
    def uri(self):
        return self.reeved.shell_uri

    def setUp(self):
        self.reeve("define", self.write("m.xml", self.boot_xml(
            "m", uuid=UUID, memory_mib=48, extra="<interface type='user'>"
            "<mac address='52:54:00:12:34:56'/><model type='virtio'/></interface>")))

    def tearDown(self):
        for name in self.reeve("list", "--name").split():
            self.reeve("destroy", name)
        for name in self.reeve("list", "--all", "--name").split():
            self.reeve("undefine", name)
        self.assertEqual(harness.qemus(), {})

    def test_what_it_prints(self):
        """Each command that prints says what it must, and also as JSON."""
        self.reeve("start", "m")
        self.reeve("desc", "m", "--live", "--config", "Described")
        self.reeve("metadata", "m", NAMESPACE, "--live", "--config", "--key", "r",
                   "--set", "<note>noted</note>")
        machine_id = self.reeve("domid", "m").strip()
        cases = {
            ("list",): r"\b1? *m +running",
            ("list", "--all", "--title"): r"\bm\b",
            ("list", "--uuid"): UUID,
            ("dominfo", "m"): rf"UUID: +{UUID}",
            ("domstate", "m"): r"^running$",
            ("domstate", "m", "--reason"): r"running \(booted\)",
            ("domid", "m"): r"^\d+$",
            ("domuuid", "m"): UUID,
            ("domname", UUID): r"^m$",
            ("domname", machine_id): r"^m$",
            ("dumpxml", "m"): r"<domain type=.qemu. id=",
            ("dumpxml", "m", "--inactive"): r"<domain type=.qemu.>",
            ("vcpucount", "m"): r"Maximum, now: +1",
            ("domblklist", "m"): r"vda +/.*m\.img",
            ("domiflist", "m"): r"user .*virtio +52:54:00:12:34:56",
            ("dommemstat", "m"): r"actual=49152",
            ("domstats", "m"): r"balloon.maximum=49152",
            ("domstats", "--state"): r"state.state=1",
            ("desc", "m"): r"^Described$",
            ("metadata", "m", NAMESPACE): r">noted</",
            ("qemu-monitor-command", "m", '{"execute":"query-status"}'): r'"running"',
            ("qemu-monitor-command", "m", "--hmp", "info", "status"): r"VM status",
            ("version",): r"reeve.*\n.*QEMU|QEMU",
            ("uri",): r"qemu:///|unix:",
            ("hostname",): run("hostname").stdout.strip(),
            ("nodeinfo",): r"CPU",
            ("capabilities",): r"<capabilities>",
            ("domcapabilities",): r"<domainCapabilities>",
            ("procedures", "remote"): r"connect_open",
            ("procedures", "qemu"): r"monitor_command",
            ("procedures", "reeve"): r"\bping\b",
            ("call", "remote.connect_get_hostname"): r"hostname",
            ("event", "--list"): r"lifecycle",
            ("help",): r"dumpxml",
            ("help", "start"): r"--paused",
        }
        for words, pattern in cases.items():
            with self.subTest(" ".join(words)):
                self.assertRegex(self.reeve(*words), re.compile(pattern, re.M))
                self.assertIsNotNone(self.json(*words))

    def test_json_has_the_values(self):
        self.reeve("start", "m")
        (row,) = self.json("list", "--all")
        self.assertEqual((row["name"], row["state"]), ("m", "running"))
        self.assertEqual(self.json("dominfo", "m")["uuid"], UUID)
        answer = self.json("call", "remote.domain_lookup_by_name", '{"name": "m"}')
        self.assertEqual(answer["dom"]["uuid"], UUID)
        pretty = self.reeve("--json=pretty", "list", "--all")
        self.assertEqual(json.loads(pretty), [row])
        self.assertGreater(len(pretty.splitlines()), 3)

    def press(self, command, state):
        """Until the guest reacts: it may miss its power button. QEMU can be late with a
        reset that the firmware asks for, and who presses meanwhile presses in vain."""
        for _ in range(10):
            run(REEVE, "-c", self.uri, command, "m", check=False)
            try:
                return wait_for_value(
                    state, lambda: self.reeve("domstate", "--reason", "m"), 3)
            except AssertionError as error:
                missed = error
        raise missed

    def test_life(self):
        self.reeve("start", "m", "--paused")
        self.assertRegex(self.reeve("domstate", "m"), "paused")
        self.reeve("resume", "m")
        self.wait_serial("m", "REEVE-BOOT")
        self.reeve("suspend", "m")
        self.assertEqual(self.reeve("domstate", "--reason", "m"), "paused (user)\n")
        self.reeve("resume", "m")
        self.reeve("reset", "m")
        self.wait_serial("m", "REEVE-BOOT", count=2)
        self.press("reboot", "running (booted)\n")
        self.wait_serial("m", "REEVE-BOOT", count=3)
        self.reeve("send-key", "m", "KEY_LEFTCTRL", "KEY_C")
        self.press("shutdown", "shut off (shutdown)\n")
        self.reeve("create", self.write("t.xml", self.boot_xml("t")))
        self.reeve("destroy", "t")
        self.reeve("domstate", "t", status=NOT_FOUND)

    def test_definition(self):
        self.reeve("domrename", "m", "n")
        self.assertEqual(self.reeve("domuuid", "n").strip(), UUID)
        self.reeve("autostart", "n")
        self.assertEqual(self.reeve("list", "--all", "--autostart", "--name").split(), ["n"])
        self.reeve("autostart", "n", "--disable")
        self.reeve("setmem", "n", "32M", "--config")
        self.assertIn("<currentMemory unit='KiB'>32768<", self.reeve("dumpxml", "n"))
        self.reeve("metadata", "n", NAMESPACE, "--key", "r", "--set", "<a/>")
        self.reeve("metadata", "n", NAMESPACE, "--remove")
        xml = self.reeve("dumpxml", "n", "--inactive")
        self.reeve("undefine", "n")
        self.reeve("define", "-", stdin=xml)
        self.assertEqual(self.reeve("dumpxml", "n"), xml)

    def test_exit_statuses(self):
        cases = {
            ("list",): OK,
            ("destroy", "m"): FAILED,
            ("domstate", "nobody"): NOT_FOUND,
            ("start", str(uuid.uuid4())): NOT_FOUND,
            ("no-such-command",): USAGE,
            ("start",): USAGE,
            ("start", "m", "--no-such-option"): USAGE,
            ("setmem", "m", "much"): USAGE,
            ("define", "/nonexistent.xml"): FAILED,
            ("call", "remote.no_such_procedure"): USAGE,
            ("call", "remote.domain_lookup_by_name", "{"): USAGE,
        }
        for words, status in cases.items():
            with self.subTest(" ".join(words)):
                said = self.reeve(*words, status=status)
                if status != OK:
                    self.assertEqual(len(said.splitlines()), 1, said)
        nowhere = run(REEVE, "-c", f"unix:{self.path('nowhere')}", "list", check=False)
        self.assertEqual(nowhere.returncode, CANNOT_CONNECT)
        self.assertEqual(len(nowhere.stderr.splitlines()), 1, nowhere.stderr)
        changed = run(REEVE, "-r", "-c", self.uri, "undefine", "m", check=False)
        self.assertEqual(changed.returncode, DENIED, changed.stderr)

    def test_lines(self):
        """It reads commands as words, as one line, and from its input."""
        self.assertEqual(self.reeve("domstate m; domuuid m").split("\n")[:3],
                         ["shut off", UUID, ""])
        done = run(REEVE, "-q", "-c", self.uri, stdin="domuuid m\nlist --all --name\n")
        self.assertEqual(done.stdout.split(), [UUID, "m"])

    def test_events(self):
        path = self.watch("event", "--event", "lifecycle", "--loop", "--timeout", "60")

        def is_subscribed():
            self.reeve("start", "m")
            self.reeve("destroy", "m")
            return harness.read(path)

        wait_for("an event", is_subscribed)
        self.reeve("undefine", "m")
        wait_for("the last event", lambda: "ndefined" in harness.read(path))
        for line in harness.read(path).splitlines():
            self.assertIn("lifecycle", line)

    def test_completion(self):
        for line, word in (("sta", "start"), ("domstate ", "m"), ("start --p", "--paused")):
            with self.subTest(line):
                self.assertIn(word, self.reeve("complete", "--", *line.split(" ")).split())


class Libvirtd(Shell, harness.TestCase):
    """The driver `test` of libvirt, where a machine runs from the start."""

    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirtd = harness.Libvirtd(cls.directory).start()
        cls.addClassCleanup(cls.libvirtd.stop)

    @property
    def uri(self):
        return self.libvirtd.test_uri

    def setUp(self):
        """The driver forgets what was changed when nobody is connected."""
        holder = subprocess.Popen(["virsh", "-q", "-c", self.uri], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(holder.communicate)
        holder.stdin.write("domuuid test\n")
        holder.stdin.flush()
        holder.stdout.readline()

    def virsh(self, *words):
        return run("virsh", "-q", "-c", self.uri, *words).stdout

    def test_shows_what_virsh_shows(self):
        self.assertRegex(self.reeve("list"), r"\b\d+ +test +running")
        self.assertEqual(self.reeve("domuuid", "test").strip(),
                         self.virsh("domuuid", "test").strip())
        info = self.reeve("dominfo", "test")
        for line in self.virsh("dominfo", "test").splitlines():
            key, _, value = line.partition(":")
            if key in ("Id", "Name", "UUID", "State", "Persistent"):
                self.assertRegex(info, rf"(?m)^{key}: +{re.escape(value.strip())}$")
        self.assertEqual(ElementTree.canonicalize(self.reeve("dumpxml", "test")),
                         ElementTree.canonicalize(self.virsh("dumpxml", "test").strip()))
        self.assertEqual(self.reeve("hostname"), self.virsh("hostname").strip() + "\n")
        for words in (("list",), ("dominfo", "test"), ("nodeinfo",), ("version",)):
            with self.subTest(words):
                self.assertIsNotNone(self.json(*words))

    def test_life(self):
        self.reeve("suspend", "test")
        self.assertEqual(self.virsh("domstate", "test").strip(), "paused")
        self.reeve("resume", "test")
        self.reeve("destroy", "test")
        self.assertEqual(self.virsh("domstate", "test").strip(), "shut off")
        self.assertEqual(self.reeve("list").count("test"), 0)
        self.reeve("start", "test")
        self.assertEqual(self.virsh("domstate", "test").strip(), "running")
        self.assertIn("not found", self.reeve("start", "nobody", status=NOT_FOUND).lower())

    def test_events(self):
        path = self.watch("event", "--loop", "--timeout", "60")

        def has_both():
            self.reeve("destroy", "test")
            self.reeve("start", "test")
            said = harness.read(path)
            return "Stopped" in said and "Started" in said

        wait_for("events", has_both)


if __name__ == "__main__":
    harness.main("virsh", "libvirtd", "unshare", "qemu-system-x86_64")
