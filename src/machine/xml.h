/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include <stdint.h>

G_BEGIN_DECLS

/* What we need of libxml2, in our own types. */

typedef xmlDoc ReeveXmlDoc;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveXmlDoc, xmlFreeDoc)

/**
 * reeve_xml_parse:
 *
 * Reads text of at most @max_bytes. It loads nothing from anywhere, and
 * refuses a document type, and with it entities.
 *
 * Errors: %REEVE_ERROR_XML with the line.
 */
ReeveXmlDoc *
reeve_xml_parse (const char *text, size_t max_bytes, GError **error);

/* (transfer full): an element as text, indented by two blanks, with single
 * quotes. */
char *reeve_xml_to_text (xmlDoc *doc, xmlNode *node);

gboolean reeve_xml_is (const xmlNode *node, const char *name);
/* (nullable): the first child element of that name */
xmlNode *reeve_xml_find (const xmlNode *node, const char *name);
/* (nullable): the next element of that name after @node */
xmlNode *reeve_xml_next (const xmlNode *node, const char *name);

/* (transfer full) (nullable): an attribute */
char *reeve_xml_dup_attribute (const xmlNode *node, const char *name);
/* (transfer full) (nullable): an attribute of a child element */
char *reeve_xml_dup_child_attribute (const xmlNode *node,
                                     const char *child,
                                     const char *name);
/* (transfer full) (nullable): the text of an element, or of a child element,
 * without the blanks around it */
char *reeve_xml_dup_text (const xmlNode *node);
char *reeve_xml_dup_child_text (const xmlNode *node, const char *child);

/* The child element of that name, made at the end if it is not there. */
xmlNode *reeve_xml_ensure (xmlNode *node, const char *name);
void reeve_xml_set_text (xmlNode *node, const char *text);
void
reeve_xml_set_attribute (xmlNode *node, const char *name, const char *value);
void reeve_xml_remove (xmlNode *node);

/**
 * reeve_xml_get_number:
 * @text: (nullable)
 *
 * Returns: whether @text is a decimal number from @min to @max
 */
gboolean reeve_xml_get_number (const char *text,
                               uint64_t min,
                               uint64_t max,
                               uint64_t *number);

/* How many bytes a unit such as "KiB" has; FALSE for none that is known. */
gboolean reeve_xml_find_unit (const char *word, uint64_t *bytes);

G_END_DECLS
