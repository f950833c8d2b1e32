# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The resource tree as files: a mount, and the programs that everybody has."""
import ctypes
import errno
import fcntl
import mmap
import os
import re
import select
import signal
import stat
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import run, wait_for

NO_MOUNT = harness.why_no_mount()
DAEMON = os.environ.get("REEVE_RESOURCE_DAEMON", "")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
MNT_DETACH = 2
N_WATCHED = 1000
# How long a woken reader may take; sanitizers are slow.
WAKE_S = 0.5 if harness.SANITIZED else 0.05


def unmount(path):
    """Takes off what a failed test left there."""
    ctypes.CDLL(None).umount2(os.fsencode(path), MNT_DETACH)


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == path for line in mounts)


def has_open(pid, name):
    """Whether a process has a file of that name open."""
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.path.basename(os.readlink(f"{folder}/{fd}")) == name
                   for fd in os.listdir(folder))
    except FileNotFoundError:
        return False


class Mount(harness.Daemon):
    def __init__(self, directory, name, *words):
        self.path = os.path.join(directory, name)
        super().__init__(directory, name, [*words, DAEMON, self.path, "-"],
                         lambda: self.log().startswith("ready"))


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Resource(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = directory.name
        os.chmod(cls.directory, 0o711)
        cls.mount = Mount(cls.directory, "tree")
        cls.addClassCleanup(unmount, cls.mount.path)
        cls.mount.start()
        cls.addClassCleanup(cls.mount.stop)

    def path(self, name):
        return os.path.join(self.mount.path, name)

    def read(self, name):
        return run("cat", self.path(name)).stdout

    def shell(self, script, check=True):
        """In bash, with the mount as its directory."""
        return run("bash", "-c", f"cd {self.mount.path} && {script}", check=check)

    def command(self, words):
        with open(self.path("ctl"), "w", encoding="utf-8") as ctl:
            ctl.write(words)

    def open(self, name, flags=os.O_RDONLY):
        fd = os.open(self.path(name), flags)
        self.addCleanup(os.close, fd)
        return fd

    def stats(self):
        return dict(line.split() for line in self.read(".stats").splitlines())

    def refused(self, number, function, *words):
        with self.assertRaises(OSError) as caught:
            function(*words)
        self.assertEqual(caught.exception.errno, number)

    # ------------------------------------------------- names, attributes --

    def test_names_and_modes(self):
        self.assertIn("name\n", run("ls", self.mount.path).stdout)
        self.assertEqual(run("stat", "-c", "%A %U %s", self.path("name")).stdout,
                         "-rw-r--r-- root 0\n")
        self.assertEqual(run("stat", "-c", "%F", self.path("d")).stdout, "directory\n")
        self.assertEqual(run("cat", self.path("null"), self.path("d/only-in-one")).stdout,
                         "one only-in-one\n")

    def test_one_provider_has_what_is_below(self):
        self.assertEqual(self.read("d/any/deep/name"), "one any/deep/name\n")
        refused = run("cat", self.path("name/x"), check=False)
        self.assertIn("Not a directory", refused.stderr)
        refused = run("cat", self.path("d/no-such"), check=False)
        self.assertIn("No such file", refused.stderr)

    def test_longest_prefix_and_union(self):
        self.assertEqual(self.read("d/sub/who/is/it"), "sub who/is/it\n")
        self.assertEqual(self.read("d/only-in-two"), "two only-in-two\n")
        self.assertEqual(self.read("d/in-both"), "one in-both\n")
        # the same two, with the flag that turns their order
        self.assertEqual(self.read("turned/in-both"), "two in-both\n")
        self.assertEqual(self.read("turned/only-in-one"), "one only-in-one\n")
        self.assertEqual(run("ls", self.path("d")).stdout.split(),
                         ["in-both", "only-in-one", "only-in-two", "sub"])

    def test_links(self):
        self.assertEqual(run("readlink", self.path("cur")).stdout, "name\n")
        self.assertEqual(self.read("cur"), self.read("name"))
        self.assertEqual(self.read("root-cur/in-both"), "sub in-both\n")

    def test_permission_by_who_asks(self):
        refused = run(*NOBODY, "cat", self.path("secret"), check=False)
        self.assertIn("Permission denied", refused.stderr)
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(run(*NOBODY, "cat", self.path("d/in-both")).stdout, "one in-both\n")
        for words in (["chmod", "666"], ["chown", "65534"]):
            refused = run(*NOBODY, *words, self.path("name"), check=False)
            self.assertIn("Operation not permitted", refused.stderr)
        run("chgrp", "1234", self.path("secret"))
        self.addCleanup(os.chmod, self.path("secret"), 0o600)
        run("chmod", "640", self.path("secret"))
        group = ["setpriv", "--reuid", "65534", "--regid", "65534", "--groups", "1234"]
        self.assertEqual(run(*group, "cat", self.path("secret")).stdout, "secret\n")

    def test_attributes_change(self):
        path = self.path("watched/7")
        run("chmod", "600", path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        run("touch", "-d", "@0", path)
        self.assertEqual(run("stat", "-c", "%Y", path).stdout, "0\n")
        self.assertEqual(run("stat", "-c", "%Y", path).stdout, "0\n")
        self.shell("echo x > watched/7")
        self.assertNotEqual(run("stat", "-c", "%Y", path).stdout, "0\n")
        self.assertEqual(os.getxattr(path, "user.type"), b"text")
        self.assertEqual(os.listxattr(path), ["user.type"])
        self.refused(errno.ENODATA, os.getxattr, path, "user.none")

    def test_only_the_daemon_makes_names(self):
        for words in (["mkdir", "new"], ["mkfifo", "new"], ["rm", "-f", "name"],
                      ["rmdir", "d"], ["ln", "-s", "name", "new"],
                      ["ln", "name", "new"], ["mv", "name", "new"], ["touch", "new"]):
            done = self.shell(" ".join(words), check=False)
            self.assertIn("Operation not permitted", done.stderr, words)

    def test_provider_lets_clients_make_names(self):
        self.shell("cd scratch; mkdir new; mv new n2; touch n2/f; echo text > n2/f;"
                   "ln -s n2/f link; mv n2 n3; ln -sf n3/f link")
        self.assertEqual(self.shell("cd scratch; ls -F; cat link; readlink link").stdout,
                         "link@\nn3/\ntext\nn3/f\n")
        # who is in a directory that moves stays in it
        done = self.shell("cd scratch/n3; mv ../n3 ../n4; echo more > f; cat f; rm f; ls")
        self.assertEqual(done.stdout, "more\n")
        run(*NOBODY, "touch", self.path("scratch/mine"))
        self.assertEqual(run("stat", "-c", "%u", self.path("scratch/mine")).stdout, "65534\n")
        for words, reason in (("rmdir link", "Not a directory"), ("rm n4", "Is a directory"),
                              ("mkdir n4", "File exists"), ("touch full", "No space left"),
                              ("ln mine other", "Operation not permitted"),
                              ("mkfifo other", "Operation not permitted")):
            done = self.shell(f"cd scratch; {words}", check=False)
            self.assertIn(reason, done.stderr, words)
        done = run(*NOBODY, "touch", self.path("d/new"), check=False)
        self.assertIn("Permission denied", done.stderr)
        self.shell("cd scratch; mkdir n4/x; rmdir n4", check=False)
        self.shell("cd scratch; rmdir n4/x n4; rm mine link")
        self.assertEqual(self.shell("ls scratch").stdout, "")

    def test_limits_are_told(self):
        self.assertEqual(run("getconf", "NAME_MAX", self.mount.path).stdout, "255\n")
        self.assertIn("fuse", run("stat", "-f", self.mount.path).stdout)
        self.refused(errno.ENAMETOOLONG, os.stat, self.path("n" * 256))

    # ----------------------------------------------------------- contents --

    def test_null_device(self):
        self.assertEqual(self.shell("cat null; echo x > null").stdout, "")

    def test_reader_sees_one_text(self):
        self.shell("echo first > name")
        done = self.shell("exec 3<name; dd bs=1 count=2 <&3 2>/dev/null;"
                          "echo second > name; cat <&3; cat name; head -c 3 name")
        self.assertEqual(done.stdout, "first\nsecond\nsec")

    def test_writes_are_checked(self):
        self.shell("echo ok > name; echo better >> name; : > name; truncate -s 0 name")
        done = self.shell("echo bad > name", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Invalid argument", done.stderr)
        self.assertEqual(self.read("name"), "better\n")
        done = self.shell("head -c 70000 /dev/zero | tr '\\0' x | dd bs=70000 iflag=fullblock of=name", check=False)
        self.assertIn("Message too long", done.stderr)
        self.refused(errno.EBADF, os.write, self.open("name"), b"x")

    def test_log_grows(self):
        with subprocess.Popen(["tail", "-n", "1", "-f", self.path("log")],
                              stdout=subprocess.PIPE, text=True) as tail:
            try:
                self.command("log before")
                self.command("log 0123456789")
                self.assertEqual(run("tail", "-c", "5", self.path("log")).stdout, "6789\n")
                lines = []
                while "0123456789\n" not in lines:
                    lines.append(tail.stdout.readline())
                self.command("log behind")
                began = time.monotonic()
                while "behind\n" not in lines:
                    lines.append(tail.stdout.readline())
                self.assertLess(time.monotonic() - began, 5)
            finally:
                tail.kill()
        size = os.stat(self.path("log")).st_size
        self.assertEqual(len(self.read("log")), size)
        skipped = run("dd", "skip=7", "bs=1", "count=4", f"if={self.path('log')}").stdout
        self.assertEqual(skipped, self.read("log")[7:11])
        done = self.shell("sync log; echo more | dd conv=fsync,notrunc oflag=append of=log 2>/dev/null; (dd bs=1 count=3 2>/dev/null; cat) <log | cmp - log")
        self.assertEqual(done.stdout, "")
        self.shell("echo mine >> log")
        self.assertTrue(self.read("log").endswith("behind\nmore\nmine\n"))
        fd = self.open("log")
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as mapped:
            self.assertEqual(mapped[:].decode(), self.read("log"))
        self.shell(": > log")
        self.assertEqual(self.read("log"), "")

    def test_log_has_no_holes(self):
        self.shell(": > log; echo 0123456789 > log; fallocate -l 4 log; fallocate -n -l 1M log")
        self.assertEqual(self.read("log"), "0123456789\n")
        for words, reason in (("-l 1M", "Invalid argument"), ("-p -l 4", "unsupported")):
            done = self.shell(f"fallocate {words} log", check=False)
            self.assertIn(reason, done.stderr)

    def test_what_can_be_mapped(self):
        self.command("log of some size")
        with mmap.mmap(self.open("log"), 4, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
            self.assertEqual(mapped[:].decode(), self.read("log")[:4])
        # Python's own would look at the size first
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        mapped = libc.mmap(None, ctypes.c_size_t(4), mmap.PROT_READ, mmap.MAP_SHARED,
                           self.open("name"), ctypes.c_long(0))
        self.assertEqual((mapped, ctypes.get_errno()), (ctypes.c_void_p(-1).value, errno.ENODEV))

    def test_transaction(self):
        done = self.shell("exec 3<>rpc; echo 'ping 1' >&3; head -1 <&3; exec 4<>rpc;"
                          "echo a >&3; echo b >&4; head -1 <&4; head -1 <&3")
        self.assertEqual(done.stdout, "PING 1\nB\nA\n")

    def test_ioctl(self):
        fd = self.open("ioctl")
        code = 3 << 30 | 8 << 16 | ord("q") << 8 | 4
        number = bytearray(struct.pack("q", 21))
        self.assertEqual(fcntl.ioctl(fd, code, number), 5)
        self.assertEqual(struct.unpack("q", number), (42,))
        self.refused(errno.ENOTTY, fcntl.ioctl, fd, code + 1, number)
        self.refused(errno.ENOTTY, fcntl.ioctl, self.open("name"), code, number)

    def test_locks(self):
        held = self.open("name")
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run("flock", "-n", self.path("name"), "true", check=False)
        self.assertEqual(done.returncode, 1)
        fcntl.flock(held, fcntl.LOCK_UN)
        run("flock", "-n", self.path("name"), "true")

    # ------------------------------------------------------------- events --

    def test_event_is_waited_for(self):
        done = run("timeout", "0.2", "cat", self.path("events"), check=False)
        self.assertEqual((done.returncode, done.stdout), (124, ""))
        with subprocess.Popen(["head", "-n", "2", self.path("events")],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as head:
            wait_for("a reader", lambda: self.stats()["waiting"] == "1")
            self.command("event one")
            self.command("event two")
            self.assertEqual(head.communicate(timeout=harness.WAIT_S)[0], "one\ntwo\n")

    def test_event_is_not_waited_for(self):
        fd = self.open("events", os.O_RDONLY | os.O_NONBLOCK)
        self.refused(errno.EAGAIN, os.read, fd, 100)
        self.refused(errno.ESPIPE, os.lseek, fd, 0, os.SEEK_SET)
        self.command("event now")
        self.assertEqual(os.read(fd, 100), b"now\n")
        for number in range(20):
            self.command(f"event {number}")
        self.assertEqual(os.read(fd, 100), b"lost 4\n")
        self.assertEqual(os.read(fd, 100), b"4\n")

    def test_poll_select_and_epoll(self):
        fd = self.open("events", os.O_RDONLY | os.O_NONBLOCK)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        self.assertEqual(poll.poll(0), [])
        timer = threading.Timer(0.1, self.command, ["event one"])
        timer.start()
        self.assertEqual(poll.poll(harness.WAIT_S * 1000), [(fd, select.POLLIN)])
        timer.join()
        self.assertEqual(epoll.poll(harness.WAIT_S), [(fd, select.EPOLLIN)])
        self.assertEqual(epoll.poll(0), [])
        self.assertEqual(select.select([fd], [], [], 0)[0], [fd])
        self.assertEqual(os.read(fd, 100), b"one\n")
        self.assertEqual(select.select([fd], [], [], 0)[0], [])

    def test_one_change_wakes_its_readers(self):
        """A thousand files, fifty readers; two of them have the same file."""
        files = [i % 49 * 20 for i in range(50)]
        woken, ready = [], threading.Barrier(51)

        def watch(index):
            fd = os.open(self.path(f"watched/{files[index]}"), os.O_RDONLY)
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            os.pread(fd, 100, 0)
            ready.wait()
            # one for each round below, and one that ends it
            for _ in range(rounds[files[index]] + 1):
                assert poll.poll(harness.WAIT_S * 1000)
                when = time.monotonic()
                os.pread(fd, 100, 0)
                woken.append((files[index], when))
            os.close(fd)

        changed = [0, 20, 0, 400, 960]
        rounds = {file: changed.count(file) for file in files}
        threads = [threading.Thread(target=watch, args=[i]) for i in range(50)]
        for thread in threads:
            thread.start()
        ready.wait()
        self.assertEqual(len(os.listdir(self.path("watched"))), N_WATCHED)
        delays = []
        for file in changed:
            woken.clear()
            began = time.monotonic()
            self.command(f"touch {file}")
            wait_for("its readers", lambda: len(woken) == files.count(file))
            self.command("touch 1")
            self.assertEqual({name for name, _ in woken}, {file})
            delays.append(max(when for _, when in woken) - began)
        time.sleep(0.05)
        self.assertEqual(len(woken), 1)
        # the machine may have been busy in one of the rounds
        self.assertLess(statistics.median(delays), WAKE_S)
        for file in set(files):
            self.command(f"touch {file}")
        for thread in threads:
            thread.join()

    def test_signals_end_a_wait(self):
        def handled(number, frame):
            raise InterruptedError

        before = signal.signal(signal.SIGALRM, handled)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        self.assertRaises(InterruptedError, os.read, self.open("events"), 100)
        done = run("timeout", "-s", "INT", "0.2", "cat", self.path("events"), check=False)
        self.assertEqual(done.returncode, 124)
        cat = subprocess.Popen(["cat", self.path("events")])
        wait_for("a reader", lambda: self.stats()["waiting"] == "1")
        cat.kill()
        cat.wait()
        wait_for("nobody", lambda: self.stats()["waiting"] == "0")

    def test_readers_do_not_wait_for_each_other(self):
        began = time.monotonic()
        readers = [subprocess.Popen(["cat", self.path("slow")], stdout=subprocess.PIPE)
                   for _ in range(20)]
        for reader in readers:
            self.assertEqual(reader.communicate(timeout=harness.WAIT_S)[0], b"slow\n")
        # one after the other they would take four seconds
        self.assertLess(time.monotonic() - began, 3)

    # --------------------------------------------------------------- pool --

    def threads(self):
        return int(re.search(r"Threads:\s*(\d+)", harness.read(
            f"/proc/{self.mount.process.pid}/status")).group(1))

    def pool(self):
        words = self.read(".pool").split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def start_readers(self, count):
        readers = [subprocess.Popen(["cat", self.path("gate")], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL) for _ in range(count)]
        self.addCleanup(lambda: [reader.kill() or reader.communicate() for reader in readers])
        return readers

    def test_pool_grows_and_shrinks(self):
        """Of sixty that wait for what blocks, fifty are served at a time."""
        wait_for("a pool at rest", lambda: self.pool()["threads"] == self.pool()["waiting"])
        fixed = self.threads() - self.pool()["threads"]
        readers = self.start_readers(60)
        full = {"threads": 50, "waiting": 0, "queued": 10}
        wait_for("all to be there", lambda: self.pool() == full)
        self.assertEqual(self.threads(), fixed + 50)
        # the loop serves others meanwhile
        self.assertEqual(self.read("null"), "")
        self.command("pass 7")
        wait_for("seven", lambda: sum(reader.poll() is not None for reader in readers) == 7)
        wait_for("as many others", lambda: self.pool() == {**full, "queued": 3})
        self.assertEqual(self.threads(), fixed + 50)
        self.command("pass 53")
        for reader in readers:
            self.assertEqual(reader.communicate(timeout=harness.WAIT_S)[0], b"passed\n")
        wait_for("the rest", lambda: self.pool() == {"threads": 4, "waiting": 4, "queued": 0})
        wait_for("its threads", lambda: self.threads() == fixed + 4)

    def test_pool_is_left_by_who_gives_up(self):
        """Who runs and who waits: by a signal, and by being killed."""
        waiting = int(self.stats()["waiting"])
        readers = self.start_readers(54)
        wait_for("all to be there", lambda: self.pool()["queued"] == 4)
        for reader in readers[::2]:
            reader.send_signal(signal.SIGINT)
        for reader in readers[1::2]:
            reader.kill()
        for reader in readers:
            reader.wait(harness.WAIT_S)
        wait_for("nobody", lambda: int(self.stats()["waiting"]) == waiting)
        wait_for("the pool to be at rest",
                 lambda: self.pool() == {"threads": 4, "waiting": 4, "queued": 0})
        # nobody passed, so that one who comes may
        self.command("pass 1")
        self.assertEqual(self.read("gate"), "passed\n")

    def test_files_are_closed(self):
        before = int(self.stats()["open"])
        done = self.shell("exec 3<name 4<log; (exit); cat .stats; exec 3<&- 4<&-; cat .stats")
        opened = [int(line.split()[1]) for line in done.stdout.splitlines()
                  if line.startswith("open")]
        self.assertEqual(opened, [before + 2, before])

    def test_holders_are_seen(self):
        self.open("name")
        holders = run("lsof", "-t", self.mount.path, check=False).stdout.split()
        self.assertIn(str(os.getpid()), holders)

    # --------------------------------------------------------- many names --

    def test_list_while_names_come_and_go(self):
        self.command("many 10000")
        stays = {f"{i:06}" for i in range(9000)}
        self.command("churn 100")
        for _ in range(3):
            listed = run("find", self.path("many"), "-type", "f").stdout.split()
            names = [os.path.basename(path) for path in listed]
            self.assertEqual(len(names), len(set(names)))
            self.assertEqual(stays - set(names), set())
        names = run("ls", "-f", self.path("many")).stdout.split()
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(stays - set(names), set())


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Death(unittest.TestCase):
    def start(self):
        self.mount = Mount(self.directory, "tree")
        self.addCleanup(unmount, self.mount.path)
        return self.mount.start()

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def reader(self, mount):
        reader = subprocess.Popen(["cat", os.path.join(mount.path, "events")],
                                  stderr=subprocess.PIPE, text=True)
        stats = os.path.join(mount.path, ".stats")
        wait_for("a reader", lambda: "waiting 1" in harness.read(stats))
        return reader

    def assert_reader_fails(self, reader):
        _, words = reader.communicate(timeout=harness.WAIT_S)
        self.assertEqual(reader.returncode, 1, words)

    def test_killed(self):
        mount = self.start()
        reader = self.reader(mount)
        mount.kill()
        self.assert_reader_fails(reader)
        wait_for("unmounting", lambda: not is_mounted(mount.path))
        self.assertEqual(run("ls", "-A", mount.path).stdout, "")
        again = self.start()
        self.assertEqual(run("cat", os.path.join(again.path, "name")).stdout, "value\n")
        again.stop()

    def test_killed_with_its_helper(self):
        """What nobody has unmounted the next daemon does."""
        mount = self.start()
        helpers = [pid for pid in harness.descendants()
                   if "fusermount3" in harness.read(f"/proc/{pid}/cmdline")]
        self.assertEqual(len(helpers), 1)
        os.kill(helpers[0], signal.SIGKILL)
        mount.kill()
        self.assertRaises(OSError, os.stat, mount.path)
        again = self.start()
        self.assertEqual(run("cat", os.path.join(again.path, "name")).stdout, "value\n")
        again.stop()
        self.assertFalse(is_mounted(mount.path))

    def test_started_at_once_after_its_death(self):
        """The helper of the dead one leaves the new mount alone."""
        mount = self.start()
        for _ in range(5):
            mount.kill()
            mount = self.start()
        time.sleep(0.1)
        self.assertEqual(run("cat", os.path.join(mount.path, "name")).stdout, "value\n")
        mount.stop()

    def test_stopped_with_readers(self):
        mount = self.start()
        reader = self.reader(mount)
        mount.stop()
        self.assert_reader_fails(reader)
        self.assertFalse(is_mounted(mount.path))

    def test_unmounted_by_root(self):
        mount = self.start()
        run("umount", mount.path)
        wait_for("the daemon to see it", lambda: "was unmounted" in mount.log())
        mount.stop()

    def test_mount_point_that_cannot_be(self):
        path = os.path.join(self.directory, "file")
        with open(path, "w", encoding="utf-8"):
            pass
        done = run(DAEMON, path, "-", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(path, done.stderr)


class Watcher:
    """inotify, which Python has not; of changes of the content alone."""
    IN_MODIFY = 2
    # of inotify_event: the watch, what happened, a cookie, the length of a name
    EVENT = struct.Struct("iIII")

    def __init__(self, folder, *names):
        libc = ctypes.CDLL(None)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        self.names = {libc.inotify_add_watch(self.fd, os.fsencode(os.path.join(folder, name)),
                                             self.IN_MODIFY): name for name in names}

    def close(self):
        os.close(self.fd)

    def wait(self):
        """What has changed, once something has: the names, with those in directories."""
        assert select.select([self.fd], [], [], harness.WAIT_S)[0]
        data, found = os.read(self.fd, 65536), set()
        while data:
            watch, mask, _, length = self.EVENT.unpack_from(data)
            assert mask == self.IN_MODIFY, mask
            name = data[self.EVENT.size:self.EVENT.size + length].rstrip(b"\0").decode()
            found.add(os.path.join(self.names[watch], name) if name else self.names[watch])
            data = data[self.EVENT.size + length:]
        return found


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Inotify(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        cls.addClassCleanup(directory.cleanup)
        cls.mount = Mount(directory.name, "tree", "env", "TELL_INOTIFY=1")
        cls.addClassCleanup(unmount, cls.mount.path)
        cls.mount.start()
        cls.addClassCleanup(cls.mount.stop)

    def path(self, name):
        return os.path.join(self.mount.path, name)

    def command(self, words):
        with open(self.path("ctl"), "w", encoding="utf-8") as ctl:
            ctl.write(words)

    def watch(self, *names):
        watcher = Watcher(self.mount.path, *names)
        self.addCleanup(watcher.close)
        return watcher

    def test_change_by_the_daemon(self):
        of_file, of_folder = self.watch("watched/1", "watched/2"), self.watch("watched")
        self.command("touch 1")
        self.assertEqual(of_file.wait(), {"watched/1"})
        self.assertEqual(of_folder.wait(), {"watched/1"})

    def test_many_changes(self):
        before = os.stat(self.path("watched/3")).st_mtime_ns
        watcher = self.watch("watched/3")
        for _ in range(200):
            self.command("touch 3")
        self.assertEqual(watcher.wait(), {"watched/3"})
        self.assertGreater(os.stat(self.path("watched/3")).st_mtime_ns, before)

    def test_daemon_ends_while_it_tells(self):
        directory = tempfile.TemporaryDirectory(prefix="reeve-")
        self.addCleanup(directory.cleanup)
        for _ in range(5):
            mount = Mount(directory.name, "tree", "env", "TELL_INOTIFY=1")
            self.addCleanup(unmount, mount.path)
            mount.start()
            os.stat(os.path.join(mount.path, "watched/1"))
            for _ in range(20):
                with open(os.path.join(mount.path, "ctl"), "w", encoding="utf-8") as ctl:
                    ctl.write("touch 1")
            mount.stop()


class WithTree(harness.TestCase):
    """A reeved whose tree everybody may enter."""

    config = "[resource]\nmount = 1\ninotify = 1\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.chmod(cls.directory, 0o711)
        os.chmod(cls.reeved.root, 0o711)
        os.chmod(f"{cls.reeved.root}/run", 0o711)
        cls.tree = f"{cls.reeved.root}/run/tree"
        cls.addClassCleanup(unmount, cls.tree)

    def read(self, name):
        return run("cat", f"{self.tree}/{name}").stdout

    def virsh(self, *words):
        return run("virsh", "-c", self.reeved.unix_uri, *words)

    def control(self, name, command, check=True):
        return run("bash", "-c", f"echo {command} > {self.tree}/machines/{name}/ctl", check=check)

    def define(self, name, **more):
        path = self.write(f"{name}.xml", self.boot_xml(name, **more))
        self.virsh("define", path)
        self.addCleanup(self.virsh, "undefine", name)

    def refused(self, number, function, *words):
        with self.assertRaises(OSError) as caught:
            function(*words)
        self.assertEqual(caught.exception.errno, number)


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Machines(WithTree):
    """What reeved has as files."""

    def test_server(self):
        self.assertEqual(self.read("server/pid"), f"{self.reeved.process.pid}\n")
        self.assertIn(self.read("server/version").strip(), run(harness.REEVED, "--version").stdout)
        before = self.read("server/metrics")
        self.virsh("list")
        self.assertNotEqual(self.read("server/metrics"), before)
        self.assertIn("max_clients", self.read("server/limits"))

    def test_names(self):
        self.define("names")
        self.assertIn("names", os.listdir(f"{self.tree}/machines"))
        uuid = self.read("machines/names/uuid").strip()
        self.assertEqual(uuid, self.virsh("domuuid", "names").stdout.strip())
        self.assertEqual(os.readlink(f"{self.tree}/machines/by-uuid/{uuid}"), "../names")
        self.assertEqual(self.read(f"machines/by-uuid/{uuid}/state"), "shut off\n")
        self.assertEqual(self.read("machines/names/xml").strip(),
                         self.virsh("dumpxml", "names").stdout.strip())
        self.assertFalse(os.path.exists(f"{self.tree}/machines/none"))
        self.virsh("domrename", "names", "other")
        self.assertEqual(os.readlink(f"{self.tree}/machines/by-uuid/{uuid}"), "../other")
        self.assertFalse(os.path.exists(f"{self.tree}/machines/names"))
        self.virsh("domrename", "other", "names")

    def test_life(self):
        self.define("life")
        events = subprocess.Popen(["cat", f"{self.tree}/machines/life/events"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(events.communicate)
        self.addCleanup(events.kill)
        wait_for("a reader", lambda: has_open(events.pid, "events"))
        state = os.open(f"{self.tree}/machines/life/state", os.O_RDONLY)
        self.addCleanup(os.close, state)
        self.assertEqual(os.read(state, 100), b"shut off\n")
        watcher = Watcher(self.tree, "machines/life/state")
        self.addCleanup(watcher.close)
        self.control("life", "start")
        self.assertEqual(watcher.wait(), {"machines/life/state"})
        self.assertEqual(self.read("machines/life/state"), "running\n")
        self.assertTrue(select.select([state], [], [], harness.WAIT_S)[0])
        self.assertEqual(os.pread(state, 100, 0), b"running\n")
        self.wait_serial("life", "REEVE")
        self.assertIn([int(self.read("machines/life/pid"))], harness.qemus().values())
        refused = self.control("life", "start", check=False)
        self.assertIn("busy", refused.stderr)
        refused = self.control("life", "nonsense", check=False)
        self.assertIn("Invalid argument", refused.stderr)
        self.control("life", "suspend")
        self.assertEqual(self.read("machines/life/state"), "paused\n")
        self.control("life", "resume")
        self.control("life", "destroy")
        self.assertEqual(self.virsh("domstate", "life").stdout.strip(), "shut off")
        words = []
        while "stopped" not in words:
            words.append(events.stdout.readline().split()[1])
        self.assertEqual([word for word in words if word != "shutdown"],
                         ["resumed", "started", "suspended", "resumed", "stopped"])

    def test_end_of_a_machine(self):
        path = self.write("end.xml", self.boot_xml("end"))
        self.virsh("create", path)
        with subprocess.Popen(["cat", f"{self.tree}/machines/end/events"],
                              stdout=subprocess.PIPE, text=True) as events:
            wait_for("a reader", lambda: has_open(events.pid, "events"))
            self.virsh("destroy", "end")
            self.assertIn("stopped", events.communicate(timeout=harness.WAIT_S)[0])
            self.assertEqual(events.returncode, 0)
        self.assertFalse(os.path.exists(f"{self.tree}/machines/end"))

    def test_console(self):
        """The guest sends back what it gets."""
        path = self.write("talk.xml", self.boot_xml("talk", pty=True))
        self.virsh("create", path)
        self.addCleanup(self.virsh, "destroy", "talk")
        console = os.open(f"{self.tree}/machines/talk/console", os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, console)
        text = b""

        def has(words):
            nonlocal text
            if select.select([console], [], [], 0.1)[0]:
                try:
                    text += os.read(console, 4096)
                except BlockingIOError:
                    pass
            return words in text

        wait_for("the guest", lambda: has(b"REEVE-BOOT"))
        self.assertEqual(os.write(console, b"hello"), 5)
        wait_for("the echo", lambda: has(b"hello"))
        self.assertRaises(BlockingIOError, os.read, console, 100)
        self.define("off")
        self.refused(errno.EBUSY, os.open, f"{self.tree}/machines/off/console", os.O_RDWR)

    def test_memory(self):
        self.define("memory")
        memory = f"{self.tree}/machines/memory/memory"
        self.assertEqual(run("cat", memory).stdout, "32768\n")
        done = run("bash", "-c", f"echo lots > {memory}", check=False)
        self.assertIn("Invalid argument", done.stderr)
        done = run("bash", "-c", f"echo 16384 > {memory}", check=False)
        self.assertIn("busy", done.stderr)


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Rules(WithTree):
    """As for clients of the socket, besides owner and mode."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(f"{cls.reeved.root}/etc/reeved-access.conf", "w", encoding="utf-8") as rules:
            rules.write("[rule guest]\nwho = uid:65534\nmay = read\non = seen*\n"
                        "[rule root]\nwho = uid:0\nmay = all\n")
        cls.reeved.stop()
        cls.reeved.start()

    def test_rules(self):
        for name in "seen", "unseen":
            self.define(name)
        self.assertEqual(run(*NOBODY, "cat", f"{self.tree}/machines/seen/state").stdout,
                         "shut off\n")
        for name in "state", "events":
            done = run(*NOBODY, "cat", f"{self.tree}/machines/unseen/{name}", check=False)
            self.assertIn("No such file", done.stderr)
        os.chmod(f"{self.tree}/machines/seen/ctl", 0o222)
        done = run(*NOBODY, "bash", "-c", f"echo start > {self.tree}/machines/seen/ctl",
                   check=False)
        self.assertIn("Permission denied", done.stderr)
        self.assertEqual(self.read("machines/seen/state"), "shut off\n")


@unittest.skipIf(NO_MOUNT, NO_MOUNT)
class Successor(harness.TestCase):
    with_reeved = False

    def setUp(self):
        self.reeved = harness.Reeved(self.directory, "[resource]\nmount = 1\n").start()
        self.tree = f"{self.reeved.root}/run/tree"
        self.addCleanup(unmount, self.tree)
        self.addCleanup(lambda: self.reeved.stop())
        path = self.write("stays.xml", self.boot_xml("stays"))
        run("virsh", "-c", self.reeved.unix_uri, "create", path)
        self.addCleanup(run, "virsh", "-c", self.reeved.unix_uri, "destroy", "stays")

    def assert_mounted(self):
        state = f"{self.tree}/machines/stays/state"
        wait_for("the mount", lambda: is_mounted(self.tree))
        wait_for("the machine", lambda: run("cat", state, check=False).stdout == "running\n")

    def test_killed_while_a_machine_runs(self):
        """What outlives the daemon does not hold its mount."""
        self.assert_mounted()
        reader = subprocess.Popen(["cat", f"{self.tree}/machines/events"],
                                  stderr=subprocess.DEVNULL)
        self.reeved.kill()
        wait_for("unmounting", lambda: not is_mounted(self.tree))
        self.assertEqual(run("ls", "-A", self.tree).stdout, "")
        reader.wait(harness.WAIT_S)
        self.reeved.start()
        self.assert_mounted()

    def test_takeover(self):
        self.assert_mounted()
        old = self.reeved.process
        self.reeved.words.append("--takeover")
        self.reeved.start()
        self.assertEqual(old.wait(harness.WAIT_S), 0)
        pid = f"{self.tree}/server/pid"
        wait_for("the new mount", lambda: run("cat", pid, check=False).stdout
                 == f"{self.reeved.process.pid}\n")
        self.assert_mounted()
        time.sleep(0.1)
        self.assert_mounted()
        self.reeved.stop()
        self.assertFalse(is_mounted(self.tree))
        self.reeved.words.remove("--takeover")
        self.reeved.start()


if __name__ == "__main__":
    harness.main("fusermount3", "lsof", "setpriv", "virsh", "qemu-system-x86_64")
