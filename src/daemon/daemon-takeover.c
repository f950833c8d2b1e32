/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/server-state.h"

/* A daemon that hands over, and one that takes over: see docs/takeover.md. */

#define FORMAT 1
#define SECTION "daemon"

static char *
make_path (ReeveDaemon *self)
{
  return reeve_takeover_make_path (self->places->run_dir, self->info->name);
}

/* What module @i has to do with it; maybe nothing. */
static const ReeveDaemonTakeover *
get_takeover (ReeveDaemon *self, size_t i)
{
  static const ReeveDaemonTakeover nothing = { 0 };
  const ReeveDaemonModule *module = self->info->modules[i];

  return module->takeover != NULL ? module->takeover : &nothing;
}

/* --------------------------------------------------------- handing over -- */

static gboolean
can_freeze (gpointer data, char **why)
{
  ReeveDaemon *self = data;

  for (unsigned i = 0; self->servers[i] != NULL; i++)
    if (!reeve_server_can_freeze (self->servers[i], why))
      return FALSE;

  return TRUE;
}

static void
freeze (gpointer data)
{
  ReeveDaemon *self = data;

  for (unsigned i = 0; self->servers[i] != NULL; i++)
    reeve_server_freeze (self->servers[i]);
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->freeze != NULL)
      get_takeover (self, i)->freeze (self->states[i]);
}

static void
thaw (gpointer data)
{
  ReeveDaemon *self = data;

  reeve_pid_file_hold (self->pid_file);
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->thaw != NULL)
      get_takeover (self, i)->thaw (self->states[i]);
  for (unsigned i = 0; self->servers[i] != NULL; i++)
    reeve_server_thaw (self->servers[i]);
}

static gboolean
is_quiet (gpointer data, char **why)
{
  ReeveDaemon *self = data;

  if (reeve_reload_is_running (self->reload)) {
    *why = g_strdup (_ ("something is read anew"));
    return FALSE;
  }
  for (unsigned i = 0; self->servers[i] != NULL; i++)
    if (!reeve_server_is_quiet (self->servers[i], why))
      return FALSE;
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->is_quiet != NULL &&
        !get_takeover (self, i)->is_quiet (self->states[i], why))
      return FALSE;

  return TRUE;
}

typedef struct {
  ReeveSavedState *state;
  GArray *listeners; /* (element-type takeover_listener) */
} SaveListeners;

static void
save_listener (const ReeveListener *listener, gpointer data)
{
  SaveListeners *task = data;
  const takeover_listener saved = {
    .name = g_strdup (listener->name),
    .fd = reeve_saved_state_add_fd (task->state, listener->fd),
    .owns_path = listener->owns_path,
  };

  g_array_append_val (task->listeners, saved);
}

static void
save_listeners (ReeveDaemon *self,
                ReeveSavedState *state,
                takeover_daemon *saved)
{
  SaveListeners task = {
    state,
    g_array_new (FALSE, FALSE, sizeof (takeover_listener)),
  };

  reeve_listeners_foreach (self->listeners, save_listener, &task);
  saved->listeners.n_items = task.listeners->len;
  saved->listeners.items =
      (takeover_listener *) (void *) g_array_free (task.listeners, FALSE);
}

static gboolean
save_daemon (ReeveDaemon *self, ReeveSavedState *state, GError **error)
{
  takeover_daemon saved = {
    .pid_file = reeve_saved_state_add_fd (
        state, reeve_pid_file_get_fd (self->pid_file)),
    .listener = reeve_saved_state_add_fd (
        state, reeve_takeover_get_fd (self->takeover)),
    /* A monitor ends with its daemon. */
    .supervisor =
        self->is_monitored ? NULL : reeve_notify_dup_path (self->notify),
    .watchdog_us = reeve_notify_get_watchdog (self->notify),
    .keeps_fds = reeve_notify_keeps_fds (self->notify),
  };
  GByteArray *data = g_byte_array_new ();
  gboolean is_saved;

  save_listeners (self, state, &saved);
  reeve_daemon_save_settings (self, &saved);
  is_saved = reeve_state_append (data, &takeover_daemon_type, &saved, error);
  takeover_daemon_clear (&saved);
  if (is_saved)
    reeve_saved_state_add (state, SECTION, FORMAT, FORMAT, data);
  else
    g_byte_array_unref (data);
  return is_saved;
}

static gboolean
save (gpointer data, ReeveSavedState *state, GError **error)
{
  ReeveDaemon *self = data;

  reeve_pid_file_lend (self->pid_file);
  if (!save_daemon (self, state, error))
    return FALSE;
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->save != NULL &&
        !get_takeover (self, i)->save (self->states[i], state, error))
      return FALSE;
  for (unsigned i = 0; self->servers[i] != NULL; i++)
    if (!reeve_server_save (self->servers[i], state, error))
      return FALSE;

  return TRUE;
}

/* What is here is another's, or still is. */
static void
leave (ReeveDaemon *self)
{
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->leave != NULL)
      get_takeover (self, i)->leave (self->states[i]);
  reeve_listeners_disown (self->listeners);
  if (self->takeover != NULL)
    reeve_takeover_disown (self->takeover);
  if (self->pid_file != NULL)
    reeve_pid_file_disown (self->pid_file);
}

static void
handed_over (gpointer data, pid_t pid)
{
  ReeveDaemon *self = data;

  leave (self);
  /* It speaks for the unit from now on. */
  reeve_notify_send (self->notify, "MAINPID=%d", (int) pid);
  self->is_handed_over = TRUE;
  self->is_stopping = TRUE;
  reeve_loop_quit (self->loop);
}

static const ReeveTakeoverFuncs funcs = {
  .can_freeze = can_freeze,
  .freeze = freeze,
  .thaw = thaw,
  .is_quiet = is_quiet,
  .save = save,
  .handed_over = handed_over,
};

void
reeve_daemon_offer_takeover (ReeveDaemon *self)
{
  g_autofree char *path = make_path (self);
  g_autoptr (GError) error = NULL;

  if (self->takeover != NULL)
    return;

  self->takeover =
      reeve_takeover_new (self->loop, self->info->name, self->info->version,
                          path, &funcs, self, &error);
  if (self->takeover == NULL)
    g_warning (_ ("No takeover will be possible: %s"), error->message);
}

/* ---------------------------------------------------------- taking over -- */

gboolean
reeve_daemon_ask_for_takeover (ReeveDaemon *self, GError **error)
{
  g_autofree char *path = make_path (self);

  self->successor =
      reeve_successor_new (self->info->name, self->info->version, path, error);
  return self->successor != NULL;
}

static gboolean
restore_listeners (ReeveDaemon *self,
                   ReeveSavedState *state,
                   const takeover_daemon *saved,
                   GError **error)
{
  ReeveInherited *inherited = reeve_listeners_get_inherited (self->listeners);

  for (uint32_t i = 0; i < saved->listeners.n_items; i++) {
    const takeover_listener *from = &saved->listeners.items[i];
    int fd = reeve_saved_state_steal_fd (state, from->fd, error);

    if (fd < 0 || !reeve_inherited_add (inherited, from->name, fd,
                                        from->owns_path, error))
      return FALSE;
  }

  return TRUE;
}

static gboolean
restore_own_files (ReeveDaemon *self,
                   ReeveSavedState *state,
                   const takeover_daemon *saved,
                   GError **error)
{
  g_autofree char *path = make_path (self);
  int pid_file = reeve_saved_state_steal_fd (state, saved->pid_file, error);
  int listener;

  if (pid_file < 0)
    return FALSE;
  self->pid_file =
      reeve_pid_file_new_for_fd (reeve_daemon_get_pid_path (self), pid_file);
  listener = reeve_saved_state_steal_fd (state, saved->listener, error);
  if (listener < 0)
    return FALSE;
  self->takeover = reeve_takeover_new_for_fd (self->loop, self->info->name,
                                              self->info->version, path,
                                              listener, &funcs, self);
  return TRUE;
}

static gboolean
restore_daemon (ReeveDaemon *self, ReeveSavedState *state, GError **error)
{
  takeover_daemon saved = { 0 };
  ReeveStateReader reader;
  gboolean is_restored;

  if (!reeve_saved_state_find (state, SECTION, FORMAT, &reader, error) ||
      !reeve_state_reader_take (&reader, &takeover_daemon_type, &saved, error))
    return FALSE;

  if (saved.supervisor != NULL)
    self->supervisor =
        reeve_notify_new (saved.supervisor, saved.keeps_fds, saved.watchdog_us);
  is_restored = restore_own_files (self, state, &saved, error) &&
                restore_listeners (self, state, &saved, error) &&
                reeve_daemon_restore_settings (self, &saved, error) &&
                reeve_daemon_listen (self, error);
  takeover_daemon_clear (&saved);
  return is_restored;
}

static gboolean
restore_modules (ReeveDaemon *self, ReeveSavedState *state, GError **error)
{
  for (size_t i = 0; i < self->n_made; i++)
    if (get_takeover (self, i)->restore != NULL &&
        !get_takeover (self, i)->restore (self->states[i], state, error))
      return FALSE;

  return TRUE;
}

static gboolean
restore_servers (ReeveDaemon *self, ReeveSavedState *state, GError **error)
{
  for (unsigned i = 0; self->servers[i] != NULL; i++)
    if (!reeve_server_restore (self->servers[i], state, error))
      return FALSE;

  return TRUE;
}

gboolean
reeve_daemon_take_over (ReeveDaemon *self, GError **error)
{
  g_autoptr (ReeveSavedState) state = NULL;

  freeze (self);
  state = reeve_successor_take (self->successor, error);
  return state != NULL && restore_daemon (self, state, error) &&
         restore_modules (self, state, error) &&
         restore_servers (self, state, error);
}

gboolean
reeve_daemon_commit_takeover (ReeveDaemon *self, GError **error)
{
  if (self->successor == NULL)
    return TRUE;
  if (!reeve_successor_commit (self->successor, error))
    return FALSE;

  g_clear_pointer (&self->successor, reeve_successor_free);
  thaw (self);
  return TRUE;
}

void
reeve_daemon_give_up_takeover (ReeveDaemon *self, const GError *why)
{
  if (self->successor == NULL)
    return;

  reeve_successor_give_up (self->successor, why);
  g_clear_pointer (&self->successor, reeve_successor_free);
  leave (self);
}

gboolean
reeve_daemon_is_taking_over (ReeveDaemon *self)
{
  return self->successor != NULL;
}
