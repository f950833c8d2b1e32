# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many machines start, a few of them at a time; and what is known of emulators before."""
import json
import os
import shutil
import signal
import threading
import time

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVE, REEVED, WAIT_S, run, wait_for, wait_for_value

LIMIT = 3
N_MACHINES = 20


class Starts(harness.TestCase):
    """Each emulator waits until it may go on, alone or with all others."""

    config = (f"[machines]\nmax_starting = {LIMIT}\n"
              "[server]\ncall_timeout = 100\n")

    def setUp(self):
        for name in os.listdir(self.directory):
            if name == "begun" or name.startswith("go"):
                os.unlink(self.path(name))
        self.emulator = self.write("emulator", f"""#!/bin/sh
            qemu={shutil.which("qemu-system-x86_64")}
            [ "$1" = -name ] || exec $qemu "$@"
            name=${{2#guest=}}
            name=${{name%%,*}}
            echo $name >>{self.path("begun")}
            while [ ! -e {self.path("go")} ] && [ ! -e {self.path("go-")}$name ]; do
              sleep 0.02
            done
            exec $qemu "$@"
            """)
        os.chmod(self.emulator, 0o755)
        self.reader = self.connect()
        self.threads = []
        self.failures = {}

    def tearDown(self):
        self.write("go", "")
        for thread in self.threads:
            thread.join(WAIT_S)
        for domain in self.reader.listAllDomains():
            if domain.isActive():
                domain.destroy()
            domain.undefine()
        self.assertEqual(harness.qemus(), {})

    def connect(self):
        connection = libvirt.open(self.reeved.unix_uri)
        self.addCleanup(connection.close)
        return connection

    def define(self, n_machines, first=0):
        names = [f"m{number}" for number in range(first, first + n_machines)]
        for name in names:
            self.reader.defineXML(harness.machine_xml(
                name, extra=f"<emulator>{self.emulator}</emulator>"))
        return names

    def start(self, *names):
        """By a connection for each: in libvirt's client a call may wait for that of another
        thread, when both share one."""

        def run_start(connection, name):
            try:
                connection.lookupByName(name).create()
            except libvirt.libvirtError as error:
                self.failures[name] = error.get_error_code()

        for name in names:
            self.threads.append(threading.Thread(target=run_start, args=(self.connect(), name)))
            self.threads[-1].start()

    def boot(self, n_machines):
        """A daemon starts, the first one since the host has; its machines do so by themselves."""
        names = self.define(n_machines)
        for name in names:
            self.reader.lookupByName(name).setAutostart(1)
        self.reeved.stop()
        os.unlink(f"{self.reeved.root}/run/machines/autostarted")
        self.start_reeved()
        return names

    def start_reeved(self):
        self.reeved.start()
        self.reader = self.connect()

    def pid(self, name):
        uuid = self.reader.lookupByName(name).UUIDString()
        return int(harness.read(f"{self.reeved.root}/run/machines/{uuid}/pid"))

    def marks(self):
        return os.listdir(f"{self.reeved.root}/run/machines/autostart")

    def counts(self):
        """Those that start, and those that wait."""
        counters = json.loads(run(
            REEVE, "-c", f"unix:{self.reeved.socket}", "--json", "srv-metrics",
            "reeved").stdout)[0]["counters"]
        self.assertLessEqual(counters["machines_starting_max"], LIMIT)
        return counters["machines_starting"], counters["machines_waiting_to_start"]

    def begun(self):
        return harness.read(self.path("begun")).split()

    def states(self, names):
        return [self.reader.lookupByName(name).state()[0] for name in names]

    def join(self):
        for thread in self.threads:
            thread.join(WAIT_S)
            self.assertFalse(thread.is_alive())

    def test_twenty_at_once(self):
        names = self.define(N_MACHINES)
        self.start(*names)
        wait_for_value((LIMIT, N_MACHINES - LIMIT), self.counts)
        wait_for_value(LIMIT, lambda: len(self.begun()))
        # the others are not on, and whoever looks at them is answered
        self.assertEqual(len(self.reader.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)),
                         LIMIT)
        self.assertEqual(self.states(names).count(libvirt.VIR_DOMAIN_SHUTOFF),
                         N_MACHINES - LIMIT)
        # one gets ready, one begins
        self.write(f"go-{self.begun()[0]}", "")
        wait_for_value((LIMIT, N_MACHINES - LIMIT - 1), self.counts)
        wait_for_value(LIMIT + 1, lambda: len(self.begun()))
        self.write("go", "")
        self.join()
        self.assertEqual(self.failures, {})
        self.assertEqual(set(self.states(names)), {libvirt.VIR_DOMAIN_RUNNING})
        self.assertEqual(sorted(self.begun()), sorted(names))
        self.assertEqual(self.counts(), (0, 0))

    def test_in_their_order(self):
        names = self.define(LIMIT + 4)
        for number, name in enumerate(names):
            self.start(name)
            wait_for_value((min(number + 1, LIMIT), max(number + 1 - LIMIT, 0)), self.counts)
        # one that waits is let off, by somebody else
        dropped = names.pop(LIMIT + 1)
        self.connect().lookupByName(dropped).destroy()
        wait_for_value({dropped: libvirt.VIR_ERR_OPERATION_ABORTED}, lambda: self.failures)
        for number, name in enumerate(names[LIMIT:]):
            self.write(f"go-{names[number]}", "")
            wait_for_value(LIMIT + number + 1, lambda: len(self.begun()))
            self.assertEqual(self.begun()[-1], name)
        self.write("go", "")
        self.join()
        self.assertEqual(list(self.failures), [dropped])
        self.assertEqual(set(self.states(names)), {libvirt.VIR_DOMAIN_RUNNING})
        self.assertEqual(self.states([dropped]), [libvirt.VIR_DOMAIN_SHUTOFF])

    def test_at_the_start_of_the_daemon(self):
        names = self.boot(LIMIT + 2)
        wait_for_value((LIMIT, 2), self.counts)
        wait_for_value(LIMIT, lambda: len(self.begun()))
        self.write("go", "")
        wait_for("all of them", lambda: set(self.states(names)) == {libvirt.VIR_DOMAIN_RUNNING})

    def check_next_daemon(self, end):
        """Each starts once: those that came to it, whatever happened to them since, and one
        that waited when the daemon ended."""
        names = self.boot(LIMIT + 3)
        stopped, ran, began, *_, waits = names
        ended = [stopped, ran, began]
        for number, name in enumerate((stopped, ran)):
            wait_for_value(LIMIT + number, lambda: len(self.begun()))
            self.write(f"go-{name}", "")
            wait_for_value([libvirt.VIR_DOMAIN_RUNNING], lambda: self.states([name]))
        self.reader.lookupByName(stopped).destroy()
        wait_for_value(LIMIT + 2, lambda: len(self.begun()))
        self.assertNotIn(waits, self.begun())
        pids = [self.pid(name) for name in (ran, began)]
        end()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.start_reeved()
        wait_for_value(len(names), lambda: len(self.begun()))
        self.write("go", "")
        wait_for("those that did not end",
                 lambda: set(self.states(names[3:])) == {libvirt.VIR_DOMAIN_RUNNING})
        wait_for_value([], self.marks)
        self.reader.lookupByName(waits).destroy()
        ended.append(waits)
        end()
        self.start_reeved()
        self.assertEqual(set(self.states(ended)), {libvirt.VIR_DOMAIN_SHUTOFF})
        self.assertEqual(sorted(self.begun()), names)

    def test_the_next_daemon_starts_the_rest(self):
        self.check_next_daemon(self.reeved.stop)

    def test_the_next_daemon_starts_the_rest_after_a_crash(self):
        self.check_next_daemon(self.reeved.kill)

    def test_while_another_daemon_takes_over(self):
        """It waits until all have started, and no call fails."""
        names = self.boot(LIMIT + 1)
        names += self.define(1, len(names))
        self.start(names[-1])
        wait_for_value((LIMIT, 2), self.counts)
        new = harness.Reeved(self.directory, self.config)
        new.log_path = self.path("new.log")
        new.words = [REEVED, *new.words[1:], "--takeover"]
        new.spawn()
        self.write("go", "")
        self.join()
        self.assertEqual(self.failures, {})
        wait_for("the new one", lambda: "is ready" in new.log())
        self.assertEqual(self.reeved.process.wait(WAIT_S), 0)
        type(self).reeved = new
        self.assertEqual(set(self.states(names)), {libvirt.VIR_DOMAIN_RUNNING})
        self.assertEqual(self.marks(), [])
        self.assertEqual(sorted(self.begun()), names)


class Emulators(harness.TestCase):
    """What an emulator can do is asked once, and nobody but who wants to know waits for it."""

    with_reeved = False

    def setUp(self):
        self.root = self.path(self.id())
        os.mkdir(self.root)
        self.runs = f"{self.root}/runs"
        self.emulator = self.write(f"{self.root}/emulator", f"""#!/bin/sh
            echo "$1" >>{self.runs}
            while [ -e {self.root}/hang ]; do sleep 0.05; done
            [ ! -e {self.root}/fail ] || exit 1
            exec {shutil.which("qemu-system-x86_64")} "$@"
            """)
        os.chmod(self.emulator, 0o755)

    def count_runs(self):
        return len(harness.read(self.runs).split())

    def ask(self, reeved):
        return run("virsh", "-c", reeved.unix_uri, "domcapabilities", "--emulatorbin",
                   self.emulator).stdout

    def admin(self, reeved, command):
        return json.loads(run(REEVE, "-c", f"unix:{reeved.admin_socket}", "--json", command,
                              "reeved").stdout)

    def workers(self, reeved):
        return self.admin(reeved, "srv-threadpool-info")

    def is_idle(self, reeved):
        workers = self.workers(reeved)
        return workers["free_workers"] == workers["n_workers"] and workers["job_queue_depth"] == 0

    def test_the_next_daemon_knows(self):
        reeved = harness.Reeved(self.root).start()
        told = self.ask(reeved)
        self.assertIn(self.emulator, told)
        n_runs = self.count_runs()
        self.assertGreater(n_runs, 0)
        reeved.stop()
        reeved.start()
        self.assertEqual(self.ask(reeved), told)
        self.assertEqual(self.count_runs(), n_runs)
        # another binary of that name
        shutil.copy(self.emulator, f"{self.root}/other")
        os.rename(f"{self.root}/other", self.emulator)
        self.assertEqual(self.ask(reeved), told)
        self.assertEqual(self.count_runs(), 2 * n_runs)
        reeved.stop()

    def test_one_that_hangs_delays_nobody(self):
        """Not even if it is the one that is used when a definition names none."""
        hang = self.write(f"{self.root}/hang", "")
        reeved = harness.Reeved(self.root)
        if run("unshare", "-m", "true", check=False).returncode == 0:
            reeved.words = [
                "unshare", "-m", "sh", "-c",
                'mount --bind "$0" /usr/bin/qemu-system-x86_64 && exec "$@"',
                self.emulator, *reeved.words]
        folder = f"{reeved.root}/lib/machines"
        os.makedirs(folder, mode=0o700)
        for name in ("a", "b"):
            self.write(f"{folder}/{name}.xml", harness.machine_xml(
                name, uuid=f"00000000-0000-4000-8000-00000000000{name}",
                extra=f"<emulator>{self.emulator}</emulator>"))
        reeved.start()
        self.assertEqual(self.count_runs(), 0)
        # while somebody waits for it
        client = harness.spawn("virsh", "-c", reeved.unix_uri, "domcapabilities",
                               "--emulatorbin", self.emulator)
        wait_for("a question", lambda: self.count_runs() > 0)
        names = run("virsh", "-c", reeved.unix_uri, "list", "--all", "--name").stdout.split()
        self.assertEqual(names, ["a", "b"])
        self.assertIsNone(client.poll())
        self.write(f"{self.root}/fail", "")
        os.unlink(hang)
        self.assertNotEqual(client.wait(WAIT_S), 0)
        reeved.stop()

    def test_autodestroy_outlives_no_client(self):
        """One that goes away while its call still asks the emulator."""
        reeved = harness.Reeved(self.root).start()
        hang = self.write(f"{self.root}/hang", "")
        xml = self.write(f"{self.root}/m.xml", harness.machine_xml(
            "m", extra=f"<emulator>{self.emulator}</emulator>"))
        client = harness.spawn("virsh", "-c", reeved.unix_uri, "create", "--autodestroy", xml)
        wait_for("a question", lambda: self.count_runs() > 0)
        client.kill()
        client.wait()
        wait_for_value([], lambda: self.admin(reeved, "client-list"))
        os.unlink(hang)
        wait_for("the end of the call", lambda: self.is_idle(reeved))
        self.assertEqual(run("virsh", "-c", reeved.unix_uri, "list", "--all", "--name").stdout,
                         "\n")
        self.assertEqual(harness.qemus(), {})
        reeved.stop()

    def destroy_while_others_define(self, reeved):
        """Whether that waited for none of those; they wait for 10 s at most."""
        well = self.write(f"{self.root}/well.xml", harness.machine_xml("well"))
        run("virsh", "-c", reeved.unix_uri, "create", well)
        hang = self.write(f"{self.root}/hang", "")
        emulator = shutil.copy(self.emulator, f"{self.root}/{time.monotonic_ns()}")
        xml = self.write(f"{self.root}/m.xml", harness.machine_xml(
            "m", uuid="00000000-0000-4000-8000-000000000001",
            extra=f"<emulator>{emulator}</emulator>"))
        clients = [harness.spawn("virsh", "-c", reeved.unix_uri, "define", xml)
                   for _ in range(6)]
        # more than there are workers of both kinds
        wait_for("all workers", lambda: self.workers(reeved)["free_workers"] == 0)
        wait_for("calls that wait for one", lambda: self.workers(reeved)["job_queue_depth"] >= 3)
        run("virsh", "-c", reeved.unix_uri, "destroy", "well")
        all_wait = all(client.poll() is None for client in clients)
        os.unlink(hang)
        for client in clients:
            client.wait(WAIT_S)
        return all_wait

    def test_a_destroy_waits_for_none(self):
        """However many define machines of an emulator that hangs."""
        reeved = harness.Reeved(
            self.root,
            "[server]\nmin_workers = 2\nmax_workers = 2\npriority_workers = 1\n").start()
        # a host that is busy is given another chance
        self.assertTrue(any(self.destroy_while_others_define(reeved) for _ in range(3)))
        self.assertEqual(harness.qemus(), {})
        reeved.stop()


if __name__ == "__main__":
    harness.main("libvirt-python", "virsh", "qemu-system-x86_64")
