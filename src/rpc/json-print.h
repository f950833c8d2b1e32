/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Appends the text of @node, without white space. Unlike json-glib's own, it
 * escapes every control character; reals have all their digits, and have to be
 * finite. Strings have to be UTF-8. Thread: any. */
void reeve_json_print (JsonNode *node, GString *text);

/* The same for a real, and for a string. */
void reeve_json_print_real (double number, GString *text);
void reeve_json_print_string (const char *string, GString *text);

G_END_DECLS
