/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/autostart.h"
#include "client/connection-private.h"
#include "client/uri.h"
#include "event/intl.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"
#include "rpc/tls-client.h"

#include <pthread.h>

/* From a URI to a connection that can be used. */

enum { OPEN_READ_ONLY = 1 << 0 };

/* libvirt's number of it. */
enum { FEATURE_KEEPALIVE = 10 };

gboolean
reeve_opening_call (ReeveOpening *self,
                    const ReeveProgram *program,
                    int32_t procedure,
                    gconstpointer args,
                    gpointer ret,
                    GError **error)
{
  gint64 left_us = self->deadline_us - g_get_monotonic_time ();

  return reeve_connection_call (
      self->connection, program, reeve_program_find (program, procedure), args,
      ret, (int) MAX (left_us / 1000, 1), self->cancellable, error);
}

/* As stock clients do, before the connection is open. */
static void
agree_on_keepalive (ReeveOpening *self)
{
  const remote_connect_supports_feature_args args = { FEATURE_KEEPALIVE };
  remote_connect_supports_feature_ret ret = { 0 };

  if (reeve_opening_call (self, &remote_program,
                          REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, &args, &ret,
                          NULL) &&
      ret.supported != 0)
    reeve_connection_set_keepalive (self->connection,
                                    REEVE_CONNECTION_KEEPALIVE_S,
                                    REEVE_CONNECTION_KEEPALIVE_COUNT);
}

static gboolean
open_remote (ReeveOpening *self,
             const ReeveUri *uri,
             gboolean is_read_only,
             GError **error)
{
  remote_connect_open_args args = {
    .name = uri->name,
    .flags = is_read_only ? OPEN_READ_ONLY : 0,
  };
  g_autoptr (GError) why = NULL;

  agree_on_keepalive (self);
  if (reeve_opening_call (self, &remote_program, REMOTE_PROC_CONNECT_OPEN,
                          &args, NULL, &why)) {
    reeve_connection_set_opened (self->connection);
    return TRUE;
  }

  if (uri->is_plain && g_error_matches (why, REEVE_ERROR, REEVE_ERROR_RPC))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static ReeveStream *
open_existing (const ReeveUri *uri,
               gint64 deadline_us,
               GCancellable *cancellable,
               GError **error)
{
  const ReeveTlsClientOptions options = {
    .pki_path = uri->pki_path,
    .priority = uri->tls_priority,
    .flags = uri->tls_flags,
  };

  if (reeve_socket_name_is (uri->stream, FALSE, REEVE_SOCKET_TLS))
    return reeve_tls_client_open (uri->stream, &options, deadline_us,
                                  cancellable, error);
  return reeve_stream_open (uri->stream, deadline_us, cancellable, error);
}

static ReeveStream *
open_stream (const ReeveUri *uri,
             gint64 deadline_us,
             GCancellable *cancellable,
             GError **error)
{
  g_autoptr (GError) why = NULL;
  ReeveStream *stream = open_existing (uri, deadline_us, cancellable, &why);

  if (stream != NULL)
    return stream;
  if (!g_error_matches (why, REEVE_ERROR, REEVE_ERROR_NO_CONNECT) ||
      !reeve_autostart_is_for (uri->stream)) {
    g_propagate_error (error, g_steal_pointer (&why));
    return NULL;
  }

  return reeve_autostart_run (uri->stream, deadline_us, cancellable, error)
             ? open_existing (uri, deadline_us, cancellable, error)
             : NULL;
}

/* Not each server has marks. */
static void
make_lasting (ReeveOpening *self, ReeveConnectionFlags flags)
{
  gint64 left_us = self->deadline_us - g_get_monotonic_time ();

  reeve_connection_make_lasting (self->connection, flags);
  if (self->connection->is_opened)
    reeve_connection_sync (self->connection, 0, (int) MAX (left_us / 1000, 1),
                           NULL);
}

ReeveConnection *
reeve_connection_open_asking (const char *uri,
                              ReeveConnectionFlags flags,
                              ReeveAskFunc ask,
                              gpointer ask_data,
                              int timeout_ms,
                              GCancellable *cancellable,
                              GError **error)
{
  gboolean is_read_only = (flags & REEVE_CONNECTION_READ_ONLY) != 0;
  g_autofree char *text =
      uri != NULL ? g_strdup (uri) : reeve_uri_get_default (is_read_only);
  g_autoptr (ReeveUri) parsed = reeve_uri_parse (text, is_read_only, error);
  g_autoptr (ReeveConnection) connection = NULL;
  ReeveOpening opening = {
    .uri = parsed,
    .cancellable = cancellable,
    .ask = ask,
    .ask_data = ask_data,
  };
  ReeveStream *stream;

  if (parsed == NULL)
    return NULL;
  if (timeout_ms < 0)
    timeout_ms = REEVE_CONNECTION_TIMEOUT_MS;
  opening.deadline_us = g_get_monotonic_time () + (gint64) timeout_ms * 1000;

  stream = open_stream (parsed, opening.deadline_us, cancellable, error);
  if (stream == NULL)
    return NULL;
  connection = reeve_connection_new (text, stream);
  opening.connection = connection;

  if ((flags & REEVE_CONNECTION_NO_OPEN) == 0 &&
      (!reeve_opening_authenticate (&opening, error) ||
       !open_remote (&opening, parsed, is_read_only, error)))
    return NULL;
  if ((flags & REEVE_CONNECTION_RECONNECT) != 0)
    make_lasting (&opening, flags);
  return g_steal_pointer (&connection);
}

ReeveConnection *
reeve_connection_open (const char *uri,
                       ReeveConnectionFlags flags,
                       int timeout_ms,
                       GCancellable *cancellable,
                       GError **error)
{
  return reeve_connection_open_asking (uri, flags, NULL, NULL, timeout_ms,
                                       cancellable, error);
}

/* --------------------------------------------------------- asynchronous -- */

typedef struct {
  GTask *task; /* (owned) */
  char *uri;   /* (owned) (nullable) */
  ReeveConnectionFlags flags;
  int timeout_ms;
} AsyncOpening;

/* Opening blocks, so it has a thread of its own. */
static void *
run_opening (void *data)
{
  AsyncOpening *self = data;
  GError *error = NULL;
  ReeveConnection *connection =
      reeve_connection_open (self->uri, self->flags, self->timeout_ms,
                             g_task_get_cancellable (self->task), &error);

  if (connection == NULL)
    g_task_return_error (self->task, error);
  else
    g_task_return_pointer (self->task, connection,
                           (GDestroyNotify) reeve_connection_unref);
  g_object_unref (self->task);
  g_free (self->uri);
  g_free (self);
  return NULL;
}

void
reeve_connection_open_async (const char *uri,
                             ReeveConnectionFlags flags,
                             int timeout_ms,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  AsyncOpening *self = g_new0 (AsyncOpening, 1);
  pthread_t thread;
  int failure;

  self->task = g_task_new (NULL, cancellable, callback, user_data);
  self->uri = g_strdup (uri);
  self->flags = flags;
  self->timeout_ms = timeout_ms;
  failure = pthread_create (&thread, NULL, run_opening, self);
  if (failure == 0) {
    pthread_detach (thread);
    return;
  }

  g_task_return_new_error (self->task, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                           _ ("Cannot start a thread: %s"),
                           g_strerror (failure));
  g_object_unref (self->task);
  g_free (self->uri);
  g_free (self);
}

ReeveConnection *
reeve_connection_open_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
