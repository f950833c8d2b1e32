/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/wire-xdr.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <rpc/xdr.h>
#include <string.h>

/* How deep optional values may nest: a list that is linked by them is as deep
 * as it is long. */
#define MAX_DEPTH 256

static size_t
pad (size_t size)
{
  return size + reeve_xdr_get_padding (size);
}

/* ------------------------------------------------------------- measure --- */

static gssize
refuse (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gssize
refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_propagate_error (error, g_error_new_valist (REEVE_ERROR, REEVE_ERROR_RPC,
                                                format, arguments));
  va_end (arguments);
  return -1;
}

static gssize
measure_string (const ReeveType *type, const char *text, GError **error)
{
  size_t size;

  if (text == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("a string is missing"));
    return -1;
  }

  size = strlen (text);
  if (size > type->limit)
    return refuse (error,
                   _ ("a string of %1$u bytes is over its limit of %2$u"),
                   (uint32_t) MIN (size, UINT32_MAX), type->limit);
  return (gssize) (4 + pad (size));
}

static gssize
measure_items (const ReeveType *element,
               const void *items,
               size_t n_items,
               GError **error)
{
  gssize total = 0;

  for (size_t i = 0; i < n_items; i++) {
    gssize size = reeve_xdr_measure (
        element, (const char *) items + i * element->size, error);

    if (size < 0) {
      g_prefix_error (error, "[%zu]: ", i);
      return -1;
    }
    total += size;
  }

  return total;
}

static gssize
measure_array (const ReeveType *type, const ReeveArray *array, GError **error)
{
  gssize size;

  if (array->n_items > type->limit)
    return refuse (error, _ ("%1$u elements are over the limit of %2$u"),
                   array->n_items, type->limit);

  size = measure_items (type->element, array->items, array->n_items, error);
  return size < 0 ? -1 : size + 4;
}

static gssize
measure_optional (const ReeveType *type, const void *value, GError **error)
{
  const void *pointer = *(void *const *) value;
  gssize size;

  if (pointer == NULL)
    return 4;

  size = reeve_xdr_measure (
      type->element, type->element->kind == REEVE_KIND_STRING ? value : pointer,
      error);
  return size < 0 ? -1 : size + 4;
}

static gssize
measure_member (const ReeveMember *member, const void *value, GError **error)
{
  gssize size = reeve_xdr_measure (
      member->type, (const char *) value + member->offset, error);

  if (size < 0)
    g_prefix_error (error, "%s: ", member->name);
  return size;
}

static gssize
measure_struct (const ReeveType *type, const void *value, GError **error)
{
  gssize total = 0;

  for (size_t i = 0; i < type->n_members; i++) {
    gssize size = measure_member (&type->members[i], value, error);

    if (size < 0)
      return -1;
    total += size;
  }

  return total;
}

static gssize
measure_union (const ReeveType *type, const void *value, GError **error)
{
  const ReeveMember *arm = reeve_type_find_arm (type, value);
  gssize size;

  if (arm == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the discriminant of a union selects nothing"));
    return -1;
  }

  size = measure_member (arm, value, error);
  return size < 0 ? -1 : size + 4;
}

gssize
reeve_xdr_measure (const ReeveType *type, gconstpointer value, GError **error)
{
  const ReeveBytes *bytes = value;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    return 0;
  case REEVE_KIND_HYPER:
  case REEVE_KIND_UHYPER:
  case REEVE_KIND_DOUBLE:
    return 8;
  case REEVE_KIND_STRING:
    return measure_string (type, *(char *const *) value, error);
  case REEVE_KIND_OPAQUE_FIXED:
    return (gssize) pad (type->limit);
  case REEVE_KIND_OPAQUE:
    if (bytes->size > type->limit)
      return refuse (error, _ ("%1$u bytes are over the limit of %2$u"),
                     bytes->size, type->limit);
    return (gssize) (4 + pad (bytes->size));
  case REEVE_KIND_ARRAY_FIXED:
    return measure_items (type->element, value, type->limit, error);
  case REEVE_KIND_ARRAY:
    return measure_array (type, value, error);
  case REEVE_KIND_OPTIONAL:
    return measure_optional (type, value, error);
  case REEVE_KIND_STRUCT:
    return measure_struct (type, value, error);
  case REEVE_KIND_UNION:
    return measure_union (type, value, error);
  default:
    return 4;
  }
}

/* -------------------------------------------------- the simple kinds ----- */

/* libtirpc's primitives go both ways. */
static bool_t
code_simple (XDR *xdr, ReeveKind kind, void *value)
{
  switch (kind) {
  case REEVE_KIND_CHAR:
    return xdr_char (xdr, value);
  case REEVE_KIND_UCHAR:
    return xdr_u_char (xdr, value);
  case REEVE_KIND_SHORT:
    return xdr_short (xdr, value);
  case REEVE_KIND_USHORT:
    return xdr_u_short (xdr, value);
  case REEVE_KIND_BOOL:
    return xdr_bool (xdr, value); /* anything but 0 is 1 */
  case REEVE_KIND_INT:
  case REEVE_KIND_ENUM:
    return xdr_int32_t (xdr, value);
  case REEVE_KIND_UINT:
    return xdr_u_int32_t (xdr, value);
  case REEVE_KIND_HYPER:
    return xdr_int64_t (xdr, value);
  case REEVE_KIND_UHYPER:
    return xdr_u_int64_t (xdr, value);
  case REEVE_KIND_FLOAT:
    return xdr_float (xdr, value);
  case REEVE_KIND_DOUBLE:
    return xdr_double (xdr, value);
  default:
    g_assert_not_reached ();
  }
}

/* -------------------------------------------------------------- encode --- */

static void encode (XDR *xdr, const ReeveType *type, const void *value);

static void
encode_count (XDR *xdr, uint32_t count)
{
  xdr_u_int32_t (xdr, &count);
}

static void
encode_bytes (XDR *xdr, const void *data, uint32_t size)
{
  xdr_opaque (xdr, (char *) data, size);
}

static void
encode_items (XDR *xdr,
              const ReeveType *element,
              const void *items,
              size_t n_items)
{
  for (size_t i = 0; i < n_items; i++)
    encode (xdr, element, (const char *) items + i * element->size);
}

static void
encode_optional (XDR *xdr, const ReeveType *type, const void *value)
{
  const void *pointer = *(void *const *) value;

  encode_count (xdr, pointer != NULL);
  if (pointer != NULL)
    encode (xdr, type->element,
            type->element->kind == REEVE_KIND_STRING ? value : pointer);
}

static void
encode_union (XDR *xdr, const ReeveType *type, const void *value)
{
  const ReeveMember *arm = reeve_type_find_arm (type, value);

  encode (xdr, type->members[0].type,
          (const char *) value + type->members[0].offset);
  encode (xdr, arm->type, (const char *) value + arm->offset);
}

static void
encode (XDR *xdr, const ReeveType *type, const void *value)
{
  const ReeveBytes *bytes = value;
  const ReeveArray *array = value;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    break;
  case REEVE_KIND_STRING:
    encode_count (xdr, (uint32_t) strlen (*(char *const *) value));
    encode_bytes (xdr, *(char *const *) value, strlen (*(char *const *) value));
    break;
  case REEVE_KIND_OPAQUE_FIXED:
    encode_bytes (xdr, value, type->limit);
    break;
  case REEVE_KIND_OPAQUE:
    encode_count (xdr, bytes->size);
    encode_bytes (xdr, bytes->data, bytes->size);
    break;
  case REEVE_KIND_ARRAY_FIXED:
    encode_items (xdr, type->element, value, type->limit);
    break;
  case REEVE_KIND_ARRAY:
    encode_count (xdr, array->n_items);
    encode_items (xdr, type->element, array->items, array->n_items);
    break;
  case REEVE_KIND_OPTIONAL:
    encode_optional (xdr, type, value);
    break;
  case REEVE_KIND_STRUCT:
    for (size_t i = 0; i < type->n_members; i++)
      encode (xdr, type->members[i].type,
              (const char *) value + type->members[i].offset);
    break;
  case REEVE_KIND_UNION:
    encode_union (xdr, type, value);
    break;
  default:
    code_simple (xdr, type->kind, (void *) value);
    break;
  }
}

void
reeve_xdr_encode (const ReeveType *type,
                  gconstpointer value,
                  uint8_t *data,
                  size_t size)
{
  XDR xdr;

  if (size == 0)
    return;

  xdrmem_create (&xdr, (char *) data, (u_int) size, XDR_ENCODE);
  encode (&xdr, type, value);
  g_assert (xdr_getpos (&xdr) == size);
  xdr_destroy (&xdr);
}

/* (nullable): a string or opaque behind all others. */
static const ReeveMember *
find_last (const ReeveType *type)
{
  const ReeveMember *last;

  if (type->kind != REEVE_KIND_STRUCT || type->n_members == 0)
    return NULL;

  last = &type->members[type->n_members - 1];
  return last->type->kind == REEVE_KIND_STRING ||
                 last->type->kind == REEVE_KIND_OPAQUE
             ? last
             : NULL;
}

gboolean
reeve_xdr_find_tail (const ReeveType *type,
                     gconstpointer value,
                     ReeveXdrTail *tail)
{
  const ReeveMember *last = find_last (type);
  const void *field;
  const ReeveBytes *bytes;

  if (last == NULL)
    return FALSE;

  field = (const char *) value + last->offset;
  bytes = field;
  tail->offset = last->offset;
  if (last->type->kind == REEVE_KIND_STRING) {
    tail->data = *(uint8_t *const *) field;
    tail->size = strlen ((const char *) tail->data);
  } else {
    tail->offset += offsetof (ReeveBytes, data);
    tail->data = bytes->data;
    tail->size = bytes->size;
  }
  return TRUE;
}

void
reeve_xdr_encode_without (const ReeveType *type,
                          gconstpointer value,
                          const ReeveXdrTail *tail,
                          uint8_t *data,
                          size_t size)
{
  size_t n_padding = reeve_xdr_get_padding (tail->size);
  XDR xdr;

  xdrmem_create (&xdr, (char *) data, (u_int) size, XDR_ENCODE);
  for (size_t i = 0; i + 1 < type->n_members; i++)
    encode (&xdr, type->members[i].type,
            (const char *) value + type->members[i].offset);
  encode_count (&xdr, (uint32_t) tail->size);
  g_assert (xdr_getpos (&xdr) + n_padding == size);
  memset (data + size - n_padding, 0, n_padding);
  xdr_destroy (&xdr);
}

/* -------------------------------------------------------------- decode --- */

typedef struct {
  XDR xdr;
  uint32_t size;
  unsigned depth;
} Decoder;

static gboolean
decode (Decoder *self, const ReeveType *type, void *value, GError **error);

static uint32_t
get_left (Decoder *self)
{
  return self->size - xdr_getpos (&self->xdr);
}

static gboolean
refuse_short (Decoder *self, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("the message ends too early, at byte %u"), self->size);
  return FALSE;
}

static gboolean
decode_count (Decoder *self, uint32_t limit, uint32_t *count, GError **error)
{
  if (!xdr_u_int32_t (&self->xdr, count))
    return refuse_short (self, error);
  if (*count > limit) {
    refuse (error, _ ("a count of %1$u is over the limit of %2$u"), *count,
            limit);
    return FALSE;
  }

  return TRUE;
}

/* Not by xdr_opaque(), which writes what fills up the last unit into a variable
 * that all threads share. */
static gboolean
decode_bytes (Decoder *self, void *data, uint32_t size, GError **error)
{
  char filling[BYTES_PER_XDR_UNIT];

  if (!XDR_GETBYTES (&self->xdr, data, size) ||
      !XDR_GETBYTES (&self->xdr, filling, -size % BYTES_PER_XDR_UNIT))
    return refuse_short (self, error);
  return TRUE;
}

static gboolean
decode_string (Decoder *self,
               const ReeveType *type,
               char **value,
               GError **error)
{
  uint32_t count;

  if (!decode_count (self, type->limit, &count, error))
    return FALSE;
  if (count > get_left (self))
    return refuse_short (self, error);

  *value = g_malloc ((size_t) count + 1);
  (*value)[count] = '\0';
  return decode_bytes (self, *value, count, error);
}

static gboolean
decode_opaque (Decoder *self,
               const ReeveType *type,
               ReeveBytes *bytes,
               GError **error)
{
  uint32_t count;

  if (!decode_count (self, type->limit, &count, error))
    return FALSE;
  if (count > get_left (self))
    return refuse_short (self, error);

  bytes->size = count;
  bytes->data = g_malloc (MAX (count, 1));
  return decode_bytes (self, bytes->data, count, error);
}

/* The least that a value takes on the wire, so that a count can be checked
 * before memory is taken for it. */
static size_t
get_least_size (const ReeveType *type)
{
  size_t total = 0;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    return 0;
  case REEVE_KIND_HYPER:
  case REEVE_KIND_UHYPER:
  case REEVE_KIND_DOUBLE:
    return 8;
  case REEVE_KIND_OPAQUE_FIXED:
    return pad (type->limit);
  case REEVE_KIND_ARRAY_FIXED:
    return type->limit * get_least_size (type->element);
  case REEVE_KIND_STRUCT:
    for (size_t i = 0; i < type->n_members; i++)
      total += get_least_size (type->members[i].type);
    return total;
  default:
    return 4;
  }
}

static gboolean
decode_items (Decoder *self,
              const ReeveType *element,
              void *items,
              size_t n_items,
              GError **error)
{
  for (size_t i = 0; i < n_items; i++) {
    if (!decode (self, element, (char *) items + i * element->size, error)) {
      g_prefix_error (error, "[%zu]: ", i);
      return FALSE;
    }
  }

  return TRUE;
}

static gboolean
decode_array (Decoder *self,
              const ReeveType *type,
              ReeveArray *array,
              GError **error)
{
  uint32_t count;

  if (!decode_count (self, type->limit, &count, error))
    return FALSE;
  if ((uint64_t) count * MAX (get_least_size (type->element), 4) >
      get_left (self))
    return refuse_short (self, error);

  array->n_items = count;
  array->items = g_malloc0_n (MAX (count, 1), type->element->size);
  return decode_items (self, type->element, array->items, count, error);
}

static gboolean
decode_optional (Decoder *self,
                 const ReeveType *type,
                 void **value,
                 GError **error)
{
  gboolean is_done;
  uint32_t flag;

  if (!xdr_u_int32_t (&self->xdr, &flag))
    return refuse_short (self, error);
  if (flag == 0)
    return TRUE;
  if (self->depth == MAX_DEPTH) {
    refuse (error, _ ("values nest deeper than %1$u levels (%2$u)"), MAX_DEPTH,
            MAX_DEPTH);
    return FALSE;
  }

  if (type->element->kind == REEVE_KIND_STRING)
    return decode (self, type->element, value, error);

  *value = reeve_type_new (type->element);
  self->depth++;
  is_done = decode (self, type->element, *value, error);
  self->depth--;
  return is_done;
}

static gboolean
decode_member (Decoder *self,
               const ReeveMember *member,
               void *value,
               GError **error)
{
  if (decode (self, member->type, (char *) value + member->offset, error))
    return TRUE;

  g_prefix_error (error, "%s: ", member->name);
  return FALSE;
}

static gboolean
decode_struct (Decoder *self,
               const ReeveType *type,
               void *value,
               GError **error)
{
  for (size_t i = 0; i < type->n_members; i++)
    if (!decode_member (self, &type->members[i], value, error))
      return FALSE;

  return TRUE;
}

static gboolean
decode_union (Decoder *self, const ReeveType *type, void *value, GError **error)
{
  const ReeveMember *arm;

  if (!decode_member (self, &type->members[0], value, error))
    return FALSE;

  arm = reeve_type_find_arm (type, value);
  if (arm == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the discriminant before byte %u selects nothing"),
                 xdr_getpos (&self->xdr));
    return FALSE;
  }

  return decode_member (self, arm, value, error);
}

static gboolean
decode (Decoder *self, const ReeveType *type, void *value, GError **error)
{
  switch (type->kind) {
  case REEVE_KIND_VOID:
    return TRUE;
  case REEVE_KIND_STRING:
    return decode_string (self, type, value, error);
  case REEVE_KIND_OPAQUE_FIXED:
    return decode_bytes (self, value, type->limit, error);
  case REEVE_KIND_OPAQUE:
    return decode_opaque (self, type, value, error);
  case REEVE_KIND_ARRAY_FIXED:
    return decode_items (self, type->element, value, type->limit, error);
  case REEVE_KIND_ARRAY:
    return decode_array (self, type, value, error);
  case REEVE_KIND_OPTIONAL:
    return decode_optional (self, type, value, error);
  case REEVE_KIND_STRUCT:
    return decode_struct (self, type, value, error);
  case REEVE_KIND_UNION:
    return decode_union (self, type, value, error);
  default:
    if (!code_simple (&self->xdr, type->kind, value))
      return refuse_short (self, error);
    return TRUE;
  }
}

gboolean
reeve_xdr_decode (const ReeveType *type,
                  const uint8_t *data,
                  size_t size,
                  gpointer value,
                  size_t *used,
                  GError **error)
{
  Decoder self = { .size = (uint32_t) MIN (size, INT32_MAX) };
  gboolean is_done;

  if (used != NULL)
    *used = 0;
  if (type->kind == REEVE_KIND_VOID)
    return TRUE;

  xdrmem_create (&self.xdr, (char *) data, self.size, XDR_DECODE);
  is_done = decode (&self, type, value, error);
  if (is_done && used != NULL)
    *used = xdr_getpos (&self.xdr);
  xdr_destroy (&self.xdr);

  if (!is_done)
    reeve_type_clear (type, value);
  return is_done;
}

/* ------------------------------------------------------------ in place --- */

static gboolean
decode_last (Decoder *self,
             uint8_t *data,
             const ReeveMember *last,
             gpointer value,
             GError **error)
{
  void *field = (char *) value + last->offset;
  uint32_t count;

  if (!decode_count (self, last->type->limit, &count, error))
    return FALSE;
  if (pad (count) > get_left (self))
    return refuse_short (self, error);

  data += xdr_getpos (&self->xdr);
  if (last->type->kind == REEVE_KIND_STRING) {
    data[count] = '\0';
    *(char **) field = (char *) data;
  } else {
    *(ReeveBytes *) field = (ReeveBytes){ count, data };
  }
  return TRUE;
}

static gboolean
decode_members (Decoder *self,
                uint8_t *data,
                const ReeveType *type,
                gpointer value,
                GError **error)
{
  const ReeveMember *last = find_last (type);

  for (const ReeveMember *member = type->members; member < last; member++)
    if (!decode_member (self, member, value, error))
      return FALSE;
  if (decode_last (self, data, last, value, error))
    return TRUE;

  g_prefix_error (error, "%s: ", last->name);
  return FALSE;
}

gboolean
reeve_xdr_decode_in_place (const ReeveType *type,
                           uint8_t *data,
                           size_t size,
                           gpointer value,
                           GError **error)
{
  Decoder self = { .size = (uint32_t) MIN (size, INT32_MAX) };
  gboolean is_done;

  if (find_last (type) == NULL)
    return reeve_xdr_decode (type, data, size, value, NULL, error);

  xdrmem_create (&self.xdr, (char *) data, self.size, XDR_DECODE);
  is_done = decode_members (&self, data, type, value, error);
  xdr_destroy (&self.xdr);

  if (!is_done)
    reeve_type_clear (type, value);
  return is_done;
}

void
reeve_xdr_free_in_place (const ReeveType *type, gpointer value)
{
  const ReeveMember *last = find_last (type);

  if (last != NULL)
    memset ((char *) value + last->offset, 0, last->type->size);
  reeve_type_free (type, value);
}
