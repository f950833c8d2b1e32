# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What reeved has as files: by a mount and by calls, for whoever asks."""
import ctypes
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time
import unittest
import zlib

import harness
from harness import REEVE, run, wait_for

NOBODY = 65534
NO_MOUNT = harness.why_no_mount()
MNT_DETACH = 2
REALM = "reeve.test"


class Tree(harness.TestCase):
    """A reeved, and two ways to its files."""

    with_reeved = False
    config = ""
    rules = None
    listen = "[listen]\nunix_mode = 0666\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reeved = harness.Reeved(
            cls.directory, f"[resource]\nmount = {0 if NO_MOUNT else 1}\n"
            f"[access]\naudit = changes\n{cls.listen}{cls.config}")
        if cls.rules is not None:
            with open(f"{cls.reeved.root}/etc/reeved-access.conf", "w", encoding="utf-8") as file:
                file.write(cls.rules)
        cls.tree = f"{cls.reeved.root}/run/tree"
        cls.addClassCleanup(ctypes.CDLL(None).umount2, os.fsencode(cls.tree), MNT_DETACH)
        cls.prepare()
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        for folder in cls.directory, cls.reeved.root, f"{cls.reeved.root}/run":
            os.chmod(folder, 0o711)

    @classmethod
    def prepare(cls):
        """Before it starts."""

    def virsh(self, *words, **more):
        return run("virsh", "-q", "-c", self.reeved.unix_uri, *words, **more)

    def admin(self, *words):
        return run("virt-admin", "-q", "-c",
                   f"libvirtd:///system?socket={self.reeved.admin_socket}", *words).stdout

    def define(self, name, start=False, **more):
        self.virsh("define", self.write(f"{name}.xml", self.boot_xml(name, **more)))
        self.addCleanup(self.virsh, "undefine", name)
        if start:
            self.virsh("start", name)
            self.addCleanup(self.virsh, "destroy", name, check=False)

    def reeve(self, *words, uid=None, **more):
        """By calls."""
        become = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups",
                  "env", "HOME=/nonexistent"] if uid else []
        return run(*become, REEVE, "-c", self.reeved.shell_uri, *words, check=False, **more)

    def file(self, words, uid=None):
        """In a shell that stands in the mount."""
        become = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"] if uid else []
        return run(*become, "bash", "-c", f"cd {self.tree} && {words}", check=False)

    def read(self, name, uid=None):
        """By both ways, if there are two; both have to say the same."""
        done = self.reeve("cat", f"/{name}", uid=uid)
        if not NO_MOUNT:
            by_mount = self.file(f"cat {name}", uid=uid)
            self.assertEqual((by_mount.returncode == 0, by_mount.stdout),
                             (done.returncode == 0, done.stdout))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.rstrip("\n")

    def names(self, name, uid=None):
        listed = {line.split()[0] for line in
                  self.reeve("ls", f"/{name}", uid=uid).stdout.splitlines()[2:] if line}
        if not NO_MOUNT:
            self.assertEqual(set(self.file(f"ls {name}", uid=uid).stdout.split()), listed)
        return listed

    def clients(self):
        """Their folders; whoever asks is one, too."""
        return {line.split()[0] for line in self.reeve("ls", "/clients").stdout.splitlines()[2:]
                if line}

    def ways(self):
        """Functions that write, of each way."""
        yield lambda name, text, uid=None: self.reeve("write", f"/{name}", text, uid=uid)
        if not NO_MOUNT:
            yield lambda name, text, uid=None: self.file(f"printf '%s\\n' '{text}' > {name}",
                                                         uid=uid)

    def write_all(self, name, text):
        for write in self.ways():
            done = write(name, text)
            self.assertEqual(done.returncode, 0, done.stderr)

    def assert_refused(self, name, text, words, uid=None):
        for write in self.ways():
            done = write(name, text, uid)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)

    def assert_hidden(self, name, uid):
        """Each way says what it says of what is not there."""
        for words in ("cat",), ("stat",), ("ls",):
            done = self.reeve(*words, f"/{name}", uid=uid)
            self.assertIn(": No such file or directory", done.stderr)
            if not NO_MOUNT:
                done = self.file(f"{words[0]} {name}", uid=uid)
                self.assertIn("No such file or directory", done.stderr)

    def audit(self, **fields):
        """The lines of the log that are about all of this."""
        wanted = [f"{key}={value}" for key, value in fields.items()]
        return [line for line in self.reeved.log().splitlines()
                if "audit: " in line and all(f" {word} " in f"{line} " for word in wanted)]


def check_png(data):
    """Its width and height; all of its parts and its picture are whole."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, picture, kind, size = 8, b"", None, None
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length:][:4])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        elif kind == b"IDAT":
            picture += body
        at += length + 12
    assert at == len(data)
    assert len(zlib.decompress(picture)) > size[0] * size[1]
    return size


class Machines(Tree):
    def stats(self, name):
        """As virsh has them."""
        lines = self.virsh("domstats", name).stdout.splitlines()[1:]
        return dict(line.strip().split("=", 1) for line in lines if line.strip())

    def test_stats_of_one_that_is_off(self):
        self.define("off")
        known = self.stats("off")
        self.assertEqual(self.names("machines/off/stats"), set(known))
        for field, value in known.items():
            self.assertEqual(self.read(f"machines/off/stats/{field}"), value)
        self.assertIn("No such file", self.reeve("cat", "/machines/off/stats/balloon.rss").stderr)
        self.assertIn("No such file", self.reeve("cat", "/machines/off/stats/no.such").stderr)
        self.assertIn("Not a directory",
                      self.reeve("cat", "/machines/off/stats/state.state/x").stderr)

    def test_stats_are_live(self):
        self.define("live", start=True,
                    extra="<interface type='user'><model type='virtio'/></interface>")
        self.wait_serial("live", "REEVE")
        known = self.stats("live")
        names = self.names("machines/live/stats")
        self.assertLessEqual(set(known), names)
        moving = {"balloon.rss"} | {field for field in known if field.startswith("cpu.")}
        if not NO_MOUNT:
            lines = self.file("cd machines/live/stats && grep -s '' *").stdout.splitlines()
            found = dict(line.split(":", 1) for line in lines)
            self.assertEqual({field: found[field] for field in known if field not in moving},
                             {field: known[field] for field in known if field not in moving})
        self.assertEqual(self.read("machines/live/stats/block.0.name"), "vda")
        self.assertEqual(self.read("machines/live/stats/net.count"), "1")
        # what the guest's driver alone knows is not known
        for field in sorted(names - set(known))[:1]:
            done = self.reeve("cat", f"/machines/live/stats/{field}")
            self.assertIn("No data available", done.stderr)
        path = "/machines/live/stats/cpu.time"
        before = int(known["cpu.time"])
        wait_for("time to pass", lambda: int(self.reeve("cat", path).stdout) > before)
        self.assertGreater(int(self.reeve("cat", "/machines/live/stats/balloon.rss").stdout), 0)
        self.virsh("suspend", "live")
        self.assertEqual(self.read("machines/live/stats/state.state"), "3")
        self.virsh("destroy", "live")
        self.assertEqual(self.read("machines/live/stats/state.state"), "5")
        self.assertNotIn("balloon.rss", self.names("machines/live/stats"))

    @unittest.skipIf(NO_MOUNT, NO_MOUNT)
    def test_screenshot(self):
        """Of each reader that begins another one, which he has to its end."""
        self.define("screen", extra="<video><model type='vga'/></video>")
        shot = f"{self.tree}/machines/screen/screenshot.png"
        done = run("cat", shot, check=False)
        self.assertIn("busy", done.stderr)
        self.virsh("start", "screen")
        self.addCleanup(self.virsh, "destroy", "screen")
        self.wait_serial("screen", "REEVE")
        copy = self.path("copy.png")
        run("cp", shot, copy)
        with open(copy, "rb") as file:
            size = check_png(file.read())
        by_virsh = self.path("virsh.png")
        self.virsh("screenshot", "screen", by_virsh)
        with open(by_virsh, "rb") as file:
            self.assertEqual(check_png(file.read()), size)
        with subprocess.Popen([REEVE, "-c", self.reeved.shell_uri, "cat",
                               "/machines/screen/screenshot.png"], stdout=subprocess.PIPE) as cat:
            self.assertEqual(check_png(cat.stdout.read()), size)
        fd = os.open(shot, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        start = os.pread(fd, 100, 0)
        self.assertEqual(start + os.pread(fd, 1 << 22, len(start)),
                         start + os.pread(fd, 1 << 22, len(start)))
        # a QEMU that does not answer holds up nobody else
        pid = int(self.read("machines/screen/pid"))
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        with subprocess.Popen(["cat", shot], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as waiting:
            for _ in range(5):
                self.assertEqual(self.read("machines/screen/vcpus"), "1")
            self.assertIsNone(waiting.poll())
            waiting.terminate()

    def test_screenshot_without_a_screen(self):
        self.define("blind", start=True)
        done = self.reeve("cat", "/machines/blind/screenshot.png")
        self.assertIn("not supported", done.stderr)

    def test_autostart(self):
        self.define("auto")
        state = "machines/auto/autostart"
        self.assertEqual(self.read(state), "0")
        self.write_all(state, "1")
        self.assertEqual(self.read(state), "1")
        self.assertRegex(self.virsh("dominfo", "auto").stdout, r"Autostart: +enable")
        self.virsh("autostart", "auto", "--disable")
        self.assertEqual(self.read(state), "0")
        for text in "2", "yes", "":
            self.assert_refused(state, text, "Invalid argument")
        self.assertEqual(self.read(state), "0")
        self.virsh("create", self.write("passing.xml", self.boot_xml("passing")))
        self.addCleanup(self.virsh, "destroy", "passing")
        self.assert_refused("machines/passing/autostart", "1", "busy")

    def test_commands_are_in_the_audit(self):
        self.define("told")
        self.assertEqual(self.reeve("write", "/machines/told/ctl", "start").returncode, 0)
        self.addCleanup(self.virsh, "destroy", "told", check=False)
        path = {"file": '"/machines/told/ctl"', "object": '"told"', "uid": os.geteuid()}
        lines = self.audit(**path, wrote='"start"', takes="domain:start", result="done")
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"audit: granted .* from=unix pid=\d+ ")
        self.reeve("write", "/machines/told/ctl", "start")
        self.assertEqual(len(self.audit(**path, wrote='"start"', result="EBUSY")), 1)
        if NO_MOUNT:
            return
        self.assertEqual(self.file("echo destroy > machines/told/ctl").returncode, 0)
        lines = self.audit(**path, wrote='"destroy"', takes="domain:stop", result="done")
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r" from=mount pid=\d+ ")
        self.reeve("write", "/machines/told/memory", 'x\ny" result=done')
        self.assertEqual(len(self.audit(wrote=r'"x\u{a}y\"', result='EINVAL')), 1)


class Server(Tree):
    """What virt-admin shows and changes."""

    def threads(self):
        rows = [line.split() for line in self.read("server/threads").splitlines()]
        return {field: int(value) for server, field, value in rows if server == "reeved"}

    def test_threads(self):
        stock = dict(line.split(":") for line in
                     self.admin("srv-threadpool-info", "reeved").splitlines() if line)
        stock = {field.strip(): int(value) for field, value in stock.items()}
        ours = self.threads()
        self.assertEqual(set(ours), set(stock))
        for field in "minWorkers", "maxWorkers", "prioWorkers":
            self.assertEqual(ours[field], stock[field])
        self.write_all("server/threads", "minWorkers 3\nreeved maxWorkers 17")
        self.assertIn("maxWorkers     : 17", self.admin("srv-threadpool-info", "reeved"))
        wait_for("workers", lambda: self.threads()["nWorkers"] >= 3)
        before = {field: value for field, value in self.threads().items()
                  if field.endswith(("minWorkers", "maxWorkers", "prioWorkers"))}
        for text in ("minWorkers 18", "maxWorkers x", "maxWorkers", "nWorkers 5", "",
                     "maxWorkers 9999999"):
            self.assert_refused("server/threads", text, "Invalid argument")
        done = self.reeve("write", "/server/threads", "maxWorkers 20\nadmin maxWorkers 5")
        self.assertIn("Invalid argument", done.stderr)
        self.assert_refused("server/threads", "none maxWorkers 5", "No such file")
        self.assertEqual({field: self.threads()[field] for field in before}, before)

    def test_log(self):
        self.assertEqual(self.read("server/log/filters"), "")
        self.write_all("server/log/filters", "1:rpc.server 3:machine")
        self.assertIn("1:rpc.server 3:machine", self.admin("daemon-log-filters"))
        self.admin("daemon-log-filters", "4:rpc.server")
        self.assertEqual(self.read("server/log/filters"), "4:rpc.server")
        self.assert_refused("server/log/filters", "9:rpc", "Invalid argument")
        self.assertEqual(self.read("server/log/filters"), "4:rpc.server")
        before = self.read("server/log/outputs")
        self.assertIn(before, self.admin("daemon-log-outputs"))
        other = self.path("other.log")
        self.write_all("server/log/outputs", f"{before} 3:file:{other}")
        self.assertTrue(os.path.exists(other))
        self.assertIn(f"3:file:{other}", self.admin("daemon-log-outputs"))
        self.assert_refused("server/log/outputs", "3:carrier-pigeon", "Invalid argument")
        self.write_all("server/log/outputs", before)
        self.assertEqual(self.read("server/log/level"), "notice")
        self.write_all("server/log/level", "warning")
        self.assertEqual(self.read("server/log/level"), "warning")
        self.assert_refused("server/log/level", "loud", "Invalid argument")
        self.write_all("server/log/level", "notice")

    def test_clients(self):
        client = subprocess.Popen(["virsh", "-q", "-c", self.reeved.unix_uri, "event", "--all",
                                   "--loop"], stdout=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)

        def find():
            for number in self.clients():
                done = self.reeve("cat", f"/clients/{number}/unix_process_id")
                if done.stdout == f"{client.pid}\n":
                    return number
            return None

        wait_for("the client", find)
        number = find()
        folder = f"clients/{number}"
        self.assertIn(f" {number} ", self.admin("srv-clients-list", "reeved"))
        info = dict(re.split(r"\s*: ", line, maxsplit=1) for line in
                    self.admin("client-info", "reeved", number).splitlines() if ": " in line)
        for field in "unix_user_id", "unix_group_id", "unix_process_id":
            self.assertEqual(self.read(f"{folder}/{field}"), info[field])
        self.assertEqual(self.read(f"{folder}/transport"), "unix")
        self.assertEqual(self.read(f"{folder}/readonly"), "0")
        self.assertEqual(self.read(f"{folder}/calls"), "0")
        since = self.read(f"{folder}/since")
        age = time.time() - float(run("date", "-d", since, "+%s").stdout)
        self.assertTrue(-2 < age < 600, since)
        self.assertIn("No data", self.reeve("cat", f"/{folder}/sock_addr").stderr)
        for name in "clients/0", "clients/x", f"clients/0{number}", f"clients/reeved-{number}":
            self.assertIn("No such file", self.reeve("stat", f"/{name}").stderr)
        # his own call counts
        with subprocess.Popen([REEVE, "-c", self.reeved.shell_uri, "cat", "/machines/events"],
                              stdout=subprocess.DEVNULL) as reader:
            wait_for("a call", lambda: any(
                self.reeve("cat", f"/clients/{other}/calls").stdout == "1\n" and
                self.reeve("cat", f"/clients/{other}/unix_process_id").stdout
                == f"{reader.pid}\n"
                for other in self.clients()))
            reader.terminate()
        self.assert_refused(f"{folder}/ctl", "open", "Invalid argument")
        self.assertEqual(self.reeve("write", f"/{folder}/ctl", "close").returncode, 0)
        wait_for("it to go", lambda: number not in self.clients())
        self.assertTrue(self.audit(file=f'"/{folder}/ctl"', wrote='"close"', result="done"))

    def test_clients_of_admin(self):
        with subprocess.Popen(["virt-admin", "-q", "-c",
                               f"libvirtd:///system?socket={self.reeved.admin_socket}"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
            wait_for("the client", lambda: [name for name in self.clients()
                                            if name.startswith("admin-")])
            name = next(name for name in self.clients() if name.startswith("admin-"))
            if not NO_MOUNT:
                self.assertIn(name, self.file("ls clients").stdout.split())
            self.assertEqual(self.read(f"clients/{name}/unix_process_id"), str(client.pid))
            client.stdin.close()
            client.wait()

    @unittest.skipIf(os.geteuid() != 0, "only root becomes somebody else")
    def test_is_for_administrators(self):
        for name in "clients", "server/log/level", "server/threads":
            done = self.reeve("cat", f"/{name}", uid=NOBODY)
            self.assertIn("Permission denied", done.stderr)
            if not NO_MOUNT:
                self.assertIn("Permission denied", self.file(f"cat {name}", uid=NOBODY).stderr)
        self.assertIn("Permission denied", self.reeve("ls", "/clients", uid=NOBODY).stderr)
        uri = f"tcp:127.0.0.1:{self.reeved.port}"
        for name in "server/log/level", "server/threads":
            done = run(REEVE, "-c", uri, "cat", f"/{name}", check=False)
            self.assertIn("Permission denied", done.stderr)
        self.assertIn("Permission denied", run(REEVE, "-c", uri, "ls", "/clients",
                                               check=False).stderr)
        self.assertIn("version", run(REEVE, "-c", uri, "ls", "/server").stdout)


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Hanging(Tree):
    """A fusermount3 that does nothing, when there was another mount at first."""

    @classmethod
    def prepare(cls):
        folder = cls.path("bin")
        os.mkdir(folder)
        program = cls.write("bin/fusermount3", f"#!/bin/sh\necho $$ >{cls.path('hangs.new')}\n"
                            f"mv {cls.path('hangs.new')} {cls.path('hangs')}\nexec sleep 300\n")
        os.chmod(program, 0o755)
        cls.reeved.env = {"PATH": f"{folder}:{os.environ['PATH']}"}
        os.makedirs(cls.tree)
        run("mount", "-t", "tmpfs", "none", cls.tree)

    def test_does_not_hold_up_the_loop(self):
        run("umount", self.tree)
        wait_for("fusermount3", lambda: os.path.exists(self.path("hangs")))
        with open(self.path("hangs"), encoding="utf-8") as file:
            pid = int(file.read())
        for _ in range(3):
            self.assertEqual(self.reeve("cat", "/server/pid").stdout,
                             f"{self.reeved.process.pid}\n")
        # none of that waited for it, and it is still there
        os.kill(pid, signal.SIGKILL)
        wait_for("a word", lambda: "fusermount3 did not do it" in self.reeved.log())
        self.virsh("list")


class Starting(Tree):
    """One machine starts at a time."""

    config = "[machines]\nmax_starting = 1\n"
    UUID = "00000000-0000-4000-8000-000000000001"

    def hold_up_starts(self):
        """By one that does not get ready before there is a file `ready`."""
        ready = self.path("ready")
        emulator = self.write("emulator", f"""#!/bin/sh
            while [ "$1" = -name ] && [ ! -e {ready} ]; do sleep 0.02; done
            exec {shutil.which("qemu-system-x86_64")} "$@"
            """)
        os.chmod(emulator, 0o755)
        first = harness.spawn("virsh", "-c", self.reeved.unix_uri, "create", self.write(
            "first.xml", self.boot_xml("first", extra=f"<emulator>{emulator}</emulator>")))
        self.addCleanup(first.wait, harness.WAIT_S)
        self.addCleanup(self.virsh, "destroy", "first", check=False)
        wait_for("a start", lambda: "paused" in self.virsh(
            "domstate", "first", check=False).stdout)

    def test_a_start_that_fails_leaves_nothing(self):
        """Of a machine that somebody looked at; another one of that uuid comes."""
        self.hold_up_starts()
        xml = self.write("web.xml", self.boot_xml("web", uuid=self.UUID))
        waiting = harness.spawn("virsh", "-c", self.reeved.unix_uri, "create", xml)
        wait_for("one that waits", lambda: "web" in self.virsh(
            "list", "--all", "--name").stdout.split())
        self.assertEqual(self.read("machines/web/state"), "shut off")
        events = None if NO_MOUNT else os.open(f"{self.tree}/machines/web/events", os.O_RDONLY)
        self.virsh("destroy", "web")
        self.assertNotEqual(waiting.wait(harness.WAIT_S), 0)
        self.assertNotIn("web", self.names("machines"))
        if events is not None:
            # whoever reads does not wait for ever
            done = subprocess.run(["cat"], stdin=events, stdout=subprocess.PIPE, check=True,
                                  timeout=harness.WAIT_S)
            self.assertEqual(done.stdout, b"")
            os.close(events)
        self.write("ready", "")
        self.virsh("create", xml)
        self.addCleanup(self.virsh, "destroy", "web", check=False)
        self.assertEqual(self.read("machines/web/state"), "running")
        self.assertGreater(int(self.read("machines/web/pid")), 0)
        self.assertEqual(self.reeve("write", "/machines/web/ctl", "destroy").returncode, 0)


@unittest.skipIf(os.geteuid() != 0, "only root becomes somebody else")
class Rules(Tree):
    """Somebody sees what he may, and nothing of the rest."""

    rules = (f"[rule team]\nwho = uid:{NOBODY}\nmay = read; control\non = seen*\n"
             "[rule near]\nwho = any\nfrom = 127.0.0.0/8\nmay = all\non = seen*\n")

    def setUp(self):
        for name in "seen", "unseen":
            self.define(name)

    def test_names(self):
        self.assertEqual(self.names("machines"), {"by-uuid", "events", "seen", "unseen"})
        self.assertEqual(self.names("machines", uid=NOBODY), {"by-uuid", "events", "seen"})
        uuids = {name: self.read(f"machines/{name}/uuid") for name in ("seen", "unseen")}
        self.assertEqual(self.names("machines/by-uuid"), set(uuids.values()))
        self.assertEqual(self.names("machines/by-uuid", uid=NOBODY), {uuids["seen"]})
        self.assertEqual(self.read("machines/seen/state", uid=NOBODY), "shut off")
        self.assertEqual(self.read(f"machines/by-uuid/{uuids['seen']}/state", uid=NOBODY),
                         "shut off")
        for name in ("unseen", "unseen/state", "unseen/stats", "unseen/stats/cpu.time",
                     f"by-uuid/{uuids['unseen']}", f"by-uuid/{uuids['unseen']}/xml", "none",
                     "none/state"):
            self.assert_hidden(f"machines/{name}", NOBODY)
        # what root did there meanwhile is not for others
        if not NO_MOUNT:
            self.file("ls machines/unseen/stats && cat machines/unseen/state")
            self.assert_hidden("machines/unseen/state", NOBODY)

    def test_events(self):
        """Of all machines, but the one he does not see."""
        readers = [self.start("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups",
                              "env", "HOME=/nonexistent", REEVE, "-c", self.reeved.shell_uri,
                              "cat", "/machines/events")]
        if not NO_MOUNT:
            readers.append(self.start("setpriv", "--reuid", NOBODY, "--regid", NOBODY,
                                      "--clear-groups", "cat", f"{self.tree}/machines/events"))
        ready = self.start(REEVE, "-c", self.reeved.shell_uri, "cat", "/machines/events")
        for reader in *readers, ready:
            wait_for("a reader", lambda reader=reader: self.happen_to("seen") and
                     select.select([reader.stdout], [], [], 0.05)[0])
        self.happen_to("unseen")
        self.virsh("start", "seen")
        self.virsh("destroy", "seen")
        self.assertIn("unseen", self.read_until_stopped(ready))
        for reader in readers:
            self.assertEqual(self.read_until_stopped(reader), {"seen"})

    def happen_to(self, name):
        self.virsh("autostart", name)
        self.virsh("autostart", name, "--disable")
        return True

    def read_until_stopped(self, reader):
        """Of whom there was something to tell."""
        names = set()
        while True:
            _, name, event = reader.stdout.readline().split()
            names.add(name)
            if event == "stopped":
                return names

    def start(self, *words):
        process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_commands(self):
        """A rule lets him, and the mode does not; then it does."""
        self.assert_refused("machines/seen/ctl", "start", "Permission denied", uid=NOBODY)
        self.assert_refused("machines/unseen/ctl", "start", "No such file", uid=NOBODY)
        self.assert_refused("machines/seen/autostart", "1", "Permission denied", uid=NOBODY)
        if NO_MOUNT:
            return
        self.file("chmod 0222 machines/seen/ctl; chmod 0666 machines/seen/autostart")
        for write in self.ways():
            self.assertEqual(write("machines/seen/ctl", "start", NOBODY).returncode, 0)
            self.virsh("destroy", "seen")
        self.assert_refused("machines/seen/autostart", "1", "Permission denied", uid=NOBODY)
        lines = self.audit(uid=NOBODY, file='"/machines/seen/ctl"', wrote='"start"',
                           object='"seen"', rule="team", result="done")
        self.assertEqual(len(lines), 2)
        lines = self.audit(uid=NOBODY, file='"/machines/seen/autostart"', takes="domain:write",
                           object='"seen"', rule="(none)")
        self.assertEqual([line.count("audit: denied") for line in lines], [1, 1])

    def test_origin(self):
        """By where he comes from, whoever he is."""
        def far(*words):
            return run(REEVE, "-c", f"tcp:127.0.0.1:{self.reeved.port}", *words, check=False)

        self.assertEqual(far("cat", "/machines/seen/state").stdout, "shut off\n")
        self.assertEqual(far("write", "/machines/seen/ctl", "start").returncode, 0)
        self.assertEqual(self.read("machines/seen/state"), "running")
        self.assertEqual(far("write", "/machines/seen/ctl", "destroy").returncode, 0)
        self.assertTrue(self.audit(address="127.0.0.1", file='"/machines/seen/ctl"',
                                   wrote='"start"', rule="near", result="done"))
        self.assertIn("No such file", far("cat", "/machines/unseen/state").stderr)
        self.assertNotIn("unseen", far("ls", "/machines").stdout)
        # a rule about machines says nothing of the daemon itself
        self.assertIn("denied", far("cat", "/server/log/level").stderr)


class Names(Tree):
    """Who authenticated is asked by that name."""

    listen = "[listen]\naddresses = ptls:127.0.0.1:0\n"
    config = f"[auth]\ntcp = sasl\nsasl_realm = {REALM}\nsasl_mechanisms = DIGEST-MD5\n"
    rules = ("[rule admins]\nwho = dn:O=Acme,OU=admins,CN=*\nfrom = tls\nmay = all\n"
             "[rule staff]\nwho = dn:O=Acme,OU=*,CN=*\nmay = read\non = seen\n"
             "[rule alice]\nwho = sasl:alice\nmay = read; control\non = seen\n"
             "[rule bob]\nwho = sasl:bob\nmay = read\non = seen\n")

    @classmethod
    def prepare(cls):
        cls.ca = cls.path("ca")
        run(REEVE, "pki", "ca", cls.ca, "O=Acme,CN=CA")
        run(REEVE, "pki", "server", f"{cls.reeved.root}/etc/pki", "127.0.0.1",
            "--ca", cls.ca, "--name", "O=Acme,CN=server")
        for unit in "admins", "guests":
            run(REEVE, "pki", "client", cls.path(unit), f"O=Acme,OU={unit},CN=eve",
                "--ca", cls.ca)
            shutil.copyfile(f"{cls.ca}/cacert.pem", f"{cls.path(unit)}/cacert.pem")
        for name in "alice", "bob":
            # bytes: with a new line it would be a part of the password
            subprocess.run(["saslpasswd2", "-p", "-c", "-f", f"{cls.reeved.root}/etc/passwd.db",
                            "-u", REALM, name], input=b"wonderland", check=True)

    def setUp(self):
        for name in "seen", "unseen":
            self.define(name)

    def sasl(self, name, *words):
        auth = self.write(f"auth-{name}.conf", f"[credentials-mine]\nauthname={name}\n"
                          "password=wonderland\n[auth-libvirt-default]\ncredentials=mine\n")
        return run("env", f"LIBVIRT_AUTH_FILE={auth}", REEVE, "-c", self.reeved.tcp_uri, *words,
                   check=False)

    def tls(self, unit, *words):
        port = re.search(r"ptls:127\.0\.0\.1:(\d+)", self.reeved.log()).group(1)
        return run(REEVE, "-c", f"qemu+tls://127.0.0.1:{port}/system?pkipath={self.path(unit)}",
                   *words, check=False)

    def test_sasl(self):
        done = self.sasl("alice", "write", "/machines/seen/ctl", "start")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.read("machines/seen/state"), "running")
        self.assertTrue(self.audit(sasl='"alice"', file='"/machines/seen/ctl"', wrote='"start"',
                                   object='"seen"', rule="alice", result="done"))
        self.assertEqual(self.sasl("bob", "cat", "/machines/seen/state").stdout, "running\n")
        done = self.sasl("bob", "write", "/machines/seen/ctl", "destroy")
        self.assertIn("denied", done.stderr)
        self.assertEqual(self.sasl("alice", "write", "/machines/seen/ctl", "destroy").returncode,
                         0)
        for name in "alice", "bob":
            self.assertNotIn("unseen", self.sasl(name, "ls", "/machines").stdout)
            self.assertIn("No such file",
                          self.sasl(name, "cat", "/machines/unseen/state").stderr)

    def test_certificates(self):
        done = self.tls("admins", "write", "/machines/unseen/ctl", "start")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(self.virsh, "destroy", "unseen")
        self.assertTrue(self.audit(dn='"O=Acme,OU=admins,CN=eve"', rule="admins",
                                   file='"/machines/unseen/ctl"', result="done"))
        self.assertIn("notice", self.tls("admins", "cat", "/server/log/level").stdout)
        self.assertIn("tls_x509_dname", self.tls("admins", "tree", "/clients").stdout)
        self.assertEqual(self.tls("guests", "cat", "/machines/seen/state").stdout, "shut off\n")
        self.assertIn("No such file", self.tls("guests", "cat", "/machines/unseen/state").stderr)
        done = self.tls("guests", "write", "/machines/seen/ctl", "start")
        self.assertIn("denied", done.stderr)
        self.assertEqual(self.read("machines/seen/state"), "shut off")


if __name__ == "__main__":
    harness.main("virsh", "virt-admin", "setpriv", "saslpasswd2", "qemu-system-x86_64")
