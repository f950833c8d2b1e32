/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/request.h"

G_BEGIN_DECLS

/* A request's way to a thread of a pool and back; see pool.c. */
typedef struct _ReeveResourceErrand ReeveResourceErrand;

/* What is left to do with an answer in the loop's thread. */
typedef void (*ReeveResourceHomeFunc) (ReeveResourceRequest *request,
                                       GBytes *bytes,
                                       int64_t number);

/* Whether the client has its answer. Thread: loop, as the next ones. */
gboolean reeve_resource_request_is_answered (const ReeveResourceRequest *self);
void reeve_resource_request_set_errand (ReeveResourceRequest *self,
                                        ReeveResourceErrand *errand);
/* Whether no thread had taken it: then it is freed, and the request is the
 * caller's again. */
gboolean reeve_resource_errand_cancel (ReeveResourceErrand *self);

/* The request is answered on its errand. @bytes: (transfer full) (nullable).
 * Thread: any. */
void reeve_resource_errand_go_home (ReeveResourceErrand *self,
                                    ReeveResourceHomeFunc home,
                                    GBytes *bytes,
                                    int64_t number);

/* (nullable): where the request is. */
ReeveResourceErrand *
reeve_resource_request_get_errand (const ReeveResourceRequest *self);

G_END_DECLS
