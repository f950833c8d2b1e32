/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/node.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct _ReeveResourceNode {
  grefcount refs;
  ReeveResourceAttr attr;
  const ReeveResourceOps *ops; /* immutable (nullable) */
  char *target;                /* immutable (nullable) */
  gpointer data;
  GDestroyNotify free_func;
};

ReeveResourceNode *
reeve_resource_node_new (mode_t mode,
                         const ReeveResourceOps *ops,
                         gpointer data,
                         GDestroyNotify free_func)
{
  ReeveResourceNode *self = g_new0 (ReeveResourceNode, 1);
  int64_t now_us = g_get_real_time ();

  g_ref_count_init (&self->refs);
  self->attr.mode = (mode & S_IFMT) == 0 ? mode | S_IFREG : mode;
  self->attr.uid = geteuid ();
  self->attr.gid = getegid ();
  self->attr.atime_us = now_us;
  self->attr.mtime_us = now_us;
  self->attr.ctime_us = now_us;
  self->ops = ops;
  self->data = data;
  self->free_func = free_func;
  return self;
}

ReeveResourceNode *
reeve_resource_node_new_symlink (const char *target)
{
  ReeveResourceNode *self =
      reeve_resource_node_new (S_IFLNK | 0777, NULL, NULL, NULL);

  self->target = g_strdup (target);
  return self;
}

ReeveResourceNode *
reeve_resource_node_ref (ReeveResourceNode *self)
{
  g_ref_count_inc (&self->refs);
  return self;
}

void
reeve_resource_node_unref (ReeveResourceNode *self)
{
  if (self == NULL || !g_ref_count_dec (&self->refs))
    return;

  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self->target);
  g_free (self);
}

const ReeveResourceAttr *
reeve_resource_node_get_attr (const ReeveResourceNode *self)
{
  return &self->attr;
}

const char *
reeve_resource_node_get_target (const ReeveResourceNode *self)
{
  return self->target;
}

gboolean
reeve_resource_node_has (ReeveResourceNode *self, const char *rest)
{
  if (*rest == '\0')
    return TRUE;

  return self->ops != NULL && self->ops->has != NULL &&
         self->ops->has (self, rest, self->data);
}

static gboolean
caller_is_member (const ReeveResourceCaller *caller, gid_t gid)
{
  if (caller->gid == gid)
    return TRUE;

  for (size_t i = 0; i < caller->n_groups; i++) {
    if (caller->groups[i] == gid)
      return TRUE;
  }
  return FALSE;
}

int
reeve_resource_node_check_access (const ReeveResourceNode *self,
                                  const ReeveResourceCaller *caller,
                                  int want)
{
  mode_t mode = self->attr.mode;
  mode_t bits = 0;

  if (caller->uid == 0)
    bits = R_OK | W_OK | ((mode & 0111) != 0 || S_ISDIR (mode) ? X_OK : 0);
  else if (caller->uid == self->attr.uid)
    bits = mode >> 6;
  else if (caller_is_member (caller, self->attr.gid))
    bits = mode >> 3;
  else
    bits = mode;

  return ((mode_t) want & ~bits) == 0 ? 0 : EACCES;
}

int
reeve_resource_node_chmod (ReeveResourceNode *self,
                           const ReeveResourceCaller *caller,
                           mode_t mode,
                           int64_t now_us)
{
  if (caller->uid != 0 && caller->uid != self->attr.uid)
    return EPERM;

  self->attr.mode = (self->attr.mode & S_IFMT) | (mode & ~(mode_t) S_IFMT);
  self->attr.ctime_us = now_us;
  return 0;
}

int
reeve_resource_node_chown (ReeveResourceNode *self,
                           const ReeveResourceCaller *caller,
                           uid_t uid,
                           gid_t gid,
                           int64_t now_us)
{
  if (uid == (uid_t) -1)
    uid = self->attr.uid;
  if (gid == (gid_t) -1)
    gid = self->attr.gid;

  if (caller->uid != 0) {
    if (caller->uid != self->attr.uid || uid != self->attr.uid)
      return EPERM;
    if (gid != self->attr.gid && !caller_is_member (caller, gid))
      return EPERM;
  }

  self->attr.uid = uid;
  self->attr.gid = gid;
  self->attr.mode &= ~(mode_t) (S_ISUID | S_ISGID);
  self->attr.ctime_us = now_us;
  return 0;
}

void
reeve_resource_node_note_read (ReeveResourceNode *self, int64_t now_us)
{
  self->attr.atime_us = now_us;
}

void
reeve_resource_node_note_change (ReeveResourceNode *self, int64_t now_us)
{
  self->attr.mtime_us = now_us;
  self->attr.ctime_us = now_us;
}
