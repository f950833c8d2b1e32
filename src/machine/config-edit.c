/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config-private.h"
#include "machine/xml.h"
#include "rpc/error.h"

#include <string.h>

/* New definitions made from one: its text is parsed, changed and read again,
 * so that a change passes the same checks as a definition of a user's. */

static ReeveXmlDoc *
open_doc (ReeveConfig *self, xmlNode **root)
{
  ReeveXmlDoc *doc = reeve_xml_parse (self->xml, G_MAXINT, NULL);

  /* it is our own text */
  g_assert (doc != NULL);
  *root = xmlDocGetRootElement (doc);
  return doc;
}

/* Puts an element right behind another one that is always there. */
static xmlNode *
ensure_behind (xmlNode *root, const char *name, const char *before)
{
  xmlNode *node = reeve_xml_find (root, name);

  if (node != NULL)
    return node;
  node = xmlNewDocNode (root->doc, NULL, (const xmlChar *) name, NULL);
  xmlAddNextSibling (reeve_xml_find (root, before), node);
  return node;
}

static ReeveConfig *
with_text (ReeveConfig *self,
           const char *name,
           const char *before,
           const char *text,
           GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);
  xmlNode *node = reeve_xml_find (root, name);

  if (text != NULL && !g_utf8_validate (text, -1, NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("the text is not valid UTF-8"));
    return NULL;
  }
  if (text != NULL && text[0] != '\0')
    reeve_xml_set_text (ensure_behind (root, name, before), text);
  else if (node != NULL)
    reeve_xml_remove (node);
  return reeve_config_new_from_doc (doc, error);
}

ReeveConfig *
reeve_config_with_name (ReeveConfig *self, const char *name, GError **error)
{
  return with_text (self, "name", "name", name, error);
}

ReeveConfig *
reeve_config_with_title (ReeveConfig *self, const char *text, GError **error)
{
  if (text != NULL && strchr (text, '\n') != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("a title is one line"));
    return NULL;
  }
  return with_text (self, "title", "uuid", text, error);
}

ReeveConfig *
reeve_config_with_description (ReeveConfig *self,
                               const char *text,
                               GError **error)
{
  return with_text (self, "description", self->title ? "title" : "uuid", text,
                    error);
}

ReeveConfig *
reeve_config_with_machine (ReeveConfig *self, const char *type, GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);
  xmlNode *node = reeve_xml_find (reeve_xml_find (root, "os"), "type");

  reeve_xml_set_attribute (node, "machine", type);
  return reeve_config_new_from_doc (doc, error);
}

static void
set_memory (xmlNode *root, const char *name, uint64_t kib)
{
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, kib);
  xmlNode *node = reeve_xml_find (root, name);

  reeve_xml_set_text (node, text);
  reeve_xml_set_attribute (node, "unit", "KiB");
}

ReeveConfig *
reeve_config_with_memory (ReeveConfig *self,
                          uint64_t memory_kib,
                          GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);

  set_memory (root, "memory", memory_kib);
  if (self->current_memory_kib > memory_kib)
    set_memory (root, "currentMemory", memory_kib);
  return reeve_config_new_from_doc (doc, error);
}

ReeveConfig *
reeve_config_with_current_memory (ReeveConfig *self,
                                  uint64_t memory_kib,
                                  GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);

  set_memory (root, "currentMemory", memory_kib);
  return reeve_config_new_from_doc (doc, error);
}

ReeveConfig *
reeve_config_with_vcpus (ReeveConfig *self,
                         unsigned n_vcpus,
                         gboolean is_maximum,
                         GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);
  xmlNode *node = reeve_xml_find (root, "vcpu");
  g_autofree char *text = g_strdup_printf ("%u", n_vcpus);

  if (!is_maximum) {
    reeve_xml_set_attribute (node, "current", text);
    return reeve_config_new_from_doc (doc, error);
  }

  reeve_xml_set_text (node, text);
  if (self->n_vcpus > n_vcpus)
    xmlUnsetProp (node, (const xmlChar *) "current");
  return reeve_config_new_from_doc (doc, error);
}

static xmlNode *
find_metadata (xmlNode *root, const char *uri)
{
  xmlNode *metadata = reeve_xml_find (root, "metadata");
  xmlNode *node = metadata == NULL ? NULL : metadata->children;

  while (node != NULL && (node->type != XML_ELEMENT_NODE || node->ns == NULL ||
                          strcmp ((const char *) node->ns->href, uri) != 0))
    node = node->next;
  return node;
}

/* The user's element, which has no namespace, in the one he named. */
static xmlNode *
make_metadata (xmlDoc *doc,
               const char *uri,
               const char *key,
               const char *xml,
               GError **error)
{
  g_autoptr (ReeveXmlDoc) given =
      reeve_xml_parse (xml, REEVE_CONFIG_MAX_BYTES, error);
  xmlNode *node;
  xmlNs *space;

  if (given == NULL)
    return NULL;
  if (xmlValidateNCName ((const xmlChar *) key, 0) != 0 || uri[0] == '\0') {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("metadata needs a prefix that is a name, and a namespace"));
    return NULL;
  }

  node = xmlDocCopyNode (xmlDocGetRootElement (given), doc, 1);
  space = xmlNewNs (node, (const xmlChar *) uri, (const xmlChar *) key);
  if (space == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("the prefix '%s' has another meaning in the element"), key);
    xmlFreeNode (node);
    return NULL;
  }
  xmlSetNs (node, space);
  return node;
}

ReeveConfig *
reeve_config_with_metadata (ReeveConfig *self,
                            const char *uri,
                            const char *key,
                            const char *xml,
                            GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);
  xmlNode *old = find_metadata (root, uri);
  xmlNode *node = NULL;

  if (xml != NULL) {
    if (key == NULL) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("new metadata needs a prefix"));
      return NULL;
    }
    node = make_metadata (doc, uri, key, xml, error);
    if (node == NULL)
      return NULL;
  }

  if (old != NULL)
    reeve_xml_remove (old);
  if (node != NULL)
    xmlAddChild (ensure_behind (root, "metadata", "uuid"), node);
  return reeve_config_new_from_doc (doc, error);
}

char *
reeve_config_dup_metadata (ReeveConfig *self, const char *uri, GError **error)
{
  xmlNode *root;
  g_autoptr (ReeveXmlDoc) doc = open_doc (self, &root);
  xmlNode *node = find_metadata (root, uri);
  xmlNs *space;

  if (node == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_METADATA,
                 _ ("the machine has no metadata of the namespace '%s'"), uri);
    return NULL;
  }

  /* Given back as it was set: without the prefix that we gave it. */
  space = node->ns;
  xmlSetNs (node, NULL);
  if (node->nsDef == space) {
    node->nsDef = space->next;
    space->next = NULL;
    xmlFreeNs (space);
  }
  return reeve_xml_to_text (doc, node);
}
