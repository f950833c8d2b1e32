/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/command.h"

G_BEGIN_DECLS

/* The command: a picture of the "screen" of a machine goes to a "file", or to
 * one that is named after the machine and the time. */
gboolean reeve_screenshot_run (ReeveShell *shell,
                               const ReeveArguments *arguments,
                               GError **error);

G_END_DECLS
