/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Words for the numbers of the `remote` program. An unknown number is
 * "unknown". The untranslated word is the one for JSON, and
 * for what the daemon itself tells. */

/* "running", "shut off", … */
const char *reeve_state_name (int32_t state);
/* "booted", "destroyed", … */
const char *reeve_state_reason_name (int32_t state, int32_t reason);
/* "Started", "Stopped", … and "Booted", "Destroyed", … */
const char *reeve_lifecycle_name (int32_t event);
const char *reeve_lifecycle_detail_name (int32_t event, int32_t detail);
/* (nullable): "actual", "swap_in", … */
const char *reeve_memory_stat_name (int32_t tag);

G_END_DECLS
