/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

G_BEGIN_DECLS

/* Appends the text of @value: byte for byte what reeve_json_print() makes of
 * reeve_json_encode()'s node, which does not come to be. Thread: any. */
void reeve_json_value_print (const ReeveType *type,
                             gconstpointer value,
                             GString *text);

/* Whether it is written with dashes instead of as base64. */
gboolean reeve_json_is_uuid (const ReeveType *type);

/* The integers up to which every JSON reader is exact. */
#define REEVE_JSON_EXACT_MAX (INT64_C (1) << 53)

G_END_DECLS
