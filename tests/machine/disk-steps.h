/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What the code under test asks of a disk: a test that is linked with this is
 * called before each fsync(), mkdir(), rename(), renameat2(), symlink() and
 * unlink() of the process, in the thread that makes it.
 */

/* Returns the error (errno) with which @call fails, or 0 to let it happen. */
typedef int (*DiskStepFunc) (const char *call, gpointer data);

/* @func: (nullable) */
void disk_steps_watch (DiskStepFunc func, gpointer data);
