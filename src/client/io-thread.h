/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/* (transfer none): the loop of the library's one I/O thread, which is started
 * by the first call and lives as long as the process. Thread: any. */
ReeveLoop *reeve_io_thread_get_loop (void);

G_END_DECLS
