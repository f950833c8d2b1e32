/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/handle.h"
#include "resource/program.h"
#include "rpc/call.h"

#include "protocol/resource.h"

G_BEGIN_DECLS

struct _ReeveResourceProgram {
  ReeveServer *server; /* (owned) */
  ReeveLoop *loop;     /* (owned) */
  ReeveResourceTree *tree;
  GQueue sessions;    /* (element-type ReeveResourceSession): those that have
                         not ended */
  GArray *ranges;     /* (element-type MessageRange): of messages */
  GHashTable *pulses; /* code -> PulseEntry (owned) */
  uint64_t last_handle;
};

/* What a client has. Of the loop's thread; it is freed with the connection and
 * its last call, in any. */
typedef struct {
  ReeveResourceProgram *program;
  ReeveServerClient *client; /* (nullable): none once the connection ended */
  GHashTable *files;         /* number -> ReeveResourceFile (owned) */
  GQueue runs;               /* (element-type ReeveResourceRun): that wait */
  unsigned n_event_fds;
  GList link; /* of the program's */
} ReeveResourceSession;

/* A handle of a client. */
typedef struct {
  ReeveResourceSession *session;
  uint64_t number;
  char *path;                  /* (owned) */
  ReeveResourceHandle *handle; /* (owned) */

  /* What NOTIFY asked for. */
  ReeveResourceWatch *watch; /* (owned) (nullable): while it waits */
  unsigned events;
  gboolean is_next;
  uint64_t cookie;
  int event_fd; /* (owned), or -1 */
} ReeveResourceFile;

ReeveResourceProgram *reeve_resource_program_get (ReeveCall *call);
void reeve_resource_caller_init (ReeveResourceCaller *self,
                                 ReeveServerClient *client);
/* Whether a node's guard is asked, and no rules about paths. */
gboolean reeve_resource_has_own_rules (ReeveCall *call, const char *path);
/* What @errnum is for a client. Returns: %FALSE */
gboolean
reeve_resource_set_error (GError **error, int errnum, const char *what);

/* (transfer none): made if it is not there. */
ReeveResourceSession *reeve_resource_session_get (ReeveCall *call);
/* Returns: 0 or an errno. */
int reeve_resource_session_open (ReeveResourceSession *self,
                                 const resource_open_args *args,
                                 uint64_t *number);
int
reeve_resource_session_close_file (ReeveResourceSession *self, uint64_t number);
/* (nullable): %NULL: `EBADF` */
ReeveResourceFile *
reeve_resource_session_find (ReeveResourceSession *self, uint64_t number);
void reeve_resource_fill_attr (resource_attr *attr, ReeveResourceNode *node);

gboolean reeve_resource_notify (ReeveCall *call,
                                const resource_notify_args *args,
                                resource_notify_ret *ret,
                                GError **error);
/* Takes back what NOTIFY asked for. */
void reeve_resource_file_disarm (ReeveResourceFile *self);
/* Tells of @ready, if NOTIFY asked for anything. */
void reeve_resource_file_tell (ReeveResourceFile *self, unsigned ready);

/* A call that is made in steps. */
typedef struct _ReeveResourceRun ReeveResourceRun;

void reeve_resource_add_run_handlers (resource_handlers *handlers);
/* What waits for @number, or for any handle if that is 0; returns how much. */
unsigned reeve_resource_session_cancel (ReeveResourceSession *self,
                                        uint64_t number,
                                        int errnum);

G_END_DECLS
