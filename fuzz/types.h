/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

#include <stddef.h>

/* The type of a program that @choice stands for: any value stands for one. */
const ReeveType *fuzz_choose_type (unsigned choice);

/* Asserts that @value comes back from the wire as it is. */
void fuzz_check_xdr (const ReeveType *type, gconstpointer value);
