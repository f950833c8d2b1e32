/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

/* Fills @value, a zeroed value of @type, with what @random gives: few and many
 * elements up to the limit (of small limits), absent and present optionals,
 * any arm of a union, strings of UTF-8. */
void random_value_fill (const ReeveType *type, gpointer value, GRand *random);
