/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/shell.h"

G_BEGIN_DECLS

/**
 * reeve_complete:
 * @words: (array zero-terminated=1): the words of a line; the last one is the
 *   one to complete and may be empty
 *
 * Never prompts and never waits longer than half a second for the daemon.
 *
 * Returns: (transfer full): what the last word may become; may be empty
 */
GStrv reeve_complete (ReeveShell *shell, const char *const *words);

G_END_DECLS
