/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/tree.h"

/* (transfer full): a provider in which clients make what they like, but nothing
 * whose name begins with "full"; for that there is no room (`ENOSPC`). */
ReeveResourceNode *scratch_new (mode_t mode);
