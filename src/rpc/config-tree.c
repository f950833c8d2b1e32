/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/config-tree.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The tree, and the text that is made of it; config-parse.c has the way back.
 */

/* Sections are indented up to here. */
#define MAX_TABS 32

struct _ReeveConfigNode {
  char *key;           /* (owned) (nullable) */
  GArray *values;      /* (element-type ReeveConfigValue) (owned) (nullable) */
  GPtrArray *children; /* (element-type ReeveConfigNode) (owned) (nullable) */
};

static void
clear_value (gpointer data)
{
  ReeveConfigValue *self = data;

  if (self->kind == REEVE_CONFIG_STRING)
    g_free (self->u.s);
}

ReeveConfigNode *
reeve_config_node_new (void)
{
  return g_new0 (ReeveConfigNode, 1);
}

void
reeve_config_node_free (ReeveConfigNode *self)
{
  if (self == NULL)
    return;

  g_free (self->key);
  g_clear_pointer (&self->values, g_array_unref);
  g_clear_pointer (&self->children, g_ptr_array_unref);
  g_free (self);
}

/* ------------------------------------------------------------- looking --- */

const char *
reeve_config_node_get_key (const ReeveConfigNode *self)
{
  return self->key;
}

gboolean
reeve_config_node_has_values (const ReeveConfigNode *self)
{
  return self->values != NULL;
}

const ReeveConfigValue *
reeve_config_node_get_values (const ReeveConfigNode *self, size_t *n_values)
{
  *n_values = self->values == NULL ? 0 : self->values->len;
  return self->values == NULL ? NULL : (ReeveConfigValue *) self->values->data;
}

size_t
reeve_config_node_get_n_children (const ReeveConfigNode *self)
{
  return self->children == NULL ? 0 : self->children->len;
}

const ReeveConfigNode *
reeve_config_node_get_child (const ReeveConfigNode *self, size_t index)
{
  return self->children->pdata[index];
}

static const ReeveConfigNode *
find_child (const ReeveConfigNode *self, const char *key, size_t length)
{
  for (size_t i = 0; i < reeve_config_node_get_n_children (self); i++) {
    const ReeveConfigNode *child = self->children->pdata[i];

    if (strlen (child->key) == length && memcmp (child->key, key, length) == 0)
      return child;
  }

  return NULL;
}

const ReeveConfigNode *
reeve_config_node_find (const ReeveConfigNode *self, const char *path)
{
  path += strspn (path, "/");
  while (self != NULL && *path != '\0') {
    size_t length = strcspn (path, "/");

    self = find_child (self, path, length);
    path += length;
    path += strspn (path, "/");
  }

  return self;
}

/* (nullable): the first value, if it is of that kind. */
static const ReeveConfigValue *
find_value (const ReeveConfigNode *self, const char *path, ReeveConfigKind kind)
{
  const ReeveConfigNode *node = reeve_config_node_find (self, path);
  size_t n_values;
  const ReeveConfigValue *values;

  if (node == NULL)
    return NULL;
  values = reeve_config_node_get_values (node, &n_values);
  return n_values > 0 && values->kind == kind ? values : NULL;
}

const char *
reeve_config_node_find_string (const ReeveConfigNode *self,
                               const char *path,
                               const char *fallback)
{
  const ReeveConfigValue *value = find_value (self, path, REEVE_CONFIG_STRING);

  return value == NULL ? fallback : value->u.s;
}

int64_t
reeve_config_node_find_int (const ReeveConfigNode *self,
                            const char *path,
                            int64_t fallback)
{
  const ReeveConfigValue *value = find_value (self, path, REEVE_CONFIG_INT);

  return value == NULL ? fallback : value->u.i;
}

static gboolean
is_one_of (const char *word, const char *const *words)
{
  for (; *words != NULL; words++)
    if (g_ascii_strcasecmp (word, *words) == 0)
      return TRUE;

  return FALSE;
}

gboolean
reeve_config_node_find_bool (const ReeveConfigNode *self,
                             const char *path,
                             gboolean fallback)
{
  static const char *const yes[] = { "y", "yes", "on", "true", NULL };
  static const char *const no[] = { "n", "no", "off", "false", NULL };
  const char *word = reeve_config_node_find_string (self, path, "");

  if (is_one_of (word, yes))
    return TRUE;
  if (is_one_of (word, no))
    return FALSE;
  return reeve_config_node_find_int (self, path, fallback) != 0;
}

/* ------------------------------------------------------------ building --- */

ReeveConfigNode *
reeve_config_node_add_section (ReeveConfigNode *self, const char *key)
{
  ReeveConfigNode *child = reeve_config_node_new ();

  g_assert (self->values == NULL);
  g_assert (key[0] != '\0' && strchr (key, '/') == NULL);
  if (self->children == NULL)
    self->children = g_ptr_array_new_with_free_func (
        (GDestroyNotify) reeve_config_node_free);
  child->key = g_strdup (key);
  g_ptr_array_add (self->children, child);
  return child;
}

void
reeve_config_node_become_list (ReeveConfigNode *self)
{
  g_assert (self->key != NULL && self->children == NULL);
  if (self->values != NULL)
    return;

  self->values = g_array_new (FALSE, FALSE, sizeof (ReeveConfigValue));
  g_array_set_clear_func (self->values, clear_value);
}

void
reeve_config_node_append_int (ReeveConfigNode *self, int64_t value)
{
  const ReeveConfigValue row = { .kind = REEVE_CONFIG_INT, .u.i = value };

  reeve_config_node_become_list (self);
  g_array_append_val (self->values, row);
}

void
reeve_config_node_append_float (ReeveConfigNode *self, double value)
{
  const ReeveConfigValue row = { .kind = REEVE_CONFIG_FLOAT, .u.f = value };

  reeve_config_node_become_list (self);
  g_array_append_val (self->values, row);
}

void
reeve_config_node_append_string (ReeveConfigNode *self, const char *value)
{
  const ReeveConfigValue row = { .kind = REEVE_CONFIG_STRING,
                                 .u.s = g_strdup (value) };

  reeve_config_node_become_list (self);
  g_array_append_val (self->values, row);
}

void
reeve_config_node_add_int (ReeveConfigNode *self,
                           const char *key,
                           int64_t value)
{
  reeve_config_node_append_int (reeve_config_node_add_section (self, key),
                                value);
}

void
reeve_config_node_add_string (ReeveConfigNode *self,
                              const char *key,
                              const char *value)
{
  reeve_config_node_append_string (reeve_config_node_add_section (self, key),
                                   value);
}

/* Which value stands behind a format decides what is taken off the list. */
static void
add_value (ReeveConfigNode *self,
           const char *key,
           const char *conversion,
           va_list *values)
{
  if (g_str_equal (conversion, "%s")) {
    const char *string = va_arg (*values, const char *);

    if (string != NULL)
      reeve_config_node_add_string (self, key, string);
  } else if (g_str_equal (conversion, "%d")) {
    reeve_config_node_add_int (self, key, va_arg (*values, int));
  } else if (g_str_equal (conversion, "%" PRId64)) {
    reeve_config_node_add_int (self, key, va_arg (*values, int64_t));
  } else if (g_str_equal (conversion, "%f")) {
    reeve_config_node_append_float (reeve_config_node_add_section (self, key),
                                    va_arg (*values, double));
  } else {
    g_assert_not_reached ();
  }
}

void
reeve_config_node_add_valist (ReeveConfigNode *self,
                              const char *format,
                              va_list values)
{
  va_list rest;

  va_copy (rest, values);
  for (; format != NULL; format = va_arg (rest, const char *)) {
    g_auto (GStrv) parts = g_strsplit (format, "=", 2);

    g_assert (parts[0] != NULL && parts[1] != NULL);
    add_value (self, g_strstrip (parts[0]), g_strstrip (parts[1]), &rest);
  }
  va_end (rest);
}

void
reeve_config_node_add_values (ReeveConfigNode *self, const char *format, ...)
{
  va_list values;

  va_start (values, format);
  reeve_config_node_add_valist (self, format, values);
  va_end (values);
}

/* ------------------------------------------------------------ printing --- */

static void
print_quoted (const char *string, GString *text)
{
  g_string_append_c (text, '"');
  for (; *string != '\0'; string++) {
    if (*string == '"' || *string == '\\')
      g_string_append_c (text, '\\');
    g_string_append_c (text, *string);
  }
  g_string_append_c (text, '"');
}

/* A key that every parser reads as it stands. */
static gboolean
is_plain_key (const char *key)
{
  return key[strspn (key, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_.:@+-")] ==
         '\0';
}

/* Always with a point, so that it is read as what it is; never with an
 * exponent, which is not part of the language. */
static void
print_float (double value, ReeveConfigStyle style, GString *text)
{
  /* All digits of the smallest number that has them before the point. */
  char digits[G_ASCII_DTOSTR_BUF_SIZE + 1100];

  if (style == REEVE_CONFIG_STYLE_STOCK) {
    g_string_append_printf (text, "%f", (double) (float) value);
    return;
  }

  g_ascii_formatd (digits, sizeof digits, "%.17g", value);
  if (strpbrk (digits, "eE") != NULL)
    g_ascii_formatd (digits, sizeof digits,
                     fabs (value) < 1 ? "%.340f" : "%.1f", value);
  g_string_append (text, digits);
  if (strpbrk (digits, ".ni") == NULL)
    g_string_append (text, ".0");
}

static void
print_value (const ReeveConfigValue *value,
             ReeveConfigStyle style,
             GString *text)
{
  switch (value->kind) {
  case REEVE_CONFIG_INT:
    g_string_append_printf (text, "%" G_GINT64_FORMAT, (gint64) value->u.i);
    break;
  case REEVE_CONFIG_FLOAT:
    print_float (value->u.f, style, text);
    break;
  case REEVE_CONFIG_STRING:
    print_quoted (value->u.s, text);
    break;
  }
}

/* One element looks as a value does: the language has no lists of one. */
static void
print_values (const GArray *values, ReeveConfigStyle style, GString *text)
{
  gboolean is_list = values->len != 1;

  if (is_list)
    g_string_append_c (text, '[');
  for (unsigned i = 0; i < values->len; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    print_value (&g_array_index (values, ReeveConfigValue, i), style, text);
  }
  if (is_list)
    g_string_append_c (text, ']');
}

static void
print_tabs (unsigned depth, GString *text)
{
  for (unsigned i = 0; i < MIN (depth, MAX_TABS); i++)
    g_string_append_c (text, '\t');
}

static void
print_children (const ReeveConfigNode *self,
                unsigned depth,
                ReeveConfigStyle style,
                GString *text)
{
  for (size_t i = 0; i < reeve_config_node_get_n_children (self); i++) {
    const ReeveConfigNode *child = self->children->pdata[i];

    print_tabs (depth, text);
    if (is_plain_key (child->key))
      g_string_append (text, child->key);
    else
      print_quoted (child->key, text);

    if (child->values != NULL) {
      g_string_append_c (text, '=');
      print_values (child->values, style, text);
    } else {
      g_string_append (text, " {\n");
      print_children (child, depth + 1, style, text);
      print_tabs (depth, text);
      g_string_append_c (text, '}');
    }
    g_string_append_c (text, '\n');
  }
}

void
reeve_config_node_print (const ReeveConfigNode *self,
                         ReeveConfigStyle style,
                         GString *text)
{
  print_children (self, 0, style, text);
}
