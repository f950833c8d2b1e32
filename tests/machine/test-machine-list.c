/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk-steps.h"
#include "machine-fixture.h"

#include "machine/store.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Definitions: on disk, in the list, and as events. No QEMU runs here. */

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
define (Fixture *fixture, const char *name, GError **error)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autoptr (ReeveConfig) config = make_config (name, uuid);

  return reeve_machine_list_define (fixture->list, config, NULL, error);
}

static char *
get_names (Fixture *fixture, ReeveMachineFilter filter)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (fixture->list, filter, NULL);
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < machines->len; i++) {
    g_auto (ReeveMachineSnapshot) snapshot = { 0 };

    reeve_machine_get_snapshot (g_ptr_array_index (machines, i), &snapshot);
    g_string_append_printf (names, "%s ", snapshot.name);
  }
  return g_string_free (names, FALSE);
}

static void
assert_names (Fixture *fixture, ReeveMachineFilter filter, const char *expected)
{
  g_autofree char *names = get_names (fixture, filter);

  g_assert_cmpstr (names, ==, expected);
}

static void
turn (Fixture *fixture)
{
  while (
      g_main_context_iteration (reeve_loop_get_context (fixture->loop), FALSE))
    ;
}

static void
test_outlives_a_restart (Fixture *fixture)
{
  g_autoptr (ReeveMachine) b = define (fixture, "b", NULL);
  g_autoptr (ReeveMachine) a = define (fixture, "a b,c", NULL);

  g_assert_true (
      reeve_machine_list_set_autostart (fixture->list, b, TRUE, NULL));
  g_clear_pointer (&a, reeve_machine_unref);
  g_clear_pointer (&b, reeve_machine_unref);
  fixture_restart (fixture);
  assert_names (fixture, 0, "a b,c b ");
  assert_names (fixture, REEVE_MACHINES_AUTOSTART, "b ");
  assert_names (fixture, REEVE_MACHINES_NO_AUTOSTART, "a b,c ");
  assert_names (fixture, REEVE_MACHINES_ACTIVE, "");
  assert_names (fixture, REEVE_MACHINES_ACTIVE | REEVE_MACHINES_INACTIVE,
                "a b,c b ");
  assert_names (fixture, REEVE_MACHINES_SHUTOFF | REEVE_MACHINES_RUNNING,
                "a b,c b ");
  assert_names (fixture, REEVE_MACHINES_TRANSIENT, "");
  assert_names (fixture, REEVE_MACHINES_HAS_SNAPSHOT, "");
  assert_names (fixture, REEVE_MACHINES_NO_SNAPSHOT, "a b,c b ");
}

static void
test_define_again_updates (Fixture *fixture)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autoptr (ReeveConfig) config = make_config ("a", uuid);
  g_autoptr (ReeveMachine) first = NULL;
  g_autoptr (ReeveMachine) second = NULL;
  gboolean was_updated;

  first = reeve_machine_list_define (fixture->list, config, &was_updated, NULL);
  g_assert_false (was_updated);
  second =
      reeve_machine_list_define (fixture->list, config, &was_updated, NULL);
  g_assert_true (was_updated);
  g_assert_true (first == second);
  turn (fixture);
  g_assert_cmpstr (fixture->events->str, ==, "0/0 0/1 ");
}

static void
test_names_and_uuids_are_unique (Fixture *fixture)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autoptr (ReeveConfig) config = make_config ("a", uuid);
  g_autoptr (ReeveConfig) renamed = make_config ("b", uuid);
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_define (fixture->list, config, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (machine);
  g_assert_null (define (fixture, "a", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED);
  g_clear_error (&error);
  g_assert_null (
      reeve_machine_list_define (fixture->list, renamed, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED);
  assert_names (fixture, 0, "a ");
}

static void
test_undefine (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  g_autoptr (GError) error = NULL;
  Ended ended = { 0 };

  g_assert_true (reeve_machine_list_undefine (fixture->list, machine, &error));
  assert_names (fixture, 0, "");
  turn (fixture);
  g_assert_cmpstr (fixture->events->str, ==, "0/0 1/0 ");
  g_assert_false (reeve_machine_list_undefine (fixture->list, machine, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);

  /* whoever still holds it cannot start it */
  reeve_machine_start (machine, 0, NULL, fixture_deadline (5), on_ended,
                       &ended);
  fixture_wait (fixture, &ended.n_calls);
  g_assert_cmpint (ended.code, ==, REEVE_ERROR_NO_DOMAIN);
  ended_clear (&ended);
  fixture_restart (fixture);
  assert_names (fixture, 0, "");
}

static void
test_rename (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  g_autoptr (ReeveMachine) other = define (fixture, "b", NULL);
  g_autoptr (GError) error = NULL;

  reeve_machine_list_set_autostart (fixture->list, machine, TRUE, NULL);
  g_assert_false (
      reeve_machine_list_rename (fixture->list, machine, "b", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  g_clear_error (&error);
  g_assert_false (
      reeve_machine_list_rename (fixture->list, machine, "../x", &error));
  g_clear_error (&error);
  g_assert_true (
      reeve_machine_list_rename (fixture->list, machine, "c", &error));
  g_assert_no_error (error);
  assert_names (fixture, 0, "b c ");
  turn (fixture);
  g_assert_nonnull (strstr (fixture->events->str, "1/1 0/2 "));

  g_clear_pointer (&machine, reeve_machine_unref);
  g_clear_pointer (&other, reeve_machine_unref);
  fixture_restart (fixture);
  assert_names (fixture, 0, "b c ");
  assert_names (fixture, REEVE_MACHINES_AUTOSTART, "c ");
}

static void
test_a_full_disk_changes_nothing (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine G_GNUC_UNUSED = define (fixture, "a", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (fixture->config_dir, NULL);
  g_autofree char *away = g_strconcat (path, ".away", NULL);

  g_assert_cmpint (g_rename (path, away), ==, 0);
  g_assert_null (define (fixture, "b", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  assert_names (fixture, 0, "a ");
  g_assert_cmpint (g_rename (away, path), ==, 0);
}

static void
test_bad_files_are_left_alone (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  g_autofree char *bad =
      g_build_filename (fixture->config_dir, "bad.xml", NULL);
  g_autofree char *half =
      g_build_filename (fixture->config_dir, "a.xml.new", NULL);

  g_clear_pointer (&machine, reeve_machine_unref);
  g_assert_true (g_file_set_contents (bad, "<domain", -1, NULL));
  g_assert_true (g_file_set_contents (half, "<domain", -1, NULL));
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  fixture_restart (fixture);
  assert_names (fixture, 0, "a ");
  g_assert_true (g_file_test (bad, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (half, G_FILE_TEST_EXISTS));
}

static ReeveConfig *
set_title (ReeveConfig *config, gconstpointer data, GError **error)
{
  return reeve_config_with_title (config, data, error);
}

static void
test_update (Fixture *fixture)
{
  ReeveMachineUpdate update = { set_title, "T", .is_stored = TRUE };
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (reeve_machine_list_update (
      fixture->list, machine, &update,
      reeve_machine_event_new (REEVE_MACHINE_EVENT_METADATA_CHANGE), &error));
  update.is_live = TRUE;
  update.data = "not stored, either";
  g_assert_false (reeve_machine_list_update (fixture->list, machine, &update,
                                             NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  turn (fixture);
  g_assert_cmpstr (fixture->events->str, ==, "0/0 other ");

  g_clear_pointer (&machine, reeve_machine_unref);
  fixture_restart (fixture);
  machine = reeve_machine_list_lookup_name (fixture->list, "a", NULL);
  reeve_machine_get_snapshot (machine, &snapshot);
  g_assert_cmpstr (reeve_config_get_title (snapshot.config), ==, "T");
}

/* Somebody who sets a title while another one's change goes to the disk. */
typedef struct {
  Fixture *fixture;
  ReeveMachine *machine;
  pthread_t thread;
  gboolean has_begun;
} Other;

static void *
run_other (void *data)
{
  const ReeveMachineUpdate update = { set_title, "T", .is_stored = TRUE };
  Other *self = data;

  g_assert_true (reeve_machine_list_update (self->fixture->list, self->machine,
                                            &update, NULL, NULL));
  return NULL;
}

static int
on_disk_step (const char *call, gpointer data)
{
  Other *self = data;

  if (!self->has_begun) {
    self->has_begun = TRUE;
    g_assert_cmpint (pthread_create (&self->thread, NULL, run_other, self), ==,
                     0);
    /* for as long as a disk takes: who does not wait is wrong by then */
    g_usleep (10000);
  }
  return 0;
}

static void
begin_other (Other *self)
{
  disk_steps_watch (on_disk_step, self);
}

static void
end_other (Other *self)
{
  g_assert_true (self->has_begun);
  g_assert_cmpint (pthread_join (self->thread, NULL), ==, 0);
  disk_steps_watch (NULL, NULL);
}

/* @description: (nullable) */
static void
assert_only (Fixture *fixture, const char *name, const char *description)
{
  g_autofree char *names = g_strconcat (name, " ", NULL);
  g_autoptr (ReeveMachine) machine = NULL;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  assert_names (fixture, 0, names);
  machine = reeve_machine_list_lookup_name (fixture->list, name, NULL);
  reeve_machine_get_snapshot (machine, &snapshot);
  g_assert_cmpstr (reeve_config_get_name (snapshot.config), ==, name);
  g_assert_cmpstr (reeve_config_get_title (snapshot.config), ==, "T");
  g_assert_cmpstr (reeve_config_get_description (snapshot.config), ==,
                   description);
}

static void
test_update_beside_a_define (Fixture *fixture)
{
  g_autofree char *uuid = g_uuid_string_random ();
  g_autoptr (ReeveConfig) config = make_config ("a", uuid);
  g_autoptr (ReeveConfig) described =
      reeve_config_with_description (config, "D", NULL);
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_define (fixture->list, config, NULL, NULL);
  g_autoptr (ReeveMachine) again = NULL;
  Other other = { .fixture = fixture, .machine = machine };

  begin_other (&other);
  again = reeve_machine_list_define (fixture->list, described, NULL, NULL);
  end_other (&other);
  g_assert_true (again == machine);
  assert_only (fixture, "a", "D");
  g_clear_pointer (&again, reeve_machine_unref);
  g_clear_pointer (&machine, reeve_machine_unref);
  fixture_restart (fixture);
  assert_only (fixture, "a", "D");
}

static void
test_update_beside_a_rename (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  Other other = { .fixture = fixture, .machine = machine };

  begin_other (&other);
  g_assert_true (reeve_machine_list_rename (fixture->list, machine, "b", NULL));
  end_other (&other);
  assert_only (fixture, "b", NULL);
  g_clear_pointer (&machine, reeve_machine_unref);
  fixture_restart (fixture);
  assert_only (fixture, "b", NULL);
}

static void
test_lookups_name_what_is_missing (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  uint8_t uuid[16] = { 1 };

  g_assert_null (reeve_machine_list_lookup_name (fixture->list, "x", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN);
  g_assert_nonnull (strstr (error->message, "'x'"));
  g_clear_error (&error);
  g_assert_null (reeve_machine_list_lookup_uuid (fixture->list, uuid, &error));
  g_assert_nonnull (strstr (error->message, "01000000-"));
  g_clear_error (&error);
  g_assert_null (reeve_machine_list_lookup_id (fixture->list, -1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN);
}

static int
on_last_disk_step (const char *call, gpointer data)
{
  int *n_left = data;

  if ((*n_left)-- == 0)
    _exit (0);
  return 0;
}

/* Renames it as the daemon does, in a process that is killed before a step.
 * Returns whether it was. */
static gboolean
rename_and_die (Fixture *fixture,
                const char *old_name,
                ReeveConfig *config,
                int n_steps)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0) {
    disk_steps_watch (on_last_disk_step, &n_steps);
    _exit (reeve_store_rename (fixture->config_dir, old_name, config, NULL)
               ? 1
               : 2);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) != 2);
  return WEXITSTATUS (status) == 0;
}

static unsigned
count_entries (const char *path)
{
  g_autoptr (GDir) entries = g_dir_open (path, 0, NULL);
  unsigned n_entries = 0;

  while (g_dir_read_name (entries) != NULL)
    n_entries++;
  return n_entries;
}

/* Two names of which the first is first in the store, or is not. */
static void
kill_renames (Fixture *fixture, const char *old_name, const char *name)
{
  g_autofree char *marks =
      g_build_filename (fixture->config_dir, "autostart", NULL);
  gboolean is_killed = TRUE;

  for (int n_steps = 0; is_killed; n_steps++) {
    g_autoptr (ReeveMachine) machine = define (fixture, old_name, NULL);
    g_autoptr (ReeveConfig) config = reeve_machine_dup_config (machine);
    g_autoptr (ReeveConfig) renamed =
        reeve_config_with_name (config, name, NULL);

    g_assert_true (
        reeve_machine_list_set_autostart (fixture->list, machine, TRUE, NULL));
    g_clear_pointer (&machine, reeve_machine_unref);
    fixture_close_list (fixture);
    is_killed = rename_and_die (fixture, old_name, renamed, n_steps);
    fixture_open_list (fixture);

    machine = reeve_machine_list_lookup_name (fixture->list, name, NULL);
    if (machine == NULL && is_killed)
      machine = reeve_machine_list_lookup_name (fixture->list, old_name, NULL);
    g_assert_nonnull (machine);
    g_assert_cmpuint (
        reeve_machine_list_count (fixture->list, REEVE_MACHINES_AUTOSTART), ==,
        1);
    g_assert_cmpuint (count_entries (fixture->config_dir), ==, 2);
    g_assert_cmpuint (count_entries (marks), ==, 1);

    g_assert_true (reeve_machine_list_undefine (fixture->list, machine, NULL));
    g_clear_pointer (&machine, reeve_machine_unref);
    fixture_restart (fixture);
    assert_names (fixture, 0, "");
  }
}

static void
test_killed_while_renaming (Fixture *fixture)
{
  kill_renames (fixture, "web", "db");
  kill_renames (fixture, "db", "web");
}

/* What daemons left that made the new definition before its mark. */
static void
test_what_a_rename_left (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "web", NULL);
  g_autoptr (ReeveConfig) config = reeve_machine_dup_config (machine);
  g_autoptr (ReeveConfig) renamed = reeve_config_with_name (config, "db", NULL);

  g_assert_true (
      reeve_machine_list_set_autostart (fixture->list, machine, TRUE, NULL));
  g_assert_true (reeve_store_save (fixture->config_dir, renamed, NULL));
  g_clear_pointer (&machine, reeve_machine_unref);
  for (int i = 0; i < 2; i++) {
    fixture_restart (fixture);
    assert_names (fixture, 0, "db ");
    assert_names (fixture, REEVE_MACHINES_AUTOSTART, "db ");
    g_assert_cmpuint (count_entries (fixture->config_dir), ==, 2);
  }
}

/* Not by a rename: somebody made it of the other one, by hand. */
static void
test_defined_twice (Fixture *fixture)
{
  g_autoptr (ReeveMachine) machine = define (fixture, "a", NULL);
  g_autoptr (ReeveConfig) config = reeve_machine_dup_config (machine);
  g_autoptr (ReeveConfig) renamed = reeve_config_with_name (config, "b", NULL);
  g_autoptr (ReeveConfig) other = set_title (renamed, "other", NULL);

  g_assert_true (reeve_store_save (fixture->config_dir, other, NULL));
  g_clear_pointer (&machine, reeve_machine_unref);
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  fixture_restart (fixture);
  assert_names (fixture, 0, "a ");
  g_assert_cmpuint (count_entries (fixture->config_dir), ==, 2);
}

typedef struct {
  Fixture *fixture;
  unsigned n_events;
  unsigned n_freed;
  unsigned id;
  uint64_t last_sequence;
} Subscriber;

static void
on_event (ReeveMachineEvent *event, gpointer data)
{
  Subscriber *self = data;

  g_assert_cmpuint (event->sequence, >, self->last_sequence);
  self->last_sequence = event->sequence;
  self->n_events++;
  reeve_machine_list_unsubscribe (self->fixture->list, self->id);
}

static void
on_free (gpointer data)
{
  ((Subscriber *) data)->n_freed++;
}

static void
test_subscriber_leaves_by_itself (Fixture *fixture)
{
  Subscriber subscriber = { .fixture = fixture };
  g_autoptr (ReeveMachine) a G_GNUC_UNUSED = define (fixture, "a", NULL);
  g_autoptr (ReeveMachine) b = NULL;
  g_autoptr (ReeveMachine) c = NULL;
  uint64_t revision;

  turn (fixture);
  subscriber.id = reeve_machine_list_subscribe (
      fixture->list, on_event, &subscriber, on_free, &revision);
  g_assert_cmpuint (revision, ==,
                    reeve_machine_list_get_revision (fixture->list));
  subscriber.last_sequence = revision;
  b = define (fixture, "b", NULL);
  c = define (fixture, "c", NULL);
  turn (fixture);
  g_assert_cmpuint (subscriber.n_events, ==, 1);
  g_assert_cmpuint (subscriber.n_freed, ==, 1);
}

static const FixtureRow rows[] = {
  { "outlives-a-restart", test_outlives_a_restart, FALSE },
  { "define-again-updates", test_define_again_updates, FALSE },
  { "names-and-uuids-are-unique", test_names_and_uuids_are_unique, FALSE },
  { "undefine", test_undefine, FALSE },
  { "rename", test_rename, FALSE },
  { "a-full-disk-changes-nothing", test_a_full_disk_changes_nothing, FALSE },
  { "bad-files-are-left-alone", test_bad_files_are_left_alone, FALSE },
  { "update", test_update, FALSE },
  { "update-beside-a-define", test_update_beside_a_define, FALSE },
  { "update-beside-a-rename", test_update_beside_a_rename, FALSE },
  { "killed-while-renaming", test_killed_while_renaming, FALSE },
  { "what-a-rename-left", test_what_a_rename_left, FALSE },
  { "defined-twice", test_defined_twice, FALSE },
  { "lookups-name-what-is-missing", test_lookups_name_what_is_missing, FALSE },
  { "subscriber-leaves-by-itself", test_subscriber_leaves_by_itself, FALSE },
};

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, "/machine/machine-list", rows,
                       G_N_ELEMENTS (rows));
}
