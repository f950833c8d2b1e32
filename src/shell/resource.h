/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/shell.h"

G_BEGIN_DECLS

/* (transfer full): those in the directory that @prefix ends in, a page of them;
 * directories end in a slash. */
GStrv reeve_resource_list_paths (ReeveShell *shell, const char *prefix);

G_END_DECLS
