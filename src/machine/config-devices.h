/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/config-private.h"

G_BEGIN_DECLS

/* Reads <devices>, and adds what every machine has. */
gboolean reeve_config_parse_devices (ReeveConfig *self,
                                     xmlNode *devices,
                                     GError **error);

G_END_DECLS
