/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console.h"

#include "event/intl.h"
#include "machine/console-private.h"
#include "rpc/error.h"

#include <string.h>

typedef struct {
  ReeveConsoleViewer *viewer; /* (owned) */
  void (*wake) (gpointer data);
  gpointer data;
} Wake;

static void
viewer_unref (ReeveConsoleViewer *self) REEVE_UNCHECKED
{
  if (!reeve_refs_dec (&self->refs))
    return;

  if (self->wake_free != NULL)
    self->wake_free (self->wake_data);
  reeve_console_unref (self->console);
  g_free (self->mark);
  g_free (self);
}

REEVE_UNCHECKED ReeveConsole *
reeve_console_new (ReeveLoop *loop,
                   const char *name,
                   const char *spool_path,
                   const char *log_path,
                   const char *mark_path,
                   const ReeveConsoleLimits *limits,
                   ReeveConsoleOpen open,
                   gpointer open_data)
{
  ReeveConsole *self = g_new0 (ReeveConsole, 1);

  reeve_refs_init (&self->refs);
  self->name = g_strdup (name);
  self->spool_path = g_strdup (spool_path);
  self->buffer_bytes = limits->buffer_bytes;
  self->loop = reeve_loop_ref (loop);
  reeve_console_log_init (&self->log, log_path, mark_path,
                          log_path == NULL ? 0 : limits->log_bytes,
                          limits->log_files);
  self->open = open;
  self->open_data = open_data;
  self->port = -1;
  reeve_mutex_init (&self->lock);
  reeve_console_ring_init (&self->ring, self->buffer_bytes, 0);
  self->viewers = g_ptr_array_new ();
  return self;
}

ReeveConsole *
reeve_console_ref (ReeveConsole *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

REEVE_UNCHECKED void
reeve_console_unref (ReeveConsole *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (self->viewers->len == 0 && self->port < 0);
  g_ptr_array_unref (self->viewers);
  reeve_console_ring_clear (&self->ring);
  reeve_mutex_clear (&self->lock);
  reeve_console_log_clear (&self->log);
  reeve_loop_unref (self->loop);
  g_free (self->spool_path);
  g_free (self->name);
  g_free (self);
}

const char *
reeve_console_get_name (ReeveConsole *self)
{
  return self->name;
}

const char *
reeve_console_get_spool_path (ReeveConsole *self)
{
  return self->spool_path;
}

static void
wake_clear (gpointer data)
{
  Wake *wake = data;

  viewer_unref (wake->viewer);
}

/* (element-type Wake) */
static GArray *
find_sleepers (ReeveConsole *self, gboolean for_room)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (Wake));

  g_array_set_clear_func (found, wake_clear);

  REEVE_LOCK_SCOPE (&self->lock);

  for (guint i = 0; i < self->viewers->len; i++) {
    ReeveConsoleViewer *viewer = self->viewers->pdata[i];
    const Wake wake = { viewer, viewer->wake, viewer->wake_data };

    if (wake.wake == NULL || (for_room && !viewer->is_short_of_room))
      continue;
    viewer->is_short_of_room = FALSE;
    reeve_refs_inc (&viewer->refs);
    g_array_append_val (found, wake);
  }
  return found;
}

void
reeve_console_wake (ReeveConsole *self, gboolean for_room)
{
  g_autoptr (GArray) sleepers = find_sleepers (self, for_room);

  for (guint i = 0; i < sleepers->len; i++) {
    const Wake *sleeper = &g_array_index (sleepers, Wake, i);

    sleeper->wake (sleeper->data);
  }
}

static void
set_ended (ReeveConsole *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_loaded = TRUE;
  self->is_ended = TRUE;
}

void
reeve_console_end (ReeveConsole *self)
{
  set_ended (self);
  reeve_console_wake (self, FALSE);
}

static gboolean
add_viewer (ReeveConsole *self,
            ReeveConsoleViewer *viewer,
            gboolean is_forced,
            GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->viewers->len >= REEVE_CONSOLE_MAX_VIEWERS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("the console %1$s has %2$u viewers already"), self->name,
                 REEVE_CONSOLE_MAX_VIEWERS);
    return FALSE;
  }
  for (guint i = 0; is_forced && i < self->viewers->len; i++) {
    ReeveConsoleViewer *other = self->viewers->pdata[i];

    other->is_evicted = TRUE;
  }
  g_ptr_array_add (self->viewers, viewer);
  return TRUE;
}

ReeveConsoleViewer *
reeve_console_add_viewer (ReeveConsole *self,
                          gboolean is_forced,
                          GError **error)
{
  ReeveConsoleViewer *viewer = g_new0 (ReeveConsoleViewer, 1);

  reeve_refs_init (&viewer->refs);
  viewer->console = reeve_console_ref (self);
  if (!add_viewer (self, viewer, is_forced, error)) {
    viewer_unref (viewer);
    return NULL;
  }
  return viewer;
}

ReeveConsoleViewer *
reeve_console_attach (ReeveConsole *self, gboolean is_forced, GError **error)
{
  ReeveConsoleViewer *viewer =
      reeve_console_add_viewer (self, is_forced, error);

  if (viewer == NULL)
    return NULL;
  if (is_forced)
    reeve_console_wake (self, FALSE);
  reeve_console_retry_later (self);
  return viewer;
}

static void
remove_viewer (ReeveConsole *self, ReeveConsoleViewer *viewer)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_ptr_array_remove (self->viewers, viewer);
}

void
reeve_console_viewer_detach (ReeveConsoleViewer *self)
{
  if (self == NULL)
    return;

  remove_viewer (self->console, self);
  reeve_console_retry_later (self->console);
  viewer_unref (self);
}

void
reeve_console_viewer_set_wake (ReeveConsoleViewer *self,
                               void (*wake) (gpointer data),
                               gpointer data,
                               GDestroyNotify free_func)
{
  REEVE_LOCK_SCOPE (&self->console->lock);

  self->wake = wake;
  self->wake_data = data;
  self->wake_free = free_func;
}

static size_t
read_mark (ReeveConsoleViewer *self, uint8_t *buffer, size_t size)
{
  const char *rest = self->mark + self->mark_offset;

  size = MIN (size, strlen (rest));
  memcpy (buffer, rest, size);
  self->mark_offset += size;
  if (rest[size] == '\0')
    g_clear_pointer (&self->mark, g_free);
  return size;
}

static void
make_mark (ReeveConsoleViewer *self, uint64_t n_missing)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, n_missing);
  g_autofree char *text =
      g_strdup_printf (_ ("%s bytes are missing here: they came faster than "
                          "they were read"),
                       number);

  self->mark = g_strdup_printf ("\r\n[%s]\r\n", text);
  self->mark_offset = 0;
}

/* -1: the end; 0 with a mark: read that first. */
static gssize
read_ring (ReeveConsoleViewer *self, uint8_t *buffer, size_t size)
{
  ReeveConsole *console = self->console;
  size_t n_read;

  REEVE_LOCK_SCOPE (&console->lock);

  if (self->is_evicted)
    return -1;
  if (!console->is_loaded)
    return 0;

  if (!self->has_begun)
    self->position = console->ring.start;
  self->has_begun = TRUE;
  if (self->position < console->ring.start) {
    make_mark (self, console->ring.start - self->position);
    self->position = console->ring.start;
    return 0;
  }

  n_read =
      reeve_console_ring_read (&console->ring, self->position, buffer, size);
  self->position += n_read;
  return n_read == 0 && console->is_ended ? -1 : (gssize) n_read;
}

gssize
reeve_console_viewer_read (ReeveConsoleViewer *self,
                           uint8_t *buffer,
                           size_t size)
{
  gssize n_read = 0;

  if (self->mark == NULL)
    n_read = read_ring (self, buffer, size);
  return self->mark == NULL ? n_read : (gssize) read_mark (self, buffer, size);
}

static size_t
add_input (ReeveConsoleViewer *self,
           const uint8_t *data,
           size_t size,
           gboolean *is_first)
{
  ReeveConsole *console = self->console;
  size_t room;

  REEVE_LOCK_SCOPE (&console->lock);

  if (self->is_evicted || console->is_ended)
    return size;

  *is_first = console->n_input == 0;
  room = MIN (size, sizeof console->input - console->n_input);
  memcpy (console->input + console->n_input, data, room);
  console->n_input += room;
  self->is_short_of_room = room == 0;
  return room;
}

size_t
reeve_console_viewer_write (ReeveConsoleViewer *self,
                            const uint8_t *data,
                            size_t size)
{
  gboolean is_first = FALSE;
  size_t n_taken = add_input (self, data, size, &is_first);

  if (is_first)
    reeve_console_retry_later (self->console);
  return n_taken;
}
