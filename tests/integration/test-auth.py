# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may come in: SASL, with stock clients."""
import os
import pty
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import run, wait_for

REALM = "reeve.test"
NAME = "alice"
PASSWORD = "wonderland"

CONFIG = f"""
[auth]
unix=sasl
tcp=sasl
sasl_realm={REALM}
sasl_mechanisms=SCRAM-SHA-256;DIGEST-MD5
sasl_names=ali*;carol
"""


class Sasl(harness.TestCase):
    """A daemon that asks for a name and a password."""

    with_reeved = False
    config = CONFIG

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reeved = harness.Reeved(cls.directory, cls.config)
        cls.add_user(NAME, PASSWORD)
        cls.add_user("carol", "rabbit")
        cls.add_user("mallory", "hole")
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)

    @classmethod
    def add_user(cls, name, password):
        # bytes: with a new line it would be a part of the password
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", f"{cls.reeved.root}/etc/passwd.db",
             "-u", REALM, name], input=password.encode(), check=True)

    @classmethod
    def auth_file(cls, name, password):
        return cls.write(f"auth-{name}-{password}.conf", f"""
[credentials-mine]
authname={name}
password={password}
[auth-libvirt-default]
credentials=mine
""")

    def virsh(self, uri, *words, name=NAME, password=PASSWORD, check=True):
        auth = self.auth_file(name, password)
        return run("env", f"LIBVIRT_AUTH_FILE={auth}", "virsh", "-c", uri, *words,
                   check=check)

    def uris(self):
        return {"unix": self.reeved.unix_uri, "tcp": self.reeved.tcp_uri}


class Virsh(Sasl):
    def test_comes_in(self):
        for transport, uri in self.uris().items():
            with self.subTest(transport):
                self.assertIn("Id", self.virsh(uri, "list").stdout)

    def test_mechanisms(self):
        """Without a layer where the socket protects, with one on plain TCP."""
        self.virsh(self.reeved.unix_uri, "list")
        self.assertIn(f"“{NAME}”, by SCRAM-SHA-256", self.reeved.log())
        self.virsh(self.reeved.tcp_uri, "list")
        self.assertIn(f"“{NAME}”, by DIGEST-MD5", self.reeved.log())

    def test_scram_on_plain_tcp(self):
        """Is not offered there, and virsh would not take it."""
        done = self.virsh(f"{self.reeved.tcp_uri}?auth=sasl.SCRAM-SHA-256", "list",
                          check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("SCRAM-SHA-256", done.stderr)

    def test_is_refused(self):
        cases = {
            "wrong password": ("alice", "looking-glass"),
            "unknown user": ("bob", PASSWORD),
            "name that is not allowed": ("mallory", "hole"),
        }
        for transport, uri in self.uris().items():
            for what, (name, password) in cases.items():
                with self.subTest(transport=transport, what=what):
                    done = self.virsh(uri, "list", name=name, password=password,
                                      check=False)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn("authentication failed", done.stderr)
                    self.assertEqual(done.stdout.strip(), "")

    def test_read_only_socket_asks_nothing(self):
        self.assertIn("Id", run("virsh", "-r", "-c", self.reeved.read_only_uri,
                                "list").stdout)

    def test_work_through_the_layer(self):
        """A day's work: much data both ways, and events."""
        xml = self.write("worker.xml", self.boot_xml("worker"))
        auth = self.auth_file(NAME, PASSWORD)
        uri = self.reeved.tcp_uri
        log = open(self.path("events.log"), "w", encoding="utf-8")
        self.addCleanup(log.close)
        watcher = subprocess.Popen(
            ["virsh", "-c", uri, "event", "--all", "--loop"], stdout=log,
            env={**os.environ, "LC_ALL": "C", "LIBVIRT_AUTH_FILE": auth})
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.kill)
        self.virsh(uri, "define", xml)
        # a description that takes several packets
        text = "x" * 300000
        desc = self.write("desc.txt", f"desc worker --config --new-desc {text}")
        run("env", f"LIBVIRT_AUTH_FILE={auth}", "virsh", "-c", uri,
            stdin=harness.read(desc) + "\n")
        shown = self.virsh(uri, "dumpxml", "worker").stdout
        self.assertTrue(text in shown, len(shown))
        # the watcher may have come later than the definition
        def restarted():
            self.virsh(uri, "start", "worker")
            self.virsh(uri, "destroy", "worker")
            return "Stopped" in harness.read(self.path("events.log"))
        wait_for("events through the layer", restarted)
        self.virsh(uri, "undefine", "worker")
        self.assertNotIn("worker", self.virsh(uri, "list", "--all").stdout)


class Tls(Sasl):
    """SCRAM-SHA-256 on a network: inside TLS, which brings the encryption."""

    config = f"""
[listen]
addresses=ptls:127.0.0.1:0
[auth]
tls=sasl
sasl_realm={REALM}
"""

    @classmethod
    def setUpClass(cls):
        cls.pki = tempfile.mkdtemp(prefix="reeve-pki-")
        cls.addClassCleanup(shutil.rmtree, cls.pki)
        for words in (("ca", "--name", "Test"), ("server", "--ca", cls.pki, "127.0.0.1"),
                      ("client", "--ca", cls.pki, "--name", "a client")):
            run(harness.REEVE, "pki", words[0], "--directory", cls.pki, *words[1:])
        super().setUpClass()

    @classmethod
    def add_user(cls, name, password):
        super().add_user(name, password)
        shutil.copytree(cls.pki, f"{cls.reeved.root}/etc/pki", dirs_exist_ok=True)

    @property
    def uri(self):
        port = re.search(r"ptls:127\.0\.0\.1:(\d+)", self.reeved.log()).group(1)
        return f"qemu+tls://127.0.0.1:{port}/system?pkipath={self.pki}"

    def test_virsh(self):
        self.assertIn("Id", self.virsh(self.uri, "list").stdout)
        self.assertIn(f"“{NAME}”, by SCRAM-SHA-256", self.reeved.log())
        refused = self.virsh(self.uri, "list", password="x", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("authentication failed", refused.stderr)

    def test_shell(self):
        auth = self.auth_file(NAME, PASSWORD)
        self.assertIn("Id", run("env", f"LIBVIRT_AUTH_FILE={auth}", harness.REEVE, "-c",
                                self.uri, "list").stdout)


    def test_admin_sees_both_names(self):
        """Of the certificate and of the authentication, by virt-admin and by our shell."""
        holder = subprocess.Popen(
            ["virsh", "-q", "-c", self.uri], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C",
                                         "LIBVIRT_AUTH_FILE": self.auth_file(NAME, PASSWORD)})
        self.addCleanup(holder.communicate)
        self.addCleanup(holder.terminate)
        holder.stdin.write("hostname\n")
        holder.stdin.flush()
        self.assertTrue(holder.stdout.readline())
        admin = ["virt-admin", "-c", f"libvirtd:///system?socket={self.reeved.admin_socket}"]
        shell = [harness.REEVE, "-c", f"unix:{self.reeved.admin_socket}"]
        listed = run(*admin, "client-list", "reeved").stdout
        # others may not be gone yet
        number = max(map(int, re.findall(r"^ (\d+) +tls ", listed, re.M)))
        info = run(*admin, "client-info", "reeved", str(number)).stdout
        self.assertRegex(info, re.compile(rf"^sasl_user_name *: {NAME}$", re.M))
        self.assertRegex(info, re.compile(r"^tls_x509_dname *: CN=a client$", re.M))
        text = run(*shell, "client-info", "reeved", str(number)).stdout
        self.assertRegex(text, re.compile(rf"^SASL user: +{NAME}$", re.M))
        self.assertRegex(text, re.compile(r"^Certificate: +CN=a client$", re.M))


class Python(Sasl):
    def open(self, uri, name, password, seen=None):
        def ask(credentials, data):
            for credential in credentials:
                if seen is not None:
                    seen.append(credential[0])
                if credential[0] == libvirt.VIR_CRED_AUTHNAME:
                    credential[4] = name
                elif credential[0] == libvirt.VIR_CRED_PASSPHRASE:
                    credential[4] = password
            return 0

        kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
        return libvirt.openAuth(uri, [kinds, ask, None], 0)

    def test_is_asked(self):
        for transport, uri in self.uris().items():
            with self.subTest(transport):
                seen = []
                connection = self.open(uri, NAME, PASSWORD, seen)
                self.assertEqual(connection.listAllDomains(), [])
                connection.close()
                self.assertEqual(sorted(seen), [libvirt.VIR_CRED_AUTHNAME,
                                                libvirt.VIR_CRED_PASSPHRASE])

    def test_wrong_password(self):
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.open(self.reeved.unix_uri, NAME, "x")
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_AUTH_FAILED)
        self.assertEqual(caught.exception.get_error_domain(), libvirt.VIR_FROM_RPC)

    def test_threads_share_a_layer(self):
        connection = self.open(self.reeved.tcp_uri, "carol", "rabbit")
        self.addCleanup(connection.close)
        xml = self.boot_xml("shared")
        connection.defineXML(xml)
        failures = []

        def look():
            try:
                for _ in range(200):
                    domain = connection.lookupByName("shared")
                    assert "shared" in domain.XMLDesc()
            except Exception as error:  # told below, by the test's thread
                failures.append(repr(error))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        connection.lookupByName("shared").undefine()

    def test_many_come_at_once(self):
        """And one who guesses delays nobody."""
        failures = []

        def come():
            try:
                self.open(self.reeved.unix_uri, NAME, PASSWORD).close()
            except Exception as error:  # told below, by the test's thread
                failures.append(repr(error))

        def guess():
            try:
                self.open(self.reeved.unix_uri, NAME, "x")
                failures.append("a guess was right")
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_AUTH_FAILED:
                    failures.append(repr(error))

        threads = [threading.Thread(target=guess) for _ in range(8)]
        threads += [threading.Thread(target=come) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Guessing(Sasl):
    def guess(self, auth, failures):
        done = run("env", f"LIBVIRT_AUTH_FILE={auth}", "virsh", "-c", self.reeved.unix_uri,
                   "list", check=False)
        if "authentication failed" not in done.stderr:
            failures.append(done.stderr)

    def test_many_connections_are_no_faster(self):
        """Twenty guesses of one peer: sixteen at once, then one a second; others come in."""
        failures = []
        auth = self.auth_file(NAME, "x")
        start = time.monotonic()
        threads = [threading.Thread(target=self.guess, args=(auth, failures))
                   for _ in range(20)]
        for thread in threads:
            thread.start()
        self.assertIn("Id", self.virsh(self.reeved.tcp_uri, "list").stdout)
        self.assertTrue(any(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        # the fourth of those that wait, and its answer is kept for a second
        self.assertGreater(time.monotonic() - start, 4.9)


class Shell(Sasl):
    """The client library, by the shell."""

    def reeve(self, uri, *words, name=NAME, password=PASSWORD, check=True):
        auth = self.auth_file(name, password)
        return run("env", f"LIBVIRT_AUTH_FILE={auth}", harness.REEVE, "-c", uri, *words,
                   check=check)

    def test_comes_in(self):
        for uri in (self.reeved.unix_uri, self.reeved.tcp_uri, self.reeved.shell_uri,
                    f"tcp:127.0.0.1:{self.reeved.port}",
                    f"{self.reeved.tcp_uri}?auth=sasl.DIGEST-MD5"):
            with self.subTest(uri):
                self.assertIn("Id", self.reeve(uri, "list").stdout)

    def test_exit_status(self):
        unix, tcp = self.reeved.unix_uri, self.reeved.tcp_uri
        cases = {
            "wrong password": (unix, "alice", "x", 5, "authentication failed"),
            "wrong password in the layer": (tcp, "alice", "x", 5, "authentication failed"),
            "unknown user": (unix, "bob", PASSWORD, 5, "authentication failed"),
            "mechanism that is not offered": (f"{tcp}?auth=sasl.PLAIN", NAME, PASSWORD, 5,
                                              "does not offer PLAIN"),
            "kind that is not offered": (f"{tcp}?auth=polkit", NAME, PASSWORD, 5,
                                         "does not offer polkit"),
            "kind that there is not": (f"{tcp}?auth=none", NAME, PASSWORD, 3, "parameter auth"),
        }
        for what, (uri, name, password, status, words) in cases.items():
            with self.subTest(what):
                done = self.reeve(uri, "list", name=name, password=password, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(words, done.stderr)

    def test_much_data(self):
        text = "y" * 300000
        xml = self.write("much.xml", self.boot_xml("much").replace(
            "<memory", f"<description>{text}</description><memory", 1))
        self.reeve(self.reeved.tcp_uri, "define", xml)
        shown = self.reeve(self.reeved.tcp_uri, "dumpxml", "much").stdout
        self.assertTrue(text in shown, len(shown))
        self.reeve(self.reeved.tcp_uri, "undefine", "much")

    def test_asks_at_the_terminal(self):
        """And shows no password."""
        nothing = self.write("nothing.conf", "")
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(LC_ALL="C", LIBVIRT_AUTH_FILE=nothing)
            os.execv(harness.REEVE, ["reeve", "-c", self.reeved.tcp_uri, "list"])
        seen = ""
        for prompt, answer in (("User name for 127.0.0.1: ", NAME),
                               ("Password for 127.0.0.1: ", PASSWORD), ("Id", None)):
            while prompt not in seen:
                seen += os.read(terminal, 1000).decode()
            if answer is not None:
                os.write(terminal, f"{answer}\n".encode())
        self.assertNotIn(PASSWORD, seen)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        os.close(terminal)


class Config(harness.TestCase):
    with_reeved = False

    def refused(self, config):
        reeved = harness.Reeved(self.directory, config)
        done = run(*reeved.words, "--check-config", check=False)
        return done.returncode, done.stderr

    def test_is_checked(self):
        cases = {
            "[auth]\nunix=kerberos\n": "unix",
            "[auth]\ntcp=polkit\n": "tcp",
            "[auth]\nsasl_min_ssf=many\n": "sasl_min_ssf",
        }
        for config, key in cases.items():
            with self.subTest(key):
                status, text = self.refused(config)
                self.assertEqual(status, 6)
                self.assertIn(f"[auth] {key}: ", text)

    def test_tcp_without_is_warned_of(self):
        reeved = harness.Reeved(self.directory).start()
        self.addCleanup(reeved.stop)
        self.assertIn("asks nobody who he is", reeved.log())


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "virsh", "virt-admin", "saslpasswd2", "qemu-system-x86_64")
