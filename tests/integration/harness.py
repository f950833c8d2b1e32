# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the integration tests share.

A private reeved, a private stock libvirtd, guests, and a runner that prints
TAP. No service of the host is used. Everything that a test starts becomes a
descendant of the test, also a QEMU whose daemon was killed, so that all of it
can be counted, and ended with the test.
"""
import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

REEVED = os.environ.get("REEVED", "")
REEVE = os.environ.get("REEVE", "")
BOOT_DISK = os.environ.get("REEVE_BOOT_DISK", "")
SANITIZED = os.environ.get("REEVE_SANITIZE", "none") != "none"
GUESTS = os.path.join(os.path.dirname(__file__), "..", "guests")

PR_SET_CHILD_SUBREAPER = 36
# What a test may need that is no program: modules of Python.
MODULES = {"libvirt-python": "libvirt", "python3-gi": "gi"}
WAIT_S = 30


def wait_for(what, get, timeout_s=WAIT_S, is_right=bool):
    """Returns the first value of get() that is right."""
    deadline = time.monotonic() + timeout_s
    while not is_right(value := get()):
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {timeout_s} s, but {value!r}")
        time.sleep(0.005)
    return value


def wait_for_value(expected, get, timeout_s=WAIT_S):
    wait_for(repr(expected), get, timeout_s, lambda value: value == expected)


def run(*words, stdin="", timeout_s=WAIT_S, check=True):
    """Runs a program in the C locale; with check it must succeed."""
    done = subprocess.run(
        [str(word) for word in words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, "LC_ALL": "C"},
    )
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(map(str, words))}: exit status {done.returncode}\n"
            f"{done.stdout}{done.stderr}"
        )
    return done


def spawn(*words):
    """Starts a program that says nothing; the caller waits for it."""
    return subprocess.Popen(words, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def why_no_mount():
    """Why no mount can be made here, or None."""
    if os.environ.get("REEVE_FUSE") == "no":
        return "built without libfuse3"
    if os.geteuid() != 0:
        return "mounts need root"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse: {error.strerror}"
    return None


class Terminal:
    """A program on a terminal of its own, and who sits before it."""

    def __init__(self, *words, env=None, stdout=None):
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = b""
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=self.slave,
            stdout=self.slave if stdout is None else stdout,
            stderr=self.slave,
            env={**os.environ, "LC_ALL": "C", "TERM": "vt100", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def read(self, timeout_s=0.05):
        """Takes what is there into `text`."""
        while select.select([self.master], [], [], timeout_s)[0]:
            self.text += os.read(self.master, 65536)
            timeout_s = 0

    def wait_for(self, words, timeout_s=WAIT_S):
        """Returns all text up to and with the words."""

        def found():
            self.read()
            return words in self.text

        try:
            wait_for(f"{words}", found, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.text[-2000:]}") from None
        return self.text[: self.text.index(words) + len(words)]

    def type(self, keys):
        """From here on, `text` is what comes after the keys."""
        self.read(0)
        self.text = b""
        os.write(self.master, keys)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait(self, timeout_s=WAIT_S):
        """The exit status. It must leave the terminal as it was."""
        wait_for("end", lambda: self.read() or self.process.poll() is not None, timeout_s)
        self.read(0)
        now = termios.tcgetattr(self.slave)
        if now != self.before:
            raise AssertionError(f"the terminal was left as {now}, not as {self.before}")
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


# Processes


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _stat(pid):
    """(state, parent) of a process, or None."""
    text = read(f"/proc/{pid}/stat")
    if not text:
        return None
    words = text.rpartition(")")[2].split()
    return words[0], int(words[1])


def descendants():
    """The living ones, by pid, each with the name of its program."""
    stats = {int(pid): _stat(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    found = {}
    todo = [os.getpid()]
    while todo:
        parent = todo.pop()
        for pid, stat in stats.items():
            if stat is not None and stat[1] == parent:
                todo.append(pid)
                if stat[0] != "Z":
                    found[pid] = read(f"/proc/{pid}/cmdline").split("\0")[0]
    return found


def qemus():
    """The pids of the QEMUs of machines, by the uuid of the machine."""
    found = {}
    for pid, program in descendants().items():
        words = read(f"/proc/{pid}/cmdline").split("\0")
        if "qemu-system" in program and "-uuid" in words:
            found.setdefault(words[words.index("-uuid") + 1], []).append(pid)
    return found


def reap():
    """Takes away dead processes that became ours with their parent's end."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def end_all():
    """Ends whatever is left of what the test started."""
    while descendants():
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        reap()


# Daemons


def free_port():
    """One of 127.0.0.1 that nobody had just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """A program that serves until it is stopped; its log is a file."""

    env = {}  # besides that of the test

    def __init__(self, directory, name, words, ready):
        self.log_path = os.path.join(directory, f"{name}.log")
        self.words = words
        self.name = name
        self.ready = ready
        self.process = None

    def spawn(self):
        """Starts it and does not wait."""
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LC_ALL": "C", **self.env},
            )

    def start(self):
        self.spawn()
        wait_for(f"{self.name} that serves", self._is_ready)
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} does not start:\n{self.log()}")
        return self.ready()

    def log(self):
        return read(self.log_path)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it in order; a daemon that fails at that fails the test."""
        self.process.terminate()
        status = self.process.wait(WAIT_S)
        if status != 0 or "Sanitizer" in self.log() or "assertion '" in self.log():
            raise AssertionError(
                f"{self.name} ended with status {status}:\n{self.log()}"
            )


class Reeved(Daemon):
    """A private reeved in a directory of its own."""

    def __init__(self, directory, config=""):
        self.root = os.path.join(directory, "reeved")
        os.makedirs(f"{self.root}/etc", exist_ok=True)
        with open(f"{self.root}/etc/reeved.conf", "w", encoding="utf-8") as file:
            file.write(config)
        super().__init__(
            directory,
            "reeved",
            [REEVED, "--root", self.root, "--listen", "ptcp:127.0.0.1:0"],
            lambda: "is ready" in self.log(),
        )

    @property
    def socket(self):
        return f"{self.root}/run/reeved.sock"

    @property
    def admin_socket(self):
        return f"{self.root}/run/reeved-admin.sock"

    @property
    def port(self):
        return int(re.search(r"ptcp:127\.0\.0\.1:(\d+)", self.log()).group(1))

    @property
    def unix_uri(self):
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def read_only_uri(self):
        return f"qemu+unix:///system?socket={self.root}/run/reeved-ro.sock"

    @property
    def tcp_uri(self):
        return f"qemu+tcp://127.0.0.1:{self.port}/system"

    @property
    def shell_uri(self):
        return f"unix:{self.socket}"


class Talk:
    """A `reeve` that runs; its output is a file."""

    def __init__(self, test, name, *words, uri=None):
        self.out_path = test.path(f"{name}.out")
        self.err_path = test.path(f"{name}.err")
        with open(self.out_path, "w", encoding="utf-8") as out, \
                open(self.err_path, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(
                [REEVE, "-c", uri or test.reeved.shell_uri, *words],
                stdin=subprocess.PIPE, stdout=out, stderr=err, text=True,
                env={**os.environ, "LC_ALL": "C"},
            )

    def out(self):
        return read(self.out_path)

    def err(self):
        return read(self.err_path)

    def lines(self):
        return [json.loads(line) for line in self.out().splitlines()
                if line.endswith("}")]

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        """The exit status, when it has read all that was said."""
        self.process.stdin.close()
        return self.process.wait(WAIT_S)

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_S)


BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Bus(Daemon):
    """A D-Bus of the test's own."""

    def __init__(self, directory):
        self.path = f"{directory}/bus"
        config = f"{directory}/bus.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(path=self.path))
        super().__init__(
            directory, "bus",
            ["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}"],
            lambda: os.path.exists(self.path))


class Supervisor:
    """The other end of a notify socket, as systemd has it."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.fds = {}  # that are stored, by their names
        self.seen = []  # (variable, value), in their order

    def _take(self, timeout_s):
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return False
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 16)
        message = [line.split("=", 1) for line in data.decode().splitlines()]
        names = dict(message)
        for fd in fds:
            self.fds[names["FDNAME"]] = fd
        self.seen += [tuple(pair) for pair in message]
        return True

    def wait_for(self, variable, value=None, timeout_s=WAIT_S):
        """Drops what comes before it, and returns its value."""
        deadline = time.monotonic() + timeout_s
        while True:
            while self.seen:
                pair = self.seen.pop(0)
                if pair[0] == variable and value in (None, pair[1]):
                    return pair[1]
            if not self._take(deadline - time.monotonic() if time.monotonic() < deadline else 0):
                raise AssertionError(f"no {variable}={value} within {timeout_s} s")

    def count(self, variable, for_s):
        """How often it comes from now on in a time."""
        self.drain()
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            self._take(max(deadline - time.monotonic(), 0))
        number = sum(pair[0] == variable for pair in self.seen)
        self.seen = []
        return number

    def drain(self):
        while self._take(0):
            pass
        self.seen = []

    def close(self):
        self.socket.close()
        for fd in self.fds.values():
            os.close(fd)


class Libvirtd(Daemon):
    """A stock libvirtd. It has places of its own where it writes.

    It has processes of its own, too, because it wants dead ones to vanish.
    """

    SCRIPT = """
        set -e
        for place in /run /var/lib /var/cache /var/log /etc/libvirt; do
            mount -t tmpfs none "$place"
        done
        # its QEMU driver wants the user that a package of Debian makes
        for file in passwd:libvirt-qemu:x:0:0::/:/bin/false \
                    group:libvirt-qemu:x:0:; do
            name=${file%%:*}
            { cat "/etc/$name"; echo "${file#*:}"; } >"$1/$name"
            mount --bind "$1/$name" "/etc/$name"
        done
        printf '%s = "%s"\\n' unix_sock_dir "$1" auth_unix_rw none \
            auth_unix_ro none >/etc/libvirt/libvirtd.conf
        printf '%s = "%s"\\n' user root group root security_driver none \
            stdio_handler file >/etc/libvirt/qemu.conf
        mkdir -p /run/lock
        # no exec: the shell is process 1 and takes away what died
        libvirtd -f /etc/libvirt/libvirtd.conf -p "$1/libvirtd.pid"
    """

    def __init__(self, directory):
        self.directory = os.path.join(directory, "libvirtd")
        os.makedirs(self.directory, exist_ok=True)
        self.socket = os.path.join(self.directory, "libvirt-sock")
        options = [] if os.geteuid() == 0 else ["--map-root-user"]
        super().__init__(
            directory,
            "libvirtd",
            ["unshare", *options, "--mount", "--pid", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", self.SCRIPT, "sh", self.directory],
            lambda: os.path.exists(self.socket),
        )

    @property
    def test_uri(self):
        return f"test+unix:///default?socket={self.socket}"

    @property
    def qemu_uri(self):
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def admin_socket(self):
        return f"{self.directory}/libvirt-admin-sock"

    def stop(self):
        """It is not ours to judge."""
        self.kill()


# Guests


def machine_xml(name, *, disk=None, serial=None, linux=None, memory_mib=32,
                uuid=None, extra="", pty=False, kernel_words="quiet"):
    """A machine of one CPU, emulated: `linux` is a directory of make-linux.

    Its serial port is a terminal with `pty`, else the file `serial`, if any.
    """
    boot = (
        f"<kernel>{linux}/vmlinuz</kernel><initrd>{linux}/initrd.img</initrd>"
        f"<cmdline>console=ttyS0 {kernel_words}</cmdline>"
        if linux
        else ""
    )
    identity = f"<uuid>{uuid}</uuid>" if uuid else ""
    disk_xml = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
        if disk
        else ""
    )
    if pty:
        serial_xml = "<serial type='pty'/>"
    else:
        serial_xml = f"<serial type='file'><source path='{serial}'/></serial>" if serial else ""
    return f"""<domain type='qemu'>
  <name>{name}</name>{identity}
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os>
  <features><acpi/></features>
  <devices>{disk_xml}{serial_xml}{extra}</devices>
</domain>
"""


def linux_guest():
    """The directory of a Linux guest, made once for all tests."""
    directory = os.environ.get("REEVE_GUEST_CACHE") or os.path.join(
        os.path.dirname(BOOT_DISK), "linux"
    )
    made = run(
        os.path.join(GUESTS, "make-linux"), directory, check=False, timeout_s=120
    )
    if made.returncode != 0:
        raise unittest.SkipTest(f"no Linux guest: {made.stderr.strip()}")
    return directory


# Tests


class TestCase(unittest.TestCase):
    """Has a directory, and a reeved in it unless the test wants none."""

    maxDiff = None
    with_reeved = True
    config = ""  # of reeved

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="reeve-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.addClassCleanup(end_all)
        if cls.with_reeved:
            cls.reeved = Reeved(cls.directory, cls.config).start()
            cls.addClassCleanup(cls.stop_reeved)

    @classmethod
    def stop_reeved(cls):
        cls.reeved.stop()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory, name)

    @classmethod
    def boot_xml(cls, name, **more):
        """A machine of the boot sector, with a disk and a console of its own."""
        disk = cls.path(f"{name}.img")
        shutil.copyfile(BOOT_DISK, disk)
        return machine_xml(name, disk=disk, serial=cls.path(f"{name}.serial"), **more)

    @classmethod
    def write(cls, name, text):
        path = cls.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def wait_serial(self, name, words, count=1):
        wait_for(
            f"“{words}” from {name}",
            lambda: read(self.path(f"{name}.serial")).count(words) >= count,
        )


class _Tap(unittest.TestResult):
    """Prints a line of TAP for each test as soon as it is done."""

    def __init__(self):
        super().__init__()
        self.lines = 0

    def _line(self, ok, test, more="", text=""):
        self.lines += 1
        name = test.id().removeprefix("__main__.")
        reeved = getattr(test, "reeved", None)
        if not ok and reeved is not None:
            text += f"The end of its log:\n{reeved.log()[-2000:]}"
        print(f"{'ok' if ok else 'not ok'} {self.lines} - {name}{more}")
        for line in text.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def addSuccess(self, test):
        self._line(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(True, test, f" # SKIP {reason}")

    def addError(self, test, err):
        super().addError(test, err)
        self._line(False, test, text=self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(False, test, text=self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            text = (self.failures + self.errors)[-1][1]
            self._line(False, subtest, text=text)


def _missing(needs):
    for need in needs:
        if need in MODULES:
            try:
                __import__(MODULES[need])
            except ImportError:
                return f"{need} is not installed"
        elif shutil.which(need) is None:
            return f"there is no {need}"
    return None


def main(*needs):
    """Runs the tests of the script; `needs` are programs it cannot do without."""
    missing = _missing(needs)
    if missing:
        print(f"1..0 # SKIP {missing}")
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # an end from outside ends what was started, too
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    result = _Tap()
    names = sys.argv[1:] or None
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    suite = (
        loader.loadTestsFromNames(names, module)
        if names
        else loader.loadTestsFromModule(module)
    )
    try:
        suite.run(result)
    finally:
        end_all()
    print(f"1..{result.lines}")
    sys.exit(0 if result.wasSuccessful() else 1)
