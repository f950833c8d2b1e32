# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The consoles of machines: their text, their keys, their logs."""
import fcntl
import json
import os
import signal
import stat
import struct
import subprocess
import termios
import threading
import time
import tty
import zlib

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVE, Terminal, run, wait_for

DETACH = b"\x1d"  # ^]
BUFFER_BYTES = 65536
LOG_BYTES = 65536
LOG_FILES = 2
BOOT_S = 180


class Consoles(harness.TestCase):
    config = (f"[server]\ncall_timeout=3\n[console]\nbuffer_bytes={BUFFER_BYTES}\n"
              f"log_bytes={LOG_BYTES}\nlog_files={LOG_FILES}\n")

    def virsh(self, *words):
        terminal = Terminal("virsh", "-c", self.reeved.unix_uri, *words)
        self.addCleanup(terminal.close)
        return terminal

    def reeve(self, *words, **more):
        """The shell, on a terminal."""
        terminal = Terminal(REEVE, "-c", self.reeved.shell_uri, *words, **more)
        self.addCleanup(terminal.close)
        return terminal

    def reeve_piped(self, *words, stdin=subprocess.PIPE):
        shell = subprocess.Popen([REEVE, "-c", self.reeved.shell_uri, *words], stdin=stdin,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(shell.__exit__, None, None, None)
        self.addCleanup(shell.kill)
        return shell

    def open(self, name, flags=0, stream_flags=0, device=None):
        """A stream of python3-libvirt, on a connection of its own."""
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        stream = connection.newStream(stream_flags)
        connection.lookupByName(name).openConsole(device, stream, flags)
        return stream

    def run_machine(self, name, **more):
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        domain = connection.createXML(self.boot_xml(name, pty=True, **more))
        self.addCleanup(self.end, domain)
        return domain

    @staticmethod
    def end(domain):
        try:
            domain.destroy()
        except libvirt.libvirtError:
            pass  # it has ended

    def log_files(self, name):
        folder = f"{self.reeved.root}/log/consoles/{name}"
        return {entry: os.path.getsize(f"{folder}/{entry}")
                for entry in sorted(os.listdir(folder))} if os.path.exists(folder) else {}

    def read_log(self, name):
        folder = f"{self.reeved.root}/log/consoles/{name}"
        entries = sorted(self.log_files(name), key=lambda entry: -int((entry + ".0").split(".")[2]))
        return b"".join(open(f"{folder}/{entry}", "rb").read() for entry in entries)

    def spool(self, domain):
        return os.stat(f"{self.reeved.root}/run/machines/{domain.UUIDString()}/consoles/serial0")


def receive(stream, size):
    """Exactly as many bytes."""
    text = b""
    while len(text) < size:
        piece = stream.recv(size - len(text))
        if not piece:
            raise AssertionError(f"the end after {text[-200:]}")
        text += piece
    return text


def receive_all(stream):
    """Up to the end, which is finished."""
    text = b""
    while piece := stream.recv(65536):
        text += piece
    stream.finish()
    return text


def read_up_to(file, words):
    """Of a file that is not buffered, or was not read before."""
    text = b""
    while not text.endswith(words):
        piece = file.read(1)
        if not piece:
            raise AssertionError(f"the end after {text[-200:]}")
        text += piece
    return text


class Linux(Consoles):
    """A guest as people have it, and stock virsh before it."""

    # the whole boot is in the buffer
    config = ""

    @classmethod
    def setUpClass(cls):
        linux = harness.linux_guest()
        super().setUpClass()
        cls.connection = libvirt.open(cls.reeved.unix_uri)
        cls.domain = cls.connection.createXML(harness.machine_xml(
            "linux", linux=linux, memory_mib=128, pty=True, kernel_words=""))
        virsh = Terminal("virsh", "-c", cls.reeved.unix_uri, "console", "linux")
        shell = Terminal(REEVE, "-c", cls.reeved.shell_uri, "console", "linux")
        piped = subprocess.Popen([REEVE, "-c", cls.reeved.shell_uri, "console", "linux"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        cls.boot = virsh.wait_for(b"reeve# ", BOOT_S)
        cls.shell_boot = shell.wait_for(b"reeve# ")
        cls.piped_boot = read_up_to(piped.stdout, b"reeve# ")
        virsh.close()
        shell.close()
        piped.kill()
        piped.communicate()

    @classmethod
    def stop_reeved(cls):
        cls.connection.close()
        super().stop_reeved()

    def test_boot_is_seen_from_its_first_line(self):
        head, _, text = self.boot.partition(b"Ctrl + ])\r\n")
        self.assertIn(b"Connected to domain 'linux'", head)
        self.assertTrue(text.startswith(b"[    0.000000] Linux version "), text[:100])
        self.assertIn(b"REEVE-LINUX ready", text)
        self.assertNotIn(b"are missing here", text)

    def test_three_viewers_at_once_saw_the_same(self):
        """virsh, our shell on a terminal, and our shell that writes to a pipe."""
        text = self.boot.partition(b"Ctrl + ])\r\n")[2]
        head, _, shown = self.shell_boot.partition(b"detaches\r\n")
        self.assertEqual(head, b"Connected to 'linux'; Ctrl+] ")
        self.assertEqual(shown, text)
        self.assertEqual(self.piped_boot, text)

    def test_guest_takes_what_is_typed(self):
        for terminal in self.virsh("console", "linux"), self.reeve("console", "linux"):
            terminal.wait_for(b"reeve# ")
            terminal.type(b"echo $((6 * 7))$(tty)\r")
            terminal.wait_for(b"\n42/dev/ttyS0\r\n")
            # a key at a time, and one that is no letter; each when the one before it is
            # there: QEMU's serial port, under TCG, can keep a burst of them to itself
            for key in b"echo slow\x08\x08ide":
                terminal.type(bytes([key]))
                terminal.wait_for(bytes([key]))
            terminal.type(b"\r")
            terminal.wait_for(b"\nslide\r\n")

    def test_late_viewer_sees_the_same_and_detaches(self):
        one, late = self.virsh("console", "linux"), self.virsh("console", "linux")
        one.wait_for(b"reeve# ")
        late.wait_for(b"reeve# ")
        text = self.boot.partition(b"Ctrl + ])\r\n")[2]
        self.assertTrue(late.text.partition(b"Ctrl + ])\r\n")[2].startswith(text))
        late.type(DETACH)
        self.assertEqual(late.wait(), 0)
        self.assertTrue(self.domain.isActive())
        one.type(b"echo still $((1 + 1)) here\r")
        one.wait_for(b"\nstill 2 here\r\n")

    def test_daemon_is_killed_and_comes_back(self):
        """What the guest prints meanwhile is there afterwards, without a gap."""
        count = 60
        stream = self.open("linux")
        stream.send(f"for i in $(seq {count}); do echo N$i.; sleep 0.1; done\r".encode())
        text = b""
        while b"\nN5." not in text:
            text += stream.recv(65536)
        self.reeved.kill()
        time.sleep(1)
        self.reeved.start()
        type(self).connection = libvirt.open(self.reeved.unix_uri)
        type(self).domain = self.connection.lookupByName("linux")
        again = self.open("linux")
        text = b""
        while f"\nN{count}.\r\n".encode() not in text:
            text += again.recv(65536)
        self.assertTrue(text.startswith(b"[    0.000000] Linux version "), text[:100])
        lines = b"".join(b"N%d.\r\n" % i for i in range(1, count + 1))
        self.assertIn(lines, text)
        again.send(b"echo after $((7 * 7))\r")
        while b"\nafter 49\r\n" not in text:
            text += again.recv(65536)
        again.finish()
        log = self.read_log("linux")
        self.assertTrue(log.startswith(text), log)


class BootSector(Consoles):
    def test_three_viewers_see_the_same(self):
        """Bytes that come faster than a person reads."""
        self.run_machine("three")
        streams = [self.open("three") for _ in range(3)]
        for stream in streams:
            self.assertEqual(receive(stream, 12), b"REEVE-BOOT\r\n")
        streams[1].send(b"hello")
        for stream in streams:
            self.assertEqual(receive(stream, 5), b"hello")
        streams[2].send(b"F")
        texts = [None] * 3

        def watch(number):
            texts[number] = receive(streams[number], 200000)

        threads = [threading.Thread(target=watch, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts[0], b"REEVE-BOOT\r\n" * (200000 // 12) + b"REEVE-BO")
        self.assertEqual(texts[1], texts[0])
        self.assertEqual(texts[2], texts[0])
        for stream in streams:
            stream.abort()

    def test_viewer_that_does_not_read_delays_nobody(self):
        domain = self.run_machine("lazy")
        pid = self.reeved.process.pid
        lazy = [self.open("lazy") for _ in range(8)]
        reader = self.open("lazy")
        receive(reader, 12)
        before = self.memory(pid)
        reader.send(b"F")
        receive(reader, 2000000)
        # a window of the protocol's for each of them, in pieces as they came, and no more
        if not harness.SANITIZED:
            self.assertLess(self.memory(pid) - before, 8 * 3 * 1024 * 1024)
        durations = []
        for _ in range(50):
            start = time.monotonic()
            domain.info()
            durations.append(time.monotonic() - start)
        self.assertLess(sorted(durations)[25], 0.1)
        # the slow one sees where something is missing, and what is new
        text = b""
        while b"bytes are missing here" not in text:
            text += lazy[0].recv(65536)
        self.assertTrue(text.startswith(b"REEVE-BOOT\r\nREEVE-BOOT\r\n"))
        for stream in (reader, *lazy):
            stream.abort()

    @staticmethod
    def memory(pid):
        for line in harness.read(f"/proc/{pid}/status").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no process")

    def test_force_ends_the_others(self):
        self.run_machine("forced")
        terminal = self.virsh("console", "forced")
        terminal.wait_for(b"REEVE-BOOT")
        other = self.open("forced")
        receive(other, 12)
        forced = self.open("forced", libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        self.assertEqual(receive(forced, 12), b"REEVE-BOOT\r\n")
        self.assertEqual(receive_all(other), b"")
        self.assertEqual(terminal.wait(), 0)
        forced.send(b"x")
        self.assertEqual(receive(forced, 1), b"x")
        forced.finish()

    def test_end_of_the_machine_ends_the_stream(self):
        domain = self.run_machine("mortal")
        stream = self.open("mortal")
        receive(stream, 12)
        domain.shutdown()
        self.assertEqual(receive_all(stream), b"")
        terminal_less = self.read_log("mortal")
        self.assertEqual(terminal_less, b"REEVE-BOOT\r\n")

    def test_log_is_rotated(self):
        """The log is bounded, and so is what QEMU writes for us."""
        domain = self.run_machine("chatty")
        stream = self.open("chatty")
        stream.send(b"F")
        receive(stream, LOG_BYTES * 8)
        stream.abort()
        files = self.log_files("chatty")
        self.assertEqual(set(files), {"serial0.log", "serial0.log.1", "serial0.log.2"})
        for size in files.values():
            self.assertLessEqual(size, LOG_BYTES)
        self.assertGreater(self.spool(domain).st_size, LOG_BYTES * 8)
        self.assertLess(self.spool(domain).st_blocks * 512, 1024 * 1024)
        self.assertFalse(stat.S_IMODE(self.spool(domain).st_mode) & 0o077)
        domain.destroy()
        self.assertEqual(os.listdir(f"{self.reeved.root}/run/machines"), ["autostarted"])
        text = self.read_log("chatty")
        self.assertIn(b"REEVE-BOOT\r\n" * 1000, text)

    def test_guest_goes_on_while_the_daemon_sleeps(self):
        """Also with viewers, for whom the daemon holds the guest's terminal."""
        domain = self.run_machine("awake")
        stream = self.open("awake")
        stream.send(b"F")
        receive(stream, 1000)
        self.reeved.process.send_signal(signal.SIGSTOP)
        try:
            before = self.spool(domain).st_size
            wait_for("text", lambda: self.spool(domain).st_size > before + 500000)
        finally:
            self.reeved.process.send_signal(signal.SIGCONT)
        receive(stream, 1000)
        stream.abort()
        domain.destroy()

    def test_guest_dies_while_the_daemon_is_away(self):
        """Its last words are in the log."""
        domain = self.run_machine("words")
        stream = self.open("words")
        receive(stream, 12)
        uuid = domain.UUIDString()
        qemu = harness.qemus()[uuid][0]
        spool = f"{self.reeved.root}/run/machines/{uuid}/consoles/serial0"
        path = domain.XMLDesc().partition("<source path='")[2].partition("'")[0]
        self.reeved.kill()
        with self.open_terminal(path) as terminal:
            terminal.write(b"farewell")
            read_up_to(terminal, b"farewell")
        # QEMU writes a byte to the terminal first, and then to what it keeps.
        wait_for("the last byte", lambda: harness.read(spool).endswith("farewell"))
        os.kill(qemu, signal.SIGKILL)
        wait_for("its end", lambda: uuid not in harness.qemus())
        self.reeved.start()
        self.assertEqual(self.read_log("words"), b"REEVE-BOOT\r\nfarewell")

    @staticmethod
    def open_terminal(path):
        """As `screen` does it, but not as the test's own: it would get SIGHUP at the
        end of the guest."""
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd)
        return os.fdopen(fd, "r+b", buffering=0)

    def test_terminal_is_there_for_others(self):
        """`screen $(virsh ttyconsole MACHINE)` gets every byte, while no viewer is there."""
        self.run_machine("direct")
        wait_for("the boot", lambda: self.read_log("direct") == b"REEVE-BOOT\r\n")
        path = run("virsh", "-c", self.reeved.unix_uri, "ttyconsole", "direct").stdout.strip()
        self.assertRegex(path, "^/dev/pts/[0-9]+$")
        with self.open_terminal(path) as terminal:
            terminal.write(b"by hand")
            self.assertEqual(read_up_to(terminal, b"by hand"), b"by hand")
        stream = self.open("direct")
        self.assertEqual(receive(stream, 19), b"REEVE-BOOT\r\nby hand")
        stream.finish()

    def test_refusals(self):
        """Each has a clear error, and the code that libvirt gives."""
        self.run_machine("refused", extra=(
            "<serial type='null'/>"
            "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"))
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        connection.defineXML(self.boot_xml("off", pty=True))
        read_only = libvirt.openReadOnly(self.reeved.read_only_uri)
        self.addCleanup(read_only.close)
        refused, off = connection.lookupByName("refused"), connection.lookupByName("off")
        cases = {
            "no such device": (lambda stream: refused.openConsole("serial7", stream),
                               libvirt.VIR_ERR_INTERNAL_ERROR, "serial7"),
            "not a terminal": (lambda stream: refused.openConsole("serial1", stream),
                               libvirt.VIR_ERR_INTERNAL_ERROR, "null"),
            "no such channel": (lambda stream: refused.openChannel("nobody", stream),
                                libvirt.VIR_ERR_INTERNAL_ERROR, "nobody"),
            "channel that is a socket": (
                lambda stream: refused.openChannel("org.qemu.guest_agent.0", stream),
                libvirt.VIR_ERR_INTERNAL_ERROR, "unix"),
            "not running": (lambda stream: off.openConsole(None, stream),
                            libvirt.VIR_ERR_OPERATION_INVALID, "not running"),
            "unknown flag": (lambda stream: refused.openConsole(None, stream, 8),
                             libvirt.VIR_ERR_INVALID_ARG, "flags"),
        }
        for name, (call, code, words) in cases.items():
            with self.subTest(name), self.assertRaises(libvirt.libvirtError) as caught:
                call(connection.newStream())
            self.assertEqual(caught.exception.get_error_code(), code, caught.exception)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(libvirt.libvirtError) as caught:
            read_only.lookupByName("refused").openConsole(None, read_only.newStream())
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_OPERATION_DENIED)
        # the connection is none the worse for it
        stream = connection.newStream()
        refused.openConsole(None, stream)
        self.assertEqual(receive(stream, 12), b"REEVE-BOOT\r\n")
        stream.finish()

    def test_stopped_qemu(self):
        """It prints nothing and takes nothing, and holds up nobody."""
        domain = self.run_machine("stopped")
        qemu = harness.qemus()[domain.UUIDString()][0]
        stream = self.open("stopped")
        receive(stream, 12)
        os.kill(qemu, signal.SIGSTOP)
        self.addCleanup(os.kill, qemu, signal.SIGCONT)
        other = self.open("stopped")
        self.assertEqual(receive(other, 12), b"REEVE-BOOT\r\n")
        other.finish()
        for _ in range(64):
            stream.send(b"x" * 1024)  # more than terminal and daemon hold together
        start = time.monotonic()
        self.assertEqual(libvirt.open(self.reeved.unix_uri).lookupByName("stopped").info()[0],
                         libvirt.VIR_DOMAIN_RUNNING)
        self.assertLess(time.monotonic() - start, 10)
        stream.abort()


class Shell(Consoles):
    """`reeve console`: how it looks, and each way out of it."""

    def attach(self, name, *words, **more):
        terminal = self.reeve("console", name, *words, **more)
        terminal.wait_for(b"REEVE-BOOT\r\n")
        self.assertTrue(terminal.is_raw())
        return terminal

    def test_escape_key(self):
        """It detaches wherever it stands; what was typed before it has arrived."""
        self.run_machine("keys")
        terminal = self.attach("keys")
        terminal.type(b"before" + DETACH + b"behind")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(terminal.text.endswith(b"\r\nDetached from 'keys'\r\n"), terminal.text)
        terminal = self.attach("keys", "--escape", "^a")
        self.assertIn(b"; Ctrl+A detaches\r\n", terminal.text)
        terminal.wait_for(b"before")
        terminal.type(b"a" + DETACH + b"z")
        terminal.wait_for(b"a" + DETACH + b"z")
        terminal.type(b"\x01")
        self.assertEqual(terminal.wait(), 0)
        terminal = self.attach("keys", "--escape=q")
        self.assertTrue(terminal.text.endswith(b"\r\nbeforea" + DETACH + b"z"), terminal.text)
        terminal.type(b"q")
        self.assertEqual(terminal.wait(), 0)
        for bad in "", "^", "^1", "ab", "\u00e9":
            terminal = self.reeve("console", "keys", "--escape", bad)
            self.assertEqual(terminal.wait(), 2)
            self.assertIn(b"--escape", terminal.text)

    def test_ends(self):
        """Of the machine, of others by --force, and of the daemon."""
        domain = self.run_machine("ends")
        evicted, forced = self.attach("ends"), self.attach("ends", "--force", "--safe")
        self.assertEqual(evicted.wait(), 0)
        self.assertIn(b"\r\nThe console of 'ends' has ended\r\n", evicted.text)
        second = self.attach("ends", "serial0")  # which is welcome
        self.reeved.kill()
        for terminal in forced, second:
            self.assertEqual(terminal.wait(), 1)
            self.assertIn(b"\r\nerror: The server closed the connection", terminal.text)
        self.reeved.start()
        terminal = self.attach("ends")
        run(REEVE, "-c", self.reeved.shell_uri, "destroy", "ends")
        self.assertEqual(terminal.wait(), 0)
        self.assertFalse(harness.qemus().get(domain.UUIDString()))
        terminal = self.reeve("console", "ends")
        self.assertEqual(terminal.wait(), 4)

    def test_signals(self):
        """Each ends it as it would have, and the terminal is as it was."""
        self.run_machine("signals")
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            terminal = self.attach("signals")
            terminal.process.send_signal(number)
            self.assertEqual(terminal.wait(), -number)
        # a shell stops it and has it go on
        terminal = Terminal("bash", "-mc", '"$@"; stty -a; fg', "bash", REEVE, "-c",
                            self.reeved.shell_uri, "console", "signals")
        self.addCleanup(terminal.close)
        terminal.wait_for(b"REEVE-BOOT\r\n")
        (pid,) = [pid for pid, program in harness.descendants().items() if program == REEVE]
        self.assertTrue(terminal.is_raw())
        os.kill(pid, signal.SIGTSTP)
        self.assertRegex(terminal.wait_for(b"extproc"), rb" icanon .* echo ")
        wait_for("raw", terminal.is_raw)
        terminal.type(b"on")
        terminal.wait_for(b"on")
        terminal.type(DETACH)
        self.assertEqual(terminal.wait(), 0)

    def test_detaches_when_nothing_else_works(self):
        domain = self.run_machine("stuck")
        qemu = harness.qemus()[domain.UUIDString()][0]
        terminal, other = self.attach("stuck"), self.attach("stuck")
        os.kill(qemu, signal.SIGSTOP)
        self.addCleanup(os.kill, qemu, signal.SIGCONT)
        self.paste(terminal, 200000)
        terminal.type(DETACH)
        self.assertEqual(terminal.wait(5), 0)
        self.reeved.process.send_signal(signal.SIGSTOP)
        try:
            self.paste(other, 2000000)
            other.type(DETACH)
            self.assertEqual(other.wait(5), 0)
            self.assertRegex(other.text, rb"\d+ bytes that were typed are lost")
        finally:
            self.reeved.process.send_signal(signal.SIGCONT)

    @staticmethod
    def paste(terminal, size):
        """A terminal takes some thousand keys at a time."""
        while size > 0:
            size -= os.write(terminal.master, b"x" * 2000)

    def test_detaches_when_nobody_reads_its_output(self):
        self.run_machine("unread")
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        terminal = self.reeve("console", "unread", stdout=writer)
        os.close(writer)
        terminal.wait_for(b"detaches")
        wait_for("raw", terminal.is_raw)
        terminal.type(b"F")
        sizes = [0]
        wait_for("a full pipe", lambda: sizes.append(self.count_bytes(reader)) or (
            sizes[-1] > 32768 and len(set(sizes[-20:])) == 1))
        terminal.type(DETACH)
        self.assertEqual(terminal.wait(), 0)

    @staticmethod
    def count_bytes(fd):
        return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]

    def test_pipe(self):
        """It has what the guest printed and nothing else, up to its end."""
        domain = self.run_machine("piped")
        reader = self.reeve_piped("console", "piped", stdin=subprocess.DEVNULL)
        typist = self.reeve_piped("console", "piped")
        typist.stdin.write(b"any" + DETACH + b"key\n")
        typist.stdin.close()
        head = run("sh", "-c", '"$0" -c "$1" console piped </dev/null | head -c 12', REEVE,
                   self.reeved.shell_uri)  # ends it
        self.assertEqual((head.stdout, head.stderr), ("REEVE-BOOT\n", ""))
        text = b"REEVE-BOOT\r\nany" + DETACH + b"key\n"
        self.assertEqual(read_up_to(reader.stdout, b"\n" + text[12:]), text)
        self.assertEqual(read_up_to(typist.stdout, b"\n" + text[12:]), text)
        domain.shutdown()
        for shell in reader, typist:
            self.assertEqual((shell.stdout.read(), shell.stderr.read(), shell.wait()), (b"", b"", 0))

    def test_start(self):
        path = self.write("started.xml", self.boot_xml("started", pty=True))
        terminal = self.reeve("create", path, "--console")
        terminal.wait_for(b"REEVE-BOOT\r\n")
        self.assertRegex(terminal.text, b"^Machine 'started' created from .*\r\nConnected to 'started'")
        terminal.type(DETACH)
        self.assertEqual(terminal.wait(), 0)
        run(REEVE, "-c", self.reeved.shell_uri, "destroy", "started")
        run(REEVE, "-c", self.reeved.shell_uri, "define", path)
        # among other commands
        terminal = self.reeve()
        terminal.wait_for(b"reeve # ")
        terminal.type(b"start started --console\r")
        terminal.wait_for(b"REEVE-BOOT\r\n")
        terminal.type(DETACH)
        terminal.wait_for(b"reeve # ")
        terminal.type(b"destroy started\r")
        terminal.wait_for(b"Machine 'started' destroyed\r\n")
        terminal.type(b"quit\r")
        self.assertEqual(terminal.wait(), 0)


class Stock(harness.TestCase):
    """Our shell with a stock libvirtd, where one viewer at a time is let in."""

    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirtd = harness.Libvirtd(cls.directory).start()
        cls.addClassCleanup(cls.libvirtd.stop)

    def reeve(self, *words):
        terminal = Terminal(REEVE, "-c", self.libvirtd.qemu_uri, *words)
        self.addCleanup(terminal.close)
        return terminal

    def test_console(self):
        first = self.reeve("create", "--console", self.write("m.xml", self.boot_xml("m", pty=True)))
        first.wait_for(b"detaches\r\n")
        second = self.reeve("console", "m")
        self.assertEqual(second.wait(), 1)
        self.assertIn(b"error: operation failed: Active console session exists", second.text)
        second = self.reeve("console", "m", "--force")
        second.wait_for(b"detaches\r\n")
        self.assertEqual(first.wait(), 1)
        self.assertIn(b"\r\nerror: ", first.text)
        second.type(b"typed")
        second.wait_for(b"typed")
        second.type(DETACH)
        self.assertEqual(second.wait(), 0)


class Screenshots(Consoles):
    VIDEO = "<video><model type='vga'/></video>"

    def run_machine(self, name, **more):
        domain = super().run_machine(name, **more)
        wait_for("the boot", lambda: self.read_log(name) == b"REEVE-BOOT\r\n")
        return domain

    @staticmethod
    def take(domain, screen=0):
        stream = domain.connect().newStream()
        kind = domain.screenshot(stream, screen)
        return kind, receive_all(stream)

    def check_png(self, picture, width, height):
        self.assertTrue(picture.startswith(b"\x89PNG\r\n\x1a\n"))
        place, pixels = 8, b""
        while place < len(picture):
            size, kind = struct.unpack_from(">I4s", picture, place)
            body = picture[place + 8:place + 8 + size]
            checksum, = struct.unpack_from(">I", picture, place + 8 + size)
            self.assertEqual(checksum, zlib.crc32(kind + body))
            if kind == b"IHDR":
                self.assertEqual(struct.unpack_from(">IIBB", body), (width, height, 8, 2))
            elif kind == b"IDAT":
                pixels += body
            place += 12 + size
        self.assertEqual(kind, b"IEND")
        # lines of three bytes a pixel, each with a filter's number before it
        self.assertEqual(len(zlib.decompress(pixels)), height * (1 + width * 3))

    def test_virsh(self):
        domain = self.run_machine("shown", extra=self.VIDEO)
        domain.suspend()  # the cursor blinks
        path = self.path("shown.png")
        done = run("virsh", "-c", self.reeved.unix_uri, "screenshot", "shown", path)
        self.assertIn("image/png", done.stdout)
        with open(path, "rb") as file:
            picture = file.read()
        self.check_png(picture, 720, 400)
        self.assertEqual(self.take(domain), ("image/png", picture))
        ours = self.path("ours.png")
        shell = (REEVE, "-c", self.reeved.shell_uri, "screenshot", "shown")
        run(*shell, ours)
        with open(ours, "rb") as file:
            self.assertEqual(file.read(), picture)
        self.assertEqual(self.reeve_piped("screenshot", "shown", "-").communicate(),
                         (picture, b""))
        self.check_default_name(picture)

    def check_default_name(self, picture):
        """As virsh's: machine, time and kind."""
        folder = self.path("pictures")
        os.mkdir(folder)
        for words in (("virsh", "-c", self.reeved.unix_uri), (REEVE, "-c", self.reeved.shell_uri)):
            subprocess.run([*words, "screenshot", "shown"], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})
            (name,) = os.listdir(folder)
            self.assertRegex(name, r"^shown-\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.png$")
            with open(f"{folder}/{name}", "rb") as file:
                self.assertEqual(file.read(), picture)
            os.unlink(f"{folder}/{name}")

    def test_shell_leaves_no_half_file(self):
        """A file is there whole, or as it was."""
        domain = self.run_machine("halved", extra=self.VIDEO)
        path = self.write("halved.png", "as it was")
        words = (REEVE, "-c", self.reeved.shell_uri, "--timeout", "1", "screenshot")
        qemu = harness.qemus()[domain.UUIDString()][0]
        os.kill(qemu, signal.SIGSTOP)
        self.addCleanup(os.kill, qemu, signal.SIGCONT)
        self.assertEqual(run(*words, "halved", path, check=False).returncode, 6)
        os.kill(qemu, signal.SIGCONT)
        for more, status, reason in (("--screen", "1"), 1, "screen"), (("--screen", "x"), 2, "screen"):
            failed = run(*words, "halved", path, *more, check=False)
            self.assertEqual(failed.returncode, status, failed.stderr)
            self.assertIn(reason, failed.stderr)
        self.assertEqual(harness.read(path), "as it was")
        self.assertEqual([name for name in os.listdir(self.directory) if "halved.png" in name],
                         ["halved.png"])
        failed = run(*words, "halved", self.path("nowhere/x.png"), check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("nowhere", failed.stderr)
        done = run(REEVE, "-c", self.reeved.shell_uri, "--json", "screenshot", "halved", path)
        self.assertEqual(json.loads(done.stdout),
                         {"name": "halved", "file": path, "type": "image/png"})
        with open(path, "rb") as file:
            self.check_png(file.read(), 720, 400)

    def test_pictures_differ_as_the_guest_does(self):
        domain = self.run_machine("changing", extra=self.VIDEO)
        off = domain.connect().createXML(
            self.boot_xml("changing2", pty=True, extra=self.VIDEO), libvirt.VIR_DOMAIN_START_PAUSED)
        self.addCleanup(self.end, off)
        domain.suspend()
        self.assertNotEqual(self.take(domain)[1], self.take(off)[1])

    def test_two_devices(self):
        domain = self.run_machine("heads", extra=self.VIDEO + "<video><model type='bochs'/></video>")
        first, second = self.take(domain)[1], self.take(domain, 1)[1]
        self.check_png(first, 720, 400)
        self.assertNotEqual(first, second)
        with self.assertRaises(libvirt.libvirtError) as caught:
            self.take(domain, 2)
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_INVALID_ARG)

    def test_refusals(self):
        domain = self.run_machine("blind")
        for name, call, code, words in (
            ("no video", lambda: self.take(domain), libvirt.VIR_ERR_OPERATION_UNSUPPORTED, "video"),
            ("flags", lambda: domain.screenshot(domain.connect().newStream(), 0, 1),
             libvirt.VIR_ERR_INVALID_ARG, "flags"),
        ):
            with self.subTest(name), self.assertRaises(libvirt.libvirtError) as caught:
                call()
            self.assertEqual(caught.exception.get_error_code(), code)
            self.assertIn(words, str(caught.exception))

    def test_stopped_qemu(self):
        """It ends at the deadline and delays nobody, and leaves nothing behind."""
        domain = self.run_machine("frozen", extra=self.VIDEO)
        qemu = harness.qemus()[domain.UUIDString()][0]
        files = os.listdir(f"/proc/{qemu}/fd")
        os.kill(qemu, signal.SIGSTOP)
        self.addCleanup(os.kill, qemu, signal.SIGCONT)
        errors = []

        def shoot():
            connection = libvirt.open(self.reeved.unix_uri)
            try:
                self.take(connection.lookupByName("frozen"))
            except libvirt.libvirtError as error:
                errors.append(error.get_error_code())
            connection.close()

        start = time.monotonic()
        threads = [threading.Thread(target=shoot) for _ in range(30)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            before = time.monotonic()
            self.assertTrue(domain.isActive())
            self.assertLess(time.monotonic() - before, 5)
            time.sleep(0.05)
        self.assertEqual(errors, [libvirt.VIR_ERR_OPERATION_TIMEOUT] * 30)
        self.assertLess(time.monotonic() - start, 20)
        os.kill(qemu, signal.SIGCONT)
        self.check_png(self.take(domain)[1], 720, 400)
        wait_for("files closed", lambda: set(os.listdir(f"/proc/{qemu}/fd")) <= set(files))


class WithEvents(Consoles):
    """As virt-manager does it. Such connections are read by another thread,
    and libvirt's blocking streams have a race with that: it comes last."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=cls.turn_events, daemon=True).start()

    @staticmethod
    def turn_events():
        while True:
            libvirt.virEventRunDefaultImpl()

    def test_events_of_a_stream(self):
        """It never blocks, and is told when there is something."""
        domain = self.run_machine("evented")
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        seen = {"text": b"", "ended": False, "keys": b"abc"}

        def on_event(stream, events, _):
            if events & libvirt.VIR_STREAM_EVENT_READABLE:
                piece = stream.recv(1024)
                while piece not in (-2, b""):
                    seen["text"] += piece
                    piece = stream.recv(1024)
                if piece == b"":
                    seen["ended"] = True
                    stream.eventRemoveCallback()
                    return
            if events & libvirt.VIR_STREAM_EVENT_WRITABLE and seen["keys"]:
                sent = stream.send(seen["keys"])
                seen["keys"] = seen["keys"][sent:] if sent > 0 else seen["keys"]
                if not seen["keys"]:
                    stream.eventUpdateCallback(libvirt.VIR_STREAM_EVENT_READABLE)

        connection.lookupByName("evented").openConsole(None, stream, 0)
        stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE |
                                libvirt.VIR_STREAM_EVENT_WRITABLE, on_event, None)
        wait_for("the echo", lambda: seen["text"] == b"REEVE-BOOT\r\nabc")
        domain.destroy()
        wait_for("the end", lambda: seen["ended"])
        stream.finish()


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "qemu-system-x86_64", "virsh", "libvirtd", "unshare")
