/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/json-reply.h"
#include "rpc/json-scan.h"
#include "rpc/wire.h"

#include <inttypes.h>
#include <string.h>

/* JSON-RPC, in the forms of Open vSwitch (1.0) and in those of 2.0: what comes.
 * rpc/json-reply.c has what goes. */

/* Of the text that tells a call's replies apart. */
#define MAX_ID_SIZE 1024u

/* Between two reads. */
typedef struct {
  ReeveJsonScan scan;    /* of the message that begins the input */
  gboolean is_whole;     /* it is all there */
  ReeveCallBatch *batch; /* (owned) (nullable): that is being taken */
  size_t batch_offset;   /* where its next element is looked for */
  size_t n_error_bytes;  /* of its elements that made no call */
  uint32_t serial;       /* of the last call */
  gboolean is_over;      /* what comes is not looked at any more */
} JsonState;

/* A message. */
typedef struct {
  ReeveJsonForm form;
  ReeveJsonSpan method;
  ReeveJsonSpan params;
  ReeveJsonSpan id;
} Request;

static void
clear_state (gpointer state)
{
  JsonState *self = state;

  reeve_call_batch_unref (self->batch);
}

static gboolean
is_amid (gconstpointer state)
{
  const JsonState *self = state;

  return self->batch != NULL;
}

/* ------------------------------------------------------------- requests --- */

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC, what);
  return FALSE;
}

/* (nullable): what a member of that name is kept in. */
static ReeveJsonSpan *
find_member (Request *self, ReeveJsonSpan *version, ReeveJsonSpan key)
{
  if (reeve_json_span_equal (key, "method"))
    return &self->method;
  if (reeve_json_span_equal (key, "params"))
    return &self->params;
  if (reeve_json_span_equal (key, "id"))
    return &self->id;
  if (reeve_json_span_equal (key, "jsonrpc"))
    return version;
  return NULL;
}

static gboolean
collect_members (Request *self,
                 ReeveJsonSpan *version,
                 ReeveJsonSpan text,
                 GError **error)
{
  ReeveJsonSpan key, value;
  ReeveJsonCursor cursor;

  reeve_json_cursor_init (&cursor, text);
  if (cursor.is_bad || cursor.is_array)
    return refuse (error, _ ("a request is an object"));

  while (reeve_json_cursor_next (&cursor, &key, &value)) {
    ReeveJsonSpan *member = find_member (self, version, key);

    if (member == NULL || member->text != NULL) {
      g_autofree char *name = g_strndup (key.text, MIN (key.size, 64));
      g_autofree char *valid = g_utf8_make_valid (name, -1);

      g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                   member == NULL ? _ ("a request has no member “%s”")
                                  : _ ("a request has the member “%s” twice"),
                   valid);
      return FALSE;
    }
    *member = value;
  }

  return !cursor.is_bad || refuse (error, _ ("the request is no valid JSON"));
}

/* An id goes back as it came, so it has to be valid. */
static gboolean
check_id (ReeveJsonSpan id, GError **error)
{
  g_autoptr (JsonNode) node = NULL;

  if (id.size > MAX_ID_SIZE) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the id has more than %u bytes"), MAX_ID_SIZE);
    return FALSE;
  }

  node = reeve_json_parse (id.text, id.size, error);
  return node != NULL;
}

/* Whatever can be known of it is set, for the error's sake. */
static gboolean
read_request (Request *self, ReeveJsonSpan text, GError **error)
{
  static const ReeveJsonSpan null_id = { "null", 4 };
  ReeveJsonSpan version = { NULL, 0 };
  gboolean is_good = collect_members (self, &version, text, error);

  if (version.text != NULL)
    self->form = REEVE_JSON_FORM_2;
  /* Null is no id to a client of 1.0. */
  if (version.text == NULL && self->id.text != NULL &&
      reeve_json_span_equal (self->id, "null"))
    self->id.text = NULL;
  if (self->id.text != NULL && !check_id (self->id, is_good ? error : NULL)) {
    self->id = null_id;
    is_good = FALSE;
  }
  if (!is_good) {
    if (self->id.text == NULL)
      self->id = null_id;
    return FALSE;
  }

  if (reeve_json_span_equal (self->params, "null"))
    self->params.text = NULL;
  if (self->id.text == NULL)
    self->form |= REEVE_JSON_FORM_NO_REPLY;
  if ((version.text != NULL && !reeve_json_span_equal (version, "\"2.0\"")))
    return refuse (error, _ ("“jsonrpc” can be \"2.0\" alone"));
  if (self->method.text == NULL || self->method.text[0] != '"')
    return refuse (error, _ ("a request has a method, which is a string"));
  if (self->params.text != NULL && self->params.text[0] != '{' &&
      self->params.text[0] != '[')
    return refuse (error, _ ("“params” can be an object or an array"));
  return TRUE;
}

/* -------------------------------------------------------------- answers --- */

/* Sends what is no answer to a call. (transfer full) */
static void
add_message (JsonState *state,
             ReeveIntake *intake,
             GBytes *message,
             gboolean is_one)
{
  gsize size;
  const void *data = g_bytes_get_data (message, &size);

  if (!is_one || state->batch == NULL) {
    reeve_intake_add_answer (&intake->answers, message);
    return;
  }

  reeve_call_batch_expect (state->batch);
  /* The message that the batch came in is not ended yet. */
  reeve_call_batch_add (state->batch, data, size);
  g_bytes_unref (message);
}

static void
send_error (JsonState *state,
            ReeveIntake *intake,
            const Request *request,
            int json_code,
            const GError *failure)
{
  GBytes *message = reeve_json_reply_error (request->form, request->id,
                                            json_code, NULL, failure);

  state->n_error_bytes += g_bytes_get_size (message);
  add_message (state, intake, message, TRUE);
}

/* What comes from now on is not understood: says so, and closes. */
static size_t
give_up (ReeveServerClient *client,
         ReeveIntake *intake,
         int json_code,
         size_t size,
         const GError *failure)
{
  static const ReeveJsonSpan null_id = { "null", 4 };
  JsonState *state = client->wire_state;

  state->is_over = TRUE;
  intake->ends = TRUE;
  add_message (state, intake,
               reeve_json_reply_error (REEVE_JSON_FORM_2, null_id, json_code,
                                       NULL, failure),
               FALSE);
  reeve_server_note_refusal (client->server, REEVE_REFUSAL_MESSAGE,
                             _ ("Client %1$" PRIu64 ": %2$s"), client->id,
                             failure->message);
  return size;
}

/* ---------------------------------------------------------------- calls --- */

/* Whether the parameters of a request of 1.0 are words, and so its result is to
 * be text. */
static gboolean
has_words (const Request *request)
{
  ReeveJsonSpan key, value;
  ReeveJsonCursor cursor;

  if ((request->form & REEVE_JSON_FORM_2) != 0 || request->params.text == NULL)
    return FALSE;

  reeve_json_cursor_init (&cursor, request->params);
  if (!cursor.is_array)
    return FALSE;
  while (reeve_json_cursor_next (&cursor, &key, &value))
    if (value.text[0] != '"')
      return FALSE;
  return !cursor.is_bad;
}

/* (transfer full) */
static ReeveCall *
make_call (ReeveServerClient *client,
           const Request *request,
           ReeveServerProgram *program,
           const ReeveProcedure *procedure,
           const ReeveCommand *command,
           const char *name,
           uint32_t serial)
{
  JsonState *state = client->wire_state;
  const ReeveHeader header = {
    .program = program->program->number,
    .version = program->program->version,
    .procedure = procedure->number,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };
  size_t id_size = request->id.text == NULL ? 0 : request->id.size;
  size_t params_size = request->params.text == NULL ? 0 : request->params.size;
  size_t name_size = strlen (name) + 1;
  ReeveCall *call = reeve_call_new (
      client, &client->home->call_stock, program, procedure, &header, NULL,
      sizeof (ReeveJsonCall) + name_size + id_size + params_size);
  ReeveJsonCall *json = reeve_json_call_get (call);

  *json = (ReeveJsonCall){ .form = request->form,
                           .command = command,
                           .name_size = (uint32_t) name_size,
                           .id_size = (uint32_t) id_size,
                           .params_size = (uint32_t) params_size };
  memcpy (json->text, name, name_size);
  if (id_size > 0)
    memcpy (json->text + name_size, request->id.text, id_size);
  if (params_size > 0)
    memcpy (json->text + name_size + id_size, request->params.text,
            params_size);
  if (state->batch != NULL) {
    call->batch = reeve_call_batch_ref (state->batch);
    reeve_call_batch_expect (state->batch);
  }
  return call;
}

/* Answers what needs no program; FALSE if that is none of it. */
static gboolean
answer_built_in (JsonState *state,
                 ReeveIntake *intake,
                 const Request *request,
                 const char *name)
{
  static const ReeveJsonSpan none = { "[]", 2 };

  if (!g_str_equal (name, "echo"))
    return FALSE;

  add_message (state, intake,
               reeve_json_reply_text (
                   request->form, request->id,
                   request->params.text == NULL ? none : request->params),
               TRUE);
  return TRUE;
}

/* Makes of a request for an event the call that asks for it. */
static gboolean
choose_subscription (ReeveServerClient *client,
                     Request *request,
                     const char **name,
                     GError **error)
{
  g_autoptr (JsonNode) params =
      request->params.text == NULL
          ? NULL
          : reeve_json_parse (request->params.text, request->params.size,
                              error);
  JsonNode *event = NULL;
  const ReeveSubscription *subscription;

  if (params != NULL && JSON_NODE_HOLDS_OBJECT (params) &&
      json_object_get_size (json_node_get_object (params)) == 1)
    event = json_object_get_member (json_node_get_object (params), "event");
  else if (params != NULL && JSON_NODE_HOLDS_ARRAY (params) &&
           json_array_get_length (json_node_get_array (params)) == 1)
    event = json_array_get_element (json_node_get_array (params), 0);
  if (event == NULL || json_node_get_value_type (event) != G_TYPE_STRING) {
    if (error != NULL && *error == NULL)
      refuse (error, _ ("subscribe takes one parameter, “event”"));
    return FALSE;
  }

  subscription = reeve_server_find_subscription (
      client->server, json_node_get_string (event), error);
  if (subscription == NULL)
    return FALSE;
  *name = subscription->method;
  request->params =
      (ReeveJsonSpan){ subscription->params, strlen (subscription->params) };
  return TRUE;
}

/* The replies of a batch that wait for each other are bounded. */
static gboolean
check_batch (ReeveServerClient *client, GError **error)
{
  JsonState *state = client->wire_state;

  if (state->batch == NULL ||
      reeve_call_batch_get_size (state->batch) <
          REEVE_LIMIT (client->server, max_client_reply_bytes))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                       _ ("the replies of the batch are over their limit"));
  return FALSE;
}

static void
take_request (ReeveServerClient *client,
              ReeveJsonSpan text,
              ReeveIntake *intake)
{
  JsonState *state = client->wire_state;
  /* 1.0 has no batches. */
  Request request = { .form = text.text[0] == '[' || state->batch != NULL
                                  ? REEVE_JSON_FORM_2
                                  : REEVE_JSON_FORM_1 };
  g_autoptr (JsonNode) method = NULL;
  g_autoptr (GError) error = NULL;
  ReeveServerProgram *program;
  const ReeveProcedure *procedure;
  const ReeveCommand *command;
  const char *name;
  uint32_t serial = ++state->serial;

  if (!read_request (&request, text, &error) ||
      (method = reeve_json_parse (request.method.text, request.method.size,
                                  &error)) == NULL) {
    send_error (state, intake, &request, REEVE_JSON_INVALID_REQUEST, error);
    return;
  }
  name = json_node_get_string (method);
  if (!check_batch (client, &error)) {
    send_error (state, intake, &request, 0, error);
    return;
  }
  if (answer_built_in (state, intake, &request, name))
    return;
  if (g_str_equal (name, "subscribe") &&
      !choose_subscription (client, &request, &name, &error)) {
    send_error (state, intake, &request, REEVE_JSON_INVALID_PARAMS, error);
    return;
  }
  if (has_words (&request))
    request.form |= REEVE_JSON_FORM_TEXT;

  procedure = reeve_server_find_callable (client->server, name, &program,
                                          &command, &error);
  if (procedure == NULL) {
    send_error (state, intake, &request, REEVE_JSON_NO_METHOD, error);
    return;
  }
  if (!reeve_server_client_check_call (client, serial, program->program,
                                       procedure, &error)) {
    send_error (state, intake, &request, 0, error);
    return;
  }
  reeve_intake_add_call (intake, make_call (client, &request, program,
                                            procedure, command, name, serial));
}

/* ---------------------------------------------------------------- input --- */

/* FALSE: it has no element, and is no batch. */
static gboolean
find_next (JsonState *state, ReeveJsonSpan text, ReeveJsonCursor *cursor)
{
  ReeveJsonSpan key, value;
  ReeveJsonCursor first;

  reeve_json_cursor_init (cursor, text);
  if (state->batch != NULL) {
    cursor->at = text.text + state->batch_offset;
    cursor->has_begun = TRUE;
    return TRUE;
  }

  first = *cursor;
  if (!reeve_json_cursor_next (&first, &key, &value))
    return FALSE;
  state->batch = reeve_call_batch_new ();
  state->n_error_bytes = 0;
  return TRUE;
}

/* Whoever sends so much that makes no call does not understand us. */
static void
give_up_batch (ReeveServerClient *client, ReeveIntake *intake)
{
  g_autoptr (GError) error = NULL;

  g_set_error_literal (&error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                       _ ("the errors of the batch are over their limit"));
  give_up (client, intake, 0, 0, error);
}

static void
end_batch (JsonState *state, ReeveIntake *intake)
{
  GBytes *whole = reeve_call_batch_end (state->batch);

  if (whole != NULL)
    reeve_intake_add_answer (&intake->answers, whole);
}

/* The elements that there is room for; whether those are all. */
static gboolean
take_batch (ReeveServerClient *client, ReeveJsonSpan text, ReeveIntake *intake)
{
  JsonState *state = client->wire_state;
  size_t limit = REEVE_LIMIT (client->server, max_client_reply_bytes);
  ReeveJsonSpan key, value;
  ReeveJsonCursor cursor;

  if (!find_next (state, text, &cursor)) {
    take_request (client, text, intake);
    return TRUE;
  }

  while (intake->room > 0 && intake->n_left > 0 &&
         state->n_error_bytes < limit &&
         reeve_json_cursor_next (&cursor, &key, &value)) {
    take_request (client, value, intake);
    intake->n_left--;
    state->batch_offset = (size_t) (cursor.at - text.text);
  }
  if (intake->room == 0 || intake->n_left == 0)
    return FALSE;

  if (cursor.is_bad)
    take_request (client, text, intake);
  if (state->n_error_bytes >= limit)
    give_up_batch (client, intake);
  else
    end_batch (state, intake);
  g_clear_pointer (&state->batch, reeve_call_batch_unref);
  return TRUE;
}

/* A message that is all there, from its first byte. Whether all of it was
 * taken. */
static gboolean
take_message (ReeveServerClient *client,
              ReeveJsonSpan text,
              ReeveIntake *intake)
{
  if (text.text[0] == '[')
    return take_batch (client, text, intake);

  take_request (client, text, intake);
  return TRUE;
}

static size_t
count_space (const uint8_t *data, size_t size)
{
  size_t n = 0;

  while (n < size && strchr (" \t\r\n", data[n]) != NULL && data[n] != '\0')
    n++;
  return n;
}

/* Looks for the end of the message that begins the input; FALSE if that is not
 * there, or will not be. */
static gboolean
find_end (ReeveServerClient *client,
          const uint8_t *data,
          size_t size,
          ReeveIntake *intake,
          size_t *used)
{
  JsonState *state = client->wire_state;
  size_t limit = intake->max_bytes;
  g_autoptr (GError) error = NULL;
  ReeveJsonScanned scanned = reeve_json_scan (&state->scan, data, size);

  *used = 0;
  state->is_whole =
      scanned == REEVE_JSON_SCAN_DONE && state->scan.offset <= limit;
  if (scanned == REEVE_JSON_SCAN_BAD) {
    g_set_error (&error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the JSON is wrong at byte %zu"), state->scan.offset);
    *used = give_up (client, intake, REEVE_JSON_PARSE_ERROR, size, error);
  } else if (!state->is_whole && size >= limit) {
    g_set_error (&error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("a message has more than %zu bytes"), limit);
    *used = give_up (client, intake, REEVE_JSON_INVALID_REQUEST, size, error);
  }
  return state->is_whole;
}

static size_t
take_some (ReeveServerClient *client,
           const uint8_t *data,
           size_t size,
           ReeveIntake *intake)
{
  JsonState *state = client->wire_state;
  size_t n_space = count_space (data, size);
  ReeveJsonSpan text;
  size_t used;

  if (state->is_over || n_space == size)
    return size;
  if (!state->is_whole && !find_end (client, data, size, intake, &used))
    return used;

  used = state->scan.offset;
  text = (ReeveJsonSpan){ (const char *) data + n_space, used - n_space };
  if (!take_message (client, text, intake))
    return 0;

  state->is_whole = FALSE;
  state->scan = (ReeveJsonScan){ 0 };
  return used;
}

static size_t
take (ReeveServerClient *client,
      const uint8_t *data,
      size_t size,
      ReeveIntake *intake)
{
  size_t used = size == 0 ? 0 : take_some (client, data, size, intake);

  if (used > 0 && !reeve_fd_inbox_take (&client->inbox, used, 0, NULL)) {
    g_message (_ ("Client %" PRIu64 ": a message came with other file "
                  "descriptors than it says"),
               client->id);
    intake->is_bad = TRUE;
  }
  return intake->is_bad ? 0 : used;
}

const ReeveWire reeve_json_wire = {
  .name = "JSON",
  .flag = REEVE_WIRE_JSON,
  .survives_end = TRUE,
  .max_bytes = 16 * 1024 * 1024,
  .state_size = sizeof (JsonState),
  .clear_state = clear_state,
  .is_amid = is_amid,
  .take = take,
  .decode_args = reeve_json_call_decode_args,
  .add_reply = reeve_json_call_add_reply,
  .encode_reply = reeve_json_call_encode_reply,
  .encode_error = reeve_json_call_encode_error,
  .encode_event = reeve_json_encode_event,
};
