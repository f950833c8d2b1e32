# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`reeve doctor` says what is wrong, and what to do about it."""
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys

import harness

NOBODY = 65534


def run_doctor(*words, become=(), env=None):
    return subprocess.run(
        [*become, harness.REEVE, *words], capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=harness.WAIT_S,
        env={**os.environ, "LC_ALL": "C", **(env or {})})


class Doctor(harness.TestCase):
    config = "[listen]\nunix_mode = 660\nunix_group = daemon\n"

    def setUp(self):
        os.chmod(self.directory, 0o755)
        for place in ("", "run"):
            os.chmod(os.path.join(self.reeved.root, place), 0o755)

    def examine(self, uri, *words, become=()):
        """The rows by the names of their checks."""
        done = run_doctor("--json", "doctor", uri, *words, become=become)
        self.assertEqual(done.stderr, "")
        rows = json.loads(done.stdout)
        problems = [row for row in rows if row["result"] == "problem"]
        self.assertEqual(done.returncode, 1 if problems else 0)
        for row in problems:
            self.assertNotEqual(row["advice"], "", row)
        found = {}
        for row in rows:
            found.setdefault(row["check"], []).append(row)
        return found

    def problem(self, found, check):
        """The one problem, if it is the only one."""
        problems = [row for rows in found.values() for row in rows
                    if row["result"] == "problem" and row["check"] != "kvm"]
        self.assertEqual([row["check"] for row in problems], [check], problems)
        return problems[0]

    def become(self, *groups, uid=NOBODY):
        groups = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        return ["setpriv", f"--reuid={uid}", f"--regid={uid}", *groups,
                "env", "HOME=/nonexistent"]

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")

    def test_all_is_well(self):
        found = self.examine(self.reeved.shell_uri)
        for check in ("uri", "socket", "listener", "connection"):
            self.assertEqual(found[check][0]["result"], "ok", found)
        detail = found["listener"][0]["detail"]
        self.assertIn(f"reeved, process {self.reeved.process.pid} ", detail)
        # whether there is KVM is the host's affair; that it is said is not
        self.assertIn(found["kvm"][0]["result"], ("ok", "problem"))
        if not os.path.exists("/dev/kvm"):
            self.assertIn("KVM cannot be used", found["kvm"][0]["detail"])

    def test_lines(self):
        done = run_doctor("doctor", f"unix:{self.directory}/no.sock")
        self.assertEqual(done.returncode, 1)
        [line] = [line for line in done.stdout.splitlines() if "problem" in line]
        self.assertIn("No such file or directory", line)
        self.assertIn("start the daemon", line)

    def test_no_socket(self):
        row = self.problem(self.examine(f"unix:{self.directory}/none/s.sock"), "socket")
        self.assertIn(f"{self.directory}/none: No such file", row["detail"])

    def test_no_socket_but_a_file(self):
        path = self.write("file", "")
        row = self.problem(self.examine(f"unix:{path}"), "socket")
        self.assertIn("is not a socket", row["detail"])

    def test_nobody_listens(self):
        path = self.path("stale.sock")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        row = self.problem(self.examine(f"unix:{path}"), "listener")
        self.assertIn("Connection refused", row["detail"])

    def test_somebody_else_listens(self):
        """A stranger in the place of the daemon, and libvirt's."""
        self.need_root()
        place = self.path("place")
        os.mkdir(place)
        os.chmod(place, 0o777)
        fake = shutil.copyfile(shutil.which("socat"), f"{place}/libvirtd")
        os.chmod(fake, 0o755)
        for who, name, words in ((0, "reeved.sock", "stop libvirt's daemon"),
                                 (NOBODY, "s.sock", "do not trust")):
            path = os.path.join(place, name)
            listener = subprocess.Popen([
                *self.become(uid=who), fake, f"UNIX-LISTEN:{path},fork,mode=777",
                "OPEN:/dev/null"])
            try:
                harness.wait_for("a socket", lambda: os.path.exists(path))
                row = self.problem(
                    self.examine(f"unix:{path}", become=self.become(uid=1)), "listener")
                self.assertIn("libvirtd, process", row["detail"])
                self.assertIn(words, row["advice"])
            finally:
                listener.kill()
                listener.wait()

    def test_libvirts_daemon_holds_the_socket(self):
        """The stock one, in the place where ours is looked for."""
        libvirtd = harness.Libvirtd(self.directory).start()
        self.addCleanup(libvirtd.stop)
        path = self.path("reeved.sock")
        os.symlink(libvirtd.socket, path)
        found = self.examine(f"unix:{path}")
        [row] = found["listener"]
        self.assertEqual(row["result"], "problem")
        self.assertRegex(row["detail"], r"^libvirtd, process \d+ of the user ")
        self.assertIn("stop libvirt's daemon there", row["advice"])
        # by its own name it is nobody's mistake
        found = self.examine(f"unix:{libvirtd.socket}")
        self.assertEqual(found["listener"][0]["result"], "ok")

    def test_units(self):
        """What the stock systemctl says of them."""
        self.need_root()
        bus = harness.Bus(self.directory)
        systemd = harness.Daemon(
            self.directory, "systemd",
            [sys.executable, os.path.join(os.path.dirname(__file__), "systemd-in-place.py"),
             self.directory], lambda: "ready" in systemd.log())
        env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus.path}"}
        for daemon in bus, systemd:
            daemon.env = env
            daemon.start()
            self.addCleanup(daemon.kill)

        def look(place="systemd/system"):
            """At the host's daemon, of which there is none."""
            script = f'mount -t tmpfs none /run && mkdir -p /run/{place} && exec "$@"'
            done = run_doctor("--json", "doctor", env=env, become=[
                "unshare", "--mount", "sh", "-c", script, "sh"])
            rows = {row["check"]: row for row in json.loads(done.stdout)}
            self.assertEqual(rows["socket"]["result"], "problem")
            return rows["unit"], rows["socket"]["advice"]

        start = "systemctl enable --now reeved.socket"
        problem = {"check": "unit", "result": "problem", "advice": start}
        self.assertEqual(look(), ({**problem, "detail": "inactive, inactive"}, start))
        self.write("reeved_2eservice", "failed")
        self.assertEqual(look(), ({**problem, "detail": "inactive, failed"}, start))
        self.write("reeved_2esocket", "active")
        unit, _ = look()
        self.assertEqual((unit["result"], unit["detail"]), ("ok", "active, failed"))
        unit, advice = look(place="nothing")
        self.assertEqual((unit["result"], unit["detail"]), ("skipped", "there is no systemd"))
        self.assertEqual(advice, "start reeved as root")

    def test_not_in_the_group(self):
        self.need_root()
        row = self.problem(
            self.examine(self.reeved.shell_uri, become=self.become()), "group")
        self.assertIn("is for the group daemon", row["detail"])
        self.assertIn("usermod -aG daemon", row["advice"])
        found = self.examine(self.reeved.shell_uri, become=self.become(1))
        self.assertEqual(found["connection"][0]["result"], "ok")

    def test_group_newer_than_login(self):
        """The file of groups has it, the process does not."""
        self.need_root()
        name = pwd.getpwuid(NOBODY).pw_name
        lines = [line + name if line.startswith("daemon:") else line
                 for line in harness.read("/etc/group").splitlines()]
        groups = self.write("group", "\n".join(lines) + "\n")
        become = ["unshare", "--mount", "sh", "-c",
                  f'mount --bind {groups} /etc/group && exec "$@"', "sh", *self.become()]
        row = self.problem(self.examine(self.reeved.shell_uri, become=become), "group")
        self.assertIn("this login is older", row["detail"])
        self.assertIn("log in again", row["advice"])

    def test_not_for_this_user(self):
        self.need_root()
        uri = f"unix:{self.reeved.admin_socket}"
        row = self.problem(self.examine(uri, become=self.become()), "access")
        self.assertIn("is not for this user (mode 0", row["detail"])

    def test_a_folder_that_cannot_be_entered(self):
        self.need_root()
        os.chmod(f"{self.reeved.root}/run", 0o700)
        row = self.problem(
            self.examine(self.reeved.shell_uri, become=self.become()), "socket")
        self.assertIn("Permission denied", row["detail"])

    def test_a_daemon_that_does_not_answer(self):
        path = self.path("mute.sock")
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(path)
            mute.listen()
            done = run_doctor("--json", "--timeout", "1", "doctor", f"unix:{path}")
        rows = {row["check"]: row for row in json.loads(done.stdout)}
        self.assertEqual(rows["connection"]["result"], "problem")
        self.assertIn("accepts and does not answer", rows["connection"]["advice"])

    def test_disks(self):
        disk = self.path("web.img")
        harness.run(harness.REEVE, "-c", self.reeved.shell_uri, "define",
                    self.write("web.xml", self.boot_xml("web")))
        found = self.examine(self.reeved.shell_uri, "--machine", "web")
        self.assertEqual([row["detail"] for row in found["disk"]], [disk])
        self.assertEqual(found["disk"][0]["result"], "ok")
        os.rename(disk, f"{disk}.old")
        row = self.problem(self.examine(self.reeved.shell_uri, "--machine", "web"), "disk")
        self.assertIn(f"{disk}: No such file", row["detail"])
        os.rename(f"{disk}.old", disk)
        missing = run_doctor("doctor", self.reeved.shell_uri, "--machine", "none")
        self.assertEqual(missing.returncode, 4)
        harness.run(harness.REEVE, "-c", self.reeved.shell_uri, "undefine", "web")

    def test_disks_of_a_daemon_of_a_user(self):
        """QEMU is his, and cannot enter each folder."""
        self.need_root()
        home, private = self.path("home"), self.path("private")
        os.makedirs(f"{home}/run")
        os.makedirs(private)
        disk = shutil.copyfile(harness.BOOT_DISK, f"{private}/disk.img")
        for path in (home, f"{home}/run", private):
            os.chown(path, NOBODY, NOBODY)
        become = [*self.become(), f"HOME={home}", f"XDG_RUNTIME_DIR={home}/run",
                  f"XDG_CONFIG_HOME={home}", f"XDG_DATA_HOME={home}",
                  f"XDG_STATE_HOME={home}", f"XDG_CACHE_HOME={home}",
                  f"REEVED_PATH={harness.REEVED}"]
        xml = self.write("mine.xml", harness.machine_xml("mine", disk=disk))
        os.chmod(xml, 0o644)
        done = run_doctor("define", xml, become=become)
        self.assertEqual(done.returncode, 0, done.stderr)
        uri = f"unix:{home}/run/reeve/reeved.sock"
        os.chmod(private, 0o700)
        os.chown(private, 0, 0)
        # he sees it himself, and so does root, who looks with his eyes
        for who in (become, []):
            found = self.examine(uri, "--machine", "mine", become=who)
            row = next(row for row in found["disk"] if row["result"] == "problem")
            self.assertIn(f"{disk} cannot be opened by QEMU (nobody)", row["detail"])
            self.assertIn(f"{private}: Permission denied", row["detail"])
            self.assertEqual(row["advice"], f"setfacl -m u:nobody:x {private}")

    def test_an_expired_certificate(self):
        ca, pki = self.path("ca"), self.path("pki")
        uri = f"qemu+tls://127.0.0.1:1/system?pkipath={pki}"
        harness.run(harness.REEVE, "pki", "ca", ca, "O=Acme,CN=CA")
        harness.run(harness.REEVE, "pki", "client", pki, "eve", "--ca", ca)
        # all is well but that nobody listens
        row = self.problem(self.examine(uri), "connect")
        self.assertIn("Connection refused", row["detail"])
        harness.run(harness.REEVE, "pki", "client", pki, "eve", "--ca", ca, "--overwrite",
                    "--start", "2020-01-01", "--days", "2")
        row = self.problem(self.examine(uri), "certificate")
        self.assertIn("the certificate expired on 2020-01-03", row["detail"])


harness.main(harness.REEVED, "qemu-system-x86_64", "socat", "libvirtd", "unshare",
             *(["setpriv", "dbus-daemon", "systemctl", "python3-gi"] if os.geteuid() == 0 else []))
