# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections come back when the daemon is killed and started again."""
import json
import os
import signal
import subprocess

import harness
from harness import wait_for

KILLS = 5
LOAD_CLIENTS = 4
LOAD_CALLS = 1500


class Reconnect(harness.TestCase):
    def reeve(self, *words, check=True):
        return harness.run(harness.REEVE, "-c", self.reeved.shell_uri, *words, check=check)

    def setUp(self):
        self.reeve("define", self.write("web.xml", self.boot_xml("web")))
        self.reeve("start", "web")
        self.wait_serial("web", "REEVE-BOOT")
        self.qemus = harness.qemus()

    def tearDown(self):
        self.reeve("destroy", "web", check=False)
        self.reeve("undefine", "web")

    def restart(self):
        self.reeved.kill()
        self.reeved.start()

    def watch(self, name="event"):
        """An `event --loop` that is registered."""
        talk = harness.Talk(self, name, "--json", "event", "--loop")
        self.addCleanup(talk.stop)

        def is_seen():
            self.reeve("desc", "web", "--title", "a title")
            return any(line.get("event") == "metadata-change" for line in talk.lines())

        wait_for("a first event", is_seen)
        return talk

    def wait_for_line(self, talk, what, count=1):
        wait_for(f"{count} × {what}", lambda: len(
            [line for line in talk.lines() if what.items() <= line.items()]) >= count)

    def test_events_go_on_after_a_kill(self):
        talk = self.watch()
        for number in range(KILLS):
            self.restart()
            # a new daemon does not know what the old one told
            self.wait_for_line(talk, {"connection": "restored", "is_complete": False},
                               number + 1)
            before = len(talk.lines())
            self.reeve("suspend", "web")
            self.reeve("resume", "web")
            wait_for("both events", lambda: len(talk.lines()) >= before + 2)
            self.assertEqual(
                [(line["event"], line["machine"]) for line in talk.lines()[before:]],
                [("lifecycle", "web")] * 2)
            self.assertEqual(harness.qemus(), self.qemus)
        self.assertEqual(
            len([line for line in talk.lines() if line.get("connection") == "lost"]), KILLS)
        self.assertIsNone(talk.process.poll())

    def disconnect(self, pid):
        """Ends the connection of a client, by the daemon."""
        rows = json.loads(self.reeve("--json", "client-list", "reeved").stdout)
        for row in rows:
            text = self.reeve("client-info", "reeved", str(row["id"])).stdout
            if str(pid) in text.split():
                self.reeve("client-disconnect", "reeved", str(row["id"]))
                return
        self.fail(f"no client of {pid} in {rows}")

    def test_what_was_missed_is_listed_once(self):
        talk = self.watch()
        before = len(talk.lines())
        os.kill(talk.process.pid, signal.SIGSTOP)
        self.disconnect(talk.process.pid)
        self.reeve("suspend", "web")
        self.reeve("resume", "web")
        os.kill(talk.process.pid, signal.SIGCONT)
        self.wait_for_line(talk, {"connection": "restored", "is_complete": True})
        self.reeve("suspend", "web")
        self.reeve("resume", "web")
        wait_for("the last event", lambda: len(talk.lines()) >= before + 6)
        lines = talk.lines()[before:]
        self.assertEqual([line.get("connection", line.get("missed", line.get("event")))
                          for line in lines],
                         ["lost", "restored"] + ["lifecycle"] * 4)
        self.assertEqual([line["body"]["event"] for line in lines[2:]], [3, 4, 3, 4])
        self.assertEqual(["missed" in line for line in lines[2:]],
                         [True, True, False, False])

    def test_a_shell_goes_on(self):
        talk = harness.Talk(self, "shell")
        self.addCleanup(talk.stop)
        for number in range(KILLS):
            talk.say("domstate web")
            wait_for("an answer", lambda: talk.out().count("running") == number + 1)
            self.restart()
        # while nobody serves, a call waits
        self.reeved.kill()
        talk.say("domstate web")
        self.reeved.start()
        wait_for("an answer", lambda: talk.out().count("running") == KILLS + 1)
        self.assertEqual(talk.err(), "")
        self.assertEqual(talk.end(), 0)
        self.assertEqual(harness.qemus(), self.qemus)

    def test_a_change_whose_reply_is_lost(self):
        """Its outcome is not known, and it is not made twice."""
        [qemu] = [pid for pids in self.qemus.values() for pid in pids]
        talk = harness.Talk(self, "change")
        self.addCleanup(talk.stop)
        talk.say("domstate web")
        wait_for("an answer", lambda: "running" in talk.out())
        os.kill(qemu, signal.SIGSTOP)
        try:
            talk.say("suspend web")
            wait_for("the command in QEMU", lambda: "occupied" in harness.run(
                "virsh", "-c", self.reeved.unix_uri, "domcontrol", "web").stdout)
            self.restart()
            wait_for("the error", lambda: "lost before the reply" in talk.err())
        finally:
            os.kill(qemu, signal.SIGCONT)
        # whether QEMU did it or not, the shell goes on
        talk.say("domstate web")
        wait_for("an answer", lambda: len(talk.out().split()) >= 2)
        self.assertEqual(talk.end(), 0)
        self.assertEqual(harness.qemus(), self.qemus)

    def test_safe_calls_all_succeed(self):
        load = subprocess.Popen(
            [os.environ["REEVE_LOAD"], self.reeved.shell_uri, str(LOAD_CLIENTS),
             str(LOAD_CALLS), "lasting"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(LOAD_CLIENTS):
            self.assertEqual(load.stdout.readline(), "connected\n")
        kills = 0
        while load.poll() is None and kills < KILLS:
            self.restart()
            kills += 1
        out, err = load.communicate(timeout=harness.WAIT_S * 2)
        self.assertGreater(kills, 0)
        self.assertEqual((err, load.returncode), ("", 0))
        self.assertEqual(json.loads(out)["failed"], 0)
        self.assertEqual(harness.qemus(), self.qemus)


harness.main(harness.REEVED, "qemu-system-x86_64", "virsh")
