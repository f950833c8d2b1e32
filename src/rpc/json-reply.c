/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-reply.h"

#include "event/intl.h"
#include "rpc/command-words.h"
#include "rpc/error.h"
#include "rpc/json-print.h"
#include "rpc/json-value.h"
#include "rpc/wire-json.h"
#include "rpc/wire.h"

#include <string.h>

ReeveJsonCall *
reeve_json_call_get (ReeveCall *call)
{
  return (ReeveJsonCall *) (void *) call->payload;
}

static const ReeveJsonCall *
get_json (const ReeveCall *call)
{
  return (const ReeveJsonCall *) (const void *) call->payload;
}

static ReeveJsonSpan
get_id (const ReeveCall *call)
{
  const ReeveJsonCall *json = get_json (call);

  return (ReeveJsonSpan){ json->text + json->name_size, json->id_size };
}

/* ----------------------------------------------------------- arguments --- */

/* (transfer full) (nullable): an object whose members have, in order, the
 * values of an array. */
static JsonNode *
name_params (const ReeveType *type, JsonArray *array, GError **error)
{
  unsigned length = json_array_get_length (array);
  JsonObject *object;
  JsonNode *node;

  if (length > type->n_members) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$u parameters are too many: there can be %2$zu"), length,
                 type->n_members);
    return NULL;
  }

  object = json_object_new ();
  for (unsigned i = 0; i < length; i++)
    json_object_set_member (object, type->members[i].name,
                            json_array_dup_element (array, i));
  node = json_node_new (JSON_NODE_OBJECT);
  json_node_take_object (node, object);
  return node;
}

/* One value that is no struct stands in an array. */
static gboolean
decode_single (const ReeveType *type,
               JsonNode *params,
               gpointer args,
               GError **error)
{
  JsonArray *array =
      JSON_NODE_HOLDS_ARRAY (params) ? json_node_get_array (params) : NULL;
  unsigned n_wanted = type->kind != REEVE_KIND_VOID;

  if (array == NULL && type->kind == REEVE_KIND_VOID &&
      json_object_get_size (json_node_get_object (params)) == 0)
    return TRUE;
  if (array == NULL || json_array_get_length (array) != n_wanted) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("the parameters have to be an array of %u"), n_wanted);
    return FALSE;
  }
  return n_wanted == 0 ||
         reeve_json_decode (type, json_array_get_element (array, 0), args,
                            error);
}

/* (transfer full) (nullable) */
static JsonNode *
parse_params (const ReeveCall *call, GError **error)
{
  const ReeveJsonCall *json = get_json (call);
  JsonNode *node;

  if (json->params_size > 0)
    return reeve_json_parse (json->text + json->name_size + json->id_size,
                             json->params_size, error);

  node = json_node_new (JSON_NODE_OBJECT);
  json_node_take_object (node, json_object_new ());
  return node;
}

static gboolean
decode_params (ReeveCall *call, JsonNode *params, GError **error)
{
  const ReeveType *type = call->procedure->args;
  const ReeveJsonCall *json = get_json (call);
  g_autoptr (JsonNode) named = NULL;

  if ((json->form & REEVE_JSON_FORM_TEXT) != 0)
    return reeve_words_decode (type, json->text, json_node_get_array (params),
                               call->args, error);
  if (type->kind != REEVE_KIND_STRUCT)
    return decode_single (type, params, call->args, error);
  if (JSON_NODE_HOLDS_OBJECT (params))
    return reeve_json_decode (type, params, call->args, error);

  named = name_params (type, json_node_get_array (params), error);
  return named != NULL && reeve_json_decode (type, named, call->args, error);
}

gboolean
reeve_json_call_decode_args (ReeveCall *call, GError **error)
{
  g_autoptr (JsonNode) params = parse_params (call, error);

  if (params != NULL && decode_params (call, params, error)) {
    reeve_call_note_object (call);
    return TRUE;
  }

  reeve_json_call_get (call)->is_misunderstood = TRUE;
  return FALSE;
}

/* -------------------------------------------------------------- answers --- */

/* The bytes in front of a result or an error, and behind it. */
static void
begin_reply (GString *text, ReeveJsonForm form, ReeveJsonSpan id)
{
  if ((form & REEVE_JSON_FORM_2) != 0)
    g_string_append (text, "{\"jsonrpc\":\"2.0\",\"id\":");
  else
    g_string_append (text, "{\"id\":");
  g_string_append_len (text, id.text, (gssize) id.size);
}

static GBytes *
no_reply (void)
{
  return g_bytes_new (NULL, 0);
}

static void
begin_result (GString *text, ReeveJsonForm form, ReeveJsonSpan id)
{
  begin_reply (text, form, id);
  g_string_append (text, ",\"result\":");
}

static void
end_result (GString *text, ReeveJsonForm form)
{
  g_string_append (
      text, (form & REEVE_JSON_FORM_2) != 0 ? "}\n" : ",\"error\":null}\n");
}

GBytes *
reeve_json_reply_text (ReeveJsonForm form,
                       ReeveJsonSpan id,
                       ReeveJsonSpan result)
{
  GString *text;

  if ((form & REEVE_JSON_FORM_NO_REPLY) != 0)
    return no_reply ();

  text = g_string_sized_new (64 + result.size);
  begin_result (text, form, id);
  g_string_append_len (text, result.text, (gssize) result.size);
  end_result (text, form);
  return g_string_free_to_bytes (text);
}

static void
add_string (JsonObject *object, const char *name, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  json_object_set_string_member (object, name, valid);
}

/* (transfer full) */
static JsonNode *
make_error (int json_code, const char *object_name, const GError *failure)
{
  int code = failure->domain == REEVE_ERROR ? failure->code
                                            : (int) REEVE_ERROR_INTERNAL;
  const char *hint = reeve_error_get_hint (code);
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *error = json_object_new ();
  JsonObject *more = json_object_new ();

  json_object_set_int_member (error, "code", json_code != 0 ? json_code : code);
  add_string (error, "message", failure->message);
  json_object_set_int_member (more, "code", code);
  if (object_name != NULL)
    add_string (more, "object", object_name);
  add_string (more, "cause", failure->message);
  if (hint != NULL)
    add_string (more, "hint", hint);
  json_object_set_object_member (error, "data", more);
  json_node_take_object (node, error);
  return node;
}

/* What ovs-appctl prints. */
static JsonNode *
make_text_error (const GError *failure)
{
  const char *hint = failure->domain == REEVE_ERROR
                         ? reeve_error_get_hint (failure->code)
                         : NULL;
  g_autofree char *text =
      hint == NULL ? g_strdup_printf ("%s\n", failure->message)
                   : g_strdup_printf ("%s (%s)\n", failure->message, hint);
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  return json_node_init_string (json_node_alloc (), valid);
}

GBytes *
reeve_json_reply_error (ReeveJsonForm form,
                        ReeveJsonSpan id,
                        int json_code,
                        const char *object,
                        const GError *failure)
{
  g_autoptr (JsonNode) node = NULL;
  GString *text;

  if ((form & REEVE_JSON_FORM_NO_REPLY) != 0)
    return no_reply ();

  node = (form & REEVE_JSON_FORM_TEXT) != 0
             ? make_text_error (failure)
             : make_error (json_code, object, failure);
  text = g_string_new (NULL);
  begin_reply (text, form, id);
  if ((form & REEVE_JSON_FORM_2) == 0)
    g_string_append (text, ",\"result\":null");
  g_string_append (text, ",\"error\":");
  reeve_json_print (node, text);
  g_string_append (text, "}\n");
  return g_string_free_to_bytes (text);
}

/* A result of nothing is null, but not to a client of 1.0, to which that would
 * be none. */
static void
print_result (const ReeveCall *call, gconstpointer ret, GString *text)
{
  const ReeveType *type = call->procedure->ret;
  const ReeveJsonCall *json = get_json (call);

  if ((json->form & REEVE_JSON_FORM_TEXT) != 0) {
    g_autofree char *printed = reeve_words_print (type, json->command, ret);

    reeve_json_print_string (printed, text);
  } else if (type->kind == REEVE_KIND_VOID &&
             (json->form & REEVE_JSON_FORM_2) == 0) {
    g_string_append (text, "{}");
  } else {
    reeve_json_value_print (type, ret, text);
  }
}

/* (transfer full) (nullable): empty if the client wants none. */
static GString *
make_reply (const ReeveCall *call, gconstpointer ret, GError **error)
{
  const ReeveJsonCall *json = get_json (call);
  g_autoptr (GString) text = g_string_sized_new (256);
  gsize begin;

  if ((json->form & REEVE_JSON_FORM_NO_REPLY) != 0)
    return g_steal_pointer (&text);

  begin_result (text, json->form, get_id (call));
  begin = text->len;
  print_result (call, ret, text);
  if (text->len - begin > REEVE_MESSAGE_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("A message of %1$zd bytes is over the limit of %2$u"),
                 (gssize) (text->len - begin), REEVE_MESSAGE_MAX);
    return NULL;
  }
  end_result (text, json->form);
  return g_steal_pointer (&text);
}

GBytes *
reeve_json_call_encode_reply (const ReeveCall *call,
                              gconstpointer ret,
                              GError **error)
{
  GString *text = make_reply (call, ret, error);

  return text == NULL ? NULL : g_string_free_to_bytes (text);
}

gboolean
reeve_json_call_add_reply (ReeveReplyBatch *batch,
                           const ReeveCall *call,
                           gconstpointer ret,
                           GError **error)
{
  g_autoptr (GString) text = make_reply (call, ret, error);

  if (text == NULL)
    return FALSE;

  if (text->len > 0)
    memcpy (reeve_reply_batch_make_room (batch, text->len), text->str,
            text->len);
  return TRUE;
}

GBytes *
reeve_json_call_encode_error (const ReeveCall *call, const GError *failure)
{
  const ReeveJsonCall *json = get_json (call);
  g_autofree char *object = reeve_call_dup_object (call);

  return reeve_json_reply_error (
      json->form, get_id (call),
      json->is_misunderstood ? REEVE_JSON_INVALID_PARAMS : 0, object, failure);
}

GBytes *
reeve_json_encode_event (ReeveServerClient *client,
                         const ReeveProgram *program,
                         const ReeveProcedure *procedure,
                         gconstpointer body,
                         GError **error)
{
  GString *text = g_string_sized_new (256);

  g_string_append_printf (text,
                          "{\"jsonrpc\":\"2.0\",\"method\":\"%s.%s\","
                          "\"params\":",
                          program->name, procedure->name);
  reeve_json_value_print (procedure->args, body, text);
  g_string_append (text, "}\n");
  return g_string_free_to_bytes (text);
}
