/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/log-output.h"

G_BEGIN_DECLS

/* In place of a destination: all of them, and how often one place in the code
 * may write, where any level but 0 is without a limit. */
#define REEVE_LOG_ALL (-1)
#define REEVE_LOG_RATE REEVE_LOG_N_DESTINATIONS

/**
 * ReeveLogRule:
 * @source: (nullable): as the match of a filter; %NULL: all
 * @level: the least severe that gets there; 0: nothing does
 *
 * What goes before the levels of filters and outputs.
 */
typedef struct {
  const char *source;
  int destination;
  GLogLevelFlags level;
} ReeveLogRule;

/**
 * ReeveLogRules:
 *
 * Rules, of which the newest that fits counts. Only one thread at a time may
 * use them.
 */
typedef struct _ReeveLogRules ReeveLogRules;

ReeveLogRules *reeve_log_rules_new (void);
void reeve_log_rules_free (ReeveLogRules *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveLogRules, reeve_log_rules_free)

/* @rule is copied, and those that it leaves nothing to say are dropped.
 * Errors: %REEVE_ERROR_LIMIT. */
gboolean reeve_log_rules_add (ReeveLogRules *self,
                              const ReeveLogRule *rule,
                              GError **error);

void reeve_log_rules_clear (ReeveLogRules *self);

/* @level: (out): of the rule for @destination, if there is one. */
gboolean reeve_log_rules_lookup (ReeveLogRules *self,
                                 const char *source,
                                 const char *domain,
                                 int destination,
                                 GLogLevelFlags *level);

/* The least severe level that one of them wants somewhere, or 0. */
GLogLevelFlags reeve_log_rules_get_widest (ReeveLogRules *self);

/* Adds copies of the sources that they name to @sources. */
void reeve_log_rules_add_sources (ReeveLogRules *self, GPtrArray *sources);

G_END_DECLS
