/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/command.h"

G_BEGIN_DECLS

/* The commands that move the bytes of a volume: between what the options "vol"
 * and "pool" name and the "file", from "offset" on, "length" of them, "sparse"
 * or not. */
gboolean reeve_volume_upload (ReeveShell *shell,
                              const ReeveArguments *arguments,
                              GError **error);
gboolean reeve_volume_download (ReeveShell *shell,
                                const ReeveArguments *arguments,
                                GError **error);

G_END_DECLS
