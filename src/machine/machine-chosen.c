/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-private.h"

#include <string.h>

/* What was left to QEMU: the paths of terminals, the port of a display. */

static gboolean
has_terminal (ReeveConfig *config)
{
  GPtrArray *chardevs = reeve_config_get_chardevs (config);

  for (guint i = 0; i < chardevs->len; i++) {
    const ReeveConfigChardev *chardev = chardevs->pdata[i];

    if (g_str_equal (chardev->type, "pty"))
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_automatic_display (ReeveConfig *config)
{
  GPtrArray *graphics = reeve_config_get_graphics (config);

  for (guint i = 0; i < graphics->len; i++) {
    const ReeveConfigGraphics *display = graphics->pdata[i];

    if (g_str_equal (display->type, "vnc") && display->port < 0)
      return TRUE;
  }
  return FALSE;
}

/* Readers may hold the table that is there: a new one takes its place. */
static void
choose (ReeveMachine *self, const char *key, const char *value)
{
  GHashTable *table =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer old_key, old_value;

  g_hash_table_insert (table, g_strdup (key), g_strdup (value));

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->chosen != NULL) {
    g_hash_table_iter_init (&iter, self->chosen);
    while (g_hash_table_iter_next (&iter, &old_key, &old_value)) {
      if (!g_str_equal (old_key, key))
        g_hash_table_insert (table, g_strdup (old_key), g_strdup (old_value));
    }
    g_hash_table_unref (self->chosen);
  }
  self->chosen = table;
}

/* "charserial0" with "pty:/dev/pts/3". */
static void
take_chardev (JsonArray *array, guint index, JsonNode *node, gpointer data)
{
  JsonObject *chardev =
      JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *label, *name;

  if (chardev == NULL)
    return;
  label = json_object_get_string_member_with_default (chardev, "label", "");
  name = json_object_get_string_member_with_default (chardev, "filename", "");
  if (g_str_has_prefix (label, "char") && g_str_has_prefix (name, "pty:/"))
    choose (data, label + strlen ("char"), name + strlen ("pty:"));
}

static void
on_chardevs (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;

  reeve_machine_note_monitor (self);
  if (error == NULL && JSON_NODE_HOLDS_ARRAY (result))
    json_array_foreach_element (json_node_get_array (result), take_chardev,
                                self);
  reeve_machine_retry_consoles (self);
}

static void
on_display (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;
  const char *port;

  reeve_machine_note_monitor (self);
  if (error != NULL || !JSON_NODE_HOLDS_OBJECT (result))
    return;
  port = json_object_get_string_member_with_default (
      json_node_get_object (result), "service", NULL);
  if (port != NULL)
    choose (self, "vnc", port);
}

void
reeve_machine_ask_chosen (ReeveMachine *self, gint64 deadline_us)
{
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);

  if (config != NULL && has_terminal (config))
    reeve_qmp_execute (self->qmp, "query-chardev", NULL, deadline_us,
                       on_chardevs, reeve_machine_ref (self));
  if (config != NULL && has_automatic_display (config))
    reeve_qmp_execute (self->qmp, "query-vnc", NULL, deadline_us, on_display,
                       reeve_machine_ref (self));
}
