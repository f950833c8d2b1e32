# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One socket, each wire: stock virsh, stock ovs-appctl, JSON and text by socat."""
import json
import os
import socket
import struct
import subprocess
import threading

import harness
from harness import run, wait_for

END = "\n##\n"
# Of the many clients, and of the calls that each has in flight.
N_CLIENTS = 64
N_CALLS = 16
# 100 352 calls; a tenth where a sanitizer watches each of them.
N_ROUNDS = 10 if harness.SANITIZED else 98


def receive(client, is_whole):
    """What comes until that is so."""
    data = b""
    while not is_whole(data):
        piece = client.recv(65536)
        if not piece:
            raise AssertionError(f"the connection ended behind {data[-200:]}")
        data += piece
    return data


def call_by_xdr(client):
    """reeve.ping: the headers, of a call and of its reply."""
    client.sendall(b"".join(struct.pack(">IIIiIII", 28, 0x20525600, 1, 1, 0, serial, 0)
                            for serial in range(N_CALLS)))
    data = receive(client, lambda data: len(data) >= 28 * N_CALLS)
    replies = [struct.unpack(">IIIiIII", data[at:at + 28]) for at in range(0, len(data), 28)]
    return sorted(replies) == [(28, 0x20525600, 1, 1, 1, serial, 0) for serial in range(N_CALLS)]


def call_by_json(client):
    client.sendall(b"".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "reeve.counter",
                                        "params": {"name": "clients_refused"}}).encode()
                            for i in range(N_CALLS)))
    data = receive(client, lambda data: data.count(b"\n") == N_CALLS)
    replies = sorted(json.loads(line)["id"] for line in data.splitlines()
                     if json.loads(line)["result"] == {"value": 0})
    return replies == list(range(N_CALLS))


def call_by_words(client):
    client.sendall(b"".join(json.dumps({"id": i, "method": "coverage/read-counter",
                                        "params": ["clients_refused"]}).encode()
                            for i in range(N_CALLS)))
    data = receive(client, lambda data: data.count(b"\n") == N_CALLS)
    replies = sorted(json.loads(line)["id"] for line in data.splitlines()
                     if json.loads(line)["result"] == "0\n")
    return replies == list(range(N_CALLS))


def call_by_text(client):
    client.sendall(f'request="reeve.counter"\nname="clients_refused"\n{END}'.encode() * N_CALLS)
    data = receive(client, lambda data: data.count(END.encode()) == N_CALLS)
    return data == f'response="OK"\nvalue=0\n{END}'.encode() * N_CALLS


class Wires(harness.TestCase):
    def appctl(self, *words, target=None, check=True):
        return subprocess.run(
            ["ovs-appctl", "-T", "30", "-t", target or self.reeved.socket, *words],
            capture_output=True, text=True, timeout=60, check=check,
            env={**os.environ, "LC_ALL": "C", "OVS_RUNDIR": f"{self.reeved.root}/run"})

    def socat(self, text, socket=None):
        return run("socat", "-t30", "-", f"UNIX-CONNECT:{socket or self.reeved.socket}",
                   stdin=text).stdout

    def json(self, method, params=None, **more):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, **more}
        if params is not None:
            request["params"] = params
        return json.loads(self.socat(json.dumps(request)))

    def text(self, *lines):
        answer = self.socat("\n".join(lines) + END)
        self.assertTrue(answer.endswith(END), answer)
        return answer[: -len(END)]

    def virsh(self, *words):
        return run("virsh", "-c", self.reeved.unix_uri, *words).stdout

    def define(self, name):
        self.virsh("define", self.write(f"{name}.xml", self.boot_xml(name)))
        self.addCleanup(self.virsh, "undefine", name)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # Commands of ovs-appctl

    def test_built_in_commands(self):
        lines = self.appctl("list-commands").stdout.splitlines()
        names = [line[2:].split()[0] for line in lines[1:]]
        self.assertEqual(names, sorted(names))
        for name in ("list-commands", "version", "exit", "vlog/list", "vlog/set", "vlog/reopen",
                     "vlog/list-pattern", "vlog/close", "vlog/enable-rate-limit",
                     "vlog/disable-rate-limit",
                     "coverage/show", "coverage/read-counter", "memory/show", "machine.state",
                     "reeve.version", "remote.connect_get_version"):
            self.assertIn(name, names)
        self.assertIn("  machine.state           NAME", lines)
        self.assertRegex(self.appctl("version").stdout, r"\Areeved \d+\.\d+\.\d+\n\Z")
        self.assertRegex(self.appctl("memory/show").stdout, r"\bclients:\d+ ")
        self.assertRegex(self.appctl("coverage/show").stdout,
                         r"\ncalls +\d+\.\d/sec +\d+\.\d{3}/sec +\d+\.\d{4}/sec   total: \d+\n")
        self.assertRegex(self.appctl("coverage/read-counter", "calls").stdout, r"\A\d+\n\Z")

    def test_log_commands(self):
        def level(source="any"):
            for line in self.appctl("vlog/list").stdout.splitlines()[2:]:
                if line.split()[0] == source:
                    return line.split()[1:]
            return None

        before = level()
        self.assertEqual(self.appctl("vlog/set", "rpc.server:dbg").stdout, "")
        self.assertEqual(level("rpc.server")[0], "DBG")
        self.appctl("vlog/set", "ANY:err")
        self.assertEqual(level()[0], "ERR")
        self.appctl("vlog/set", f"any:{before[0]}", "rpc.server:err")
        self.assertEqual((level(), level("rpc.server")[0]), (before, "ERR"))
        for words, said in ((["a:b"], "second source"), (["console:file"], "second destination"),
                            (["dbg:err"], "second level"), (["file:dbg"], "“file”"),
                            (["a/b"], "“a/b”"), (["FACILITY:none"], "“none”"),
                            (["FACILITY:local7"], "syslog"), (["PATTERN:none:x"], "“none”"),
                            (["PATTERN:console:%m"], "vlog/list-pattern")):
            done = self.appctl("vlog/set", *words, check=False)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(said, done.stderr.splitlines()[0])
        self.assertEqual(self.appctl("vlog/set", "off").stdout, "")
        self.assertEqual(level(), ["OFF"] * 3)
        self.appctl("vlog/set", f"any:{before[0]}")
        self.assertEqual((level(), level("rpc.server")), (before, before))
        self.appctl("vlog/set", "rpc.server:info")

    def test_rate_limit_commands(self):
        def limited():
            lines = self.appctl("vlog/list").stdout.splitlines()[2:]
            return {line.split()[0]: "(rate limiting disabled)" not in line for line in lines}

        self.appctl("vlog/disable-rate-limit", "qmp", "rpc.stream")
        self.assertEqual(limited(), {**limited(), "any": True, "qmp": False, "rpc.stream": False})
        self.appctl("vlog/enable-rate-limit", "qmp")
        self.assertEqual(limited(), {**limited(), "any": True, "qmp": True, "rpc.stream": False})
        self.appctl("vlog/disable-rate-limit")
        self.assertFalse(any(limited().values()))
        self.appctl("vlog/enable-rate-limit")
        self.assertTrue(all(limited().values()))
        self.assertEqual(self.appctl("vlog/enable-rate-limit", "a/b", check=False).returncode, 2)

    def test_log_files(self):
        log = self.path("logging.log")
        daemon = harness.Reeved(self.path("logging"), f"[log]\noutputs = 1:stderr 1:file:{log}\n")
        self.addCleanup(daemon.stop)
        daemon.start()

        def appctl(*words, check=True):
            return self.appctl(*words, target=daemon.socket, check=check)

        def size():
            return os.path.getsize(log)

        self.assertRegex(appctl("vlog/list-pattern").stdout,
                         r"\A +prefix +format\n +------ +------\n"
                         r"CONSOLE +none +.*%m\nFILE +none +%d\{\S+ \S+\} %p: %c: %m\n\Z")
        # Nothing but debug messages of these calls.
        appctl("vlog/set", "off", "rpc:file:dbg")
        before = size()
        appctl("version")
        self.assertGreater(size(), before)
        appctl("vlog/close")
        appctl("vlog/close")
        before = size()
        appctl("version")
        self.assertEqual(size(), before)
        os.rename(log, f"{log}.1")
        appctl("vlog/reopen")
        appctl("version")
        self.assertGreater(size(), 0)
        done = self.appctl("vlog/reopen", check=False)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("“file”", done.stderr)

    def test_exit_statuses(self):
        for words, status, said in (
            (["none"], 2, "“none”"),
            (["version", "more"], 2, "at most 0 arguments"),
            (["machine.state"], 2, "at least 1 arguments"),
            (["machine.state", "none"], 2, "none"),
            (["coverage/read-counter", "none"], 2, "none"),
            (["reeve.ping"], 0, ""),
        ):
            done = self.appctl(*words, check=False)
            self.assertEqual(done.returncode, status, done)
            self.assertIn(said, done.stderr)
            if status == 2:
                self.assertIn("server returned an error", done.stderr)
                self.assertRegex(done.stderr, r"\n\S*ovs-appctl: ")

    def test_by_name_of_the_daemon(self):
        self.assertRegex(self.appctl("version", target="reeved").stdout, r"\Areeved ")

    def test_exit(self):
        daemon = harness.Reeved(self.path("other"))
        self.addCleanup(daemon.stop)
        daemon.start()
        done = self.appctl("exit", target=daemon.socket)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        wait_for("end", lambda: daemon.process.poll() is not None)
        self.assertEqual(daemon.process.returncode, 0)
        self.assertEqual([name for name in os.listdir(f"{daemon.root}/run")
                          if name.endswith(".ctl")], [])

    # A machine, by each wire

    def test_machine_by_each_wire(self):
        self.define("web")
        self.assertRegex(self.appctl("machine.state", "web").stdout, 'state="shut off"')
        self.assertEqual(self.json("machine.state", {"name": "web"})["result"]["state"],
                         "shut off")
        self.assertIsNone(self.json("machine.start", ["web"])["result"])
        self.assertIn('state="running"', self.text('request = "machine.state"', 'name = "web"'))
        rows = self.json("machine.list")["result"]["machines"]
        self.assertEqual([(row["name"], row["state"]) for row in rows], [("web", "running")])
        self.assertIn("<name>web</name>", self.appctl("machine.describe", "web").stdout)
        self.assertIn("running", self.virsh("domstate", "web"))
        self.assertEqual(self.appctl("machine.destroy", "web").stdout, "")
        self.assertIn("shut off", self.virsh("domstate", "web"))

    def test_remote_needs_no_opening(self):
        self.define("db")
        uuid = self.virsh("domuuid", "db").strip()
        dom = {"name": "db", "uuid": uuid, "id": -1}
        found = self.json("remote.domain_lookup_by_name", {"name": "db"})
        self.assertEqual(found["result"]["dom"], dom)
        state = self.json("remote.domain_get_state", {"dom": dom})
        self.assertEqual(state["result"]["state"], 5)
        failed = self.json("remote.domain_lookup_by_name", {"name": "none"})
        self.assertEqual(failed["error"]["code"], 42)
        self.assertEqual(failed["error"]["data"]["object"], "none")
        self.assertIn("hint", failed["error"]["data"])
        failed = self.json("remote.domain_shutdown", {"dom": dom})
        self.assertEqual(failed["error"]["data"]["object"], "db")
        failed = self.json("remote.domain_define_xml", {"xml": "<"})
        self.assertEqual(failed["error"]["data"]["object"], "remote.domain_define_xml")
        failed = self.json("remote.domain_lookup_by_name", {"nam": "none"})
        self.assertEqual(failed["error"]["data"]["object"], "remote.domain_lookup_by_name")
        self.assertIn('object="none"', self.text('request="machine.state"', 'name="none"'))

    def test_events(self):
        self.define("seen")
        with subprocess.Popen(
                ["socat", "-t30", "-", f"UNIX-CONNECT:{self.reeved.socket}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            client.stdin.write(json.dumps({
                "jsonrpc": "2.0", "id": 7, "method": "subscribe",
                "params": {"event": "remote.domain_event_callback_lifecycle"}}))
            client.stdin.flush()
            answer = json.loads(client.stdout.readline())
            self.assertEqual(answer["id"], 7)
            self.appctl("machine.start", "seen")
            event = json.loads(client.stdout.readline())
            self.assertEqual(event["method"], "remote.domain_event_callback_lifecycle")
            self.assertEqual(event["params"]["callback_id"], answer["result"]["callback_id"])
            self.assertEqual(event["params"]["msg"]["dom"]["name"], "seen")
            self.appctl("machine.destroy", "seen")
            client.stdin.close()
            client.stdout.read()
        self.assertIn("error", self.json("subscribe", {"event": "none"}))

    # Text

    def test_hello(self):
        self.assertEqual(self.socat('request = "hello"\n' + END),
                         'response="OK"\nprotocol="reeved"\nversion=1\n' + END)

    def test_text_is_answered_in_order(self):
        answers = self.socat("".join(f"request = {name}{END}" for name in (
            '"hello"', '"reeve.version"', '"zorp"', '"reeve.ping"', "[1")))
        parts = answers.split(END)[:-1]
        self.assertEqual(len(parts), 5)
        self.assertIn('protocol="reeved"', parts[0])
        self.assertIn('name="reeved"', parts[1])
        self.assertIn('response="invalid"', parts[2])
        self.assertEqual(parts[3], 'response="OK"\n')
        self.assertIn('response="invalid"', parts[4])

    # What is refused

    def test_read_only_socket(self):
        socket = f"{self.reeved.root}/run/reeved-ro.sock"
        self.define("kept")
        self.assertEqual(self.appctl("machine.state", "kept", target=socket).returncode, 0)
        self.assertEqual(self.appctl("machine.start", "kept", target=socket,
                                     check=False).returncode, 2)
        self.assertEqual(self.appctl("exit", target=socket, check=False).returncode, 2)
        self.assertIn('response="failed"',
                      self.socat(f'request="machine.start"\nname="kept"{END}', socket))
        self.assertIn("shut off", self.virsh("domstate", "kept"))

    def test_tcp_speaks_xdr_alone(self):
        answer = run("socat", "-t30", "-", f"TCP:127.0.0.1:{self.reeved.port}",
                     stdin='{"id":1,"method":"echo","params":[]}', check=False).stdout
        self.assertEqual(answer, "")
        wait_for("a line in the log", lambda: "speaks JSON" in self.reeved.log())

    def test_wires_turned_off(self):
        daemon = harness.Reeved(self.path("xdr"), "[wires]\nunix=xdr\nunix_ro=json;xdr\ntcp=json\n")
        self.addCleanup(daemon.stop)
        daemon.start()
        ask = '{"jsonrpc":"2.0","id":1,"method":"reeve.ping"}'
        text = 'request="reeve.ping"' + END
        read_only = f"{daemon.root}/run/reeved-ro.sock"
        self.assertEqual(self.socat(ask, daemon.socket), "")
        self.assertEqual(self.socat(text, daemon.socket), "")
        self.assertEqual(self.socat(text, read_only), "")
        self.assertIn('"result"', self.socat(ask, read_only))
        self.assertIn('response="OK"', self.socat(text, daemon.admin_socket))
        run("virsh", "-c", daemon.unix_uri, "version")
        run("virsh", "-c", daemon.read_only_uri, "version")
        answer = run("socat", "-t30", "-", f"TCP:127.0.0.1:{daemon.port}", stdin=ask).stdout
        self.assertIn('"result"', answer)
        self.assertNotEqual(run("virsh", "-c", daemon.tcp_uri, "version", check=False).returncode, 0)

    # All at once

    def test_many_clients(self):
        failures = []

        def be_client(number):
            call = (call_by_xdr, call_by_json, call_by_words, call_by_text)[number % 4]
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(120)
                    client.connect(self.reeved.socket)
                    for _ in range(N_ROUNDS):
                        self.assertTrue(call(client), call)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))

        threads = [threading.Thread(target=be_client, args=(i,)) for i in range(N_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_all_at_once(self):
        self.define("busy")
        failures = []

        def often(times, function):
            try:
                for _ in range(times):
                    function()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))

        def by_virsh():
            self.assertIn("busy", self.virsh("list", "--all"))

        def by_appctl():
            self.assertIn("shut off", self.appctl("machine.state", "busy").stdout)

        def by_text():
            request = f'request = "machine.state"\nname = "busy"{END}'
            answers = self.socat(request * 200).split(END)[:-1]
            self.assertEqual(len(answers), 200)
            self.assertEqual(set(answers), {'response="OK"\nstate="shut off"\nreason=0\nid=-1\n'})

        def by_json():
            calls = "".join(json.dumps({"id": i, "method": "machine.state",
                                        "params": {"name": "busy"}}) for i in range(200))
            answers = [json.loads(line) for line in self.socat(calls).splitlines()]
            self.assertEqual({answer["id"] for answer in answers}, set(range(200)))
            self.assertEqual({answer["result"]["state"] for answer in answers}, {"shut off"})

        threads = [threading.Thread(target=often, args=(times, function))
                   for times, function in ((4, by_virsh), (8, by_appctl), (4, by_text),
                                           (4, by_json)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    harness.main("ovs-appctl", "socat", "virsh", "qemu-system-x86_64")
