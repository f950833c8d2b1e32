/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/status.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/qmp-parser.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT_VERSION 1

void
reeve_status_clear (ReeveStatus *self)
{
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->definition, g_free);
}

static char *
to_text (const ReeveStatus *self)
{
  g_autoptr (JsonObject) object = json_object_new ();
  char uuid[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (self->uuid, uuid);
  json_object_set_int_member (object, "version", FORMAT_VERSION);
  json_object_set_string_member (object, "uuid", uuid);
  json_object_set_string_member (object, "name", self->name);
  json_object_set_int_member (object, "id", self->id);
  json_object_set_boolean_member (object, "starting", self->is_starting);
  json_object_set_boolean_member (object, "start-paused",
                                  self->is_start_paused);
  json_object_set_boolean_member (object, "autodestroy", self->is_autodestroy);
  json_object_set_boolean_member (object, "rebooting", self->is_rebooting);
  json_object_set_boolean_member (object, "ending", self->is_ending);
  json_object_set_int_member (object, "pid", self->pid);
  json_object_set_int_member (object, "start-ticks",
                              (gint64) self->start_ticks);
  json_object_set_int_member (object, "state", self->state);
  json_object_set_int_member (object, "reason", self->reason);
  json_object_set_int_member (object, "rtc-offset", self->rtc_offset_s);
  json_object_set_string_member (object, "definition", self->definition);
  return reeve_qmp_object_to_text (object);
}

gboolean
reeve_status_write (const ReeveStatus *self, const char *path, GError **error)
{
  g_autofree char *text = to_text (self);
  g_autofree char *temporary = g_strconcat (path, ".new", NULL);
  REEVE_AUTOFD int fd =
      open (temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  if (fd < 0 || !reeve_fd_write_all (fd, text, strlen (text)) ||
      rename (temporary, path) < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot write %s"), path);
  return TRUE;
}

static gboolean
read_text (const char *path, char **text, GError **error)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  size_t n_read = 0;

  if (fd < 0 || fstat (fd, &info) < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot read %s"), path);
  if (!S_ISREG (info.st_mode) || info.st_size > REEVE_STATUS_MAX_BYTES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s is not a status file"), path);
    return FALSE;
  }

  *text = g_malloc0 ((size_t) info.st_size + 1);
  while (n_read < (size_t) info.st_size) {
    ssize_t n = read (fd, *text + n_read, (size_t) info.st_size - n_read);

    if (n < 0 && errno != EINTR)
      return reeve_error_from_errno (error, errno, _ ("cannot read %s"), path);
    if (n == 0)
      break;
    n_read += n > 0 ? (size_t) n : 0;
  }
  return TRUE;
}

static int64_t
get_int (JsonObject *object, const char *name, int64_t fallback)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_INT64)
    return fallback;
  return json_node_get_int (node);
}

static gboolean
get_boolean (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == G_TYPE_BOOLEAN &&
         json_node_get_boolean (node);
}

static const char *
get_string (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node))
    return NULL;
  return json_node_get_string (node);
}

static gboolean
from_object (ReeveStatus *self, JsonObject *object)
{
  const char *uuid = get_string (object, "uuid");
  const char *name = get_string (object, "name");
  const char *definition = get_string (object, "definition");

  if (get_int (object, "version", 0) != FORMAT_VERSION || uuid == NULL ||
      name == NULL || definition == NULL ||
      !reeve_uuid_parse (uuid, self->uuid))
    return FALSE;

  self->name = g_strdup (name);
  self->definition = g_strdup (definition);
  self->id = (int) CLAMP (get_int (object, "id", 0), 0, G_MAXINT);
  self->is_starting = get_boolean (object, "starting");
  self->is_start_paused = get_boolean (object, "start-paused");
  self->is_autodestroy = get_boolean (object, "autodestroy");
  self->is_rebooting = get_boolean (object, "rebooting");
  self->is_ending = get_boolean (object, "ending");
  self->pid = (pid_t) CLAMP (get_int (object, "pid", 0), 0, G_MAXINT);
  self->start_ticks = (uint64_t) get_int (object, "start-ticks", 0);
  self->state = (int) CLAMP (get_int (object, "state", 0), 0, 7);
  self->reason = (int) CLAMP (get_int (object, "reason", 0), 0, 100);
  self->rtc_offset_s = get_int (object, "rtc-offset", 0);
  return TRUE;
}

gboolean
reeve_status_read (ReeveStatus *self, const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (JsonObject) object = NULL;

  *self = (ReeveStatus){ 0 };
  if (!read_text (path, &text, error))
    return FALSE;

  object = reeve_qmp_parse_object (text, NULL);
  if (object == NULL || !from_object (self, object)) {
    reeve_status_clear (self);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s is not a status file"), path);
    return FALSE;
  }
  return TRUE;
}
