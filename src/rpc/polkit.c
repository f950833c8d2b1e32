/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/polkit.h"

#include "event/intl.h"
#include "event/process-stat.h"
#include "protocol/auth.h"
#include "rpc/error.h"
#include "rpc/server-private.h"

#include <inttypes.h>

#define BUS_NAME "org.freedesktop.PolicyKit1"
#define OBJECT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* Of polkit's flags. */
enum { ALLOW_USER_INTERACTION = 1 };

/* Everything is of the loop's thread. */
struct _ReevePolkit {
  ReeveLoop *loop;
  char *manage;  /* (owned) */
  char *monitor; /* (owned) */

  GCancellable *cancellable; /* (owned): of connecting */
  GDBusConnection *bus;      /* (owned) (nullable) */
  gboolean is_connecting;
  GQueue waiting; /* (element-type Check) (owned): until there is a bus */
  GQueue asked;   /* (element-type Check): until polkit answers */
  uint64_t last_id;
};

/* One call, and what polkit is asked for it. */
typedef struct {
  GList link;          /* of waiting or asked */
  ReevePolkit *polkit; /* NULL: it is gone */
  ReeveCall *call;     /* (owned) (nullable): to be answered */
  uint64_t start_ticks;
  char *id; /* (owned) (nullable): by which it can be cancelled */
} Check;

static void
check_free (Check *self)
{
  g_free (self->id);
  g_free (self);
}

/* Frees the check. */
static void
refuse (Check *self, int code, const char *why)
{
  ReeveCall *call = g_steal_pointer (&self->call);
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, code, _ ("authentication failed: %s"), why);

  g_message (_ ("Client %1$" PRIu64 ": %2$s"),
             reeve_server_client_get_id (reeve_call_get_client (call)),
             error->message);
  reeve_call_fail (call, error);
  check_free (self);
}

/* ---------------------------------------------------------------- asking -- */

static void
cancel_at_polkit (Check *self)
{
  if (self->polkit->bus != NULL)
    g_dbus_connection_call (self->polkit->bus, BUS_NAME, OBJECT_PATH, INTERFACE,
                            "CancelCheckAuthorization",
                            g_variant_new ("(s)", self->id), NULL,
                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
}

static void
take_verdict (Check *self, GVariant *answer)
{
  static const auth_polkit_ret ret = { .complete = 1 };
  gboolean is_authorized, is_challenge;
  g_autoptr (GVariant) details = NULL;
  const char *dismissed;

  g_variant_get (answer, "((bb@a{ss}))", &is_authorized, &is_challenge,
                 &details);
  if (is_authorized) {
    reeve_server_client_authenticate (g_steal_pointer (&self->call), &ret, NULL,
                                      NULL, NULL);
    check_free (self);
  } else if (g_variant_lookup (details, "polkit.dismissed", "&s", &dismissed)) {
    refuse (self, REEVE_ERROR_AUTH_CANCELLED,
            _ ("the question was not answered"));
  } else if (is_challenge) {
    refuse (self, REEVE_ERROR_AUTH_UNAVAILABLE,
            _ ("polkit would have to ask, and there is nobody to be asked"));
  } else {
    refuse (self, REEVE_ERROR_AUTH_FAILED, _ ("polkit does not allow it"));
  }
}

static void
take_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  Check *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = g_dbus_connection_call_finish (
      G_DBUS_CONNECTION (source), result, &error);
  g_autofree char *why = NULL;

  if (self->polkit == NULL) {
    check_free (self);
    return;
  }

  g_queue_unlink (&self->polkit->asked, &self->link);
  if (answer != NULL) {
    take_verdict (self, answer);
    return;
  }

  /* Nobody waits any more, and polkit need not ask on. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
    cancel_at_polkit (self);
    reeve_call_unref (self->call);
    check_free (self);
    return;
  }

  g_dbus_error_strip_remote_error (error);
  why = g_strdup_printf (_ ("polkit cannot be asked: %s"), error->message);
  refuse (self, REEVE_ERROR_AUTH_FAILED, why);
}

static GVariant *
make_question (ReevePolkit *self, Check *check)
{
  ReeveServerClient *client = reeve_call_get_client (check->call);
  const char *action =
      reeve_server_client_is_read_only (client) ? self->monitor : self->manage;
  GVariantBuilder subject;
  uid_t uid = 0;
  gid_t gid;
  pid_t pid = 0;

  reeve_server_client_get_unix_peer (client, &uid, &gid, &pid);
  g_variant_builder_init (&subject, G_VARIANT_TYPE ("a{sv}"));
  g_variant_builder_add (&subject, "{sv}", "pid",
                         g_variant_new_uint32 ((uint32_t) pid));
  g_variant_builder_add (&subject, "{sv}", "start-time",
                         g_variant_new_uint64 (check->start_ticks));
  g_variant_builder_add (&subject, "{sv}", "uid",
                         g_variant_new_int32 ((int32_t) uid));
  return g_variant_new ("((sa{sv})sa{ss}us)", "unix-process", &subject, action,
                        NULL, ALLOW_USER_INTERACTION, check->id);
}

static void
ask (ReevePolkit *self, Check *check)
{
  check->id = g_strdup_printf ("reeve-%" PRIu64, ++self->last_id);
  g_queue_push_tail_link (&self->asked, &check->link);
  g_dbus_connection_call (
      self->bus, BUS_NAME, OBJECT_PATH, INTERFACE, "CheckAuthorization",
      make_question (self, check), G_VARIANT_TYPE ("((bba{ss}))"),
      G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
      reeve_call_get_cancellable (check->call), take_answer, check);
}

/* ------------------------------------------------------------ connecting -- */

static void
take_bus (GObject *source, GAsyncResult *result, gpointer data)
{
  ReevePolkit *self = data;
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus =
      g_dbus_connection_new_for_address_finish (result, &error);
  GList *link;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;

  self->is_connecting = FALSE;
  self->bus = bus;
  while ((link = g_queue_pop_head_link (&self->waiting)) != NULL) {
    if (bus != NULL)
      ask (self, link->data);
    else
      refuse (link->data, REEVE_ERROR_AUTH_FAILED, error->message);
  }
}

/* A connection of our own: the one that GLib shares ends the process with the
 * bus. */
static void
connect_to_bus (ReevePolkit *self, GError **error)
{
  g_autofree char *address = g_dbus_address_get_for_bus_sync (
      G_BUS_TYPE_SYSTEM, self->cancellable, error);

  if (address == NULL)
    return;

  self->is_connecting = TRUE;
  g_dbus_connection_new_for_address (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, self->cancellable, take_bus, self);
}

static void
start (ReeveLoop *loop, gpointer data)
{
  Check *check = data;
  ReevePolkit *self = check->polkit;
  g_autoptr (GError) error = NULL;

  if (self->bus != NULL && g_dbus_connection_is_closed (self->bus))
    g_clear_object (&self->bus);
  if (self->bus != NULL) {
    ask (self, check);
    return;
  }

  if (!self->is_connecting)
    connect_to_bus (self, &error);
  if (error != NULL)
    refuse (check, REEVE_ERROR_AUTH_FAILED, error->message);
  else
    g_queue_push_tail_link (&self->waiting, &check->link);
}

void
reeve_polkit_take (ReevePolkit *self, ReeveCall *call)
{
  Check *check = g_new0 (Check, 1);
  ReeveProcessStat stat;
  uid_t uid;
  gid_t gid;
  pid_t pid;

  check->link.data = check;
  check->polkit = self;
  check->call = call;
  if (!reeve_server_client_get_unix_peer (reeve_call_get_client (call), &uid,
                                          &gid, &pid) ||
      !reeve_process_stat_read (pid, &stat)) {
    refuse (check, REEVE_ERROR_AUTH_FAILED,
            _ ("the process at the other end is gone"));
    return;
  }

  check->start_ticks = stat.start_ticks;
  reeve_loop_invoke (self->loop, start, check);
}

/* ----------------------------------------------------------------- life --- */

ReevePolkit *
reeve_polkit_new (ReeveLoop *loop, const char *manage, const char *monitor)
{
  ReevePolkit *self = g_new0 (ReevePolkit, 1);

  self->loop = loop;
  self->manage = g_strdup (manage);
  self->monitor = g_strdup (monitor);
  self->cancellable = g_cancellable_new ();
  return self;
}

void
reeve_polkit_free (ReevePolkit *self)
{
  GList *link;

  if (self == NULL)
    return;

  g_cancellable_cancel (self->cancellable);
  while ((link = g_queue_pop_head_link (&self->waiting)) != NULL) {
    Check *check = link->data;

    reeve_call_unref (check->call);
    check_free (check);
  }
  /* What polkit says to these comes later, or never. */
  while ((link = g_queue_pop_head_link (&self->asked)) != NULL) {
    Check *check = link->data;

    check->polkit = NULL;
    reeve_call_unref (g_steal_pointer (&check->call));
  }

  g_clear_object (&self->bus);
  g_object_unref (self->cancellable);
  g_free (self->manage);
  g_free (self->monitor);
  g_free (self);
}
