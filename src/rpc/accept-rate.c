/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/accept-rate.h"

gint64
reeve_accept_rate_get_wait (const ReeveAcceptRate *self,
                            unsigned per_second,
                            gint64 now_us)
{
  return per_second == 0 ? 0 : MAX (self->due_us - now_us, 0);
}

void
reeve_accept_rate_count (ReeveAcceptRate *self,
                         unsigned per_second,
                         gint64 now_us)
{
  if (per_second == 0)
    return;

  self->due_us =
      MAX (self->due_us, now_us - G_USEC_PER_SEC) + G_USEC_PER_SEC / per_second;
}
