/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/uri.h"
#include "shell/command.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* `pki check`: a row for each step from the files to the server's consent.
 * Errors: of the first step that failed. */
gboolean reeve_pki_check (ReeveShell *shell,
                          const ReeveArguments *arguments,
                          GError **error);

/* The same, as objects with the strings `check`, `result` ("ok", "warning",
 * "failed" or "skipped") and `detail`, for a connection by TLS. */
void
reeve_pki_check_uri (ReeveShell *shell, const ReeveUri *uri, JsonArray *rows);

G_END_DECLS
