/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/start-gate.h"

#include "machine-fixture.h"
#include "rpc/error.h"

#include <string.h>
#include <sys/stat.h>

typedef void (*TestFunc) (void);
typedef void (*MachineFunc) (Fixture *fixture);

/* ------------------------------------------------------------ the gate --- */

typedef struct {
  ReeveStartPlace place;
  char name;
} Start;

static ReeveStartGate *gate;
static GString *begun;
static gboolean leaves_at_once;

static void
on_turn (gpointer data)
{
  Start *start = data;

  g_string_append_c (begun, start->name);
  if (leaves_at_once)
    reeve_start_gate_leave (gate, &start->place);
}

static ReeveLoop *
open_gate (unsigned limit)
{
  ReeveLoop *loop = reeve_loop_new (NULL);

  leaves_at_once = FALSE;
  begun = g_string_new (NULL);
  gate = reeve_start_gate_new (loop, on_turn);
  reeve_start_gate_set_limit (gate, limit);
  return loop;
}

static void
close_gate (ReeveLoop *loop)
{
  g_clear_pointer (&gate, reeve_start_gate_unref);
  reeve_loop_unref (loop);
  g_string_free (begun, TRUE);
}

static void
turn (ReeveLoop *loop)
{
  while (g_main_context_iteration (reeve_loop_get_context (loop), FALSE))
    ;
}

static void
enter (Start *start, char name)
{
  start->name = name;
  reeve_start_place_init (&start->place, start);
  if (reeve_start_gate_enter (gate, &start->place))
    g_string_append_c (begun, name);
}

static void
assert_counts (unsigned n_starting, unsigned n_waiting)
{
  ReeveStartCounts counts;

  reeve_start_gate_get_counts (gate, &counts);
  g_assert_cmpuint (counts.n_starting, ==, n_starting);
  g_assert_cmpuint (counts.n_waiting, ==, n_waiting);
}

static void
test_first_come_first_served (void)
{
  ReeveLoop *loop = open_gate (2);
  Start starts[6];

  for (size_t i = 0; i < 5; i++)
    enter (&starts[i], (char) ('a' + i));
  turn (loop);
  g_assert_cmpstr (begun->str, ==, "ab");
  assert_counts (2, 3);

  reeve_start_gate_leave (gate, &starts[1].place);
  /* there is room, and others were here before */
  enter (&starts[5], 'f');
  g_assert_cmpstr (begun->str, ==, "ab");
  turn (loop);
  g_assert_cmpstr (begun->str, ==, "abc");
  assert_counts (2, 3);

  for (size_t i = 0; i < 6; i++) {
    reeve_start_gate_leave (gate, &starts[i].place);
    turn (loop);
  }
  g_assert_cmpstr (begun->str, ==, "abcdef");
  assert_counts (0, 0);
  close_gate (loop);
}

static void
test_who_leaves_the_line_has_no_turn (void)
{
  ReeveLoop *loop = open_gate (1);
  Start starts[4];

  for (size_t i = 0; i < 4; i++)
    enter (&starts[i], (char) ('a' + i));
  reeve_start_gate_leave (gate, &starts[2].place);
  reeve_start_gate_leave (gate, &starts[0].place);
  /* between the room and the turn */
  reeve_start_gate_leave (gate, &starts[1].place);
  turn (loop);
  g_assert_cmpstr (begun->str, ==, "ad");
  reeve_start_gate_leave (gate, &starts[3].place);
  reeve_start_gate_leave (gate, &starts[3].place);
  assert_counts (0, 0);
  close_gate (loop);
}

static void
test_entering_again_changes_nothing (void)
{
  ReeveLoop *loop = open_gate (1);
  Start starts[2];

  enter (&starts[0], 'a');
  enter (&starts[1], 'b');
  g_assert_true (reeve_start_gate_enter (gate, &starts[0].place));
  g_assert_false (reeve_start_gate_enter (gate, &starts[1].place));
  assert_counts (1, 1);
  reeve_start_gate_leave (gate, &starts[0].place);
  turn (loop);
  reeve_start_gate_leave (gate, &starts[1].place);
  assert_counts (0, 0);
  close_gate (loop);
}

static void
test_many_that_fail_at_once (void)
{
  enum { N_STARTS = 100000 };
  ReeveLoop *loop = open_gate (1);
  g_autofree Start *starts = g_new (Start, N_STARTS);

  for (size_t i = 0; i < N_STARTS; i++)
    enter (&starts[i], 'x');
  leaves_at_once = TRUE;
  reeve_start_gate_leave (gate, &starts[0].place);
  turn (loop);
  g_assert_cmpuint (begun->len, ==, N_STARTS);
  assert_counts (0, 0);
  close_gate (loop);
}

static void
test_a_higher_limit (void)
{
  ReeveLoop *loop = open_gate (1);
  ReeveStartCounts counts;
  Start starts[4];

  for (size_t i = 0; i < 4; i++)
    enter (&starts[i], (char) ('a' + i));
  reeve_start_gate_set_limit (gate, 3);
  reeve_start_gate_leave (gate, &starts[0].place);
  turn (loop);
  assert_counts (3, 0);
  for (size_t i = 1; i < 4; i++)
    reeve_start_gate_leave (gate, &starts[i].place);
  reeve_start_gate_get_counts (gate, &counts);
  g_assert_cmpuint (counts.max_starting, ==, 3);
  close_gate (loop);
}

/* ------------------------------------------------------------ machines --- */

static void
change_uuid (Fixture *fixture)
{
  g_free (fixture->uuid);
  fixture->uuid = g_uuid_string_random ();
}

/* A machine whose emulator, @program, may do what it wants. */
static ReeveMachine *
define (Fixture *fixture, const char *name, const char *program)
{
  g_autofree char *more =
      g_strdup_printf ("<devices><emulator>%s</emulator></devices>", program);
  g_autofree char *xml = NULL;
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (GError) error = NULL;
  ReeveMachine *machine;

  change_uuid (fixture);
  xml = fixture_make_xml (fixture, name, GUEST_IDLE, more);
  config = reeve_config_new_from_xml (xml, &error);
  g_assert_no_error (error);
  machine = reeve_machine_list_define (fixture->list, config, NULL, &error);
  g_assert_no_error (error);
  return machine;
}

static ReeveMachine *
define_well (Fixture *fixture, const char *name)
{
  return define (fixture, name, "/usr/bin/qemu-system-x86_64");
}

/* Its monitor never answers: a shell that waits for a writer, and so keeps its
 * arguments, by which a machine is known. */
static ReeveMachine *
define_stuck (Fixture *fixture, const char *name)
{
  g_autofree char *script = g_build_filename (fixture->root, "stuck", NULL);
  g_autofree char *fifo = g_build_filename (fixture->root, "fifo", NULL);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\n: <'%s'\n", fifo);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_file_set_contents (script, text, -1, NULL);
  chmod (script, 0700);
  return define (fixture, name, script);
}

static void
start (ReeveMachine *machine, gint64 deadline_us, Ended *ended)
{
  reeve_machine_start (machine, REEVE_MACHINE_START_NONE, NULL, deadline_us,
                       on_ended, ended);
}

/* Of the fixture's uuid. */
static ReeveMachine *
create (Fixture *fixture,
        const char *name,
        ReeveMachineStartFlags flags,
        Ended *ended)
{
  g_autofree char *xml =
      fixture_make_xml (fixture, name, GUEST_IDLE, "<title>created</title>");
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);

  return reeve_machine_list_create (fixture->list, config, flags, NULL,
                                    fixture_deadline (60), on_ended, ended,
                                    NULL);
}

static void
wait_for_counts (Fixture *fixture, unsigned n_starting, unsigned n_waiting)
{
  ReeveStartCounts counts = { G_MAXUINT, G_MAXUINT, 0 };

  while (counts.n_starting != n_starting || counts.n_waiting != n_waiting) {
    g_main_context_iteration (reeve_loop_get_context (fixture->loop), FALSE);
    reeve_machine_list_get_start_counts (fixture->list, &counts);
  }
  g_assert_cmpuint (counts.max_starting, ==, 1);
}

static void
test_destroy_gives_the_place_on (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, well_end = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  start (well, fixture_deadline (60), &well_end);
  wait_for_counts (fixture, 1, 1);
  assert_state (stuck, "3/11");
  assert_state (well, "5/0");
  g_assert_cmpint (fixture_get_id (well), ==, -1);

  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  g_assert_cmpint (stuck_end.code, ==, REEVE_ERROR_ABORTED);
  fixture_wait (fixture, &well_end.n_calls);
  g_assert_cmpstr (well_end.message, ==, NULL);
  assert_state (well, "1/1");
  wait_for_counts (fixture, 0, 0);
  ended_clear (&stuck_end);
}

static void
test_timeout_gives_the_place_on (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, well_end = { 0 };

  start (stuck, g_get_monotonic_time () + 50000, &stuck_end);
  start (well, G_MAXINT64, &well_end);
  fixture_wait (fixture, &well_end.n_calls);
  g_assert_cmpint (stuck_end.code, ==, REEVE_ERROR_TIMED_OUT);
  g_assert_cmpstr (well_end.message, ==, NULL);
  ended_clear (&stuck_end);
}

static void
test_failure_gives_the_place_on (Fixture *fixture)
{
  g_autoptr (ReeveMachine) missing =
      define (fixture, "missing", "/nonexistent/qemu");
  g_autoptr (ReeveMachine) false_one = define (fixture, "false", "/bin/false");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended missing_end = { 0 }, false_end = { 0 }, well_end = { 0 };

  start (missing, G_MAXINT64, &missing_end);
  start (false_one, G_MAXINT64, &false_end);
  start (well, G_MAXINT64, &well_end);
  fixture_wait (fixture, &well_end.n_calls);
  g_assert_cmpuint (missing_end.n_calls, ==, 1);
  g_assert_cmpuint (false_end.n_calls, ==, 1);
  g_assert_cmpint (false_end.code, ==, REEVE_ERROR_OPERATION_FAILED);
  g_assert_cmpstr (well_end.message, ==, NULL);
  ended_clear (&missing_end);
  ended_clear (&false_end);
}

static void
test_destroy_of_one_that_waits (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, well_end = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  start (well, G_MAXINT64, &well_end);
  wait_for_counts (fixture, 1, 1);
  g_string_truncate (fixture->events, 0);
  g_assert_cmpint (fixture_destroy (fixture, well), ==, 0);
  g_assert_cmpint (well_end.code, ==, REEVE_ERROR_ABORTED);
  assert_state (well, "5/0");
  wait_for_counts (fixture, 1, 0);
  g_assert_cmpint (fixture_destroy (fixture, well), ==,
                   REEVE_ERROR_OPERATION_INVALID);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  /* neither was ever told of as started */
  g_assert_cmpstr (fixture->events->str, ==, "");
  ended_clear (&stuck_end);
  ended_clear (&well_end);
}

static void
test_deadline_of_one_that_waits (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, well_end = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  start (well, g_get_monotonic_time () + 20000, &well_end);
  fixture_wait (fixture, &well_end.n_calls);
  g_assert_cmpint (well_end.code, ==, REEVE_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (well_end.message, "other machines start"));
  assert_state (well, "5/0");
  wait_for_counts (fixture, 1, 0);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  ended_clear (&stuck_end);
  ended_clear (&well_end);
}

static void
test_close_ends_those_that_wait (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, well_end = { 0 };

  start (stuck, fixture_deadline (60), &stuck_end);
  start (well, fixture_deadline (60), &well_end);
  wait_for_counts (fixture, 1, 1);
  reeve_machine_list_close (fixture->list);
  g_assert_cmpint (well_end.code, ==, REEVE_ERROR_CLOSED);
  g_assert_cmpint (stuck_end.code, ==, REEVE_ERROR_CLOSED);
  ended_clear (&stuck_end);
  ended_clear (&well_end);
  g_clear_pointer (&stuck, reeve_machine_unref);
  g_clear_pointer (&well, reeve_machine_unref);
  /* for the one that was let go: it is taken up and destroyed */
  fixture_restart (fixture);
}

static void
test_a_running_one_needs_no_place (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  Ended stuck_end = { 0 }, again = { 0 };

  fixture_start (fixture, well, REEVE_MACHINE_START_NONE);
  start (stuck, G_MAXINT64, &stuck_end);
  start (well, G_MAXINT64, &again);
  fixture_wait (fixture, &again.n_calls);
  g_assert_cmpint (again.code, ==, REEVE_ERROR_OPERATION_INVALID);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  ended_clear (&stuck_end);
  ended_clear (&again);
}

static void
assert_xml_of_one_that_waits (ReeveMachine *machine)
{
  ReeveMachineXml *xml = reeve_machine_get_live_xml (machine);
  const char *text;

  g_assert_nonnull (xml);
  text = reeve_machine_xml_get_text (xml);
  g_assert_nonnull (strstr (text, "<title>created</title>"));
  /* the number of a run, of which there is none */
  g_assert_null (strstr (text, " id="));
  reeve_machine_xml_unref (xml);
}

static void
test_a_transient_one_that_waits (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  Ended stuck_end = { 0 }, ended = { 0 };
  g_autoptr (ReeveMachine) machine = NULL;

  start (stuck, G_MAXINT64, &stuck_end);
  wait_for_counts (fixture, 1, 0);
  change_uuid (fixture);
  machine = create (fixture, "passing", REEVE_MACHINE_START_NONE, &ended);
  g_assert_nonnull (machine);
  wait_for_counts (fixture, 1, 1);
  assert_xml_of_one_that_waits (machine);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_ABORTED);
  g_assert_null (
      reeve_machine_list_lookup_name (fixture->list, "passing", NULL));
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  ended_clear (&stuck_end);
  ended_clear (&ended);
}

static void
assert_title (ReeveMachine *machine, const char *title)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  g_assert_cmpstr (reeve_config_get_title (snapshot.live_config), ==, title);
}

/* The start that was asked for first runs what is stored, as it was asked. */
static void
test_a_create_behind_a_start (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  g_autoptr (ReeveMachine) same = NULL;
  g_autoptr (ReeveMachine) again = NULL;
  Ended stuck_end = { 0 }, well_end = { 0 }, ended = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  start (well, fixture_deadline (60), &well_end);
  wait_for_counts (fixture, 1, 1);
  same = create (fixture, "well", REEVE_MACHINE_START_PAUSED, &ended);
  g_assert_true (same == well);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  fixture_wait (fixture, &well_end.n_calls);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (well_end.message, ==, NULL);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_OPERATION_INVALID);
  assert_state (well, "1/1");
  assert_title (well, NULL);
  ended_clear (&ended);

  /* and what failed leaves nothing behind */
  g_assert_cmpint (fixture_destroy (fixture, well), ==, 0);
  again = create (fixture, "well", REEVE_MACHINE_START_NONE, &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
  assert_title (well, "created");
  ended_clear (&stuck_end);
}

/* The end of somebody else's start takes nothing from it. */
static void
test_a_refused_start_behind_a_create (Fixture *fixture)
{
  enum { N_STARTS = 256 };
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) machine = NULL;
  g_autoptr (ReeveMachine) listed = NULL;
  Ended stuck_end = { 0 }, ended = { 0 };
  Ended ends[N_STARTS] = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  wait_for_counts (fixture, 1, 0);
  change_uuid (fixture);
  machine = create (fixture, "passing", REEVE_MACHINE_START_NONE, &ended);
  for (size_t i = 0; i < N_STARTS; i++)
    start (machine, G_MAXINT64, &ends[i]);
  fixture_wait (fixture, &ends[N_STARTS - 1].n_calls);
  g_assert_cmpint (ends[N_STARTS - 1].code, ==, REEVE_ERROR_LIMIT);
  listed = reeve_machine_list_lookup_name (fixture->list, "passing", NULL);
  g_assert_true (listed == machine);

  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  fixture_wait (fixture, &ends[N_STARTS - 2].n_calls);
  g_assert_cmpstr (ended.message, ==, NULL);
  g_assert_cmpint (ends[N_STARTS - 2].code, ==, REEVE_ERROR_OPERATION_INVALID);
  assert_state (machine, "1/1");
  assert_title (machine, "created");
  for (size_t i = 0; i < N_STARTS; i++)
    ended_clear (&ends[i]);
  ended_clear (&stuck_end);
}

static void
test_no_new_name_before_a_create (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) well = define_well (fixture, "well");
  g_autoptr (ReeveMachine) same = NULL;
  g_autoptr (GError) error = NULL;
  Ended stuck_end = { 0 }, ended = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  wait_for_counts (fixture, 1, 0);
  same = create (fixture, "well", REEVE_MACHINE_START_NONE, &ended);
  g_assert_false (
      reeve_machine_list_rename (fixture->list, well, "new", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  g_clear_error (&error);

  wait_for_counts (fixture, 1, 1);
  g_assert_cmpint (fixture_destroy (fixture, well), ==, 0);
  g_assert_true (
      reeve_machine_list_rename (fixture->list, well, "new", &error));
  g_assert_no_error (error);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  ended_clear (&stuck_end);
  ended_clear (&ended);
}

static void
test_its_client_goes_away (Fixture *fixture)
{
  g_autoptr (ReeveMachine) stuck = define_stuck (fixture, "stuck");
  g_autoptr (ReeveMachine) bound = define_well (fixture, "bound");
  g_autoptr (ReeveMachine) free_one = define_well (fixture, "free");
  Ended stuck_end = { 0 }, bound_end = { 0 }, free_end = { 0 };

  start (stuck, G_MAXINT64, &stuck_end);
  reeve_machine_start (bound, REEVE_MACHINE_START_AUTODESTROY, fixture,
                       G_MAXINT64, on_ended, &bound_end);
  reeve_machine_start (free_one, REEVE_MACHINE_START_NONE, fixture, G_MAXINT64,
                       on_ended, &free_end);
  wait_for_counts (fixture, 1, 2);
  reeve_machine_list_destroy_owned (fixture->list, fixture);
  fixture_wait (fixture, &bound_end.n_calls);
  g_assert_cmpint (bound_end.code, ==, REEVE_ERROR_ABORTED);
  g_assert_cmpint (fixture_destroy (fixture, stuck), ==, 0);
  fixture_wait (fixture, &free_end.n_calls);
  g_assert_cmpstr (free_end.message, ==, NULL);
  ended_clear (&stuck_end);
  ended_clear (&bound_end);
}

typedef struct {
  const char *name;
  TestFunc func;
} GateRow;

static const GateRow gate_rows[] = {
  { "first-come-first-served", test_first_come_first_served },
  { "who-leaves-the-line-has-no-turn", test_who_leaves_the_line_has_no_turn },
  { "entering-again-changes-nothing", test_entering_again_changes_nothing },
  { "many-that-fail-at-once", test_many_that_fail_at_once },
  { "a-higher-limit", test_a_higher_limit },
};

typedef struct {
  const char *name;
  MachineFunc func;
} MachineRow;

static const MachineRow machine_rows[] = {
  { "destroy-gives-the-place-on", test_destroy_gives_the_place_on },
  { "timeout-gives-the-place-on", test_timeout_gives_the_place_on },
  { "failure-gives-the-place-on", test_failure_gives_the_place_on },
  { "destroy-of-one-that-waits", test_destroy_of_one_that_waits },
  { "deadline-of-one-that-waits", test_deadline_of_one_that_waits },
  { "close-ends-those-that-wait", test_close_ends_those_that_wait },
  { "a-running-one-needs-no-place", test_a_running_one_needs_no_place },
  { "its-client-goes-away", test_its_client_goes_away },
  { "a-transient-one-that-waits", test_a_transient_one_that_waits },
  { "a-create-behind-a-start", test_a_create_behind_a_start },
  { "a-refused-start-behind-a-create", test_a_refused_start_behind_a_create },
  { "no-new-name-before-a-create", test_no_new_name_before_a_create },
};

static void
run_machine_row (gconstpointer data)
{
  const MachineRow *row = data;
  Fixture fixture;

  if (!fixture_has_qemu ())
    return;

  fixture_set_up (&fixture);
  reeve_machine_list_set_max_starting (fixture.list, 1);
  row->func (&fixture);
  fixture_tear_down (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (gate_rows); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/start-gate/", gate_rows[i].name, NULL);

    g_test_add_func (path, gate_rows[i].func);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (machine_rows); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/start-gate/", machine_rows[i].name, NULL);

    g_test_add_data_func (path, &machine_rows[i], run_machine_row);
  }
  return g_test_run ();
}
