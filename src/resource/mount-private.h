/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/handle.h"
#include "resource/mount.h"

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

G_BEGIN_DECLS

/* Tells inotify of changes; see mount-tell.c. */
typedef struct _ReeveMountTeller ReeveMountTeller;

/* A name that the kernel knows, until it forgets it. When another node comes to
 * the name, it gets another number. */
typedef struct {
  uint64_t number;
  uint64_t n_lookups;
  char *path;                /* (owned): "" for the root */
  ReeveResourceNode *node;   /* (owned) */
  ReeveMountTeller *teller;  /* (nullable): the mount's */
  ReeveResourceWatch *watch; /* (owned) (nullable): if there is one */
} ReeveMountInode;

/* All of the loop's thread. */
struct _ReeveResourceMount {
  ReeveLoop *loop;                /* immutable (owned), as what follows */
  ReeveResourceTree *tree;        /* (not owned) */
  char *path;                     /* (owned) */
  ReeveResourceMountPoint *point; /* (owned) */
  struct fuse_session *fuse;      /* (owned) (nullable) */
  struct fuse_buf buffer;         /* (owned): of one request */
  int watch;                      /* of the session's file, 0: none */

  uint64_t last_number;
  GHashTable *inodes;  /* (element-type guint64 ReeveMountInode) (owned) */
  GHashTable *by_path; /* (element-type utf8 ReeveMountInode) */
  GQueue files;        /* (element-type ReeveMountFile) (owned): open ones */
  GQueue calls;        /* (element-type ReeveMountCall) (owned): that wait */
  ReeveMountTeller *teller; /* (owned) (nullable): if inotify is told */
};

/* ----------------------------------------------------------- mount-inode -- */

void reeve_mount_inodes_init (ReeveResourceMount *self);
void reeve_mount_inodes_clear (ReeveResourceMount *self);

/* (transfer none): what the kernel knows by @number. */
ReeveMountInode *
reeve_mount_get_inode (ReeveResourceMount *self, uint64_t number);
/* (transfer none): what is at @name in @parent for who sent @req, looked up
 * once more. Returns: 0 or an error. */
int reeve_mount_look_up (ReeveResourceMount *self,
                         fuse_req_t req,
                         const ReeveMountInode *parent,
                         const char *name,
                         ReeveMountInode **inode);
void reeve_mount_forget (ReeveResourceMount *self,
                         uint64_t number,
                         uint64_t n_lookups);
/* Of the name @name in @parent, if the kernel knows it, else 0. */
uint64_t reeve_mount_find_number (ReeveResourceMount *self,
                                  const ReeveMountInode *parent,
                                  const char *name);
/* (transfer full): of @name in @parent. */
char *reeve_mount_dup_path (ReeveResourceMount *self,
                            uint64_t parent,
                            const char *name);
/* What was at @path and below is at @to now. */
void reeve_mount_move_inodes (ReeveResourceMount *self,
                              const char *path,
                              const char *to);
void reeve_mount_fill_stat (const ReeveMountInode *inode, struct stat *st);

/* ------------------------------------------------------------ mount-file -- */

/* Who asks. It is valid until it is cleared. */
typedef struct {
  ReeveResourceCaller caller;
  gid_t *groups; /* (owned) (nullable) */
} ReeveMountCaller;

void reeve_mount_caller_init (ReeveMountCaller *self, fuse_req_t req);
void reeve_mount_caller_clear (ReeveMountCaller *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveMountCaller, reeve_mount_caller_clear)

/* Puts what files do into @ops. */
void reeve_mount_add_file_ops (struct fuse_lowlevel_ops *ops);
/* Answers all calls that wait with ENODEV, and closes all files. */
void reeve_mount_close_files (ReeveResourceMount *self);

/* ------------------------------------------------------------ mount-tell -- */

/* Tells of changes of an inode that the kernel knows now. */
void reeve_mount_tell_of (ReeveMountTeller *self, ReeveMountInode *inode);
void reeve_mount_teller_free (ReeveMountTeller *self);

/* ------------------------------------------------------------- mount-ops -- */

extern const struct fuse_lowlevel_ops *reeve_mount_get_ops (void);

G_END_DECLS
