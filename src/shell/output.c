/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/output.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The largest integer up to which every double is exact. */
#define EXACT_MAX (UINT64_C (1) << 53)

static gboolean
is_json (ReeveShell *shell)
{
  return shell->format != REEVE_OUTPUT_TEXT;
}

static void
print_json (FILE *file, JsonNode *node, gboolean is_pretty)
{
  g_autofree char *text = json_to_string (node, is_pretty);

  fprintf (file, "%s\n", text);
  fflush (file);
}

static JsonNode *
object_node (JsonObject *object)
{
  return json_node_init_object (json_node_alloc (), object);
}

static char *
value_to_text (JsonNode *node)
{
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return g_strdup ("-");
  if (!JSON_NODE_HOLDS_VALUE (node))
    return json_to_string (node, FALSE);

  switch (json_node_get_value_type (node)) {
  case G_TYPE_STRING:
    return json_node_dup_string (node);
  case G_TYPE_BOOLEAN:
    return g_strdup (json_node_get_boolean (node) ? _ ("yes") : _ ("no"));
  default:
    return json_to_string (node, FALSE);
  }
}

/* Columns on a terminal: East Asian characters take two. */
static size_t
get_width (const char *text)
{
  size_t width = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (!g_unichar_iszerowidth (c))
      width += g_unichar_iswide (c) ? 2 : 1;
  }

  return width;
}

static void
print_padded (const char *text, size_t width)
{
  size_t used = get_width (text);

  printf ("%s%*s", text, (int) (width > used ? width - used : 0), "");
}

static void
print_row (GPtrArray *cells, size_t first, size_t n_columns, size_t *widths)
{
  for (size_t i = 0; i < n_columns; i++) {
    const char *text = cells->pdata[first + i];

    fputs (i == 0 ? " " : "   ", stdout);
    if (i + 1 < n_columns)
      print_padded (text, widths[i]);
    else
      fputs (text, stdout);
  }
  putchar ('\n');
}

static void
print_table (const ReeveField *columns, size_t n_columns, JsonArray *rows)
{
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autofree size_t *widths = g_new0 (size_t, n_columns);
  size_t total = 0;

  for (size_t i = 0; i < n_columns; i++)
    g_ptr_array_add (cells, g_strdup (_ (columns[i].title)));
  for (unsigned row = 0; row < json_array_get_length (rows); row++) {
    JsonObject *object = json_array_get_object_element (rows, row);

    for (size_t i = 0; i < n_columns; i++) {
      JsonNode *node = json_object_get_member (object, columns[i].key);
      char *text = value_to_text (node);

      g_ptr_array_add (cells, g_utf8_make_valid (text, -1));
      g_free (text);
    }
  }

  for (unsigned i = 0; i < cells->len; i++)
    widths[i % n_columns] =
        MAX (widths[i % n_columns], get_width (cells->pdata[i]));
  for (size_t i = 0; i < n_columns; i++)
    total += widths[i] + 3;

  print_row (cells, 0, n_columns, widths);
  for (size_t i = 0; i < total; i++)
    putchar ('-');
  putchar ('\n');
  for (unsigned i = n_columns; i < cells->len; i += n_columns)
    print_row (cells, i, n_columns, widths);
  putchar ('\n');
}

void
reeve_output_table (ReeveShell *shell,
                    const ReeveField *columns,
                    size_t n_columns,
                    JsonArray *rows)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);

  json_node_take_array (node, rows);
  if (is_json (shell))
    print_json (stdout, node, shell->format == REEVE_OUTPUT_JSON_PRETTY);
  else
    print_table (columns, n_columns, rows);
}

void
reeve_output_object (ReeveShell *shell,
                     const ReeveField *fields,
                     size_t n_fields,
                     JsonObject *object)
{
  g_autoptr (JsonNode) node = object_node (object);
  size_t width = 0;

  json_object_unref (object);
  if (is_json (shell)) {
    print_json (stdout, node, shell->format == REEVE_OUTPUT_JSON_PRETTY);
    return;
  }

  for (size_t i = 0; i < n_fields; i++)
    width = MAX (width, get_width (_ (fields[i].title)));
  for (size_t i = 0; i < n_fields; i++) {
    JsonNode *value = json_object_get_member (object, fields[i].key);
    g_autofree char *title = g_strconcat (_ (fields[i].title), ":", NULL);
    g_autofree char *text = NULL;

    if (value == NULL)
      continue;
    text = value_to_text (value);
    print_padded (title, width + 3);
    printf ("%s\n", text);
  }
  putchar ('\n');
}

void
reeve_output_text (ReeveShell *shell, const char *key, const char *text)
{
  if (is_json (shell)) {
    g_autoptr (JsonObject) object = json_object_new ();
    g_autoptr (JsonNode) node = object_node (object);

    json_object_set_string_member (object, key, text);
    print_json (stdout, node, shell->format == REEVE_OUTPUT_JSON_PRETTY);
    return;
  }

  fputs (text, stdout);
  if (!g_str_has_suffix (text, "\n"))
    putchar ('\n');
}

void
reeve_output_json (ReeveShell *shell, JsonNode *node)
{
  print_json (stdout, node, shell->format != REEVE_OUTPUT_JSON);
}

void
reeve_output_done (ReeveShell *shell, const char *name, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (is_json (shell)) {
    reeve_output_text (shell, "name", name);
    return;
  }
  if (shell->is_quiet)
    return;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  printf ("%s\n", text);
}

void
reeve_output_line (ReeveShell *shell, const char *text, JsonObject *object)
{
  if (is_json (shell)) {
    g_autoptr (JsonNode) node = object_node (object);

    print_json (stdout, node, FALSE);
  } else {
    printf ("%s\n", text);
    fflush (stdout);
  }
}

void
reeve_output_error (ReeveShell *shell, const GError *error)
{
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonObject) outer = NULL;
  g_autoptr (JsonNode) node = NULL;

  fflush (stdout);
  if (!is_json (shell)) {
    fprintf (stderr, _ ("error: %s\n"), error->message);
    return;
  }

  object = json_object_new ();
  outer = json_object_new ();
  json_object_set_string_member (object, "domain",
                                 g_quark_to_string (error->domain));
  json_object_set_int_member (object, "code", error->code);
  json_object_set_string_member (object, "message", error->message);
  json_object_set_object_member (outer, "error", json_object_ref (object));
  node = object_node (outer);
  print_json (stderr, node, FALSE);
}

void
reeve_json_set_uint (JsonObject *object, const char *key, uint64_t value)
{
  if (value <= EXACT_MAX) {
    json_object_set_int_member (object, key, (gint64) value);
  } else {
    g_autofree char *text = g_strdup_printf ("%" PRIu64, value);

    json_object_set_string_member (object, key, text);
  }
}
