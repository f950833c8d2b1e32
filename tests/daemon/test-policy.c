/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/policy.h"

#include "rpc/error.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const ReeveProcedure procedures[] = { { .access = "door:open" } };
static const ReeveProgram program = {
  .procedures = procedures,
  .n_procedures = G_N_ELEMENTS (procedures),
};
static const ReeveProgram *const programs[] = { &program, NULL };

typedef struct {
  char *directory;
  char *path;
  ReeveDaemonPolicy *policy;
  GPtrArray *warnings;
} Fixture;

/* @name: (nullable): in the folder beside the file. */
static void
write_rules (Fixture *self, const char *name, const char *rules)
{
  g_autofree char *folder = g_strconcat (self->path, ".d", NULL);
  g_autofree char *path = name == NULL ? g_strdup (self->path)
                                       : g_build_filename (folder, name, NULL);
  FILE *file;

  g_mkdir (folder, 0700);
  file = fopen (path, "we");
  g_assert_nonnull (file);
  fputs (rules, file);
  fclose (file);
}

static void
make_policy (Fixture *self, gboolean is_required)
{
  const ReeveDaemonAccessConfig config = { .audit = REEVE_AUDIT_DENIED };

  reeve_daemon_policy_free (self->policy);
  self->policy =
      reeve_daemon_policy_new (&config, self->path, is_required, NULL);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  self->directory = g_dir_make_tmp ("reeve-policy-XXXXXX", NULL);
  self->path = g_build_filename (self->directory, "d-access.conf", NULL);
  self->warnings = g_ptr_array_new_with_free_func (g_free);
  make_policy (self, FALSE);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  const char *const words[] = { "rm", "-r", self->directory, NULL };

  g_spawn_sync (NULL, (char **) words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                NULL, NULL, NULL, NULL);
  reeve_daemon_policy_free (self->policy);
  g_ptr_array_unref (self->warnings);
  g_free (self->path);
  g_free (self->directory);
}

static gboolean
load (Fixture *self, GError **error)
{
  return reeve_daemon_policy_load (self->policy, programs, TRUE, self->warnings,
                                   error);
}

static void
assert_loads (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  load (self, &error);
  g_assert_no_error (error);
}

/* The names of the rules that hold, in their order. */
static void
assert_rules (Fixture *self, const char *names)
{
  g_autoptr (ReeveAccessRules) rules =
      reeve_daemon_policy_get_rules (self->policy);
  g_autoptr (GString) text = g_string_new (NULL);

  for (size_t i = 0;
       rules != NULL && i < reeve_access_rules_get_n_rules (rules); i++)
    g_string_append_printf (
        text, "%s ",
        reeve_access_rule_get_name (reeve_access_rules_get_rule (rules, i)));
  g_assert_cmpstr (rules == NULL ? "none" : text->str, ==, names);
}

#define RULE(name) "[rule " name "]\nwho=any\nmay=door:*\n"

static void
test_without (Fixture *self, gconstpointer data)
{
  assert_loads (self);
  assert_rules (self, "none");
  g_assert_false (reeve_daemon_policy_has_rules (self->policy));
}

static void
test_order (Fixture *self, gconstpointer data)
{
  write_rules (self, NULL, RULE ("main"));
  write_rules (self, "20.conf", RULE ("twenty") RULE ("more"));
  write_rules (self, "10.conf", RULE ("ten"));
  write_rules (self, "05.conf~", RULE ("old"));
  assert_loads (self);
  assert_rules (self, "ten twenty more main ");
}

static void
test_folder (Fixture *self, gconstpointer data)
{
  write_rules (self, "10.conf", RULE ("ten"));
  assert_loads (self);
  assert_rules (self, "ten ");
}

/* No rule allows anything, which is not the same as no rules. */
static void
test_empty (Fixture *self, gconstpointer data)
{
  write_rules (self, NULL, "");
  assert_loads (self);
  assert_rules (self, "");
  g_assert_true (reeve_daemon_policy_has_rules (self->policy));
}

static void
test_twice (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  write_rules (self, NULL, RULE ("main"));
  write_rules (self, "10.conf", RULE ("main"));
  g_assert_false (load (self, &error));
  g_assert_nonnull (strstr (error->message, "d-access.conf:1: there is a rule "
                                            "“main” already, at "));
  g_assert_nonnull (strstr (error->message, "10.conf:1"));
}

static void
test_required (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  make_policy (self, TRUE);
  g_assert_false (load (self, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX);
}

/* What is wrong leaves all as it was. */
static void
test_reload (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  write_rules (self, NULL, RULE ("one"));
  assert_loads (self);
  write_rules (self, NULL, RULE ("two"));
  g_assert_true (reeve_daemon_policy_reload (self->policy, &error));
  assert_rules (self, "two ");

  write_rules (self, NULL, RULE ("three") "[rule four]\nwho=anybody\n");
  g_assert_false (reeve_daemon_policy_reload (self->policy, &error));
  g_assert_true (g_str_has_suffix (
      error->message, "d-access.conf:5: [rule four] who: “anybody” is none of "
                      "any, user:NAME, uid:N, group:NAME, gid:N, dn:PATTERN "
                      "and sasl:PATTERN"));
  assert_rules (self, "two ");
  g_clear_error (&error);

  g_assert_no_errno (unlink (self->path));
  g_assert_false (reeve_daemon_policy_reload (self->policy, &error));
  assert_rules (self, "two ");
}

static void
test_begins (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  assert_loads (self);
  write_rules (self, NULL, RULE ("one"));
  g_assert_true (reeve_daemon_policy_reload (self->policy, &error));
  assert_rules (self, "one ");
}

static void
test_writable (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  write_rules (self, NULL, RULE ("one"));
  g_assert_no_errno (chmod (self->path, 0666));
  g_assert_false (load (self, &error));
  g_assert_nonnull (strstr (error->message, "can write it"));
}

static void
test_no_file (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_no_errno (g_mkdir (self->path, 0700));
  g_assert_false (load (self, &error));
  g_assert_nonnull (strstr (error->message, "is not a regular file"));
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*func) (Fixture *self, gconstpointer data);
  } rows[] = {
    { "load/without-files-there-are-no-rules", test_without },
    { "load/files-of-the-folder-come-first", test_order },
    { "load/folder-without-file", test_folder },
    { "load/empty-file-allows-nothing", test_empty },
    { "load/names-are-of-all-files", test_twice },
    { "load/file-that-is-required", test_required },
    { "load/file-that-anybody-can-write", test_writable },
    { "load/file-that-is-a-folder", test_no_file },
    { "reload/errors-change-nothing", test_reload },
    { "reload/rules-can-begin", test_begins },
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strconcat ("/daemon/policy/", rows[i].name, NULL);

    g_test_add (path, Fixture, NULL, set_up, rows[i].func, tear_down);
  }
  return g_test_run ();
}
