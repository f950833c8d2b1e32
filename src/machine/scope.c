/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/scope.h"

#include "event/debug.h"
#include "rpc/uuid.h"

#include <gio/gio.h>
#include <unistd.h>

#define BUS_NAME "org.freedesktop.systemd1"
#define OBJECT_PATH "/org/freedesktop/systemd1"
#define INTERFACE "org.freedesktop.systemd1.Manager"
#define TIMEOUT_MS 2000

/* Whether there is a bus to ask: GLib would start one for a user who has
 * none. */
static gboolean
has_bus (GBusType type)
{
  g_autofree char *path = NULL;

  if (g_getenv (type == G_BUS_TYPE_SYSTEM ? "DBUS_SYSTEM_BUS_ADDRESS"
                                          : "DBUS_SESSION_BUS_ADDRESS") != NULL)
    return TRUE;
  if (type == G_BUS_TYPE_SYSTEM)
    return access ("/run/dbus/system_bus_socket", F_OK) == 0;

  path = g_build_filename (g_get_user_runtime_dir (), "bus", NULL);
  return access (path, F_OK) == 0;
}

/* A connection of our own: the one that GLib shares ends the process with the
 * bus. */
static GDBusConnection *
connect_to_bus (GBusType type, GError **error)
{
  g_autofree char *address =
      g_dbus_address_get_for_bus_sync (type, NULL, error);

  return address == NULL
             ? NULL
             : g_dbus_connection_new_for_address_sync (
                   address,
                   G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                       G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                   NULL, NULL, error);
}

static GVariant *
make_request (pid_t pid, const uint8_t *uuid, const char *name)
{
  char text[REEVE_UUID_TEXT_SIZE];
  g_autofree char *unit = NULL;
  g_autofree char *description = g_strdup_printf ("QEMU of %s", name);
  GVariantBuilder properties;
  const guint32 pids[] = { (guint32) pid };

  reeve_uuid_format (uuid, text);
  unit = g_strdup_printf ("reeve-machine-%s.scope", text);
  g_variant_builder_init (&properties, G_VARIANT_TYPE ("a(sv)"));
  g_variant_builder_add (&properties, "(sv)", "Description",
                         g_variant_new_string (description));
  g_variant_builder_add (
      &properties, "(sv)", "PIDs",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, pids, 1, sizeof *pids));
  /* A failed one would be in the way of the machine's next start. */
  g_variant_builder_add (&properties, "(sv)", "CollectMode",
                         g_variant_new_string ("inactive-or-failed"));
  return g_variant_new ("(ssa(sv)a(sa(sv)))", unit, "fail", &properties, NULL);
}

/* @request: held by the caller */
static gboolean
ask (GBusType type, GVariant *request, GError **error)
{
  g_autoptr (GDBusConnection) bus = connect_to_bus (type, error);
  g_autoptr (GVariant) answer = NULL;

  if (bus == NULL)
    return FALSE;

  answer = g_dbus_connection_call_sync (
      bus, BUS_NAME, OBJECT_PATH, INTERFACE, "StartTransientUnit", request,
      G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, TIMEOUT_MS, NULL,
      error);
  g_dbus_connection_close_sync (bus, NULL, NULL);
  return answer != NULL;
}

void
reeve_scope_adopt (pid_t pid, const uint8_t *uuid, const char *name)
{
  GBusType type = geteuid () == 0 ? G_BUS_TYPE_SYSTEM : G_BUS_TYPE_SESSION;
  g_autoptr (GVariant) request =
      g_variant_ref_sink (make_request (pid, uuid, name));
  g_autoptr (GError) error = NULL;

  if (!has_bus (type))
    REEVE_DEBUG ("no scope for process %d: there is no bus", (int) pid);
  else if (!ask (type, request, &error))
    REEVE_DEBUG ("no scope for process %d: %s", (int) pid, error->message);
}
