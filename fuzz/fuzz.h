/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls, or replay.c for each file of the corpus. Whatever the
 * bytes are, it returns 0; what must not be is an assertion. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
