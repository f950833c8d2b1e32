/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/xml.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <libxml/parser.h>
#include <string.h>

static void
set_parse_error (GError **error, xmlParserCtxt *context)
{
  const xmlError *failure = xmlCtxtGetLastError (context);
  g_autofree char *text = NULL;

  if (failure == NULL || failure->message == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML,
                 _ ("the text is not XML"));
    return;
  }
  text = g_utf8_make_valid (failure->message, -1);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML,
               _ ("the XML is wrong in line %1$d: %2$s"), failure->line,
               g_strstrip (text));
}

ReeveXmlDoc *
reeve_xml_parse (const char *text, size_t max_bytes, GError **error)
{
  size_t size = strlen (text);
  g_autoptr (ReeveXmlDoc) doc = NULL;
  xmlParserCtxt *context;

  if (size > max_bytes || size > G_MAXINT) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML,
                 _ ("the XML is longer than %zu bytes"), max_bytes);
    return NULL;
  }

  context = xmlNewParserCtxt ();
  if (context == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_MEMORY,
                 _ ("there is no memory for the XML parser"));
    return NULL;
  }
  /* Without a dictionary that the document shares with its parser, reading it
   * from several threads is harmless. */
  doc = xmlCtxtReadMemory (context, text, (int) size, NULL, NULL,
                           XML_PARSE_NONET | XML_PARSE_NOERROR |
                               XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS |
                               XML_PARSE_NODICT);
  if (doc == NULL || xmlDocGetRootElement (doc) == NULL) {
    set_parse_error (error, context);
    xmlFreeParserCtxt (context);
    return NULL;
  }
  xmlFreeParserCtxt (context);

  if (doc->intSubset != NULL || doc->extSubset != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML,
                 _ ("the XML has a document type, which is not allowed"));
    return NULL;
  }
  return g_steal_pointer (&doc);
}

/* Copies up to the end of @close, or to the end; returns what comes after. */
static const char *
copy_section (GString *text, const char *from, const char *close)
{
  const char *end = strstr (from, close);
  size_t length =
      end == NULL ? strlen (from) : (size_t) (end - from) + strlen (close);

  g_string_append_len (text, from, (gssize) length);
  return from + length;
}

/* A tag, whose values are then between single quotes. */
static const char *
copy_tag (GString *text, const char *from)
{
  gboolean is_in_value = FALSE;

  for (; *from != '\0'; from++) {
    if (*from == '"') {
      is_in_value = !is_in_value;
      g_string_append_c (text, '\'');
    } else if (*from == '\'' && is_in_value) {
      g_string_append (text, "&apos;");
    } else {
      g_string_append_c (text, *from);
      if (*from == '>' && !is_in_value)
        return from + 1;
    }
  }
  return from;
}

/* As libvirt's users know it, and have it in their scripts. */
static char *
quote_singly (const char *from)
{
  static const struct {
    const char *open;
    const char *close;
  } sections[] = {
    { "<!--", "-->" },
    { "<![CDATA[", "]]>" },
    { "<?", "?>" },
  };
  GString *text = g_string_sized_new (strlen (from));

  while (*from != '\0') {
    const char *close = NULL;

    if (*from != '<') {
      g_string_append_c (text, *from++);
      continue;
    }
    for (size_t i = 0; i < G_N_ELEMENTS (sections); i++) {
      if (g_str_has_prefix (from, sections[i].open))
        close = sections[i].close;
    }
    from = close != NULL ? copy_section (text, from, close)
                         : copy_tag (text, from);
  }
  return g_string_free (text, FALSE);
}

char *
reeve_xml_to_text (xmlDoc *doc, xmlNode *node)
{
  xmlBuffer *buffer = xmlBufferCreate ();
  char *text;

  xmlNodeDump (buffer, doc, node, 0, 1);
  text = quote_singly ((const char *) xmlBufferContent (buffer));
  xmlBufferFree (buffer);
  return text;
}

gboolean
reeve_xml_is (const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE &&
         strcmp ((const char *) node->name, name) == 0;
}

static xmlNode *
find_from (xmlNode *node, const char *name)
{
  while (node != NULL && !reeve_xml_is (node, name))
    node = node->next;
  return node;
}

xmlNode *
reeve_xml_find (const xmlNode *node, const char *name)
{
  return node == NULL ? NULL : find_from (node->children, name);
}

xmlNode *
reeve_xml_next (const xmlNode *node, const char *name)
{
  return find_from (node->next, name);
}

static char *
take_text (xmlChar *text)
{
  char *copy = g_strdup ((const char *) text);

  xmlFree (text);
  return copy;
}

char *
reeve_xml_dup_attribute (const xmlNode *node, const char *name)
{
  if (node == NULL)
    return NULL;
  return take_text (xmlGetNoNsProp (node, (const xmlChar *) name));
}

char *
reeve_xml_dup_child_attribute (const xmlNode *node,
                               const char *child,
                               const char *name)
{
  return reeve_xml_dup_attribute (reeve_xml_find (node, child), name);
}

char *
reeve_xml_dup_text (const xmlNode *node)
{
  char *text;

  if (node == NULL)
    return NULL;
  text = take_text (xmlNodeGetContent (node));
  return text == NULL ? NULL : g_strstrip (text);
}

char *
reeve_xml_dup_child_text (const xmlNode *node, const char *child)
{
  return reeve_xml_dup_text (reeve_xml_find (node, child));
}

xmlNode *
reeve_xml_ensure (xmlNode *node, const char *name)
{
  xmlNode *child = reeve_xml_find (node, name);

  if (child == NULL)
    child = xmlNewChild (node, NULL, (const xmlChar *) name, NULL);
  return child;
}

void
reeve_xml_set_text (xmlNode *node, const char *text)
{
  xmlNode *child = xmlNewText ((const xmlChar *) text);

  while (node->children != NULL)
    reeve_xml_remove (node->children);
  xmlAddChild (node, child);
}

void
reeve_xml_set_attribute (xmlNode *node, const char *name, const char *value)
{
  xmlSetProp (node, (const xmlChar *) name, (const xmlChar *) value);
}

void
reeve_xml_remove (xmlNode *node)
{
  xmlUnlinkNode (node);
  xmlFreeNode (node);
}

gboolean
reeve_xml_get_number (const char *text,
                      uint64_t min,
                      uint64_t max,
                      uint64_t *number)
{
  guint64 value;

  if (text == NULL ||
      !g_ascii_string_to_unsigned (text, 10, min, max, &value, NULL))
    return FALSE;
  *number = value;
  return TRUE;
}

gboolean
reeve_xml_find_unit (const char *word, uint64_t *bytes)
{
  static const struct {
    const char *word;
    uint64_t bytes;
  } units[] = {
    { "b", 1 },
    { "bytes", 1 },
    { "KB", 1000 },
    { "k", UINT64_C (1) << 10 },
    { "KiB", UINT64_C (1) << 10 },
    { "MB", 1000000 },
    { "M", UINT64_C (1) << 20 },
    { "MiB", UINT64_C (1) << 20 },
    { "GB", 1000000000 },
    { "G", UINT64_C (1) << 30 },
    { "GiB", UINT64_C (1) << 30 },
    { "TB", UINT64_C (1000000000000) },
    { "T", UINT64_C (1) << 40 },
    { "TiB", UINT64_C (1) << 40 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (units); i++) {
    if (g_str_equal (units[i].word, word)) {
      *bytes = units[i].bytes;
      return TRUE;
    }
  }
  return FALSE;
}
