/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/shell.h"

#include "client/admin-uri.h"
#include "event/intl.h"
#include "protocol/admin.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "shell/ask.h"
#include "shell/command.h"
#include "shell/output.h"

G_DEFINE_QUARK (reeve - shell - error - quark, reeve_shell_error)

void
reeve_shell_clear (ReeveShell *self)
{
  reeve_connection_unref (self->connection);
  reeve_connection_unref (self->admin);
  g_free (self->admin_socket);
  g_free (self->uri);
  *self = (ReeveShell){ 0 };
}

/* As the options have it; without them, what the connection chose. */
static void
set_keepalive (ReeveShell *self)
{
  if (self->connection == NULL ||
      (self->keepalive_interval_s < 0 && self->keepalive_count < 0))
    return;

  reeve_connection_set_keepalive (
      self->connection,
      self->keepalive_interval_s < 0 ? REEVE_CONNECTION_KEEPALIVE_S
                                     : self->keepalive_interval_s,
      self->keepalive_count < 0 ? REEVE_CONNECTION_KEEPALIVE_COUNT
                                : (unsigned) self->keepalive_count);
}

ReeveConnection *
reeve_shell_connect (ReeveShell *self, GError **error)
{
  ReeveConnectionFlags flags = REEVE_CONNECTION_DEFAULT;

  if (self->is_read_only)
    flags |= REEVE_CONNECTION_READ_ONLY;
  if (self->is_interactive || self->is_lasting)
    flags |= REEVE_CONNECTION_RECONNECT;
  if (self->connection != NULL && reeve_connection_is_closed (self->connection))
    g_clear_pointer (&self->connection, reeve_connection_unref);
  if (self->connection == NULL) {
    self->connection = reeve_connection_open_asking (
        self->uri, flags, self->is_completing ? NULL : reeve_ask, NULL,
        self->timeout_ms, NULL, error);
    set_keepalive (self);
  }

  return self->connection;
}

gboolean
reeve_shell_call_program (ReeveShell *self,
                          const ReeveProgram *program,
                          int32_t procedure,
                          gconstpointer args,
                          gpointer ret,
                          int timeout_ms,
                          GError **error)
{
  ReeveConnection *connection = reeve_shell_connect (self, error);

  return connection != NULL &&
         reeve_connection_call (connection, program,
                                reeve_program_find (program, procedure), args,
                                ret, timeout_ms, NULL, error);
}

gboolean
reeve_shell_call (ReeveShell *self,
                  int32_t procedure,
                  gconstpointer args,
                  gpointer ret,
                  GError **error)
{
  return reeve_shell_call_program (self, &remote_program, procedure, args, ret,
                                   self->timeout_ms, error);
}

/* There is no admin socket that is read-only. */
static gboolean
check_change (ReeveShell *self, const ReeveProcedure *procedure, GError **error)
{
  if (!self->is_read_only ||
      (procedure->flags & REEVE_PROCEDURE_READ_ONLY) != 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED,
               _ ("operation forbidden: read only access prevents %s"),
               procedure->name);
  return FALSE;
}

static gboolean
call_admin (ReeveShell *self,
            ReeveConnection *connection,
            const ReeveProgram *program,
            int32_t number,
            gconstpointer args,
            gpointer ret,
            GError **error)
{
  const ReeveProcedure *procedure = reeve_program_find (program, number);

  return check_change (self, procedure, error) &&
         reeve_connection_call (connection, program, procedure, args, ret,
                                self->timeout_ms, NULL, error);
}

static ReeveConnection *
connect_admin (ReeveShell *self, GError **error)
{
  const admin_connect_open_args args = { 0 };
  g_autofree char *stream =
      self->admin_socket != NULL
          ? g_strconcat ("unix:", self->admin_socket, NULL)
          : reeve_admin_uri_get_stream (self->uri, error);
  g_autoptr (ReeveConnection) connection = NULL;

  if (stream == NULL)
    return NULL;
  connection = reeve_connection_open (stream, REEVE_CONNECTION_NO_OPEN,
                                      self->timeout_ms, NULL, error);
  if (connection == NULL ||
      !call_admin (self, connection, &admin_program, ADMIN_PROC_CONNECT_OPEN,
                   &args, NULL, error))
    return NULL;

  return g_steal_pointer (&connection);
}

ReeveConnection *
reeve_shell_connect_admin (ReeveShell *self, GError **error)
{
  if (self->admin != NULL && reeve_connection_is_closed (self->admin))
    g_clear_pointer (&self->admin, reeve_connection_unref);
  if (self->admin == NULL)
    self->admin = connect_admin (self, error);
  return self->admin;
}

gboolean
reeve_shell_call_admin_socket (ReeveShell *self,
                               const ReeveProgram *program,
                               int32_t procedure,
                               gconstpointer args,
                               gpointer ret,
                               GError **error)
{
  return reeve_shell_connect_admin (self, error) != NULL &&
         call_admin (self, self->admin, program, procedure, args, ret, error);
}

gboolean
reeve_shell_call_admin (ReeveShell *self,
                        int32_t procedure,
                        gconstpointer args,
                        gpointer ret,
                        GError **error)
{
  return reeve_shell_call_admin_socket (self, &admin_program, procedure, args,
                                        ret, error);
}

static ReeveExitStatus
get_exit_status (ReeveShell *self, const GError *error)
{
  if (error->domain == REEVE_SHELL_ERROR)
    return REEVE_EXIT_USAGE;
  if (error->domain != REEVE_ERROR)
    return REEVE_EXIT_FAILED;

  switch (error->code) {
  case REEVE_ERROR_NO_DOMAIN:
  case REEVE_ERROR_NO_METADATA:
  case REEVE_ERROR_NO_SERVER:
  case REEVE_ERROR_NO_CLIENT:
  case REEVE_ERROR_NO_RESOURCE:
    return REEVE_EXIT_NOT_FOUND;
  case REEVE_ERROR_OPERATION_DENIED:
  case REEVE_ERROR_ACCESS_DENIED:
  case REEVE_ERROR_AUTH_FAILED:
  case REEVE_ERROR_AUTH_CANCELLED:
  case REEVE_ERROR_AUTH_UNAVAILABLE:
    return REEVE_EXIT_DENIED;
  case REEVE_ERROR_TIMED_OUT:
    return REEVE_EXIT_TIMED_OUT;
  case REEVE_ERROR_OUTCOME_UNKNOWN:
    return REEVE_EXIT_OUTCOME_UNKNOWN;
  case REEVE_ERROR_NO_CONNECT:
    return REEVE_EXIT_NO_CONNECTION;
  default:
    return self->connection == NULL && self->admin == NULL && !self->is_local
               ? REEVE_EXIT_NO_CONNECTION
               : REEVE_EXIT_FAILED;
  }
}

static gboolean
run (ReeveShell *self, const char *const *words, GError **error)
{
  size_t n_words;
  const ReeveCommand *command = reeve_command_find_words (words, &n_words);
  g_autoptr (ReeveArguments) arguments = NULL;

  if (command == NULL) {
    g_autofree char *name = reeve_command_dup_unknown (words);

    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("there is no command “%s”; see “help”"), name);
    return FALSE;
  }

  self->is_local = command->is_local;
  arguments = reeve_arguments_parse (command, words + n_words, error);
  return arguments != NULL && command->run (self, arguments, error);
}

ReeveExitStatus
reeve_shell_run (ReeveShell *self, const char *const *words)
{
  g_autoptr (GError) error = NULL;

  self->status = REEVE_EXIT_OK;
  if (run (self, words, &error))
    return (ReeveExitStatus) self->status;

  reeve_output_error (self, error);
  return get_exit_status (self, error);
}

/* Splits @line at `;` that stand alone or end a word outside quotes. */
static GPtrArray *
split_commands (const char *line, GError **error)
{
  g_autoptr (GPtrArray) commands =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autoptr (GString) spaced = g_string_new (NULL);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_auto (GStrv) all = NULL;
  char quote = '\0';

  for (const char *p = line; *p != '\0'; p++) {
    if (quote == '\0' && (*p == '\'' || *p == '"'))
      quote = *p;
    else if (*p == quote)
      quote = '\0';
    if (quote == '\0' && *p == ';')
      g_string_append (spaced, " ; ");
    else
      g_string_append_c (spaced, *p);
  }

  if (!g_shell_parse_argv (spaced->str, NULL, &all, error))
    return NULL;
  for (char **word = all;; word++) {
    if (*word != NULL && !g_str_equal (*word, ";")) {
      g_ptr_array_add (words, *word);
      continue;
    }
    if (words->len > 0) {
      g_ptr_array_add (words, NULL);
      g_ptr_array_add (commands, g_strdupv ((char **) words->pdata));
      g_ptr_array_set_size (words, 0);
    }
    if (*word == NULL)
      break;
  }

  return g_steal_pointer (&commands);
}

ReeveExitStatus
reeve_shell_run_line (ReeveShell *self, const char *line)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) commands = split_commands (line, &error);
  ReeveExitStatus status = REEVE_EXIT_OK;

  if (commands == NULL) {
    if (g_error_matches (error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
      return REEVE_EXIT_OK;
    reeve_output_error (self, error);
    return REEVE_EXIT_USAGE;
  }

  for (unsigned i = 0; i < commands->len; i++) {
    status = reeve_shell_run (self, commands->pdata[i]);
    if (status != REEVE_EXIT_OK || self->is_finished)
      break;
  }

  return status;
}
