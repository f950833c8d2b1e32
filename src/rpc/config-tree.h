/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdarg.h>
#include <stdint.h>

G_BEGIN_DECLS

/*
 * Configuration text as LVM's programs write and read it: `key = value`,
 * `section { … }`, lists in brackets. A node has a key and either values or
 * nodes below it; the root has no key. Keys of one section may repeat: what
 * looks a key up finds the first.
 */

/* What a text may hold at most, so that it costs a bounded multiple of its
 * size in memory, and no stack. */
#define REEVE_CONFIG_MAX_DEPTH 64u
#define REEVE_CONFIG_MAX_NODES 1000000u

typedef enum {
  REEVE_CONFIG_INT = 1,
  REEVE_CONFIG_FLOAT = 2,
  REEVE_CONFIG_STRING = 3,
} ReeveConfigKind;

typedef struct {
  ReeveConfigKind kind;
  union {
    int64_t i;
    double f;
    char *s; /* (owned) */
  } u;
} ReeveConfigValue;

/**
 * ReeveConfigNode:
 *
 * Not for two threads at once. A node owns what is below it.
 */
typedef struct _ReeveConfigNode ReeveConfigNode;

/* The root of an empty tree. */
ReeveConfigNode *reeve_config_node_new (void);
/* Of the root alone. */
void reeve_config_node_free (ReeveConfigNode *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConfigNode, reeve_config_node_free)

/**
 * reeve_config_node_parse:
 * @text: up to @size bytes; a NUL ends them, too
 *
 * Takes what LVM's parser takes, but for numbers that are none (`-`, `08`), a
 * string that does not end, an empty key, and a byte order mark.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with line and column; %REEVE_ERROR_LIMIT.
 *
 * Returns: (transfer full): the root
 */
ReeveConfigNode *
reeve_config_node_parse (const char *text, size_t size, GError **error);

/**
 * ReeveConfigStyle:
 * @REEVE_CONFIG_STYLE_EXACT: floating numbers with all their digits
 * @REEVE_CONFIG_STYLE_STOCK: as LVM's programs have them: single precision, six
 *   decimals
 */
typedef enum {
  REEVE_CONFIG_STYLE_EXACT,
  REEVE_CONFIG_STYLE_STOCK,
} ReeveConfigStyle;

/* Appends the text of what is below @self. */
void reeve_config_node_print (const ReeveConfigNode *self,
                              ReeveConfigStyle style,
                              GString *text);

/* ------------------------------------------------------------- looking --- */

/* (nullable): of the root. */
const char *reeve_config_node_get_key (const ReeveConfigNode *self);
/* Whether it has values (an empty list is one of no elements), not nodes. */
gboolean reeve_config_node_has_values (const ReeveConfigNode *self);
/* (transfer none) (array length=n_values) (nullable) */
const ReeveConfigValue *
reeve_config_node_get_values (const ReeveConfigNode *self, size_t *n_values);
size_t reeve_config_node_get_n_children (const ReeveConfigNode *self);
/* (transfer none) */
const ReeveConfigNode *
reeve_config_node_get_child (const ReeveConfigNode *self, size_t index);

/**
 * reeve_config_node_find:
 * @path: keys with `/` between them; leading and doubled ones do not count
 *
 * Of several nodes with the same key the first alone is looked at.
 *
 * Returns: (transfer none) (nullable)
 */
const ReeveConfigNode *
reeve_config_node_find (const ReeveConfigNode *self, const char *path);

/* The first value at a path, or @fallback when there is none of that type.
 * (transfer none) */
const char *reeve_config_node_find_string (const ReeveConfigNode *self,
                                           const char *path,
                                           const char *fallback);
int64_t reeve_config_node_find_int (const ReeveConfigNode *self,
                                    const char *path,
                                    int64_t fallback);
/* Also the words y, yes, on, true, n, no, off and false, in any case. */
gboolean reeve_config_node_find_bool (const ReeveConfigNode *self,
                                      const char *path,
                                      gboolean fallback);

/* ------------------------------------------------------------ building --- */

/**
 * reeve_config_node_add_section:
 * @key: not empty, without `/`
 *
 * Returns: (transfer none): a new node below @self, to be filled with nodes or
 * with values, not both; one that is left empty is an empty section
 */
ReeveConfigNode *
reeve_config_node_add_section (ReeveConfigNode *self, const char *key);
/* Makes an empty node an empty list. */
void reeve_config_node_become_list (ReeveConfigNode *self);
/* Append a value to a list, or to an empty node, which becomes one. */
void reeve_config_node_append_int (ReeveConfigNode *self, int64_t value);
void reeve_config_node_append_float (ReeveConfigNode *self, double value);
void reeve_config_node_append_string (ReeveConfigNode *self, const char *value);
/* A new node below @self with one value. */
void reeve_config_node_add_int (ReeveConfigNode *self,
                                const char *key,
                                int64_t value);
void reeve_config_node_add_string (ReeveConfigNode *self,
                                   const char *key,
                                   const char *value);

/**
 * reeve_config_node_add_values:
 * @format: `KEY = %s` (a NULL leaves the key out), `KEY = %d`, `KEY = %f`, or,
 *   for an int64_t, `"KEY = %" PRId64`, with its value behind it; then the next
 *   ones, and NULL
 *
 * Adds a node for each, as the functions of LVM's libdaemon are told what to
 * send.
 */
void reeve_config_node_add_values (ReeveConfigNode *self,
                                   const char *format,
                                   ...) G_GNUC_NULL_TERMINATED;
/* The same; @format may be %NULL for none. */
void reeve_config_node_add_valist (ReeveConfigNode *self,
                                   const char *format,
                                   va_list values);

G_END_DECLS
