# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes go up and down through data streams, by the stock clients."""
import os
import random
import subprocess

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import run, wait_for

MIB = 1 << 20
SIZE = 64 * MIB
WINDOW_KIB = 1024
SPARSE = 1


def pattern(size, seed=1):
    """Bytes that are the same at no two places of a frame."""
    return random.Random(seed).randbytes(size)


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def write_sparse(path, size, extents):
    """A file of holes but for the extents {offset: data}."""
    with open(path, "wb") as file:
        file.truncate(size)
        for offset, data in extents.items():
            file.seek(offset)
            file.write(data)
    return path


def disk_usage(path):
    return os.stat(path).st_blocks * 512


class StreamCase(harness.TestCase):
    config = f"[server]\nmax_client_stream_bytes = {WINDOW_KIB * 1024}\n"

    @property
    def images(self):
        return f"{self.reeved.root}/lib/images"

    def setUp(self):
        for name in os.listdir(self.images):
            os.unlink(f"{self.images}/{name}")

    def make_volume(self, name, data=b"", size=None):
        path = write_file(f"{self.images}/{name}", data)
        if size is not None:
            os.truncate(path, size)
        return path

    def rss_kib(self):
        status = harness.read(f"/proc/{self.reeved.process.pid}/status")
        return int(status.split("VmRSS:")[1].split()[0])


class Basics:
    """Command lines; a subclass says whose, in command()."""

    def command(self, *words, **more):
        return run(*self.program, *words, **more)

    def test_up_and_down(self):
        source = write_file(self.path("source"), pattern(SIZE))
        volume = self.make_volume("v", size=SIZE)
        self.command("vol-upload", "v", source, "default")
        self.assertTrue(read_file(volume) == read_file(source))
        self.command("vol-download", "v", self.path("copy"), "default")
        self.assertTrue(read_file(self.path("copy")) == read_file(source))

    def test_parts(self):
        data = pattern(3 * MIB)
        volume = self.make_volume("v", data)
        self.command("vol-download", "v", self.path("part"), "default",
                   "--offset", "1000001", "--length", "1000003")
        self.assertTrue(read_file(self.path("part")) == data[1000001:2000004])
        self.command("vol-download", "v", self.path("rest"), "default",
                   "--offset", str(3 * MIB - 7))
        self.assertEqual(read_file(self.path("rest")), data[-7:])
        self.command("vol-download", "v", self.path("none"), "default",
                   "--offset", str(4 * MIB))
        self.assertEqual(read_file(self.path("none")), b"")
        part = write_file(self.path("new"), b"x" * 100)
        self.command("vol-upload", "v", part, "default", "--offset", "500", "--length", "100")
        self.assertTrue(read_file(volume) == data[:500] + b"x" * 100 + data[600:])

    def test_sparse_part(self):
        extents = {3 * MIB: pattern(MIB), 6 * MIB: pattern(MIB, 2)}
        volume = write_sparse(self.make_volume("v"), 9 * MIB, extents)
        self.command("vol-download", "v", self.path("part"), "default", "--sparse",
                   "--offset", str(MIB), "--length", str(5 * MIB + 100))
        self.assertTrue(read_file(self.path("part"))
                        == read_file(volume)[MIB:6 * MIB + 100])

    def test_sparse_shapes(self):
        shapes = {
            "empty": (0, {}),
            "hole": (9 * MIB, {}),
            "data": (MIB, {0: pattern(MIB)}),
            "data-hole": (9 * MIB, {0: pattern(MIB)}),
            "hole-data": (9 * MIB, {8 * MIB: pattern(MIB)}),
        }
        for name, (size, extents) in shapes.items():
            with self.subTest(name):
                volume = self.make_volume(name)
                write_sparse(volume, size, extents)
                copy = self.path(name)
                self.command("vol-download", name, copy, "default", "--sparse")
                self.assertTrue(read_file(copy) == read_file(volume))
                os.truncate(volume, 0)
                self.command("vol-upload", name, copy, "default", "--sparse")
                self.assertTrue(read_file(copy) == read_file(volume))


class Commands(Basics):
    """And what is ours in the server."""

    def test_more_than_was_said_is_refused(self):
        volume = self.make_volume("v", b"\0" * 1000)
        source = write_file(self.path("source"), b"x" * 200)
        done = self.command("vol-upload", "v", source, "default", "--length", "100",
                          check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("more is sent", done.stderr)
        self.assertEqual(read_file(volume)[100:], b"\0" * 900)
        self.command("vol-info", "v", "default")

    def test_sparse_up_and_down(self):
        extents = {0: pattern(MIB), 20 * MIB: pattern(3 * MIB, 2), 50 * MIB: b"end"}
        source = write_sparse(self.path("source"), SIZE, extents)
        volume = self.make_volume("v", b"\xff" * (30 * MIB))
        self.command("vol-upload", "v", source, "default", "--sparse")
        self.assertTrue(read_file(volume) == read_file(source))
        self.assertLess(disk_usage(volume), 5 * MIB)
        self.command("vol-download", "v", self.path("copy"), "default", "--sparse")
        self.assertTrue(read_file(self.path("copy")) == read_file(source))
        self.assertLess(disk_usage(self.path("copy")), 5 * MIB)

    def test_a_client_that_dies_leaves_the_volume_free(self):
        self.make_volume("v", size=MIB)
        fifo = self.path(f"fifo-{type(self).__name__}")
        os.mkfifo(fifo)
        client = subprocess.Popen(
            [*self.program, "vol-upload", "v", fifo, "default"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(fifo, "wb") as file:
            file.write(pattern(MIB))
            file.flush()
            wait_for("a volume in use", lambda: "in use" in self.command(
                "vol-resize", "v", "1M", "default", check=False).stderr)
            client.kill()
            client.wait()
        wait_for("a free volume", lambda: self.command(
            "vol-resize", "v", "1M", "default", check=False).returncode == 0)


class Virsh(Commands, StreamCase):
    @property
    def program(self):
        return ["virsh", "-q", "-c", self.reeved.unix_uri]


class VirshTcp(Basics, StreamCase):
    @property
    def program(self):
        return ["virsh", "-q", "-c", self.reeved.tcp_uri]


class Reeve(Commands, StreamCase):
    @property
    def program(self):
        return [harness.REEVE, "-q", "-c", self.reeved.shell_uri]

    def test_through_pipes(self):
        """A file that is no file has no holes, but the same bytes."""
        data = pattern(MIB) + b"\0" * MIB + b"end"
        source = write_file(self.path("source"), data)
        volume = self.make_volume("v", b"\xff" * (3 * MIB))
        up, down = (f"{' '.join(self.program)} vol-{which}load v - default --sparse"
                    for which in ("up", "down"))
        run("sh", "-c", f"cat {source} | {up}")
        self.assertTrue(read_file(volume)[:len(data)] == data)
        write_sparse(volume, 3 * MIB, {2 * MIB: b"end"})
        run("sh", "-c", f"{down} | cat >{self.path('copy')}")
        self.assertTrue(read_file(self.path("copy")) == read_file(volume))

    def test_volume_that_is_not_there_leaves_the_file_alone(self):
        path = write_file(self.path("kept"), b"kept")
        done = self.command("vol-download", "absent", path, "default", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(read_file(path), b"kept")

    def test_file_that_cannot_be_written(self):
        self.make_volume("v", pattern(5 * MIB))
        done = self.command("vol-download", "v", "/dev/full", "default", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_volumes_without_virsh(self):
        self.command("vol-create-as", "default", "a", "2M")
        self.command("vol-create-as", "default", "b", "1G", "--format", "qcow2",
                     "--allocation", "0")
        self.command("vol-create-as", "default", "c", "1G", "--format", "qcow2",
                     "--backing-vol", "b", "--backing-vol-format", "qcow2")
        self.command("vol-resize", "a", "3M", "default")
        rows = self.command("vol-list", "default", "--details").stdout
        for words in ("a", f"{self.images}/b", "1.0 GiB", "3.0 MiB"):
            self.assertIn(words, rows)
        self.assertIn("3145728", self.command("vol-info", "a", "default",
                                              "--bytes").stdout)
        self.assertEqual(self.command("vol-path", "c", "default").stdout,
                         f"{self.images}/c\n")
        self.assertIn("running", self.command("pool-list").stdout)
        for name in "abc":
            self.command("vol-delete", f"{self.images}/{name}")
        self.assertEqual(os.listdir(self.images), [])


class ReeveWithLibvirtd(Basics, harness.TestCase):
    """Our shell with the server that the protocol is from."""

    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.path("images")
        os.mkdir(cls.images)
        cls.libvirtd = harness.Libvirtd(cls.directory).start()
        cls.addClassCleanup(cls.libvirtd.stop)
        for command in (("pool-define-as", "default", "dir", "--target", cls.images),
                        ("pool-start", "default")):
            run("virsh", "-q", "-c", cls.libvirtd.qemu_uri, *command)

    def setUp(self):
        for name in os.listdir(self.images):
            os.unlink(f"{self.images}/{name}")

    @property
    def program(self):
        return [harness.REEVE, "-q", "-c", self.libvirtd.qemu_uri]

    def make_volume(self, name, data=b"", size=None):
        path = write_file(f"{self.images}/{name}", data)
        if size is not None:
            os.truncate(path, size)
        run("virsh", "-q", "-c", self.libvirtd.qemu_uri, "pool-refresh", "default")
        return path

    def test_error_in_the_middle(self):
        self.make_volume("v", b"\0" * 1000)
        source = write_file(self.path("source"), pattern(5 * MIB))
        done = self.command("vol-upload", "v", source, "default", "--length", "100",
                            check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)


class Program(StreamCase):
    """What a program does by libvirt's library."""

    def setUp(self):
        super().setUp()
        self.connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(self.connection.close)
        self.pool = self.connection.storagePoolLookupByName("default")

    def volume(self, name):
        return self.pool.storageVolLookupByName(name)

    def open_download(self, name, flags=0):
        stream = self.connection.newStream()
        self.volume(name).download(stream, 0, 0, flags)
        return stream

    def open_upload(self, name, length=0, flags=0):
        stream = self.connection.newStream()
        self.volume(name).upload(stream, 0, length, flags)
        return stream

    def receive(self, stream, size=262120):
        parts = []
        while True:
            part = stream.recv(size)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def send(self, stream, data):
        view = memoryview(data)
        while view:
            view = view[stream.send(bytes(view[:262120])):]

    def check_alive(self):
        self.assertEqual(self.connection.getHostname(), os.uname().nodename)

    def test_receive_and_send(self):
        data = pattern(7 * MIB + 1)
        volume = self.make_volume("v", data)
        stream = self.open_download("v")
        self.assertTrue(self.receive(stream) == data)
        stream.finish()
        stream = self.open_upload("v")
        self.send(stream, data[::-1])
        stream.finish()
        self.assertTrue(read_file(volume) == data[::-1])

    def test_odd_sizes(self):
        data = pattern(100003)
        volume = self.make_volume("v", data)
        stream = self.open_download("v")
        self.assertTrue(self.receive(stream, 7) == data)
        stream.finish()
        stream = self.open_upload("v")
        for i in range(0, len(data), 11):
            self.send(stream, data[i:i + 11][::-1])
        stream.finish()
        self.assertEqual(len(read_file(volume)), len(data))

    def test_all(self):
        data = pattern(3 * MIB)
        volume = self.make_volume("v", data)
        got = []
        stream = self.open_download("v")
        stream.recvAll(lambda _, part, parts: parts.append(part), got)
        stream.finish()
        self.assertTrue(b"".join(got) == data)
        position = [0]

        def give(_, size, position):
            part = data[::-1][position[0]:position[0] + size]
            position[0] += len(part)
            return part

        stream = self.open_upload("v")
        stream.sendAll(give, position)
        stream.finish()
        self.assertTrue(read_file(volume) == data[::-1])

    def test_sparse_calls(self):
        volume = write_sparse(f"{self.images}/v", 5 * MIB, {2 * MIB: pattern(MIB)})
        copy = open(self.path("copy"), "w+b")
        self.addCleanup(copy.close)
        stream = self.open_download("v", SPARSE)
        stream.sparseRecvAll(lambda _, part, file: file.write(part),
                             lambda _, length, file: file.truncate(
                                 file.seek(length, os.SEEK_CUR)) and 0, copy)
        stream.finish()
        copy.flush()
        self.assertTrue(read_file(self.path("copy")) == read_file(volume))

        stream = self.open_upload("v", 0, SPARSE)
        stream.sendHole(MIB)
        self.send(stream, b"x" * MIB)
        stream.sendHole(2 * MIB)
        stream.finish()
        self.assertTrue(read_file(volume) == b"\0" * MIB + b"x" * MIB + b"\0" * 3 * MIB)

    def test_hole_that_was_not_asked_for_is_the_end(self):
        self.make_volume("v", size=MIB)
        stream = self.open_upload("v")
        with self.assertRaises(libvirt.libvirtError):
            stream.sendHole(100)
            stream.finish()

    def test_abort(self):
        data = pattern(SIZE)
        self.make_volume("v", data)
        for _ in range(20):
            stream = self.open_download("v")
            self.assertTrue(stream.recv(1000) == data[:1000])
            stream.abort()
            self.check_alive()
            stream = self.open_upload("v")
            self.send(stream, data[:300000])
            stream.abort()
            self.check_alive()

    def test_error_in_the_middle(self):
        self.make_volume("v", size=MIB)
        stream = self.open_upload("v", 1000)
        with self.assertRaises(libvirt.libvirtError) as failure:
            while True:
                self.send(stream, b"x" * 300)
        self.assertIn("more is sent", str(failure.exception))
        self.check_alive()

    def test_what_is_in_use_is_not_disturbed(self):
        self.make_volume("v", size=MIB)
        upload = self.open_upload("v")
        for action in (lambda: self.volume("v").delete(),
                       lambda: self.open_upload("v"), lambda: self.open_download("v")):
            with self.assertRaises(libvirt.libvirtError) as failure:
                action()
            self.assertEqual(failure.exception.get_error_code(),
                             libvirt.VIR_ERR_OPERATION_INVALID)
        upload.finish()
        first, second = self.open_download("v"), self.open_download("v")
        first.abort()
        second.abort()
        self.volume("v").delete()

    def test_calls_and_streams_side_by_side(self):
        data = [pattern(5 * MIB, seed) for seed in range(4)]
        for i in range(4):
            self.make_volume(f"v{i}", data[i])
        self.make_volume("up", size=MIB)
        streams = [self.open_download(f"v{i}") for i in range(4)]
        upload = self.open_upload("up")
        got = [[] for _ in streams]
        while streams != [None] * 4:
            for i in range(4):
                if streams[i] is None:
                    continue
                part = streams[i].recv(200000)
                got[i].append(part)
                if not part:
                    streams[i].finish()
                    streams[i] = None
            self.send(upload, b"y" * 50000)
            self.check_alive()
        upload.finish()
        for i in range(4):
            self.assertTrue(b"".join(got[i]) == data[i])

    def test_slow_readers_hold_a_window_each(self):
        self.make_volume("v", pattern(SIZE))
        before = self.rss_kib()
        streams = [self.open_download("v") for _ in range(8)]
        for stream in streams:
            self.assertEqual(len(stream.recv(100)), 100)
        self.check_alive()
        if not harness.SANITIZED:
            self.assertLess(self.rss_kib() - before, 8 * (WINDOW_KIB + 512))
        for stream in streams:
            stream.abort()

    def test_one_too_many_is_refused(self):
        self.make_volume("v", size=MIB)
        streams = [self.open_download("v") for _ in range(16)]
        with self.assertRaises(libvirt.libvirtError) as failure:
            self.open_download("v")
        self.assertIn("streams", str(failure.exception))
        for stream in streams:
            stream.abort()
        self.open_download("v").abort()


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "virsh")
