# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may come in: polkit, on a bus of the test's own."""
import json
import os
import subprocess
import sys
import time

import harness
from harness import run, wait_for

# root is not asked for, so the clients are somebody else
NOBODY = 65534
IS_ROOT = os.geteuid() == 0
CONFIG = """
[auth]
unix=polkit
unix_ro=polkit
polkit_monitor=org.reeve.test.look
[listen]
unix_mode=0666
unix_ro_mode=0666
[server]
call_timeout=6
"""


class Authority(harness.Daemon):
    """Stands in for polkit."""

    def __init__(self, directory):
        self.directory = directory
        super().__init__(
            directory, "polkit",
            [sys.executable,
             os.path.join(os.path.dirname(__file__), "polkit-in-place.py"), directory],
            lambda: "ready" in self.log())

    def answer(self, what):
        with open(f"{self.directory}/answer", "w", encoding="utf-8") as file:
            file.write(what)
        if os.path.exists(f"{self.directory}/asked"):
            os.unlink(f"{self.directory}/asked")

    def asked(self):
        return [json.loads(line)
                for line in harness.read(f"{self.directory}/asked").splitlines()]


class Polkit(harness.TestCase):
    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.chmod(cls.directory, 0o711)
        cls.bus = harness.Bus(cls.directory)
        cls.reeved = harness.Reeved(cls.directory, CONFIG)
        for daemon in (cls.bus, cls.reeved):
            daemon.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={cls.bus.path}"}
        cls.bus.start()
        cls.authority = cls.start_authority()
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)
        for place in ("", "/run"):
            os.chmod(f"{cls.reeved.root}{place}", 0o711)

    @classmethod
    def start_authority(cls):
        authority = Authority(cls.directory)
        authority.env = cls.bus.env
        return authority.start()

    def virsh(self, *words):
        """Its process, with its pid; not root's."""
        return subprocess.Popen(
            ["virsh", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, user=NOBODY if IS_ROOT else None,
            env={**os.environ, "LC_ALL": "C", "HOME": "/nonexistent"})

    def list(self, *words, uri=None):
        process = self.virsh(*words, "-c", uri or self.reeved.unix_uri, "list")
        out, err = process.communicate(timeout=harness.WAIT_S)
        return process, out, err

    def test_yes(self):
        self.authority.answer("yes")
        process, out, err = self.list()
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("Id", out)
        [(method, subject, action, details, flags, _)] = self.authority.asked()
        self.assertEqual(method, "CheckAuthorization")
        self.assertEqual(subject[0], "unix-process")
        self.assertEqual(subject[1]["pid"], process.pid)
        self.assertEqual(subject[1]["uid"], NOBODY if IS_ROOT else os.geteuid())
        self.assertGreater(subject[1]["start-time"], 0)
        self.assertEqual((action, details, flags), ("org.reeve.manage", {}, 1))

    def test_read_only(self):
        """Is another action, which can be configured."""
        self.authority.answer("yes")
        process, _, err = self.list("-r", uri=self.reeved.read_only_uri)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.authority.asked()[0][2], "org.reeve.test.look")

    def test_is_refused(self):
        cases = {
            "no": "polkit does not allow it",
            "challenge": "there is nobody to be asked",
            "dismissed": "was not answered",
            "error": "polkit is not well",
        }
        for answer, words in cases.items():
            with self.subTest(answer):
                self.authority.answer(answer)
                process, out, err = self.list()
                self.assertEqual(process.returncode, 1)
                self.assertIn(words, err)
                self.assertNotIn("Id", out)

    def test_takes_too_long(self):
        """The call ends, and polkit's question with it; others are served."""
        self.authority.answer("later")
        process = self.virsh("-c", self.reeved.unix_uri, "list")
        wait_for("question", self.authority.asked)
        with open(self.path("answer"), "w", encoding="utf-8") as file:
            file.write("yes")
        began = time.monotonic()
        self.assertEqual(self.list()[0].returncode, 0)
        self.assertLess(time.monotonic() - began, 5)
        _, err = process.communicate(timeout=harness.WAIT_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("not answered within 6 seconds", err)
        question = self.authority.asked()[0]
        wait_for("the question's end", lambda:
                 ["CancelCheckAuthorization", question[5]] in self.authority.asked())

    def test_client_goes(self):
        self.authority.answer("later")
        process = self.virsh("-c", self.reeved.unix_uri, "list")
        wait_for("question", self.authority.asked)
        process.kill()
        process.communicate()
        wait_for("end of the question", lambda: len(self.authority.asked()) == 2)
        self.assertEqual(self.authority.asked()[1][0], "CancelCheckAuthorization")

    def test_root_is_not_asked_for(self):
        if not IS_ROOT:
            self.skipTest("the test is not run by root")
        self.authority.answer("no")
        self.assertIn("Id", run("virsh", "-c", self.reeved.unix_uri, "list").stdout)
        self.assertEqual(self.authority.asked(), [])

    def test_without_polkit(self):
        """And then with it again, by the same daemon."""
        self.authority.kill()
        process, _, err = self.list()
        self.assertEqual(process.returncode, 1)
        self.assertIn("polkit cannot be asked", err)
        type(self).authority = self.start_authority()
        self.authority.answer("yes")
        self.assertEqual(self.list()[0].returncode, 0)

    def test_without_bus(self):
        self.bus.kill()
        os.unlink(self.bus.path)
        process, _, err = self.list()
        self.assertEqual(process.returncode, 1)
        self.assertIn("authentication failed", err)
        self.bus.start()
        type(self).authority = self.start_authority()
        self.authority.answer("yes")
        self.assertEqual(self.list()[0].returncode, 0)


if __name__ == "__main__":
    harness.main("virsh", "dbus-daemon", "python3-gi")
