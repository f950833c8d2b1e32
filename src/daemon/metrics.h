/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "protocol/reeve.h"

G_BEGIN_DECLS

/* Limits and counters of all servers, as the program `reeve` gives them. */
void reeve_metrics_collect (ReeveDaemon *daemon, reeve_metrics_ret *ret);

G_END_DECLS
