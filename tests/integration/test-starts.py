# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many machines start, a few of them at a time."""
import json
import os
import shutil
import threading

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

    def define(self, n_machines):
        names = [f"m{number}" for number in range(n_machines)]
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
        names = self.define(LIMIT + 2)
        for name in names:
            self.reader.lookupByName(name).setAutostart(1)
        self.reeved.stop()
        os.unlink(f"{self.reeved.root}/run/machines/autostarted")
        self.reeved.start()
        self.reader = self.connect()
        wait_for_value((LIMIT, 2), self.counts)
        wait_for_value(LIMIT, lambda: len(self.begun()))
        self.write("go", "")
        wait_for("all of them", lambda: set(self.states(names)) == {libvirt.VIR_DOMAIN_RUNNING})

    def test_while_another_daemon_takes_over(self):
        """It waits until all have started, and no call fails."""
        names = self.define(LIMIT + 2)
        self.start(*names)
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


if __name__ == "__main__":
    harness.main("libvirt-python", "qemu-system-x86_64")
