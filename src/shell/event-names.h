/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* (nullable): the name of event number @index, for completion. */
const char *reeve_event_name (size_t index);
