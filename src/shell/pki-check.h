/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/command.h"

G_BEGIN_DECLS

/* `pki check`: a row for each step from the files to the server's consent.
 * Errors: of the first step that failed. */
gboolean reeve_pki_check (ReeveShell *shell,
                          const ReeveArguments *arguments,
                          GError **error);

G_END_DECLS
