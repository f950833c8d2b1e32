/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/console.h"
#include "machine/remote-private.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"

/* What goes over a stream: the terminals of a machine, and its pictures. */

enum {
  CONSOLE_FORCE = 1 << 0,
  /* Refuse where several viewers harm each other: here they do not. */
  CONSOLE_SAFE = 1 << 1,
  CHANNEL_FORCE = 1 << 0,
};

/* --------------------------------------------------------------- consoles - */

static gssize
receive_keys (ReeveDataStream *stream,
              const uint8_t *data,
              size_t size,
              gpointer user_data,
              GError **error)
{
  size_t n_taken = reeve_console_viewer_write (user_data, data, size);

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
  uint8_t text[32768];
  gssize n_read = reeve_console_viewer_read (user_data, text, sizeof text);

  if (n_read < 0)
    return REEVE_DATA_STREAM_END;
  if (n_read == 0)
    return REEVE_DATA_STREAM_WAIT;
  reeve_data_stream_write (stream, text, (size_t) n_read);
  return REEVE_DATA_STREAM_MORE;
}

static void
detach (gpointer viewer)
{
  reeve_console_viewer_detach (viewer);
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

  if (machine == NULL)
    return FALSE;
  console = reeve_machine_find_console (machine, kind, name, error);
  if (console == NULL)
    return FALSE;
  viewer = reeve_console_attach (console, is_forced, error);
  if (viewer == NULL)
    return FALSE;
  stream = reeve_data_stream_open (call, &console_funcs, viewer, detach, error);
  if (stream == NULL)
    return FALSE;

  reeve_console_viewer_set_wake (viewer, wake, reeve_data_stream_ref (stream),
                                 unref_stream);
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
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;
  machine = reeve_remote_find (call, &args->dom, error);
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
