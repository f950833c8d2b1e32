/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log.h"

#include "daemon/log-filter.h"
#include "daemon/log-limit.h"
#include "daemon/log-output.h"
#include "daemon/log-private.h"
#include "event/debug.h"
#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"

#include <string.h>
#include <unistd.h>

/* GLib's levels grow as severity shrinks. */
static const struct {
  const char *name;
  GLogLevelFlags level;
  int priority; /* of syslog */
} levels[] = {
  { "error", G_LOG_LEVEL_ERROR, 2 },     { "error", G_LOG_LEVEL_CRITICAL, 3 },
  { "warning", G_LOG_LEVEL_WARNING, 4 }, { "notice", G_LOG_LEVEL_MESSAGE, 5 },
  { "info", G_LOG_LEVEL_INFO, 6 },       { "debug", G_LOG_LEVEL_DEBUG, 7 },
};

/* There is one log in a process, as GLib has it. */
static ReeveMutex lock = { PTHREAD_MUTEX_INITIALIZER };
static GLogLevelFlags common_level REEVE_GUARDED = G_LOG_LEVEL_MESSAGE;
static GPtrArray *outputs REEVE_GUARDED; /* (element-type ReeveLogOutput) */
static GPtrArray *filters REEVE_GUARDED; /* (element-type ReeveLogFilter) */
static ReeveLogRules *rules REEVE_GUARDED;
static ReeveLogLimit *limit REEVE_GUARDED;
static char *default_outputs REEVE_GUARDED;
static char *default_filters REEVE_GUARDED;

/* ------------------------------------------------------------- writing --- */

/* (nullable): a field that is text */
static const char *
find_field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, key) && fields[i].length < 0)
      return fields[i].value;

  return NULL;
}

static void
fill_level (ReeveLogMessage *message, GLogLevelFlags level)
{
  size_t i = 0;

  while (i < G_N_ELEMENTS (levels) - 1 && levels[i].level < level)
    i++;
  message->level = level;
  message->level_name = levels[i].name;
  message->priority = levels[i].priority;
}

/* A line of our own about what @message is one of. */
static void
write_remark_locked (const ReeveLogMessage *message, char *text)
    REEVE_REQUIRES (lock)
{
  const GLogField fields[] = { { "MESSAGE", text, -1 },
                               { "PRIORITY", "5", -1 } };
  ReeveLogMessage remark = *message;

  remark.text = text;
  remark.fields = fields;
  remark.n_fields = G_N_ELEMENTS (fields);
  reeve_log_outputs_write (outputs, &remark);
  g_free (text);
}

static void
write_limited_locked (const ReeveLogMessage *message,
                      const char *file,
                      const char *line) REEVE_REQUIRES (lock)
{
  unsigned n_left_out;
  ReeveLogVerdict verdict = reeve_log_limit_judge (
      limit, file, line, g_get_monotonic_time (), &n_left_out);

  if (verdict == REEVE_LOG_LIMIT_LEAVE_OUT)
    return;
  if (n_left_out > 0)
    write_remark_locked (
        message, g_strdup_printf (_ ("%u messages like the next one were left "
                                     "out"),
                                  n_left_out));
  reeve_log_outputs_write (outputs, message);
  if (verdict == REEVE_LOG_LIMIT_WRITE_LAST)
    write_remark_locked (
        message, g_strdup (_ ("more messages like this one are left out")));
}

/* Whether a destination may take it. */
static gboolean
judge_locked (ReeveLogMessage *message, const char *domain)
    REEVE_REQUIRES (lock)
{
  GLogLevelFlags common = reeve_log_filters_get_level (filters, message->source,
                                                       domain, common_level);

  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++) {
    GLogLevelFlags level;
    gboolean has_rule =
        reeve_log_rules_lookup (rules, message->source, domain, i, &level);

    if (message->level > (has_rule ? level : common))
      message->barred |= 1u << i;
    else if (has_rule)
      message->forced |= 1u << i;
  }

  return message->barred != (1u << REEVE_LOG_N_DESTINATIONS) - 1;
}

static gboolean
is_limited_locked (const char *source, const char *domain) REEVE_REQUIRES (lock)
{
  GLogLevelFlags level;

  return !reeve_log_rules_lookup (rules, source, domain, REEVE_LOG_RATE,
                                  &level) ||
         level == 0;
}

static void
write_message (ReeveLogMessage *message, const char *domain, const char *file)
{
  const char *line =
      find_field (message->fields, message->n_fields, "CODE_LINE");

  REEVE_LOCK_SCOPE (&lock);

  if (!judge_locked (message, domain))
    return;
  /* What was asked for is not limited. */
  if (message->level > G_LOG_LEVEL_MESSAGE ||
      !is_limited_locked (message->source, domain))
    reeve_log_outputs_write (outputs, message);
  else
    write_limited_locked (message, file != NULL ? file : domain, line);
}

static GLogWriterOutput
take_message (GLogLevelFlags flags,
              const GLogField *fields,
              gsize n_fields,
              gpointer user_data)
{
  ReeveLogMessage message = { .fields = fields, .n_fields = n_fields };
  const char *file, *domain;
  g_autofree char *source = NULL;

  fill_level (&message, flags & G_LOG_LEVEL_MASK);
  if (!reeve_debug_is_wanted (message.level))
    return G_LOG_WRITER_HANDLED;

  file = find_field (fields, n_fields, "CODE_FILE");
  domain = find_field (fields, n_fields, "GLIB_DOMAIN");
  message.text = find_field (fields, n_fields, "MESSAGE");
  if (message.text == NULL)
    message.text = "";
  /* A domain that stays what it is: it is compared as a pointer. */
  domain = g_intern_string (domain != NULL ? domain : "");
  source = file != NULL ? reeve_log_source_from_path (file) : g_strdup (domain);
  message.source = source;
  write_message (&message, domain, file);
  return G_LOG_WRITER_HANDLED;
}

/* ------------------------------------------------------------- changes --- */

static void
update_wanted_locked (void) REEVE_REQUIRES (lock)
{
  GLogLevelFlags widest = reeve_log_filters_get_widest (filters, common_level);

  widest = MIN (widest, reeve_log_outputs_get_widest (outputs));
  reeve_debug_set_wanted (MAX (widest, reeve_log_rules_get_widest (rules)));
}

/* (transfer full): @new in, what was there out. */
static GPtrArray *
exchange (GPtrArray **where, GPtrArray *new)
{
  GPtrArray *old;

  REEVE_LOCK_SCOPE (&lock);

  old = *where;
  *where = new;
  update_wanted_locked ();
  return old;
}

static char *
dup_default (char **where)
{
  REEVE_LOCK_SCOPE (&lock);

  return g_strdup (*where);
}

static void
set_default (char **where, const char *text)
{
  REEVE_LOCK_SCOPE (&lock);

  g_free (*where);
  *where = g_strdup (text);
}

static gboolean
is_set (const char *text)
{
  return text != NULL && text[strspn (text, " \t\n")] != '\0';
}

gboolean
reeve_log_set_outputs (const char *text, GError **error)
{
  g_autofree char *wanted =
      is_set (text) ? g_strdup (text) : dup_default (&default_outputs);
  GPtrArray *new = reeve_log_outputs_parse (wanted, error);

  if (new == NULL)
    return FALSE;

  g_ptr_array_unref (exchange (&outputs, new));
  return TRUE;
}

gboolean
reeve_log_reopen (GError **error)
{
  unsigned n_outputs;
  g_autofree char *text = reeve_log_dup_outputs (&n_outputs);

  return reeve_log_set_outputs (text, error);
}

gboolean
reeve_log_has_journal (void)
{
  return reeve_log_output_has_journal ();
}

void
reeve_log_give (uid_t uid, gid_t gid)
{
  REEVE_LOCK_SCOPE (&lock);

  reeve_log_outputs_give (outputs, uid, gid);
}

gboolean
reeve_log_set_filters (const char *text, GError **error)
{
  g_autofree char *wanted =
      is_set (text) ? g_strdup (text) : dup_default (&default_filters);
  GPtrArray *new = reeve_log_filters_parse (wanted, error);

  if (new == NULL)
    return FALSE;

  g_ptr_array_unref (exchange (&filters, new));
  return TRUE;
}

static const char *
get_first_output (void)
{
  return g_log_writer_is_journald (STDERR_FILENO) ? "1:journald" : "1:stderr";
}

gboolean
reeve_log_set_defaults (const char *output_text,
                        const char *filter_text,
                        GError **error)
{
  g_autoptr (GPtrArray) new_outputs = NULL;
  g_autoptr (GPtrArray) new_filters = NULL;

  if (!is_set (output_text))
    output_text = get_first_output ();
  if (filter_text == NULL)
    filter_text = "";
  new_outputs = reeve_log_outputs_parse (output_text, error);
  if (new_outputs == NULL)
    return FALSE;
  new_filters = reeve_log_filters_parse (filter_text, error);
  if (new_filters == NULL)
    return FALSE;

  set_default (&default_outputs, output_text);
  set_default (&default_filters, filter_text);
  new_outputs = exchange (&outputs, g_steal_pointer (&new_outputs));
  new_filters = exchange (&filters, g_steal_pointer (&new_filters));
  return TRUE;
}

char *
reeve_log_dup_outputs (unsigned *n_outputs)
{
  REEVE_LOCK_SCOPE (&lock);

  *n_outputs = outputs->len;
  return reeve_log_outputs_format (outputs);
}

char *
reeve_log_dup_filters (unsigned *n_filters)
{
  REEVE_LOCK_SCOPE (&lock);

  *n_filters = filters->len;
  return reeve_log_filters_format (filters);
}

void
reeve_log_set_level (GLogLevelFlags level)
{
  REEVE_LOCK_SCOPE (&lock);

  common_level = level;
  update_wanted_locked ();
}

GLogLevelFlags
reeve_log_get_level (void)
{
  REEVE_LOCK_SCOPE (&lock);

  return common_level;
}

/* --------------------------------------------------------------- rules --- */

gboolean
reeve_log_add_rule (const ReeveLogRule *rule, GError **error)
{
  gboolean is_added;

  REEVE_LOCK_SCOPE (&lock);

  is_added = reeve_log_rules_add (rules, rule, error);
  update_wanted_locked ();
  return is_added;
}

void
reeve_log_clear_rules (void)
{
  REEVE_LOCK_SCOPE (&lock);

  reeve_log_rules_clear (rules);
  update_wanted_locked ();
}

gboolean
reeve_log_get_levels (const char *source, GLogLevelFlags *level_of)
{
  GLogLevelFlags common;

  REEVE_LOCK_SCOPE (&lock);

  common = reeve_log_filters_get_level (filters, source, "", common_level);
  for (int i = 0; i < REEVE_LOG_N_DESTINATIONS; i++) {
    GLogLevelFlags level = reeve_log_outputs_get_level (outputs, i);

    level_of[i] = MIN (level, common);
    if (level > 0)
      reeve_log_rules_lookup (rules, source, "", i, &level_of[i]);
  }
  return is_limited_locked (source, "");
}

static int
compare_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
reeve_log_dup_sources (void)
{
  GPtrArray *sources = g_ptr_array_new_with_free_func (g_free);

  REEVE_LOCK_SCOPE (&lock);

  reeve_log_filters_add_sources (filters, sources);
  reeve_log_rules_add_sources (rules, sources);
  g_ptr_array_sort (sources, compare_text);
  for (unsigned i = sources->len; i-- > 1;)
    if (g_str_equal (sources->pdata[i], sources->pdata[i - 1]))
      g_ptr_array_remove_index (sources, i);
  return sources;
}

const char *
reeve_log_get_pattern (int destination)
{
  REEVE_LOCK_SCOPE (&lock);

  return reeve_log_outputs_get_pattern (outputs, destination);
}

void
reeve_log_set_destination_level (int destination, char digit)
{
  REEVE_LOCK_SCOPE (&lock);

  reeve_log_outputs_set_level (outputs, destination, digit);
  update_wanted_locked ();
}

void
reeve_log_close_files (void)
{
  REEVE_LOCK_SCOPE (&lock);

  reeve_log_outputs_close_files (outputs);
}

/* ------------------------------------------------------------ the start --- */

static void
start (GLogLevelFlags level)
{
  REEVE_LOCK_SCOPE (&lock);

  common_level = level;
  rules = reeve_log_rules_new ();
  limit = reeve_log_limit_new ();
  outputs = reeve_log_outputs_parse (get_first_output (), NULL);
  filters = reeve_log_filters_parse ("", NULL);
  default_outputs = g_strdup (get_first_output ());
  default_filters = g_strdup ("");
  update_wanted_locked ();
}

void
reeve_log_init (GLogLevelFlags level)
{
  start (level);
  g_log_set_writer_func (take_message, NULL, NULL);
}

gboolean
reeve_log_parse_level (const char *name, GLogLevelFlags *level, GError **error)
{
  /* From the end, so that "error" includes what GLib calls critical. */
  for (size_t i = G_N_ELEMENTS (levels); i-- > 0;) {
    if (strcmp (levels[i].name, name) == 0) {
      *level = levels[i].level;
      return TRUE;
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is not a log level: debug, info, notice, warning and "
                  "error are"),
               name);
  return FALSE;
}
