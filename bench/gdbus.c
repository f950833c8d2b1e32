/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gdbus.h"

#include <gio/gio.h>
#include <unistd.h>

#define OBJECT_PATH "/bench"
#define INTERFACE "reeve.Bench"

static const char description[] =
    "<node><interface name='" INTERFACE "'><method name='Nothing'/>"
    "</interface></node>";

/* -------------------------------------------------------------- server --- */

static void
take_call (GDBusConnection *connection,
           const char *sender,
           const char *object_path,
           const char *interface_name,
           const char *method_name,
           GVariant *parameters,
           GDBusMethodInvocation *invocation,
           gpointer data)
{
  g_dbus_method_invocation_return_value (invocation, NULL);
}

static gboolean
take_connection (GDBusServer *server,
                 GDBusConnection *connection,
                 gpointer data)
{
  static const GDBusInterfaceVTable table = { .method_call = take_call };
  GDBusNodeInfo *node = g_dbus_node_info_new_for_xml (description, NULL);

  g_dbus_connection_register_object (g_object_ref (connection), OBJECT_PATH,
                                     node->interfaces[0], &table, NULL, NULL,
                                     NULL);
  return TRUE;
}

void
serve_gdbus (const ServeOptions *options)
{
  g_autofree char *address = g_strconcat ("unix:path=", options->path, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GError) error = NULL;
  GDBusServer *server = g_dbus_server_new_sync (
      address, G_DBUS_SERVER_FLAGS_NONE, guid, NULL, NULL, &error);

  if (server == NULL) {
    g_printerr ("%s\n", error->message);
    _exit (1);
  }
  g_signal_connect (server, "new-connection", G_CALLBACK (take_connection),
                    NULL);
  g_dbus_server_start (server);
  say_ready (options->ready_fd, 0, 0);
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
  _exit (0);
}

/* -------------------------------------------------------------- client --- */

struct _GDBusClient {
  GDBusConnection *connection; /* (owned) */
  unsigned n_in_flight;
  unsigned n_answered;
  gboolean is_last; /* answers start no more calls */
};

GDBusClient *
gdbus_client_new (const char *path)
{
  g_autofree char *address = g_strconcat ("unix:path=", path, NULL);
  g_autoptr (GError) error = NULL;
  GDBusClient *self = g_new0 (GDBusClient, 1);

  self->connection = g_dbus_connection_new_for_address_sync (
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL,
      &error);
  if (self->connection == NULL) {
    g_printerr ("%s\n", error->message);
    exit (1);
  }
  return self;
}

void
gdbus_client_free (GDBusClient *self)
{
  g_object_unref (self->connection);
  g_free (self);
}

static void take_answer (GObject *source, GAsyncResult *result, gpointer data);

static void
call_once (GDBusClient *self)
{
  self->n_in_flight++;
  g_dbus_connection_call (self->connection, NULL, OBJECT_PATH, INTERFACE,
                          "Nothing", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, take_answer, self);
}

static void
take_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  GDBusClient *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) ret =
      g_dbus_connection_call_finish (self->connection, result, &error);

  if (ret == NULL) {
    g_printerr ("%s\n", error->message);
    exit (1);
  }
  self->n_in_flight--;
  self->n_answered++;
  if (!self->is_last)
    call_once (self);
}

Run
gdbus_client_run (GDBusClient *self, unsigned depth, gint64 duration_us)
{
  gint64 start_us = g_get_monotonic_time ();
  gint64 took_us;
  Run run = { 0 };

  self->n_answered = 0;
  self->is_last = FALSE;
  for (unsigned i = 0; i < depth; i++)
    call_once (self);
  while ((took_us = g_get_monotonic_time () - start_us) < duration_us)
    g_main_context_iteration (NULL, TRUE);
  run.us = (double) took_us / MAX (self->n_answered, 1);

  self->is_last = TRUE;
  while (self->n_in_flight > 0)
    g_main_context_iteration (NULL, TRUE);
  run.n_runs = self->n_answered;
  return run;
}
