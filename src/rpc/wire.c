/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/wire.h"

#include <string.h>

const ReeveWire *
reeve_wire_sniff (uint8_t first)
{
  /* No length of XDR begins with more: REEVE_MESSAGE_MAX. */
  if (first <= REEVE_MESSAGE_MAX >> 24)
    return &reeve_xdr_wire;
  if (first < 0x80 && strchr ("{[ \t\r\n", first) != NULL)
    return &reeve_json_wire;
  if (g_ascii_isgraph (first))
    return &reeve_text_wire;
  return NULL;
}

const ReeveWire *
reeve_wire_find (ReeveWires flag)
{
  static const ReeveWire *const wires[] = { &reeve_xdr_wire, &reeve_json_wire,
                                            &reeve_text_wire };

  for (size_t i = 0; i < G_N_ELEMENTS (wires); i++)
    if (wires[i]->flag == flag)
      return wires[i];

  return NULL;
}
