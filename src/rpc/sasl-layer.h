/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/stream-layer.h"

G_BEGIN_DECLS

/**
 * ReeveSaslLayer:
 *
 * The security layer that a SASL exchange agreed on, for
 * reeve_stream_set_layer() with %reeve_sasl_layer_class. It holds one packet
 * at most in each direction, so what it costs is what was agreed on: 64 KiB.
 */
typedef struct _ReeveSaslLayer ReeveSaslLayer;

extern const ReeveStreamLayer reeve_sasl_layer_class;

struct sasl_conn;

/**
 * reeve_sasl_layer_new:
 * @exchange: (transfer none): one that is complete
 * @owner: (transfer full): frees @exchange, and what its callbacks need
 *
 * Returns: (transfer full) (nullable): %NULL, and @owner is freed, when the
 *   exchange agreed on no layer
 */
ReeveSaslLayer *reeve_sasl_layer_new (struct sasl_conn *exchange,
                                      gpointer owner,
                                      GDestroyNotify free_owner);
void reeve_sasl_layer_free (gpointer self);

G_END_DECLS
