/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console-private.h"
#include "machine/machine-state.h"

#include <string.h>

/* A console on its way to another process: text is in the spool, and each
 * position is one in that, so that a viewer goes on where he was. */

static void
save_typed (ReeveConsole *self, machine_state_console *saved)
{
  REEVE_LOCK_SCOPE (&self->lock);

  saved->typed.size = (uint32_t) self->n_input;
  saved->typed.data = g_memdup2 (self->input, self->n_input);
}

void
reeve_console_save (ReeveConsole *self,
                    ReeveSavedState *state,
                    machine_state_console *saved)
{
  saved->name = g_strdup (self->name);
  save_typed (self, saved);
  if (self->port >= 0) {
    saved->port = g_new (uint32_t, 1);
    *saved->port = reeve_saved_state_add_fd (state, self->port);
  }
}

static void
restore_typed (ReeveConsole *self, const machine_state_console *saved)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_input = MIN (saved->typed.size, sizeof self->input);
  if (self->n_input > 0)
    memcpy (self->input, saved->typed.data, self->n_input);
}

gboolean
reeve_console_restore (ReeveConsole *self,
                       ReeveSavedState *state,
                       const machine_state_console *saved,
                       GError **error)
{
  int port;

  restore_typed (self, saved);
  if (saved->port == NULL)
    return TRUE;

  port = reeve_saved_state_steal_fd (state, *saved->port, error);
  if (port < 0)
    return FALSE;
  reeve_console_adopt_port (self, port);
  /* It closes again if no viewer comes along. */
  reeve_console_retry_later (self);
  return TRUE;
}

static gboolean
is_evicted (ReeveConsoleViewer *self)
{
  REEVE_LOCK_SCOPE (&self->console->lock);

  return self->is_evicted;
}

void
reeve_console_viewer_save (ReeveConsoleViewer *self,
                           machine_state_viewer *saved)
{
  saved->console = g_strdup (self->console->name);
  saved->has_begun = self->has_begun;
  saved->is_evicted = is_evicted (self);
  saved->position = self->position;
  if (self->mark != NULL)
    saved->mark = g_strdup (self->mark + self->mark_offset);
}

static void
set_evicted (ReeveConsoleViewer *self, gboolean evicted)
{
  REEVE_LOCK_SCOPE (&self->console->lock);

  self->is_evicted = evicted;
}

ReeveConsoleViewer *
reeve_console_viewer_restore (ReeveConsole *self,
                              const machine_state_viewer *saved,
                              GError **error)
{
  ReeveConsoleViewer *viewer = reeve_console_add_viewer (self, FALSE, error);

  if (viewer == NULL)
    return NULL;

  viewer->has_begun = saved->has_begun;
  viewer->position = saved->position;
  viewer->mark = g_strdup (saved->mark);
  set_evicted (viewer, saved->is_evicted);
  reeve_console_retry_later (self);
  return viewer;
}
