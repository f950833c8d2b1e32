/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer-private.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "rpc/json-print.h"
#include "rpc/json-reply.h"

#include <inttypes.h>
#include <string.h>

/* JSON-RPC in both forms: calls whose ids tell their replies apart, and what
 * the server says and asks by itself. */

#define MESSAGE_END "}\n"

/* ---------------------------------------------------------------- input --- */

/* The members of a message; those that are null count as absent. */
typedef struct {
  ReeveJsonSpan id, method, params, result, error;
  gboolean is_2;
} Members;

static gboolean
read_members (Members *self, ReeveJsonSpan text)
{
  const struct {
    const char *name;
    ReeveJsonSpan *span;
  } rows[] = {
    { "id", &self->id },         { "method", &self->method },
    { "params", &self->params }, { "result", &self->result },
    { "error", &self->error },
  };
  ReeveJsonCursor cursor;
  ReeveJsonSpan key, value;

  memset (self, 0, sizeof *self);
  reeve_json_cursor_init (&cursor, text);
  if (cursor.is_array)
    return FALSE;

  while (reeve_json_cursor_next (&cursor, &key, &value)) {
    self->is_2 |= reeve_json_span_equal (key, "jsonrpc");
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
      if (reeve_json_span_equal (key, rows[i].name) &&
          !reeve_json_span_equal (value, "null"))
        *rows[i].span = value;
  }
  return !cursor.is_bad;
}

/* (transfer full) (nullable) */
static JsonNode *
parse_span (ReeveJsonSpan span, GError **error)
{
  return reeve_json_parse (span.text, span.size, error);
}

/* (transfer full) (nullable): what is a string. */
static char *
read_string (ReeveJsonSpan span)
{
  g_autoptr (JsonNode) node = parse_span (span, NULL);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_dup_string (node)
             : NULL;
}

/* The calling thread parses what is in it. */
static gboolean
take_reply (ReevePeer *self, const Members *members)
{
  g_autofree char *digits =
      g_strndup (members->id.text, MIN (members->id.size, 32));
  ReeveJsonSpan body =
      members->error.text != NULL ? members->error : members->result;
  guint64 id;

  if (!g_ascii_string_to_unsigned (digits, 10, 1, G_MAXUINT64, &id, NULL))
    return FALSE;
  if (body.text == NULL)
    body = (ReeveJsonSpan){ "null", strlen ("null") };
  return reeve_peer_take_answer (self, id, members->error.text != NULL,
                                 g_bytes_new (body.text, body.size));
}

static void
answer_request (ReevePeer *self, const Members *members, const char *method)
{
  ReeveJsonForm form = members->is_2 ? REEVE_JSON_FORM_2 : REEVE_JSON_FORM_1;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GBytes) reply = NULL;
  g_autoptr (GError) error = NULL;

  if (g_str_equal (method, "echo")) {
    reply = reeve_json_reply_text (form, members->id,
                                   members->params.text != NULL
                                       ? members->params
                                       : (ReeveJsonSpan){ "[]", 2 });
  } else {
    failure = g_error_new (REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                           _ ("There is no method “%s”"), method);
    reply = reeve_json_reply_error (form, members->id, REEVE_JSON_NO_METHOD,
                                    NULL, failure);
  }

  /* One that asks, and does not read, is not worth more memory. */
  if (!reeve_peer_send (self, reply, &error))
    reeve_peer_fail (self, REEVE_ERROR_CLOSED, "%s", error->message);
}

static void
notify (ReevePeer *self, const Members *members, const char *method)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) params = NULL;

  if (self->handlers.notify == NULL)
    return;
  if (members->params.text != NULL)
    params = parse_span (members->params, &error);
  if (error != NULL)
    g_warning ("%s: %s", method, error->message);
  else
    self->handlers.notify (self, method, params, self->handlers.data);
}

static gboolean
take_message (ReevePeer *self, ReeveJsonSpan text)
{
  g_autofree char *method = NULL;
  Members members;

  if (!read_members (&members, text))
    return FALSE;
  if (members.method.text == NULL)
    return members.id.text != NULL && take_reply (self, &members);

  method = read_string (members.method);
  if (method == NULL)
    return FALSE;
  if (members.id.text != NULL)
    answer_request (self, &members, method);
  else
    notify (self, &members, method);
  return TRUE;
}

static void
refuse_message (ReevePeer *self, ReeveJsonSpan text)
{
  enum { SHOWN_BYTES = 200 };
  g_autofree char *begin =
      g_utf8_make_valid (text.text, (gssize) MIN (text.size, SHOWN_BYTES));

  reeve_peer_fail (
      self, REEVE_ERROR_RPC,
      _ ("The server sent what is neither a reply to a call nor a call: %s"),
      begin);
}

static size_t
take (ReevePeer *self, const uint8_t *data, size_t size)
{
  ReeveJsonScanned scanned = reeve_json_scan (&self->scan, data, size);
  ReeveJsonSpan text = { (const char *) data, self->scan.offset };

  if (scanned == REEVE_JSON_SCAN_MORE)
    return 0;

  self->scan = (ReeveJsonScan){ 0 };
  if (scanned == REEVE_JSON_SCAN_BAD || !take_message (self, text))
    refuse_message (self, (ReeveJsonSpan){ text.text, size });
  return text.size;
}

const ReevePeerWire reeve_peer_json_wire = {
  .take = take,
};

/* --------------------------------------------------------------- output --- */

/* (transfer full): @id: 0 for a notification */
static GBytes *
make_message (ReevePeer *self,
              uint64_t id,
              const char *method,
              JsonNode *params)
{
  GString *text = g_string_sized_new (256);
  gboolean is_2 = self->form == REEVE_PEER_JSON_2;

  g_string_append (text,
                   is_2 ? "{\"jsonrpc\":\"2.0\",\"method\":" : "{\"method\":");
  reeve_json_print_string (method, text);
  if (params != NULL) {
    g_string_append (text, ",\"params\":");
    reeve_json_print (params, text);
  } else if (!is_2) {
    g_string_append (text, ",\"params\":[]");
  }
  if (id != 0)
    g_string_append_printf (text, ",\"id\":%" PRIu64, id);
  else if (!is_2)
    g_string_append (text, ",\"id\":null");
  g_string_append (text, MESSAGE_END);
  return g_string_free_to_bytes (text);
}

gboolean
reeve_peer_notify_json (ReevePeer *self,
                        const char *method,
                        JsonNode *params,
                        GError **error)
{
  g_autoptr (GBytes) message = make_message (self, 0, method, params);

  g_return_val_if_fail (self->wire == &reeve_peer_json_wire, FALSE);

  return reeve_peer_send (self, message, error);
}

/* --------------------------------------------------------------- results -- */

static const char *
get_string (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

static gint64
get_code (JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "code");

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_INT64
             ? json_node_get_int (node)
             : 0;
}

/* A server made with libreeve has the same number in `data`. */
static int
find_code (JsonObject *object)
{
  JsonNode *data = json_object_get_member (object, "data");
  gint64 code = get_code (object);

  if (data != NULL && JSON_NODE_HOLDS_OBJECT (data)) {
    gint64 ours = get_code (json_node_get_object (data));

    if (ours > 0 && ours <= G_MAXINT)
      return (int) ours;
  }
  return code == REEVE_JSON_NO_METHOD        ? REEVE_ERROR_NO_SUPPORT
         : code == REEVE_JSON_INVALID_PARAMS ? REEVE_ERROR_INVALID_ARG
                                             : REEVE_ERROR_OPERATION_FAILED;
}

/* An error is a string or an object: of JSON-RPC 2.0 one with a `message`, of
 * OVSDB one with an `error` and `details`. */
static void
set_failure (JsonNode *node, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  JsonObject *object =
      JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *message = NULL, *details = NULL;

  if (object != NULL) {
    message = get_string (object, "message");
    if (message == NULL) {
      message = get_string (object, "error");
      details = get_string (object, "details");
    }
  } else if (JSON_NODE_HOLDS_VALUE (node) &&
             json_node_get_value_type (node) == G_TYPE_STRING) {
    message = json_node_get_string (node);
  }

  if (message == NULL)
    reeve_json_print (node, text);
  else
    g_string_append (text, message);
  if (details != NULL)
    g_string_append_printf (text, ": %s", details);
  g_set_error_literal (error, REEVE_ERROR,
                       object == NULL ? (int) REEVE_ERROR_OPERATION_FAILED
                                      : find_code (object),
                       g_strchomp (text->str));
}

/* (transfer full) (nullable): of a call that was answered. */
static JsonNode *
read_answer (const ReevePeerCall *call, GError **error)
{
  gsize size;
  const char *text = g_bytes_get_data (call->answer, &size);
  g_autoptr (JsonNode) node = reeve_json_parse (text, size, error);

  if (node == NULL) {
    g_prefix_error (error, _ ("The reply to %s cannot be decoded: "),
                    call->name);
    return NULL;
  }
  if (!call->is_refusal)
    return g_steal_pointer (&node);

  set_failure (node, error);
  return NULL;
}

/* ---------------------------------------------------------------- calls --- */

JsonNode *
reeve_peer_call_json (ReevePeer *self,
                      const char *method,
                      JsonNode *params,
                      int timeout_ms,
                      GCancellable *cancellable,
                      GError **error)
{
  ReevePeerCall *call;
  JsonNode *result = NULL;

  g_return_val_if_fail (self->wire == &reeve_peer_json_wire, NULL);
  g_return_val_if_fail (!reeve_loop_is_current (self->loop), NULL);

  call = reeve_peer_call_new (self, method);
  if (reeve_peer_call_wait (
          self, call, make_message (self, call->id, method, params),
          reeve_peer_get_deadline (timeout_ms), cancellable, error))
    result = read_answer (call, error);
  reeve_peer_call_free (call);
  return result;
}

void
reeve_peer_call_json_async (ReevePeer *self,
                            const char *method,
                            JsonNode *params,
                            int timeout_ms,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  ReevePeerCall *call;

  g_return_if_fail (self->wire == &reeve_peer_json_wire);

  call = reeve_peer_call_new (self, method);
  reeve_peer_call_start_async (
      self, call, make_message (self, call->id, method, params), NULL,
      timeout_ms, cancellable, callback, user_data);
}

JsonNode *
reeve_peer_call_json_finish (ReevePeer *self,
                             GAsyncResult *result,
                             GError **error)
{
  ReevePeerCall *call;

  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  call = reeve_peer_call_wait_finish (result, error);
  return call == NULL ? NULL : read_answer (call, error);
}

ReevePeer *
reeve_peer_open_json (const char *stream,
                      ReevePeerForm form,
                      const ReevePeerHandlers *handlers,
                      int timeout_ms,
                      GCancellable *cancellable,
                      GError **error)
{
  return reeve_peer_open (stream, &reeve_peer_json_wire, form, handlers,
                          reeve_peer_get_deadline (timeout_ms), cancellable,
                          error);
}
