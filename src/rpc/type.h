/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveType:
 *
 * What a value looks like in memory and on the wire. The generator emits one
 * constant descriptor for each type of a `.x` file; every codec walks it.
 *
 * | kind | in memory | in XDR |
 * |---|---|---|
 * | void | nothing | nothing |
 * | char, uchar, short, ushort | int8_t, uint8_t, int16_t, uint16_t | one word
 * | | int, uint, bool, enum | int32_t, uint32_t, int32_t, int32_t | one word |
 * | hyper, uhyper, double, float | int64_t, uint64_t, double, float | as is |
 * | string | `char *`, never %NULL to encode, owned | count, bytes, pad |
 * | opaque-fixed | `uint8_t[limit]` | bytes, pad |
 * | opaque | #ReeveBytes, owned | count, bytes, pad |
 * | array-fixed | `T[limit]` | elements |
 * | array | #ReeveArray, owned | count, elements |
 * | optional | `T *`, owned; for a string the `char *` itself | flag, value |
 * | struct | the struct | members in order |
 * | union | a struct: the discriminant, then a C union `u` | both |
 */
typedef struct _ReeveType ReeveType;

typedef enum {
  REEVE_KIND_VOID = 0,
  REEVE_KIND_CHAR = 1,
  REEVE_KIND_UCHAR = 2,
  REEVE_KIND_SHORT = 3,
  REEVE_KIND_USHORT = 4,
  REEVE_KIND_INT = 5,
  REEVE_KIND_UINT = 6,
  REEVE_KIND_HYPER = 7,
  REEVE_KIND_UHYPER = 8,
  REEVE_KIND_FLOAT = 9,
  REEVE_KIND_DOUBLE = 10,
  REEVE_KIND_BOOL = 11,
  REEVE_KIND_ENUM = 12,
  REEVE_KIND_STRING = 13,
  REEVE_KIND_OPAQUE_FIXED = 14,
  REEVE_KIND_OPAQUE = 15,
  REEVE_KIND_ARRAY_FIXED = 16,
  REEVE_KIND_ARRAY = 17,
  REEVE_KIND_OPTIONAL = 18,
  REEVE_KIND_STRUCT = 19,
  REEVE_KIND_UNION = 20,
} ReeveKind;

/* opaque<> in memory */
typedef struct {
  uint32_t size; /* bytes */
  uint8_t *data; /* (owned) (nullable) */
} ReeveBytes;

/* T<> in memory; the generated structs have the same layout with a typed
 * pointer. */
typedef struct {
  uint32_t n_items;
  void *items; /* (owned) (nullable) */
} ReeveArray;

/* An identifier of an enum. */
typedef struct {
  const char *name;
  int32_t value;
} ReeveEnumValue;

/* A member of a struct, or an arm of a union. */
typedef struct {
  const char *name; /* NULL for the void arm of a union */
  const ReeveType *type;
  size_t offset;       /* from the start of the struct (for an arm too) */
  int32_t value;       /* of the discriminant, for an arm */
  gboolean is_default; /* for an arm */
} ReeveMember;

struct _ReeveType {
  ReeveKind kind;
  const char *name;         /* as in the .x file; NULL for an anonymous one */
  size_t size;              /* in memory, bytes */
  uint32_t limit;           /* bytes or elements, for the kinds that have one */
  const ReeveType *element; /* arrays, optional */
  const ReeveMember *members; /* struct: in order; union: [0] is the
                                 discriminant, then the arms */
  size_t n_members;
  const ReeveEnumValue *values; /* enum */
  size_t n_values;
};

/* The descriptors of the kinds that need no parameter. */
extern const ReeveType reeve_type_void;
extern const ReeveType reeve_type_char;
extern const ReeveType reeve_type_uchar;
extern const ReeveType reeve_type_short;
extern const ReeveType reeve_type_ushort;
extern const ReeveType reeve_type_int;
extern const ReeveType reeve_type_uint;
extern const ReeveType reeve_type_hyper;
extern const ReeveType reeve_type_uhyper;
extern const ReeveType reeve_type_float;
extern const ReeveType reeve_type_double;
extern const ReeveType reeve_type_bool;

/**
 * reeve_type_clear:
 * @value: (nullable): a value of @type
 *
 * Frees what the value owns and sets it to zeros, which is a valid empty
 * value except for strings that are not optional.
 *
 * Thread: any.
 */
void reeve_type_clear (const ReeveType *type, gpointer value);

/* Whether the two are equal, all the way down. Thread: any. */
gboolean
reeve_type_equal (const ReeveType *type, gconstpointer a, gconstpointer b);

/* (transfer none) (nullable): the arm that the discriminant of @value, a
 * union, selects. Thread: any. */
const ReeveMember *
reeve_type_find_arm (const ReeveType *type, gconstpointer value);

/* (transfer full): a zeroed value of @type on the heap; free it with
 * reeve_type_free(). */
gpointer reeve_type_new (const ReeveType *type);
void reeve_type_free (const ReeveType *type, gpointer value);

G_END_DECLS
