# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The storage pool and its volumes, as virsh and python3-libvirt see them."""
import json
import os
import threading
import xml.etree.ElementTree as ElementTree

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import run

MIB = 1 << 20


class StorageCase(harness.TestCase):
    @property
    def images(self):
        return f"{self.reeved.root}/lib/images"

    def setUp(self):
        for name in os.listdir(self.images):
            os.unlink(f"{self.images}/{name}")

    def virsh(self, *words, **more):
        return run("virsh", "-q", "-c", self.reeved.unix_uri, *words, **more).stdout

    def refused(self, words, *command):
        done = run("virsh", "-q", "-c", self.reeved.unix_uri, *command, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(words, done.stderr)

    def info(self, name, *options):
        lines = self.virsh("vol-info", "--bytes", name, "default", *options)
        return dict(line.split(":", 1) for line in lines.splitlines() if line)

    def size(self, name):
        return os.stat(f"{self.images}/{name}").st_size


class Pool(StorageCase):
    def test_there_is_one_and_it_stays_the_same(self):
        rows = self.virsh("pool-list", "--all").split()
        self.assertEqual(rows, ["default", "active", "yes"])
        self.assertEqual(self.virsh("pool-list", "--inactive").split(), [])
        self.assertEqual(self.virsh("pool-list", "--type", "dir").split()[:1], ["default"])
        self.assertEqual(self.virsh("pool-list", "--type", "rbd").split(), [])
        uuid = self.virsh("pool-uuid", "default")
        self.reeved.stop()
        self.reeved.start()
        self.assertEqual(self.virsh("pool-uuid", "default"), uuid)
        self.assertEqual(self.virsh("pool-name", uuid.strip()), "default\n")

    def test_info_is_that_of_the_file_system(self):
        space = os.statvfs(self.images)
        info = self.virsh("pool-info", "default", "--bytes")
        self.assertIn("running", info)
        values = dict(line.split(":", 1) for line in info.splitlines() if line)
        self.assertEqual(int(values["Capacity"]), space.f_frsize * space.f_blocks)
        xml = ElementTree.fromstring(self.virsh("pool-dumpxml", "default"))
        self.assertEqual(xml.get("type"), "dir")
        self.assertEqual(xml.findtext("target/path"), self.images)
        self.virsh("pool-refresh", "default")

    def test_no_other_can_be_made(self):
        self.refused("not supported", "pool-define-as", "other", "dir",
                     "--target", self.directory)
        self.refused("not supported", "pool-destroy", "default")
        self.refused("not supported", "pool-undefine", "default")
        self.refused("no storage pool", "pool-info", "other")


class Volumes(StorageCase):
    def create(self, name, size, *options):
        self.virsh("vol-create-as", "default", name, size, *options)

    def test_raw_life(self):
        self.create("a", "3M")
        self.assertEqual(self.size("a"), 3 * MIB)
        self.assertEqual(self.virsh("vol-list", "default").split(),
                         ["a", f"{self.images}/a"])
        info = self.info("a")
        self.assertEqual(int(info["Capacity"].split()[0]), 3 * MIB)
        self.assertEqual(int(info["Allocation"].split()[0]), 0)
        self.assertEqual(self.virsh("vol-path", "a", "default"), f"{self.images}/a\n")
        self.assertEqual(self.virsh("vol-pool", f"{self.images}/a"), "default\n")
        self.virsh("vol-delete", "a", "default")
        self.assertEqual(os.listdir(self.images), [])

    def test_raw_with_space(self):
        self.create("a", "8M", "--allocation", "4M")
        self.assertGreaterEqual(int(self.info("a")["Allocation"].split()[0]), 4 * MIB)
        self.assertEqual(self.size("a"), 8 * MIB)

    def test_raw_resize(self):
        self.create("a", "2M")
        self.virsh("vol-resize", "a", "5M", "default")
        self.assertEqual(self.size("a"), 5 * MIB)
        self.virsh("vol-resize", "a", "1M", "default", "--delta")
        self.assertEqual(self.size("a"), 6 * MIB)
        self.refused("shrink", "vol-resize", "a", "1M", "default")
        self.virsh("vol-resize", "a", "1M", "default", "--shrink")
        self.assertEqual(self.size("a"), MIB)
        self.virsh("vol-resize", "a", "3M", "default", "--allocate")
        self.assertGreaterEqual(int(self.info("a")["Allocation"].split()[0]), 2 * MIB)

    def test_qcow2_life(self):
        self.create("base", "1G", "--format", "qcow2")
        self.create("top", "2G", "--format", "qcow2", "--backing-vol", "base",
                    "--backing-vol-format", "qcow2")
        image = json.loads(run("qemu-img", "info", "--output=json",
                               f"{self.images}/top").stdout)
        self.assertEqual(image["format"], "qcow2")
        self.assertEqual(image["virtual-size"], 2 << 30)
        self.assertEqual(image["backing-filename"], f"{self.images}/base")
        self.assertEqual(os.stat(f"{self.images}/top").st_mode & 0o777, 0o600)
        xml = ElementTree.fromstring(self.virsh("vol-dumpxml", "top", "default"))
        self.assertEqual(xml.find("target/format").get("type"), "qcow2")
        self.assertEqual(xml.findtext("capacity"), str(2 << 30))
        self.assertEqual(xml.findtext("backingStore/path"), f"{self.images}/base")
        self.virsh("vol-resize", "base", "3G", "default")
        self.assertEqual(int(self.info("base")["Capacity"].split()[0]), 3 << 30)
        self.assertEqual(int(self.info("top", "--physical")["Physical"].split()[0]),
                         self.size("top"))
        self.virsh("vol-delete", "top", "default")

    def test_what_is_no_volume_is_left_alone(self):
        os.mkdir(f"{self.images}/directory")
        self.addCleanup(os.rmdir, f"{self.images}/directory")
        secret = self.write("secret", "of somebody else")
        os.symlink(secret, f"{self.images}/link")
        os.mkfifo(f"{self.images}/fifo")
        with open(f"{self.images}/.hidden", "w", encoding="utf-8"):
            pass
        self.assertEqual(self.virsh("vol-list", "default").split(), [])
        for name in ("directory", "link", "fifo", ".hidden", "../secret", ".", "",
                     "absent"):
            path = self.path("out")
            for command in (("vol-info", name), ("vol-download", name, path),
                            ("vol-delete", name)):
                done = run("virsh", "-q", "-c", self.reeved.unix_uri, *command,
                           "--pool", "default", check=False)
                self.assertEqual(done.returncode, 1, (name, command))
        self.assertEqual(harness.read(secret), "of somebody else")

    def test_bad_creations(self):
        for name in "../x", "a/b", ".hidden", "x" * 201, "tab\there":
            self.refused("volume's name", "vol-create-as", "default", name, "1M")
        self.refused("'vmdk'", "vol-create-as", "default", "a", "1M", "--format", "vmdk")
        self.create("a", "1M")
        self.refused("exists already", "vol-create-as", "default", "a", "1M")
        self.refused("exists already", "vol-create-as", "default", "a", "1M",
                     "--format", "qcow2")
        outside = self.write("outside", "x" * 512)
        xml = self.write("vol.xml", f"""<volume><name>b</name><capacity>512</capacity>
            <target><format type='qcow2'/></target>
            <backingStore><path>{outside}</path><format type='raw'/></backingStore>
            </volume>""")
        self.refused("no storage vol", "vol-create", "default", xml)
        for text in ("<volume/>", "<volume><name>b</name></volume>", "<pool/>", "x",
                     "<volume><name>b</name><capacity>-1</capacity></volume>",
                     "<volume><name>b</name><capacity unit='x'>1</capacity></volume>",
                     "<volume><name>b</name><capacity>9e18</capacity></volume>"):
            self.refused("", "vol-create", "default", self.write("vol.xml", text))
        self.assertEqual(os.listdir(self.images), ["a"])

    def test_qemu_img_that_fails_leaves_nothing(self):
        self.refused("qemu-img failed", "vol-create-as", "default", "a",
                     str((1 << 63) - 512), "--format", "qcow2")
        self.assertEqual(os.listdir(self.images), [])

    def test_half_made_ones_are_gone_after_a_start(self):
        self.reeved.kill()
        with open(f"{self.images}/.new-a", "w", encoding="utf-8"):
            pass
        self.reeved.start()
        self.assertEqual(os.listdir(self.images), [])

    def test_old_calls(self):
        self.create("b", "1M")
        self.create("a", "1M")
        with_connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(with_connection.close)
        self.assertEqual(with_connection.numOfStoragePools(), 1)
        self.assertEqual(with_connection.listStoragePools(), ["default"])
        self.assertEqual(with_connection.listDefinedStoragePools(), [])
        pool = with_connection.storagePoolLookupByTargetPath(self.images)
        self.assertEqual(pool.numOfVolumes(), 2)
        self.assertEqual(pool.listVolumes(), ["a", "b"])
        volume = with_connection.storageVolLookupByKey(f"{self.images}/a")
        self.assertEqual(volume.name(), "a")
        self.assertEqual(volume.storagePoolLookupByVolume().name(), "default")
        with self.assertRaises(libvirt.libvirtError) as failure:
            pool.storageVolLookupByName("c")
        self.assertEqual(failure.exception.get_error_code(),
                         libvirt.VIR_ERR_NO_STORAGE_VOL)
        self.assertEqual(failure.exception.get_error_domain(), libvirt.VIR_FROM_STORAGE)

    def test_one_name_at_once_has_one_winner(self):
        """Of many who make the same volume at the same time one succeeds."""
        results = []

        def create():
            results.append(run("virsh", "-q", "-c", self.reeved.unix_uri,
                               "vol-create-as", "default", "a", "1M", "--format",
                               "qcow2", check=False).returncode)

        threads = [threading.Thread(target=create) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results), [0, 1, 1, 1, 1, 1])
        self.assertEqual(os.listdir(self.images), ["a"])

    def test_what_a_machine_uses_stays(self):
        """Its disk, by whatever path, and what that is based on; while it runs."""
        self.create("base", "1M", "--format", "qcow2")
        self.create("top", "1M", "--format", "qcow2", "--backing-vol", "base",
                    "--backing-vol-format", "qcow2")
        self.create("other", "1M")
        link = self.path("by-another-path")
        os.symlink(f"{self.images}/top", link)
        self.addCleanup(os.unlink, link)
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        machine = connection.defineXML(
            harness.machine_xml("user", disk=link).replace("type='raw'", "type='qcow2'"))
        self.addCleanup(machine.undefine)
        machine.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        pool = connection.storagePoolLookupByName("default")
        for name in "top", "base":
            with self.subTest(name), self.assertRaises(libvirt.libvirtError) as failure:
                pool.storageVolLookupByName(name).delete()
            self.assertEqual(failure.exception.get_error_code(),
                             libvirt.VIR_ERR_OPERATION_INVALID)
            self.assertIn(f"volume '{name}' is in use", str(failure.exception))
        pool.storageVolLookupByName("other").delete()
        self.assertEqual(sorted(os.listdir(self.images)), ["base", "top"])
        machine.destroy()
        for name in "top", "base":
            pool.storageVolLookupByName(name).delete()
        self.assertEqual(os.listdir(self.images), [])

    def test_read_only_sees_and_changes_nothing(self):
        self.create("a", "1M")
        uri = self.reeved.read_only_uri
        run("virsh", "-c", uri, "-r", "vol-info", "a", "default")
        for command in (("vol-delete", "a"), ("vol-resize", "a", "2M"),
                        ("vol-upload", "a", "/dev/null"),
                        ("vol-download", "a", self.path("out"))):
            done = run("virsh", "-c", uri, *command, "--pool", "default", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("read only", done.stderr)


if __name__ == "__main__":
    if libvirt is not None:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "virsh", "qemu-img", "qemu-system-x86_64")
