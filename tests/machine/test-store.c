/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/store.h"

#include "../log-capture.h"

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
  return g_test_run ();
}
