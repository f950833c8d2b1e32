/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-table.h"

#include "machine-fixture.h"
#include "machine/machine-list-private.h"

#include <pthread.h>

/* What is kept of machines so that many may ask for it: it is shared as long
 * as nothing changes, and never told after something has. */

static ReeveConfig *
make_config (const char *name, const char *uuid)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
      "<memory>1024</memory><os><type>hvm</type></os></domain>",
      name, uuid);

  return reeve_config_new_from_xml (xml, NULL);
}

static ReeveMachine *
define (Fixture *fixture, const char *name)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autoptr (ReeveConfig) config = make_config (name, uuid);

  return reeve_machine_list_define (fixture->list, config, NULL, NULL);
}

/* "NAME:ID:STATE " of each row, with a star where it starts by itself. */
static char *
describe (Fixture *fixture)
{
  g_autoptr (ReeveMachineTable) table =
      reeve_machine_list_get_table (fixture->list, NULL);
  GString *text = g_string_new (NULL);
  unsigned n_rows;
  const ReeveMachineRow *rows = reeve_machine_table_get_rows (table, &n_rows);

  for (unsigned i = 0; i < n_rows; i++)
    g_string_append_printf (
        text, "%s%s:%d:%d ", rows[i].name,
        reeve_machine_row_matches (&rows[i], REEVE_MACHINES_AUTOSTART) ? "*"
                                                                       : "",
        rows[i].id, rows[i].state);
  return g_string_free (text, FALSE);
}

static void
assert_rows (Fixture *fixture, const char *expected)
{
  g_autofree char *text = describe (fixture);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_is_shared (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine G_GNUC_UNUSED = define (fixture, "a");
  g_autoptr (ReeveMachineTable) one =
      reeve_machine_list_get_table (fixture->list, NULL);
  g_autoptr (ReeveMachineTable) same =
      reeve_machine_list_get_table (fixture->list, NULL);
  g_autoptr (ReeveMachine) other G_GNUC_UNUSED = define (fixture, "b");
  g_autoptr (ReeveMachineTable) another =
      reeve_machine_list_get_table (fixture->list, NULL);
  unsigned n_rows;

  g_assert_true (one == same);
  g_assert_true (one != another);
  /* who has it still sees what it was */
  reeve_machine_table_get_rows (one, &n_rows);
  g_assert_cmpuint (n_rows, ==, 1);
  reeve_machine_table_get_rows (another, &n_rows);
  g_assert_cmpuint (n_rows, ==, 2);
}

static void
test_each_change_of_a_definition (Fixture *fixture)
{
  g_autoptr (ReeveMachine) b = define (fixture, "b");
  g_autoptr (ReeveMachine) a = NULL;

  assert_rows (fixture, "b:-1:5 ");
  a = define (fixture, "a");
  assert_rows (fixture, "a:-1:5 b:-1:5 ");
  reeve_machine_list_set_autostart (fixture->list, b, TRUE, NULL);
  assert_rows (fixture, "a:-1:5 b*:-1:5 ");
  reeve_machine_list_rename (fixture->list, a, "c", NULL);
  assert_rows (fixture, "b*:-1:5 c:-1:5 ");
  reeve_machine_list_set_autostart (fixture->list, b, FALSE, NULL);
  assert_rows (fixture, "b:-1:5 c:-1:5 ");
  reeve_machine_list_undefine (fixture->list, b, NULL);
  assert_rows (fixture, "c:-1:5 ");
}

static void
test_its_revision_is_of_now (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine G_GNUC_UNUSED = define (fixture, "a");
  g_autoptr (ReeveMachineTable) one = NULL;
  g_autoptr (ReeveMachineTable) two = NULL;
  uint64_t first, second;

  one = reeve_machine_list_get_table (fixture->list, &first);
  two = reeve_machine_list_get_table (fixture->list, &second);
  g_assert_cmpuint (first, ==, reeve_machine_list_get_revision (fixture->list));
  g_assert_cmpuint (second, ==, first);
}

/* Before it has begun, and when it is gone, there is somebody to ask it. */
static void
test_no_machine_is_without_a_definition (Fixture *fixture)
{
  g_autofree char *xml = fixture_make_xml (fixture, "t", GUEST_IDLE, "");
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);
  g_autoptr (ReeveMachine) transient = NULL;
  g_autoptr (ReeveMachine) gone = define (fixture, "gone");
  g_auto (ReeveMachineSnapshot) early = { 0 };
  g_auto (ReeveMachineSnapshot) late = { 0 };
  g_auto (ReeveMachineSnapshot) undefined = { 0 };
  Ended ended = { 0 };

  transient = reeve_machine_list_create (
      fixture->list, config, REEVE_MACHINE_START_NONE, NULL,
      fixture_deadline (60), on_ended, &ended, NULL);
  reeve_machine_get_snapshot (transient, &early);
  g_assert_nonnull (early.live_config);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (fixture_destroy (fixture, transient), ==, 0);
  reeve_machine_get_snapshot (transient, &late);
  g_assert_nonnull (late.live_config);

  reeve_machine_list_undefine (fixture->list, gone, NULL);
  reeve_machine_get_snapshot (gone, &undefined);
  g_assert_nonnull (undefined.live_config);
  ended_clear (&ended);
}

/* Looks at a machine, and holds up the loop's thread in the midst of what it
 * changes of it. */
typedef struct {
  ReeveMachineList *list;
  ReeveMachine *machine;
  atomic_bool is_over;
} Onlooker;

static void
look_with_list_locked (Onlooker *self)
{
  gint64 end_us = g_get_monotonic_time () + 2000;

  REEVE_LOCK_SCOPE (&self->list->lock);

  while (g_get_monotonic_time () < end_us) {
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };

    reeve_machine_get_snapshot (self->machine, &snapshot);
    g_assert_cmpint (snapshot.is_active, ==, snapshot.live_config != NULL);
    g_assert_cmpint (snapshot.is_active, ==, snapshot.id > 0);
    g_assert_cmpint (snapshot.is_active, ==,
                     snapshot.state != REEVE_MACHINE_SHUTOFF);
  }
}

static void *
look_on (void *data)
{
  Onlooker *self = data;

  while (!atomic_load (&self->is_over)) {
    look_with_list_locked (self);
    g_usleep (200);
  }
  return NULL;
}

static void
test_no_run_is_half_seen (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (
      fixture, GUEST_IDLE,
      "<devices><emulator>/nonexistent/qemu</emulator></devices>");
  Onlooker onlooker = { fixture->list, machine, FALSE };
  pthread_t thread;

  pthread_create (&thread, NULL, look_on, &onlooker);
  for (int i = 0; i < 30; i++)
    g_assert_cmpint (
        fixture_run (fixture, machine, reeve_machine_start_plainly), !=, 0);
  atomic_store (&onlooker.is_over, TRUE);
  pthread_join (thread, NULL);
}

/* ------------------------------------------------------------ that run --- */

static void
test_each_change_of_a_run (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  g_autofree char *off = NULL;
  g_autofree char *on = NULL;
  g_autofree char *paused = NULL;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  off = g_strconcat (snapshot.name, ":-1:5 ", NULL);
  on = g_strconcat (snapshot.name, ":1:1 ", NULL);
  paused = g_strconcat (snapshot.name, ":1:3 ", NULL);

  assert_rows (fixture, off);
  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  assert_rows (fixture, on);
  g_assert_cmpint (fixture_run (fixture, machine, reeve_machine_suspend), ==,
                   0);
  assert_rows (fixture, paused);
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  assert_rows (fixture, off);
}

static void
assert_id (ReeveMachineXml *xml, const char *id)
{
  g_autofree char *attribute = g_strdup_printf ("id='%s'", id);

  g_assert_nonnull (strstr (reeve_machine_xml_get_text (xml), attribute));
}

static ReeveConfig *
shrink (ReeveConfig *config, gconstpointer data, GError **error)
{
  return reeve_config_with_current_memory (config, 1024, error);
}

static void
test_live_xml_is_shared (Fixture *fixture)
{
  const ReeveMachineUpdate update = { .change = shrink, .is_live = TRUE };
  g_autoptr (ReeveMachine) machine = fixture_define (fixture, GUEST_IDLE, "");
  ReeveMachineXml *one, *same, *another, *next_run;

  g_assert_null (reeve_machine_get_live_xml (machine));
  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  one = reeve_machine_get_live_xml (machine);
  same = reeve_machine_get_live_xml (machine);
  g_assert_true (one == same);
  assert_id (one, "1");

  g_assert_true (
      reeve_machine_list_update (fixture->list, machine, &update, NULL, NULL));
  another = reeve_machine_get_live_xml (machine);
  g_assert_nonnull (
      strstr (reeve_machine_xml_get_text (another), ">1024</currentMemory>"));

  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);
  g_assert_null (reeve_machine_get_live_xml (machine));
  fixture_start (fixture, machine, REEVE_MACHINE_START_NONE);
  next_run = reeve_machine_get_live_xml (machine);
  assert_id (next_run, "2");
  g_assert_cmpint (fixture_destroy (fixture, machine), ==, 0);

  reeve_machine_xml_unref (one);
  reeve_machine_xml_unref (same);
  reeve_machine_xml_unref (another);
  reeve_machine_xml_unref (next_run);
}

static const FixtureRow rows[] = {
  { "is-shared", test_is_shared, FALSE },
  { "each-change-of-a-definition", test_each_change_of_a_definition, FALSE },
  { "its-revision-is-of-now", test_its_revision_is_of_now, FALSE },
  { "no-machine-is-without-a-definition",
    test_no_machine_is_without_a_definition, TRUE },
  { "no-run-is-half-seen", test_no_run_is_half_seen, FALSE },
  { "each-change-of-a-run", test_each_change_of_a_run, TRUE },
  { "live-xml-is-shared", test_live_xml_is_shared, TRUE },
};

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, "/machine/machine-table", rows,
                       G_N_ELEMENTS (rows));
}
