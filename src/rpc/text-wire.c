/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/command.h"
#include "rpc/config-value.h"
#include "rpc/error.h"
#include "rpc/wire.h"

#include <inttypes.h>
#include <string.h>

/*
 * Configuration text as LVM's daemons speak it: messages that end in a line of
 * `##`, a request for each, answered in order.
 */

#define END "\n##\n"
#define END_SIZE 4u
#define REQUEST_KEY "request"
#define RESPONSE_KEY "response"
/* Of the hello. */
#define PROTOCOL_VERSION 1

typedef struct {
  size_t offset; /* bytes of the input that were looked at for the end */
  uint32_t serial;
  gboolean is_over; /* what comes is not looked at any more */
} TextState;

/* -------------------------------------------------------------- replies --- */

/* (transfer full) */
static GBytes *
print_message (const ReeveConfigNode *node)
{
  GString *text = g_string_sized_new (256);

  reeve_config_node_print (node, REEVE_CONFIG_STYLE_EXACT, text);
  g_string_append (text, END);
  return g_string_free_to_bytes (text);
}

/* @verdict: what LVM's clients look at. @object: (nullable) */
static GBytes *
make_failure (const char *verdict, const char *object, const GError *failure)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();
  int code = failure->domain == REEVE_ERROR ? failure->code
                                            : (int) REEVE_ERROR_INTERNAL;
  const char *hint = reeve_error_get_hint (code);
  g_autofree char *reason = g_strdup (failure->message);
  char *end;

  /* The end of a message cannot stand in it. */
  while ((end = strstr (reason, END)) != NULL)
    *end = ' ';
  reeve_config_node_add_string (node, RESPONSE_KEY, verdict);
  reeve_config_node_add_string (node, "reason", reason);
  reeve_config_node_add_int (node, "code", code);
  if (object != NULL)
    reeve_config_node_add_string (node, "object", object);
  if (hint != NULL)
    reeve_config_node_add_string (node, "hint", hint);
  return print_message (node);
}

static GBytes *
encode_error (const ReeveCall *call, const GError *failure)
{
  g_autofree char *object = reeve_call_dup_object (call);

  return make_failure ("failed", object, failure);
}

/* A result may have a verdict of its own. */
static gboolean
has_verdict (const ReeveType *type)
{
  for (size_t i = 0; type->kind == REEVE_KIND_STRUCT && i < type->n_members;
       i++)
    if (g_str_equal (type->members[i].name, RESPONSE_KEY))
      return TRUE;

  return FALSE;
}

static GBytes *
encode_reply (const ReeveCall *call, gconstpointer ret, GError **error)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();
  g_autoptr (GBytes) reply = NULL;
  gsize size;
  const char *data;

  if (!has_verdict (call->procedure->ret))
    reeve_config_node_add_string (node, RESPONSE_KEY, "OK");
  reeve_config_encode (call->procedure->ret, ret, node);
  reply = print_message (node);
  data = g_bytes_get_data (reply, &size);
  if (size > REEVE_MESSAGE_MAX ||
      g_strstr_len (data, (gssize) (size - 1), END) != NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the result cannot be told in this text"));
    return NULL;
  }
  return g_steal_pointer (&reply);
}

static gboolean
add_reply (ReeveReplyBatch *batch,
           const ReeveCall *call,
           gconstpointer ret,
           GError **error)
{
  g_autoptr (GBytes) reply = encode_reply (call, ret, error);
  gsize size;
  const void *data;

  if (reply == NULL)
    return FALSE;

  data = g_bytes_get_data (reply, &size);
  memcpy (reeve_reply_batch_make_room (batch, size), data, size);
  return TRUE;
}

/* ------------------------------------------------------------- requests --- */

static gboolean
decode_args (ReeveCall *call, GError **error)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_parse (
      (const char *) call->payload, call->payload_size, error);

  if (node == NULL || !reeve_config_decode (call->procedure->args, node,
                                            REQUEST_KEY, call->args, error))
    return FALSE;

  reeve_call_note_object (call);
  return TRUE;
}

static GBytes *
make_hello (ReeveServerClient *client)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();

  reeve_config_node_add_string (node, RESPONSE_KEY, "OK");
  reeve_config_node_add_string (node, "protocol",
                                reeve_server_get_name (client->server));
  reeve_config_node_add_int (node, "version", PROTOCOL_VERSION);
  return print_message (node);
}

static void
take_call (ReeveServerClient *client,
           const char *name,
           const uint8_t *data,
           size_t size,
           ReeveIntake *intake)
{
  TextState *state = client->wire_state;
  g_autoptr (GError) error = NULL;
  ReeveServerProgram *program;
  const ReeveProcedure *procedure =
      reeve_server_find_callable (client->server, name, &program, NULL, &error);
  ReeveHeader header = { .type = REEVE_MESSAGE_CALL,
                         .serial = ++state->serial };

  if (procedure == NULL ||
      !reeve_server_client_check_call (client, header.serial, program->program,
                                       procedure, &error)) {
    reeve_intake_add_answer (
        &intake->answers,
        make_failure (procedure == NULL ? "invalid" : "failed", name, error));
    return;
  }

  header.program = program->program->number;
  header.version = program->program->version;
  header.procedure = procedure->number;
  reeve_intake_add_call (
      intake, reeve_call_new (client, &client->home->call_stock, program,
                              procedure, &header, data, size));
}

static void
take_request (ReeveServerClient *client,
              const uint8_t *data,
              size_t size,
              ReeveIntake *intake)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) node =
      reeve_config_node_parse ((const char *) data, size, &error);
  const char *name =
      node == NULL ? NULL
                   : reeve_config_node_find_string (node, REQUEST_KEY, NULL);

  if (node != NULL && (name == NULL || name[0] == '\0'))
    g_set_error_literal (&error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("“request” has to name what is asked for"));
  if (error != NULL)
    reeve_intake_add_answer (&intake->answers,
                             make_failure ("invalid", NULL, error));
  else if (g_str_equal (name, "hello"))
    reeve_intake_add_answer (&intake->answers, make_hello (client));
  else
    take_call (client, name, data, size, intake);
}

/* ---------------------------------------------------------------- input --- */

/* (nullable): where the line begins that ends the message. */
static const uint8_t *
find_end (TextState *state, const uint8_t *data, size_t size)
{
  /* The end may have begun in what was looked at. */
  size_t from = state->offset < END_SIZE ? 0 : state->offset - END_SIZE + 1;
  const uint8_t *end = memmem (data + from, size - from, END, END_SIZE);

  state->offset = end == NULL ? size : 0;
  return end;
}

static size_t
refuse_long (ReeveServerClient *client,
             size_t limit,
             size_t size,
             ReeveIntake *intake)
{
  TextState *state = client->wire_state;
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, REEVE_ERROR_LIMIT,
                   _ ("a message has more than %zu bytes"), limit);

  state->is_over = TRUE;
  intake->ends = TRUE;
  reeve_intake_add_answer (&intake->answers,
                           make_failure ("failed", NULL, error));
  reeve_server_note_refusal (client->server, REEVE_REFUSAL_MESSAGE,
                             _ ("Client %1$" PRIu64 ": %2$s"), client->id,
                             error->message);
  return size;
}

static size_t
take (ReeveServerClient *client,
      const uint8_t *data,
      size_t size,
      ReeveIntake *intake)
{
  TextState *state = client->wire_state;
  size_t limit = intake->max_bytes;
  const uint8_t *end = find_end (state, data, size);
  size_t length = end == NULL ? size : (size_t) (end - data);
  size_t used;

  if (state->is_over)
    return size;
  if (end == NULL && length < limit)
    return 0;

  used = length > limit || end == NULL
             ? refuse_long (client, limit, size, intake)
             : length + END_SIZE;
  if (!intake->ends)
    take_request (client, data, length, intake);
  /* Nothing but the order tells the answers apart. */
  intake->room = 0;
  if (!reeve_fd_inbox_take (&client->inbox, used, 0, NULL)) {
    g_message (_ ("Client %" PRIu64 ": a message came with other file "
                  "descriptors than it says"),
               client->id);
    intake->is_bad = TRUE;
  }
  return used;
}

const ReeveWire reeve_text_wire = {
  .name = "configuration text",
  .flag = REEVE_WIRE_TEXT,
  .is_ordered = TRUE,
  .survives_end = TRUE,
  .max_bytes = 1024 * 1024,
  .state_size = sizeof (TextState),
  .take = take,
  .decode_args = decode_args,
  .add_reply = add_reply,
  .encode_reply = encode_reply,
  .encode_error = encode_error,
};
