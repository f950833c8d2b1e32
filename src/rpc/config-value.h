/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/config-tree.h"
#include "rpc/type.h"

G_BEGIN_DECLS

/*
 * The codec of configuration text: a struct <-> the nodes below one. Thread:
 * any.
 *
 * struct, union: a section (the arguments and results themselves: the root) ·
 * integer: a number; an unsigned one beyond int64_t: a string of digits · real:
 * a number, or "nan", "inf", "-inf" · bool: 1 or 0; true, false, yes and so on
 * are taken, too · string, opaque, enum: as in JSON (rpc/wire-json.h) · array:
 * a list; of what is no single value, a section of sections, whatever their
 * keys · optional: absent, or the value.
 */

/* Adds the members of @value, a struct or union of @type, below @node; of any
 * other type, one with the key `value`; nothing for void. */
void reeve_config_encode (const ReeveType *type,
                          gconstpointer value,
                          ReeveConfigNode *node);

/**
 * reeve_config_decode:
 * @value: (out caller-allocates): a zeroed value of @type; on failure it is
 *   left zeroed
 * @ignored: (nullable): a key of @node that is not looked at
 *
 * Of a key that is there twice the first counts, as for LVM's programs.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, as of reeve_json_decode().
 */
gboolean reeve_config_decode (const ReeveType *type,
                              const ReeveConfigNode *node,
                              const char *ignored,
                              gpointer value,
                              GError **error);

G_END_DECLS
