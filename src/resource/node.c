/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/node.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _ReeveResourceNode {
  grefcount refs;
  ReeveResourceAttr attr;
  const ReeveResourceOps *ops; /* immutable (nullable) */
  char *target;                /* immutable (nullable) */
  gpointer data;
  GDestroyNotify free_func;
  ReeveResourceGuard guard; /* (nullable) */
  gpointer guard_data;
  ReeveResourceSight sight; /* (nullable) */
  gpointer sight_data;
  uint64_t version;
  GPtrArray *watches; /* (element-type ReeveResourceWatch) (nullable) */
};

/* A call of its function may free it, so that it is counted. */
struct _ReeveResourceWatch {
  ReeveResourceNode *node; /* (owned); NULL once it was freed */
  ReeveResourceWatchFunc func;
  gpointer data;
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
reeve_resource_node_new_directory (mode_t mode)
{
  return reeve_resource_node_new (S_IFDIR | mode, NULL, NULL, NULL);
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
  /* Each watch holds the node. */
  g_clear_pointer (&self->watches, g_ptr_array_unref);
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
reeve_resource_node_is_directory (const ReeveResourceNode *self)
{
  return S_ISDIR (self->attr.mode);
}

const ReeveResourceOps *
reeve_resource_node_get_ops (const ReeveResourceNode *self)
{
  return self->ops;
}

gpointer
reeve_resource_node_get_data (const ReeveResourceNode *self)
{
  return self->data;
}

uint64_t
reeve_resource_node_get_size (ReeveResourceNode *self)
{
  if (self->target != NULL)
    return strlen (self->target);
  if (self->ops == NULL || self->ops->get_size == NULL)
    return 0;
  return self->ops->get_size (self, self->data);
}

int
reeve_resource_node_truncate (ReeveResourceNode *self, uint64_t size)
{
  if (S_ISDIR (self->attr.mode))
    return EISDIR;
  if (self->ops == NULL || self->ops->truncate == NULL)
    return 0;
  return self->ops->truncate (self, size, self->data);
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

void
reeve_resource_node_set_guard (ReeveResourceNode *self,
                               ReeveResourceGuard guard,
                               gpointer data)
{
  self->guard = guard;
  self->guard_data = data;
}

void
reeve_resource_node_set_sight (ReeveResourceNode *self,
                               ReeveResourceSight sight,
                               gpointer data)
{
  self->sight = sight;
  self->sight_data = data;
}

gboolean
reeve_resource_node_is_guarded (const ReeveResourceNode *self)
{
  return self->guard != NULL || self->sight != NULL;
}

gboolean
reeve_resource_node_can_hide (const ReeveResourceNode *self)
{
  return self->sight != NULL;
}

gboolean
reeve_resource_node_is_visible (ReeveResourceNode *self,
                                const ReeveResourceCaller *caller)
{
  return self->sight == NULL || self->sight (self, caller, self->sight_data);
}

int
reeve_resource_node_check_access (ReeveResourceNode *self,
                                  const ReeveResourceCaller *caller,
                                  int want)
{
  mode_t mode = self->attr.mode;
  mode_t bits = 0;

  if (caller->is_foreign && self->guard != NULL)
    bits = R_OK | W_OK | X_OK;
  else if (caller->uid == 0)
    bits = R_OK | W_OK | ((mode & 0111) != 0 || S_ISDIR (mode) ? X_OK : 0);
  else if (caller->uid == self->attr.uid)
    bits = mode >> 6;
  else if (caller_is_member (caller, self->attr.gid))
    bits = mode >> 3;
  else
    bits = mode;

  if (((mode_t) want & ~bits) != 0)
    return EACCES;
  return self->guard == NULL ||
                 self->guard (self, caller, want, self->guard_data)
             ? 0
             : EACCES;
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

int
reeve_resource_node_set_times (ReeveResourceNode *self,
                               const ReeveResourceCaller *caller,
                               int64_t atime_us,
                               int64_t mtime_us,
                               int64_t now_us)
{
  if (caller->uid != 0 && caller->uid != self->attr.uid)
    return EPERM;

  if (atime_us != -1)
    self->attr.atime_us = atime_us;
  if (mtime_us != -1)
    self->attr.mtime_us = mtime_us;
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

/* ------------------------------------------------------------- watching -- */

static void
drop_watch (gpointer data)
{
  g_rc_box_release (data);
}

void
reeve_resource_node_notify (ReeveResourceNode *self)
{
  g_autoptr (ReeveResourceNode) alive G_GNUC_UNUSED =
      reeve_resource_node_ref (self);
  g_autoptr (GPtrArray) watches = g_ptr_array_new_with_free_func (drop_watch);

  self->version++;
  reeve_resource_node_note_change (self, g_get_real_time ());

  for (unsigned i = 0; self->watches != NULL && i < self->watches->len; i++)
    g_ptr_array_add (watches, g_rc_box_acquire (self->watches->pdata[i]));
  for (unsigned i = 0; i < watches->len; i++) {
    ReeveResourceWatch *watch = watches->pdata[i];

    if (watch->node != NULL)
      watch->func (self, watch->data);
  }
}

uint64_t
reeve_resource_node_get_version (const ReeveResourceNode *self)
{
  return self->version;
}

ReeveResourceWatch *
reeve_resource_watch_new (ReeveResourceNode *node,
                          ReeveResourceWatchFunc func,
                          gpointer data)
{
  ReeveResourceWatch *self = g_rc_box_new0 (ReeveResourceWatch);

  self->node = reeve_resource_node_ref (node);
  self->func = func;
  self->data = data;
  if (node->watches == NULL)
    node->watches = g_ptr_array_new ();
  g_ptr_array_add (node->watches, self);
  return self;
}

void
reeve_resource_watch_free (ReeveResourceWatch *self)
{
  ReeveResourceNode *node = NULL;

  if (self == NULL)
    return;

  node = g_steal_pointer (&self->node);
  g_ptr_array_remove (node->watches, self);
  g_rc_box_release (self);
  reeve_resource_node_unref (node);
}
