/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "machine/console-private.h"

#include <string.h>

/*
 * The terminal, which is open while there are viewers. Keys go to it. What it
 * prints is in the spool as well: it is read and forgotten, for QEMU would
 * wait once the kernel's 20 KB are full.
 */

/* Those 20 KB fill no faster. */
#define INTERVAL_MS 2
#define MAX_READS 16

static void
close_port (ReeveConsole *self)
{
  reeve_paced_watch_clear (&self->watch);
  reeve_fd_clear (&self->port);
}

static size_t
peek_input (ReeveConsole *self, uint8_t *buffer)
{
  REEVE_LOCK_SCOPE (&self->lock);

  memcpy (buffer, self->input, self->n_input);
  return self->n_input;
}

static void
drop_input (ReeveConsole *self, size_t size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_input -= size;
  memmove (self->input, self->input + size, self->n_input);
}

/* Writes what the terminal takes. Returns FALSE if it is broken. */
static gboolean
write_input (ReeveConsole *self)
{
  uint8_t buffer[REEVE_CONSOLE_MAX_INPUT];
  size_t size = peek_input (self, buffer);
  ssize_t n_written = size == 0 ? 0 : write (self->port, buffer, size);

  if (n_written < 0 && errno != EAGAIN)
    return FALSE;
  if (n_written > 0) {
    drop_input (self, (size_t) n_written);
    reeve_console_wake (self, TRUE);
  }
  reeve_paced_watch_update (&self->watch,
                            n_written == (ssize_t) size
                                ? REEVE_EVENT_READABLE
                                : REEVE_EVENT_READABLE | REEVE_EVENT_WRITABLE);
  return TRUE;
}

/* Returns FALSE if the terminal is broken: QEMU is gone. */
static gboolean
forget_output (ReeveConsole *self)
{
  char buffer[4096];
  ssize_t size = 1;

  for (int i = 0; i < MAX_READS && size > 0; i++)
    size = read (self->port, buffer, sizeof buffer);
  return size > 0 || (size < 0 && errno == EAGAIN);
}

static void
on_ready (ReeveEvents events, gpointer data)
{
  ReeveConsole *self = data;

  if (!forget_output (self) || !write_input (self))
    close_port (self);
}

static gboolean
has_viewers (ReeveConsole *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->viewers->len > 0;
}

static void
open_port (ReeveConsole *self)
{
  self->port = self->open (self->name, self->open_data);
  if (self->port >= 0 && !reeve_paced_watch_init (
                             &self->watch, self->loop, self->port,
                             REEVE_EVENT_READABLE, INTERVAL_MS, on_ready, self))
    close_port (self);
}

void
reeve_console_sync_port (ReeveLoop *loop, gpointer data)
{
  g_autoptr (ReeveConsole) self = data;
  gboolean is_wanted = !self->is_shut && has_viewers (self);

  if (is_wanted && self->port < 0)
    open_port (self);
  else if (!is_wanted && self->port >= 0)
    close_port (self);
  if (self->port >= 0 && !write_input (self))
    close_port (self);
}

void
reeve_console_retry (ReeveConsole *self)
{
  reeve_console_sync_port (self->loop, reeve_console_ref (self));
}

void
reeve_console_shut (ReeveConsole *self)
{
  self->is_shut = TRUE;
  close_port (self);
}
