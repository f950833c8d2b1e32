/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/call-monitor.h"

#include "event/thread.h"
#include "protocol/monitor.h"
#include "rpc/command.h"
#include "rpc/error.h"
#include "rpc/server-state.h"

#include <stdatomic.h>
#include <string.h>

struct _ReeveCallMonitor {
  GPtrArray *servers; /* (element-type ReeveServer): immutable later */

  ReeveMutex lock;
  GPtrArray *watchers REEVE_GUARDED; /* (element-type Watcher) */
};

/* What is attached to a client that watches. In the list it is from START to
 * STOP, or to the end of its connection. */
typedef struct {
  ReeveCallMonitor *monitor; /* immutable */
  ReeveServerClient *client; /* (not owned): whose this is; immutable */
  atomic_ullong n_lost;

  /* Under the monitor's lock. */
  char *name; /* (owned) (nullable) */
  gboolean failed_only;
} Watcher;

static const char watcher_key;

/* -------------------------------------------------------------- telling --- */

static gboolean
wants (const Watcher *self, const ReeveAnsweredCall *call)
{
  size_t length = strlen (call->program->name);

  if (self->failed_only && call->error == NULL)
    return FALSE;
  if (self->name == NULL || self->name[0] == '\0')
    return TRUE;
  if (strncmp (self->name, call->program->name, length) != 0)
    return FALSE;
  return self->name[length] == '\0' ||
         (self->name[length] == '.' &&
          g_str_equal (self->name + length + 1, call->procedure->name));
}

/* (element-type ReeveServerClient) (transfer full) (nullable): who wants to
 * know of it; each keeps its watcher while it is held. */
static GPtrArray *
dup_clients (ReeveCallMonitor *self, const ReeveAnsweredCall *call)
{
  GPtrArray *clients = NULL;

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->watchers->len; i++) {
    const Watcher *watcher = self->watchers->pdata[i];

    if (!wants (watcher, call))
      continue;
    if (clients == NULL)
      clients = g_ptr_array_new_with_free_func (
          (GDestroyNotify) reeve_server_client_unref);
    g_ptr_array_add (clients, reeve_server_client_ref (watcher->client));
  }
  return clients;
}

static char *
describe_client (ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);
  const char *sasl = reeve_server_client_get_sasl_name (client);
  const char *dn = reeve_server_client_get_x509_name (client);
  GString *text = g_string_new (NULL);
  uid_t uid;
  gid_t gid;
  pid_t pid;

  if (reeve_server_client_get_unix_peer (client, &uid, &gid, &pid))
    g_string_append_printf (text, "pid=%d uid=%u", (int) pid, (unsigned) uid);
  else
    g_string_append (text, address != NULL ? address : "?");
  if (sasl != NULL)
    g_string_append_printf (text, " sasl=%s", sasl);
  if (dn != NULL)
    g_string_append_printf (text, " dn=%s", dn);
  return g_string_free (text, FALSE);
}

/* (transfer full): @text, which may be longer than a message has room for. */
static char *
dup_bounded (const char *text)
{
  size_t size = strnlen (text, MONITOR_STRING_MAX);
  const char *end;

  g_utf8_validate_len (text, size, &end);
  return g_strndup (text, (size_t) (end - text));
}

static int
get_code (const GError *error)
{
  if (error == NULL)
    return 0;
  return error->domain == REEVE_ERROR ? error->code : REEVE_ERROR_INTERNAL;
}

static void
tell (ReeveServerClient *client, monitor_call_msg *body)
{
  Watcher *watcher = reeve_server_client_get_data (client, &watcher_key);

  body->lost = atomic_exchange (&watcher->n_lost, 0);
  if (!reeve_server_client_send_event (
          client, &monitor_program,
          reeve_program_find (&monitor_program, MONITOR_PROC_CALL), body))
    atomic_fetch_add (&watcher->n_lost, body->lost + 1);
}

static void
take_call (const ReeveAnsweredCall *call, gpointer data)
{
  g_autoptr (GPtrArray) clients = dup_clients (data, call);
  g_autofree char *who = NULL;
  monitor_call_msg body;

  if (clients == NULL)
    return;

  who = describe_client (call->client);
  body = (monitor_call_msg){
    .time_us = (uint64_t) (g_get_real_time () - call->took_us),
    .srv = dup_bounded (
        reeve_server_get_name (reeve_server_client_get_server (call->client))),
    .client = reeve_server_client_get_id (call->client),
    .who = dup_bounded (who),
    .serial = call->serial,
    .prog = dup_bounded (call->program->name),
    .proc = dup_bounded (call->procedure->name),
    .took_us = (uint64_t) call->took_us,
    .code = get_code (call->error),
    .error = dup_bounded (call->error != NULL ? call->error->message : ""),
  };
  for (unsigned i = 0; i < clients->len; i++)
    tell (clients->pdata[i], &body);
  monitor_call_msg_clear (&body);
}

/* ------------------------------------------------------------- watchers --- */

static void
watcher_free (gpointer data)
{
  Watcher *self = data;

  g_free (self->name);
  g_free (self);
}

static void
update_locked (ReeveCallMonitor *self) REEVE_REQUIRES (self->lock)
{
  for (unsigned i = 0; i < self->servers->len; i++)
    reeve_server_watch_calls (self->servers->pdata[i], self->watchers->len > 0);
}

static void
stop (gpointer data)
{
  Watcher *watcher = data;
  ReeveCallMonitor *self = watcher->monitor;

  REEVE_LOCK_SCOPE (&self->lock);

  g_ptr_array_remove (self->watchers, watcher);
  update_locked (self);
}

static Watcher *
get_watcher (ReeveCallMonitor *self, ReeveServerClient *client)
{
  Watcher *watcher = g_new0 (Watcher, 1);

  watcher->monitor = self;
  watcher->client = client;
  return reeve_server_client_attach (client, &watcher_key, watcher, stop,
                                     watcher_free);
}

static void
add (ReeveCallMonitor *self, Watcher *watcher, const monitor_start_args *what)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_free (watcher->name);
  watcher->name = g_strdup (what->name);
  watcher->failed_only = what->failed_only;
  if (!g_ptr_array_find (self->watchers, watcher, NULL))
    g_ptr_array_add (self->watchers, watcher);
  update_locked (self);
}

static void
start (ReeveCallMonitor *self,
       ReeveServerClient *client,
       const monitor_start_args *what)
{
  Watcher *watcher = get_watcher (self, client);

  add (self, watcher, what);
  /* Its end may have come before it was added. */
  if (reeve_server_client_is_closed (client))
    stop (watcher);
}

/* -------------------------------------------------------------- program --- */

static gboolean
handle_start (ReeveCall *call, const monitor_start_args *args, GError **error)
{
  start (reeve_call_get_user_data (call), reeve_call_get_client (call), args);
  return TRUE;
}

static gboolean
handle_stop (ReeveCall *call, GError **error)
{
  Watcher *watcher =
      reeve_server_client_get_data (reeve_call_get_client (call), &watcher_key);

  if (watcher != NULL)
    stop (watcher);
  return TRUE;
}

static gboolean
save (ReeveServerClient *client,
      gpointer data,
      ReeveSavedState *state,
      GByteArray *bytes,
      GError **error)
{
  Watcher *watcher = data;
  ReeveCallMonitor *self = watcher->monitor;

  monitor_saved saved = { 0 };

  REEVE_LOCK_SCOPE (&self->lock);

  saved.is_watching = g_ptr_array_find (self->watchers, watcher, NULL);
  saved.what.name = watcher->name;
  saved.what.failed_only = watcher->failed_only;
  return reeve_state_append (bytes, &monitor_saved_type, &saved, error);
}

static gboolean
restore (ReeveServerClient *client,
         ReeveStateReader *reader,
         ReeveSavedState *state,
         gpointer user_data,
         GError **error)
{
  monitor_saved saved = { 0 };
  gboolean is_read =
      reeve_state_reader_take (reader, &monitor_saved_type, &saved, error);

  if (is_read && saved.is_watching)
    start (user_data, client, &saved.what);
  monitor_saved_clear (&saved);
  return is_read;
}

static const monitor_handlers handlers = {
  .start = handle_start,
  .stop = handle_stop,
};

ReeveCallMonitor *
reeve_call_monitor_new (ReeveServer *admin) REEVE_UNCHECKED
{
  static const ReeveServerAttachment kind = { "monitor", &watcher_key, save,
                                              restore };
  static const ReeveSubscription subscription = { "monitor.call",
                                                  "monitor.start", "{}" };
  ReeveCallMonitor *self = g_new0 (ReeveCallMonitor, 1);

  self->servers = g_ptr_array_new ();
  reeve_mutex_init (&self->lock);
  self->watchers = g_ptr_array_new ();
  reeve_server_add_program (admin, &monitor_program, &handlers, self);
  reeve_server_add_subscriptions (admin, &subscription, 1);
  reeve_server_add_attachment (admin, &kind, self);
  return self;
}

void
reeve_call_monitor_free (ReeveCallMonitor *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  g_assert (self->watchers->len == 0);
  g_ptr_array_unref (self->watchers);
  g_ptr_array_unref (self->servers);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

void
reeve_call_monitor_add (ReeveCallMonitor *self, ReeveServer *server)
{
  g_ptr_array_add (self->servers, server);
  reeve_server_set_call_func (server, take_call, self);
}
