/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/storage-volume.h"
#include "machine/xml.h"
#include "rpc/error.h"

#include <inttypes.h>
#include <string.h>

/* Volumes as text, and text as what a volume is to be. */

#define MAX_PLAN_BYTES (1024 * 1024)

static const char *const format_names[] = {
  [REEVE_VOLUME_RAW] = "raw",
  [REEVE_VOLUME_QCOW2] = "qcow2",
};

static void
add_time (GString *text, const char *name, const struct timespec *when)
{
  g_string_append_printf (text, "      <%s>%" PRId64 ".%09ld</%s>\n", name,
                          (int64_t) when->tv_sec, when->tv_nsec, name);
}

static void
add_element (GString *text, int depth, const char *name, const char *value)
{
  g_autofree char *escaped = g_markup_escape_text (value, -1);

  g_string_append_printf (text, "%*s<%s>%s</%s>\n", 2 * depth, "", name,
                          escaped, name);
}

char *
reeve_volume_to_xml (const ReeveVolume *self)
{
  GString *text = g_string_new ("<volume type='file'>\n");

  add_element (text, 1, "name", self->name);
  add_element (text, 1, "key", self->path);
  g_string_append_printf (
      text,
      "  <source>\n  </source>\n"
      "  <capacity unit='bytes'>%" PRIu64 "</capacity>\n"
      "  <allocation unit='bytes'>%" PRIu64 "</allocation>\n"
      "  <physical unit='bytes'>%" PRId64 "</physical>\n"
      "  <target>\n",
      self->capacity, self->allocation, (int64_t) self->info.st_size);
  add_element (text, 2, "path", self->path);
  g_string_append_printf (text,
                          "    <format type='%s'/>\n"
                          "    <permissions>\n"
                          "      <mode>%04o</mode>\n"
                          "      <owner>%u</owner>\n"
                          "      <group>%u</group>\n"
                          "    </permissions>\n"
                          "    <timestamps>\n",
                          format_names[self->format],
                          self->info.st_mode & 07777, self->info.st_uid,
                          self->info.st_gid);
  add_time (text, "atime", &self->info.st_atim);
  add_time (text, "mtime", &self->info.st_mtim);
  add_time (text, "ctime", &self->info.st_ctim);
  g_string_append (text, "    </timestamps>\n  </target>\n");
  if (self->backing_path != NULL) {
    g_string_append (text, "  <backingStore>\n");
    add_element (text, 2, "path", self->backing_path);
    g_string_append (text, "  </backingStore>\n");
  }
  g_string_append (text, "</volume>\n");
  return g_string_free (text, FALSE);
}

/* ---------------------------------------------------------------- plan --- */

void
reeve_volume_plan_clear (ReeveVolumePlan *self)
{
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->backing_path, g_free);
}

static gboolean
fail_plan (GError **error, const char *reason)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
               _ ("the description of the volume: %s"), reason);
  return FALSE;
}

static gboolean
parse_size (xmlNode *root, const char *name, uint64_t *bytes, GError **error)
{
  xmlNode *node = reeve_xml_find (root, name);
  g_autofree char *text = NULL;
  g_autofree char *unit = NULL;
  uint64_t scale = 1;

  if (node == NULL)
    return TRUE;
  text = reeve_xml_dup_text (node);
  unit = reeve_xml_dup_attribute (node, "unit");
  if ((unit != NULL && !reeve_xml_find_unit (unit, &scale)) ||
      !reeve_xml_get_number (text, 0, INT64_MAX / scale, bytes)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
                 _ ("the description of the volume: <%s> is no size"), name);
    return FALSE;
  }

  *bytes *= scale;
  return TRUE;
}

static gboolean
parse_format (xmlNode *parent, ReeveVolumeFormat *format, GError **error)
{
  g_autofree char *name =
      parent == NULL ? NULL
                     : reeve_xml_dup_child_attribute (parent, "format", "type");

  if (name == NULL)
    return TRUE;
  for (size_t i = 0; i < G_N_ELEMENTS (format_names); i++) {
    if (g_str_equal (name, format_names[i])) {
      *format = (ReeveVolumeFormat) i;
      return TRUE;
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
               _ ("volumes of the format '%s' are not supported"), name);
  return FALSE;
}

/* A volume of the same pool: a path to anything else would read what the
 * caller may not. */
static gboolean
parse_backing (ReeveVolumePlan *self,
               ReeveStoragePool *pool,
               xmlNode *node,
               GError **error)
{
  g_autofree char *path = reeve_xml_dup_child_text (node, "path");
  g_autofree char *dir = NULL;
  g_autofree char *name = NULL;
  g_auto (ReeveVolume) volume = { 0 };

  if (path == NULL)
    return fail_plan (error, _ ("its <backingStore> has no path"));
  if (self->format != REEVE_VOLUME_QCOW2)
    return fail_plan (error, _ ("only a qcow2 volume has a <backingStore>"));

  dir = g_path_get_dirname (path);
  name = g_path_get_basename (path);
  if (!g_str_equal (dir, reeve_storage_pool_get_dir (pool))) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_VOLUME,
                 _ ("no storage vol with matching path '%s'"), path);
    return FALSE;
  }
  if (!reeve_volume_read (pool, name, &volume, error))
    return FALSE;

  self->backing_format = volume.format;
  self->backing_path = g_steal_pointer (&volume.path);
  if (self->capacity == 0)
    self->capacity = volume.capacity;
  return parse_format (node, &self->backing_format, error);
}

gboolean
reeve_volume_plan_parse (ReeveVolumePlan *self,
                         ReeveStoragePool *pool,
                         const char *xml,
                         GError **error)
{
  g_autoptr (ReeveXmlDoc) doc = reeve_xml_parse (xml, MAX_PLAN_BYTES, error);
  xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement (doc);
  xmlNode *target;
  xmlNode *backing;

  if (doc == NULL)
    return FALSE;
  if (!reeve_xml_is (root, "volume"))
    return fail_plan (error, _ ("its root is no <volume>"));

  self->name = reeve_xml_dup_child_text (root, "name");
  if (self->name == NULL)
    return fail_plan (error, _ ("it has no name"));
  target = reeve_xml_find (root, "target");
  if (target != NULL && reeve_xml_find (target, "encryption") != NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                         _ ("encrypted volumes are not supported"));
    return FALSE;
  }
  if (!reeve_storage_pool_check_name (self->name, error) ||
      !parse_size (root, "capacity", &self->capacity, error) ||
      !parse_size (root, "allocation", &self->allocation, error) ||
      !parse_format (target, &self->format, error))
    return FALSE;

  backing = reeve_xml_find (root, "backingStore");
  if (backing != NULL && !parse_backing (self, pool, backing, error))
    return FALSE;
  if (reeve_xml_find (root, "capacity") == NULL && backing == NULL)
    return fail_plan (error, _ ("it has no capacity"));
  return TRUE;
}
