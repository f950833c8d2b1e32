# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of every kind are served by a daemon that spreads them over threads."""
import json
import os
import re
import socket
import subprocess

import harness
from harness import REEVE, REEVED, Reeved, run, wait_for

PIPELINE = os.environ.get("REEVE_PIPELINE", "")
N_THREADS = 2
CALLERS = 8
SUBSCRIBERS = 4
CONFIG = f"[server]\nio_threads = {N_THREADS}\n[listen]\naddresses = ptls:127.0.0.1:0\n"


def pki(*words):
    run(REEVE, "pki", *words)


class IoThreads(harness.TestCase):
    with_reeved = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reeved = Reeved(cls.directory, CONFIG)
        ca, cls.alice = cls.path("ca"), cls.path("alice")
        pki("ca", ca, "C=GB,CN=CA")
        pki("server", f"{cls.reeved.root}/etc/pki", "localhost", "127.0.0.1", "--ca", ca)
        pki("client", cls.alice, "C=GB,CN=alice", "--ca", ca)
        with open(f"{ca}/cacert.pem", "rb") as file, \
                open(f"{cls.alice}/cacert.pem", "wb") as copy:
            copy.write(file.read())
        cls.reeved.start()
        cls.addClassCleanup(cls.stop_reeved)

    def counters(self):
        (metrics,) = json.loads(run(REEVE, "--json", "-c", self.reeved.shell_uri, "srv-metrics",
                                    "reeved").stdout)
        return metrics["counters"]

    def count(self):
        counters = self.counters()
        return [counters[f"clients_io_{i + 1}"] for i in range(N_THREADS)]

    def threads(self):
        tasks = f"/proc/{self.reeved.process.pid}/task"
        return sorted(harness.read(f"{tasks}/{task}/comm").strip() for task in os.listdir(tasks))

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(harness.WAIT_S)
        client.connect(self.reeved.socket)
        self.addCleanup(client.close)
        return client

    def test_clients_are_spread(self):
        """Each thread has its share, and metrics say so."""
        wait_for("server without clients", lambda: sum(self.count()) == 0)
        clients = [self.connect() for _ in range(10 * N_THREADS)]
        wait_for("server with all of them", lambda: sum(self.count()) == len(clients))
        for n_clients in self.count():
            self.assertEqual(n_clients, 10)
        self.assertEqual(self.counters()["io_threads"], N_THREADS)
        self.assertEqual([name for name in self.threads() if name.startswith("io-")],
                         [f"io-{i + 1}" for i in range(N_THREADS)])

    def test_stock_programs(self):
        """virsh by unix, TCP and TLS; virt-admin."""
        port = re.search(r"ptls:127\.0\.0\.1:(\d+)", self.reeved.log()).group(1)
        tls = f"qemu+tls://127.0.0.1:{port}/system?pkipath={self.alice}"
        xml = self.path("one.xml")
        with open(xml, "w", encoding="utf-8") as file:
            file.write(harness.machine_xml("one"))
        for uri in self.reeved.unix_uri, self.reeved.tcp_uri, tls:
            self.assertIn("defined", run("virsh", "-c", uri, "define", xml).stdout)
            self.assertIn("one", run("virsh", "-c", uri, "list", "--all").stdout)
            self.assertIn("undefined", run("virsh", "-c", uri, "undefine", "one").stdout)
        admin = ["virt-admin", "-c", f"libvirtd:///system?socket={self.reeved.admin_socket}"]
        client = self.connect()
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"reeve.ping"}')
        self.assertEqual(json.loads(client.recv(4096))["id"], 1)
        rows = run(*admin, "client-list", "reeved").stdout.splitlines()
        number = max(int(row.split()[0]) for row in rows[2:] if row.strip())
        run(*admin, "client-disconnect", "reeved", str(number))
        self.assertEqual(client.recv(4096), b"")

    def test_json_in_order(self):
        """Calls for the daemon's own thread are answered in their order."""
        client = self.connect()
        calls = [{"jsonrpc": "2.0", "id": i, "method": method, "params": params}
                 for i, (method, params) in enumerate(
                     [("resource.resolve", {"path": "/", "follow": True}), ("reeve.ping", {})] * 50)]
        client.sendall("".join(json.dumps(call) for call in calls).encode())
        with client.makefile() as lines:
            replies = [json.loads(lines.readline()) for _ in calls]
        self.assertEqual([reply for reply in replies if "result" not in reply], [])
        seen = [reply["id"] for reply in replies]
        self.assertEqual(sorted(seen), list(range(len(calls))))
        self.assertEqual([i for i in seen if i % 2 == 0], list(range(0, len(calls), 2)))

    def test_takeover_under_load(self):
        """To a daemon with other threads, to one with none, and back."""
        load = subprocess.Popen(
            [PIPELINE, f"unix:{self.reeved.socket}", f"tcp:127.0.0.1:{self.reeved.port}",
             str(CALLERS), str(SUBSCRIBERS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(load.stdout.readline(), "ready\n")
        for number, config in enumerate(
                [CONFIG.replace(f"= {N_THREADS}", "= 3"), CONFIG.replace(f"= {N_THREADS}", "= 0"),
                 CONFIG]):
            old = self.reeved
            new = Reeved(self.directory, config)
            new.log_path = self.path(f"reeved-{number}.log")
            new.words = [REEVED, *new.words[1:], "--takeover"]
            new.start()
            type(self).reeved = new
            self.assertEqual(old.process.wait(harness.WAIT_S), 0, old.log())
            self.assertNotIn("Sanitizer", old.log())
        out, _ = load.communicate(timeout=4 * harness.WAIT_S)
        seen = json.loads(out)
        self.assertEqual([seen[name] for name in ("failed", "dropped", "misplaced")], [0, 0, 0])
        self.assertGreater(seen["calls"], 100)
        self.assertEqual(seen["events"], [seen["expected"]] * SUBSCRIBERS)
        self.assertEqual(self.counters()["io_threads"], N_THREADS)

    def test_bad_number(self):
        """More than there may be are refused by --check-config."""
        root = self.path("bad")
        os.makedirs(f"{root}/etc")
        with open(f"{root}/etc/reeved.conf", "w", encoding="utf-8") as file:
            file.write("[server]\nio_threads = 65\n")
        done = run(REEVED, "--root", root, "--check-config", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("io_threads", done.stderr)


if __name__ == "__main__":
    harness.main("qemu-system-x86_64", "virsh", "virt-admin", "certtool")
