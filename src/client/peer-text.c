/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer-private.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <inttypes.h>
#include <string.h>

/* What LVM's daemons understand: configuration text that ends in a line of
 * `##`, answered by the same. */

#define END "\n##\n"
#define END_SIZE (sizeof END - 1)

/* ------------------------------------------------------------- messages --- */

static size_t
take (ReevePeer *self, const uint8_t *data, size_t size)
{
  /* The end may have begun in what was looked at. */
  size_t from = self->offset < END_SIZE ? 0 : self->offset - END_SIZE + 1;
  const uint8_t *end = memmem (data + from, size - from, END, END_SIZE);
  size_t length;

  self->offset = end == NULL ? size : 0;
  if (end == NULL)
    return 0;

  length = (size_t) (end - data);
  if (!reeve_peer_take_next_answer (self, g_bytes_new (data, length)))
    reeve_peer_fail (self, REEVE_ERROR_RPC,
                     _ ("The server answers what it was not asked"));
  return length + END_SIZE;
}

const ReevePeerWire reeve_peer_text_wire = {
  .is_ordered = TRUE,
  .take = take,
};

/* (transfer full) (nullable) */
static GBytes *
make_message (const char *request, const ReeveConfigNode *args, GError **error)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();
  g_autoptr (GString) text = g_string_sized_new (256);

  reeve_config_node_add_string (node, "request", request);
  reeve_config_node_print (node, REEVE_CONFIG_STYLE_EXACT, text);
  if (args != NULL)
    reeve_config_node_print (args, REEVE_CONFIG_STYLE_EXACT, text);
  g_string_append (text, END);
  if (strstr (text->str, END) == text->str + text->len - END_SIZE)
    return g_string_free_to_bytes (g_steal_pointer (&text));

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("%s cannot be asked for in this text, as its end would stand "
                  "in it"),
               request);
  return NULL;
}

/* Whether the answer says yes, or what only the caller understands. */
static gboolean
check_verdict (const ReeveConfigNode *answer, const char *name, GError **error)
{
  const char *response = reeve_config_node_find_string (answer, "response", "");
  const char *reason = reeve_config_node_find_string (answer, "reason", NULL);
  int64_t code = reeve_config_node_find_int (answer, "code", 0);

  if (!g_str_equal (response, "failed") && !g_str_equal (response, "invalid"))
    return TRUE;

  if (code <= 0 || code > G_MAXINT)
    code = REEVE_ERROR_OPERATION_FAILED;
  if (reason != NULL)
    g_set_error_literal (error, REEVE_ERROR, (int) code, reason);
  else
    g_set_error (error, REEVE_ERROR, (int) code,
                 _ ("The server's answer to %1$s is “%2$s”"), name, response);
  return FALSE;
}

/* (transfer full) (nullable): of a call that was answered. */
static ReeveConfigNode *
read_answer (const ReevePeerCall *call, GError **error)
{
  gsize size;
  const char *text = g_bytes_get_data (call->answer, &size);
  g_autoptr (GError) why = NULL;
  g_autoptr (ReeveConfigNode) answer =
      reeve_config_node_parse (text, size, &why);

  if (answer == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("The reply to %1$s cannot be decoded: %2$s"), call->name,
                 why->message);
  return answer != NULL && check_verdict (answer, call->name, error)
             ? g_steal_pointer (&answer)
             : NULL;
}

/* ---------------------------------------------------------------- calls --- */

static ReeveConfigNode *
call_until (ReevePeer *self,
            const char *request,
            const ReeveConfigNode *args,
            gint64 deadline_us,
            GCancellable *cancellable,
            GError **error)
{
  GBytes *message = make_message (request, args, error);
  ReevePeerCall *call;
  ReeveConfigNode *answer = NULL;

  if (message == NULL)
    return NULL;

  call = reeve_peer_call_new (self, request);
  if (reeve_peer_call_wait (self, call, message, deadline_us, cancellable,
                            error))
    answer = read_answer (call, error);
  reeve_peer_call_free (call);
  return answer;
}

ReeveConfigNode *
reeve_peer_call_text (ReevePeer *self,
                      const char *request,
                      const ReeveConfigNode *args,
                      int timeout_ms,
                      GCancellable *cancellable,
                      GError **error)
{
  g_return_val_if_fail (self->wire == &reeve_peer_text_wire, NULL);
  g_return_val_if_fail (!reeve_loop_is_current (self->loop), NULL);

  return call_until (self, request, args, reeve_peer_get_deadline (timeout_ms),
                     cancellable, error);
}

ReeveConfigNode *
reeve_peer_ask_text (ReevePeer *self,
                     int timeout_ms,
                     GError **error,
                     const char *request,
                     ...)
{
  g_autoptr (ReeveConfigNode) args = reeve_config_node_new ();
  va_list values;
  const char *format;

  va_start (values, request);
  format = va_arg (values, const char *);
  reeve_config_node_add_valist (args, format, values);
  va_end (values);
  return reeve_peer_call_text (self, request, args, timeout_ms, NULL, error);
}

void
reeve_peer_call_text_async (ReevePeer *self,
                            const char *request,
                            const ReeveConfigNode *args,
                            int timeout_ms,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GError *error = NULL;
  GBytes *message = make_message (request, args, &error);

  g_return_if_fail (self->wire == &reeve_peer_text_wire);

  reeve_peer_call_start_async (self, reeve_peer_call_new (self, request),
                               message, error, timeout_ms, cancellable,
                               callback, user_data);
}

ReeveConfigNode *
reeve_peer_call_text_finish (ReevePeer *self,
                             GAsyncResult *result,
                             GError **error)
{
  ReevePeerCall *call;

  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  call = reeve_peer_call_wait_finish (result, error);
  return call == NULL ? NULL : read_answer (call, error);
}

/* -------------------------------------------------------------- opening --- */

static gboolean
say_hello (ReevePeer *self,
           const char *protocol,
           int64_t version,
           gint64 deadline_us,
           GCancellable *cancellable,
           GError **error)
{
  g_autoptr (ReeveConfigNode) answer =
      call_until (self, "hello", NULL, deadline_us, cancellable, error);
  const char *their_protocol;
  int64_t their_version;

  if (answer == NULL)
    return FALSE;

  if (!g_str_equal (reeve_config_node_find_string (answer, "response", ""),
                    "OK")) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                         _ ("The server does not say hello"));
    return FALSE;
  }

  their_protocol = reeve_config_node_find_string (answer, "protocol", "");
  their_version = reeve_config_node_find_int (answer, "version", 0);
  if (protocol == NULL ||
      (g_str_equal (their_protocol, protocol) && their_version == version))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
               _ ("The server speaks version %2$" PRId64 " of “%1$s”, not "
                  "version %4$" PRId64 " of “%3$s”"),
               their_protocol, their_version, protocol, version);
  return FALSE;
}

ReevePeer *
reeve_peer_open_text (const char *stream,
                      const char *protocol,
                      int64_t version,
                      int timeout_ms,
                      GCancellable *cancellable,
                      GError **error)
{
  gint64 deadline_us = reeve_peer_get_deadline (timeout_ms);
  g_autoptr (ReevePeer) self =
      reeve_peer_open (stream, &reeve_peer_text_wire, REEVE_PEER_JSON_1, NULL,
                       deadline_us, cancellable, error);

  return self != NULL && say_hello (self, protocol, version, deadline_us,
                                    cancellable, error)
             ? g_steal_pointer (&self)
             : NULL;
}
