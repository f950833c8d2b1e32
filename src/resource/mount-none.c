/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "resource/mount.h"
#include "rpc/error.h"

/* In the place of mount.c where libfuse3 is missing. */

ReeveResourceMountPoint *
reeve_resource_mount_point_new (const char *name,
                                const char *path,
                                GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
               _ ("cannot mount %s: built without libfuse3"), path);
  return NULL;
}

void
reeve_resource_mount_point_free (ReeveResourceMountPoint *self)
{
  (void) self;
}

ReeveResourceMount *
reeve_resource_mount_new_at (ReeveLoop *loop,
                             ReeveResourceTree *tree,
                             ReeveResourceMountPoint *point,
                             GError **error)
{
  g_return_val_if_reached (NULL);
}

ReeveResourceMount *
reeve_resource_mount_new (ReeveLoop *loop,
                          ReeveResourceTree *tree,
                          const char *name,
                          const char *path,
                          GError **error)
{
  reeve_resource_mount_point_new (name, path, error);
  return NULL;
}

void
reeve_resource_mount_free (ReeveResourceMount *self)
{
  (void) self;
}

unsigned
reeve_resource_mount_count_open (const ReeveResourceMount *self)
{
  return 0;
}

unsigned
reeve_resource_mount_count_waiting (const ReeveResourceMount *self)
{
  return 0;
}

void
reeve_resource_mount_tell_inotify (ReeveResourceMount *self,
                                   ReeveResourcePool *pool)
{
}
