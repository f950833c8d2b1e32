/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"

#include "rpc/error.h"

#include <glib/gstdio.h>
#include <unistd.h>

typedef struct {
  char *folder;
  char *path;
} Fixture;

static const ReeveDaemonSetting settings[] = {
  { "console", "buffer_bytes", 4096, 65536, 8192 },
  { "console", "log_files", 0, 9, 3 },
};
static const ReeveDaemonModule module = {
  .settings = settings,
  .n_settings = G_N_ELEMENTS (settings),
};
static const ReeveDaemonModule *const modules[] = { &module };
static const ReeveDaemonInfo info = {
  .modules = modules,
  .n_modules = G_N_ELEMENTS (modules),
};

/* A file that is refused, and the pattern of what the error says behind the
 * path. */
typedef struct {
  const char *name;
  const char *text;
  const char *place;
} RefusalCase;

static const RefusalCase refusal_cases[] = {
  { "no-number", "[server]\nmax_clients=many\n", ":2: [server] max_clients" },
  { "zero", "[server]\nmax_clients=0\n", ":2: [server] max_clients" },
  { "negative", "[server]\ncall_timeout=-1\n", ":2: [server] call_timeout" },
  { "beyond-64-bits", "[server]\nmax_clients=99999999999999999999\n",
    ":2: [server] max_clients" },
  { "too-big", "[server]\nmax_message_bytes=33554437\n",
    ":2: [server] max_message_bytes" },
  { "empty", "[server]\nmax_workers=\n", ":2: [server] max_workers" },
  { "listener", "[listen]\naddresses=ptcp:127.0.0.1:http\n",
    ":2: [listen] addresses" },
  { "listener-tls", "[listen]\naddresses=ptls:[::1:0\n",
    ":2: [listen] addresses" },
  { "wire", "[wires]\nunix=xdr; jsno\n", ":2: [wires] unix" },
  { "no-wire", "[wires]\ntcp=;\n", ":2: [wires] tcp" },
  { "no-yes-or-no", "[tls]\nverify_clients=maybe\n",
    ":2: [tls] verify_clients" },
  { "level", "[log]\nlevel=loud\n", ":2: [log] level" },
  { "workers-together", "[server]\nmin_workers=30\nmax_workers=4\n",
    ": [server] max_workers" },
  { "setting-of-a-module", "[console]\nbuffer_bytes=4095\n",
    ":2: [console] buffer_bytes" },
  { "no-group", "max_clients=1\n", ":1: " },
  { "no-key-file", "[server\n", ":1: " },
  { "no-value", "# x\n\n[server]\nmax_clients\n", ":4: " },
  { "last-line-counts",
    "[server]\nmax_clients=1\n[log]\n[server]\n"
    "  max_clients = x\n",
    ":5: [server] max_clients: " },
  { "each-mistake", "[server]\nmax_clients=x\n[log]\nlevel=y\n",
    ":2: [server] max_clients: *\n*:4: [log] level: " },
};

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = g_dir_make_tmp ("reeve-config-XXXXXX", NULL);
  self->path = g_build_filename (self->folder, "testd.conf", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autofree char *command = g_strdup_printf ("rm -r '%s'", self->folder);

  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (self->folder);
  g_free (self->path);
}

static void
write_file (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
write_drop_in (Fixture *self, const char *name, const char *text)
{
  g_autofree char *folder = g_strconcat (self->path, ".d", NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_mkdir_with_parents (folder, 0700);
  write_file (path, text);
}

static ReeveDaemonConfig *
load (Fixture *self, unsigned n_warnings)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  ReeveDaemonConfig *config =
      reeve_daemon_config_load (self->path, &info, warnings, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (warnings->len, ==, n_warnings);
  return config;
}

static void
test_values (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path, "# a comment\n[server]\nmax_clients = 7 \n"
                          "call_timeout=2\nmax_message_bytes=65536\n"
                          "[listen]\naddresses=ptcp:127.0.0.1:0;punix:/x\n"
                          "[wires]\nunix=xdr;text\nadmin = json\n"
                          "[log]\nlevel=debug\n");
  config = load (self, 0);
  g_assert_cmpuint (config->limits.max_clients, ==, 7);
  g_assert_cmpuint (config->limits.call_timeout_ms, ==, 2000);
  g_assert_cmpuint (config->limits.max_message_bytes, ==, 65536);
  g_assert_cmpuint (g_strv_length (config->listen), ==, 2);
  g_assert_cmpstr (config->listen[1], ==, "punix:/x");
  g_assert_cmpint (config->wires_unix, ==, REEVE_WIRE_XDR | REEVE_WIRE_TEXT);
  g_assert_cmpint (config->wires_admin, ==, REEVE_WIRE_JSON);
  g_assert_cmpint (config->wires_tls, ==, REEVE_WIRE_DEFAULT);
  g_assert_cmpint (config->log_level, ==, G_LOG_LEVEL_DEBUG);
}

static void
test_tls (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path, "[listen]\naddresses=ptls:127.0.0.1;ptls:\n"
                          "[tls]\ncertificate=/a\nkey=b\nverify_clients=no\n"
                          "session_tickets=no\n"
                          "allowed_names=C=GB,O=Acme,CN=*; *,CN=web\n"
                          "handshake_timeout=3\n");
  config = load (self, 0);
  g_assert_cmpstr (config->tls.certificate, ==, "/a");
  g_assert_cmpstr (config->tls.key, ==, "b");
  g_assert_null (config->tls.ca);
  g_assert_false (config->tls.verify_clients);
  g_assert_true (config->tls.check_files);
  g_assert_false (config->tls.session_tickets);
  g_assert_cmpuint (g_strv_length (config->tls.allowed_names), ==, 2);
  g_assert_cmpstr (config->tls.allowed_names[0], ==, "C=GB,O=Acme,CN=*");
  g_assert_cmpstr (config->tls.allowed_names[1], ==, "*,CN=web");
  g_assert_cmpuint (config->tls.handshake_timeout_ms, ==, 3000);
}

/* It may be up later, and the check has no time for it. */
static void
test_hosts_are_not_looked_up (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path, "[listen]\naddresses=ptcp:no.such.invalid:1\n");
  config = load (self, 0);
  g_assert_cmpstr (config->listen[0], ==, "ptcp:no.such.invalid:1");
}

static void
test_no_file (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = load (self, 0);

  g_assert_cmpuint (config->limits.max_clients, ==, 0);
  g_assert_null (config->listen);
  g_assert_true (config->tls.verify_clients);
  g_assert_true (config->tls.session_tickets);
  g_assert_null (config->tls.allowed_names);
  g_assert_cmpint (config->log_level, ==, G_LOG_LEVEL_MESSAGE);
}

static void
test_settings_of_modules (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path, "[console]\nbuffer_bytes = 4096 \nlog_filez=1\n");
  config = load (self, 1);
  g_assert_cmpuint (reeve_daemon_config_get_setting (config, &settings[0]), ==,
                    4096);
  g_assert_cmpuint (reeve_daemon_config_get_setting (config, &settings[1]), ==,
                    3);
}

static void
test_drop_ins (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path, "[server]\nmax_clients=1\nmax_client_calls=1\n");
  write_drop_in (self, "20-b.conf", "[server]\nmax_clients=3\n");
  write_drop_in (self, "10-a.conf", "[server]\nmax_clients=2\n");
  write_drop_in (self, "90-c.conf.bak", "[server]\nmax_clients=4\n");
  config = load (self, 0);
  g_assert_cmpuint (config->limits.max_clients, ==, 3);
  g_assert_cmpuint (config->limits.max_client_calls, ==, 1);
}

static void
test_unknown (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveDaemonConfig) config = NULL;

  write_file (self->path,
              "[server]\nmax_client=1\nmax_clients=2\n[more]\na=b\n");
  config = load (self, 2);
  g_assert_cmpuint (config->limits.max_clients, ==, 2);
}

static void
test_unknown_line (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *words =
      g_strdup_printf ("%s:3: [server] max_client: unknown key", self->path);
  ReeveDaemonConfig *config;

  write_file (self->path, "[server]\n\nmax_client=1\n");
  config = reeve_daemon_config_load (self->path, &info, warnings, NULL);
  g_assert_cmpstr (warnings->pdata[0], ==, words);
  reeve_daemon_config_free (config);
}

static void
test_refusal (Fixture *self, gconstpointer data)
{
  const RefusalCase *row = data;
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autofree char *pattern = NULL;

  write_file (self->path, row->text);
  g_assert_null (
      reeve_daemon_config_load (self->path, &info, warnings, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX);
  pattern = g_strdup_printf ("%s%s*", self->path, row->place);
  if (!g_pattern_match_simple (pattern, error->message))
    g_assert_cmpstr (error->message, ==, pattern);
}

static void
test_unreadable (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  /* A symbolic link to itself: root is refused that, too. */
  g_assert_no_errno (symlink (self->path, self->path));
  g_assert_null (
      reeve_daemon_config_load (self->path, &info, warnings, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (refusal_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/config/refuses/", refusal_cases[i].name, NULL);

    g_test_add (path, Fixture, &refusal_cases[i], set_up, test_refusal,
                tear_down);
  }
  g_test_add ("/daemon/config/values", Fixture, NULL, set_up, test_values,
              tear_down);
  g_test_add ("/daemon/config/tls", Fixture, NULL, set_up, test_tls, tear_down);
  g_test_add ("/daemon/config/hosts-are-not-looked-up", Fixture, NULL, set_up,
              test_hosts_are_not_looked_up, tear_down);
  g_test_add ("/daemon/config/no-file-is-empty", Fixture, NULL, set_up,
              test_no_file, tear_down);
  g_test_add ("/daemon/config/settings-of-modules", Fixture, NULL, set_up,
              test_settings_of_modules, tear_down);
  g_test_add ("/daemon/config/drop-ins-override-in-order", Fixture, NULL,
              set_up, test_drop_ins, tear_down);
  g_test_add ("/daemon/config/unknown-keys-warn", Fixture, NULL, set_up,
              test_unknown, tear_down);
  g_test_add ("/daemon/config/unknown-keys-have-lines", Fixture, NULL, set_up,
              test_unknown_line, tear_down);
  g_test_add ("/daemon/config/unreadable", Fixture, NULL, set_up,
              test_unreadable, tear_down);
  return g_test_run ();
}
