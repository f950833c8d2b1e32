/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "machine/machine-state.h"
#include "rpc/error.h"

#include <fcntl.h>

/* The consoles of a machine: when they are pumped, by a worker, and where
 * their terminals are. */

/* What sees to it that a console is pumped. */
typedef struct {
  ReeveConsole *console; /* (owned) */
  ReeveMachine *machine; /* (owned) while it pumps */
  unsigned watch;
  gboolean is_pumping;
  gboolean is_wanted; /* again, once it has pumped */
  gboolean is_behind; /* the worker's, while it pumps */
  gboolean is_removed;
} Tap;

static void pump (Tap *tap);

static void
tap_free (Tap *tap)
{
  reeve_console_unref (tap->console);
  g_free (tap);
}

static void
run_pump (gpointer data)
{
  Tap *tap = data;

  tap->is_behind = reeve_console_pump (tap->console);
}

static void
on_pumped (gpointer data)
{
  Tap *tap = data;
  g_autoptr (ReeveMachine) machine G_GNUC_UNUSED = tap->machine;

  tap->is_pumping = FALSE;
  if (tap->is_removed)
    tap_free (tap);
  else if (tap->is_wanted || tap->is_behind)
    pump (tap);
}

static void
pump (Tap *tap)
{
  tap->is_wanted = tap->is_pumping;
  if (tap->is_pumping || tap->machine->list->is_frozen)
    return;

  tap->is_pumping = TRUE;
  reeve_machine_ref (tap->machine);
  reeve_worker_lane_push (&tap->machine->lane, run_pump, on_pumped, tap);
}

static void
on_spool (gpointer data)
{
  pump (data);
}

/* (transfer full) (nullable) */
static char *
dup_terminal_path (ReeveMachine *self, const char *name)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->chosen == NULL
             ? NULL
             : g_strdup (g_hash_table_lookup (self->chosen, name));
}

/* A #ReeveConsoleOpen. A QEMU that is alive after the terminal was opened had
 * it: the path is not yet somebody else's. */
static int
open_terminal (const char *name, gpointer data)
{
  ReeveMachine *self = data;
  g_autofree char *path = dup_terminal_path (self, name);
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);
  REEVE_AUTOFD int fd = -1;

  if (path == NULL || process == NULL)
    return -1;
  fd = open (path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    g_warning ("%s: %s", path, g_strerror (errno));
    return -1;
  }
  return reeve_process_is_alive (process) ? g_steal_fd (&fd) : -1;
}

static gboolean
is_terminal (ReeveConfig *config, const ReeveConfigChardev *chardev)
{
  return g_str_equal (chardev->type, "pty") &&
         reeve_config_get_mirrored (config, chardev) == NULL;
}

static ReeveConsole *
make_console (ReeveMachineList *self,
              ReeveRunDir *dir,
              const char *machine,
              const ReeveConfigChardev *chardev,
              ReeveConsoleOpen open,
              gpointer open_data)
{
  g_autofree char *spool =
      g_build_filename (dir->console_dir, chardev->alias, NULL);
  g_autofree char *mark = g_strconcat (spool, ".mark", NULL);
  g_autofree char *log_name = g_strconcat (chardev->alias, ".log", NULL);
  g_autofree char *log =
      g_build_filename (self->console_log_dir, machine, log_name, NULL);

  /* What goes over a channel is no text. */
  return reeve_console_new (self->loop, chardev->alias, spool,
                            g_str_equal (chardev->kind, "channel") ? NULL : log,
                            mark, &self->console_limits, open, open_data);
}

GPtrArray *
reeve_machine_list_make_consoles (ReeveMachineList *self,
                                  ReeveRunDir *dir,
                                  ReeveConfig *config,
                                  ReeveConsoleOpen open,
                                  gpointer open_data)
{
  GPtrArray *chardevs = reeve_config_get_chardevs (config);
  GPtrArray *consoles =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_console_unref);

  for (guint i = 0; i < chardevs->len; i++) {
    if (is_terminal (config, chardevs->pdata[i]))
      g_ptr_array_add (consoles,
                       make_console (self, dir, reeve_config_get_name (config),
                                     chardevs->pdata[i], open, open_data));
  }
  return consoles;
}

GPtrArray *
reeve_machine_make_consoles (ReeveMachine *self, ReeveConfig *config)
{
  return reeve_machine_list_make_consoles (self->list, &self->dir, config,
                                           open_terminal, self);
}

static void
keep_consoles (ReeveMachine *self, GPtrArray *consoles)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->consoles = g_ptr_array_ref (consoles);
}

void
reeve_machine_set_consoles (ReeveMachine *self, GPtrArray *consoles)
{
  keep_consoles (self, consoles);
  for (guint i = 0; i < consoles->len; i++) {
    Tap *tap = g_new0 (Tap, 1);

    tap->console = reeve_console_ref (consoles->pdata[i]);
    tap->machine = self;
    tap->watch = reeve_spool_watch_add (
        self->list->spools, reeve_console_get_spool_path (tap->console),
        on_spool, tap);
    g_ptr_array_add (self->taps, tap);
    pump (tap);
  }
}

void
reeve_machine_thaw_consoles (ReeveMachine *self)
{
  for (guint i = 0; i < self->taps->len; i++)
    pump (self->taps->pdata[i]);
}

void
reeve_machine_leave_consoles (ReeveMachine *self)
{
  for (guint i = 0; i < self->taps->len; i++) {
    const Tap *tap = self->taps->pdata[i];

    reeve_console_leave (tap->console);
  }
}

void
reeve_machine_retry_consoles (ReeveMachine *self)
{
  for (guint i = 0; i < self->taps->len; i++) {
    const Tap *tap = self->taps->pdata[i];

    reeve_console_retry (tap->console);
  }
}

void
reeve_machine_untap_consoles (ReeveMachine *self)
{
  for (guint i = 0; i < self->taps->len; i++) {
    Tap *tap = self->taps->pdata[i];

    reeve_spool_watch_remove (self->list->spools, tap->watch);
    reeve_console_shut (tap->console);
    tap->is_removed = TRUE;
    if (!tap->is_pumping)
      tap_free (tap);
  }
  g_ptr_array_set_size (self->taps, 0);
}

GPtrArray *
reeve_machine_steal_consoles (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_steal_pointer (&self->consoles);
}

void
reeve_machine_finish_consoles (GPtrArray *consoles)
{
  for (guint i = 0; consoles != NULL && i < consoles->len; i++) {
    ReeveConsole *console = consoles->pdata[i];

    while (reeve_console_pump (console))
      ;
    reeve_console_end (console);
  }
}

/* ------------------------------------------------------------- looking up --
 */

static gboolean
has_name (const ReeveConfigChardev *chardev,
          ReeveTerminalKind kind,
          const char *name)
{
  gboolean is_channel = g_str_equal (chardev->kind, "channel");

  if (is_channel != (kind == REEVE_TERMINAL_CHANNEL))
    return FALSE;
  if (name == NULL)
    return is_channel || g_str_equal (chardev->kind, "console");
  return g_str_equal (chardev->alias, name) ||
         (is_channel && g_strcmp0 (chardev->target_name, name) == 0);
}

/* (nullable): the device behind a name. */
static const ReeveConfigChardev *
find_chardev (ReeveConfig *config, ReeveTerminalKind kind, const char *name)
{
  GPtrArray *chardevs = reeve_config_get_chardevs (config);

  for (guint i = 0; i < chardevs->len; i++) {
    const ReeveConfigChardev *chardev = chardevs->pdata[i];
    const ReeveConfigChardev *mirrored =
        reeve_config_get_mirrored (config, chardev);

    if (has_name (chardev, kind, name))
      return mirrored != NULL ? mirrored : chardev;
  }
  return NULL;
}

/* (transfer full) (nullable) */
static ReeveConsole *
ref_console (ReeveMachine *self, const char *alias)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (guint i = 0; self->consoles != NULL && i < self->consoles->len; i++) {
    ReeveConsole *console = self->consoles->pdata[i];

    if (g_str_equal (reeve_console_get_name (console), alias))
      return reeve_console_ref (console);
  }
  return NULL;
}

ReeveConsole *
reeve_machine_get_console (ReeveMachine *self,
                           const char *alias,
                           GError **error)
{
  ReeveConsole *console = ref_console (self, alias);

  if (console == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine is not running"));
  return console;
}

static void
fail_to_find (ReeveTerminalKind kind, const char *name, GError **error)
{
  gboolean is_channel = kind == REEVE_TERMINAL_CHANNEL;

  if (name == NULL)
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                         is_channel ? _ ("the machine has no channel")
                                    : _ ("the machine has no console"));
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                 is_channel ? _ ("the machine has no channel '%s'")
                            : _ ("the machine has no console '%s'"),
                 name);
}

ReeveConsole *
reeve_machine_find_console (ReeveMachine *self,
                            ReeveTerminalKind kind,
                            const char *name,
                            GError **error)
{
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);
  const ReeveConfigChardev *chardev =
      config == NULL ? NULL : find_chardev (config, kind, name);

  if (config == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine is not running"));
    return NULL;
  }
  if (chardev == NULL) {
    fail_to_find (kind, name, error);
    return NULL;
  }
  if (!g_str_equal (chardev->type, "pty")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                 _ ("the character device %1$s is of type '%2$s', not a pty"),
                 chardev->alias, chardev->type);
    return NULL;
  }

  return reeve_machine_get_console (self, chardev->alias, error);
}
