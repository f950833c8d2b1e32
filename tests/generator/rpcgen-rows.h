/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

#include <rpc/xdr.h>

/* A type as our generator and as rpcgen made it; a table of them ends with a
 * NULL name. */
typedef struct {
  const char *name; /* FILE/TYPE */
  const ReeveType *type;
  size_t rpcgen_size;
  xdrproc_t rpcgen_code;
} RpcgenRow;

extern const RpcgenRow admin_rpcgen_rows[];
extern const RpcgenRow auth_rpcgen_rows[];
extern const RpcgenRow message_rpcgen_rows[];
extern const RpcgenRow monitor_rpcgen_rows[];
extern const RpcgenRow qemu_rpcgen_rows[];
extern const RpcgenRow reeve_rpcgen_rows[];
extern const RpcgenRow remote_rpcgen_rows[];
extern const RpcgenRow shapes_rpcgen_rows[];
