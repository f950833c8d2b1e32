/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/options.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"

#include <unistd.h>

static gboolean
choose_mode (ReeveDaemonOptions *self,
             gboolean is_system,
             gboolean is_session,
             GError **error)
{
  if (is_system + is_session + (self->root != NULL) > 1) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("--system, --session and --root exclude each "
                            "other"));
    return FALSE;
  }

  if (self->root != NULL)
    self->mode = REEVE_MODE_PRIVATE;
  else if (is_system || (!is_session && geteuid () == 0))
    self->mode = REEVE_MODE_SYSTEM;
  else
    self->mode = REEVE_MODE_SESSION;
  return TRUE;
}

static gboolean
check_timeout (const ReeveDaemonOptions *self, GError **error)
{
  if (self->timeout >= -1)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                       _ ("--timeout takes a number of seconds, or 0"));
  return FALSE;
}

/* @value: (nullable): without it, the file that there is anyway */
static gboolean
take_pid_path (const char *option,
               const char *value,
               gpointer data,
               GError **error)
{
  ReeveDaemonOptions *self = data;

  g_free (self->pid_path);
  self->pid_path = g_strdup (value);
  return TRUE;
}

/* The daemon may go elsewhere. */
static void
make_absolute (char **path)
{
  g_autofree char *given = *path;

  if (given != NULL)
    *path = g_canonicalize_filename (given, NULL);
}

static void
make_paths_absolute (ReeveDaemonOptions *self)
{
  make_absolute (&self->config_path);
  for (char **name = self->listen; name != NULL && *name != NULL; name++) {
    g_autofree char *given = *name;

    *name = reeve_socket_name_resolve (given, NULL);
  }
}

static gboolean
refuse_words (int argc, char **argv, GError **error)
{
  if (argc <= 1)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("Unexpected argument “%s”"), argv[1]);
  return FALSE;
}

ReeveDaemonOptions *
reeve_daemon_options_parse (const char *summary,
                            int argc,
                            char **argv,
                            GError **error)
{
  g_autoptr (ReeveDaemonOptions) self = g_new0 (ReeveDaemonOptions, 1);
  gboolean is_system = FALSE, is_session = FALSE;
  const GOptionEntry entries[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &is_system,
      N_ ("Serve the host (the default for root)"), NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &is_session,
      N_ ("Serve this user (the default for anybody else)"), NULL },
    { "root", 0, 0, G_OPTION_ARG_FILENAME, &self->root,
      N_ ("Be a private instance with everything below DIR"), N_ ("DIR") },
    { "config", 'f', 0, G_OPTION_ARG_FILENAME, &self->config_path,
      N_ ("Read this configuration file"), N_ ("FILE") },
    { "listen", 'l', 0, G_OPTION_ARG_STRING_ARRAY, &self->listen,
      N_ ("Listen here, too: punix:PATH, ptcp:HOST:PORT, ptls:HOST:PORT "
          "(repeatable)"),
      N_ ("NAME") },
    { "timeout", 't', 0, G_OPTION_ARG_INT, &self->timeout,
      N_ ("End when nobody has needed the daemon for so long; 0: never"),
      N_ ("SECONDS") },
    { "detach", 0, 0, G_OPTION_ARG_NONE, &self->detach,
      N_ ("Go to the background; return when the daemon is ready, or failed"),
      NULL },
    { "no-chdir", 0, 0, G_OPTION_ARG_NONE, &self->keep_directory,
      N_ ("Stay in the working directory when going to the background"), NULL },
    { "monitor", 0, 0, G_OPTION_ARG_NONE, &self->monitor,
      N_ ("Start the daemon again when it crashes"), NULL },
    { "pidfile", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK,
      take_pid_path, N_ ("Write the process's number into this file"),
      N_ ("FILE") },
    { "user", 0, 0, G_OPTION_ARG_STRING, &self->user,
      N_ ("As root, become this user"), N_ ("USER[:GROUP]") },
    { "takeover", 0, 0, G_OPTION_ARG_NONE, &self->takeover,
      N_ ("Take the place of the daemon that runs, with all its clients"),
      NULL },
    { "check-config", 0, 0, G_OPTION_ARG_NONE, &self->check_config,
      N_ ("Say what is wrong with the configuration, and exit"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &self->verbose,
      N_ ("Log everything"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &self->show_version,
      N_ ("Print the version, and exit"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  GOptionGroup *group = g_option_group_new ("main", NULL, NULL, self, NULL);
  g_autoptr (GError) why = NULL;

  self->timeout = -1;
  g_option_context_set_summary (context, summary);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_group_add_entries (group, entries);
  g_option_group_set_translation_domain (group, GETTEXT_PACKAGE);
  g_option_context_set_main_group (context, group);
  if (!g_option_context_parse (context, &argc, &argv, &why)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         why->message);
    return NULL;
  }

  if (!refuse_words (argc, argv, error) || !check_timeout (self, error) ||
      !choose_mode (self, is_system, is_session, error))
    return NULL;

  make_paths_absolute (self);
  return g_steal_pointer (&self);
}

void
reeve_daemon_options_free (ReeveDaemonOptions *self)
{
  if (self == NULL)
    return;

  g_free (self->root);
  g_free (self->config_path);
  g_free (self->pid_path);
  g_free (self->user);
  g_strfreev (self->listen);
  g_free (self);
}
