/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "machine/console-private.h"
#include "machine/machine-state.h"

#include <string.h>
#include <termios.h>

/*
 * The terminal, which is open while there are viewers. Keys go to it. What it
 * prints is in the spool as well: nobody wants it here, but QEMU would wait
 * once the kernel's 20 KB are full, and the guest with it. So the kernel is to
 * throw it away, which it does with a line that is too long and has no end, and
 * no guest waits for a daemon that sleeps. What comes in spite of that, as
 * somebody else has changed the terminal, is read and forgotten.
 */

/* Those 20 KB fill no faster. */
#define INTERVAL_MS 2
#define MAX_READS 16

/* As QEMU makes it: every byte goes through as it is. */
static gboolean
make_raw (int fd, struct termios *attributes)
{
  if (tcgetattr (fd, attributes) < 0)
    return FALSE;

  cfmakeraw (attributes);
  return tcsetattr (fd, TCSANOW, attributes) == 0;
}

/* One line that has no end, whatever is printed. */
static void
throw_output_away (int fd)
{
  struct termios attributes;

  if (!make_raw (fd, &attributes))
    return;

  attributes.c_lflag |= ICANON;
  attributes.c_iflag |= INLCR;
  attributes.c_iflag &= ~(tcflag_t) IMAXBEL;
  for (size_t i = 0; i < G_N_ELEMENTS (attributes.c_cc); i++)
    attributes.c_cc[i] = _POSIX_VDISABLE;
  (void) tcsetattr (fd, TCSANOW, &attributes);
}

/* Whoever opens it next finds what is printed from then on. */
static void
keep_output (int fd)
{
  struct termios attributes;

  (void) make_raw (fd, &attributes);
  (void) tcflush (fd, TCIFLUSH);
}

/* Another process goes on with it. */
void
reeve_console_leave (ReeveConsole *self)
{
  reeve_paced_watch_clear (&self->watch);
  reeve_fd_clear (&self->port);
  self->is_shut = TRUE;
}

static void
close_port (ReeveConsole *self)
{
  reeve_paced_watch_clear (&self->watch);
  if (self->port >= 0)
    keep_output (self->port);
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

void
reeve_console_adopt_port (ReeveConsole *self, int fd)
{
  self->port = fd;
  if (self->port >= 0 && !reeve_paced_watch_init (
                             &self->watch, self->loop, self->port,
                             REEVE_EVENT_READABLE, INTERVAL_MS, on_ready, self))
    close_port (self);
}

static void
open_port (ReeveConsole *self)
{
  int fd = self->open (self->name, self->open_data);

  if (fd >= 0)
    throw_output_away (fd);
  reeve_console_adopt_port (self, fd);
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
reeve_console_retry_later (ReeveConsole *self)
{
  reeve_loop_invoke (self->loop, reeve_console_sync_port,
                     reeve_console_ref (self));
}

/* A daemon that was killed has left the terminal as it used it. */
void
reeve_console_retry (ReeveConsole *self)
{
  if (!self->is_shut && self->port < 0)
    open_port (self);
  reeve_console_sync_port (self->loop, reeve_console_ref (self));
}

void
reeve_console_shut (ReeveConsole *self)
{
  self->is_shut = TRUE;
  close_port (self);
}
