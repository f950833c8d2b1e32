/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-words.h"

#include "daemon/log-filter.h"
#include "daemon/log-private.h"
#include "daemon/log.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>
#include <syslog.h>

#define SEPARATORS " ,:"

static const struct {
  const char *word;
  char digit; /* of the filters and outputs that say it best; 0: none do */
  GLogLevelFlags level;
} level_words[] = {
  { "off", 0, 0 },
  { "emer", '4', G_LOG_LEVEL_ERROR },
  { "err", '4', G_LOG_LEVEL_CRITICAL },
  { "error", '4', G_LOG_LEVEL_CRITICAL },
  { "warn", '3', G_LOG_LEVEL_WARNING },
  { "warning", '3', G_LOG_LEVEL_WARNING },
  { "info", '2', G_LOG_LEVEL_INFO },
  { "notice", '2', G_LOG_LEVEL_INFO },
  { "dbg", '1', G_LOG_LEVEL_DEBUG },
  { "debug", '1', G_LOG_LEVEL_DEBUG },
};

static const char *const destinations[REEVE_LOG_N_DESTINATIONS] = { "console",
                                                                    "syslog",
                                                                    "file" };

static const struct {
  const char *word;
  unsigned number;
} facilities[] = {
  { "kern", LOG_KERN },     { "user", LOG_USER },     { "mail", LOG_MAIL },
  { "daemon", LOG_DAEMON }, { "auth", LOG_AUTH },     { "syslog", LOG_SYSLOG },
  { "lpr", LOG_LPR },       { "news", LOG_NEWS },     { "uucp", LOG_UUCP },
  { "clock", LOG_CRON },    { "ftp", LOG_FTP },       { "local0", LOG_LOCAL0 },
  { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },
  { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
  { "local7", LOG_LOCAL7 },
};

/* ------------------------------------------------------------- looking ---- */

/* As vlog names it: what is not less severe. */
static const char *
get_level_name (GLogLevelFlags level)
{
  if (level >= G_LOG_LEVEL_DEBUG)
    return "DBG";
  if (level >= G_LOG_LEVEL_INFO)
    return "INFO";
  if (level >= G_LOG_LEVEL_WARNING)
    return "WARN";
  if (level >= G_LOG_LEVEL_CRITICAL)
    return "ERR";
  return level > 0 ? "EMER" : "OFF";
}

static void
report (const char *source,
        const char *name,
        ReeveLogThresholdFunc func,
        gpointer data)
{
  ReeveLogThresholds row = { .source = name };
  GLogLevelFlags levels[REEVE_LOG_N_DESTINATIONS];

  row.is_limited = reeve_log_get_levels (source, levels);
  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++)
    row.levels[i] = get_level_name (levels[i]);
  func (&row, data);
}

void
reeve_log_foreach_threshold (ReeveLogThresholdFunc func, gpointer data)
{
  g_autoptr (GPtrArray) sources = reeve_log_dup_sources ();

  report ("", "any", func, data);
  for (unsigned i = 0; i < sources->len; i++)
    report (sources->pdata[i], sources->pdata[i], func, data);
}

/* ------------------------------------------------------------- changing --- */

typedef struct {
  ReeveLogRule rule;
  gboolean has_level;
  char digit; /* of that level */
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

/* -1: it is none. */
static int
find_destination (const char *word)
{
  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++)
    if (g_ascii_strcasecmp (word, destinations[i]) == 0)
      return i;

  return -1;
}

/* Which ones there are is not known before they write. */
static gboolean
is_source (const char *word)
{
  return word[strspn (word, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-*?")] ==
         '\0';
}

static gboolean
read_level (Wish *wish, const char *word, size_t i, GError **error)
{
  if (wish->has_level)
    return refuse (error, _ ("“%s” is a second level"), word);

  wish->has_level = TRUE;
  wish->digit = level_words[i].digit;
  wish->rule.level = level_words[i].level;
  return TRUE;
}

static gboolean
read_word (Wish *wish, const char *word, GError **error)
{
  int destination = find_destination (word);

  for (size_t i = 0; i < G_N_ELEMENTS (level_words); i++)
    if (g_ascii_strcasecmp (word, level_words[i].word) == 0)
      return read_level (wish, word, i, error);

  if (destination >= 0) {
    if (wish->rule.destination >= 0)
      return refuse (error, _ ("“%s” is a second destination"), word);
    wish->rule.destination = destination;
    return TRUE;
  }
  if (!is_source (word))
    return refuse (error, _ ("“%s” is no source, destination or level"), word);
  if (wish->rule.source != NULL)
    return refuse (error, _ ("“%s” is a second source"), word);
  wish->rule.source = word;
  return TRUE;
}

/* In front of the others, as the first that matches counts. */
static gboolean
set_source (const Wish *wish, GError **error)
{
  unsigned n_filters;
  g_autofree char *old = reeve_log_dup_filters (&n_filters);
  g_auto (GStrv) filters = g_strsplit (old, " ", -1);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%c:%s", wish->digit, wish->rule.source);
  for (char **filter = filters; *filter != NULL; filter++)
    if (strlen (*filter) > 2 && strcmp (*filter + 2, wish->rule.source) != 0)
      g_string_append_printf (text, " %s", *filter);
  return reeve_log_set_filters (text->str, error);
}

/* In filters and outputs, as far as they can say it: that is seen by others,
 * and a successor inherits it. */
static gboolean
apply_as_filter (const Wish *wish, GError **error)
{
  if (wish->digit == 0)
    return TRUE;
  if (wish->rule.destination < 0 && wish->rule.source != NULL)
    return set_source (wish, error);
  if (wish->rule.destination < 0)
    reeve_log_set_level (reeve_log_level_from_digit (wish->digit));
  else if (wish->rule.source == NULL)
    reeve_log_set_destination_level (wish->rule.destination, wish->digit);
  return TRUE;
}

static gboolean
apply (Wish *wish, GError **error)
{
  int destination = wish->rule.destination;

  if (!wish->has_level) {
    wish->digit = '1';
    wish->rule.level = G_LOG_LEVEL_DEBUG;
  }
  if (destination >= 0 && wish->rule.level > 0 &&
      reeve_log_get_pattern (destination) == NULL)
    return refuse (error, _ ("nothing of the log goes to “%s”"),
                   destinations[destination]);

  return apply_as_filter (wish, error) &&
         reeve_log_add_rule (&wish->rule, error);
}

static gboolean
set_facility (const char *name, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (facilities); i++) {
    if (g_ascii_strcasecmp (name, facilities[i].word) != 0)
      continue;
    if (reeve_log_get_pattern (REEVE_LOG_SYSLOG) == NULL)
      return refuse (error, _ ("nothing of the log goes to syslog, which alone "
                               "has facilities"));
    reeve_log_output_set_facility (facilities[i].number >> 3);
    return TRUE;
  }

  return refuse (error, _ ("“%s” is no facility of syslog"), name);
}

static gboolean
refuse_pattern (const char *words, GError **error)
{
  g_auto (GStrv) split = g_strsplit_set (words, SEPARATORS, 2);

  const char *destination = split[0] == NULL ? "" : split[0];

  if (g_ascii_strcasecmp (destination, "any") != 0 &&
      find_destination (destination) < 0)
    return refuse (error, _ ("“%s” is no destination of the log"), destination);
  return refuse (error, _ ("the lines of the log have a fixed form, which "
                           "vlog/list-pattern shows"));
}

gboolean
reeve_log_set_words (const char *words, GError **error)
{
  g_auto (GStrv) split = g_strsplit_set (words, SEPARATORS, -1);
  Wish wish = { .rule = { .destination = REEVE_LOG_ALL } };

  if (split[0] != NULL && g_ascii_strcasecmp (split[0], "facility") == 0)
    return set_facility (split[1] == NULL ? "" : split[1], error);
  if (split[0] != NULL && g_ascii_strcasecmp (split[0], "pattern") == 0)
    return refuse_pattern (split[1] == NULL ? "" : words + 8, error);

  for (char **word = split; *word != NULL; word++)
    if ((*word)[0] != '\0' && g_ascii_strcasecmp (*word, "any") != 0 &&
        !read_word (&wish, *word, error))
      return FALSE;

  return apply (&wish, error);
}

gboolean
reeve_log_limit_source (const char *source, gboolean is_limited, GError **error)
{
  const ReeveLogRule rule = {
    .source = g_ascii_strcasecmp (source, "any") == 0 ? NULL : source,
    .destination = REEVE_LOG_RATE,
    .level = is_limited ? 0 : G_LOG_LEVEL_DEBUG,
  };

  if (source[0] == '\0' || !is_source (source))
    return refuse (error, _ ("“%s” is no source"), source);
  return reeve_log_add_rule (&rule, error);
}
