/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine-fixture.h"

#include "rpc/error.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Real QEMUs, in TCG, with guests of a few bytes. */

static void
test_start_and_destroy (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  ReeveMachineUsage usage;
  g_autofree char *run = NULL;

  assert_state (machine, "5/0");
  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  assert_state (machine, "1/1");
  g_assert_cmpint (fixture_get_id (machine), ==, 1);
  g_assert_true (reeve_machine_get_usage (machine, &usage));
  g_assert_cmpuint (usage.resident_kib, >, 0);

  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  assert_state (machine, "5/2");
  g_assert_cmpint (fixture_get_id (machine), ==, -1);
  g_assert_cmpstr (fixture->events->str, ==, "0/0 4/0 2/0 6/2 5/1 ");
  run = g_build_filename (fixture->run_dir, fixture->uuid, NULL);
  g_assert_false (g_file_test (run, G_FILE_TEST_EXISTS));
  g_assert_cmpint (fixture_destroy (fixture, machine), ==,
                   REEVE_ERROR_OPERATION_INVALID);
}

static void
test_start_paused (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_PAUSED);
  assert_state (machine, "3/1");
  g_assert_cmpstr (fixture->events->str, ==, "0/0 2/0 3/0 ");
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_resume), ==, 0);
  assert_state (machine, "1/5");
}

static void
test_suspend_and_resume (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  g_string_truncate (fixture->events, 0);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_resume), ==,
                   REEVE_ERROR_OPERATION_INVALID);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                   0);
  assert_state (machine, "3/1");
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                   0);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_resume), ==, 0);
  assert_state (machine, "1/5");
  g_assert_cmpstr (fixture->events->str, ==, "3/0 4/0 ");
}

static void
test_start_twice (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended first = { 0 };
  Ended second = { 0 };

  reeve_machine_start (machine, 0, NULL, fixture_deadline (30), on_ended,
                       &first);
  reeve_machine_start (machine, 0, NULL, fixture_deadline (30), on_ended,
                       &second);
  fixture_wait (fixture, &second.n_calls);
  g_assert_cmpuint (first.n_calls, ==, 1);
  g_assert_cmpint (first.code, ==, 0);
  g_assert_cmpint (second.code, ==, REEVE_ERROR_OPERATION_INVALID);
  ended_clear (&second);
}

static void
test_a_bad_device_says_why (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (
      fixture, GUEST_IDLE, "<cpu mode='custom'><model>nosuch</model></cpu>");
  Ended ended = { 0 };

  reeve_machine_start (machine, 0, NULL, fixture_deadline (30), on_ended,
                       &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_OPERATION_FAILED);
  g_assert_nonnull (
      strstr (ended.message, "unable to find CPU model 'nosuch'"));
  ended_clear (&ended);
  assert_state (machine, "5/6");
  g_assert_cmpstr (fixture->events->str, ==, "0/0 ");
}

static void
test_a_missing_emulator_says_so (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (
      fixture, GUEST_IDLE,
      "<devices><emulator>/nonexistent/qemu</emulator></devices>");
  Ended ended = { 0 };

  reeve_machine_start (machine, 0, NULL, fixture_deadline (30), on_ended,
                       &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_nonnull (strstr (ended.message, "/nonexistent/qemu"));
  ended_clear (&ended);
  assert_state (machine, "5/6");
}

static void
test_guest_powers_off (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine =
      fixture_define (fixture, GUEST_POWER_OFF, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  fixture_wait_for_event (fixture, "5/");
  g_assert_cmpstr (fixture->events->str, ==, "0/0 4/0 2/0 6/1 5/0 ");
  assert_state (machine, "5/1");
}

static void
test_shutdown_presses_the_button (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_BUTTON, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  while (strstr (fixture->events->str, "5/0") == NULL) {
    /* the guest may not look at its button yet */
    (void) fixture_run (fixture, machine, reeve_machine_shutdown);
    for (int i = 0; i < 10 && strstr (fixture->events->str, "5/") == NULL; i++)
      g_main_context_iteration (reeve_loop_get_context (fixture->loop), FALSE);
    g_usleep (10000);
  }
  assert_state (machine, "5/1");
}

static void
test_reboot_is_a_power_off_and_a_reset (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_BUTTON, "");
  pid_t pid;

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  pid = fixture_get_pid (machine);
  g_string_truncate (fixture->events, 0);
  while (strstr (fixture->events->str, "4/0") == NULL) {
    g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_reboot), ==,
                     0);
    while (g_main_context_iteration (reeve_loop_get_context (fixture->loop),
                                     FALSE))
      ;
    g_usleep (20000);
  }
  g_assert_true (g_str_has_prefix (fixture->events->str, "6/1 reboot 4/0 "));
  assert_state (machine, "1/1");
  g_assert_cmpint (fixture_get_pid (machine), ==, pid);
}

static void
test_resets_are_told_once (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  g_string_truncate (fixture->events, 0);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_reset), ==,
                     0);
  g_assert_cmpstr (fixture->events->str, ==, "reboot ");
  assert_state (machine, "1/1");
}

static void
test_reboot_means_destroy (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine =
      fixture_define (fixture, GUEST_RESET, "<on_reboot>destroy</on_reboot>");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  fixture_wait_for_event (fixture, "5/");
  g_assert_cmpstr (fixture->events->str, ==, "0/0 4/0 2/0 6/1 5/0 ");
}

static void
test_power_off_means_restart (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (
      fixture, GUEST_POWER_OFF, "<on_poweroff>restart</on_poweroff>");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  fixture_wait_for_event (fixture, "6/1 reboot 4/0 6/1 4/0");
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
}

static void
test_panic_ends_it_as_crashed (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_PANIC, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  fixture_wait_for_event (fixture, "5/");
  g_assert_nonnull (strstr (fixture->events->str, "2/0 8/0 "));
  g_assert_nonnull (strstr (fixture->events->str, "5/2 "));
  assert_state (machine, "5/3");
}

static void
test_panic_preserved (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine =
      fixture_define (fixture, GUEST_PANIC, "<on_crash>preserve</on_crash>");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  fixture_wait_for_event (fixture, "8/0");
  assert_state (machine, "6/1");
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  assert_state (machine, "5/2");
}

static void
test_killed_from_outside_is_crashed (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  kill (fixture_get_pid (machine), SIGKILL);
  fixture_wait_for_event (fixture, "5/");
  g_assert_nonnull (strstr (fixture->events->str, "2/0 5/2 "));
  assert_state (machine, "5/3");
}

static void
test_terminated_from_outside_is_destroyed (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  kill (fixture_get_pid (machine), SIGTERM);
  fixture_wait_for_event (fixture, "5/");
  g_assert_nonnull (strstr (fixture->events->str, "6/2 5/1 "));
  assert_state (machine, "5/2");
}

static void
test_stopped_delays_nobody (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended suspend = { 0 };
  Ended command = { 0 };
  ReeveMachineMonitorState monitor;

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  kill (fixture_get_pid (machine), SIGSTOP);
  reeve_machine_suspend (machine, g_get_monotonic_time () + 20000, on_ended,
                         &suspend);
  reeve_machine_monitor_command (machine, "{\"execute\":\"query-status\"}",
                                 FALSE, -1, g_get_monotonic_time () + 20000,
                                 on_text, &command);
  fixture_wait (fixture, &suspend.n_calls);
  fixture_wait (fixture, &command.n_calls);
  g_assert_cmpint (suspend.code, ==, REEVE_ERROR_TIMED_OUT);
  g_assert_cmpint (command.code, ==, REEVE_ERROR_TIMED_OUT);
  assert_state (machine, "1/1");
  reeve_machine_get_monitor_state (machine, &monitor);
  g_assert_cmpint (monitor.command_us, >, 0);

  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  assert_state (machine, "5/2");
  ended_clear (&suspend);
  ended_clear (&command);
}

static void
test_destroy_aborts_what_hangs (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended running = { 0 };
  Ended waiting = { 0 };

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  kill (fixture_get_pid (machine), SIGSTOP);
  reeve_machine_suspend (machine, G_MAXINT64, on_ended, &running);
  reeve_machine_reset (machine, G_MAXINT64, on_ended, &waiting);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_assert_cmpint (running.code, ==, REEVE_ERROR_ABORTED);
  g_assert_cmpint (waiting.code, ==, REEVE_ERROR_ABORTED);
  ended_clear (&running);
  ended_clear (&waiting);
}

static void
test_destroy_during_a_start (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended started = { 0 };

  for (unsigned turns = 0; turns < 12; turns++) {
    reeve_machine_start (machine, 0, NULL, fixture_deadline (30), on_ended,
                         &started);
    for (unsigned i = 0; i < turns && started.n_calls == 0; i++)
      fixture_turn (fixture);
    (void) fixture_destroy (fixture, machine);
    fixture_wait (fixture, &started.n_calls);
    g_assert_cmpint (fixture_get_id (machine), ==, -1);
    ended_clear (&started);
  }
}

static void
test_start_that_hangs_ends_at_its_deadline (Fixture *fixture)
{
  g_autofree char *script = g_build_filename (fixture->root, "qemu", NULL);
  g_autofree char *more =
      g_strdup_printf ("<devices><emulator>%s</emulator></devices>", script);
  g_autoptr (ReeveMachine) machine = NULL;
  Ended ended = { 0 };

  g_file_set_contents (script, "#!/bin/sh\nexec sleep 1000\n", -1, NULL);
  chmod (script, 0700);
  machine = fixture_define (fixture, GUEST_IDLE, more);
  reeve_machine_start (machine, 0, NULL, g_get_monotonic_time () + 50000,
                       on_ended, &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_TIMED_OUT);
  while (fixture_get_id (machine) != -1)
    fixture_turn (fixture);
  assert_state (machine, "5/6");
  ended_clear (&ended);
}

static void
test_monitor_commands (Fixture *fixture)
{
  static const struct {
    const char *text;
    gboolean is_human;
    int code;
    const char *part;
  } rows[] = {
    { "{\"execute\":\"query-status\",\"id\":\"x7\"}", FALSE, 0, "\"x7\"" },
    { "{\"execute\":\"nosuch\"}", FALSE, 0, "CommandNotFound" },
    { "not json", FALSE, REEVE_ERROR_INVALID_ARG, NULL },
    { "info status", TRUE, 0, "VM status: running" },
  };
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    Ended ended = { 0 };

    reeve_machine_monitor_command (machine, rows[i].text, rows[i].is_human, -1,
                                   fixture_deadline (10), on_text, &ended);
    fixture_wait (fixture, &ended.n_calls);
    g_assert_cmpint (ended.code, ==, rows[i].code);
    if (rows[i].part != NULL)
      g_assert_nonnull (strstr (ended.text, rows[i].part));
    ended_clear (&ended);
  }
}

static void
test_quit_through_the_monitor (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended ended = { 0 };

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  reeve_machine_monitor_command (machine, "quit", TRUE, -1,
                                 fixture_deadline (10), on_text, &ended);
  fixture_wait_for_event (fixture, "5/1");
  fixture_wait (fixture, &ended.n_calls);
  ended_clear (&ended);
  assert_state (machine, "5/2");
}

static void
test_keys (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended ended = { 0 };
  unsigned keys[] = {
    reeve_machine_key_from_linux (29),
    reeve_machine_key_from_linux (56),
    reeve_machine_key_from_linux (111),
  };

  g_assert_cmpuint (keys[2], ==, 0xd3);
  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  reeve_machine_send_key (machine, keys, G_N_ELEMENTS (keys), 1,
                          fixture_deadline (10), on_ended, &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
}

typedef struct {
  unsigned n_calls;
  ReeveMachineMemoryStats stats;
} Memory;

static void
on_memory (ReeveMachine *machine,
           const ReeveMachineMemoryStats *stats,
           const GError *error,
           gpointer data)
{
  Memory *memory = data;

  g_assert_no_error (error);
  memory->n_calls++;
  memory->stats = *stats;
}

static void
test_memory (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  Ended ended = { 0 };
  Memory memory = { 0 };

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  reeve_machine_set_memory (machine, 16384, fixture_deadline (10), on_ended,
                            &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
  ended.n_calls = 0;
  reeve_machine_set_memory (machine, 32769, fixture_deadline (10), on_ended,
                            &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_INVALID_ARG);
  ended_clear (&ended);

  reeve_machine_query_memory (machine, fixture_deadline (10), on_memory,
                              &memory);
  fixture_wait (fixture, &memory.n_calls);
  /* no driver in the guest: nothing moved, and nothing was told */
  g_assert_cmpuint (memory.stats.actual_kib, ==, 32768);
  g_assert_cmpuint (memory.stats.unused_kib, ==, UINT64_MAX);
  g_assert_cmpuint (memory.stats.resident_kib, >, 0);
}

static void
test_memory_without_a_balloon (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (
      fixture, GUEST_IDLE, "<devices><memballoon model='none'/></devices>");
  Memory memory = { 0 };

  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  reeve_machine_query_memory (machine, fixture_deadline (10), on_memory,
                              &memory);
  fixture_wait (fixture, &memory.n_calls);
  g_assert_cmpuint (memory.stats.actual_kib, ==, 32768);
}

static void
test_transient_vanishes (Fixture *fixture)
{
  g_autofree char *xml = fixture_make_xml (fixture, "web", GUEST_IDLE, "");
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveMachine) machine = NULL;
  Ended ended = { 0 };

  machine = reeve_machine_list_create (fixture->list, config, 0, NULL,
                                       fixture_deadline (30), on_ended, &ended,
                                       &error);
  g_assert_no_error (error);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
  g_assert_cmpuint (
      reeve_machine_list_count (fixture->list, REEVE_MACHINES_TRANSIENT), ==,
      1);
  g_assert_null (reeve_machine_list_create (fixture->list, config, 0, NULL,
                                            fixture_deadline (30), on_ended,
                                            &ended, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_assert_cmpuint (reeve_machine_list_count (fixture->list, 0), ==, 0);
  g_assert_cmpstr (fixture->events->str, ==, "4/0 2/0 6/2 5/1 ");
}

typedef struct {
  Fixture *fixture;
  ReeveMachine *machine; /* the last one that went */
  unsigned n_calls;
} Gone;

static void
on_gone (ReeveMachine *machine, gpointer data)
{
  Gone *gone = data;

  gone->n_calls++;
  gone->machine = machine;
  g_string_append (gone->fixture->events, "gone ");
}

/* (transfer full) */
static ReeveMachine *
create (Fixture *fixture,
        const char *more,
        ReeveMachineStartFlags flags,
        gconstpointer owner,
        Ended *ended)
{
  g_autofree char *xml = fixture_make_xml (fixture, "web", GUEST_IDLE, more);
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);
  g_autoptr (GError) error = NULL;
  ReeveMachine *machine = reeve_machine_list_create (
      fixture->list, config, flags, owner, fixture_deadline (30), on_ended,
      ended, &error);

  g_assert_no_error (error);
  return machine;
}

static void
test_tells_of_one_that_is_gone (Fixture *fixture)
{
  Gone gone = { .fixture = fixture };
  Ended failed = { 0 }, ended = { 0 };
  g_autoptr (ReeveMachine) bad = NULL;
  g_autoptr (ReeveMachine) good = NULL;

  reeve_machine_list_set_gone_func (fixture->list, on_gone, &gone);
  bad = create (fixture, "<devices><emulator>/no/such</emulator></devices>", 0,
                NULL, &failed);
  fixture_wait (fixture, &gone.n_calls);
  g_assert_true (gone.machine == bad);
  g_assert_cmpint (failed.n_calls, ==, 1);
  g_assert_nonnull (failed.message);

  gone.n_calls = 0;
  good = create (fixture, "", 0, NULL, &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
  g_assert_cmpint (fixture_destroy (fixture, good), ==, 0);
  fixture_wait (fixture, &gone.n_calls);
  g_assert_true (gone.machine == good);
  g_assert_cmpstr (fixture->events->str, ==, "gone 4/0 2/0 6/2 5/1 gone ");
  ended_clear (&failed);
}

static void
test_autodestroy (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");

  fixture_start (fixture, machine, REEVE_MACHINE_START_AUTODESTROY);
  reeve_machine_list_destroy_owned (fixture->list, "somebody else");
  reeve_machine_list_destroy_owned (fixture->list, fixture);
  fixture_wait_for_event (fixture, "5/1");
}

/* @is_late: it goes away when the call that starts the machine has been made */
static void
check_owner_is_gone (Fixture *fixture, gboolean is_late)
{
  g_autoptr (ReeveMachine) machine = NULL;
  Ended ended = { 0 };

  if (!is_late)
    reeve_machine_list_destroy_owned (fixture->list, fixture);
  machine =
      create (fixture, "", REEVE_MACHINE_START_AUTODESTROY, fixture, &ended);
  if (is_late)
    reeve_machine_list_destroy_owned (fixture->list, fixture);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_ABORTED);
  while (reeve_machine_list_count (fixture->list, 0) > 0)
    fixture_turn (fixture);
  g_assert_cmpstr (fixture->events->str, ==, "");
  ended_clear (&ended);
}

static void
test_owner_is_gone_before (Fixture *fixture)
{
  check_owner_is_gone (fixture, FALSE);
}

static void
test_owner_goes_meanwhile (Fixture *fixture)
{
  check_owner_is_gone (fixture, TRUE);
}

static const FixtureRow rows[] = {
  { "start-and-destroy", test_start_and_destroy, TRUE },
  { "start-paused", test_start_paused, TRUE },
  { "suspend-and-resume", test_suspend_and_resume, TRUE },
  { "start-twice", test_start_twice, TRUE },
  { "a-bad-device-says-why", test_a_bad_device_says_why, TRUE },
  { "tells-of-one-that-is-gone", test_tells_of_one_that_is_gone, TRUE },
  { "a-missing-emulator-says-so", test_a_missing_emulator_says_so, TRUE },
  { "guest-powers-off", test_guest_powers_off, TRUE },
  { "shutdown-presses-the-button", test_shutdown_presses_the_button, TRUE },
  { "reboot-is-a-power-off-and-a-reset", test_reboot_is_a_power_off_and_a_reset,
    TRUE },
  { "resets-are-told-once", test_resets_are_told_once, TRUE },
  { "reboot-means-destroy", test_reboot_means_destroy, TRUE },
  { "power-off-means-restart", test_power_off_means_restart, TRUE },
  { "panic-ends-it-as-crashed", test_panic_ends_it_as_crashed, TRUE },
  { "panic-preserved", test_panic_preserved, TRUE },
  { "killed-from-outside-is-crashed", test_killed_from_outside_is_crashed,
    TRUE },
  { "terminated-from-outside-is-destroyed",
    test_terminated_from_outside_is_destroyed, TRUE },
  { "stopped-delays-nobody", test_stopped_delays_nobody, TRUE },
  { "destroy-aborts-what-hangs", test_destroy_aborts_what_hangs, TRUE },
  { "destroy-during-a-start", test_destroy_during_a_start, TRUE },
  { "start-that-hangs-ends-at-its-deadline",
    test_start_that_hangs_ends_at_its_deadline, TRUE },
  { "monitor-commands", test_monitor_commands, TRUE },
  { "quit-through-the-monitor", test_quit_through_the_monitor, TRUE },
  { "keys", test_keys, TRUE },
  { "memory", test_memory, TRUE },
  { "memory-without-a-balloon", test_memory_without_a_balloon, TRUE },
  { "transient-vanishes", test_transient_vanishes, TRUE },
  { "autodestroy", test_autodestroy, TRUE },
  { "owner-is-gone-before", test_owner_is_gone_before, TRUE },
  { "owner-goes-meanwhile", test_owner_goes_meanwhile, TRUE },
};

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, "/machine/machine", rows,
                       G_N_ELEMENTS (rows));
}
