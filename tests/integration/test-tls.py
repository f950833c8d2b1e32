# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS: certificates made by `reeve pki`, used by stock clients and by ours."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVE, Reeved, run, wait_for

THREADS = 8
LOOPS = 20
DN = "C=GB,O=Acme,CN="


def pki(*words, **more):
    """A command of `reeve pki`."""
    return run(REEVE, "--json", "pki", *words, **more)


def uri(port, directory, more="", host="127.0.0.1"):
    return f"qemu+tls://{host}:{port}/system?pkipath={directory}{more}"


def ask(port, directory, more=""):
    """`reeve` over TLS; does not care how it ends."""
    return run(REEVE, "-c", uri(port, directory, more), "list", "--all", check=False)


def virsh(port, directory, more="", *words):
    return run("virsh", "-c", uri(port, directory, more), *(words or ["list", "--all"]),
               check=False)


class TlsReeved(Reeved):
    """Listens with TLS, too; its certificates are below its etc/."""

    def __init__(self, directory, config="", listen="127.0.0.1:0"):
        super().__init__(directory, f"[listen]\naddresses=ptls:{listen}\n{config}")
        self.pki = f"{self.root}/etc/pki"

    @property
    def tls_port(self):
        return int(re.search(r"ptls:127\.0\.0\.1:(\d+)", self.log()).group(1))


class TlsTestCase(harness.TestCase):
    """Has a CA in ca/, a daemon with a certificate of it, and the client
    alice/."""

    with_reeved = False
    config = ""
    server_words = ["localhost", "127.0.0.1"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = cls.path("ca")
        pki("ca", cls.ca, DN + "CA")
        cls.reeved = TlsReeved(cls.directory, cls.config)
        cls.make_files()
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        cls.port = cls.reeved.tls_port
        cls.alice = cls.make_client("alice")

    @classmethod
    def make_files(cls):
        pki("server", cls.reeved.pki, *cls.server_words, "--ca", cls.ca,
            "--name", DN + "server")

    @classmethod
    def make_client(cls, name, *words, ca=None):
        """The folder of a client, which trusts the usual CA in any case."""
        directory = cls.path(name)
        pki("client", directory, DN + name, "--ca", ca or cls.ca, *words)
        shutil.copyfile(f"{cls.ca}/cacert.pem", f"{directory}/cacert.pem")
        return directory

    def assert_serves(self, directory, more=""):
        for done in ask(self.port, directory, more), virsh(self.port, directory, more):
            self.assertEqual(done.returncode, 0, done.stderr)

    def assert_logged(self, pattern, before=0):
        wait_for(f"“{pattern}” in the log",
                 lambda: re.search(pattern, self.reeved.log()[before:]))

    def wait_for_reload(self, before, what="TLS shows the certificate"):
        self.assert_logged(what, before)


class Pki(harness.TestCase):
    """What `reeve pki` makes, seen by certtool and by stat."""

    with_reeved = False

    def certtool(self, *words):
        return run("certtool", *words).stdout

    def show(self, path):
        return self.certtool("--certificate-info", "--infile", path)

    def test_chains(self):
        for kind in "rsa", "ecdsa", "ed25519":
            with self.subTest(kind):
                ca, client = self.path(f"{kind}-ca"), self.path(f"{kind}-client")
                pki("ca", ca, "--key", kind)
                pki("server", ca, "web.example.org", "192.0.2.7", "2001:db8::7", "--key", kind)
                pki("client", client, DN + "alice", "--ca", ca, "--key", kind)
                for path in f"{ca}/servercert.pem", f"{client}/clientcert.pem":
                    self.assertIn("The certificate is trusted", self.certtool(
                        "--verify", "--load-ca-certificate", f"{ca}/cacert.pem",
                        "--infile", path))

    def test_contents(self):
        ca, client = self.path("ca"), self.path("client")
        pki("ca", ca, "O=Acme,CN=The CA", "--days", "20")
        pki("server", ca, "web.example.org", "192.0.2.7", "2001:db8::7", "--days", "10")
        pki("client", client, DN + "alice", "--ca", ca, "--start", "2020-02-01", "--days", "3")
        text = self.show(f"{ca}/cacert.pem")
        self.assertIn("Certificate Authority (CA): TRUE", text)
        self.assertIn("Certificate signing", text)
        self.assertIn("Subject: CN=The CA,O=Acme", text)
        text = self.show(f"{ca}/servercert.pem")
        self.assertIn("Certificate Authority (CA): FALSE", text)
        self.assertIn("TLS WWW Server", text)
        self.assertNotIn("TLS WWW Client", text)
        for name in "DNSname: web.example.org", "IPAddress: 192.0.2.7", "IPAddress: 2001:db8::7":
            self.assertIn(name, text)
        text = self.show(f"{client}/clientcert.pem")
        self.assertIn("TLS WWW Client", text)
        self.assertIn("Subject: CN=alice,O=Acme,C=GB", text)
        self.assertRegex(text, "Not Before: Sat Feb 01 00:00:00 UTC 2020")
        self.assertRegex(text, "Not After: Tue Feb 04 00:00:00 UTC 2020")

    def test_keys_are_private(self):
        ca, client = self.path("secret-ca"), self.path("secret")
        pki("ca", ca)
        pki("server", ca)
        pki("client", client, "alice", "--ca", ca)
        for path in f"{ca}/cakey.pem", f"{ca}/serverkey.pem", f"{client}/clientkey.pem":
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        # the CA's key stays where it is
        self.assertEqual(sorted(os.listdir(client)),
                         ["cacert.pem", "clientcert.pem", "clientkey.pem"])

    def test_refuses_to_overwrite(self):
        ca, other = self.path("kept-ca"), self.path("other-ca")
        client = self.path("kept")
        pki("ca", ca)
        pki("ca", other)
        before = harness.read(f"{ca}/cacert.pem")
        done = pki("ca", ca, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--overwrite replaces it", done.stderr)
        self.assertEqual(harness.read(f"{ca}/cacert.pem"), before)
        pki("ca", ca, "--overwrite")
        self.assertNotEqual(harness.read(f"{ca}/cacert.pem"), before)
        pki("client", client, "alice", "--ca", ca)
        os.remove(f"{client}/clientcert.pem")
        os.remove(f"{client}/clientkey.pem")
        done = pki("client", client, "alice", "--ca", other, check=False)
        self.assertIn("cacert.pem is there already", done.stderr)

    def test_refuses_bad_words(self):
        for words, text in (
            (["ca"], "--directory is missing"),
            (["client", self.path("x")], "--name is missing"),
            (["ca", self.path("x"), "--key", "dsa"], "rsa, ecdsa and ed25519"),
            (["ca", self.path("x"), "--days", "0"], "--days"),
            (["ca", self.path("x"), "--start", "tomorrow"], "--start"),
            (["bake", self.path("x")], "there is no command “pki bake”"),
        ):
            with self.subTest(words):
                done = pki(*words, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(text, done.stderr)
        done = pki("server", self.path("nowhere"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cacert.pem: No such file", done.stderr)
        self.assertFalse(os.path.exists(self.path("x")))

    def test_revokes(self):
        ca = self.path("revoking")
        pki("ca", ca)
        serials = []
        for name in "one", "two":
            pki("client", self.path(name), name, "--ca", ca)
            pki("revoke", ca, self.path(f"{name}/clientcert.pem"))
            text = self.show(self.path(f"{name}/clientcert.pem"))
            serials.append(re.search(r"Serial Number \(hex\): (\w+)", text).group(1))
        text = self.certtool("--crl-info", "--infile", f"{ca}/cacrl.pem")
        self.assertEqual(re.findall(r"Serial Number \(hex\): (\w+)", text), serials)
        self.assertIn("Revoked certificates (2)", text)
        self.assertIn("CRL Number (not critical): 02", text)
        self.certtool("--verify-crl", "--load-ca-certificate", f"{ca}/cacert.pem",
                      "--infile", f"{ca}/cacrl.pem")


class Clients(TlsTestCase):
    """Who gets in, and who does not and is told why."""

    config = f"[tls]\nallowed_names={DN}alice;{DN}bob*;{DN}server;*,CN=late*\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_ca = cls.path("other-ca")
        pki("ca", cls.other_ca, DN + "other CA")

    def assert_refused(self, directory, why, more="&no_sanity=1", told=None):
        """By the server: virsh learns that it is, reeve learns why."""
        before = len(self.reeved.log())
        done = virsh(self.port, directory, more)
        self.assertEqual(done.returncode, 1)
        self.assertIn("server verification (of our certificate or IP address) failed",
                      done.stderr)
        self.assert_logged(r"TLS client at 127\.0\.0\.1:\d+ refused because of its "
                           rf"certificate: .*{why}", before)
        done = ask(self.port, directory, more)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertRegex(done.stderr, f"does not accept the certificate of this client: "
                                      f".*{told or why}")
        self.assert_serves(self.alice)

    def test_life_of_a_machine(self):
        path = self.write("m.xml", self.boot_xml("m"))
        for words in ("define", path), ("start", "m"), ("domstate", "m"):
            done = virsh(self.port, self.alice, "", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("running", done.stdout)
        self.wait_serial("m", "REEVE-BOOT")
        self.assertRegex(ask(self.port, self.alice).stdout, "m +running")
        for words in ("destroy", "m"), ("undefine", "m"):
            self.assertEqual(virsh(self.port, self.alice, "", *words).returncode, 0)

    def test_forms_of_the_uri(self):
        for text in (
            f"qemu://localhost:{self.port}/system?pkipath={self.alice}",
            uri(self.port, self.alice, "&tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.2"),
            uri(self.port, self.alice, "&tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.3"),
        ):
            for words in ("virsh", "-c", text, "uri"), (REEVE, "-c", text, "uri"):
                with self.subTest(words):
                    run(*words)

    def test_files_of_the_user(self):
        """Those in ~/.pki/libvirt, of which root has none."""
        home = self.path("home")
        shutil.copytree(self.alice, f"{home}/.pki/libvirt")
        shutil.copy(REEVE, f"{home}/reeve")

        def become_somebody():
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)

        os.chmod(self.directory, 0o711)
        if os.geteuid() == 0:
            for place, _, names in os.walk(home):
                for name in ["", *names]:
                    os.chown(os.path.join(place, name), 65534, 65534)
        for program in f"{home}/reeve", "virsh":
            done = subprocess.run(
                [program, "-c", f"qemu+tls://127.0.0.1:{self.port}/system", "uri"],
                preexec_fn=become_somebody, env={**os.environ, "HOME": home, "LC_ALL": "C"},
                capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_common_version(self):
        done = ask(self.port, self.alice, "&tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("the TLS handshake failed", done.stderr)

    def test_bad_priority(self):
        done = ask(self.port, self.alice, "&tls_priority=COFFEE")
        self.assertIn("The TLS priority “COFFEE” is not understood", done.stderr)

    def test_kinds_of_keys(self):
        for kind in "rsa", "ecdsa", "ed25519":
            with self.subTest(kind):
                self.assert_serves(self.make_client(f"bob-{kind}", "--key", kind))

    def test_refuses_no_certificate(self):
        directory = self.path("nobody")
        os.mkdir(directory)
        shutil.copyfile(f"{self.ca}/cacert.pem", f"{directory}/cacert.pem")
        self.assert_refused(directory, "there is none", "")

    def test_refuses_wrong_ca(self):
        directory = self.make_client("bob-other", ca=self.other_ca, *["--overwrite"])
        self.assert_refused(directory, f"signed by “{DN}other CA”, which is not trusted",
                            told="not signed by a CA that the server trusts")
        # without no_sanity the client finds it by itself
        self.assertIn("failed validation", virsh(self.port, directory).stderr)
        done = ask(self.port, directory)
        self.assertEqual(done.returncode, 3)
        self.assertIn("it is not signed by the CA in", done.stderr)

    def test_refuses_expired(self):
        directory = self.make_client("bob-old", "--start", "2020-01-01", "--days", "2")
        self.assert_refused(directory, "it expired", told="it expired")
        self.assertIn("has expired", virsh(self.port, directory).stderr)
        self.assertIn("the certificate expired on 2020-01-03", ask(self.port, directory).stderr)

    def test_refuses_not_yet_valid(self):
        year = time.gmtime().tm_year + 2
        directory = self.make_client("bob-early", "--start", f"{year}-01-01", "--days", "2")
        self.assert_refused(directory, f"it is not valid before {year}", told="not valid yet")
        self.assertIn("not yet active", virsh(self.port, directory).stderr)
        self.assertIn(f"is not valid before {year}", ask(self.port, directory).stderr)

    def test_refuses_name(self):
        self.assert_refused(
            self.make_client("mallory"), f"“{DN}mallory” is not on the list of allowed names",
            "", told="its name is not on the server's list of allowed names")

    def test_refuses_server_as_client(self):
        directory = self.path("posing")
        os.mkdir(directory)
        for name in "cert", "key":
            shutil.copyfile(f"{self.reeved.pki}/server{name}.pem", f"{directory}/client{name}.pem")
        shutil.copyfile(f"{self.ca}/cacert.pem", f"{directory}/cacert.pem")
        self.assert_refused(directory, "it is not meant for clients",
                            told="it is too weak, or not meant for clients")

    def test_client_refuses_server_of_wrong_ca(self):
        directory = self.make_client("bob-wary")
        shutil.copyfile(f"{self.other_ca}/cacert.pem", f"{directory}/cacert.pem")
        done = virsh(self.port, directory, "&no_sanity=1")
        self.assertIn("The certificate hasn't got a known issuer", done.stderr)
        done = ask(self.port, directory, "&no_sanity=1")
        self.assertEqual(done.returncode, 5)
        self.assertIn(f"is not accepted: it is signed by “{DN}CA”", done.stderr)
        # but it can be told to take it
        self.assert_serves(directory, "&no_sanity=1&no_verify=1")

    def test_client_refuses_revoked_server(self):
        directory = self.make_client("bob-up-to-date")
        ca = self.path("ca-copy")
        shutil.copytree(self.ca, ca)
        pki("revoke", ca, f"{self.reeved.pki}/servercert.pem")
        shutil.copyfile(f"{ca}/cacrl.pem", f"{directory}/cacrl.pem")
        self.assertIn("revoked", virsh(self.port, directory).stderr)
        done = ask(self.port, directory)
        self.assertEqual(done.returncode, 5)
        self.assertIn("is not accepted: it was revoked", done.stderr)

    def test_plain_text_is_refused(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as peer:
            # connect_open in libvirt's framing, without TLS
            peer.sendall(bytes.fromhex("0000001c200080860000000100000042"
                                       "000000000000000000000000"))
            self.assertEqual(peer.recv(64)[:1], b"\x15")  # an alert
        self.assert_logged(r"TLS handshake with the client at 127\.0\.0\.1:\d+ failed")

    def test_check(self):
        """`reeve pki check`: each step, and the status of the one that failed."""

        def check(directory, more="", port=None):
            done = run(REEVE, "--json", "pki", "check", uri(port or self.port, directory, more),
                       check=False)
            return done, {row["check"]: row for row in json.loads(done.stdout)}

        done, rows = check(self.alice)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            {name: row["result"] for name, row in rows.items()},
            dict.fromkeys(["ca", "crl", "certificate", "key", "connect", "handshake", "server",
                           "accepted"], "ok"))
        self.assertIn("TLS1.3", rows["handshake"]["detail"])
        self.assertIn(f"{DN}server, for localhost, 127.0.0.1", rows["server"]["detail"])

        os.chmod(f"{self.alice}/clientkey.pem", 0o644)
        done, rows = check(self.alice)
        self.assertEqual((done.returncode, rows["key"]["result"]), (0, "warning"))
        os.chmod(f"{self.alice}/clientkey.pem", 0o600)

        directory = self.make_client("charlie")
        done, rows = check(directory)
        self.assertEqual((done.returncode, rows["accepted"]["result"]), (5, "failed"))
        self.assertIn("allowed names", rows["accepted"]["detail"])

        shutil.copyfile(f"{self.alice}/clientkey.pem", f"{directory}/clientkey.pem")
        done, rows = check(directory)
        self.assertEqual((done.returncode, rows["key"]["result"]), (1, "failed"))
        self.assertIn("it is not the key of the certificate", rows["key"]["detail"])
        self.assertEqual(rows["connect"]["result"], "skipped")

        done, rows = check(self.path("nowhere"))
        self.assertEqual((done.returncode, rows["ca"]["result"]), (1, "failed"))

        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            done, rows = check(self.alice, port=silent.getsockname()[1])
            self.assertEqual((done.returncode, rows["connect"]["result"]), (3, "failed"))
            silent.listen()
            done = run(REEVE, "--timeout", "1", "pki", "check",
                       uri(silent.getsockname()[1], self.alice), check=False)
            self.assertEqual(done.returncode, 6)
            self.assertRegex(done.stdout, "handshake +failed +.* in time")

        done = run(REEVE, "pki", "check", self.reeved.shell_uri, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("it is no connection by TLS", done.stderr)


class WrongHost(TlsTestCase):
    """A server whose certificate is another host's."""

    server_words = ["web.example.org", "192.0.2.7"]

    def test_refuses(self):
        done = virsh(self.port, self.alice)
        self.assertEqual(done.returncode, 1)
        self.assertIn("owner does not match the hostname 127.0.0.1", done.stderr)
        done = ask(self.port, self.alice)
        self.assertEqual(done.returncode, 5)
        self.assertIn("is not accepted: it is for web.example.org, 192.0.2.7, and not for "
                      "127.0.0.1", done.stderr)
        self.assert_serves(self.alice, "&no_verify=1")


class Anybody(TlsTestCase):
    """A server that wants no certificates, and shows one that expired."""

    config = "[tls]\nverify_clients=no\ncheck_files=no\n"

    @classmethod
    def make_files(cls):
        pki("server", cls.reeved.pki, *cls.server_words, "--ca", cls.ca,
            "--start", "2020-01-01", "--days", "2")

    def test_lets_all_in(self):
        directory = self.path("nobody")
        os.mkdir(directory)
        shutil.copyfile(f"{self.ca}/cacert.pem", f"{directory}/cacert.pem")
        self.assert_serves(directory, "&no_verify=1")
        self.assert_serves(self.alice, "&no_verify=1")
        self.assert_logged("ptls:.* asks nobody who he is")

    def test_client_refuses_expired_server(self):
        self.assertIn("Failed to verify peer's certificate",
                      virsh(self.port, self.alice).stderr)
        done = ask(self.port, self.alice)
        self.assertEqual(done.returncode, 5)
        self.assertIn("is not accepted: it expired on 2020-01-03", done.stderr)


class Reload(TlsTestCase):
    """Files change; connections that are there stay."""

    def setUp(self):
        self.connection = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(self.connection.close)

    def shown(self):
        done = run(REEVE, "--json", "pki", "check", uri(self.port, self.alice), check=False)
        rows = {row["check"]: row for row in json.loads(done.stdout)}
        return rows["server"]["detail"].split(", ")[0]

    def renew(self, name):
        before = len(self.reeved.log())
        pki("server", self.reeved.pki, *self.server_words, "--ca", self.ca, "--name", DN + name,
            "--overwrite")
        self.assert_logged(rf"TLS shows the certificate “{DN}{name}”", before)

    def test_new_certificate(self):
        self.renew("renewed")
        wait_for("the new certificate", lambda: self.shown() == DN + "renewed")
        self.assertEqual(self.connection.listAllDomains(), [])
        self.assert_serves(self.alice)

    def test_bad_certificate_changes_nothing(self):
        self.renew("good")
        before = len(self.reeved.log())
        path = f"{self.reeved.pki}/servercert.pem"
        text = harness.read(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write("nothing")
        self.assert_logged("goes on with the certificate that it has: .*servercert.pem: there is "
                           "no certificate", before)
        self.assertEqual(self.shown(), DN + "good")
        before = len(self.reeved.log())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.assert_logged(f"TLS shows the certificate “{DN}good”", before)
        self.assertEqual(self.connection.listAllDomains(), [])

    def hang_up(self, config):
        before = len(self.reeved.log())
        with open(f"{self.reeved.root}/etc/reeved.conf", "w", encoding="utf-8") as file:
            file.write(config)
        self.reeved.process.send_signal(signal.SIGHUP)
        self.assert_logged("eloaded: TLS", before)
        return self.reeved.log()[before:]

    def test_hangup_takes_the_configuration(self):
        self.addCleanup(self.hang_up, "")
        other = self.path("other")
        pki("server", other, *self.server_words, "--ca", self.ca, "--name", DN + "other")
        files = f"certificate={other}/servercert.pem\nkey={other}/serverkey.pem\n"
        self.assertIn("Reloaded: TLS", self.hang_up(f"[tls]\n{files}"))
        self.assertEqual(self.shown(), DN + "other")
        # the files of now are watched
        before = len(self.reeved.log())
        pki("server", other, *self.server_words, "--ca", self.ca, "--name", DN + "another",
            "--overwrite")
        self.assert_logged(f"TLS shows the certificate “{DN}another”", before)

        self.hang_up(f"[tls]\n{files}allowed_names={DN}bob\n")
        self.assertEqual(ask(self.port, self.alice).returncode, 5)
        self.assertIn("Not reloaded: TLS: ", self.hang_up("[tls]\ncertificate=nothing.pem\n"))
        self.assertEqual(ask(self.port, self.alice).returncode, 5)
        self.hang_up("")
        self.assert_serves(self.alice)
        self.assertEqual(self.connection.listAllDomains(), [])

    def test_revoked_certificate(self):
        directory = self.make_client("bob")
        self.assert_serves(directory)
        held = libvirt.open(uri(self.port, directory))
        self.addCleanup(held.close)
        pki("revoke", self.ca, f"{directory}/clientcert.pem")
        before = len(self.reeved.log())
        shutil.copyfile(f"{self.ca}/cacrl.pem", f"{self.reeved.pki}/cacrl.pem")
        self.wait_for_reload(before)
        done = virsh(self.port, directory)
        self.assertIn("server verification (of our certificate", done.stderr)
        self.assert_logged("refused because of its certificate: it was revoked", before)
        done = ask(self.port, directory)
        self.assertEqual(done.returncode, 5)
        self.assertIn("it was revoked", done.stderr)
        self.assert_serves(self.alice)
        # who is there stays
        self.assertEqual(held.listAllDomains(), [])


class Admin(TlsTestCase):
    """Stock virt-admin has the certificates read anew, and our shell shows them.

    They are behind symbolic links, so that nothing else notices a change.
    """

    @classmethod
    def make_files(cls):
        cls.behind = cls.path("behind")
        cls.make_server("first", "--days", "100")
        os.mkdir(cls.reeved.pki)
        for name in "servercert.pem", "serverkey.pem", "cacert.pem":
            os.symlink(f"{cls.behind}/{name}", f"{cls.reeved.pki}/{name}")

    @classmethod
    def make_server(cls, name, *words):
        pki("server", cls.behind, *cls.server_words, "--ca", cls.ca, "--name", DN + name,
            "--overwrite", *words)

    def setUp(self):
        self.connection = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(self.connection.close)

    def update(self):
        return run("virt-admin", "-c", f"libvirtd:///system?socket={self.reeved.admin_socket}",
                   "server-update-tls", "reeved", check=False)

    def reeve(self, *words, check=True):
        return run(REEVE, "-c", self.reeved.shell_uri, *words, check=check)

    def info(self):
        return json.loads(self.reeve("--json", "srv-tls-info", "reeved").stdout)

    def counters(self, server):
        (metrics,) = json.loads(self.reeve("--json", "srv-metrics", server).stdout)
        return {name.removeprefix("tls_"): value for name, value in metrics["counters"].items()
                if name.startswith("tls_")}

    def shown(self):
        """By the handshake: the name, and the seconds since the epoch when it expires."""
        context = ssl.create_default_context(cafile=f"{self.ca}/cacert.pem")
        context.load_cert_chain(f"{self.alice}/clientcert.pem", f"{self.alice}/clientkey.pem")
        with socket.create_connection(("127.0.0.1", self.port), 30) as peer, \
                context.wrap_socket(peer, server_hostname="127.0.0.1") as end:
            certificate = end.getpeercert()
        names = dict(pair for part in certificate["subject"] for pair in part)
        return names["commonName"], ssl.cert_time_to_seconds(certificate["notAfter"])

    def assert_shows(self, name):
        """New clients, our shell and the metrics agree."""
        shown, expiry = self.shown()
        self.assertEqual(shown, name)
        info = self.info()
        self.assertEqual(info["certificate"], DN + name)
        self.assertEqual(info["expiry_timestamp_seconds"], expiry)
        self.assertEqual(info["expires"], time.strftime("%FT%TZ", time.gmtime(expiry)))
        self.assertEqual(self.counters("reeved")["certificate_expiry_timestamp_seconds"], expiry)
        return expiry

    def test_new_certificate(self):
        first = self.assert_shows("first")
        self.make_server("second", "--days", "200")
        self.addCleanup(self.update)
        self.addCleanup(self.make_server, "first", "--days", "100")
        # not before it is asked for
        self.assert_shows("first")
        done = self.update()
        self.assertEqual(done.returncode, 0, done.stderr)
        second = self.assert_shows("second")
        self.assertAlmostEqual(second - first, 100 * 24 * 60 * 60, delta=600)
        self.assertIn(self.info()["days_left"], (199, 200))
        # who is there stays
        self.assertEqual(self.connection.listAllDomains(), [])
        self.assert_serves(self.alice)

    def test_bad_certificate_changes_nothing(self):
        self.addCleanup(self.update)
        self.addCleanup(self.make_server, "first", "--days", "100")
        first = self.assert_shows("first")
        key = harness.read(f"{self.behind}/serverkey.pem")

        def spoil_certificate():
            self.write("behind/servercert.pem", "nothing")

        def expired():
            self.make_server("old", "--start", "2020-01-01", "--days", "2")

        def other_key():
            self.make_server("second")
            self.write("behind/serverkey.pem", key)

        def no_file():
            os.remove(f"{self.behind}/servercert.pem")

        for spoil, why in ((spoil_certificate, "there is no certificate in it"),
                           (expired, "the certificate expired on 2020-01-03"),
                           (other_key, "it is not the key of the certificate"),
                           (no_file, "servercert.pem: No such file")):
            with self.subTest(spoil.__name__):
                spoil()
                done = self.update()
                self.assertEqual(done.returncode, 1)
                self.assertIn(why, done.stderr)
                self.assertEqual(self.assert_shows("first"), first)
                self.assertEqual(self.connection.listAllDomains(), [])

    def test_counts_handshakes(self):
        before = self.counters("reeved")
        self.assert_serves(self.alice)
        stranger = self.path("stranger")
        os.mkdir(stranger)
        shutil.copyfile(f"{self.ca}/cacert.pem", f"{stranger}/cacert.pem")
        self.assertEqual(ask(self.port, stranger).returncode, 5)
        with socket.create_connection(("127.0.0.1", self.port), 30) as peer:
            peer.sendall(b"no TLS at all")
            wait_for("the failure", lambda: self.counters("reeved")["handshakes_failed_total"] > 0)
        after = self.counters("reeved")
        grown = {name: after[name] - before[name] for name in after}
        self.assertEqual(grown, {"handshakes_total": 2, "handshakes_refused_total": 1,
                                 "handshakes_failed_total": 1, "resumptions_total": 0,
                                 "certificate_expiry_timestamp_seconds": 0})
        info = self.info()
        self.assertEqual([info[name.removesuffix("_total")] for name in after if "hand" in name],
                         [value for name, value in after.items() if "hand" in name])

    def test_servers_without_tls(self):
        self.assertNotIn("certificate_expiry_timestamp_seconds", self.counters("admin"))
        done = self.reeve("srv-tls-info", "admin", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Nothing of the server 'admin' listens with TLS", done.stderr)
        self.assertEqual(self.reeve("srv-tls-info", "nobody", check=False).returncode, 4)

    def test_text(self):
        text = self.reeve("srv-tls-info", "reeved").stdout
        self.assertRegex(text, re.compile(rf"^Certificate: +{DN}first$", re.M))
        self.assertRegex(text, re.compile(r"^Expires: +\d{4}-\d\d-\d\d .*\nDays left: +99$", re.M))


class Resumption(TlsTestCase):
    """Sessions that are taken up by a ticket."""

    def resumptions(self):
        (metrics,) = json.loads(run(REEVE, "-c", self.reeved.shell_uri, "--json", "srv-metrics",
                                    "reeved").stdout)
        return metrics["counters"]["tls_resumptions_total"]

    def hang_up(self, config):
        before = len(self.reeved.log())
        with open(f"{self.reeved.root}/etc/reeved.conf", "w", encoding="utf-8") as file:
            file.write(config)
        self.reeved.process.send_signal(signal.SIGHUP)
        self.assert_logged("eloaded: TLS", before)

    def shake(self, version, directory, session=None):
        """OpenSSL's: the verdict, whether the session was taken up, and the next one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(f"{self.ca}/cacert.pem")
        context.load_cert_chain(f"{directory}/clientcert.pem", f"{directory}/clientkey.pem")
        context.minimum_version = context.maximum_version = version
        # a session belongs to its context
        context = session[0] if session else context
        with socket.create_connection(("127.0.0.1", self.port), 30) as peer, \
                context.wrap_socket(peer, server_hostname="127.0.0.1",
                                    session=session and session[1]) as end:
            verdict = end.recv(1)
            # the ticket stands behind it
            end.setblocking(False)
            with contextlib.suppress(OSError):
                end.recv(1)
            return verdict, end.session_reused, (context, end.session)

    def test_openssl(self):
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version.name):
                before = self.resumptions()
                verdict, reused, session = self.shake(version, self.alice)
                self.assertEqual((verdict, reused), (b"\1", False))
                verdict, reused, session = self.shake(version, self.alice, session)
                self.assertEqual((verdict, reused), (b"\1", True))
                verdict, reused, _ = self.shake(version, self.alice, session)
                self.assertEqual((verdict, reused), (b"\1", True))
                self.assertEqual(self.resumptions(), before + 2)

    def test_gnutls(self):
        """With TLS 1.3 it would take no bytes, and so no verdict, before its ticket."""
        done = run("gnutls-cli", "--resume", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                   "--port", str(self.port), "127.0.0.1", f"--x509cafile={self.ca}/cacert.pem",
                   f"--x509certfile={self.alice}/clientcert.pem",
                   f"--x509keyfile={self.alice}/clientkey.pem", stdin="", check=False)
        self.assertIn("This is a resumed session", done.stdout)

    def test_our_client(self):
        before = self.resumptions()
        done = run(REEVE, "-c", uri(self.port, self.alice),
                   stdin="list\nconnect\nlist\nconnect\nlist\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.resumptions(), before + 2)

    def test_not_after_a_reload(self):
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version.name):
                _, _, session = self.shake(version, self.alice)
                self.hang_up("")
                verdict, reused, _ = self.shake(version, self.alice, session)
                self.assertEqual((verdict, reused), (b"\1", False))

    def test_not_past_other_rules(self):
        self.addCleanup(self.hang_up, "")
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version.name):
                self.hang_up("")
                _, _, session = self.shake(version, self.alice)
                self.hang_up(f"[tls]\nallowed_names={DN}bob\n")
                verdict, reused, _ = self.shake(version, self.alice, session)
                self.assertEqual((verdict, reused), (b"\x09", False))

    def test_not_past_a_revocation(self):
        gone = self.make_client("gone")
        sessions = {version: self.shake(version, gone)[2]
                    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)}
        pki("revoke", self.ca, f"{gone}/clientcert.pem")
        before = len(self.reeved.log())
        shutil.copyfile(f"{self.ca}/cacrl.pem", f"{self.reeved.pki}/cacrl.pem")
        self.wait_for_reload(before)
        for version, session in sessions.items():
            with self.subTest(version.name):
                verdict, reused, _ = self.shake(version, gone, session)
                self.assertEqual((verdict, reused), (b"\6", False))

    def test_can_be_off(self):
        self.addCleanup(self.hang_up, "")
        self.hang_up("[tls]\nsession_tickets=no\n")
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version.name):
                _, _, session = self.shake(version, self.alice)
                if session[1] is not None:
                    self.assertFalse(session[1].has_ticket)
                verdict, reused, _ = self.shake(version, self.alice, session)
                self.assertEqual((verdict, reused), (b"\1", False))
        self.assert_serves(self.alice)


class BadStart(TlsTestCase):
    """A certificate that cannot be used when the daemon starts."""

    @classmethod
    def make_files(cls):
        os.makedirs(cls.reeved.pki)
        for name in "servercert.pem", "serverkey.pem", "cacert.pem":
            with open(f"{cls.reeved.pki}/{name}", "w", encoding="utf-8") as file:
                file.write("nothing")

    def test_comes_up_when_it_is_mended(self):
        self.assert_logged("TLS lets nobody in until this is mended: .*servercert.pem: there is "
                           "no certificate in it")
        run("virsh", "-c", self.reeved.unix_uri, "list")
        run(REEVE, "-c", self.reeved.shell_uri, "list")
        self.assertEqual(virsh(self.port, self.alice).returncode, 1)
        self.assertEqual(ask(self.port, self.alice).returncode, 3)
        shown = run(REEVE, "-c", self.reeved.shell_uri, "srv-tls-info", "reeved").stdout
        self.assertRegex(shown, "^Certificate: +none that can be used")

        before = len(self.reeved.log())
        pki("server", self.reeved.pki, *self.server_words, "--ca", self.ca, "--overwrite")
        self.wait_for_reload(before)
        self.assert_serves(self.alice)


class Full(TlsTestCase):
    """A server that has as many clients as it takes."""

    config = "[server]\nmax_clients=1\n"
    why = "there are 1 clients already; more are refused"

    def assert_refused(self):
        for done in (virsh(self.port, self.alice),
                     ask(self.port, self.alice),
                     run("virsh", "-c", self.reeved.unix_uri, "list", check=False)):
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(self.why, done.stderr)

    def test_one_too_many_hears_so(self):
        first = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(first.close)
        self.assert_refused()
        self.assertEqual(first.listAllDomains(), [])

    def test_those_who_say_nothing_do_not_stay(self):
        """After the handshake, too, in which a client has a certificate."""
        first = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(first.close)
        context = ssl.create_default_context(cafile=f"{self.alice}/cacert.pem")
        context.load_cert_chain(f"{self.alice}/clientcert.pem", f"{self.alice}/clientkey.pem")
        silent = []
        for _ in range(4):
            plain = socket.create_connection(("127.0.0.1", self.port), 30)
            silent.append(context.wrap_socket(plain, server_hostname="localhost"))
            self.addCleanup(silent[-1].close)
            self.assertEqual(silent[-1].recv(1), b"\1")
        done = virsh(self.port, self.alice)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(self.why, done.stderr)
        for peer in silent:
            self.assertEqual(peer.recv(1), b"")
        self.assert_refused()
        self.assertEqual(first.listAllDomains(), [])


class Load(TlsTestCase):
    """Many peers, and much data."""

    config = "[tls]\nhandshake_timeout=2\n"

    @classmethod
    def make_files(cls):
        # the kind that takes longest
        pki("server", cls.reeved.pki, *cls.server_words, "--ca", cls.ca, "--key", "rsa")

    def test_silent_peers_are_dropped_and_disturb_nobody(self):
        before = len(self.reeved.log())
        start = time.monotonic()
        # a record that never ends, and nothing at all
        peers = [socket.create_connection(("127.0.0.1", self.port), 30) for _ in range(100)]
        for peer in peers[::2]:
            peer.sendall(b"\x16\x03\x01\x02\x00\x01")
        self.assert_serves(self.alice)
        for peer in peers:
            self.assertEqual(peer.recv(1), b"")
            peer.close()
        self.assertGreater(time.monotonic() - start, 1.9)
        # one line for all, so that nobody fills the log
        lines = re.findall("did not end its handshake in time", self.reeved.log()[before:])
        self.assertIn(len(lines), (1, 2))
        self.assert_serves(self.alice)

    def test_the_loop_does_no_arithmetic(self):
        """Whose time handshakes take: not that of the thread all others wait for."""

        def ticks(path):
            words = harness.read(path).rpartition(")")[2].split()
            return int(words[11]) + int(words[12])

        pid = self.reeved.process.pid
        paths = f"/proc/{pid}/stat", f"/proc/{pid}/task/{pid}/stat"
        before = [ticks(path) for path in paths]
        for _ in range(60):
            libvirt.open(uri(self.port, self.alice)).close()
        total, loop = (ticks(path) - old for path, old in zip(paths, before))
        print(f"# 60 connections: {total * 10} ms, of which {loop * 10} ms in the loop")
        self.assertGreater(total, 5)
        self.assertLess(loop, total / 2)

    def test_large_replies(self):
        """12 KB and more of XML, from many threads at once, as over a unix socket."""
        local = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(local.close)
        remote = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(remote.close)
        names = [f"large{i}" for i in range(THREADS)]
        for i, name in enumerate(names):
            text = f"<description>{chr(97 + i) * (12000 + 777 * i)}</description><memory"
            local.defineXML(harness.machine_xml(name).replace("<memory", text, 1))
        self.addCleanup(lambda: [local.lookupByName(name).undefine() for name in names])
        expected = {name: local.lookupByName(name).XMLDesc() for name in names}
        self.assertGreater(min(map(len, expected.values())), 12000)
        failures = []

        def compare(name):
            domain = remote.lookupByName(name)
            for _ in range(LOOPS):
                if domain.XMLDesc() != expected[name]:
                    failures.append(name)

        threads = [threading.Thread(target=compare, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        # and upwards
        text = expected[names[-1]].replace("hhh", "hih")
        self.assertIn("hih", remote.defineXML(text).XMLDesc())

    def test_events(self):
        libvirt.virEventRegisterDefaultImpl()
        seen = []
        over = threading.Event()

        def turn():
            while not over.is_set():
                libvirt.virEventRunDefaultImpl()

        # so that it turns, and ends
        libvirt.virEventAddTimeout(50, lambda *_: None, None)
        thread = threading.Thread(target=turn)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        connection = libvirt.open(uri(self.port, self.alice))
        self.addCleanup(connection.close)
        connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _, domain, event, detail, __: seen.append((domain.name(), event)), None)
        domain = connection.defineXML(self.boot_xml("told"))
        domain.create()
        domain.destroy()
        domain.undefine()
        end = "told", libvirt.VIR_DOMAIN_EVENT_UNDEFINED
        wait_for("the last event", lambda: end in seen)
        expected = [("told", event) for event in (
            libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_STARTED,
            libvirt.VIR_DOMAIN_EVENT_STOPPED)] + [end]
        self.assertEqual([event for event in seen if event in expected], expected)


if __name__ == "__main__":
    harness.main("virsh", "virt-admin", "certtool", "qemu-system-x86_64", "libvirt-python")
