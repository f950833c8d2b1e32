/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* gettext for every layer: `_ ("text")`, `N_ ("text")`. Include it in .c files
 * alone. The library translates in its own domain. */

#include "config.h"

#include <glib/gi18n-lib.h>
