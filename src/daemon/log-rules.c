/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-rules.h"

#include "event/intl.h"
#include "rpc/error.h"

#define MAX_RULES 256

typedef struct {
  char *source;          /* (owned) (nullable) */
  GPatternSpec *pattern; /* (owned) (nullable): of that */
  int destination;
  GLogLevelFlags level;
} Rule;

struct _ReeveLogRules {
  GPtrArray *rules; /* (element-type Rule): from the newest on */
};

static void
rule_free (gpointer data)
{
  Rule *self = data;

  g_free (self->source);
  g_clear_pointer (&self->pattern, g_pattern_spec_free);
  g_free (self);
}

ReeveLogRules *
reeve_log_rules_new (void)
{
  ReeveLogRules *self = g_new (ReeveLogRules, 1);

  self->rules = g_ptr_array_new_with_free_func (rule_free);
  return self;
}

void
reeve_log_rules_free (ReeveLogRules *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->rules);
  g_free (self);
}

/* Whether @old says nothing that @new does not. */
static gboolean
covers (const ReeveLogRule *new, const Rule *old)
{
  return (new->source == NULL || g_strcmp0 (new->source, old->source) == 0) &&
         (new->destination == old->destination ||
          (new->destination == REEVE_LOG_ALL &&
           old->destination != REEVE_LOG_RATE));
}

static Rule *
rule_new (const ReeveLogRule *from)
{
  Rule *self = g_new0 (Rule, 1);

  self->destination = from->destination;
  self->level = from->level;
  if (from->source != NULL) {
    g_autofree char *anywhere = g_strdup_printf ("*%s*", from->source);

    self->source = g_strdup (from->source);
    self->pattern = g_pattern_spec_new (anywhere);
  }
  return self;
}

gboolean
reeve_log_rules_add (ReeveLogRules *self,
                     const ReeveLogRule *rule,
                     GError **error)
{
  for (unsigned i = self->rules->len; i-- > 0;)
    if (covers (rule, self->rules->pdata[i]))
      g_ptr_array_remove_index (self->rules, i);

  if (self->rules->len == MAX_RULES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("There are at most %d levels of sources and destinations"),
                 MAX_RULES);
    return FALSE;
  }
  g_ptr_array_insert (self->rules, 0, rule_new (rule));
  return TRUE;
}

void
reeve_log_rules_clear (ReeveLogRules *self)
{
  g_ptr_array_set_size (self->rules, 0);
}

gboolean
reeve_log_rules_lookup (ReeveLogRules *self,
                        const char *source,
                        const char *domain,
                        int destination,
                        GLogLevelFlags *level)
{
  for (unsigned i = 0; i < self->rules->len; i++) {
    const Rule *rule = self->rules->pdata[i];

    if ((rule->destination == destination ||
         (rule->destination == REEVE_LOG_ALL &&
          destination != REEVE_LOG_RATE)) &&
        (rule->pattern == NULL ||
         g_pattern_spec_match_string (rule->pattern, source) ||
         g_pattern_spec_match_string (rule->pattern, domain))) {
      *level = rule->level;
      return TRUE;
    }
  }

  return FALSE;
}

GLogLevelFlags
reeve_log_rules_get_widest (ReeveLogRules *self)
{
  GLogLevelFlags widest = 0;

  for (unsigned i = 0; i < self->rules->len; i++) {
    const Rule *rule = self->rules->pdata[i];

    if (rule->destination != REEVE_LOG_RATE)
      widest = MAX (widest, rule->level);
  }

  return widest;
}

void
reeve_log_rules_add_sources (ReeveLogRules *self, GPtrArray *sources)
{
  for (unsigned i = 0; i < self->rules->len; i++) {
    const Rule *rule = self->rules->pdata[i];

    if (rule->source != NULL)
      g_ptr_array_add (sources, g_strdup (rule->source));
  }
}
