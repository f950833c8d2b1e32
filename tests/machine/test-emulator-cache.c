/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/emulator-cache.h"
#include "remove-tree.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

/* An emulator is a script that notes each time that it runs, and fails as long
 * as there is a file `broken` beside it. */

#define N_QUESTIONS 3

typedef struct {
  char *root;
  char *cache_dir;
  char *program;
  char *runs;
} Fixture;

static void
write_program (Fixture *self, const char *version)
{
  g_autofree char *fresh = g_strconcat (self->program, ".new", NULL);
  g_autofree char *text = g_strdup_printf (
      "#!/bin/sh\n"
      "echo \"$1\" >>'%s'\n"
      "[ ! -e \"${0%%/*}/broken\" ] || exit 127\n"
      "case \"$1\" in\n"
      "-version) echo 'QEMU emulator version %s' ;;\n"
      "-machine) echo 'pc  Standard PC (alias of pc-i440fx-7.2)'\n"
      "          echo 'pc-i440fx-7.2  Standard; PC (default)'\n"
      "          echo 'none  empty machine' ;;\n"
      "-cpu) echo 'x86 qemu64  a CPU' ;;\n"
      "esac\n",
      self->runs, version);

  g_assert_true (g_file_set_contents (fresh, text, -1, NULL));
  g_assert_cmpint (g_chmod (fresh, 0700), ==, 0);
  g_assert_cmpint (g_rename (fresh, self->program), ==, 0);
}

static void
set_up (Fixture *self)
{
  self->root = g_dir_make_tmp ("reeve-emulator-XXXXXX", NULL);
  g_assert_nonnull (self->root);
  self->cache_dir = g_build_filename (self->root, "cache", NULL);
  self->program = g_build_filename (self->root, "qemu", NULL);
  self->runs = g_build_filename (self->root, "runs", NULL);
  write_program (self, "7.2.18");
  reeve_emulator_open_cache (self->cache_dir);
}

static void
tear_down (Fixture *self)
{
  reeve_emulator_close_cache ();
  remove_tree (self->root);
  g_free (self->root);
  g_free (self->cache_dir);
  g_free (self->program);
  g_free (self->runs);
}

/* As another daemon, with nothing but the files. */
static void
begin_anew (Fixture *self)
{
  reeve_emulator_close_cache ();
  reeve_emulator_open_cache (self->cache_dir);
}

static size_t
count_runs (Fixture *self)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (self->runs, &text, NULL, NULL))
    return 0;
  lines = g_strsplit (text, "\n", -1);
  return g_strv_length (lines) - 1;
}

static void
check (Fixture *self, uint64_t version, size_t n_runs)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveEmulator) emulator =
      reeve_emulator_get (self->program, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (emulator->version, ==, version);
  g_assert_cmpuint (emulator->types->len, ==, 2);
  g_assert_cmpstr (reeve_emulator_resolve_type (emulator, "pc"), ==,
                   "pc-i440fx-7.2");
  g_assert_cmpstr (reeve_emulator_resolve_type (emulator, "none"), ==, "none");
  g_assert_cmpuint (emulator->cpus->len, ==, 1);
  g_assert_cmpstr (emulator->cpus->pdata[0], ==, "qemu64");
  g_assert_cmpuint (count_runs (self), ==, n_runs);
}

/* (transfer full) (nullable): the one file there is. */
static char *
find_file (Fixture *self)
{
  g_autofree char *folder =
      g_build_filename (self->cache_dir, "emulators", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name = dir == NULL ? NULL : g_dir_read_name (dir);
  char *path = name == NULL ? NULL : g_build_filename (folder, name, NULL);

  g_assert_true (name == NULL || g_dir_read_name (dir) == NULL);
  return path;
}

static void
test_asked_once (Fixture *self)
{
  g_autofree char *path = NULL;
  struct stat file;

  check (self, 7002018, N_QUESTIONS);
  check (self, 7002018, N_QUESTIONS);
  begin_anew (self);
  check (self, 7002018, N_QUESTIONS);

  path = find_file (self);
  g_assert_cmpint (stat (path, &file), ==, 0);
  g_assert_cmpint (file.st_mode & 0777, ==, 0600);
}

static void
test_a_changed_binary_is_asked_again (Fixture *self)
{
  g_autofree char *path = NULL;

  check (self, 7002018, N_QUESTIONS);
  write_program (self, "8.0.1");
  check (self, 8000001, 2 * N_QUESTIONS);
  begin_anew (self);
  check (self, 8000001, 2 * N_QUESTIONS);

  begin_anew (self);
  write_program (self, "8.0.2");
  check (self, 8000002, 3 * N_QUESTIONS);
  /* one file took the place of the other */
  path = find_file (self);
  g_assert_nonnull (path);
}

static void
test_new_modules_are_asked_for (Fixture *self)
{
  g_autofree char *modules = g_build_filename (self->root, "modules", NULL);
  g_autofree char *module = g_build_filename (modules, "accel.so", NULL);
  struct utimbuf long_ago = { 1, 1 };

  g_assert_cmpint (g_mkdir (modules, 0700), ==, 0);
  g_setenv ("QEMU_MODULE_DIR", modules, TRUE);
  check (self, 7002018, N_QUESTIONS);
  g_assert_true (g_file_set_contents (module, "", -1, NULL));
  /* however coarse the clock of the file system is */
  g_assert_cmpint (g_utime (modules, &long_ago), ==, 0);
  check (self, 7002018, 2 * N_QUESTIONS);
  begin_anew (self);
  check (self, 7002018, 2 * N_QUESTIONS);
  g_unsetenv ("QEMU_MODULE_DIR");
}

static void
test_one_that_is_gone_leaves_nothing (Fixture *self)
{
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autofree char *path = NULL;

  check (self, 7002018, N_QUESTIONS);
  g_assert_cmpint (g_unlink (self->program), ==, 0);
  emulator = reeve_emulator_get (self->program, NULL);
  g_assert_null (emulator);
  path = find_file (self);
  g_assert_null (path);
}

static void
test_a_failure_is_not_kept (Fixture *self)
{
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autofree char *path = NULL;

  write_program (self, "");
  emulator = reeve_emulator_get (self->program, NULL);
  g_assert_null (emulator);
  g_assert_cmpuint (count_runs (self), ==, 1);
  path = find_file (self);
  g_assert_null (path);
  begin_anew (self);
  emulator = reeve_emulator_get (self->program, NULL);
  g_assert_null (emulator);
  g_assert_cmpuint (count_runs (self), ==, 2);
}

static gint64
get_later_us (gint64 kept_us)
{
  return g_get_monotonic_time () + kept_us;
}

static void
assert_fails_at (Fixture *self, gint64 now_us, size_t n_runs)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveEmulator) emulator =
      reeve_emulator_get_at (self->program, now_us, &error);

  g_assert_null (emulator);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED);
  g_assert_cmpuint (count_runs (self), ==, n_runs);
}

/* The file is the same before and after. */
static void
test_a_failure_passes (Fixture *self)
{
  g_autofree char *broken = g_build_filename (self->root, "broken", NULL);
  gint64 before_us = g_get_monotonic_time ();
  g_autoptr (ReeveEmulator) emulator = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (broken, "", -1, NULL));
  assert_fails_at (self, before_us, 1);
  /* as do those who waited for it, and whoever comes soon */
  assert_fails_at (self, before_us, 1);
  assert_fails_at (self, before_us + REEVE_EMULATOR_FAILURE_KEPT_US, 1);
  assert_fails_at (self, get_later_us (REEVE_EMULATOR_FAILURE_KEPT_US), 2);

  g_assert_cmpint (g_unlink (broken), ==, 0);
  assert_fails_at (self, before_us, 2);
  emulator = reeve_emulator_get_at (
      self->program, get_later_us (REEVE_EMULATOR_FAILURE_KEPT_US), &error);
  g_assert_no_error (error);
  check (self, 7002018, 2 + N_QUESTIONS);
}

static const char *kvm_answer;
static gboolean is_kvm_answer_final;
static unsigned n_kvm_probes;

static char *
probe_kvm (const char *emulator, gboolean *is_final)
{
  n_kvm_probes++;
  *is_final = is_kvm_answer_final;
  return g_strdup (kvm_answer);
}

static void
assert_kvm (ReeveEmulator *emulator,
            gint64 now_us,
            const char *refusal,
            unsigned n_probes)
{
  g_autofree char *told =
      reeve_emulator_dup_kvm_refusal_at (emulator, probe_kvm, now_us);

  g_assert_cmpstr (told, ==, refusal);
  g_assert_cmpuint (n_kvm_probes, ==, n_probes);
}

static void
test_a_refusal_of_kvm_passes (Fixture *self)
{
  g_autoptr (ReeveEmulator) emulator = reeve_emulator_get (self->program, NULL);
  gint64 before_us = g_get_monotonic_time ();

  n_kvm_probes = 0;
  is_kvm_answer_final = FALSE;
  kvm_answer = "busy";
  assert_kvm (emulator, before_us, "busy", 1);
  assert_kvm (emulator, before_us, "busy", 1);
  assert_kvm (emulator, before_us + REEVE_EMULATOR_FAILURE_KEPT_US, "busy", 1);
  kvm_answer = NULL;
  assert_kvm (emulator, get_later_us (REEVE_EMULATOR_REFUSAL_KEPT_US), NULL, 2);
  kvm_answer = "busy again";
  assert_kvm (emulator, get_later_us (REEVE_EMULATOR_REFUSAL_KEPT_US), NULL, 2);
}

static void
test_a_final_refusal_of_kvm_stays (Fixture *self)
{
  g_autoptr (ReeveEmulator) emulator = reeve_emulator_get (self->program, NULL);

  n_kvm_probes = 0;
  is_kvm_answer_final = TRUE;
  kvm_answer = "no such thing";
  assert_kvm (emulator, 0, "no such thing", 1);
  kvm_answer = NULL;
  assert_kvm (emulator, get_later_us (REEVE_EMULATOR_REFUSAL_KEPT_US),
              "no such thing", 1);
}

static void
test_cannot_be_written (Fixture *self)
{
  /* a file in the place of the directory refuses root, too */
  g_assert_true (g_file_set_contents (self->cache_dir, "", -1, NULL));
  check (self, 7002018, N_QUESTIONS);
  check (self, 7002018, N_QUESTIONS);
  begin_anew (self);
  check (self, 7002018, 2 * N_QUESTIONS);
}

static void
test_kvm_is_proven_once_for_each_boot (Fixture *self)
{
  ReeveEmulatorCache cache;
  g_autoptr (ReeveEmulator) emulator = reeve_emulator_get (self->program, NULL);
  ReeveEmulator loaded = {
    .path = self->program,
    .types = g_ptr_array_new (),
    .cpus = g_ptr_array_new (),
  };
  gboolean is_proven = TRUE;

  reeve_emulator_cache_init (&cache, self->cache_dir);
  reeve_emulator_cache_store (&cache, emulator, "this one", TRUE);
  g_assert_false (
      reeve_emulator_cache_load (&cache, &loaded, "another one", &is_proven));
  g_assert_false (is_proven);
  g_assert_true (
      reeve_emulator_cache_load (&cache, &loaded, "this one", &is_proven));
  g_assert_true (is_proven);
  reeve_emulator_cache_clear (&cache);
  for (guint i = 0; i < loaded.types->len; i++) {
    ReeveMachineType *type = loaded.types->pdata[i];

    g_free (type->name);
    g_free (type->alias);
    g_free (type);
  }
  g_ptr_array_set_free_func (loaded.cpus, g_free);
  g_ptr_array_unref (loaded.types);
  g_ptr_array_unref (loaded.cpus);
}

/* --------------------------------------------------- files of no use --- */

static void
cut (const char *path)
{
  g_assert_cmpint (truncate (path, 200), ==, 0);
}

static void
empty (const char *path)
{
  g_assert_cmpint (truncate (path, 0), ==, 0);
}

static void
turn_a_bit (const char *path)
{
  g_autofree char *text = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &text, &size, NULL));
  text[size / 2] ^= 1;
  g_assert_true (g_file_set_contents (path, text, (gssize) size, NULL));
}

/* With a sum that is right. */
static void
put (const char *path, const char *text)
{
  g_autofree char *sum =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  g_autofree char *whole = g_strconcat (sum, text, NULL);

  g_assert_true (g_file_set_contents (path, whole, -1, NULL));
}

static void
put_something_else (const char *path)
{
  put (path, "[notes]\nwords=a;b;\n");
}

static void
put_no_key_file (const char *path)
{
  put (path, "nothing of the kind");
}

static void
lengthen (const char *path)
{
  g_assert_cmpint (truncate (path, 1024 * 1024 + 1), ==, 0);
}

static void
open_to_all (const char *path)
{
  g_assert_cmpint (g_chmod (path, 0666), ==, 0);
}

static void
give_away (const char *path)
{
  if (geteuid () != 0 || chown (path, 65534, 65534) < 0)
    /* what others could do is what its mode is for */
    open_to_all (path);
}

static void
link_elsewhere (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *place = g_build_filename (folder, "..", "..", "moved", NULL);

  g_assert_cmpint (g_rename (path, place), ==, 0);
  g_assert_cmpint (symlink (place, path), ==, 0);
}

static void
make_pipe (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
}

typedef struct {
  const char *name;
  void (*spoil) (const char *path);
} SpoiltRow;

static const SpoiltRow spoilt_rows[] = {
  { "cut", cut },
  { "empty", empty },
  { "a-bit-turned", turn_a_bit },
  { "something-else", put_something_else },
  { "no-key-file", put_no_key_file },
  { "too-long", lengthen },
  { "open-to-all", open_to_all },
  { "of-another-user", give_away },
  { "a-link", link_elsewhere },
  { "a-pipe", make_pipe },
};

/* Asked again, and written anew. */
static void
test_spoilt (gconstpointer data)
{
  const SpoiltRow *row = data;
  g_autofree char *path = NULL;
  Fixture fixture;

  set_up (&fixture);
  check (&fixture, 7002018, N_QUESTIONS);
  path = find_file (&fixture);
  row->spoil (path);
  begin_anew (&fixture);
  check (&fixture, 7002018, 2 * N_QUESTIONS);
  begin_anew (&fixture);
  check (&fixture, 7002018, 2 * N_QUESTIONS);
  tear_down (&fixture);
}

typedef struct {
  const char *name;
  void (*func) (Fixture *self);
} TestRow;

static const TestRow rows[] = {
  { "asked-once", test_asked_once },
  { "a-changed-binary-is-asked-again", test_a_changed_binary_is_asked_again },
  { "new-modules-are-asked-for", test_new_modules_are_asked_for },
  { "one-that-is-gone-leaves-nothing", test_one_that_is_gone_leaves_nothing },
  { "a-failure-is-not-kept", test_a_failure_is_not_kept },
  { "a-failure-passes", test_a_failure_passes },
  { "a-refusal-of-kvm-passes", test_a_refusal_of_kvm_passes },
  { "a-final-refusal-of-kvm-stays", test_a_final_refusal_of_kvm_stays },
  { "cannot-be-written", test_cannot_be_written },
  { "kvm-is-proven-once-for-each-boot", test_kvm_is_proven_once_for_each_boot },
};

static void
run_row (gconstpointer data)
{
  const TestRow *row = data;
  Fixture fixture;

  set_up (&fixture);
  row->func (&fixture);
  tear_down (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/emulator-cache/", rows[i].name, NULL);

    g_test_add_data_func (path, &rows[i], run_row);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (spoilt_rows); i++) {
    g_autofree char *path = g_strconcat ("/machine/emulator-cache/spoilt/",
                                         spoilt_rows[i].name, NULL);

    g_test_add_data_func (path, &spoilt_rows[i], test_spoilt);
  }
  return g_test_run ();
}
