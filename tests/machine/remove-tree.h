/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <ftw.h>
#include <stdio.h>

static inline int
remove_entry (const char *path,
              const struct stat *info,
              int type,
              struct FTW *where)
{
  return remove (path);
}

/* With all that is in it; links are not followed. */
static inline void
remove_tree (const char *path)
{
  nftw (path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
