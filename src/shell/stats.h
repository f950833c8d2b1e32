/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/command.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The command "domstats". */
#define REEVE_STATS_N_OPTIONS 9
extern const ReeveOption reeve_stats_options[REEVE_STATS_N_OPTIONS];
gboolean reeve_stats_run (ReeveShell *shell,
                          const ReeveArguments *arguments,
                          GError **error);

/* Text: lines "key=value", indented below @name if there is one. JSON: the
 * object. (transfer full): @object. */
void
reeve_stats_print (ReeveShell *shell, const char *name, JsonObject *object);

G_END_DECLS
