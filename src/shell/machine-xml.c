/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/machine-xml.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <libxml/parser.h>
#include <string.h>

static xmlNode *
find_child (xmlNode *node, const char *name)
{
  for (xmlNode *child = node->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE &&
        xmlStrEqual (child->name, BAD_CAST name))
      return child;

  return NULL;
}

/* The first of the attributes @names that the child @element has. */
static void
set_attribute (JsonObject *object,
               const char *key,
               xmlNode *node,
               const char *element,
               const char *const *names)
{
  xmlNode *child = element == NULL ? node : find_child (node, element);

  for (; child != NULL && *names != NULL; names++) {
    xmlChar *text = xmlGetNoNsProp (child, BAD_CAST * names);

    if (text != NULL) {
      json_object_set_string_member (object, key, (const char *) text);
      xmlFree (text);
      return;
    }
  }
  json_object_set_null_member (object, key);
}

static JsonObject *
read_disk (xmlNode *node)
{
  JsonObject *object = json_object_new ();

  set_attribute (object, "target", node, "target",
                 (const char *const[]){ "dev", NULL });
  set_attribute (
      object, "source", node, "source",
      (const char *const[]){ "file", "dev", "dir", "name", "volume", NULL });
  set_attribute (object, "device", node, NULL,
                 (const char *const[]){ "device", NULL });
  set_attribute (object, "bus", node, "target",
                 (const char *const[]){ "bus", NULL });
  return object;
}

static JsonObject *
read_interface (xmlNode *node)
{
  JsonObject *object = json_object_new ();

  set_attribute (object, "target", node, "target",
                 (const char *const[]){ "dev", NULL });
  set_attribute (object, "type", node, NULL,
                 (const char *const[]){ "type", NULL });
  set_attribute (
      object, "source", node, "source",
      (const char *const[]){ "network", "bridge", "dev", "name", NULL });
  set_attribute (object, "model", node, "model",
                 (const char *const[]){ "type", NULL });
  set_attribute (object, "mac", node, "mac",
                 (const char *const[]){ "address", NULL });
  return object;
}

static JsonArray *
read_devices (const char *xml,
              const char *element,
              JsonObject *(*read) (xmlNode *node),
              GError **error)
{
  xmlDoc *doc =
      xmlReadMemory (xml, (int) strlen (xml), NULL, NULL,
                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement (doc);
  xmlNode *devices = root == NULL ? NULL : find_child (root, "devices");
  JsonArray *rows;

  if (root == NULL) {
    xmlFreeDoc (doc);
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_XML,
                         _ ("The machine's XML cannot be parsed"));
    return NULL;
  }

  rows = json_array_new ();
  for (xmlNode *node = devices == NULL ? NULL : devices->children; node != NULL;
       node = node->next)
    if (node->type == XML_ELEMENT_NODE &&
        xmlStrEqual (node->name, BAD_CAST element))
      json_array_add_object_element (rows, read (node));

  xmlFreeDoc (doc);
  return rows;
}

JsonArray *
reeve_machine_xml_disks (const char *xml, GError **error)
{
  return read_devices (xml, "disk", read_disk, error);
}

JsonArray *
reeve_machine_xml_interfaces (const char *xml, GError **error)
{
  return read_devices (xml, "interface", read_interface, error);
}
