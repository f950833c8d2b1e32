/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Sets @key to what a typed parameter holds; one of an unknown type is left
 * out.
 * @type: of the union `remote_typed_param_value`, or of another program's with
 * the same arms */
void reeve_json_set_typed (JsonObject *object,
                           const char *key,
                           const ReeveType *type,
                           gconstpointer value);

G_END_DECLS
