/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/refusals.h"

/* Between two lines about the same. */
#define QUIET_US (5 * G_USEC_PER_SEC)

void
reeve_refusals_init (ReeveRefusals *self)
{
  *self = (ReeveRefusals){ 0 };
  reeve_mutex_init (&self->lock);
}

void
reeve_refusals_clear (ReeveRefusals *self)
{
  reeve_mutex_clear (&self->lock);
}

gboolean
reeve_refusals_note (ReeveRefusals *self,
                     ReeveRefusal kind,
                     gint64 now_us,
                     guint64 *n_unsaid)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n[kind]++;
  if (self->said_us[kind] != 0 && now_us - self->said_us[kind] < QUIET_US) {
    self->n_unsaid[kind]++;
    return FALSE;
  }

  *n_unsaid = self->n_unsaid[kind];
  self->n_unsaid[kind] = 0;
  self->said_us[kind] = now_us;
  return TRUE;
}

guint64
reeve_refusals_count (ReeveRefusals *self, ReeveRefusal kind)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->n[kind];
}
