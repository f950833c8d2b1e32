/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/screenshot.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <sys/mman.h>

/*
 * QEMU writes pictures to a path alone; but it takes one that stands for a
 * descriptor that we passed, a "set" of one. The three commands (pass, write,
 * forget) are sent at once. What QEMU wants is a descriptor for writing alone.
 */

typedef struct {
  ReeveQmp *qmp; /* (owned) */
  int fd;        /* (owned) */
  char *device;  /* (owned) (nullable) */
  unsigned head;
  gboolean is_png;
  gint64 deadline_us;
  ReeveScreenshotDone done;
  gpointer data;
} Shot;

static gboolean begin (Shot *self, GError **error);

static void
shot_free (Shot *self)
{
  reeve_fd_clear (&self->fd);
  reeve_qmp_unref (self->qmp);
  g_free (self->device);
  g_free (self);
}

static void
finish (Shot *self, const GError *error)
{
  const char *type = self->is_png ? "image/png" : "image/x-portable-pixmap";

  if (error == NULL)
    self->done (g_steal_fd (&self->fd), type, NULL, self->data);
  else
    self->done (-1, NULL, error, self->data);
  shot_free (self);
}

static void
on_written (JsonNode *result, const GError *error, gpointer data)
{
  Shot *self = data;
  g_autoptr (GError) failure = NULL;

  if (error != NULL && error->code == REEVE_ERROR_OPERATION_FAILED &&
      self->is_png) {
    /* Built without PNG, perhaps. If not, it says again what is wrong. */
    self->is_png = FALSE;
    if (begin (self, &failure))
      return;
    error = failure;
  }
  finish (self, error);
}

static JsonObject *
make_set (gint64 set)
{
  JsonObject *arguments = json_object_new ();

  json_object_set_int_member (arguments, "fdset-id", set);
  return arguments;
}

static JsonObject *
make_dump (const Shot *self, gint64 set)
{
  JsonObject *arguments = json_object_new ();
  g_autofree char *path = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, set);

  json_object_set_string_member (arguments, "filename", path);
  if (self->is_png)
    json_object_set_string_member (arguments, "format", "png");
  if (self->device != NULL) {
    json_object_set_string_member (arguments, "device", self->device);
    json_object_set_int_member (arguments, "head", self->head);
  }
  return arguments;
}

static int
open_for_writing (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  return open (path, O_WRONLY | O_CLOEXEC);
}

static gboolean
begin (Shot *self, GError **error)
{
  /* Of all that wait for this QEMU, or an earlier daemon's, another one. */
  gint64 set = g_random_int_range (1, G_MAXINT32);
  REEVE_AUTOFD int writer = open_for_writing (self->fd);

  if (writer < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make a file in memory"));

  reeve_qmp_execute_with_fd (self->qmp, "add-fd", make_set (set), writer,
                             self->deadline_us, NULL, NULL);
  reeve_qmp_execute (self->qmp, "screendump", make_dump (self, set),
                     self->deadline_us, on_written, self);
  reeve_qmp_execute (self->qmp, "remove-fd", make_set (set), self->deadline_us,
                     NULL, NULL);
  return TRUE;
}

gboolean
reeve_screenshot_take (ReeveQmp *qmp,
                       const char *device,
                       unsigned head,
                       gint64 deadline_us,
                       ReeveScreenshotDone done,
                       gpointer data,
                       GError **error)
{
  Shot *self = g_new0 (Shot, 1);

  self->qmp = reeve_qmp_ref (qmp);
  self->fd = memfd_create ("screenshot", MFD_CLOEXEC);
  self->device = g_strdup (device);
  self->head = head;
  self->is_png = TRUE;
  self->deadline_us = deadline_us;
  self->done = done;
  self->data = data;
  if (begin (self, error))
    return TRUE;
  shot_free (self);
  return FALSE;
}
