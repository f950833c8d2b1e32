# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon says of itself: its procedures, and its calls as they pass."""
import json
import os
import shutil
import socket
import struct
import subprocess
import unittest

import harness
from harness import REEVE, run, wait_for

# More calls than the queue of a client that does not read has room for.
N_CALLS = 20000
N_FLIGHT = 50


class JsonClient:
    """Says JSON-RPC on a unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.input = b""

    def send(self, method, params):
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                        "params": params}).encode())

    def read(self):
        while b"\n" not in self.input:
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError("the connection ended")
            self.input += piece
        line, _, self.input = self.input.partition(b"\n")
        return json.loads(line)

    def call(self, method, params):
        self.send(method, params)
        return self.read()

    def close(self):
        self.socket.close()


def ping(path, times):
    """reeve.ping, so often, by XDR."""
    frames = b"".join(struct.pack(">IIIiIII", 28, 0x20525600, 1, 1, 0, serial, 0)
                      for serial in range(N_FLIGHT))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(120)
        client.connect(path)
        for _ in range(times // N_FLIGHT):
            client.sendall(frames)
            n_left = len(frames)
            while n_left > 0:
                piece = client.recv(n_left)
                if not piece:
                    raise AssertionError("the connection ended")
                n_left -= len(piece)


class Introspection(harness.TestCase):
    def shell(self, *words, check=True):
        return run(REEVE, "-c", self.reeved.shell_uri, *words, check=check)

    def monitor(self, *words):
        """One that watches already."""
        before = self.watchers()
        process = subprocess.Popen(
            [REEVE, "--json", "-c", self.reeved.shell_uri, "monitor", "--timeout", "60", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_for("watcher", lambda: self.watchers() > before)
        return process

    def watchers(self):
        """How often a client asked to watch."""
        done = run(REEVE, "--json", "-c", self.reeved.shell_uri, "srv-metrics", "admin").stdout
        rows = json.loads(done)[0]["procedures"]
        return sum(int(row["calls"]) for row in rows if row["procedure"] == "monitor.start")

    # Programs

    def test_programs(self):
        rows = json.loads(self.shell("--json", "introspect").stdout)
        found = {row["program"]: row["number"] for row in rows}
        self.assertEqual(found["remote"], "0x20008086")
        self.assertEqual(found["reeve"], "0x20525600")

    def test_procedures(self):
        rows = json.loads(self.shell("--json", "introspect", "machine").stdout)
        state = next(row for row in rows if row["procedure"] == "state")
        self.assertEqual(state["arguments"], "{ name: string<4194304> }")
        self.assertIn("id: int", state["result"])
        rows = json.loads(self.shell("--json", "introspect", "remote").stdout)
        self.assertGreater(len(rows), 400)
        events = [row for row in rows if row["dispatch"] == "event"]
        self.assertNotEqual(events, [])
        self.assertNotIn("result", events[0])

    def test_procedure(self):
        text = self.shell("introspect", "reeve.metrics").stdout
        self.assertRegex(text, r"(?m)^Procedure: +metrics$")
        self.assertRegex(text, r"(?m)^Arguments: +void$")
        self.assertRegex(text, r"(?m)^Access: +connect:getattr$")
        text = self.shell("introspect", "remote.domain_get_xml_desc").stdout
        self.assertRegex(text, r"(?m)^Flags: +.*pure$")

    def test_unknown(self):
        self.assertEqual(self.shell("introspect", "machine.none", check=False).returncode, 2)
        done = self.shell("introspect", "none", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)

    # Calls by JSON-RPC

    def test_call_by_json_rpc(self):
        version = json.loads(self.shell("call", "reeve.version", "--json-rpc").stdout)
        self.assertEqual(version["name"], "reeved")
        self.assertEqual(self.shell("call", "reeve.version", "[]", "--json-rpc").stdout,
                         f'name="reeved"\nrelease="{version["release"]}"\n')
        done = self.shell("call", "machine.state", '{"name": "none"}', "--json-rpc", check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("none", done.stderr)

    @unittest.skipUnless(shutil.which("ovsdb-server"), "there is no ovsdb-server")
    def test_call_stock_server(self):
        directory = self.path("ovsdb")
        os.mkdir(directory)
        schema = self.write("schema", json.dumps({
            "name": "Shelf", "version": "1.0.0",
            "tables": {"Book": {"columns": {"title": {"type": "string"}}}}}))
        run("ovsdb-tool", "create", f"{directory}/db", schema)
        server = subprocess.Popen(
            ["ovsdb-server", f"--remote=punix:{directory}/sock", "--no-chdir",
             f"--unixctl={directory}/ctl", f"--log-file={directory}/log", f"{directory}/db"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_for("socket", lambda: os.path.exists(f"{directory}/sock"))

        def call(method, params):
            return json.loads(run(REEVE, "--json", "-c", f"unix:{directory}/sock", "call", method,
                                  json.dumps(params), "--json-rpc").stdout)

        self.assertIn("Shelf", call("list_dbs", []))
        self.assertEqual(call("echo", [1, {"a": None}]), [1, {"a": None}])
        done = call("transact", ["Shelf", {"op": "insert", "table": "Book",
                                           "row": {"title": "Emma"}},
                                 {"op": "select", "table": "Book", "where": [],
                                  "columns": ["title"]}])
        self.assertEqual(done[1]["rows"], [{"title": "Emma"}])
        failed = run(REEVE, "-c", f"unix:{directory}/sock", "call", "none", "[]", "--json-rpc",
                     check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("unknown method", failed.stderr)

    # Monitor

    def test_monitor(self):
        watching = self.monitor("machine.state", "--count", "2")
        self.shell("call", "machine.state", '{"name": "none"}', check=False)
        run("ovs-appctl", "-t", self.reeved.socket, "machine.state", "none", check=False)
        out, _ = watching.communicate(timeout=60)
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(watching.returncode, 0)
        self.assertEqual([row["procedure"] for row in rows], ["machine.state"] * 2)
        for row in rows:
            self.assertEqual((row["code"], row["lost"], row["server"]), (42, 0, "reeved"))
            self.assertIn("none", row["error"])
            self.assertRegex(row["who"], rf"^pid=\d+ uid={os.getuid()}$")
            self.assertGreater(row["took_us"], 0)
        self.assertNotEqual(rows[0]["client"], rows[1]["client"])

    def test_monitor_of_failures(self):
        watching = self.monitor("--failed", "--count", "1")
        self.shell("call", "reeve.version")
        self.shell("call", "machine.state", '{"name": "none"}', check=False)
        row = json.loads(watching.communicate(timeout=60)[0])
        self.assertEqual((row["procedure"], row["code"]), ("machine.state", 42))

    def test_monitor_as_text(self):
        watching = subprocess.Popen(
            [REEVE, "-c", self.reeved.shell_uri, "monitor", "--count", "1"],
            stdout=subprocess.PIPE, text=True)
        out, _ = watching.communicate(timeout=60)
        # its own, which is the first one that it sees
        self.assertRegex(out, r"^\d\d:\d\d:\d\d\.\d{6} admin/\d+ \(pid=\d+ uid=\d+\) "
                              r"monitor\.start \d+ µs: done\n$")

    def test_monitor_is_of_the_admin_socket(self):
        done = self.shell("call", "monitor.start", check=False)
        self.assertNotEqual(done.returncode, 0)
        client = JsonClient(self.reeved.socket)
        self.addCleanup(client.close)
        self.assertIn("error", client.call("subscribe", {"event": "monitor.call"}))

    def test_watcher_who_does_not_read(self):
        client = JsonClient(self.reeved.admin_socket)
        self.addCleanup(client.close)
        self.assertNotIn("error", client.call("monitor.start", {"name": "reeve.ping",
                                                                "failed_only": False}))
        ping(self.reeved.socket, N_CALLS)
        # and nobody waited for it
        n_seen = n_lost = 0
        while n_lost == 0:
            self.assertLess(n_seen, N_CALLS)
            client.socket.settimeout(0.2)
            try:
                call = client.read()["params"]
            except TimeoutError:
                ping(self.reeved.socket, N_FLIGHT)
                continue
            self.assertEqual((call["prog"], call["proc"]), ("reeve", "ping"))
            n_seen += 1
            n_lost = call["lost"]
        self.assertGreater(n_lost, N_CALLS // 4)
        self.assertEqual((n_seen + n_lost) % N_FLIGHT, 1)
        client.socket.settimeout(120)
        client.send("monitor.stop", {})
        while client.read().get("id") != 1:
            pass
        ping(self.reeved.socket, N_FLIGHT)
        self.assertIn("result", client.call("reeve.ping", {}))

    def test_watch_goes_on_after_takeover(self):
        watching = self.monitor("reeve.version", "--count", "1")
        old = self.reeved
        new = harness.Reeved(self.directory)
        new.log_path = self.path("successor.log")
        new.words = [*new.words, "--takeover"]
        new.start()
        type(self).reeved = new
        self.assertEqual(old.process.wait(harness.WAIT_S), 0)
        self.shell("call", "reeve.version")
        row = json.loads(watching.communicate(timeout=60)[0])
        self.assertEqual((row["procedure"], row["lost"]), ("reeve.version", 0))


if __name__ == "__main__":
    harness.main("ovs-appctl")
