# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virt-admin looks after reeved; so does our shell, and it does after a stock libvirtd, too.

The same tests run with both tools: each of them is a class that says how a
question is put and what the answer is.
"""
import json
import os
import pwd
import re
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import harness
from harness import REEVE, read, run, wait_for

INVALID_ARG, RPC, ACCESS, ARGUMENT, NO_SERVER, NO_CLIENT = 8, 39, 88, 74, 95, 96
NOBODY = 65534


# Tools


class VirtAdmin:
    """The stock tool, in words; `admin_socket` is the test's."""

    def admin(self, *words, fails=False):
        uri = f"libvirtd:///system?socket={self.admin_socket}"
        done = run("virt-admin", "-c", uri, *words, check=False)
        self.assertEqual(done.returncode, 1 if fails else 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stderr if fails else done.stdout

    def pairs(self, *words):
        lines = [line.partition(":") for line in self.admin(*words).splitlines()]
        return {key.strip(): value.strip() for key, colon, value in lines if colon}

    def numbers(self, *words):
        return {key: int(value) for key, value in self.pairs(*words).items()}

    def rows(self, *words):
        lines = self.admin(*words).splitlines()
        return [line.split() for line in lines[2:] if line.strip()]

    def servers(self):
        return [row[1] for row in self.rows("srv-list")]

    def workers(self, server):
        return self.numbers("srv-threadpool-info", server)

    def clients(self, server):
        return {int(row[0]): row[1] for row in self.rows("client-list", server)}

    def client(self, server, number):
        return self.pairs("client-info", server, str(number))

    def limits(self, server):
        return self.numbers("srv-clients-info", server)

    def outputs(self):
        return self.pairs("daemon-log-outputs")["Logging outputs"]

    def filters(self):
        return self.pairs("daemon-log-filters")["Logging filters"]


class Shell:
    """Our shell, in JSON, with the names that virt-admin has for what it says."""

    NAMES = {"min_workers": "minWorkers", "max_workers": "maxWorkers", "n_workers": "nWorkers",
             "free_workers": "freeWorkers", "prio_workers": "prioWorkers",
             "job_queue_depth": "jobQueueDepth"}

    def admin(self, *words, fails=False):
        done = run(REEVE, "-c", self.shell_uri, *words, check=False)
        self.assertEqual(done.returncode != 0, fails, f"{words}: {done.stdout}{done.stderr}")
        return done.stderr if fails else done.stdout

    def json(self, *words):
        return json.loads(self.admin("--json", *words))

    def named(self, *words):
        return {self.NAMES.get(key, key): value for key, value in self.json(*words).items()}

    def servers(self):
        return [row["name"] for row in self.json("srv-list")]

    def workers(self, server):
        return self.named("srv-threadpool-info", server)

    def clients(self, server):
        return {row["id"]: row["transport"] for row in self.json("client-list", server)}

    def client(self, server, number):
        texts = {True: "yes", False: "no"}
        info = self.json("client-info", server, str(number))
        return {key: texts[value] if isinstance(value, bool) else str(value)
                for key, value in info.items()}

    def limits(self, server):
        return self.named("srv-clients-info", server)

    def outputs(self):
        return self.json("daemon-log-outputs")["outputs"]

    def filters(self):
        return self.json("daemon-log-filters")["filters"]


# What both can do, with either daemon


class Holders:
    """Clients of the daemon that stay, each a stock virsh."""

    def hold(self, uri):
        """Returns the process once the daemon has answered it."""
        holder = subprocess.Popen(["virsh", "-q", "-c", uri], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(holder.communicate)
        self.addCleanup(holder.terminate)
        holder.stdin.write("hostname\n")
        holder.stdin.flush()
        holder.stdout.readline()
        return holder

    def wait_until_alone(self):
        wait_for("end of the clients", lambda: not self.clients(self.server))


class Common(Holders):
    """Each test leaves the daemon as it was."""

    def test_servers(self):
        self.assertEqual(sorted(self.servers()), sorted(["admin", self.server]))
        self.assertIn("nobody", self.admin("srv-threadpool-info", "nobody", fails=True))
        self.assertIn("nobody", self.admin("client-list", "nobody", fails=True))

    def test_workers(self):
        before = self.workers(self.server)
        self.assertEqual(before["jobQueueDepth"], 0)
        self.assertGreaterEqual(before["nWorkers"], before["freeWorkers"])
        wanted = {"minWorkers": 4, "maxWorkers": 9, "prioWorkers": 7}
        self.set_workers(wanted)
        after = self.workers(self.server)
        self.assertEqual({key: after[key] for key in wanted}, wanted)
        self.set_workers({"minWorkers": 1, "maxWorkers": 2, "prioWorkers": 1})
        wait_for("two workers", lambda: self.workers(self.server)["nWorkers"] <= 2)
        self.assertTrue(self.hold(self.uri))
        self.set_workers({"maxWorkers": before["maxWorkers"]})
        self.set_workers({"minWorkers": before["minWorkers"],
                          "prioWorkers": before["prioWorkers"]})

    def set_workers(self, wanted):
        options = {"minWorkers": "--min-workers", "maxWorkers": "--max-workers",
                   "prioWorkers": "--priority-workers"}
        words = [word for key, value in wanted.items() for word in (options[key], str(value))]
        self.admin("srv-threadpool-set", self.server, *words)

    def test_wrong_workers(self):
        before = self.workers(self.server)
        for words in (["--min-workers", str(before["maxWorkers"] + 1)],
                      ["--max-workers", "0"],
                      ["--min-workers", "3", "--max-workers", "2"],
                      ["--priority-workers", "-1"],
                      ["--max-workers", "many"],
                      []):
            with self.subTest(words):
                self.admin("srv-threadpool-set", self.server, *words, fails=True)
                self.assertEqual(self.workers(self.server)["maxWorkers"], before["maxWorkers"])
                self.assertEqual(self.workers(self.server)["minWorkers"], before["minWorkers"])

    def test_clients(self):
        self.wait_until_alone()
        ours = [self.hold(self.uri), self.hold(self.read_only_uri)]
        clients = self.clients(self.server)
        self.assertEqual(list(clients.values()), ["unix", "unix"])
        self.assertEqual(list(clients), sorted(clients))
        for number, read_only in zip(clients, ("no", "yes")):
            info = self.client(self.server, number)
            self.assertEqual(info["readonly"], read_only)
            self.assertEqual(info["unix_user_id"], str(os.geteuid()))
            self.assertEqual(info["unix_group_id"], str(os.getegid()))
            self.assertEqual(info["unix_user_name"], pwd.getpwuid(os.geteuid()).pw_name)
        self.assertEqual(len(self.clients("admin")), 1)
        for holder in ours:
            holder.terminate()
        self.wait_until_alone()

    def test_unknown_client(self):
        for words in (["client-info", self.server, "999999"],
                      ["client-disconnect", self.server, "999999"],
                      ["client-info", self.server, "no-number"],
                      ["client-disconnect", "nobody", "1"]):
            with self.subTest(words):
                self.admin(*words, fails=True)

    def test_disconnect(self):
        self.wait_until_alone()
        holders = [self.hold(self.uri) for _ in range(2)]
        first, second = self.clients(self.server)
        self.admin("client-disconnect", self.server, str(first))
        self.assertEqual(list(self.clients(self.server)), [second])
        self.assertTrue(any("Disconnected" in line for line in holders[0].stdout))
        self.admin("client-info", self.server, str(first), fails=True)
        self.admin("client-disconnect", self.server, str(second))
        self.assertEqual(self.clients(self.server), {})

    def test_limits(self):
        self.wait_until_alone()
        before = self.limits(self.server)
        self.assertEqual((before["nclients"], before["nclients_unauth"]), (0, 0))
        self.hold(self.uri)
        self.admin("srv-clients-set", self.server, "--max-clients", "70",
                   "--max-unauth-clients", "7")
        self.assertEqual(self.limits(self.server), {
            "nclients_max": 70, "nclients": 1, "nclients_unauth_max": 7, "nclients_unauth": 0})
        for words in (["--max-clients", "6"], ["--max-unauth-clients", "71"],
                      ["--max-clients", "0"], ["--max-clients", "-1"], []):
            with self.subTest(words):
                self.admin("srv-clients-set", self.server, *words, fails=True)
                self.assertEqual(self.limits(self.server)["nclients_max"], 70)
                self.assertEqual(self.limits(self.server)["nclients_unauth_max"], 7)
        self.admin("srv-clients-set", self.server, "--max-clients", str(before["nclients_max"]),
                   "--max-unauth-clients", str(before["nclients_unauth_max"]))
        self.assertEqual(self.limits(self.server)["nclients_max"], before["nclients_max"])

    def test_log(self):
        """What was set is what is there, and what is wrong changes nothing."""
        first = self.outputs()
        places = " ".join(f"{level}:file:{self.path(f'log{level}')}" for level in (1, 3))
        self.admin("daemon-log-outputs", places)
        self.assertEqual(self.outputs(), places)
        for wrong in ("nonsense", "9:stderr", "1:printer", "1:file", "1:file:/nonexistent/log",
                      "1:stderr 0:stderr"):
            with self.subTest(wrong):
                self.admin("daemon-log-outputs", wrong, fails=True)
                self.assertEqual(self.outputs(), places)
        self.admin("daemon-log-filters", "1:rpc 3:machine")
        self.assertEqual(self.filters().replace("*", "").strip(), "1:rpc 3:machine")
        for wrong in ("nonsense", "5:rpc", "1:rpc x:machine"):
            with self.subTest(wrong):
                self.admin("daemon-log-filters", wrong, fails=True)
                self.assertEqual(self.filters().replace("*", "").strip(), "1:rpc 3:machine")
        self.admin("daemon-log-filters", "--filters=")
        self.assertEqual(self.filters(), "")
        self.admin("daemon-log-outputs", "--outputs=")
        self.assertEqual(self.outputs(), first)

    def test_update_tls(self):
        self.assertRegex(self.admin("server-update-tls", self.server, fails=True),
                         "(?i)no tls service")

    def test_timeout(self):
        self.admin("daemon-timeout", "--timeout", "1000")
        self.admin("daemon-timeout", "--timeout", "0")
        self.admin("daemon-timeout", "--timeout", "-1", fails=True)
        self.admin("daemon-timeout", "--timeout", "soon", fails=True)


# What only reeved promises


class WithReeved(Common):
    server = "reeved"

    @property
    def admin_socket(self):
        return self.reeved.admin_socket

    @property
    def shell_uri(self):
        return self.reeved.shell_uri

    @property
    def uri(self):
        return self.reeved.unix_uri

    @property
    def read_only_uri(self):
        return self.reeved.read_only_uri

    def test_process_and_address(self):
        self.wait_until_alone()
        near = self.hold(self.uri)
        far = self.hold(self.reeved.tcp_uri)
        near_id, far_id = self.clients("reeved")
        self.assertEqual(self.clients("reeved")[far_id], "tcp")
        self.assertEqual(self.client("reeved", near_id)["unix_process_id"], str(near.pid))
        info = self.client("reeved", far_id)
        self.assertRegex(info["sock_addr"], r"^127\.0\.0\.1:\d+$")
        self.assertNotIn("unix_user_id", info)
        far.terminate()

    def test_no_worker_waits(self):
        """Zeros are sizes like any other."""
        before = self.workers("reeved")
        self.set_workers({"minWorkers": 0, "prioWorkers": 0})
        after = self.workers("reeved")
        self.assertEqual((after["minWorkers"], after["prioWorkers"]), (0, 0))
        self.hold(self.uri)
        # another setting keeps them
        self.admin("srv-clients-set", "reeved", "--max-clients", "4999")
        self.admin("srv-clients-set", "reeved", "--max-clients", "5000")
        after = self.workers("reeved")
        self.assertEqual((after["minWorkers"], after["prioWorkers"]), (0, 0))
        self.set_workers({"minWorkers": before["minWorkers"],
                          "prioWorkers": before["prioWorkers"]})

    def test_no_limit_without_authentication(self):
        before = self.limits("reeved")
        self.admin("srv-clients-set", "reeved", "--max-unauth-clients", "0")
        self.assertEqual(self.limits("reeved")["nclients_unauth_max"], 0)
        self.hold(self.uri)
        self.admin("srv-clients-set", "reeved", "--max-clients", "50")
        self.assertEqual(self.limits("reeved")["nclients_unauth_max"], 0)
        self.admin("srv-clients-set", "reeved", "--max-clients", str(before["nclients_max"]),
                   "--max-unauth-clients", str(before["nclients_unauth_max"]))

    def test_too_many_workers(self):
        self.admin("srv-threadpool-set", "reeved", "--max-workers", "4000000000", fails=True)
        self.admin("srv-threadpool-set", "reeved", "--priority-workers", "65", fails=True)

    def test_limit_of_clients_holds(self):
        self.wait_until_alone()
        before = self.limits("reeved")
        self.admin("srv-clients-set", "reeved", "--max-clients", "2", "--max-unauth-clients", "1")
        for _ in range(2):
            self.hold(self.uri)
        refused = run("virsh", "-c", self.uri, "hostname", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.admin("srv-clients-set", "reeved", "--max-clients", "3")
        run("virsh", "-c", self.uri, "hostname")
        self.admin("srv-clients-set", "reeved", "--max-clients", str(before["nclients_max"]),
                   "--max-unauth-clients", str(before["nclients_unauth_max"]))

    def test_disconnects_at_once(self):
        """Many, by four administrators who want the same: each is gone once."""
        self.wait_until_alone()
        sockets = [socket.socket(socket.AF_UNIX) for _ in range(12)]
        for end in sockets:
            self.addCleanup(end.close)
            end.connect(self.reeved.socket)
            end.settimeout(harness.WAIT_S)
        wait_for("clients", lambda: len(self.clients("reeved")) == len(sockets))
        numbers = [str(number) for number in self.clients("reeved")]
        done = []

        def disconnect():
            for number in numbers:
                words = ([REEVE, "-c", self.reeved.shell_uri] if isinstance(self, Shell) else
                         ["virt-admin", "-c", f"libvirtd:///system?socket={self.admin_socket}"])
                status = run(*words, "client-disconnect", "reeved", number, check=False).returncode
                done.append((number, status))

        threads = [threading.Thread(target=disconnect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.clients("reeved"), {})
        self.assertEqual({number for number, status in done if status == 0}, set(numbers))
        for end in sockets:
            self.assertEqual(end.recv(1), b"")
        self.hold(self.uri)

    def use_it(self):
        """Makes something happen in the folders rpc and machine."""
        xml = self.write("logged.xml", self.boot_xml("logged"))
        run("virsh", "-c", self.uri, "define", xml)
        run("virsh", "-c", self.uri, "undefine", "logged")

    def test_outputs_switch(self):
        first, second = self.path("first.log"), self.path("second.log")
        self.admin("daemon-log-filters", "1:rpc.dispatch")
        self.admin("daemon-log-outputs", f"1:file:{first}")
        self.use_it()
        wait_for("a line", lambda: "domain_undefine" in read(first))
        self.assertEqual(stat.S_IMODE(os.stat(first).st_mode), 0o600)
        self.admin("daemon-log-outputs", f"1:file:{second} 4:file:{first}")
        before = read(first)
        self.use_it()
        wait_for("a line", lambda: "domain_undefine" in read(second))
        self.assertEqual(read(first), before)
        os.rename(second, second + ".1")
        self.reeved.process.send_signal(signal.SIGHUP)
        wait_for("the new file", lambda: os.path.exists(second))
        self.use_it()
        wait_for("a line in the new file", lambda: "domain_undefine" in read(second))
        self.admin("daemon-log-filters", "--filters=")
        self.admin("daemon-log-outputs", "--outputs=")

    def test_filters_filter(self):
        cases = {"1:rpc": (True, False), "1:machine": (False, True),
                 "1:rpc 1:machine": (True, True), "1:rpc 3:machine": (True, False),
                 "3:rpc.dispatch 1:*": (False, True), "4:*": (False, False)}
        for number, (filters, expected) in enumerate(cases.items()):
            with self.subTest(filters):
                path = self.path(f"filtered{number}.log")
                self.admin("daemon-log-outputs", f"1:file:{path}")
                self.admin("daemon-log-filters", filters)
                self.use_it()
                self.admin("daemon-log-filters", "--filters=")
                said = read(path)
                found = tuple(f"debug: {source}" in said
                              for source in ("rpc.dispatch", "machine.machine-emit"))
                self.assertEqual(found, expected, said)
        self.admin("daemon-log-outputs", "--outputs=")


class StockTool(VirtAdmin, WithReeved, harness.TestCase):
    def test_uri_and_version(self):
        self.assertIn(self.admin_socket, self.admin("uri"))
        self.assertRegex(self.admin("version"), r"daemon: \d+\.\d+\.\d+")
        self.assertIn("admin", self.admin("connect").lower())

    def test_names_of_old(self):
        """All names that virt-admin has for what it can do."""
        for words in (["server-list"], ["server-threadpool-info", "reeved"],
                      ["server-clients-info", "admin"], ["srv-clients-list", "reeved"],
                      ["dmn-log-outputs"], ["dmn-log-filters"]):
            with self.subTest(words):
                done = run("virt-admin", "-c", f"libvirtd:///system?socket={self.admin_socket}",
                           *words, check=False)
                if "unknown command" not in done.stderr:
                    self.assertEqual(done.returncode, 0, done.stderr)


class OurTool(Shell, WithReeved, harness.TestCase):
    def code(self, socket_uri, *words):
        done = run(REEVE, "--json", "-c", socket_uri, *words, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return json.loads(done.stderr)["error"]["code"]

    def test_codes(self):
        """What no command can ask for is refused with libvirt's codes, too."""
        def call(procedure, **params):
            return self.code(f"unix:{self.admin_socket}", "call", f"admin.{procedure}",
                             json.dumps(params))

        def uint(field, value):
            return {"field": field, "value": {"type": 2, "ui": value}}

        server = {"name": "reeved"}
        a_client = {"srv": server, "id": 999999, "timestamp": 0, "transport": 0}
        text = {"field": "minWorkers", "value": {"type": 7, "s": "2"}}
        workers, limits = "server_set_threadpool_parameters", "server_set_client_limits"
        cases = [
            (call("connect_open", flags=1), INVALID_ARG),
            (call("connect_list_servers", need_results=1, flags=2), INVALID_ARG),
            (call("connect_lookup_server", name="nobody", flags=0), NO_SERVER),
            (call("server_lookup_client", srv=server, id=999999, flags=0), NO_CLIENT),
            (call("client_get_info", clnt=a_client, flags=0), NO_CLIENT),
            (call("client_close", clnt=a_client, flags=0), NO_CLIENT),
            (call(workers, srv=server, params=[uint("nWorkers", 2)], flags=0), ARGUMENT),
            (call(workers, srv=server, params=[text], flags=0), INVALID_ARG),
            (call(workers, srv=server, params=[uint("maxWorkers", 9)] * 2, flags=0), INVALID_ARG),
            (call(workers, srv=server, params=[uint("minWorkers", 99)], flags=0), INVALID_ARG),
            (call(limits, srv=server, params=[uint("nclients", 2)], flags=0), ARGUMENT),
            (call(limits, srv=server, params=[uint("nclients_max", 1)], flags=0), INVALID_ARG),
            (call(limits, srv={"name": "x"}, params=[], flags=0), NO_SERVER),
            (call("connect_set_logging_outputs", outputs="1", flags=0), INVALID_ARG),
            (call("connect_set_logging_filters", filters="1", flags=0), INVALID_ARG),
            (call("connect_set_daemon_timeout", timeout=1, flags=4), INVALID_ARG),
        ]
        for number, (code, expected) in enumerate(cases):
            with self.subTest(number):
                self.assertEqual(code, expected)

    def metrics(self):
        (server,) = self.json("srv-metrics", "reeved")
        return server

    def test_metrics(self):
        """Each limit is there, also after a change; calls are counted when they are answered."""
        before = self.metrics()
        for key, value in self.limits("reeved").items():
            place, name = {"nclients_max": ("limits", "max_clients"),
                           "nclients": ("counters", "clients"),
                           "nclients_unauth_max": ("limits", "max_unauth_clients"),
                           "nclients_unauth": ("counters", "clients_unauth")}[key]
            self.assertEqual(before[place][name], value)
        for name in ("max_client_calls", "max_client_reply_bytes", "max_client_event_bytes",
                     "max_message_bytes", "call_timeout_ms", "max_workers", "priority_workers"):
            self.assertGreater(before["limits"][name], 0)
        self.admin("srv-clients-set", "reeved", "--max-clients", "77", "--max-unauth-clients", "7")
        self.assertEqual(self.metrics()["limits"]["max_clients"], 77)
        self.admin("srv-clients-set", "reeved",
                   "--max-clients", str(before["limits"]["max_clients"]),
                   "--max-unauth-clients", str(before["limits"]["max_unauth_clients"]))
        xml = self.write("counted.xml", self.boot_xml("counted"))
        run("virsh", "-c", self.uri, "create", xml)
        run("virsh", "-c", self.uri, "destroy", "counted")
        run("virsh", "-c", self.uri, "destroy", "counted", check=False)
        wait_for("end of the clients", lambda: not self.clients("reeved"))
        after = self.metrics()
        self.assertEqual(after["counters"]["clients_accepted_total"]
                         - before["counters"]["clients_accepted_total"], 3)
        called = {row["procedure"]: row for row in after["procedures"]}
        # a machine takes its time to start, and the call is answered then
        self.assertEqual(called["remote.domain_create_xml"]["calls"], 1)
        self.assertGreaterEqual(called["remote.domain_create_xml"]["p50_us"], 8192)
        self.assertEqual(called["remote.domain_create_xml"]["calls_failed"], 0)
        self.assertEqual(called["remote.domain_destroy"]["calls"], 1)
        self.assertEqual(called["remote.domain_lookup_by_name"]["calls_failed"], 1)
        self.assertIn("nobody", self.admin("srv-metrics", "nobody", fails=True))

    def test_programs_have_their_sockets(self):
        """`remote` is unknown at the admin socket, and `admin` at the other one."""
        for path, program in ((self.admin_socket, 0x20008086), (self.reeved.socket, 0x06900690)):
            with self.subTest(hex(program)), socket.socket(socket.AF_UNIX) as end:
                end.settimeout(harness.WAIT_S)
                end.connect(path)
                end.sendall(struct.pack(">IIiiiIi", 28, program, 1, 3, 0, 5, 0))
                header = end.recv(4096)
                # a reply, with the status of an error, whose code follows
                self.assertEqual(struct.unpack(">iIii", header[16:32]), (1, 5, 1, RPC))

    def test_exit_statuses(self):
        for words, status in ((["srv-threadpool-info", "nobody"], 4),
                              (["client-info", "reeved", "999999"], 4),
                              (["srv-threadpool-set", "reeved"], 2),
                              (["daemon-log-outputs", "x"], 1)):
            with self.subTest(words):
                done = run(REEVE, "-c", self.shell_uri, *words, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
        done = run(REEVE, "-r", "-c", self.shell_uri, "daemon-timeout", "5", check=False)
        self.assertEqual(done.returncode, 5, done.stderr)
        done = run(REEVE, "-c", self.reeved.tcp_uri, "srv-list", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("--admin-socket", done.stderr)

    def test_ways_to_the_socket(self):
        for words in (["-c", self.uri], ["-c", self.read_only_uri], ["-c", self.shell_uri],
                      ["-c", f"unix:{self.admin_socket}"],
                      ["-c", f"reeved:///system?socket={self.admin_socket}"],
                      ["-c", self.reeved.tcp_uri, "--admin-socket", self.admin_socket]):
            with self.subTest(words):
                self.assertIn("reeved", run(REEVE, *words, "srv-list").stdout)

    def test_text(self):
        for words, pattern in ((["srv-list"], r"^ 0 +reeved$"),
                               (["srv-threadpool-info", "reeved"], r"^Jobs that wait: +0$"),
                               (["client-list", "admin"], r" unix +\d{4}-\d\d-\d\d "),
                               (["client-info", "admin"], r"^Read-only: +no$"),
                               (["srv-clients-info", "reeved"], r"^Clients: +\d+$"),
                               (["srv-metrics"], r"^Counters of admin\n  clients +1$"),
                               (["daemon-log-outputs"], r"^1:stderr$")):
            with self.subTest(words):
                if words[0] == "client-info":
                    # the one that asks
                    words = [*words, str(max(self.clients("admin")) + 1)]
                self.assertRegex(self.admin(*words), re.compile(pattern, re.M))

    def test_completion(self):
        self.hold(self.uri)
        number = str(max(self.clients("reeved")))
        for line, word in (("srv-thr", "srv-threadpool-set"), ("srv-threadpool-info ", "reeved"),
                           ("client-info reeved ", number), ("srv-clients-set reeved --m",
                                                             "--max-clients")):
            with self.subTest(line):
                self.assertIn(word, self.admin("complete", "--", *line.split(" ")).split())


class StockDaemon(Shell, Common, harness.TestCase):
    """Our shell and a stock libvirtd."""

    with_reeved = False
    server = "libvirtd"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirtd = harness.Libvirtd(cls.directory).start()
        cls.addClassCleanup(cls.libvirtd.stop)
        cls.admin_socket = cls.libvirtd.admin_socket
        cls.shell_uri = cls.libvirtd.qemu_uri
        cls.uri = cls.libvirtd.test_uri
        cls.read_only_uri = f"test+unix:///default?socket={cls.libvirtd.socket}-ro"
        wait_for("the admin socket", lambda: os.path.exists(cls.admin_socket))


# Who may, and how long it lives


class Strangers(VirtAdmin, harness.TestCase):
    @property
    def admin_socket(self):
        return self.reeved.admin_socket

    def try_as(self, uid):
        uri = f"libvirtd:///system?socket={self.admin_socket}"
        return run("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups",
                   "virt-admin", "-c", uri, "srv-list", check=False)

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        self.assertEqual(stat.S_IMODE(os.stat(self.admin_socket).st_mode), 0o600)
        for path in (self.directory, self.reeved.root, f"{self.reeved.root}/run"):
            os.chmod(path, 0o755)
        refused = self.try_as(NOBODY)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Permission denied", refused.stderr)
        # whoever gets past the permissions is refused all the same
        os.chmod(self.admin_socket, 0o666)
        refused = self.try_as(NOBODY)
        self.assertNotEqual(refused.returncode, 0, refused.stdout)
        self.assertIn("refused a client", self.reeved.log())
        self.assertEqual(self.servers(), ["reeved", "admin"])


class Life(harness.TestCase):
    """When a daemon ends by itself, each time a daemon of its own."""

    with_reeved = False

    def start(self, name, config="", options=()):
        os.makedirs(self.path(name))
        daemon = harness.Reeved(self.path(name), config)
        daemon.words += options
        return daemon.start()

    def set_timeout(self, daemon, seconds):
        run("virt-admin", "-c", f"libvirtd:///system?socket={daemon.admin_socket}",
            "daemon-timeout", "--timeout", seconds)

    def assert_ends(self, daemon, least_s, since):
        self.assertEqual(daemon.process.wait(harness.WAIT_S), 0, daemon.log())
        self.assertGreaterEqual(time.monotonic() - since, least_s)
        self.assertIn("nobody needs", daemon.log())
        self.assertNotIn("Sanitizer", daemon.log())
        self.assertFalse(os.path.exists(daemon.socket))

    def test_ends_when_nobody_is_there(self):
        for name, config, options in (("file", "[server]\nidle_timeout = 1\n", []),
                                      ("option", "", ["--timeout", "1"])):
            with self.subTest(name):
                since = time.monotonic()
                self.assert_ends(self.start(name, config, options), 1, since)

    def test_ends_when_it_is_told_and_the_client_has_left(self):
        daemon = self.start("told")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(daemon.socket)
            self.set_timeout(daemon, 1)
            time.sleep(2.5)
            self.assertIsNone(daemon.process.poll(), daemon.log())
            since = time.monotonic()
        self.assert_ends(daemon, 1, since)

    def test_stays_for_a_machine(self):
        daemon = self.start("machine")
        run("virsh", "-c", daemon.unix_uri, "create", self.write("m.xml", self.boot_xml("m")))
        self.set_timeout(daemon, 1)
        time.sleep(2.5)
        self.assertIsNone(daemon.process.poll(), daemon.log())
        since = time.monotonic()
        run("virsh", "-c", daemon.unix_uri, "destroy", "m")
        self.assert_ends(daemon, 1, since)

    def test_stays_when_told_so(self):
        daemon = self.start("stays", options=["--timeout", "2"])
        self.set_timeout(daemon, 0)
        time.sleep(3.5)
        self.assertIsNone(daemon.process.poll(), daemon.log())
        daemon.stop()


class Places(harness.TestCase):
    """syslog and the journal, played by this test in a file system of the daemon's own."""

    with_reeved = False
    SCRIPT = """
        set -e
        mkdir -p "$1/old"
        mount --rbind /dev "$1/old"
        mount -t tmpfs none /dev
        for name in null zero full random urandom; do
            : >/dev/$name
            mount --bind "$1/old/$name" /dev/$name
        done
        ln -s "$1/syslog" /dev/log
        mkdir -p /run/systemd
        mount -t tmpfs none /run/systemd
        mkdir /run/systemd/journal
        ln -s "$1/journal" /run/systemd/journal/socket
        shift
        exec "$@"
    """

    def setUp(self):
        self.ends = {}
        for name in ("syslog", "journal"):
            self.listen(name)
            self.addCleanup(self.forget, name)
        self.reeved = harness.Reeved(self.directory, "[log]\nlevel = debug\n")
        options = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.reeved.words = ["unshare", *options, "--mount", "sh", "-c", self.SCRIPT, "sh",
                             self.directory, *self.reeved.words]
        self.reeved.start()
        self.addCleanup(self.reeved.stop)

    def listen(self, name):
        self.ends[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ends[name].bind(self.path(name))
        self.ends[name].settimeout(harness.WAIT_S)

    def forget(self, name):
        self.ends[name].close()
        os.unlink(self.path(name))

    def receive(self, name, words):
        """The first datagram with these words."""
        while True:
            data = self.ends[name].recv(65536)
            if words in data:
                return data

    def set_outputs(self, outputs):
        run(REEVE, "-c", self.reeved.shell_uri, "daemon-log-outputs", outputs)

    def test_both(self):
        self.set_outputs("1:syslog:tester 1:journald")
        run(REEVE, "-c", self.reeved.shell_uri, "hostname")
        line = self.receive("syslog", b"connect_get_hostname")
        self.assertRegex(line, rb"^<31>\w{3} [ \d]\d \d\d:\d\d:\d\d tester\[\d+\]: rpc\.dispatch: ")
        entry = self.receive("journal", b"connect_get_hostname")
        fields = dict(field.split(b"=", 1) for field in entry.splitlines())
        self.assertIn(b"connect_get_hostname", fields[b"MESSAGE"])
        self.assertEqual(fields[b"PRIORITY"], b"7")
        self.assertEqual(fields[b"SYSLOG_IDENTIFIER"], b"reeved")
        self.assertTrue(fields[b"CODE_FILE"].endswith(b"rpc/dispatch.c"), fields)
        self.assertIn(b"CODE_LINE", fields)

    def test_one_that_was_started_anew(self):
        self.set_outputs("1:syslog:tester")
        run(REEVE, "-c", self.reeved.shell_uri, "hostname")
        self.receive("syslog", b"connect_get_hostname")
        self.forget("syslog")
        run(REEVE, "-c", self.reeved.shell_uri, "uri")
        # nobody took it: it is on standard error
        wait_for("a line", lambda: "connect_get_uri" in self.reeved.log())
        self.listen("syslog")
        run(REEVE, "-c", self.reeved.shell_uri, "hostname")
        self.receive("syslog", b"could not be written")
        self.receive("syslog", b"connect_get_hostname")


if __name__ == "__main__":
    harness.main("virsh", "virt-admin", "libvirtd", "unshare", "setpriv", "qemu-system-x86_64")
