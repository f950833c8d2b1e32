/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/console.h"
#include "machine/machine-state.h"
#include "machine/remote-private.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"
#include "rpc/server-state.h"

#include <string.h>

/* What goes over a stream: the terminals of a machine, and its pictures. */

enum {
  CONSOLE_FORCE = 1 << 0,
  /* Refuse where several viewers harm each other: here they do not. */
  CONSOLE_SAFE = 1 << 1,
  CHANNEL_FORCE = 1 << 0,
};

/* --------------------------------------------------------------- consoles - */

/* A terminal as it is seen: of which machine. */
typedef struct {
  ReeveConsoleViewer *viewer; /* (owned) */
  uint8_t uuid[16];
} View;

static void
view_free (gpointer data)
{
  View *self = data;

  reeve_console_viewer_detach (self->viewer);
  g_free (self);
}

static View *
view_new (ReeveConsoleViewer *viewer, const uint8_t uuid[16])
{
  View *self = g_new (View, 1);

  self->viewer = viewer;
  memcpy (self->uuid, uuid, sizeof self->uuid);
  return self;
}

static gssize
receive_keys (ReeveDataStream *stream,
              const uint8_t *data,
              size_t size,
              gpointer user_data,
              GError **error)
{
  const View *view = user_data;
  size_t n_taken = reeve_console_viewer_write (view->viewer, data, size);

  /* Whoever goes does not wait for a guest that reads nothing. */
  if (n_taken == 0 && reeve_data_stream_is_finishing (stream))
    return (gssize) size;
  return (gssize) n_taken;
}

/* It mostly comes in small pieces: each is to take no more room than it needs,
 * however many wait for a viewer that does not read. */
static ReeveDataStreamNext
send_text (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  const View *view = user_data;
  uint8_t text[32768];
  gssize n_read = reeve_console_viewer_read (view->viewer, text, sizeof text);

  if (n_read < 0)
    return REEVE_DATA_STREAM_END;
  if (n_read == 0)
    return REEVE_DATA_STREAM_WAIT;
  reeve_data_stream_write (stream, text, (size_t) n_read);
  return REEVE_DATA_STREAM_MORE;
}

static const ReeveDataStreamFuncs console_funcs = {
  .receive = receive_keys,
  .send = send_text,
};

static void
wake (gpointer stream)
{
  reeve_data_stream_wake (stream);
}

static void
unref_stream (gpointer stream)
{
  reeve_data_stream_unref (stream);
}

/* The terminal wakes the stream. */
static void
wake_by (ReeveDataStream *stream, gpointer stream_data)
{
  const View *view = stream_data;

  reeve_console_viewer_set_wake (view->viewer, wake,
                                 reeve_data_stream_ref (stream), unref_stream);
}

static gboolean
open_terminal (ReeveCall *call,
               const remote_domain *domain,
               ReeveTerminalKind kind,
               const char *name,
               gboolean is_forced,
               GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);
  g_autoptr (ReeveConsole) console = NULL;
  ReeveConsoleViewer *viewer;
  ReeveDataStream *stream;
  View *view;

  if (machine == NULL)
    return FALSE;
  console = reeve_machine_find_console (machine, kind, name, error);
  if (console == NULL)
    return FALSE;
  viewer = reeve_console_attach (console, is_forced, error);
  if (viewer == NULL)
    return FALSE;
  view = view_new (viewer, reeve_machine_get_uuid (machine));
  stream =
      reeve_data_stream_open (call, &console_funcs, view, view_free, error);
  if (stream == NULL)
    return FALSE;

  wake_by (stream, view);
  return TRUE;
}

static gboolean
domain_open_console (ReeveCall *call,
                     const remote_domain_open_console_args *args,
                     GError **error)
{
  return reeve_remote_check_flags (call, args->flags,
                                   CONSOLE_FORCE | CONSOLE_SAFE, error) &&
         open_terminal (call, &args->dom, REEVE_TERMINAL_CONSOLE,
                        args->dev_name, (args->flags & CONSOLE_FORCE) != 0,
                        error);
}

static gboolean
domain_open_channel (ReeveCall *call,
                     const remote_domain_open_channel_args *args,
                     GError **error)
{
  return reeve_remote_check_flags (call, args->flags, CHANNEL_FORCE, error) &&
         open_terminal (call, &args->dom, REEVE_TERMINAL_CHANNEL, args->name,
                        (args->flags & CHANNEL_FORCE) != 0, error);
}

static gboolean
save_view (gpointer stream_data,
           ReeveSavedState *state,
           GByteArray *bytes,
           GError **error)
{
  const View *self = stream_data;
  machine_state_viewer saved = { 0 };
  gboolean is_saved;

  memcpy (saved.machine, self->uuid, sizeof saved.machine);
  reeve_console_viewer_save (self->viewer, &saved);
  is_saved =
      reeve_state_append (bytes, &machine_state_viewer_type, &saved, error);
  machine_state_viewer_clear (&saved);
  return is_saved;
}

/* (transfer full) (nullable) */
static View *
find_view (ReeveMachineList *machines,
           const machine_state_viewer *saved,
           GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_lookup_uuid (machines, saved->machine, error);
  g_autoptr (ReeveConsole) console = NULL;
  ReeveConsoleViewer *viewer;

  if (machine == NULL)
    return NULL;
  console = reeve_machine_get_console (machine, saved->console, error);
  if (console == NULL)
    return NULL;
  viewer = reeve_console_viewer_restore (console, saved, error);
  return viewer == NULL ? NULL : view_new (viewer, saved->machine);
}

static gpointer
restore_view (ReeveStateReader *reader,
              ReeveSavedState *state,
              gpointer user_data,
              GError **error)
{
  machine_state_viewer saved = { 0 };
  View *self;

  if (!reeve_state_reader_take (reader, &machine_state_viewer_type, &saved,
                                error))
    return NULL;

  self = find_view (user_data, &saved, error);
  machine_state_viewer_clear (&saved);
  return self;
}

void
reeve_remote_keep_consoles (ReeveServer *server, ReeveMachineList *machines)
{
  static const ReeveServerStreamKind kind = {
    .name = "console",
    .funcs = &console_funcs,
    .save = save_view,
    .restore = restore_view,
    .restored = wake_by,
    .free_func = view_free,
  };

  reeve_server_add_stream_kind (server, &kind, machines);
}

/* --------------------------------------------------------------- pictures - */

static ReeveDataStreamNext
send_picture (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  ssize_t n_read =
      read (GPOINTER_TO_INT (user_data), reeve_data_stream_get_room (stream),
            REEVE_DATA_STREAM_CHUNK);

  if (n_read < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot read the picture"));
    return REEVE_DATA_STREAM_FAILED;
  }
  if (n_read == 0)
    return REEVE_DATA_STREAM_END;
  reeve_data_stream_commit (stream, (size_t) n_read);
  return REEVE_DATA_STREAM_MORE;
}

static void
close_picture (gpointer fd)
{
  close (GPOINTER_TO_INT (fd));
}

static const ReeveDataStreamFuncs picture_funcs = {
  .send = send_picture,
};

static void
take_picture (ReeveMachine *machine,
              int fd,
              const char *type,
              const GError *error,
              gpointer data)
{
  ReeveCall *call = data;
  const remote_domain_screenshot_ret ret = { .mime = (char *) type };
  g_autoptr (GError) failure = NULL;

  if (error != NULL)
    reeve_call_fail (call, error);
  else if (reeve_data_stream_open (call, &picture_funcs, GINT_TO_POINTER (fd),
                                   close_picture, &failure) == NULL)
    reeve_call_fail (call, failure);
  else
    reeve_call_reply (call, &ret);
}

static gboolean
domain_screenshot (ReeveCall *call,
                   const remote_domain_screenshot_args *args,
                   remote_domain_screenshot_ret *ret,
                   GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find_with_flags (call, &args->dom, args->flags, 0, error);

  if (machine == NULL)
    return FALSE;

  reeve_machine_take_screenshot (machine, args->screen,
                                 reeve_remote_get_deadline_us (call),
                                 take_picture, reeve_call_defer (call));
  return TRUE;
}

void
reeve_remote_add_stream (remote_handlers *handlers)
{
  handlers->domain_open_console = domain_open_console;
  handlers->domain_open_channel = domain_open_channel;
  handlers->domain_screenshot = domain_screenshot;
}
