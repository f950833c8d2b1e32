# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start in the background, supervision, and the end of a daemon."""
import json
import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import threading
import time

try:
    import libvirt
except ImportError:
    libvirt = None

import harness
from harness import REEVED, read, run, wait_for

# it would make an exit of a crash
os.environ["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + ":handle_segv=0"
CRASHES = (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT)


def status_of(pid, name):
    """A line of /proc/PID/status."""
    found = re.search(rf"^{name}:\s*(.*)$", read(f"/proc/{pid}/status"), re.M)
    return found.group(1) if found else None


def parent_of(pid):
    return int(status_of(pid, "PPid"))


def is_alive(pid):
    return status_of(pid, "State") not in (None, "Z (zombie)")


def title_of(pid):
    return read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")[0]


class Life(harness.TestCase):
    with_reeved = False

    def setUp(self):
        self.root = self.path(self._testMethodName)
        self.socket = f"{self.root}/run/reeved.sock"
        self.pid_path = f"{self.root}/run/reeved.pid"
        self.uri = f"qemu+unix:///system?socket={self.socket}"
        os.makedirs(f"{self.root}/etc")
        self.addCleanup(self.leave_nothing)

    def leave_nothing(self):
        try:
            wait_for("end of all processes",
                     lambda: harness.reap() or not harness.descendants())
        finally:
            harness.end_all()

    def configure(self, text):
        with open(f"{self.root}/etc/reeved.conf", "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *options, check=True, **more):
        return run(REEVED, "--root", self.root, *options, check=check, **more)

    def pid(self):
        return int(read(self.pid_path) or "0")

    def stop(self, pid=None, number=signal.SIGTERM):
        pid = pid or self.pid()
        os.kill(pid, number)
        wait_for("end", lambda: harness.reap() or not is_alive(pid))

    def log(self):
        return read(f"{self.root}/log/reeved.log")


class Background(Life):
    def test_it_serves_when_the_command_returns(self):
        done = self.start("--detach")
        self.assertEqual(done.stdout + done.stderr, "")
        run("virsh", "-c", self.uri, "list")
        pid = self.pid()
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/{number}"), "/dev/null")
        self.assertEqual(os.getsid(pid), pid)
        self.assertIn("is ready", self.log())
        self.stop()
        self.assertFalse(os.path.exists(self.pid_path))
        self.assertFalse(os.path.exists(self.socket))

    def check_refused(self, status, words, *options):
        before = harness.descendants()
        for more in ((), ("--monitor",)):
            done = self.start("--detach", *more, *options, check=False)
            self.assertEqual(done.returncode, status)
            self.assertIn(words, done.stderr)
            # it is said once
            self.assertEqual(done.stderr.count(words), 1)
        harness.reap()
        self.assertEqual(harness.descendants(), before)

    def test_a_bad_address_fails_the_command(self):
        self.check_refused(1, "Cannot assign requested address",
                           "--listen", "ptcp:192.0.2.1:1")
        self.assertFalse(os.path.exists(self.pid_path))
        self.assertFalse(os.path.exists(self.socket))

    def test_a_bad_configuration_fails_the_command(self):
        self.configure("[server]\nmax_clients = none\n")
        self.check_refused(6, "max_clients")

    def test_a_directory_that_cannot_be_made_fails_the_command(self):
        with open(f"{self.root}/lib", "w", encoding="utf-8"):
            pass
        self.check_refused(1, "Cannot make")

    def test_a_second_daemon_fails_the_command(self):
        self.start("--detach")
        self.check_refused(1, f"process {self.pid()} is running there")
        run("virsh", "-c", self.uri, "list")
        self.stop()

    def test_a_death_before_it_is_ready_fails_the_command(self):
        """It waits for a definition that does not come to its end."""
        os.makedirs(f"{self.root}/lib/pools")
        os.mkfifo(f"{self.root}/lib/pools/default.xml")
        for more in ((), ("--monitor",)):
            starter = subprocess.Popen([REEVED, "--root", self.root, "--detach", *more],
                                       stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, "LC_ALL": "C"})
            pid = wait_for("pid", self.pid)
            os.kill(pid, signal.SIGKILL)
            said = starter.communicate(timeout=harness.WAIT_S)[1]
            self.assertEqual(starter.returncode, 1)
            self.assertIn("ended before it was ready: killed (Killed)", said)
            os.unlink(self.pid_path)

    def test_of_many_starts_at_once_one_wins(self):
        starters = [subprocess.Popen([REEVED, "--root", self.root, "--detach"],
                                     stderr=subprocess.PIPE, text=True,
                                     env={**os.environ, "LC_ALL": "C"})
                    for _ in range(8)]
        said = [starter.communicate(timeout=harness.WAIT_S)[1] for starter in starters]
        self.assertEqual(sorted(starter.returncode for starter in starters), [0] + [1] * 7)
        self.assertEqual(sum("is locked: process" in text for text in said), 7, said)
        run("virsh", "-c", self.uri, "list")
        self.stop()

    def test_relative_paths_are_those_of_the_command(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.root = os.path.basename(self.root)
        self.start("--detach", "--listen", "punix:here.sock", "--pidfile=named.pid")
        self.assertTrue(os.path.exists("here.sock"))
        pid = int(read(f"{self.root}/run/named.pid"))
        self.stop(pid)
        self.assertFalse(os.path.exists("here.sock"))
        self.assertFalse(os.path.exists(f"{self.root}/run/named.pid"))

    def test_it_stays_where_it_is_told_to(self):
        os.mkdir(self.path("work"))
        for options, config, place in (
                (["--no-chdir"], "", os.getcwd()),
                ([], f"[daemon]\ndirectory = {self.path('work')}\n", self.path("work"))):
            self.configure(config)
            self.start("--detach", *options)
            self.assertEqual(os.readlink(f"/proc/{self.pid()}/cwd"), place)
            self.stop()


class PidFile(Life):
    def test_a_number_of_another_process_does_not_matter(self):
        """It was left by a daemon whose number is somebody else's now."""
        os.makedirs(f"{self.root}/run")
        with open(self.pid_path, "w", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        self.start("--detach")
        self.assertNotEqual(self.pid(), os.getpid())
        self.stop()

    def test_a_file_of_a_killed_daemon_does_not_matter(self):
        self.start("--detach")
        self.stop(number=signal.SIGKILL)
        self.assertTrue(os.path.exists(self.pid_path))
        self.start("--detach")
        self.stop()

    def test_a_file_that_another_put_there_stays(self):
        self.start("--detach")
        pid = self.pid()
        os.unlink(self.pid_path)
        with open(self.pid_path, "w", encoding="utf-8") as file:
            file.write("1\n")
        self.stop(pid)
        self.assertEqual(read(self.pid_path), "1\n")


class Sockets(Life):
    def test_a_busy_socket_is_not_taken_for_a_stale_one(self):
        """Nobody can connect, as its queue is full; but somebody listens."""
        path = self.path("busy.sock")
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(path)
            busy.listen(0)
            waiting = []
            self.addCleanup(lambda: [client.close() for client in waiting])
            while not waiting or waiting[-1] is not None:
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                try:
                    client.connect(path)
                except BlockingIOError:
                    client.close()
                    break
                waiting.append(client)
            inode = os.stat(path).st_ino
            done = self.start("--listen", f"punix:{path}", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("another process listens there", done.stderr)
            self.assertEqual(os.stat(path).st_ino, inode)

    def test_a_file_in_the_way_stays(self):
        path = self.write("precious", "data")
        done = self.start("--listen", f"punix:{path}", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(read(path), "data")

    def test_a_socket_that_another_put_there_stays(self):
        path = self.path("other.sock")
        self.start("--detach", "--listen", f"punix:{path}")
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.stop()
            self.assertTrue(os.path.exists(path))

    def test_idle_clients_do_not_hold_up_the_end(self):
        self.start("--detach")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(self.socket)
            virsh = subprocess.Popen(["virsh", "-c", self.uri], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            virsh.stdin.write(b"list\n")
            virsh.stdin.flush()
            while b"Id" not in virsh.stdout.readline():
                pass
            start = time.monotonic()
            self.stop()
            self.assertLess(time.monotonic() - start, 10)
            self.assertEqual(silent.recv(1), b"")
            virsh.communicate(b"quit\n", timeout=harness.WAIT_S)

    def test_a_full_table_of_files_costs_no_processor(self):
        """Clients that find no room are refused, and come in when there is."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, before[1]))
        try:
            self.start("--detach")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        pid = self.pid()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        for client in clients:
            client.connect(self.socket)
        clients[-1].settimeout(harness.WAIT_S)
        self.assertEqual(clients[-1].recv(1), b"")

        def ticks():
            words = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            return int(words[11]) + int(words[12])

        start = ticks()
        time.sleep(0.5)
        self.assertLess(ticks() - start, 20)
        for client in clients:
            client.close()
        wait_for("room", lambda: run("virsh", "-c", self.uri, "list",
                                     check=False).returncode == 0)
        self.stop()


class Configuration(Life):
    def test_each_mistake_is_named_with_its_line(self):
        self.configure("[server]\nmax_clients = 0\nmax_client = 1\n\n[log]\nlevel = loud\n")
        os.mkdir(f"{self.root}/etc/reeved.conf.d")
        drop_in = f"{self.root}/etc/reeved.conf.d/10.conf"
        with open(drop_in, "w", encoding="utf-8") as file:
            file.write("[daemon]\numask 7\n")
        done = self.start("--check-config", check=False)
        self.assertEqual(done.returncode, 6)
        for words in (f"error: .*{self.root}/etc/reeved.conf:2: \\[server\\] max_clients: ",
                      f"warning: .*{self.root}/etc/reeved.conf:3: \\[server\\] max_client: "
                      "unknown key", f"error: .*{self.root}/etc/reeved.conf:6: ",
                      f"error: .*{drop_in}:2: "):
            self.assertRegex(done.stderr, words)
        # it touches nothing
        self.assertEqual(os.listdir(self.root), ["etc"])


class Process(Life):
    def test_what_the_configuration_says(self):
        self.configure("[daemon]\numask = 027\noom_score_adjust = 321\nmax_files = 777\n")
        self.start("--detach")
        pid = self.pid()
        self.assertEqual(status_of(pid, "Umask"), "0027")
        self.assertEqual(read(f"/proc/{pid}/oom_score_adj"), "321\n")
        self.assertRegex(read(f"/proc/{pid}/limits"), r"Max open files +777 ")
        # what keeps or ends the daemon is not for machines
        if os.geteuid() == 0:
            run("virsh", "-c", self.uri, "create", self.write("m.xml", self.boot_xml("m")))
            [[qemu]] = harness.qemus().values()
            self.assertEqual(read(f"/proc/{qemu}/oom_score_adj"), "0\n")
            run("virsh", "-c", self.uri, "destroy", "m")
        self.stop()

    def test_what_it_cannot_say(self):
        for text, words in (("umask = 8", "umask: “8” is not a umask"),
                            ("oom_score_adjust = 1001", "oom_score_adjust"),
                            ("max_files = 1", "max_files"),
                            ("user = nobody-at-all", "no user “nobody-at-all”"),
                            ("user = root:no-group", "no group “no-group”")):
            self.configure(f"[daemon]\n{text}\n")
            done = self.start("--detach", check=False)
            self.assertIn(done.returncode, (1, 6))
            self.assertIn(words, done.stderr)

    def test_root_becomes_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can")
        os.chmod(self.directory, 0o755)
        nobody = pwd.getpwnam("nobody")
        for options in ((), ("--monitor",)):
            self.start("--detach", "--user=nobody", *options)
            pid = self.pid()
            self.assertEqual(status_of(pid, "Uid").split(), [str(nobody.pw_uid)] * 4)
            self.assertEqual(status_of(pid, "Gid").split(), [str(nobody.pw_gid)] * 4)
            self.assertEqual(status_of(pid, "Groups").strip(), str(nobody.pw_gid))
            for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"):
                self.assertEqual(int(status_of(pid, name), 16), 0, name)
            self.assertEqual(status_of(pid, "NoNewPrivs"), "1")
            for path in (self.socket, self.pid_path, f"{self.root}/log/reeved.log"):
                self.assertEqual(os.stat(path).st_uid, nobody.pw_uid, path)
            run("virsh", "-c", self.uri, "list")
            self.stop()


class Monitor(Life):
    def configure(self, text=""):
        super().configure("[daemon]\nrestart_interval = 0\n" + text)

    def setUp(self):
        super().setUp()
        self.configure()

    def monitor(self):
        return parent_of(self.pid())

    def wait_for_another(self, pid):
        """One that serves, which is not the same as one that has the file."""
        new = wait_for("restart", lambda: self.pid() not in (0, pid) and self.pid())
        wait_for("service", lambda: self.log().count("is ready") >= self.n_starts)
        return new

    def crash(self, number):
        pid = self.pid()
        self.n_starts = self.log().count("is ready") + 1
        os.kill(pid, number)
        return self.wait_for_another(pid)

    def test_a_crash_is_followed_by_another_start(self):
        self.start("--detach", "--monitor")
        monitor = self.monitor()
        self.assertRegex(title_of(monitor), r"^reeved: monitoring pid \d+ \(healthy\)$")
        for number, signum in enumerate(CRASHES):
            pid = self.crash(signum)
            self.assertEqual(parent_of(pid), monitor)
            wait_for("title", lambda: title_of(monitor).startswith(
                f"reeved: monitoring pid {pid} ({number + 1} crashes: "))
            self.assertEqual(title_of(pid), REEVED)
            run("virsh", "-c", self.uri, "list")
        self.stop()
        wait_for("end of the monitor", lambda: harness.reap() or not is_alive(monitor))
        self.assertFalse(os.path.exists(self.pid_path))
        self.assertFalse(os.path.exists(self.socket))

    def test_no_connection_is_refused_meanwhile(self):
        """Whoever comes between two daemons waits for the second."""
        port = harness.free_port()
        self.start("--detach", "--monitor", "--listen", f"ptcp:127.0.0.1:{port}")
        is_done = threading.Event()
        counts, failures = {"unix": 0, "tcp": 0}, []

        def connect(name, make):
            while not is_done.is_set():
                try:
                    make().close()
                    counts[name] += 1
                except OSError as error:
                    failures.append(f"{name}: {error}")
                    return

        def unix():
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.socket)
            return client

        threads = [threading.Thread(target=connect, args=("unix", unix)),
                   threading.Thread(target=connect, args=(
                       "tcp", lambda: socket.create_connection(("127.0.0.1", port))))]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.crash(signal.SIGKILL)
            # this one may have come before the restart
            run("virsh", "-c", f"qemu+tcp://127.0.0.1:{port}/system", "list")
        is_done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(counts.values()), 5)
        self.stop()

    def test_who_works_meanwhile_goes_on(self):
        """Calls that are safe to repeat succeed, subscriptions and machines live."""
        self.start("--detach", "--monitor")
        run("virsh", "-c", self.uri, "create", self.write("w.xml", self.boot_xml("w")))
        qemus = harness.qemus()
        uri = f"unix:{self.socket}"
        events_path = self.path("events")
        with open(events_path, "w", encoding="utf-8") as out:
            events = subprocess.Popen(
                [harness.REEVE, "-c", uri, "--json", "event", "--loop"],
                stdout=out, stderr=subprocess.DEVNULL)

        def count(word):
            return read(events_path).count(word)

        def hear(word, *command):
            before = count(word)
            run("virsh", "-c", self.uri, *command, "w")
            wait_for(word, lambda: count(word) > before)

        wait_for("a subscription", lambda: run(
            "virsh", "-c", self.uri, "desc", "w", "--title", "a title") and
            count("metadata-change"))
        load = subprocess.Popen(
            [os.environ["REEVE_LOAD"], uri, "4", "3000", "lasting"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4):
            self.assertEqual(load.stdout.readline(), "connected\n")
        kills = 0
        while load.poll() is None and kills < 5:
            self.crash(signal.SIGKILL)
            kills += 1
            wait_for("the subscription", lambda: count('"restored"') == kills)
            hear("lifecycle", "suspend")
            hear("lifecycle", "resume")
        out, err = load.communicate(timeout=harness.WAIT_S * 2)
        self.assertGreater(kills, 0)
        self.assertEqual((json.loads(out)["failed"], err, load.returncode), (0, "", 0))
        self.assertEqual(harness.qemus(), qemus)
        events.terminate()
        events.wait(harness.WAIT_S)
        run("virsh", "-c", self.uri, "destroy", "w")
        self.stop()

    def test_machines_are_kept(self):
        self.start("--detach", "--monitor")
        run("virsh", "-c", self.uri, "create", self.write("m.xml", self.boot_xml("m")))
        qemus = harness.qemus()
        self.crash(signal.SIGKILL)
        self.assertIn("running", run("virsh", "-c", self.uri, "domstate", "m").stdout)
        self.assertEqual(harness.qemus(), qemus)
        run("virsh", "-c", self.uri, "destroy", "m")
        self.stop()

    def test_the_monitor_takes_the_daemon_with_it(self):
        self.start("--detach", "--monitor")
        pid, monitor = self.pid(), self.monitor()
        self.stop(monitor)
        self.assertFalse(is_alive(pid))
        self.assertFalse(os.path.exists(self.pid_path))
        self.assertFalse(os.path.exists(self.socket))

    def test_the_configuration_is_read_anew(self):
        self.start("--detach", "--monitor")
        self.configure("[server]\nmax_clients = 7\n")
        self.crash(signal.SIGSEGV)
        limits = run("virt-admin", "-c", f"libvirtd:///system?socket={self.root}/run/"
                     "reeved-admin.sock", "server-clients-info", "reeved").stdout
        self.assertRegex(limits, r"nclients_max *: 7")
        # a mistake in it ends both
        monitor = self.monitor()
        self.configure("[server]\nmax_clients = none\n")
        os.kill(self.pid(), signal.SIGSEGV)
        wait_for("end of the monitor", lambda: harness.reap() or not is_alive(monitor))
        self.assertIn("max_clients", self.log())

    def test_crashes_that_follow_each_other_are_apart(self):
        super().configure("[daemon]\nrestart_interval = 1\n")
        self.start("--detach", "--monitor")
        start = time.monotonic()
        self.crash(signal.SIGSEGV)
        self.crash(signal.SIGSEGV)
        # one second from the first start after a crash to the second
        self.assertGreater(time.monotonic() - start, 1)
        self.assertRegex(self.log(), r"Crash 1: .*\(.*\); it is started again\n|"
                         r"Crash 1: .*, core dumped; it is started again\n")
        self.assertRegex(self.log(), r"Crash 2: .*; it is started again in \d seconds\n")
        # told to stop while it waits, the monitor does not
        monitor = self.monitor()
        os.kill(self.pid(), signal.SIGSEGV)
        wait_for("wait", lambda: "waiting to start" in title_of(monitor))
        self.stop(monitor)
        self.assertNotIn(REEVED, harness.descendants().values())

    def test_a_daemon_that_hangs_is_a_crash(self):
        self.configure("watchdog = 1\n")
        self.start("--detach", "--monitor")
        pid = self.pid()
        self.n_starts = 2
        time.sleep(1.2)
        self.assertEqual(self.pid(), pid)
        os.kill(pid, signal.SIGSTOP)
        self.wait_for_another(pid)
        self.assertIn(f"Process {pid} gives no sign of life", self.log())
        run("virsh", "-c", self.uri, "list")
        self.stop()

    def test_one_core_dump_is_enough(self):
        if harness.SANITIZED:
            return  # such a build makes none
        if read("/proc/sys/kernel/core_pattern").startswith("|"):
            self.skipTest("core dumps go to a program")
        before = resource.getrlimit(resource.RLIMIT_CORE)
        if before[1] == 0:
            self.skipTest("core dumps are forbidden")
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        self.configure(f"directory = {self.root}\n")
        try:
            self.start("--detach", "--monitor")
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)
        self.assertNotRegex(read(f"/proc/{self.pid()}/limits"), "Max core file size +0 ")
        self.crash(signal.SIGABRT)
        if "core dumped" not in self.log():
            self.skipTest("the kernel made no core dump")
        self.assertRegex(read(f"/proc/{self.pid()}/limits"), "Max core file size +0 +0 ")
        self.stop()

    def connect(self):
        """A client that does not connect twice."""
        peer = libvirt.open(self.uri)
        self.addCleanup(peer.close)
        return peer

    def test_takeover_from_one_monitor_to_another(self):
        self.start("--detach", "--monitor")
        client = self.connect()
        for number in range(2):
            pid, monitor = self.pid(), self.monitor()
            self.start("--takeover", "--detach", "--monitor")
            # the old monitor takes no part in it, and takes nothing with it
            wait_for("end of the old ones", lambda: harness.reap() or not (
                is_alive(pid) or is_alive(monitor)))
            self.assertEqual(self.monitor(), parent_of(self.pid()))
            self.assertRegex(title_of(self.monitor()),
                             rf"^reeved: monitoring pid {self.pid()} \(healthy\)$")
            self.assertEqual(client.listAllDomains(), [])
            run("virsh", "-c", self.uri, "list")
            self.assertIn(f"Process {pid}: exit status 0; it is not started again", self.log())
            # the one that took over is started again, and takes over no more
            if number == 0:
                monitor = self.monitor()
                self.assertEqual(parent_of(self.crash(signal.SIGKILL)), monitor)
                run("virsh", "-c", self.uri, "list")
                client = self.connect()
        self.stop(self.monitor())
        self.assertFalse(os.path.exists(self.pid_path))
        self.assertFalse(os.path.exists(self.socket))

    def test_a_takeover_that_crashes_is_not_tried_again(self):
        self.start("--detach", "--monitor")
        client = self.connect()
        pid, monitor = self.pid(), self.monitor()
        successor = subprocess.Popen(
            [REEVED, "--root", self.root, "--takeover", "--monitor"],
            stderr=subprocess.DEVNULL, env={**os.environ, "REEVE_TAKEOVER_STOP": "restored"})

        def find_stopped():
            return [child for child in harness.descendants()
                    if status_of(child, "PPid") == str(successor.pid)
                    and status_of(child, "State") == "T (stopped)"]

        [child] = wait_for("stop", find_stopped)
        os.kill(child, signal.SIGKILL)
        self.assertEqual(successor.wait(harness.WAIT_S), 1)
        wait_for("end of the attempt", lambda: "No takeover" in self.log())
        self.assertEqual((self.pid(), self.monitor()), (pid, monitor))
        self.assertEqual(client.listAllDomains(), [])
        self.crash(signal.SIGKILL)
        self.assertEqual(self.monitor(), monitor)
        self.stop()

    def test_in_the_foreground_its_status_is_that_of_the_daemon(self):
        monitor = subprocess.Popen([REEVED, "--root", self.root, "--monitor"],
                                   stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
        pid = wait_for("pid", self.pid)
        # TSan's runtime loses a signal that meets the first wait of a thread
        wait_for("an answer", lambda: run("virsh", "-c", self.uri, "list",
                                          check=False).returncode == 0)
        self.assertEqual(parent_of(pid), monitor.pid)
        # a signal that no crash brings ends both
        os.kill(pid, signal.SIGTERM)
        said = monitor.communicate(timeout=harness.WAIT_S)[1].decode()
        self.assertEqual(monitor.returncode, 0)
        self.assertIn("it is not started again", said)

    def test_systemd_hears_of_the_daemon_by_the_monitor(self):
        supervisor = harness.Supervisor(self.path("notify"))
        self.addCleanup(supervisor.close)
        monitor = subprocess.Popen(
            [REEVED, "--root", self.root, "--monitor"], stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "NOTIFY_SOCKET": supervisor.path,
                 "WATCHDOG_USEC": "200000", "WATCHDOG_PID": ""})
        supervisor.wait_for("READY", "1")
        pid = self.pid()
        os.kill(pid, signal.SIGHUP)
        supervisor.wait_for("RELOADING", "1")
        supervisor.wait_for("READY", "1")
        os.kill(pid, signal.SIGKILL)
        supervisor.wait_for("READY", "1")
        monitor.terminate()
        supervisor.wait_for("STOPPING", "1")
        self.assertEqual(monitor.wait(harness.WAIT_S), 0)
        # what it keeps is its own affair
        self.assertEqual(supervisor.fds, {})


if __name__ == "__main__":
    if libvirt:
        libvirt.registerErrorHandler(lambda _, error: None, None)
    harness.main("libvirt-python", "virsh", "virt-admin")
