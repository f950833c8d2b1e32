/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/debug.h"

atomic_int reeve_debug_wanted = G_LOG_LEVEL_MESSAGE;
