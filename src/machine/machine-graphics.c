/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd-closer.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

#include <stdatomic.h>
#include <sys/socket.h>

/* A viewer's connection is given to QEMU: first the file, under a name, then
 * the name. */

typedef struct {
  char *name; /* (owned): of the file */
  gboolean skips_auth;
  gint64 deadline_us;
  ReeveMachineDone done;
  gpointer data;
} Viewer;

static void
viewer_free (Viewer *self)
{
  g_free (self->name);
  g_free (self);
}

static void
finish (ReeveMachine *machine, Viewer *viewer, const GError *error)
{
  viewer->done (machine, error, viewer->data);
  viewer_free (viewer);
}

static JsonObject *
name_file (const Viewer *viewer)
{
  JsonObject *arguments = json_object_new ();

  json_object_set_string_member (arguments, "fdname", viewer->name);
  return arguments;
}

static void
on_added (ReeveMachine *machine,
          JsonNode *result,
          const GError *error,
          gpointer data)
{
  Viewer *viewer = data;

  /* What QEMU did not take over is still open there. */
  if (error != NULL)
    reeve_machine_execute (machine, "closefd", name_file (viewer),
                           viewer->deadline_us, NULL, NULL);
  finish (machine, viewer, error);
}

static void
on_file_taken (ReeveMachine *machine,
               JsonNode *result,
               const GError *error,
               gpointer data)
{
  Viewer *viewer = data;
  JsonObject *arguments;

  if (error != NULL) {
    finish (machine, viewer, error);
    return;
  }

  arguments = name_file (viewer);
  json_object_set_string_member (arguments, "protocol", "vnc");
  json_object_set_boolean_member (arguments, "skipauth", viewer->skips_auth);
  reeve_machine_execute (machine, "add_client", arguments, viewer->deadline_us,
                         on_added, viewer);
}

static gboolean
check_graphics (ReeveMachine *self, unsigned index, GError **error)
{
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);
  GPtrArray *graphics;
  const ReeveConfigGraphics *row;

  if (config == NULL || !reeve_machine_is_active (self)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                         _ ("domain is not running"));
    return FALSE;
  }

  graphics = reeve_config_get_graphics (config);
  if (index >= graphics->len) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there are no graphics with the index %u"), index);
    return FALSE;
  }

  row = graphics->pdata[index];
  if (!g_str_equal (row->type, "vnc")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("graphics of type '%s' cannot be opened"), row->type);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_socket (int fd, GError **error)
{
  int type;
  socklen_t size = sizeof type;

  if (getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
      type == SOCK_STREAM)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                       _ ("the viewer's file descriptor is no socket"));
  return FALSE;
}

void
reeve_machine_open_graphics (ReeveMachine *self,
                             unsigned index,
                             int fd,
                             gboolean skips_auth,
                             gint64 deadline_us,
                             ReeveMachineDone done,
                             gpointer data)
{
  static atomic_uint n_viewers;
  g_autoptr (GError) error = NULL;
  Viewer *viewer;

  if (!check_graphics (self, index, &error) || !check_socket (fd, &error)) {
    reeve_fd_close_elsewhere (fd);
    done (self, error, data);
    return;
  }

  viewer = g_new0 (Viewer, 1);
  viewer->name = g_strdup_printf ("viewer%u", atomic_fetch_add (&n_viewers, 1));
  viewer->skips_auth = skips_auth;
  viewer->deadline_us = deadline_us;
  viewer->done = done;
  viewer->data = data;
  reeve_machine_execute_with_fd (self, "getfd", name_file (viewer), fd,
                                 deadline_us, on_file_taken, viewer);
}
