/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine-fixture.h"

#include "event/fd.h"
#include "event/process-stat.h"
#include "machine/process.h"
#include "machine/run-dir.h"
#include "machine/status.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A daemon that ends, in every way, while machines run: a child of the test
 * plays it. */

/* How many QEMUs of this test's machine there are. */
static unsigned
count_processes (Fixture *fixture)
{
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  const char *name;
  unsigned n = 0;

  while ((name = g_dir_read_name (proc)) != NULL) {
    pid_t pid = atoi (name);
    ReeveProcessStat stat;

    n += pid > 0 && reeve_process_has_argument (pid, fixture->uuid) &&
         reeve_process_stat_read (pid, &stat) && stat.state != 'Z';
  }
  return n;
}

typedef struct {
  Guest guest;
  const char *more;
  ReeveMachineStartFlags flags;
  gint64 kill_after_us; /* from the asking for the start; -1: once it runs */
  gboolean is_transient;
} Holder;

static ReeveMachine *
hold_machine (Fixture *fixture, const Holder *holder, Ended *ended)
{
  g_autofree char *xml = NULL;
  g_autoptr (ReeveConfig) config = NULL;
  ReeveMachine *machine;

  if (!holder->is_transient) {
    machine = fixture_define (fixture, holder->guest, holder->more);
    reeve_machine_start (machine, holder->flags, fixture, G_MAXINT64, on_ended,
                         ended);
    return machine;
  }

  xml = fixture_make_xml (fixture, "web", holder->guest, holder->more);
  config = reeve_config_new_from_xml (xml, NULL);
  return reeve_machine_list_create (fixture->list, config, holder->flags,
                                    fixture, G_MAXINT64, on_ended, ended, NULL);
}

/* The life of a daemon that is killed. */
static void
play_daemon (Fixture *fixture, const Holder *holder)
{
  Ended ended = { 0 };
  gint64 end_us = g_get_monotonic_time () + holder->kill_after_us;

  fixture_open_list (fixture);
  hold_machine (fixture, holder, &ended);
  while (holder->kill_after_us < 0 ? ended.n_calls == 0
                                   : g_get_monotonic_time () < end_us)
    g_main_context_iteration (reeve_loop_get_context (fixture->loop), FALSE);
  raise (SIGKILL);
}

static void
run_daemon (Fixture *fixture, const Holder *holder)
{
  pid_t pid;

  fixture_close_list (fixture);
  pid = fork ();
  if (pid == 0)
    play_daemon (fixture, holder);
  waitpid (pid, NULL, 0);
}

static ReeveMachine *
find_machine (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  ReeveMachine *machine =
      reeve_machine_list_lookup_name (fixture->list, "web", &error);

  g_assert_no_error (error);
  return machine;
}

static void
turn_until_state (Fixture *fixture, ReeveMachine *machine, const char *state)
{
  for (;;) {
    g_autofree char *now = fixture_get_state (machine);

    if (g_str_equal (now, state))
      return;
    fixture_turn (fixture);
  }
}

static void
test_after_a_kill (Fixture *fixture)
{
  Holder holder = { .guest = GUEST_IDLE, .more = "", .kill_after_us = -1 };
  g_autoptr (ReeveMachine) machine = NULL;

  run_daemon (fixture, &holder);
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  assert_state (machine, "1/1");
  g_assert_cmpint (fixture_get_id (machine), ==, 1);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                   0);
  assert_state (machine, "3/1");
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  assert_state (machine, "5/2");
  g_assert_cmpuint (count_processes (fixture), ==, 0);

  /* numbers go on from where they were */
  fixture_start (fixture, machine, 0);
  g_assert_cmpint (fixture_get_id (machine), ==, 2);
}

static void
test_after_an_orderly_end (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  pid_t pid;

  fixture_start (fixture, machine, 0);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                   0);
  pid = fixture_get_pid (machine);
  g_clear_pointer (&machine, reeve_machine_unref);

  fixture_restart (fixture);
  machine = find_machine (fixture);
  assert_state (machine, "3/1");
  g_assert_cmpint (fixture_get_pid (machine), ==, pid);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_resume), ==, 0);
}

/* Killed at any moment of a start: one QEMU at most, and the one is known. */
static void
test_killed_while_starting (Fixture *fixture)
{
  for (gint64 after_us = 0; after_us < 45000; after_us += 1500) {
    Holder holder = {
      .guest = GUEST_IDLE,
      .more = "",
      .kill_after_us = after_us,
    };
    g_autoptr (ReeveMachine) machine = NULL;
    unsigned n_processes;

    run_daemon (fixture, &holder);
    fixture_open_list (fixture);
    machine = find_machine (fixture);
    n_processes = count_processes (fixture);
    g_assert_cmpuint (n_processes, <=, 1);
    g_assert_cmpint (fixture_get_id (machine) > 0, ==, n_processes == 1);
    if (n_processes == 1) {
      turn_until_state (fixture, machine, "1/1");
      g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
    }
    g_assert_cmpuint (count_processes (fixture), ==, 0);
    fixture_start (fixture, machine, 0);
    g_assert_cmpuint (count_processes (fixture), ==, 1);
    g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  }
}

static void
test_killed_while_starting_paused (Fixture *fixture)
{
  for (gint64 after_us = 4000; after_us < 40000; after_us += 6000) {
    Holder holder = {
      .guest = GUEST_IDLE,
      .more = "",
      .flags = REEVE_MACHINE_START_PAUSED,
      .kill_after_us = after_us,
    };
    g_autoptr (ReeveMachine) machine = NULL;

    run_daemon (fixture, &holder);
    fixture_open_list (fixture);
    machine = find_machine (fixture);
    if (fixture_get_id (machine) > 0) {
      turn_until_state (fixture, machine, "3/1");
      g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
    }
  }
}

static void
test_a_transient_one (Fixture *fixture)
{
  Holder holder = {
    .guest = GUEST_IDLE,
    .more = "",
    .kill_after_us = -1,
    .is_transient = TRUE,
  };
  g_autoptr (ReeveMachine) machine = NULL;

  run_daemon (fixture, &holder);
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  g_assert_cmpuint (
      reeve_machine_list_count (fixture->list, REEVE_MACHINES_TRANSIENT), ==,
      1);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_assert_cmpuint (reeve_machine_list_count (fixture->list, 0), ==, 0);
}

static void
test_autodestroy_ends_it (Fixture *fixture)
{
  Holder holder = {
    .guest = GUEST_IDLE,
    .more = "",
    .flags = REEVE_MACHINE_START_AUTODESTROY,
    .kill_after_us = -1,
  };
  g_autoptr (ReeveMachine) machine = NULL;

  run_daemon (fixture, &holder);
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  turn_until_state (fixture, machine, "5/2");
  g_assert_cmpuint (count_processes (fixture), ==, 0);
}

/* The guest powers off while nobody listens. */
static void
test_powered_off_meanwhile (Fixture *fixture)
{
  Holder holder = {
    .guest = GUEST_POWER_OFF,
    .more = "",
    .flags = REEVE_MACHINE_START_PAUSED,
    .kill_after_us = -1,
  };
  g_autoptr (ReeveMachine) machine = NULL;
  Ended ended = { 0 };

  run_daemon (fixture, &holder);
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  /* let it run, and be gone before it is down */
  reeve_machine_execute (machine, "cont", NULL, G_MAXINT64, NULL, NULL);
  reeve_machine_monitor_command (machine, "{\"execute\":\"query-status\"}",
                                 FALSE, -1, G_MAXINT64, on_text, &ended);
  fixture_wait (fixture, &ended.n_calls);
  ended_clear (&ended);
  g_clear_pointer (&machine, reeve_machine_unref);
  fixture_close_list (fixture);
  g_usleep (300000);

  fixture_open_list (fixture);
  machine = find_machine (fixture);
  turn_until_state (fixture, machine, "5/1");
}

static void
test_died_meanwhile (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  g_autofree char *run =
      g_build_filename (fixture->run_dir, fixture->uuid, NULL);
  pid_t pid;

  fixture_start (fixture, machine, 0);
  pid = fixture_get_pid (machine);
  g_clear_pointer (&machine, reeve_machine_unref);
  fixture_close_list (fixture);
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);

  fixture_open_list (fixture);
  machine = find_machine (fixture);
  assert_state (machine, "5/3");
  g_assert_false (g_file_test (run, G_FILE_TEST_EXISTS));
}

/* A QEMU that answers nothing is listed as it was, and can be destroyed. */
static void
test_stopped_meanwhile (Fixture *fixture)
{
  Holder holder = { .guest = GUEST_IDLE, .more = "", .kill_after_us = -1 };
  g_autoptr (ReeveMachine) machine = NULL;
  Ended ended = { 0 };

  run_daemon (fixture, &holder);
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  kill (fixture_get_pid (machine), SIGSTOP);
  g_clear_pointer (&machine, reeve_machine_unref);

  fixture_restart (fixture);
  machine = find_machine (fixture);
  assert_state (machine, "1/1");
  reeve_machine_suspend (machine, g_get_monotonic_time () + 20000, on_ended,
                         &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_TIMED_OUT);
  ended_clear (&ended);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
}

/* What the status says of the pid is not believed. */
static void
test_a_reused_pid (Fixture *fixture)
{
  Holder holder = { .guest = GUEST_IDLE, .more = "", .kill_after_us = -1 };
  g_autofree char *run =
      g_build_filename (fixture->run_dir, fixture->uuid, NULL);
  g_autofree char *pid_path = g_build_filename (run, "pid", NULL);
  g_autofree char *status_path = g_build_filename (run, "status", NULL);
  g_autofree char *own_pid = g_strdup_printf ("%d\n", (int) getpid ());
  g_autofree char *status = NULL;
  g_autoptr (GString) text = NULL;
  g_autofree char *was = NULL;
  g_autofree char *now = NULL;
  g_autoptr (ReeveMachine) machine = NULL;

  run_daemon (fixture, &holder);
  g_assert_true (g_file_get_contents (pid_path, &was, NULL, NULL));
  g_assert_true (g_file_set_contents (pid_path, own_pid, -1, NULL));
  g_assert_true (g_file_get_contents (status_path, &status, NULL, NULL));
  text = g_string_new (status);
  now = g_strdup_printf ("\"pid\":%d", (int) getpid ());
  g_strstrip (was);
  {
    g_autofree char *old = g_strconcat ("\"pid\":", was, NULL);

    g_string_replace (text, old, now, 0);
  }
  g_assert_true (g_file_set_contents (status_path, text->str, -1, NULL));

  /* found all the same: the monitor's socket names it */
  fixture_open_list (fixture);
  machine = find_machine (fixture);
  g_assert_cmpint (fixture_get_pid (machine), ==, atoi (was));
}

static void
write_status (Fixture *fixture, ReeveRunDir *dir)
{
  ReeveStatus status = {
    .name = (char *) "web",
    .id = 1,
    .state = REEVE_MACHINE_RUNNING,
    .definition = fixture_make_xml (fixture, "web", GUEST_IDLE, ""),
  };

  g_assert_true (reeve_uuid_parse (fixture->uuid, status.uuid));
  g_assert_true (reeve_status_write (&status, dir->status_path, NULL));
  g_free (status.definition);
}

/* A transient machine that cannot be taken up is not there at all. */
static void
test_locked_by_no_process (Fixture *fixture)
{
  ReeveRunDir dir;
  uint8_t uuid[16];
  gboolean is_taken;
  REEVE_AUTOFD int lock_fd = -1;

  fixture_close_list (fixture);
  g_assert_true (reeve_uuid_parse (fixture->uuid, uuid));
  reeve_run_dir_init (&dir, fixture->run_dir, uuid);
  lock_fd = reeve_run_dir_lock (&dir, TRUE, &is_taken, NULL);
  g_assert_cmpint (lock_fd, >=, 0);
  write_status (fixture, &dir);

  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  fixture_open_list (fixture);
  g_assert_cmpuint (reeve_machine_list_count (fixture->list, 0), ==, 0);

  /* nor is it when it is gone */
  reeve_fd_clear (&lock_fd);
  fixture_restart (fixture);
  g_assert_cmpuint (reeve_machine_list_count (fixture->list, 0), ==, 0);
  g_assert_false (g_file_test (dir.path, G_FILE_TEST_EXISTS));
  reeve_run_dir_clear (&dir);
}

/* Ends our connection to the monitor, as if it had been lost. */
static void
cut_monitor (void)
{
  unsigned n_cut = 0;

  for (int fd = 3; fd < 256; fd++) {
    struct sockaddr_un peer = { 0 };
    socklen_t size = sizeof peer;

    if (getpeername (fd, (struct sockaddr *) &peer, &size) == 0 &&
        peer.sun_family == AF_UNIX &&
        g_str_has_suffix (peer.sun_path, "/monitor")) {
      shutdown (fd, SHUT_RDWR);
      n_cut++;
    }
  }
  g_assert_cmpuint (n_cut, ==, 1);
}

static gboolean
is_monitor_lost (ReeveMachine *machine)
{
  ReeveMachineMonitorState state;

  reeve_machine_get_monitor_state (machine, &state);
  return state.is_error;
}

static void
test_a_lost_monitor_is_tried_again (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, 0);
  for (int i = 0; i < 3; i++) {
    gint64 start_us = g_get_monotonic_time ();

    cut_monitor ();
    while (!is_monitor_lost (machine))
      fixture_turn (fixture);
    assert_state (machine, i == 0 ? "1/1" : "1/5");
    while (is_monitor_lost (machine))
      fixture_turn (fixture);
    /* not at once */
    g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 100000);
    g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                     0);
    g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_resume), ==,
                     0);
  }
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
}

static void
test_autostart_once_for_each_boot (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  g_autoptr (GError) error = NULL;

  reeve_machine_list_set_autostart (fixture->list, machine, TRUE, &error);
  g_assert_no_error (error);
  g_clear_pointer (&machine, reeve_machine_unref);

  fixture_restart (fixture);
  machine = find_machine (fixture);
  reeve_machine_list_autostart (fixture->list);
  fixture_wait_for_event (fixture, "2/0");
  /* comes after the start */
  (void) fixture_run (fixture, machine, reeve_machine_suspend);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_clear_pointer (&machine, reeve_machine_unref);

  fixture_restart (fixture);
  machine = find_machine (fixture);
  reeve_machine_list_autostart (fixture->list);
  while (
      g_main_context_iteration (reeve_loop_get_context (fixture->loop), FALSE))
    ;
  assert_state (machine, "5/0");
}

static const FixtureRow rows[] = {
  { "after-a-kill", test_after_a_kill, TRUE },
  { "after-an-orderly-end", test_after_an_orderly_end, TRUE },
  { "killed-while-starting", test_killed_while_starting, TRUE },
  { "killed-while-starting-paused", test_killed_while_starting_paused, TRUE },
  { "a-transient-one", test_a_transient_one, TRUE },
  { "autodestroy-ends-it", test_autodestroy_ends_it, TRUE },
  { "powered-off-meanwhile", test_powered_off_meanwhile, TRUE },
  { "died-meanwhile", test_died_meanwhile, TRUE },
  { "stopped-meanwhile", test_stopped_meanwhile, TRUE },
  { "a-reused-pid", test_a_reused_pid, TRUE },
  { "locked-by-no-process", test_locked_by_no_process, FALSE },
  { "a-lost-monitor-is-tried-again", test_a_lost_monitor_is_tried_again, TRUE },
  { "autostart-once-for-each-boot", test_autostart_once_for_each_boot, TRUE },
};

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, "/machine/machine-take-up", rows,
                       G_N_ELEMENTS (rows));
}
