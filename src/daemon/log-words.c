/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-words.h"

#include "daemon/log-filter.h"
#include "daemon/log.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

/* From digit 1 on. */
static const char *const level_names[] = { "OFF", "DBG", "INFO", "WARN",
                                           "ERR" };

static const struct {
  const char *word;
  char digit;
} level_words[] = {
  { "dbg", '1' },  { "debug", '1' },   { "info", '2' }, { "notice", '2' },
  { "warn", '3' }, { "warning", '3' }, { "err", '4' },  { "error", '4' },
  { "emer", '4' }, { "off", '0' },
};

static const char *const destinations[REEVE_LOG_N_DESTINATIONS] = { "console",
                                                                    "syslog",
                                                                    "file" };

/* What `LEVEL:KIND…` goes to; -1: to none of them. */
static int
get_destination (const char *output)
{
  if (g_str_has_prefix (output + 1, ":stderr") ||
      g_str_has_prefix (output + 1, ":journald"))
    return REEVE_LOG_CONSOLE;
  if (g_str_has_prefix (output + 1, ":syslog"))
    return REEVE_LOG_SYSLOG;
  return g_str_has_prefix (output + 1, ":file") ? REEVE_LOG_FILE : -1;
}

static char **
split_outputs (void)
{
  unsigned n_outputs;
  g_autofree char *text = reeve_log_dup_outputs (&n_outputs);

  return g_strsplit (text == NULL ? "" : text, " ", -1);
}

/* ------------------------------------------------------------- looking ---- */

static void
report (const char *source,
        char digit,
        char *const *outputs,
        ReeveLogThresholdFunc func,
        gpointer data)
{
  ReeveLogThresholds row = { .source = source };
  char least[REEVE_LOG_N_DESTINATIONS] = { 0 };

  for (; *outputs != NULL; outputs++) {
    int destination = (*outputs)[0] == '\0' ? -1 : get_destination (*outputs);
    char level = (char) (destination < 0 ? 0 : MAX (digit, (*outputs)[0]));

    if (destination >= 0 &&
        (least[destination] == 0 || level < least[destination]))
      least[destination] = level;
  }

  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++)
    row.levels[i] = level_names[least[i] == 0 ? 0 : least[i] - '0'];
  func (&row, data);
}

static char
get_common_digit (void)
{
  GLogLevelFlags level = reeve_log_get_level ();

  for (char digit = '1'; digit < '4'; digit++)
    if (level >= reeve_log_level_from_digit (digit))
      return digit;

  return '4';
}

void
reeve_log_foreach_threshold (ReeveLogThresholdFunc func, gpointer data)
{
  unsigned n_filters;
  g_auto (GStrv) outputs = split_outputs ();
  g_autofree char *text = reeve_log_dup_filters (&n_filters);
  g_auto (GStrv) filters = g_strsplit (text == NULL ? "" : text, " ", -1);

  report ("any", get_common_digit (), outputs, func, data);
  for (char **filter = filters; *filter != NULL; filter++)
    if (strlen (*filter) > 2)
      report (*filter + 2, (*filter)[0], outputs, func, data);
}

/* ------------------------------------------------------------- changing --- */

typedef struct {
  const char *source;
  int destination; /* -1: any */
  char digit;      /* 0: not said */
} Wish;

G_GNUC_PRINTF (2, 3)
static gboolean
refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_propagate_error (error,
                     g_error_new_valist (REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                                         format, arguments));
  va_end (arguments);
  return FALSE;
}

static gboolean
read_word (Wish *wish, const char *word, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (level_words); i++) {
    if (g_ascii_strcasecmp (word, level_words[i].word) != 0)
      continue;
    if (wish->digit != 0)
      return refuse (error, _ ("“%s” is a second level"), word);
    wish->digit = level_words[i].digit;
    return TRUE;
  }
  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++) {
    if (g_ascii_strcasecmp (word, destinations[i]) != 0)
      continue;
    if (wish->destination >= 0)
      return refuse (error, _ ("“%s” is a second destination"), word);
    wish->destination = i;
    return TRUE;
  }

  if (wish->source != NULL)
    return refuse (error, _ ("“%s” is a second source"), word);
  wish->source = word;
  return TRUE;
}

static gboolean
set_destination (const Wish *wish, GError **error)
{
  g_auto (GStrv) outputs = split_outputs ();
  g_autofree char *text = NULL;
  gboolean is_found = FALSE;

  for (char **output = outputs; *output != NULL; output++) {
    if ((*output)[0] != '\0' &&
        get_destination (*output) == wish->destination) {
      (*output)[0] = wish->digit;
      is_found = TRUE;
    }
  }
  if (!is_found)
    return refuse (error, _ ("nothing of the log goes to “%s”"),
                   destinations[wish->destination]);

  text = g_strjoinv (" ", outputs);
  return reeve_log_set_outputs (text, error);
}

/* In front of the others, as the first that matches counts. */
static gboolean
set_source (const Wish *wish, GError **error)
{
  unsigned n_filters;
  g_autofree char *old = reeve_log_dup_filters (&n_filters);
  g_auto (GStrv) filters = g_strsplit (old == NULL ? "" : old, " ", -1);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%c:%s", wish->digit, wish->source);
  for (char **filter = filters; *filter != NULL; filter++)
    if (strlen (*filter) > 2 && strcmp (*filter + 2, wish->source) != 0)
      g_string_append_printf (text, " %s", *filter);
  return reeve_log_set_filters (text->str, error);
}

static gboolean
apply (Wish *wish, GError **error)
{
  if (wish->digit == 0)
    wish->digit = '1';
  if (wish->digit == '0')
    return refuse (error, _ ("the log cannot be turned off: ERR is the least"));
  if (wish->destination >= 0 && wish->source != NULL)
    return refuse (error,
                   _ ("“%s” cannot have a level for one destination alone"),
                   wish->source);
  if (wish->destination >= 0)
    return set_destination (wish, error);
  if (wish->source != NULL)
    return set_source (wish, error);

  reeve_log_set_level (reeve_log_level_from_digit (wish->digit));
  return TRUE;
}

gboolean
reeve_log_set_words (const char *words, GError **error)
{
  g_auto (GStrv) split = g_strsplit_set (words, " ,:", -1);
  Wish wish = { .destination = -1 };

  for (char **word = split; *word != NULL; word++)
    if ((*word)[0] != '\0' && g_ascii_strcasecmp (*word, "any") != 0 &&
        !read_word (&wish, *word, error))
      return FALSE;

  return apply (&wish, error);
}
