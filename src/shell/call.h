/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): "program.procedure" of those that are compiled in. */
GStrv reeve_call_list_procedures (void);

G_END_DECLS
