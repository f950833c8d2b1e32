/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/store.h"

#include "../log-capture.h"
#include "disk-steps.h"
#include "remove-tree.h"
#include "rpc/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* So many that several threads read them. */
#define N_MACHINES 400

static char *
make_path (const char *dir, int number)
{
  return g_strdup_printf ("%s/m%03d.xml", dir, number);
}

static void
write_text (const char *dir, int number, const char *text)
{
  g_autofree char *path = make_path (dir, number);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
write_machine (const char *dir, int file_number, int number)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>m%03d</name>"
      "<uuid>00000000-0000-4000-8000-000000000%03d</uuid>"
      "<memory>1024</memory><os><type>hvm</type></os></domain>",
      number, number);

  write_text (dir, file_number, xml);
}

static char *
make_store (void)
{
  char *dir = g_dir_make_tmp ("reeve-store-XXXXXX", NULL);

  for (int i = 0; i < N_MACHINES; i++)
    write_machine (dir, i, i);
  return dir;
}

static void
remove_file (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_remove (path);
}

static void
remove_store (char *dir)
{
  g_autofree char *marks = g_build_filename (dir, "autostart", NULL);

  for (int i = 0; i < N_MACHINES; i++) {
    g_autofree char *name = g_strdup_printf ("m%03d.xml", i);

    remove_file (dir, name);
    remove_file (marks, name);
  }
  g_rmdir (marks);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
  g_free (dir);
}

/* What came, in its order: "m000 m001* …", with a star where it is marked. */
static void
on_loaded (ReeveConfig *config, gboolean is_autostart, gpointer data)
{
  g_string_append_printf (data, "%s%s ", reeve_config_get_name (config),
                          is_autostart ? "*" : "");
}

/* @marks: '*' of a machine that is marked, '-' of one that does not come */
static void
assert_loads (const char *dir, const char marks[N_MACHINES])
{
  g_autoptr (GString) loaded = g_string_new (NULL);
  g_autoptr (GString) expected = g_string_new (NULL);

  for (int i = 0; i < N_MACHINES; i++)
    if (marks[i] != '-')
      g_string_append_printf (expected, "m%03d%s ", i,
                              marks[i] == '*' ? "*" : "");
  g_assert_true (reeve_store_load (dir, on_loaded, loaded, NULL));
  g_assert_cmpstr (loaded->str, ==, expected->str);
}

static void
test_many_in_their_order (void)
{
  char *dir = make_store ();
  char marks[N_MACHINES] = { 0 };

  assert_loads (dir, marks);
  log_capture_assert_empty ();
  remove_store (dir);
}

static void
test_marks (void)
{
  char *dir = make_store ();
  char marks[N_MACHINES] = { [7] = '*', [399] = '*' };

  g_assert_true (reeve_store_set_autostart (dir, "m007", TRUE, NULL));
  g_assert_true (reeve_store_set_autostart (dir, "m399", TRUE, NULL));
  g_assert_true (reeve_store_set_autostart (dir, "m100", TRUE, NULL));
  g_assert_true (reeve_store_set_autostart (dir, "m100", FALSE, NULL));
  assert_loads (dir, marks);
  remove_store (dir);
}

static void
test_each_bad_file_is_told (void)
{
  char *dir = make_store ();
  char marks[N_MACHINES] = { [3] = '-', [200] = '-', [398] = '-' };

  write_text (dir, 3, "<domain type='qemu'>");
  write_machine (dir, 200, 201);
  write_text (dir, 398, "<domain type='qemu'><name>m398</name></domain>");
  assert_loads (dir, marks);
  log_capture_take ("warning Cannot read */m003.xml: *");
  log_capture_take ("warning Cannot read */m200.xml: *'m201'");
  log_capture_take ("warning Cannot read */m398.xml: *<memory>*");
  log_capture_assert_empty ();
  remove_store (dir);
}

static void
test_leaves_no_unfinished (void)
{
  char *dir = make_store ();
  char marks[N_MACHINES] = { 0 };
  g_autofree char *path = g_build_filename (dir, "new.xml.new", NULL);

  g_assert_true (g_file_set_contents (path, "<domain", -1, NULL));
  assert_loads (dir, marks);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  remove_store (dir);
}

/* ------------------------------------------------------- failing disks -- */

typedef gboolean (*Change) (const char *dir, GError **error);

/* (transfer full): of m001, which is there, with that title */
static ReeveConfig *
make_config (const char *name, const char *title)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>%s</name>"
      "<uuid>00000000-0000-4000-8000-000000000001</uuid><title>%s</title>"
      "<memory>1024</memory><os><type>hvm</type></os></domain>",
      name, title);

  return reeve_config_new_from_xml (xml, NULL);
}

static gboolean
save_first (const char *dir, GError **error)
{
  g_autoptr (ReeveConfig) config = make_config ("m001", "first");

  return reeve_store_save (dir, config, error);
}

static gboolean
save_second (const char *dir, GError **error)
{
  g_autoptr (ReeveConfig) config = make_config ("m001", "second");

  return reeve_store_save (dir, config, error);
}

static gboolean
mark (const char *dir, GError **error)
{
  return reeve_store_set_autostart (dir, "m001", TRUE, error);
}

static gboolean
save_and_mark (const char *dir, GError **error)
{
  return save_first (dir, error) && mark (dir, error);
}

static gboolean
unmark (const char *dir, GError **error)
{
  return reeve_store_set_autostart (dir, "m001", FALSE, error);
}

static gboolean
undefine (const char *dir, GError **error)
{
  return reeve_store_remove (dir, "m001", error);
}

static gboolean
rename_it (const char *dir, GError **error)
{
  g_autoptr (ReeveConfig) config = make_config ("m000", "first");

  return reeve_store_rename (dir, "m001", config, error);
}

typedef struct {
  const char *name;
  Change prepare; /* (nullable) */
  Change change;
  const char *after;
} FailRow;

static const FailRow fail_rows[] = {
  { "new", NULL, save_first, "m001:first autostart: " },
  { "update", save_first, save_second, "m001:second autostart: " },
  { "undefine", save_first, undefine, "autostart: " },
  { "undefine-marked", save_and_mark, undefine, "autostart: " },
  { "rename", save_first, rename_it, "m000:first autostart: " },
  { "rename-marked", save_and_mark, rename_it,
    "m000:first autostart: m000.xml " },
  { "mark", save_first, mark, "m001:first autostart: m001.xml " },
  { "unmark", save_and_mark, unmark, "m001:first autostart: " },
};

typedef struct {
  int n_left; /* steps that succeed */
  gboolean is_broken_for_good;
  gboolean has_failed;
} Disk;

static int
on_disk_step (const char *call, gpointer data)
{
  Disk *self = data;

  if (self->is_broken_for_good && !g_str_equal (call, "fsync"))
    return 0;
  if (self->n_left-- > 0 || (self->has_failed && !self->is_broken_for_good))
    return 0;
  self->has_failed = TRUE;
  return EIO;
}

static void
append_machine (ReeveConfig *config, gboolean is_autostart, gpointer data)
{
  g_string_append_printf (data, "%s:%s ", reeve_config_get_name (config),
                          reeve_config_get_title (config));
}

/* (transfer full): what a daemon finds, and the marks that there are. */
static char *
dup_state (const char *dir)
{
  GString *state = g_string_new (NULL);
  g_autofree char *path = g_build_filename (dir, REEVE_STORE_MARKS, NULL);
  g_autoptr (GDir) marks = NULL;
  const char *file;

  g_assert_true (reeve_store_load (dir, append_machine, state, NULL));
  g_string_append (state, "autostart: ");
  marks = g_dir_open (path, 0, NULL);
  while (marks != NULL && (file = g_dir_read_name (marks)) != NULL)
    g_string_append_printf (state, "%s ", file);
  return g_string_free (state, FALSE);
}

/* Returns whether a step has failed. */
static gboolean
run_on_disk (const FailRow *row, Disk disk)
{
  char *dir = g_dir_make_tmp ("reeve-store-XXXXXX", NULL);
  g_autofree char *before = NULL;
  g_autofree char *state = NULL;
  g_autoptr (GError) error = NULL;
  gboolean is_changed;

  g_assert_true (row->prepare == NULL || row->prepare (dir, NULL));
  before = dup_state (dir);
  disk_steps_watch (on_disk_step, &disk);
  is_changed = row->change (dir, &error);
  disk_steps_watch (NULL, NULL);
  state = dup_state (dir);
  g_assert_cmpstr (state, ==, is_changed ? row->after : before);
  if (!is_changed)
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_assert_true (is_changed || disk.has_failed);
  remove_tree (dir);
  g_free (dir);
  return disk.has_failed;
}

static void
test_failing_disk (gconstpointer data)
{
  for (int n_steps = 0; run_on_disk (data, (Disk){ .n_left = n_steps });)
    n_steps++;
  for (int n_steps = 0; run_on_disk (data, (Disk){ n_steps, TRUE, FALSE });)
    n_steps++;
}

static void
test_a_mark_of_nothing_goes (void)
{
  char *dir = g_dir_make_tmp ("reeve-store-XXXXXX", NULL);
  g_autofree char *state = NULL;

  g_assert_true (mark (dir, NULL));
  state = dup_state (dir);
  g_assert_cmpstr (state, ==, "autostart: ");
  remove_tree (dir);
  g_free (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
  g_test_add_func ("/machine/store/load/many-in-their-order",
                   test_many_in_their_order);
  g_test_add_func ("/machine/store/load/marks", test_marks);
  g_test_add_func ("/machine/store/load/each-bad-file-is-told",
                   test_each_bad_file_is_told);
  g_test_add_func ("/machine/store/load/leaves-no-unfinished",
                   test_leaves_no_unfinished);
  g_test_add_func ("/machine/store/load/a-mark-of-nothing-goes",
                   test_a_mark_of_nothing_goes);
  for (size_t i = 0; i < G_N_ELEMENTS (fail_rows); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/store/failing-disk/", fail_rows[i].name, NULL);

    g_test_add_data_func (path, &fail_rows[i], test_failing_disk);
  }
  return g_test_run ();
}
