/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-print.h"

#include <string.h>

static void
print_escape (char byte, GString *text)
{
  static const char values[] = "\"\\\b\f\n\r\t";
  static const char names[] = "\"\\bfnrt";
  const char *value = strchr (values, byte);

  if (value != NULL)
    g_string_append_printf (text, "\\%c", names[value - values]);
  else
    g_string_append_printf (text, "\\u%04x", byte);
}

void
reeve_json_print_string (const char *string, GString *text)
{
  const char *begin = string;

  g_string_append_c (text, '"');
  for (; *string != '\0'; string++) {
    if ((guchar) *string >= 0x20 && *string != '"' && *string != '\\' &&
        *string != 0x7f)
      continue;
    g_string_append_len (text, begin, string - begin);
    print_escape (*string, text);
    begin = string + 1;
  }
  g_string_append_len (text, begin, string - begin);
  g_string_append_c (text, '"');
}

/* With a point or an exponent, so that it stays a real. */
void
reeve_json_print_real (double number, GString *text)
{
  char digits[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_dtostr (digits, sizeof digits, number);
  g_string_append (text, digits);
  if (strpbrk (digits, ".e") == NULL)
    g_string_append (text, ".0");
}

static void
print_value (JsonNode *node, GString *text)
{
  GType type = json_node_get_value_type (node);

  if (type == G_TYPE_STRING)
    reeve_json_print_string (json_node_get_string (node), text);
  else if (type == G_TYPE_BOOLEAN)
    g_string_append (text, json_node_get_boolean (node) ? "true" : "false");
  else if (type == G_TYPE_DOUBLE)
    reeve_json_print_real (json_node_get_double (node), text);
  else
    g_string_append_printf (text, "%" G_GINT64_FORMAT,
                            json_node_get_int (node));
}

static void
print_array (JsonArray *array, GString *text)
{
  unsigned length = json_array_get_length (array);

  g_string_append_c (text, '[');
  for (unsigned i = 0; i < length; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    reeve_json_print (json_array_get_element (array, i), text);
  }
  g_string_append_c (text, ']');
}

static void
print_object (JsonObject *object, GString *text)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  char separator = '{';

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &value)) {
    g_string_append_c (text, separator);
    reeve_json_print_string (name, text);
    g_string_append_c (text, ':');
    reeve_json_print (value, text);
    separator = ',';
  }
  g_string_append (text, separator == '{' ? "{}" : "}");
}

void
reeve_json_print (JsonNode *node, GString *text)
{
  switch (json_node_get_node_type (node)) {
  case JSON_NODE_OBJECT:
    print_object (json_node_get_object (node), text);
    break;
  case JSON_NODE_ARRAY:
    print_array (json_node_get_array (node), text);
    break;
  case JSON_NODE_VALUE:
    print_value (node, text);
    break;
  case JSON_NODE_NULL:
    g_string_append (text, "null");
    break;
  }
}
