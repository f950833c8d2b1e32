/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config-file.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

struct _ReeveConfigFile {
  char *path;     /* (owned) */
  char **lines;   /* (owned) */
  GKeyFile *keys; /* (owned) */
};

void
reeve_config_file_free (ReeveConfigFile *self)
{
  if (self == NULL)
    return;

  g_free (self->path);
  g_strfreev (self->lines);
  g_key_file_unref (self->keys);
  g_free (self);
}

GKeyFile *
reeve_config_file_get_keys (const ReeveConfigFile *self)
{
  return self->keys;
}

/* (transfer full) (nullable): of "[GROUP]" */
static char *
get_group (const char *line)
{
  const char *end = line[0] == '[' ? strchr (line, ']') : NULL;

  return end != NULL ? g_strndup (line + 1, (gsize) (end - line) - 1) : NULL;
}

/* (transfer full) (nullable): of "KEY = VALUE" */
static char *
get_key (const char *line)
{
  const char *end = line[0] != '#' ? strchr (line, '=') : NULL;

  return end != NULL ? g_strchomp (g_strndup (line, (gsize) (end - line)))
                     : NULL;
}

static const char *
skip_blanks (const char *line)
{
  return line + strspn (line, " \t\r");
}

char *
reeve_config_file_describe (const ReeveConfigFile *self,
                            const char *group,
                            const char *key)
{
  g_autofree char *now = NULL;
  unsigned found = 0;

  for (unsigned i = 0; self->lines[i] != NULL; i++) {
    const char *line = skip_blanks (self->lines[i]);
    g_autofree char *name = get_key (line);
    char *next = get_group (line);

    if (next != NULL) {
      g_free (now);
      now = next;
    } else if (g_strcmp0 (now, group) == 0 && g_strcmp0 (name, key) == 0) {
      found = i + 1;
    }
  }

  return g_strdup_printf ("%s:%u: [%s] %s", self->path, found, group, key);
}

/* The first line that GLib does not understand; 0 if it is none of a kind that
 * we know. */
static unsigned
find_bad_line (const ReeveConfigFile *self)
{
  gboolean has_group = FALSE;

  for (unsigned i = 0; self->lines[i] != NULL; i++) {
    const char *line = skip_blanks (self->lines[i]);
    g_autofree char *name = get_group (line);
    g_autofree char *key = get_key (line);

    if (name != NULL)
      has_group = TRUE;
    else if (line[0] != '\0' && line[0] != '#' &&
             (!has_group || line[0] == '[' || key == NULL || key[0] == '\0'))
      return i + 1;
  }

  return 0;
}

static gboolean
parse (ReeveConfigFile *self, const char *text, gsize size, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (g_key_file_load_from_data (self->keys, text, size, G_KEY_FILE_NONE, &why))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX, "%s:%u: %s",
               self->path, find_bad_line (self), why->message);
  return FALSE;
}

ReeveConfigFile *
reeve_config_file_load (const char *path, GError **error)
{
  g_autoptr (ReeveConfigFile) self = g_new0 (ReeveConfigFile, 1);
  g_autoptr (GError) why = NULL;
  g_autofree char *text = NULL;
  gsize size = 0;

  self->path = g_strdup (path);
  self->keys = g_key_file_new ();
  if (!g_file_get_contents (path, &text, &size, &why) &&
      !g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, "%s", why->message);
    return NULL;
  }
  if (size > REEVE_CONFIG_FILE_MAX_SIZE) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%1$s: it has more than %2$u bytes"), path,
                 REEVE_CONFIG_FILE_MAX_SIZE);
    return NULL;
  }

  self->lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  if (size > 0 && !parse (self, text, size, error))
    return NULL;
  return g_steal_pointer (&self);
}
