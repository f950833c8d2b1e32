/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "daemon/control-name.h"

#include "daemon/introspection.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/stop-guard.h"
#include "event/intl.h"
#include "protocol/reeve.h"
#include "rpc/auth.h"
#include "rpc/error.h"
#include "rpc/server-limits.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 6 };

const ReeveDaemonInfo *
reeve_daemon_get_info (ReeveDaemon *self)
{
  return self->info;
}

const ReevePlaces *
reeve_daemon_get_places (ReeveDaemon *self)
{
  return self->places;
}

ReeveLoop *
reeve_daemon_get_loop (ReeveDaemon *self)
{
  return self->loop;
}

ReeveServer *
reeve_daemon_get_server (ReeveDaemon *self)
{
  return self->server;
}

ReeveDaemonPolicy *
reeve_daemon_get_policy (ReeveDaemon *self)
{
  return self->policy;
}

void
reeve_daemon_add_reload (ReeveDaemon *self,
                         const char *name,
                         ReeveDaemonReloadFunc func,
                         gpointer data)
{
  reeve_reload_add (self->reload, name, func, data);
}

uint64_t
reeve_daemon_get_setting (ReeveDaemon *self, const ReeveDaemonSetting *setting)
{
  return reeve_daemon_config_get_setting (self->config, setting);
}

ReeveServer *const *
reeve_daemon_get_servers (ReeveDaemon *self)
{
  return self->servers;
}

ReeveRates *
reeve_daemon_get_rates (ReeveDaemon *self, ReeveServer *server)
{
  return self->rates[server == self->server ? 0 : 1];
}

void
reeve_daemon_hold (ReeveDaemon *self)
{
  reeve_idle_hold (self->idle);
}

void
reeve_daemon_release (ReeveDaemon *self)
{
  reeve_idle_release (self->idle);
}

void
reeve_daemon_set_timeout (ReeveDaemon *self, unsigned seconds)
{
  atomic_store (&self->timeout_s, seconds);
  reeve_idle_set_timeout (self->idle, seconds);
}

const char *
reeve_daemon_get_pid_path (ReeveDaemon *self)
{
  return self->pid_path;
}

static char *
get_config_path (ReeveDaemon *self)
{
  g_autofree char *name = g_strconcat (self->info->name, ".conf", NULL);

  if (self->options->config_path != NULL)
    return g_strdup (self->options->config_path);
  return g_build_filename (self->places->config_dir, name, NULL);
}

static void
warn (GPtrArray *warnings)
{
  for (unsigned i = 0; i < warnings->len; i++)
    g_warning ("%s", (const char *) warnings->pdata[i]);
}

static gboolean
load_config (ReeveDaemon *self, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = get_config_path (self);

  if (self->options->config_path != NULL &&
      !g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: there is no such file"), path);
    return FALSE;
  }

  self->config = reeve_daemon_config_load (path, self->info, warnings, error);
  if (self->config == NULL) {
    warn (warnings);
    return FALSE;
  }

  reeve_log_set_level (self->options->verbose ? G_LOG_LEVEL_DEBUG
                                              : self->config->log_level);
  if (!reeve_log_set_defaults (self->config->log_outputs,
                               self->config->log_filters, error)) {
    g_prefix_error (error, "%s: [log] ", path);
    return FALSE;
  }
  warn (warnings);
  return TRUE;
}

ReeveDaemonConfig *
reeve_daemon_load_config (ReeveDaemon *self, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = get_config_path (self);

  return reeve_daemon_config_load (path, self->info, warnings, error);
}

/* --------------------------------------------------------------- access -- */

static ReeveDaemonPolicy *
make_policy (ReeveDaemon *self)
{
  const ReeveDaemonAccessConfig *config = &self->config->access;
  g_autofree char *name = g_strconcat (self->info->name, "-access.conf", NULL);
  g_autofree char *path =
      g_build_filename (self->places->config_dir, name, NULL);

  return reeve_daemon_policy_new (config,
                                  config->rules != NULL ? config->rules : path,
                                  config->rules != NULL, self->loop);
}

/* Before the modules are made, by what they say that they will add. */
static gboolean
check_rules (ReeveDaemon *self, GError **error)
{
  g_autoptr (GPtrArray) programs = g_ptr_array_new ();
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (ReeveDaemonPolicy) policy = make_policy (self);
  gboolean is_complete = TRUE;

  g_ptr_array_add (programs, (gpointer) &reeve_program);
  for (size_t i = 0; i < self->info->n_modules; i++) {
    const ReeveProgram *const *program = self->info->modules[i]->programs;

    is_complete = is_complete && program != NULL;
    for (; program != NULL && *program != NULL; program++)
      g_ptr_array_add (programs, (gpointer) *program);
  }
  g_ptr_array_add (programs, NULL);

  if (!reeve_daemon_policy_load (policy,
                                 (const ReeveProgram *const *) programs->pdata,
                                 is_complete, warnings, error))
    return FALSE;
  /* Who goes on will hear of it when the rules are read for good. */
  if (self->options->check_config)
    warn (warnings);
  return TRUE;
}

static gboolean
reload_rules (gpointer data, GError **error)
{
  return reeve_daemon_policy_reload (data, error);
}

/* When all programs are there. */
static gboolean
load_rules (ReeveDaemon *self, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);

  if (!reeve_daemon_policy_load (self->policy,
                                 reeve_server_get_programs (self->server), TRUE,
                                 warnings, error))
    return FALSE;

  warn (warnings);
  reeve_daemon_policy_attach (self->policy, self->server);
  reeve_reload_add (self->reload, "access", reload_rules, self->policy);
  return TRUE;
}

/* -------------------------------------------------------------- modules -- */

static gboolean
init_modules (ReeveDaemon *self, GError **error)
{
  self->states = g_new0 (gpointer, self->info->n_modules);
  for (size_t i = 0; i < self->info->n_modules; i++) {
    const ReeveDaemonModule *module = self->info->modules[i];

    if (!module->init (self, &self->states[i], error)) {
      g_prefix_error (error, "%s: ", module->name);
      return FALSE;
    }
    self->n_made++;
  }

  return TRUE;
}

static gboolean
start_modules (ReeveDaemon *self, GError **error)
{
  for (size_t i = 0; i < self->info->n_modules; i++) {
    const ReeveDaemonModule *module = self->info->modules[i];

    if (module->start != NULL &&
        !module->start (self, self->states[i], error)) {
      g_prefix_error (error, "%s: ", module->name);
      return FALSE;
    }
  }

  return TRUE;
}

static void
take_signal (ReeveLoop *loop, int watch, int signum, gpointer data)
{
  ReeveDaemon *self = data;

  if (self->is_stopping)
    _exit (EXIT_FAILED);

  reeve_log_message (G_LOG_LEVEL_MESSAGE, REEVE_MESSAGE_STOPPING,
                     _ ("Stopping on signal %d"), signum);
  self->is_stopping = TRUE;
  reeve_loop_quit (loop);
}

static void
take_hangup (ReeveLoop *loop, int watch, int signum, gpointer data)
{
  ReeveDaemon *self = data;

  if (!self->is_stopping)
    reeve_reload_start (self->reload);
}

/* What the file says now holds, also instead of what an operator set. In a
 * thread of its own. */
static gboolean
reload_limits (gpointer data, GError **error)
{
  ReeveDaemon *self = data;
  g_autoptr (ReeveDaemonConfig) config = reeve_daemon_load_config (self, error);

  if (config == NULL)
    return FALSE;

  reeve_job_pool_size_fill (&config->limits.workers);
  if (!reeve_server_set_limits (self->server, &config->limits, error))
    return FALSE;

  reeve_server_get_limits (self->server, &self->base.limits[0]);
  return TRUE;
}

static void
register_auth (ReeveDaemon *self)
{
  const ReeveDaemonConfig *config = self->config;
  g_autofree char *database =
      g_build_filename (self->places->config_dir, "passwd.db", NULL);
  const ReeveAuthOptions options = {
    .sasl_service = config->sasl_service,
    .sasl_realm = config->sasl_realm,
    .sasl_database =
        config->sasl_database != NULL ? config->sasl_database : database,
    .sasl_mechanisms = (const char *const *) config->sasl_mechanisms,
    .sasl_names = (const char *const *) config->sasl_names,
    .sasl_min_ssf = config->sasl_min_ssf,
    .polkit_manage = config->polkit_manage,
    .polkit_monitor = config->polkit_monitor,
  };

  reeve_auth_register (self->server, &options);
}

static gboolean
reopen_log (gpointer data, GError **error)
{
  return reeve_log_reopen (error);
}

static gboolean
is_busy (gpointer data)
{
  ReeveDaemon *self = data;
  ReeveServerStats stats;
  gboolean is_used;

  reeve_server_get_stats (self->server, &stats);
  is_used = stats.n_clients > 0 || stats.n_accepted != self->n_accepted;
  self->n_accepted = stats.n_accepted;
  is_used =
      is_used || !reeve_job_pool_is_idle (reeve_server_get_pool (self->server));
  for (size_t i = 0; i < self->n_made && !is_used; i++) {
    const ReeveDaemonModule *module = self->info->modules[i];

    is_used =
        module->is_busy != NULL && module->is_busy (self, self->states[i]);
  }

  return is_used;
}

static void
end_idle (ReeveLoop *loop, gpointer data)
{
  ReeveDaemon *self = data;

  reeve_log_message (G_LOG_LEVEL_MESSAGE, REEVE_MESSAGE_STOPPING_IDLE,
                     _ ("Stopping, as nobody needs %s"), self->info->name);
  self->is_stopping = TRUE;
  reeve_loop_quit (loop);
}

static gboolean
make_servers (ReeveDaemon *self, GError **error)
{
  self->server =
      reeve_server_new (self->info->name, self->loop, &self->config->limits);
  self->policy = make_policy (self);
  register_auth (self);
  reeve_introspection_register (self, self->server);
  self->admin = reeve_admin_new (self);
  self->servers[0] = self->server;
  self->servers[1] = reeve_admin_get_server (self->admin);
  for (size_t i = 0; i < G_N_ELEMENTS (self->rates); i++)
    self->rates[i] = reeve_rates_new (self->servers[i]);
  return reeve_server_set_io_threads (self->server, self->config->io_threads,
                                      error);
}

static char *
make_pid_path (ReeveDaemon *self)
{
  g_autofree char *name = g_strconcat (self->info->name, ".pid", NULL);

  return g_canonicalize_filename (
      self->options->pid_path != NULL ? self->options->pid_path : name,
      self->places->run_dir);
}

/* Becomes the one daemon of its places, or asks the one that is. */
static gboolean
take_places (ReeveDaemon *self, GError **error)
{
  self->pid_path = make_pid_path (self);
  if (!reeve_places_make (self->places, error) ||
      !reeve_daemon_set_up_process (self, error))
    return FALSE;
  if (self->options->takeover)
    return reeve_daemon_ask_for_takeover (self, error);

  self->pid_file = reeve_pid_file_new (self->pid_path, error);
  return self->pid_file != NULL;
}

static gboolean
serve (ReeveDaemon *self, GError **error)
{
  gboolean is_takeover = self->successor != NULL;

  reeve_daemon_note_settings (self);
  return (is_takeover ? reeve_daemon_take_over (self, error)
                      : reeve_daemon_listen (self, error)) &&
         start_modules (self, error);
}

static gboolean
prepare (ReeveDaemon *self, GError **error)
{
  if (!take_places (self, error))
    return FALSE;

  /* GLib's own thread wakes it for signals and must find it at all times. */
  self->loop = reeve_loop_new (g_main_context_default ());
  if (self->loop == NULL)
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot make the event loop"));
  reeve_loop_add_signal (self->loop, SIGTERM, take_signal, self, NULL);
  reeve_loop_add_signal (self->loop, SIGINT, take_signal, self, NULL);
  reeve_loop_add_signal (self->loop, SIGHUP, take_hangup, self, NULL);

  self->reload = reeve_reload_new (self->loop, self->notify);
  reeve_daemon_add_reload (self, "log", reopen_log, NULL);
  self->idle = reeve_idle_new (self->loop, is_busy, end_idle, self);
  reeve_daemon_set_timeout (self, self->options->timeout >= 0
                                      ? (unsigned) self->options->timeout
                                      : self->config->idle_timeout);
  reeve_reload_add (self->reload, "limits", reload_limits, self);
  return make_servers (self, error) && init_modules (self, error) &&
         load_rules (self, error) && serve (self, error);
}

gpointer
reeve_daemon_get_state (ReeveDaemon *self, const ReeveDaemonModule *module)
{
  for (size_t i = 0; i < self->n_made; i++)
    if (self->info->modules[i] == module)
      return self->states[i];

  return NULL;
}

gboolean
reeve_daemon_reload_tls (ReeveDaemon *self, GError **error)
{
  if (self->tls != NULL)
    return reeve_daemon_tls_reload (self->tls, error);

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                       _ ("no TLS service found, unable to update TLS files"));
  return FALSE;
}

ReeveServer *
reeve_daemon_find_server (ReeveDaemon *self, const char *name, GError **error)
{
  ReeveServer *const *servers = reeve_daemon_get_servers (self);

  for (; *servers != NULL; servers++)
    if (g_str_equal (reeve_server_get_name (*servers), name))
      return *servers;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SERVER,
               _ ("Server not found: No server named '%s'"), name);
  return NULL;
}

ReeveAdmin *
reeve_daemon_get_admin (ReeveDaemon *self)
{
  return self->admin;
}

ReeveTlsSlot *
reeve_daemon_get_tls_slot (ReeveDaemon *self)
{
  return self->tls == NULL ? NULL : reeve_daemon_tls_get_slot (self->tls);
}

static void
stop (ReeveDaemon *self)
{
  g_clear_pointer (&self->watchdog, reeve_watchdog_free);
  g_clear_pointer (&self->takeover, reeve_takeover_free);
  g_clear_pointer (&self->reload, reeve_reload_free);
  g_clear_pointer (&self->listeners, reeve_listeners_free);
  /* In this order: calls of the program `admin` look into the other one. */
  for (size_t i = G_N_ELEMENTS (self->servers); i-- > 0;)
    if (self->servers[i] != NULL)
      reeve_server_stop (self->servers[i]);
  while (self->n_made > 0) {
    const ReeveDaemonModule *module = self->info->modules[--self->n_made];

    if (module->stop != NULL)
      module->stop (self, self->states[self->n_made]);
  }
}

static void
clear (ReeveDaemon *self)
{
  reeve_listeners_free (self->listeners);
  reeve_idle_free (self->idle);
  for (size_t i = 0; i < G_N_ELEMENTS (self->rates); i++)
    reeve_rates_free (self->rates[i]);
  reeve_admin_free (self->admin);
  reeve_server_unref (self->server);
  reeve_daemon_policy_free (self->policy);
  reeve_daemon_tls_free (self->tls);
  reeve_loop_unref (self->loop);
  reeve_notify_free (self->notify);
  reeve_notify_free (self->supervisor);
  reeve_pid_file_free (self->pid_file);
  reeve_daemon_config_free (self->config);
  reeve_daemon_clear_settings (self);
  g_free (self->pid_path);
  reeve_places_free (self->places);
  reeve_daemon_options_free (self->options);
  reeve_process_title_free (self->title);
  g_free (self->states);
}

static int
fail (ReeveDaemon *self, const GError *error, int status)
{
  g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);
  g_autofree char *text = g_strjoinv (" ", lines);

  reeve_daemon_give_up_takeover (self, error);
  for (char **line = lines; *line != NULL; line++)
    reeve_log_message (G_LOG_LEVEL_CRITICAL, REEVE_MESSAGE_START_FAILED, "%s",
                       *line);
  reeve_notify_send (self->notify, "STATUS=%s", g_strdelimit (text, "\n", ' '));
  stop (self);
  clear (self);
  return status;
}

/* ----------------------------------------------------------- supervisor --- */

static void
store_listener (const ReeveListener *listener, gpointer data)
{
  ReeveDaemon *self = data;

  if (listener->owns_path || !listener->was_inherited)
    reeve_notify_store (self->notify, listener->name, listener->fd);
}

/* What is kept for the next start stays where it is when this one ends. */
static void
store_listeners (ReeveDaemon *self)
{
  if (!reeve_notify_keeps_fds (self->notify))
    return;

  reeve_listeners_foreach (self->listeners, store_listener, self);
  /* After an orderly stop the monitor starts none. */
  if (!self->is_monitored)
    reeve_listeners_disown (self->listeners);
}

/* Whoever supervised the daemon before this one supervises this one, in the
 * place of who waited for its start; unless it has one of its own. */
static void
meet_supervisor (ReeveDaemon *self)
{
  g_autofree char *own = reeve_notify_dup_path (self->notify);

  if (self->supervisor == NULL || self->is_monitored ||
      (own != NULL && !self->options->detach))
    return;

  reeve_notify_become (self->notify, g_steal_pointer (&self->supervisor));
  reeve_notify_send (self->notify, "READY=1\nSTATUS=%s", _ ("Ready"));
}

static void
tell_ready (ReeveDaemon *self)
{
  store_listeners (self);
  reeve_control_name_make (self->places->run_dir, self->info->name);
  reeve_log_message (G_LOG_LEVEL_MESSAGE, REEVE_MESSAGE_READY,
                     _ ("%1$s %2$s is ready"), self->info->name,
                     self->info->version);
  reeve_notify_send (self->notify, "READY=1\nSTATUS=%s", _ ("Ready"));
  meet_supervisor (self);
  self->watchdog = reeve_watchdog_new (self->loop, self->notify, self->servers,
                                       self->config->overdue_s * 1000);
}

static void
stop_in_order (ReeveDaemon *self)
{
  unsigned timeout_s = self->config->stop_timeout_s;
  ReeveStopGuard *guard = reeve_stop_guard_new (timeout_s);

  if (!self->is_handed_over)
    reeve_notify_send (self->notify,
                       "STOPPING=1\nSTATUS=%s\nEXTEND_TIMEOUT_USEC=%llu",
                       _ ("Stopping"), (timeout_s + 1) * 1000000ULL);
  reeve_control_name_remove (self->places->run_dir, self->info->name);
  stop (self);
  reeve_stop_guard_free (guard);
}

/* ---------------------------------------------------------------- start -- */

/* What the files say may have changed since the monitor started. */
static gboolean
load_anew (ReeveDaemon *self, GError **error)
{
  g_clear_pointer (&self->config, reeve_daemon_config_free);
  return load_config (self, error) && check_rules (self, error) &&
         (!self->options->detach ||
          reeve_daemon_log_in_background (self, error));
}

/* -1 in the process that is to be the daemon; else an exit status. */
static int
leave_terminal (ReeveDaemon *self)
{
  g_autoptr (GError) error = NULL;
  unsigned n_restarts;
  int status;

  if (self->options->detach && !reeve_daemon_log_in_background (self, &error))
    return fail (self, error, EXIT_FAILED);

  status = reeve_daemon_leave_terminal (self, &n_restarts);
  if (status >= 0) {
    clear (self);
    return status;
  }
  /* The one that crashed had taken over, or nobody has anything any more. */
  if (n_restarts > 0)
    self->options->takeover = FALSE;
  if (n_restarts > 0 && !load_anew (self, &error))
    return fail (self, error, EXIT_CONFIG);
  return -1;
}

static int
be_daemon (ReeveDaemon *self)
{
  g_autoptr (GError) error = NULL;

  if (!prepare (self, &error) || !reeve_daemon_settle (self, &error) ||
      !reeve_daemon_commit_takeover (self, &error))
    return fail (self, error, EXIT_FAILED);

  reeve_daemon_offer_takeover (self);
  tell_ready (self);
  reeve_loop_run (self->loop);
  stop_in_order (self);
  clear (self);
  return EXIT_OK;
}

int
reeve_daemon_main (const ReeveDaemonInfo *info, int argc, char **argv)
{
  ReeveDaemon self = { .info = info };
  ReeveInherited *inherited;
  g_autoptr (GError) error = NULL;
  int status;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, REEVE_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  signal (SIGPIPE, SIG_IGN);

  self.title = reeve_process_title_new (argc, argv);
  self.options = reeve_daemon_options_parse (info->summary, argc, argv, &error);
  if (self.options == NULL) {
    fprintf (stderr, "%s: %s\n", info->name, error->message);
    clear (&self);
    return EXIT_USAGE;
  }
  if (self.options->show_version) {
    printf ("%s %s\n", info->name, info->version);
    clear (&self);
    return EXIT_OK;
  }

  reeve_log_init (G_LOG_LEVEL_MESSAGE);
  self.notify = reeve_notify_new_from_environment ();
  inherited = reeve_inherited_new ();
  self.listeners = reeve_listeners_new (inherited);
  if (!reeve_inherited_take_environment (inherited, &error))
    return fail (&self, error, EXIT_FAILED);
  self.places = reeve_places_new (self.options->mode, info->directory,
                                  self.options->root);
  if (!load_config (&self, &error) || !check_rules (&self, &error))
    return fail (&self, error, EXIT_CONFIG);
  if (self.options->check_config) {
    clear (&self);
    return EXIT_OK;
  }

  status = leave_terminal (&self);
  return status >= 0 ? status : be_daemon (&self);
}
