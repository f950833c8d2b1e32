/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* access-rules-parse.c makes rules of text, access-rules-prepare.c looks up
 * what they stand for, access-rules.c decides by them. */

#include "event/refs.h"
#include "rpc/access-rules.h"

G_BEGIN_DECLS

typedef enum {
  REEVE_WHO_ANY,
  REEVE_WHO_USER,
  REEVE_WHO_UID,
  REEVE_WHO_GROUP,
  REEVE_WHO_GID,
  REEVE_WHO_DN,
  REEVE_WHO_SASL,
} ReeveWhoKind;

typedef struct {
  ReeveWhoKind kind;
  char *text;       /* (owned) (nullable): a name or a pattern */
  uint32_t id;      /* of a user or a group */
  gboolean is_void; /* its user or group does not exist */
} ReeveWho;

typedef enum {
  REEVE_RULE_WHO,
  REEVE_RULE_FROM,
  REEVE_RULE_MAY,
  REEVE_RULE_ON,
  REEVE_RULE_EFFECT,
  REEVE_RULE_N_KEYS,
} ReeveRuleKey;

extern const char *const reeve_rule_keys[REEVE_RULE_N_KEYS];

/* A tag's bit is one of these. */
#define REEVE_MAX_TAGS 512
#define REEVE_TAG_WORDS (REEVE_MAX_TAGS / 64)

typedef struct {
  uint64_t words[REEVE_TAG_WORDS];
} ReeveTagSet;

static inline void
reeve_tag_set_add (ReeveTagSet *self, unsigned bit)
{
  self->words[bit / 64] |= UINT64_C (1) << bit % 64;
}

static inline gboolean
reeve_tag_set_has (const ReeveTagSet *self, unsigned bit)
{
  return (self->words[bit / 64] >> bit % 64 & 1) != 0;
}

static inline gboolean
reeve_tag_set_meets (const ReeveTagSet *self, const ReeveTagSet *other)
{
  uint64_t common = 0;

  for (unsigned i = 0; i < REEVE_TAG_WORDS; i++)
    common |= self->words[i] & other->words[i];
  return common != 0;
}

static inline void
reeve_tag_set_subtract (ReeveTagSet *self, const ReeveTagSet *other)
{
  for (unsigned i = 0; i < REEVE_TAG_WORDS; i++)
    self->words[i] &= ~other->words[i];
}

struct _ReeveAccessRule {
  char *name;                     /* (owned) */
  char *file;                     /* (owned) */
  unsigned line;                  /* of the group */
  char *texts[REEVE_RULE_N_KEYS]; /* (owned) (nullable) */
  unsigned lines[REEVE_RULE_N_KEYS];
  GArray *who;             /* (element-type ReeveWho) (owned) */
  unsigned from_transport; /* a bit for each; all 0 with no address: anywhere */
  GPtrArray *from_masks;   /* (element-type GInetAddressMask) (owned) */
  char **may;              /* (owned): patterns of tags */
  char **on;               /* (owned) (nullable): patterns of names */
  gboolean is_allowing;
  ReeveTagSet tags; /* that @may stands for */
};

struct _ReeveAccessRules {
  ReeveRefs refs;
  GPtrArray *rules;      /* (element-type ReeveAccessRule) (owned) */
  GHashTable *by_name;   /* name -> ReeveAccessRule; neither is owned */
  GHashTable *tags;      /* (element-type utf8) tag -> index + 1; not owned */
  GHashTable *tag_kinds; /* object -> ReeveTagSet; both owned */
};

/* Fails with file, line, group and key. */
gboolean reeve_access_rule_fail (const ReeveAccessRule *self,
                                 ReeveRuleKey key,
                                 GError **error,
                                 const char *format,
                                 ...) G_GNUC_PRINTF (4, 5);

/* Fills @who, whose text is owned, from an item; FALSE if it is none. */
gboolean reeve_who_parse (ReeveWho *who, const char *item);
/* Sets the bit of a transport in *@bits; FALSE if it is none. */
gboolean reeve_transport_parse (const char *item, unsigned *bits);

/* Takes the items of a key. */
gboolean reeve_access_rule_take_key (ReeveAccessRule *self,
                                     ReeveRuleKey key,
                                     char **items,
                                     GError **error);

/* Whether @text is like @pattern, in which `*` stands for any text and `?` for
 * a character. Takes no longer than the product of their lengths. */
gboolean reeve_glob_match (const char *pattern,
                           size_t pattern_size,
                           const char *text,
                           size_t text_size);
gboolean reeve_glob_matches (const char *pattern, const char *text);

G_END_DECLS
