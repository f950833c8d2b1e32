/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-filter.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

#define MAX_FILTERS 64

struct _ReeveLogFilter {
  GLogLevelFlags level;
  char *text;            /* (owned): as it was given */
  GPatternSpec *pattern; /* (owned) */
};

GLogLevelFlags
reeve_log_level_from_digit (char digit)
{
  switch (digit) {
  case '1':
    return G_LOG_LEVEL_DEBUG;
  case '2':
    return G_LOG_LEVEL_INFO;
  case '3':
    return G_LOG_LEVEL_WARNING;
  case '4':
    return G_LOG_LEVEL_CRITICAL;
  default:
    return 0;
  }
}

static void
filter_free (gpointer data)
{
  ReeveLogFilter *self = data;

  g_free (self->text);
  g_clear_pointer (&self->pattern, g_pattern_spec_free);
  g_free (self);
}

static ReeveLogFilter *
filter_parse (const char *text, GError **error)
{
  GLogLevelFlags level = reeve_log_level_from_digit (text[0]);
  g_autofree char *anywhere = NULL;
  const char *match;
  ReeveLogFilter *self;

  if (text[0] == '\0' || text[1] != ':' || text[2] == '\0') {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The log filter '%s' is not LEVEL:MATCH"), text);
    return NULL;
  }
  if (level == 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The log filter '%1$s' has the level '%2$c'; there are 1 "
                    "to 4"),
                 text, text[0]);
    return NULL;
  }

  /* libvirt's filters may ask for stack traces, and get none, either. */
  match = text + (text[2] == '+' ? 3 : 2);
  anywhere = g_strdup_printf ("*%s*", match);
  self = g_new (ReeveLogFilter, 1);
  *self = (ReeveLogFilter){
    .level = level,
    .text = g_strdup_printf ("%c:%s", text[0], match),
    .pattern = g_pattern_spec_new (anywhere),
  };
  return self;
}

GPtrArray *
reeve_log_filters_parse (const char *text, GError **error)
{
  g_autoptr (GPtrArray) filters = g_ptr_array_new_with_free_func (filter_free);
  g_auto (GStrv) words = g_strsplit_set (text, " \t\n", -1);

  for (char **word = words; *word != NULL; word++) {
    ReeveLogFilter *filter;

    if ((*word)[0] == '\0')
      continue;
    filter = filter_parse (*word, error);
    if (filter == NULL)
      return NULL;
    g_ptr_array_add (filters, filter);
  }

  if (filters->len > MAX_FILTERS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("There are at most %d log filters"), MAX_FILTERS);
    return NULL;
  }
  return g_steal_pointer (&filters);
}

char *
reeve_log_filters_format (GPtrArray *filters)
{
  GString *text = g_string_new (NULL);

  for (unsigned i = 0; i < filters->len; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : " ",
                            ((ReeveLogFilter *) filters->pdata[i])->text);
  return g_string_free (text, FALSE);
}

void
reeve_log_filters_add_sources (GPtrArray *filters, GPtrArray *sources)
{
  for (unsigned i = 0; i < filters->len; i++)
    g_ptr_array_add (
        sources, g_strdup (((ReeveLogFilter *) filters->pdata[i])->text + 2));
}

GLogLevelFlags
reeve_log_filters_get_level (GPtrArray *filters,
                             const char *source,
                             const char *domain,
                             GLogLevelFlags common)
{
  for (unsigned i = 0; i < filters->len; i++) {
    const ReeveLogFilter *filter = filters->pdata[i];

    if (g_pattern_spec_match_string (filter->pattern, source) ||
        g_pattern_spec_match_string (filter->pattern, domain))
      return filter->level;
  }

  return common;
}

GLogLevelFlags
reeve_log_filters_get_widest (GPtrArray *filters, GLogLevelFlags common)
{
  GLogLevelFlags widest = common;

  for (unsigned i = 0; i < filters->len; i++)
    widest = MAX (widest, ((ReeveLogFilter *) filters->pdata[i])->level);

  return widest;
}

char *
reeve_log_source_from_path (const char *path)
{
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *place = g_path_get_dirname (path);
  g_autofree char *folder = g_path_get_basename (place);
  char *dot = strrchr (file, '.');

  if (dot != NULL)
    *dot = '\0';
  return folder[0] == '.' || folder[0] == '/'
             ? g_steal_pointer (&file)
             : g_strconcat (folder, ".", file, NULL);
}
