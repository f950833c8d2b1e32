# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input gets one clear sentence that names the place, and changes nothing."""
import hashlib
import os

import harness
from harness import REEVE, REEVED, run

# What stands between <domain> and </domain>, a line each: 2 is the first.
NAME = "<name>n</name>"
MEMORY = "<memory>65536</memory>"
OS = "<os><type arch='x86_64' machine='pc'>hvm</type></os>"


def domain(*lines, attributes=" type='qemu'"):
    return "\n".join((f"<domain{attributes}>", *lines, "</domain>"))


def devices(*lines):
    return domain(NAME, MEMORY, OS, "<devices>", *lines, "</devices>")


def disk(inside, attributes=" type='file'"):
    return f"<disk{attributes}>{inside}</disk>"


SOURCE, TARGET = "<source file='/x'/>", "<target dev='vda'/>"

# The XML, and what the sentence about it must contain.
XML = {
    "nothing": ("", ["line 1", "empty"]),
    "no XML": ("nonsense", ["line 1"]),
    "unfinished tag": ("<domain", ["line 1"]),
    "unfinished": ("<domain>\n<name>", ["line 2"]),
    "wrong root": ("<network/>", ["<network>", "<domain>"]),
    "two roots": (domain(NAME, MEMORY, OS) + "<more/>", ["line 5"]),
    "too deep": ("<a>" * 10000, ["line 1", "depth"]),
    "file entity": ("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
                    "<domain><name>&x;</name></domain>", ["document type"]),
    "no type": (domain(NAME, MEMORY, OS, attributes=""), ["type"]),
    "other type": (domain(NAME, MEMORY, OS, attributes=" type='xen'"), ["type", "'xen'"]),
    "no name": (domain(MEMORY, OS), ["<name>"]),
    "empty name": (domain("<name/>", MEMORY, OS), ["<name>", "line 2"]),
    "name with slash": (domain("<name>../a</name>", MEMORY, OS), ["<name>", "line 2"]),
    "long name": (domain(f"<name>{'n' * 300}</name>", MEMORY, OS), ["<name>", "line 2"]),
    "no uuid": (domain(NAME, "<uuid>12</uuid>", MEMORY, OS), ["<uuid>", "line 3"]),
    "no memory": (domain(NAME, OS), ["<memory>"]),
    "memory in words": (domain(NAME, "<memory>lots</memory>", OS), ["<memory>", "line 3"]),
    "unknown unit": (domain(NAME, "<memory unit='stone'>1</memory>", OS),
                     ["<memory>", "line 3", "unit"]),
    "memory overflows": (domain(NAME, "<memory unit='TiB'>99999999999999</memory>", OS),
                         ["<memory>", "line 3"]),
    "no CPU": (domain(NAME, MEMORY, "<vcpu>0</vcpu>", OS), ["<vcpu>", "line 4"]),
    "negative CPUs": (domain(NAME, MEMORY, "<vcpu>-1</vcpu>", OS), ["<vcpu>", "line 4"]),
    "unknown arch": (domain(NAME, MEMORY, "<os><type arch='vax'>hvm</type></os>"),
                     ["<type>", "line 4"]),
    "unknown machine": (domain(NAME, MEMORY, "<os><type machine='abacus'>hvm</type></os>"),
                        ["'abacus'"]),
    "unknown action": (domain(NAME, MEMORY, OS, "<on_poweroff>dance</on_poweroff>"),
                       ["<on_poweroff>", "line 5"]),
    "disk without target": (devices(disk(SOURCE)), ["<disk>", "line 6", "target"]),
    "disk on no bus": (devices(disk(SOURCE + "<target dev='vda' bus='tin'/>")),
                       ["<disk>", "line 6", "bus"]),
    "relative disk": (devices(disk("<source file='x'/>" + TARGET)), ["<disk>", "line 6"]),
    "same target": (devices(disk(SOURCE + TARGET), disk("<source file='/y'/>" + TARGET)),
                    ["<disk>", "line 7", "target"]),
    "bad hardware address": (devices("<interface type='user'><mac address='x'/></interface>"),
                             ["<interface>", "line 6"]),
    "no emulator": (devices("<emulator>/nonexistent</emulator>"), ["/nonexistent"]),
    "other emulator": (devices("<emulator>/bin/true</emulator>"), ["/bin/true"]),
}

# A configuration file, and what the sentence about it must contain.
CONFIG = {
    "no group": ("nonsense\n", ["nonsense"]),
    "no number": ("[server]\nmax_clients = many\n", ["[server]", "max_clients", "many"]),
    "too small": ("[server]\nmax_clients = 0\n", ["[server]", "max_clients", "0"]),
    "negative": ("[server]\ncall_timeout = -1\n", ["[server]", "call_timeout", "-1"]),
    "fewer than wait": ("[server]\nmin_workers = 9\nmax_workers = 3\n",
                        ["[server]", "max_workers", "3", "9"]),
    "more unauthenticated": ("[server]\nmax_clients = 9\nmax_unauth_clients = 10\n",
                             ["[server]", "max_unauth_clients", "9", "10"]),
    "no rate": ("[server]\nmax_accepts_per_second = fast\n",
                ["[server]", "max_accepts_per_second", "fast"]),
    "no time to authenticate": ("[server]\nauth_timeout = 0\n", ["auth_timeout", "0"]),
    "small stream": ("[server]\nmax_client_stream_bytes = 1\n", ["max_client_stream_bytes", "1"]),
    "first message": ("[server]\nmax_unauth_message_bytes = 99999999\n",
                      ["max_unauth_message_bytes", "99999999"]),
    "no interval": ("[server]\nkeepalive_interval = -5\n", ["keepalive_interval", "-5"]),
    "no count": ("[server]\nkeepalive_count = 0\n", ["keepalive_count", "0"]),
    "no level": ("[log]\nlevel = loud\n", ["[log]", "level", "loud"]),
    "no listener": ("[listen]\naddresses = pigeon:1\n", ["[listen]", "addresses", "pigeon:1"]),
    "no port": ("[listen]\naddresses = ptcp:127.0.0.1:99999\n",
                ["[listen]", "addresses", "99999"]),
    "no mode": ("[listen]\nunix_mode = 0680\n", ["[listen]", "unix_mode", "0680"]),
    "mode that shuts its owner out": ("[listen]\nunix_ro_mode = 066\n",
                                      ["[listen]", "unix_ro_mode", "066"]),
    "no such group": ("[listen]\nunix_group = no-such-group\n",
                      ["[listen]", "unix_group", "no-such-group"]),
}

# Words after `reeved`, the exit status, and what the sentence must contain.
DAEMON_OPTIONS = {
    "unknown": (["--no-such-option"], 2, ["--no-such-option"]),
    "no value": (["--root"], 2, ["--root"]),
    "a word": (["--root", "{}", "extra"], 2, ["extra"]),
    "two modes": (["--root", "{}", "--system"], 2, ["--system", "--root"]),
    "no config": (["--root", "{}", "--config", "/nonexistent"], 6, ["/nonexistent"]),
    "no root": (["--root", "/proc/none/here"], 1, ["/proc/none/here"]),
    "listener": (["--root", "{}", "--listen", "pigeon:1"], 1, ["pigeon:1"]),
    # longer than a host's name may be, so that nobody is asked for it
    "no such host": (["--root", "{}", "--listen", f"ptcp:{'x' * 70}:0"], 1,
                     [f"ptcp:{'x' * 70}:0"]),
    "no folder": (["--root", "{}", "--listen", "punix:/none/s"], 1, ["/none/s"]),
}

# Words after `reeve`, the exit status, and what the sentence must contain.
SHELL_OPTIONS = {
    "unknown": (["--no-such-option"], 2, ["--no-such-option"]),
    "no value": (["-c"], 2, ["-c"]),
    "no number": (["--timeout", "x", "list"], 2, ["--timeout", "x"]),
    "no time": (["--timeout", "0", "list"], 2, ["--timeout"]),
    "no JSON": (["--json=yaml", "list"], 2, ["--json", "yaml"]),
    "no socket": (["-c", "qemu+unix:///system?socket=/none", "list"], 3, ["/none"]),
    "no path": (["-c", "unix:", "list"], 3, ["unix:"]),
    "no server": (["-c", "qemu+tcp://127.0.0.1:1/system", "list"], 3, ["127.0.0.1:1"]),
    "no command": (["-c", "{}", "lsit"], 2, ["lsit"]),
    "no machine": (["-c", "{}", "dumpxml"], 2, ["--domain"]),
    "unknown machine": (["-c", "{}", "dumpxml", "ghost"], 4, ["ghost"]),
    "unknown option": (["-c", "{}", "list", "--al"], 2, ["--al"]),
    "one word more": (["-c", "{}", "domid", "m", "n"], 2, ["n"]),
    "no size": (["-c", "{}", "setmem", "m", "much", "--config"], 2, ["much"]),
    "too much": (["-c", "{}", "setmem", "m", "900G", "--config"], 1,
                 ["<currentMemory>", "more"]),
    "no key": (["-c", "{}", "send-key", "m", "KEY_OF_NOTHING"], 2, ["KEY_OF_NOTHING"]),
    "no file": (["-c", "{}", "define", "/none.xml"], 1, ["/none.xml"]),
    "no procedure": (["-c", "{}", "call", "remote.none"], 2, ["none"]),
    "bad JSON": (["-c", "{}", "call", "remote.domain_lookup_by_name", "{{"], 2, ["JSON"]),
    "wrong member": (["-c", "{}", "call", "remote.domain_lookup_by_name", '{{"nam":"m"}}'],
                     2, ["nam"]),
    "wrong kind": (["-c", "{}", "call", "remote.domain_lookup_by_name", '{{"name":1}}'],
                   2, ["name"]),
    "open quote": (["-c", "{}", "list 'm"], 2, ["list 'm"]),
    "bad metadata": (["-c", "{}", "metadata", "m", "urn:x", "--key", "k", "--set", "<a>"],
                     1, ["XML"]),
    "bad name": (["-c", "{}", "domrename", "m", "a/b"], 1, ["<name>", "slash"]),
}


class BadInput(harness.TestCase):
    def setUp(self):
        self.reeve("define", self.write("m.xml", self.boot_xml("m")))
        self.addCleanup(self.reeve, "undefine", "m")
        self.before = self.everything()

    def reeve(self, *words):
        return run(REEVE, "-c", self.reeved.shell_uri, *words).stdout

    def everything(self):
        """What the daemon keeps, and what it shows of it."""
        kept = {}
        for folder, _, names in os.walk(f"{self.reeved.root}/lib"):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    kept[name] = hashlib.sha256(file.read()).hexdigest()
        return kept, self.reeve("list", "--all"), self.reeve("dumpxml", "m")

    def check(self, words, status, parts):
        """One sentence with these parts, and nothing is changed by it."""
        done = run(*words, check=False)
        said = done.stderr.strip()
        self.assertEqual(done.returncode, status, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        for part in parts:
            self.assertIn(part, said)
        self.assertEqual(self.everything(), self.before)

    def test_xml(self):
        for command in ("define", "create"):
            for name, (xml, parts) in XML.items():
                with self.subTest(f"{command}: {name}"):
                    path = self.write("bad.xml", xml)
                    self.check([REEVE, "-c", self.reeved.shell_uri, command, path],
                               1, parts)
        self.assertEqual(harness.qemus(), {})

    def test_xml_by_virsh(self):
        for name, (xml, parts) in XML.items():
            with self.subTest(name):
                done = run("virsh", "-c", self.reeved.tcp_uri, "define",
                           self.write("bad.xml", xml), check=False)
                self.assertEqual(done.returncode, 1)
                for part in parts:
                    self.assertIn(part, done.stderr)

    def test_change_of_what_is_there(self):
        """A new definition that is refused leaves the old one."""
        xml = self.reeve("dumpxml", "m").replace("<vcpu>1<", "<vcpu>none<")
        self.check([REEVE, "-c", self.reeved.shell_uri, "define",
                    self.write("bad.xml", xml)], 1, ["<vcpu>"])

    def test_shell_options(self):
        for name, (words, status, parts) in SHELL_OPTIONS.items():
            with self.subTest(name):
                words = [word.format(self.reeved.shell_uri) for word in words]
                self.check([REEVE, *words], status, parts)

    def test_daemon_options(self):
        for name, (words, status, parts) in DAEMON_OPTIONS.items():
            with self.subTest(name):
                done = run(REEVED, *(word.format(self.path("other")) for word in words),
                           check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                said = [line for line in done.stderr.splitlines()
                        if "notice: " not in line]
                self.assertEqual(len(said), 1, done.stderr)
                for part in parts:
                    self.assertIn(part, said[0])

    def test_second_daemon(self):
        """One that would serve the same root is refused, and harms nothing."""
        done = run(REEVED, "--root", self.reeved.root, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(str(self.reeved.process.pid), done.stderr)
        self.assertEqual(self.everything(), self.before)

    def test_config(self):
        root = self.path("configured")
        os.makedirs(f"{root}/etc")
        for name, (text, parts) in CONFIG.items():
            for options in (["--check-config"], []):
                with self.subTest(f"{name} {options}"):
                    path = self.write("configured/etc/reeved.conf", text)
                    self.check([REEVED, "--root", root, *options], 6, [path, *parts])

    def test_damaged_store(self):
        """A file that is damaged is told of and kept; the others are served."""
        self.reeved.stop()
        path = f"{self.reeved.root}/lib/machines/broken.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("<domain>\n<name>broken")
        self.reeved.start()
        self.assertEqual(self.reeve("list", "--all", "--name").split(), ["m"])
        self.assertIn(path, self.reeved.log())
        self.assertEqual(harness.read(path), "<domain>\n<name>broken")
        os.remove(path)


if __name__ == "__main__":
    harness.main("virsh", "qemu-system-x86_64")
