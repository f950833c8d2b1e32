/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/request.h"

G_BEGIN_DECLS

/* The most that is taken as a value or a command. */
#define REEVE_RESOURCE_TEXT_MAX (64 * 1024)

/**
 * ReeveResourceTextFuncs:
 * @read: (nullable): answers with reeve_resource_request_show() or
 *   reeve_resource_request_fail(), at once or later
 * @write: (nullable): gets the whole text without the end of its line, and
 *   answers with reeve_resource_request_take() or reeve_resource_request_fail()
 *
 * A node whose content is a text that is made when somebody reads it, and that
 * is replaced when somebody writes. Each write is one text, however far the
 * writer has come: so one that cannot be read is a control file, of which a
 * write is a command. What is no text is refused with `EINVAL`.
 *
 * A reader sees one text from its begin to its end; it gets a newer one when it
 * reads at the begin again. poll() says that there is a newer one.
 */
typedef struct {
  void (*read) (ReeveResourceRequest *request, gpointer data);
  void (*write) (ReeveResourceRequest *request,
                 const char *text,
                 gpointer data);
} ReeveResourceTextFuncs;

/**
 * reeve_resource_property_new:
 * @funcs: as long as the node lives
 *
 * The others are those of reeve_resource_node_new(). A change is told by
 * reeve_resource_node_notify().
 */
ReeveResourceNode *
reeve_resource_property_new (mode_t mode,
                             const ReeveResourceTextFuncs *funcs,
                             gpointer data,
                             GDestroyNotify free_func);

/** A property with a text that does not change. */
ReeveResourceNode *reeve_resource_text_new (mode_t mode, const char *text);

/** Of a property that is read: its text, of this moment. */
void reeve_resource_request_show (ReeveResourceRequest *self, GBytes *text);
/** The same. @text: (transfer full) */
void reeve_resource_request_show_text (ReeveResourceRequest *self, char *text);

/**
 * reeve_resource_transaction_new:
 * @funcs: `write` gets a request, and answers with
 *   reeve_resource_request_return() or reeve_resource_request_fail(); there is
 *   no `read`
 *
 * A node of which a write is a request, and what is read of the same handle
 * then is the reply to it.
 */
ReeveResourceNode *
reeve_resource_transaction_new (mode_t mode,
                                const ReeveResourceTextFuncs *funcs,
                                gpointer data,
                                GDestroyNotify free_func);

/** Of a transaction: the reply. */
void reeve_resource_request_return (ReeveResourceRequest *self, GBytes *reply);

G_END_DECLS
