/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config-private.h"
#include "machine/xml.h"

#include <string.h>

/* What the XML of a machine that runs has beside its definition: put in when
 * it is told, taken out when it comes back as a definition. */

/* How many of each array were met on the way through the devices. */
typedef struct {
  ReeveConfig *config;
  guint n_disks;
  guint n_interfaces;
  guint n_chardevs;
  guint n_devices;
} Walk;

static const ReeveConfigChardev *
next_chardev (Walk *self, const xmlNode *node)
{
  GPtrArray *chardevs = self->config->chardevs;
  const ReeveConfigChardev *chardev = self->n_chardevs < chardevs->len
                                          ? chardevs->pdata[self->n_chardevs]
                                          : NULL;

  if (chardev == NULL || !reeve_xml_is (node, chardev->kind))
    return NULL;
  self->n_chardevs++;
  return chardev;
}

/* (nullable): the arrays have the devices in the order of the document. */
static const char *
next_alias (Walk *self, const xmlNode *node)
{
  GPtrArray *disks = self->config->disks;
  GPtrArray *interfaces = self->config->interfaces;
  GPtrArray *devices = self->config->devices;
  const ReeveConfigDevice *device =
      self->n_devices < devices->len ? devices->pdata[self->n_devices] : NULL;

  if (reeve_xml_is (node, "disk") && self->n_disks < disks->len)
    return ((ReeveConfigDisk *) disks->pdata[self->n_disks++])->alias;
  if (reeve_xml_is (node, "interface") && self->n_interfaces < interfaces->len)
    return ((ReeveConfigInterface *) interfaces->pdata[self->n_interfaces++])
        ->alias;
  if (device == NULL || !reeve_xml_is (node, device->kind))
    return NULL;
  self->n_devices++;
  return device->alias;
}

static void
set_alias (xmlNode *node, const char *alias)
{
  reeve_xml_set_attribute (reeve_xml_ensure (node, "alias"), "name", alias);
}

static void
add_chardev (Walk *self,
             xmlNode *node,
             const ReeveConfigChardev *chardev,
             GHashTable *chosen)
{
  const ReeveConfigChardev *mirrored =
      reeve_config_get_mirrored (self->config, chardev);
  const char *alias = mirrored != NULL ? mirrored->alias : chardev->alias;
  const char *path = g_hash_table_lookup (chosen, alias);

  set_alias (node, alias);
  if (path == NULL)
    return;
  reeve_xml_set_attribute (reeve_xml_ensure (node, "source"), "path", path);
  if (reeve_xml_is (node, "console"))
    reeve_xml_set_attribute (node, "tty", path);
}

static void
add_device (Walk *self, xmlNode *node, GHashTable *chosen)
{
  const ReeveConfigChardev *chardev = next_chardev (self, node);
  const char *alias = chardev == NULL ? next_alias (self, node) : NULL;
  const char *port = g_hash_table_lookup (chosen, "vnc");

  if (chardev != NULL)
    add_chardev (self, node, chardev, chosen);
  else if (alias != NULL)
    set_alias (node, alias);
  else if (reeve_xml_is (node, "graphics") && port != NULL)
    reeve_xml_set_attribute (node, "port", port);
}

char *
reeve_config_dup_live_xml (ReeveConfig *self, int id, GHashTable *chosen)
{
  g_autoptr (ReeveXmlDoc) doc = reeve_xml_parse (self->xml, G_MAXINT, NULL);
  g_autoptr (GHashTable) nothing = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *text = g_strdup_printf ("%d", id);
  xmlNode *root = xmlDocGetRootElement (doc);
  xmlNode *devices = reeve_xml_find (root, "devices");
  Walk walk = { .config = self };

  if (id > 0)
    reeve_xml_set_attribute (root, "id", text);
  for (xmlNode *node = devices->children; node != NULL; node = node->next) {
    if (node->type == XML_ELEMENT_NODE)
      add_device (&walk, node, chosen != NULL ? chosen : nothing);
  }
  return reeve_xml_to_text (doc, root);
}

/* A name that a user gave to a device starts with "ua-", and stays. */
static void
strip_alias (xmlNode *node)
{
  xmlNode *alias = reeve_xml_find (node, "alias");
  g_autofree char *name = reeve_xml_dup_attribute (alias, "name");

  if (alias != NULL && (name == NULL || !g_str_has_prefix (name, "ua-")))
    reeve_xml_remove (alias);
}

static void
strip_device (xmlNode *node)
{
  g_autofree char *type = reeve_xml_dup_attribute (node, "type");
  g_autofree char *automatic = reeve_xml_dup_attribute (node, "autoport");
  xmlNode *source = reeve_xml_find (node, "source");

  strip_alias (node);
  xmlUnsetProp (node, (const xmlChar *) "tty");
  if (g_strcmp0 (type, "pty") == 0 && source != NULL)
    reeve_xml_remove (source);
  if (reeve_xml_is (node, "graphics") && g_strcmp0 (automatic, "yes") == 0)
    reeve_xml_set_attribute (node, "port", "-1");
}

void
reeve_config_strip_live (xmlNode *root)
{
  const xmlNode *devices = reeve_xml_find (root, "devices");

  xmlUnsetProp (root, (const xmlChar *) "id");
  for (xmlNode *node = devices == NULL ? NULL : devices->children; node != NULL;
       node = node->next) {
    if (node->type == XML_ELEMENT_NODE)
      strip_device (node);
  }
}
