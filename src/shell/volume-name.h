/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/remote.h"
#include "shell/command.h"

G_BEGIN_DECLS

/* How a command names the pool and the volume it is about. */

#define REEVE_OPTION_POOL                                                      \
  {                                                                            \
    "pool", REEVE_OPTION_STRING, TRUE, FALSE, REEVE_COMPLETE_NOTHING,          \
        N_ ("name or uuid of the pool")                                        \
  }
#define REEVE_OPTION_VOLUME                                                    \
  {                                                                            \
    "vol", REEVE_OPTION_STRING, TRUE, FALSE, REEVE_COMPLETE_NOTHING,           \
        N_ ("name, key or path of the volume")                                 \
  }
#define REEVE_OPTION_VOLUME_POOL                                               \
  {                                                                            \
    "pool", REEVE_OPTION_STRING, FALSE, FALSE, REEVE_COMPLETE_NOTHING,         \
        N_ ("the volume's pool, where it is named by its name")                \
  }

/* By the option "pool". (out caller-allocates): zeroed; clear it with
 * remote_storage_pool_clear(). */
gboolean reeve_volume_name_get_pool (ReeveShell *shell,
                                     const ReeveArguments *arguments,
                                     remote_storage_pool *pool,
                                     GError **error);

/* @name in @pool; (nullable): without one it is a key or a path. */
gboolean reeve_volume_name_resolve (ReeveShell *shell,
                                    const char *name,
                                    const remote_storage_pool *pool,
                                    remote_storage_vol *volume,
                                    GError **error);

/* The same for the options "vol" and "pool". */
gboolean reeve_volume_name_get (ReeveShell *shell,
                                const ReeveArguments *arguments,
                                remote_storage_vol *volume,
                                GError **error);

G_END_DECLS
