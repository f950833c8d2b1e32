/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "stock-daemon.h"

#include <string.h>

/* Our client and a stock ovsdb-server. */

#define TIMEOUT_MS 30000
#define N_THREADS 8
#define N_CALLS 100

static const char schema[] =
    "{\"name\":\"Notes\",\"version\":\"1.0.0\",\"tables\":{\"Note\":"
    "{\"columns\":{\"text\":{\"type\":\"string\"}}}}}";

/* What the I/O thread was told last. */
typedef struct {
  ReeveMutex lock;
  ReeveCond changed;
  JsonNode *update REEVE_GUARDED; /* (owned) (nullable) */
} Told;

typedef struct {
  StockDaemon daemon;
  Told told;
  ReevePeer *peer; /* (nullable): the program is missing */
} Fixture;

static void
take_notice (ReevePeer *peer,
             const char *method,
             JsonNode *params,
             gpointer data)
{
  Told *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_assert_cmpstr (method, ==, "update");
  g_assert_null (self->update);
  self->update = json_node_copy (params);
  reeve_cond_signal (&self->changed);
}

static JsonNode *
wait_for_update (Told *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (self->update == NULL)
    reeve_cond_wait (&self->changed, &self->lock);
  return g_steal_pointer (&self->update);
}

static ReevePeer *
open_peer (Fixture *self)
{
  const ReevePeerHandlers handlers = { .notify = take_notice,
                                       .data = &self->told };
  g_autoptr (GError) error = NULL;
  ReevePeer *peer =
      reeve_peer_open_json (self->daemon.stream, REEVE_PEER_JSON_1, &handlers,
                            TIMEOUT_MS, NULL, &error);

  g_assert_no_error (error);
  return peer;
}

static void
start_daemon (StockDaemon *daemon)
{
  g_autofree char *file = stock_daemon_path (daemon, "schema");
  g_autofree char *database = stock_daemon_path (daemon, "db");
  g_autofree char *remote = g_strdup_printf ("--remote=p%s", daemon->stream);
  g_autofree char *pid_file =
      g_strdup_printf ("--pidfile=%s/pid", daemon->directory);
  g_autofree char *control =
      g_strdup_printf ("--unixctl=%s/control", daemon->directory);

  g_assert_true (g_file_set_contents (file, schema, -1, NULL));
  stock_daemon_run (
      (const char *const[]){ "ovsdb-tool", "create", database, file, NULL });
  stock_daemon_start (
      daemon, (const char *const[]){ "ovsdb-server", remote, pid_file, control,
                                     "--no-chdir", "-vsyslog:off",
                                     "-vconsole:off", database, NULL });
}

static void
set_up (Fixture *self, gconstpointer data) REEVE_UNCHECKED
{
  self->peer = NULL;
  if (!stock_daemon_init (&self->daemon, "ovsdb-server"))
    return;

  reeve_mutex_init (&self->told.lock);
  reeve_cond_init (&self->told.changed);
  self->told.update = NULL;
  start_daemon (&self->daemon);
  self->peer = open_peer (self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  if (self->peer == NULL)
    return;
  reeve_peer_unref (self->peer);
  stock_daemon_clear (&self->daemon);
}

static JsonNode *
call (ReevePeer *peer, const char *method, const char *params, GError **error)
{
  g_autoptr (JsonNode) node = reeve_json_parse (params, strlen (params), NULL);

  g_assert_nonnull (node);
  return reeve_peer_call_json (peer, method, node, TIMEOUT_MS, NULL, error);
}

/* (transfer full): the result, which has to be there. */
static JsonNode *
call_well (ReevePeer *peer, const char *method, const char *params)
{
  g_autoptr (GError) error = NULL;
  JsonNode *result = call (peer, method, params, &error);

  g_assert_no_error (error);
  return result;
}

static void
test_list_dbs (Fixture *self, gconstpointer data)
{
  g_autoptr (JsonNode) result = NULL;

  if (self->peer == NULL)
    return;
  result = call_well (self->peer, "list_dbs", "[]");
  g_assert_cmpstr (
      json_array_get_string_element (json_node_get_array (result), 0), ==,
      "Notes");
}

static void
test_echo (Fixture *self, gconstpointer data)
{
  static const char text[] = "[1,-9223372036854775808,\"\\u00e9\\n\",{\"a\":"
                             "[[],{},null,true,0.5]}]";
  g_autoptr (JsonNode) sent = reeve_json_parse (text, sizeof text - 1, NULL);
  g_autoptr (JsonNode) result = NULL;

  if (self->peer == NULL)
    return;
  result = call_well (self->peer, "echo", text);
  g_assert_true (json_node_equal (sent, result));
}

#define INSERT(text)                                                           \
  "[\"Notes\",{\"op\":\"insert\",\"table\":\"Note\",\"row\":{\"text\":\"" text \
  "\"}}]"

static void
test_transact (Fixture *self, gconstpointer data)
{
  g_autoptr (JsonNode) inserted = NULL, found = NULL;
  JsonObject *row;
  JsonArray *rows;

  if (self->peer == NULL)
    return;
  inserted = call_well (self->peer, "transact", INSERT ("first"));
  row = json_array_get_object_element (json_node_get_array (inserted), 0);
  g_assert_true (json_object_has_member (row, "uuid"));
  found = call_well (self->peer, "transact",
                     "[\"Notes\",{\"op\":\"select\",\"table\":\"Note\","
                     "\"where\":[],\"columns\":[\"text\"]}]");
  row = json_array_get_object_element (json_node_get_array (found), 0);
  rows = json_object_get_array_member (row, "rows");
  g_assert_cmpuint (json_array_get_length (rows), ==, 1);
  g_assert_cmpstr (json_object_get_string_member (
                       json_array_get_object_element (rows, 0), "text"),
                   ==, "first");
}

/* The text of the row in the one update of a table. */
static const char *
get_updated_text (JsonNode *update)
{
  JsonArray *params = json_node_get_array (update);
  JsonObject *table = json_object_get_object_member (
      json_array_get_object_element (params, 1), "Note");
  g_autoptr (GList) rows = json_object_get_values (table);

  g_assert_cmpstr (json_array_get_string_element (params, 0), ==, "mine");
  g_assert_cmpuint (g_list_length (rows), ==, 1);
  return json_object_get_string_member (
      json_object_get_object_member (json_node_get_object (rows->data), "new"),
      "text");
}

/* What one client changes the other is told. */
static void
test_monitor (Fixture *self, gconstpointer data)
{
  g_autoptr (JsonNode) present = NULL, inserted = NULL, update = NULL;
  g_autoptr (ReevePeer) other = NULL;

  if (self->peer == NULL)
    return;
  present = call_well (self->peer, "monitor",
                       "[\"Notes\",\"mine\",{\"Note\":{\"columns\":"
                       "[\"text\"]}}]");
  g_assert_cmpuint (json_object_get_size (json_node_get_object (present)), ==,
                    0);
  other = open_peer (self);
  inserted = call_well (other, "transact", INSERT ("second"));
  update = wait_for_update (&self->told);
  g_assert_cmpstr (get_updated_text (update), ==, "second");
}

static void
test_refused (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) method = NULL, database = NULL;

  if (self->peer == NULL)
    return;
  g_assert_null (call (self->peer, "zorp", "[]", &method));
  g_assert_error (method, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED);
  g_assert_cmpstr (method->message, ==, "unknown method");
  g_assert_null (call (self->peer, "get_schema", "[\"None\"]", &database));
  g_assert_cmpstr (database->message, ==,
                   "unknown database: get_schema request specifies unknown "
                   "database None");
}

static void *
call_often (void *data)
{
  for (int i = 0; i < N_CALLS; i++) {
    g_autofree char *params =
        g_strdup_printf ("[\"%p\",%d]", (void *) pthread_self (), i);
    g_autoptr (JsonNode) sent =
        reeve_json_parse (params, strlen (params), NULL);
    g_autoptr (JsonNode) result = call_well (data, "echo", params);

    g_assert_true (json_node_equal (sent, result));
  }
  return NULL;
}

static void
test_many_threads (Fixture *self, gconstpointer data)
{
  pthread_t threads[N_THREADS];

  if (self->peer == NULL)
    return;
  for (int i = 0; i < N_THREADS; i++)
    pthread_create (&threads[i], NULL, call_often, self->peer);
  for (int i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
}

static void
test_end_of_server (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  if (self->peer == NULL)
    return;
  stock_daemon_end (&self->daemon);
  g_assert_null (call (self->peer, "list_dbs", "[]", &error));
  g_assert_true (
      g_error_matches (error, REEVE_ERROR, REEVE_ERROR_CLOSED) ||
      g_error_matches (error, REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN) ||
      g_error_matches (error, REEVE_ERROR, REEVE_ERROR_SYSTEM));
}

#define ADD(name, function)                                                    \
  g_test_add ("/client/peer-ovsdb/" name, Fixture, NULL, set_up, function,     \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("list-dbs", test_list_dbs);
  ADD ("echo", test_echo);
  ADD ("transact", test_transact);
  ADD ("monitor", test_monitor);
  ADD ("refusals-have-its-reasons", test_refused);
  ADD ("many-threads-on-one-socket", test_many_threads);
  ADD ("server-goes-away", test_end_of_server);
  return g_test_run ();
}
