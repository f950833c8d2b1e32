# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules of access: what each of several callers may, with stock virsh.

The users are numbers that nobody has; to become one takes root.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVE, REEVED, Reeved, run, wait_for

ALICE, BOB, EVE = 61001, 61002, 61003
SHARED = 61100  # a group
MINE = "read; control; domain:write; domain:save; domain:delete"

RULES = f"""
[rule alice]
who = uid:{ALICE}
may = {MINE}
on = alice-*

[rule bob]
who = uid:{BOB}
may = {MINE}; storage_vol:*
on = bob-*; default/bob-*

[rule shared]
who = gid:{SHARED}
may = read
on = shared

[rule pool]
who = uid:{BOB}
may = storage_pool:*
on = default

[rule local]
who = any
from = 127.0.0.0/8
may = connect:*; domain:getattr; domain:read
on = shared
"""


class Access(harness.TestCase):
    """A daemon that everybody reaches, with rules."""

    with_reeved = False
    rules = RULES
    rules_name = "reeved/etc/reeved-access.conf"
    config = "[listen]\nunix_mode = 0666\nunix_ro_mode = 0666\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reeved = Reeved(cls.directory, cls.config.replace("DIR", cls.directory))
        cls.rules_path = cls.path(cls.rules_name)
        if cls.rules is not None:
            cls.write_rules(cls.rules)
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        for folder in cls.directory, cls.reeved.root, f"{cls.reeved.root}/run":
            os.chmod(folder, 0o711)

    @classmethod
    def write_rules(cls, text):
        with open(cls.rules_path, "w", encoding="utf-8") as file:
            file.write(text)

    def virsh(self, *words, check=True):
        """As root, who may do everything."""
        return run("virsh", "-q", "-c", self.reeved.unix_uri, *words, check=check)

    def define(self, name):
        self.virsh("define", self.write(f"{name}.xml", self.boot_xml(name)))

    def become(self, uid, *words, groups=()):
        """Words that run a program as somebody."""
        groups = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        return ["setpriv", "--reuid", uid, "--regid", uid, *groups,
                "env", "-u", "XDG_RUNTIME_DIR", "HOME=/nonexistent", *words]

    def as_user(self, uid, *words, groups=()):
        return run(*self.become(uid, "virsh", "-q", "-c", self.reeved.unix_uri,
                                groups=groups), *words, check=False)

    def names(self, uid, *options, groups=()):
        done = self.as_user(uid, "list", "--all", "--name", *options, groups=groups)
        self.assertEqual(done.returncode, 0, done.stderr)
        return set(done.stdout.split())

    def assert_refused(self, done, words):
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(words, done.stderr)

    def acl(self, *words, check=True):
        return run(REEVE, "-c", self.reeved.shell_uri, "acl", *words, check=check)

    def audit(self, **fields):
        """The lines of the log that are about all of this."""
        wanted = [f"{key}={value}" for key, value in fields.items()]
        lines = [line + " " for line in self.reeved.log().splitlines()
                 if "audit: " in line]
        return [line for line in lines if all(f" {word} " in line for word in wanted)]

    def tearDown(self):
        for name in self.virsh("list", "--name").stdout.split():
            self.virsh("destroy", name, check=False)
        for name in self.virsh("list", "--all", "--name").stdout.split():
            self.virsh("undefine", name)


@unittest.skipIf(os.geteuid() != 0, "only root becomes somebody else")
class Users(Access):
    """Two who share a host, and see nothing of each other."""

    def setUp(self):
        for name in "alice-1", "bob-1", "shared":
            self.define(name)

    def test_lists(self):
        self.assertEqual(self.names(ALICE), {"alice-1"})
        self.assertEqual(self.names(BOB), {"bob-1"})
        self.assertEqual(self.names(ALICE, groups=[SHARED]), {"alice-1", "shared"})
        self.assertEqual(self.names(0), {"alice-1", "bob-1", "shared"})
        stats = self.as_user(ALICE, "domstats").stdout
        self.assertEqual(re.findall("Domain: '(.*)'", stats), ["alice-1"])
        self.virsh("start", "bob-1")
        self.assertEqual(self.names(ALICE, "--state-running"), set())
        self.assertEqual(self.names(BOB, "--state-running"), {"bob-1"})

    @unittest.skipIf(libvirt is None, "python3-libvirt is not installed")
    def test_old_lists(self):
        """The calls of libvirt that only count, or only name."""
        script = ("import libvirt, sys; c = libvirt.open(sys.argv[1]);"
                  "print(c.numOfDomains(), c.numOfDefinedDomains(),"
                  "      len(c.listDomainsID()), *c.listDefinedDomains())")
        self.virsh("start", "bob-1")
        for uid, seen in ((ALICE, "0 1 0 alice-1"), (BOB, "1 0 1"),
                          (0, "1 2 1 alice-1 shared")):
            with self.subTest(uid=uid):
                done = run(*self.become(uid, "/usr/bin/python3", "-c", script,
                                        self.reeved.unix_uri))
                self.assertEqual(done.stdout.strip(), seen)

    def test_life(self):
        """Each controls what is his."""
        for words in ["start", "suspend", "resume", "reset", "destroy"]:
            done = self.as_user(ALICE, words, "alice-1")
            self.assertEqual(done.returncode, 0, done.stderr)
        path = self.write("alice-2.xml", self.boot_xml("alice-2"))
        os.chmod(path, 0o644)
        self.assertEqual(self.as_user(ALICE, "define", path).returncode, 0)
        self.assertEqual(self.names(ALICE), {"alice-1", "alice-2"})
        self.assertEqual(self.as_user(ALICE, "undefine", "alice-2").returncode, 0)

    def test_hidden(self):
        """What one may not see is not there, by its name, id and uuid."""
        self.virsh("start", "bob-1")
        uuid = self.virsh("domuuid", "bob-1").stdout.strip()
        number = self.virsh("domid", "bob-1").stdout.strip()
        for what in ("bob-1", uuid, number, "missing", "999"):
            for command in "domstate", "destroy", "dumpxml", "undefine":
                with self.subTest(what=what, command=command):
                    done = self.as_user(ALICE, command, what)
                    self.assert_refused(done, "failed to get domain")
        self.assertEqual(self.virsh("domstate", "bob-1").stdout.strip(), "running")

    @unittest.skipIf(libvirt is None, "python3-libvirt is not installed")
    def test_hidden_handle(self):
        """A handle that was not looked up is answered as one of nothing."""
        script = ("import libvirt, sys\n"
                  "c = libvirt.open(sys.argv[1])\n"
                  "for uuid in sys.argv[2:]:\n"
                  "    try:\n"
                  "        c.lookupByUUIDString(uuid)\n"
                  "    except libvirt.libvirtError as e:\n"
                  "        print(e.get_error_code(),"
                  "              e.get_error_message().replace(uuid, 'UUID'))\n")
        uuid = self.virsh("domuuid", "bob-1").stdout.strip()
        done = run(*self.become(ALICE, "/usr/bin/python3", "-c", script,
                                self.reeved.unix_uri, uuid,
                                "12345678-1234-1234-1234-123456789abc"))
        hidden, missing = done.stdout.splitlines()
        self.assertTrue(hidden.startswith("42 "), hidden)
        self.assertEqual(hidden, missing)

    def test_seen_but_not_controlled(self):
        done = self.as_user(EVE, "start", "shared", groups=[SHARED])
        self.assert_refused(done, "access denied: domain_create")
        self.assert_refused(done, "domain:start on 'shared'")
        self.assertEqual(
            self.as_user(EVE, "domstate", "shared", groups=[SHARED]).stdout.strip(),
            "shut off")

    def test_flags(self):
        """What a flag asks for takes more."""
        self.assertEqual(self.as_user(ALICE, "dumpxml", "alice-1").returncode, 0)
        done = self.as_user(ALICE, "dumpxml", "--security-info", "alice-1")
        self.assert_refused(done, "domain:read_secure on 'alice-1'")

    def test_definitions(self):
        """Neither names nor uuids of others can be taken."""
        xml = self.boot_xml("bob-2")
        done = self.as_user(ALICE, "define", self.shared_file("bob-2.xml", xml))
        self.assert_refused(done, "domain:write on 'bob-2'")
        done = self.as_user(ALICE, "create", self.shared_file("bob-2.xml", xml))
        self.assert_refused(done, "on 'bob-2'")
        done = self.as_user(ALICE, "domrename", "alice-1", "bob-2")
        self.assert_refused(done, "on 'bob-2'")
        uuid = self.virsh("domuuid", "bob-1").stdout.strip()
        xml = self.boot_xml("alice-2", uuid=uuid)
        done = self.as_user(ALICE, "define", self.shared_file("alice-2.xml", xml))
        self.assert_refused(done, "the uuid is that of another machine")
        self.assertNotIn("bob-1", done.stderr)
        self.assertEqual(self.names(0), {"alice-1", "bob-1", "shared"})

    def shared_file(self, name, text):
        path = self.write(name, text)
        os.chmod(path, 0o644)
        return path

    def test_nobody(self):
        """Who may nothing does not even connect."""
        self.assert_refused(self.as_user(EVE, "list"), "access denied")
        self.assert_refused(self.as_user(EVE, "version"), "access denied")

    def test_host(self):
        """Who may something looks at the host, and changes nothing of it."""
        self.assertIn("x86_64", self.as_user(ALICE, "capabilities").stdout)
        self.assertEqual(self.as_user(ALICE, "nodeinfo").returncode, 0)
        self.assert_refused(self.as_user(ALICE, "domcapabilities"), "connect:write")

    def test_events(self):
        """A subscriber hears of what he may see."""
        words = self.become(ALICE, "virsh", "-c", self.reeved.unix_uri, "event",
                            "--event", "lifecycle", "--loop", "--timeout", "20")
        listener = subprocess.Popen(
            ["stdbuf", "-oL", *map(str, words)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LC_ALL": "C"})
        try:
            wait_for("a subscriber", lambda: self.is_heard(listener))
            self.virsh("start", "bob-1")
            self.virsh("start", "shared")
            self.virsh("start", "alice-1")
            heard = ""
            while "Started" not in heard:
                heard += listener.stdout.readline()
        finally:
            listener.send_signal(signal.SIGINT)
            listener.wait()
        self.assertIn("alice-1", heard)
        self.assertNotIn("bob-1", heard)
        self.assertNotIn("shared", heard)

    def is_heard(self, listener):
        """Whether it hears of what is done to a machine that it may see."""
        self.virsh("desc", "alice-1", "--title", "heard")
        self.virsh("undefine", "alice-1")
        self.define("alice-1")
        os.set_blocking(listener.stdout.fileno(), False)
        heard = listener.stdout.read() or ""
        os.set_blocking(listener.stdout.fileno(), True)
        return "Defined" in heard

    def test_storage(self):
        """Volumes have the names of their pool before theirs."""
        self.virsh("vol-create-as", "default", "alice.img", "1M")
        self.assertEqual(
            self.as_user(BOB, "vol-create-as", "default", "bob-a.img", "1M").returncode, 0)
        listed = self.as_user(BOB, "vol-list", "default").stdout
        self.assertIn("bob-a.img", listed)
        self.assertNotIn("alice.img", listed)
        for words in (["vol-delete", "alice.img", "default"],
                      ["vol-info", "alice.img", "default"],
                      ["vol-create-as", "default", "carol.img", "1M"]):
            with self.subTest(words=words):
                self.assertNotEqual(self.as_user(BOB, *words).returncode, 0)
        self.assertNotIn("default", self.as_user(ALICE, "pool-list", "--all").stdout)
        self.assert_refused(self.as_user(ALICE, "pool-info", "default"),
                            "failed to get pool")
        self.assertEqual(
            self.as_user(BOB, "vol-delete", "bob-a.img", "default").returncode, 0)
        self.virsh("vol-delete", "alice.img", "default")

    def test_origin(self):
        """Somebody from the network, by where he comes from."""
        done = run("virsh", "-q", "-c", self.reeved.tcp_uri, "list", "--all", "--name")
        self.assertEqual(done.stdout.split(), ["shared"])
        done = run("virsh", "-q", "-c", self.reeved.tcp_uri, "start", "shared", check=False)
        self.assert_refused(done, "access denied: domain_create")
        lines = self.audit(address="127.0.0.1", call="remote.domain_create")
        self.assertEqual(len(lines), 1)
        self.assertIn(" from=tcp:127.0.0.1:", lines[0])

    def test_audit(self):
        self.as_user(EVE, "start", "shared", groups=[SHARED])
        lines = self.audit(uid=EVE, call="remote.domain_create", takes="domain:start",
                           object='"shared"', rule="(none)")
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"audit: denied client=\d+ uid=61003 from=unix pid=\d+ "
                                   r"call=\S+ serial=\d+ takes=")
        self.as_user(ALICE, "destroy", "bob-1")
        self.assertTrue(self.audit(uid=ALICE, call="remote.domain_lookup_by_name",
                                   takes="domain:getattr", object='"bob-1"'))

    def test_explain(self):
        """The daemon says what it would do, and why."""
        for who, action, name, status, why in (
            (f"uid:{ALICE}", "domain:start", "alice-7", 0, "the rule alice"),
            (f"uid:{ALICE}", "domain_destroy", "bob-1", 5, "no rule"),
            (f"uid:{BOB}", "remote.domain_define_xml", "bob-1", 0, "the rule bob"),
            (f"gid:{SHARED}", "domain:read", "shared", 0, "the rule shared"),
            ("uid:0", "domain:read", "shared", 0, "root"),
        ):
            with self.subTest(who=who, action=action):
                done = self.acl("explain", who, action, name, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(why, done.stdout)
        done = self.acl("explain", "any", "domain:read", "shared", "--from", "tcp:10.0.0.1",
                        check=False)
        self.assertEqual(done.returncode, 5)
        rules = json.loads(run(REEVE, "-c", self.reeved.shell_uri, "--json", "acl",
                               "list").stdout)
        self.assertEqual([rule["rule"] for rule in rules],
                         ["alice", "bob", "shared", "pool", "local"])
        self.assertEqual(rules[0]["file"], self.rules_path)

    def reload(self, text, words):
        """Rules that replace those that hold, by a signal."""
        before = len(self.reeved.log())
        self.write_rules(text)
        self.reeved.process.send_signal(signal.SIGHUP)
        wait_for("the end of a reload", lambda: words in self.reeved.log()[before:])
        return self.reeved.log()[before:]

    def test_reload(self):
        """New rules hold for clients that are there; broken ones never do."""
        try:
            shell = subprocess.Popen(
                list(map(str, self.become(ALICE, "virsh", "-q", "-c",
                                          self.reeved.unix_uri))),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, env={**os.environ, "LC_ALL": "C"})

            def ask(words, expected):
                shell.stdin.write(words + "\n")
                shell.stdin.flush()
                heard = ""
                while expected not in heard:
                    line = shell.stdout.readline()
                    self.assertNotEqual(line, "", heard)
                    heard += line

            ask("domstate alice-1", "shut off")
            log = self.reload(RULES + "[rule more]\nwho = uid:61001; user:nobody-here\n"
                              "effect = deny\nmay = all\n", "Not reloaded")
            self.assertIn(f"{self.rules_path}:", log)
            self.assertIn("[rule more] who: there is no user “nobody-here”", log)
            ask("domstate alice-1", "shut off")
            self.reload(f"[rule no]\nwho = uid:{ALICE}\nmay = all\neffect = deny\n" + RULES,
                        "Reloaded: access")
            ask("domstate alice-1", "failed to get domain")
            os.remove(self.rules_path)
            self.reeved.process.send_signal(signal.SIGHUP)
            wait_for("a refusal", lambda: "there are no rules any more" in self.reeved.log())
            ask("domstate alice-1", "failed to get domain")
            shell.communicate("quit\n")
        finally:
            self.write_rules(RULES)
            self.acl("reload")
        done = self.as_user(ALICE, "domstate", "alice-1")
        self.assertEqual(done.stdout.strip(), "shut off")

    def test_reload_by_call(self):
        self.write_rules("[rule x]\n")
        done = self.acl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.rules_path}:1: [rule x] who is missing", done.stderr)
        self.write_rules(RULES)
        self.acl("reload")

    def test_check_config(self):
        self.write_rules("[rule x]\nwho = any\nmay = domain:raed\n")
        done = run(REEVED, "--root", self.reeved.root, "--check-config", check=False)
        self.write_rules(RULES)
        self.assertEqual(done.returncode, 6)
        self.assertIn(f"{self.rules_path}:3: [rule x] may: nothing takes “domain:raed”",
                      done.stderr)


class ReadOnly(Access):
    """The read-only socket, by stock virsh: it shows all and changes nothing."""

    rules = None
    READS = [
        ["list", "--all"], ["dominfo", "m"], ["domstate", "m"], ["domid", "m"],
        ["domuuid", "m"], ["dumpxml", "m"], ["vcpucount", "m"], ["dommemstat", "m"],
        ["domstats", "m"], ["domstats"], ["domcontrol", "m"], ["domblklist", "m"],
        ["domiflist", "m"], ["desc", "m"], ["domjobinfo", "m"], ["snapshot-list", "m"],
        ["checkpoint-list", "m"], ["capabilities"], ["nodeinfo"], ["hostname"],
        ["version", "--daemon"], ["uri"], ["pool-list", "--all"], ["pool-info", "default"],
        ["pool-dumpxml", "default"], ["vol-list", "default"], ["vol-info", "v", "default"],
        ["vol-dumpxml", "v", "default"], ["vol-path", "v", "default"],
        ["event", "--event", "lifecycle", "--timeout", "1"],
    ]
    CHANGES = [
        ["start", "off"], ["destroy", "m"], ["shutdown", "m"], ["reboot", "m"],
        ["reset", "m"], ["suspend", "m"], ["resume", "m"], ["undefine", "off"],
        ["define", "{xml}"], ["create", "{xml}"], ["autostart", "m"], ["setmem", "m", "16M"],
        ["setmaxmem", "off", "64M"], ["domrename", "off", "other"],
        ["desc", "m", "text"], ["send-key", "m", "KEY_A"],
        ["metadata", "m", "urn:x", "--key", "k", "--set", "<a/>"],
        ["qemu-monitor-command", "m", "{{}}"], ["dumpxml", "--security-info", "m"],
        ["dumpxml", "--migratable", "m"], ["pool-refresh", "default"],
        ["vol-create-as", "default", "w", "1M"], ["vol-delete", "v", "default"],
        ["vol-resize", "v", "2M", "default"], ["vol-upload", "v", "{xml}", "default"],
        ["screenshot", "m", "{xml}.ppm"],
    ]

    def setUp(self):
        self.define("m")
        self.define("off")
        self.virsh("start", "m")
        self.virsh("vol-create-as", "default", "v", "1M")
        self.state = self.virsh("domstats").stdout

    def tearDown(self):
        self.virsh("vol-delete", "v", "default")
        super().tearDown()

    def test_reads(self):
        for words in self.READS:
            with self.subTest(words=words):
                done = run("virsh", "-r", "-c", self.reeved.read_only_uri, *words,
                           check=False)
                if words[0] != "event":  # which ends by its timeout
                    self.assertEqual(done.returncode, 0, done.stderr)
                self.assertNotIn("error", done.stderr)

    def test_changes(self):
        """With -r virsh itself refuses; without, the daemon has to."""
        xml = self.write("new.xml", self.boot_xml("new"))
        for options in (), ("-r",):
            for words in self.CHANGES:
                words = [word.format(xml=xml) for word in words]
                with self.subTest(words=words, options=options):
                    done = run("virsh", "-q", *options, "-c", self.reeved.read_only_uri,
                               *words, check=False)
                    self.assert_refused(done, "operation forbidden: ")
        names = self.virsh("list", "--all", "--name").stdout.split()
        self.assertEqual(sorted(names), ["m", "off"])
        self.assertEqual(self.virsh("domstate", "m").stdout.strip(), "running")
        lines = self.audit(call="remote.domain_destroy", rule="(read-only)")
        self.assertEqual(len(lines), 1)

    @unittest.skipIf(libvirt is None, "python3-libvirt is not installed")
    def test_code(self):
        libvirt.registerErrorHandler(lambda *_: None, None)
        connection = libvirt.open(self.reeved.read_only_uri)
        domain = connection.lookupByName("m")
        for change in (domain.destroy, domain.suspend, domain.undefine,
                       lambda: domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE),
                       lambda: domain.setMemory(1024)):
            with self.assertRaises(libvirt.libvirtError) as caught:
                change()
            self.assertEqual(caught.exception.get_error_code(), 29)
        connection.close()


@unittest.skipIf(os.geteuid() != 0, "only root becomes somebody else")
class Audit(Access):
    """What is granted leaves lines, too; floods do not."""

    config = Access.config + "[access]\naudit = changes\n"

    def test_changes(self):
        self.define("alice-1")
        self.assertEqual(self.as_user(ALICE, "start", "alice-1").returncode, 0)
        lines = self.audit(uid=ALICE, call="remote.domain_create_with_flags",
                           object='"alice-1"', rule="alice")
        lines += self.audit(uid=ALICE, call="remote.domain_create",
                            object='"alice-1"', rule="alice")
        self.assertEqual(len(lines), 1)
        self.assertIn("audit: granted", lines[0])
        self.assertFalse(self.audit(uid=ALICE, call="remote.connect_open"))
        self.assertTrue(self.audit(uid=0, call="remote.domain_define_xml",
                                   object='"alice-1"'))

    def test_flood(self):
        """One who is denied again and again fills no log and hides nobody."""
        script = "".join("domstate missing-or-not; " for _ in range(300))
        self.as_user(ALICE, script)
        self.as_user(EVE, "list")
        lines = self.audit(uid=ALICE, call="remote.domain_lookup_by_name")
        self.assertLess(len(lines), 150)
        self.assertTrue(self.audit(uid=EVE, call="remote.connect_open"))


class Owner(Access):
    """Without trust in the owner the rules are for him, too; from a file that
    is somewhere else."""

    rules = f"[rule look]\nwho = uid:{os.geteuid()}\nmay = read; access:*\n"
    rules_name = "rules"
    config = "[access]\ntrust_owner = no\nrules = DIR/rules\n"

    def tearDown(self):
        pass

    def test_owner(self):
        self.assertEqual(self.virsh("list", "--all").returncode, 0)
        path = self.write("m.xml", self.boot_xml("m"))
        self.assert_refused(self.virsh("define", path, check=False), "access denied")
        self.assertIn("look", self.acl("list").stdout)


class Certificates(harness.TestCase):
    """Callers are known by the names of their certificates."""

    with_reeved = False
    RULES = ("[rule admins]\nwho = dn:O=Acme,OU=admins,CN=*\nfrom = tls\nmay = all\n"
             "[rule staff]\nwho = dn:O=Acme,OU=*,CN=*\nmay = read\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reeved = Reeved(cls.directory, "[listen]\naddresses = ptls:127.0.0.1:0\n")
        cls.ca = cls.path("ca")
        run(REEVE, "pki", "ca", cls.ca, "O=Acme,CN=CA")
        run(REEVE, "pki", "server", f"{cls.reeved.root}/etc/pki", "127.0.0.1",
            "--ca", cls.ca, "--name", "O=Acme,CN=server")
        with open(f"{cls.reeved.root}/etc/reeved-access.conf", "w", encoding="utf-8") as file:
            file.write(cls.RULES)
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        cls.port = int(re.search(r"ptls:127\.0\.0\.1:(\d+)", cls.reeved.log()).group(1))

    def virsh(self, unit, *words):
        directory = self.path(unit)
        if not os.path.exists(directory):
            run(REEVE, "pki", "client", directory, f"O=Acme,OU={unit},CN=eve",
                "--ca", self.ca)
            shutil.copyfile(f"{self.ca}/cacert.pem", f"{directory}/cacert.pem")
        return run("virsh", "-q", "-c",
                   f"qemu+tls://127.0.0.1:{self.port}/system?pkipath={directory}",
                   *words, check=False)

    def test_names(self):
        path = self.write("m.xml", self.boot_xml("m"))
        done = self.virsh("staff", "define", path)
        self.assertIn("access denied", done.stderr)
        self.assertIn('dn="O=Acme,OU=staff,CN=eve" from=tls:127.0.0.1:', self.reeved.log())
        done = self.virsh("admins", "define", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.virsh("staff", "domstate", "m").stdout.strip(), "shut off")


if __name__ == "__main__":
    harness.main("virsh", "setpriv", "stdbuf", "qemu-system-x86_64")
