/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Keeps all threads of a process on one core, or lets them go again. */
void place_process (pid_t pid, gboolean is_on_one_core);
