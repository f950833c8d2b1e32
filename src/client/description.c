/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/description.h"

#include "event/intl.h"
#include "protocol/reeve-client.h"
#include "rpc/error.h"

/* No value is larger in memory, so that no description makes it so. */
#define SIZE_LIMIT (16 * 1024 * 1024)

struct _ReeveDescription {
  reeve_program_describe_ret data; /* owns every string */
  ReeveType *types;                /* (owned) (array length=n_types) */
  uint32_t n_types;
  ReeveProcedure *procedures; /* (owned) */
  ReeveProgram program;
};

typedef enum { UNKNOWN, IN_WORK, KNOWN } Progress;

typedef struct {
  ReeveDescription *description;
  uint8_t *progress; /* of each type: Progress */
} Layout;

static gboolean
refuse (GError **error, const char *why)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("The server's description makes no sense: %s"), why);
  return FALSE;
}

/* -------------------------------------------------------------- layout --- */

static size_t
get_alignment (const ReeveType *type)
{
  size_t most = 1;

  switch (type->kind) {
  case REEVE_KIND_ARRAY_FIXED:
    return get_alignment (type->element);
  case REEVE_KIND_STRUCT:
  case REEVE_KIND_UNION:
    for (size_t i = 0; i < type->n_members; i++)
      most = MAX (most, get_alignment (type->members[i].type));
    return most;
  case REEVE_KIND_OPAQUE_FIXED:
  case REEVE_KIND_VOID:
    return 1;
  case REEVE_KIND_STRING:
  case REEVE_KIND_OPTIONAL:
  case REEVE_KIND_OPAQUE:
  case REEVE_KIND_ARRAY:
    return sizeof (void *);
  default:
    return MAX (type->size, 1);
  }
}

static size_t
align (size_t offset, size_t alignment)
{
  return (offset + alignment - 1) / alignment * alignment;
}

static gboolean lay_out (Layout *self, uint32_t index, GError **error);

static gboolean
lay_out_members (Layout *self, uint32_t index, GError **error)
{
  ReeveType *type = &self->description->types[index];
  const reeve_type_row *row = &self->description->data.types.items[index];
  gboolean is_union = type->kind == REEVE_KIND_UNION;
  size_t offset = 0, arms_end = 0, arms_start = 0, alignment = 1;

  /* The arms of a union begin behind its discriminant, where the most
   * demanding one can. */
  for (uint32_t i = 0; i < row->members.n_items; i++) {
    if (!lay_out (self, row->members.items[i].type, error))
      return FALSE;
    alignment = MAX (alignment, get_alignment (type->members[i].type));
  }

  for (uint32_t i = 0; i < row->members.n_items; i++) {
    ReeveMember *member = (ReeveMember *) &type->members[i];
    size_t start = is_union && i > 0
                       ? arms_start
                       : align (offset, get_alignment (member->type));

    member->offset = start;
    offset = start + member->type->size;
    if (is_union && i == 0)
      arms_start = align (offset, alignment);
    arms_end = MAX (arms_end, offset);
    if (arms_end > SIZE_LIMIT)
      return refuse (error, _ ("a type is too large"));
  }

  type->size = align (arms_end, alignment);
  return TRUE;
}

static gboolean
lay_out_array (Layout *self, uint32_t index, GError **error)
{
  ReeveType *type = &self->description->types[index];

  if (!lay_out (self, self->description->data.types.items[index].element,
                error))
    return FALSE;
  if (type->limit > SIZE_LIMIT / MAX (type->element->size, 1))
    return refuse (error, _ ("a type is too large"));

  type->size = type->limit * type->element->size;
  return TRUE;
}

/* Sizes of the kinds that do not depend on another type. */
static size_t
get_own_size (ReeveKind kind)
{
  switch (kind) {
  case REEVE_KIND_CHAR:
  case REEVE_KIND_UCHAR:
    return 1;
  case REEVE_KIND_SHORT:
  case REEVE_KIND_USHORT:
    return 2;
  case REEVE_KIND_HYPER:
  case REEVE_KIND_UHYPER:
  case REEVE_KIND_DOUBLE:
    return 8;
  case REEVE_KIND_STRING:
  case REEVE_KIND_OPTIONAL:
    return sizeof (void *);
  case REEVE_KIND_OPAQUE:
    return sizeof (ReeveBytes);
  case REEVE_KIND_ARRAY:
    return sizeof (ReeveArray);
  case REEVE_KIND_VOID:
    return 0;
  default:
    return 4;
  }
}

/* Gives a type its size and offsets, those it contains first. */
static gboolean
lay_out (Layout *self, uint32_t index, GError **error)
{
  ReeveType *type = &self->description->types[index];
  gboolean is_good = TRUE;

  if (self->progress[index] == KNOWN)
    return TRUE;
  if (self->progress[index] == IN_WORK)
    return refuse (error, _ ("a type contains itself"));

  self->progress[index] = IN_WORK;
  if (type->kind == REEVE_KIND_STRUCT || type->kind == REEVE_KIND_UNION) {
    is_good = lay_out_members (self, index, error);
  } else if (type->kind == REEVE_KIND_ARRAY_FIXED) {
    is_good = lay_out_array (self, index, error);
  } else if (type->kind == REEVE_KIND_OPAQUE_FIXED) {
    type->size = type->limit;
    is_good =
        type->size <= SIZE_LIMIT || refuse (error, _ ("a type is too large"));
  } else {
    type->size = get_own_size (type->kind);
  }
  self->progress[index] = KNOWN;
  return is_good;
}

/* --------------------------------------------------------------- types --- */

static const char *
get_name (const char *name)
{
  return name[0] == '\0' ? NULL : name;
}

static gboolean
take_members (ReeveDescription *self,
              ReeveType *type,
              const reeve_type_row *row,
              GError **error)
{
  ReeveMember *members = g_new0 (ReeveMember, row->members.n_items);

  type->members = members;
  type->n_members = row->members.n_items;
  for (uint32_t i = 0; i < row->members.n_items; i++) {
    const reeve_member_row *from = &row->members.items[i];

    if (from->type >= self->n_types)
      return refuse (error, _ ("there is no such type"));
    members[i] = (ReeveMember){
      .name = get_name (from->name),
      .type = &self->types[from->type],
      .value = from->value,
      .is_default = from->is_default,
    };
  }

  return TRUE;
}

static void
take_values (ReeveType *type, const reeve_type_row *row)
{
  ReeveEnumValue *values = g_new0 (ReeveEnumValue, row->values.n_items);

  type->values = values;
  type->n_values = row->values.n_items;
  for (uint32_t i = 0; i < row->values.n_items; i++)
    values[i] = (ReeveEnumValue){ .name = row->values.items[i].name,
                                  .value = row->values.items[i].value };
}

static gboolean
take_type (ReeveDescription *self, uint32_t index, GError **error)
{
  const reeve_type_row *row = &self->data.types.items[index];
  ReeveType *type = &self->types[index];
  gboolean has_element;

  if (row->kind < REEVE_KIND_VOID || row->kind > REEVE_KIND_UNION)
    return refuse (error, _ ("there is no such kind of type"));

  type->kind = (ReeveKind) row->kind;
  type->name = get_name (row->name);
  type->limit = row->limit;
  has_element = type->kind == REEVE_KIND_ARRAY ||
                type->kind == REEVE_KIND_ARRAY_FIXED ||
                type->kind == REEVE_KIND_OPTIONAL;
  if (row->element >= self->n_types)
    return refuse (error, _ ("there is no such type"));
  if (has_element)
    type->element = &self->types[row->element];
  take_values (type, row);
  return take_members (self, type, row, error);
}

static gboolean
is_word (ReeveKind kind)
{
  return kind == REEVE_KIND_INT || kind == REEVE_KIND_UINT ||
         kind == REEVE_KIND_BOOL || kind == REEVE_KIND_ENUM;
}

/* A union begins with a word; nothing but a struct or a union has members,
 * and an element has a size. */
static gboolean
check_type (const ReeveType *type, GError **error)
{
  gboolean has_members =
      type->kind == REEVE_KIND_STRUCT || type->kind == REEVE_KIND_UNION;

  if (type->n_members > 0 && !has_members)
    return refuse (error, _ ("a simple type has members"));
  if (type->kind == REEVE_KIND_UNION &&
      (type->n_members == 0 || !is_word (type->members[0].type->kind)))
    return refuse (error, _ ("a union has no discriminant"));
  if (type->element != NULL && type->element->size == 0)
    return refuse (error, _ ("an element has no size"));
  for (size_t i = 0; i < type->n_members; i++)
    if (type->kind == REEVE_KIND_STRUCT && type->members[i].name == NULL)
      return refuse (error, _ ("a member has no name"));

  return TRUE;
}

static gboolean
take_types (ReeveDescription *self, GError **error)
{
  g_autofree uint8_t *progress = NULL;
  Layout layout = { .description = self };

  self->n_types = self->data.types.n_items;
  self->types = g_new0 (ReeveType, MAX (self->n_types, 1));
  for (uint32_t i = 0; i < self->n_types; i++)
    if (!take_type (self, i, error))
      return FALSE;

  layout.progress = progress = g_new0 (uint8_t, MAX (self->n_types, 1));
  for (uint32_t i = 0; i < self->n_types; i++)
    if (!lay_out (&layout, i, error))
      return FALSE;
  for (uint32_t i = 0; i < self->n_types; i++)
    if (!check_type (&self->types[i], error))
      return FALSE;

  return TRUE;
}

/* ---------------------------------------------------------- procedures --- */

static gboolean
take_procedure (ReeveDescription *self, uint32_t index, GError **error)
{
  const reeve_procedure_row *row = &self->data.procedures.items[index];

  if (row->args >= self->n_types || row->ret >= self->n_types)
    return refuse (error, _ ("there is no such type"));
  if (row->dispatch < REEVE_DISPATCH_NORMAL ||
      row->dispatch > REEVE_DISPATCH_EVENT)
    return refuse (error, _ ("there is no such way of dispatch"));
  if (index > 0 && row->number <= row[-1].number)
    return refuse (error, _ ("the procedures are not in order"));

  self->procedures[index] = (ReeveProcedure){
    .number = row->number,
    .name = row->name,
    .summary = row->summary,
    .access = row->access,
    .since = row->since,
    .dispatch = (ReeveDispatch) row->dispatch,
    .flags = row->flags,
    .args = &self->types[row->args],
    .ret = &self->types[row->ret],
  };
  return TRUE;
}

static gboolean
take_program (ReeveDescription *self, GError **error)
{
  uint32_t n_procedures = self->data.procedures.n_items;

  if (!take_types (self, error))
    return FALSE;

  self->procedures = g_new0 (ReeveProcedure, MAX (n_procedures, 1));
  for (uint32_t i = 0; i < n_procedures; i++)
    if (!take_procedure (self, i, error))
      return FALSE;

  self->program = (ReeveProgram){
    .name = self->data.summary.name,
    .number = self->data.summary.number,
    .version = self->data.summary.vers,
    .procedures = self->procedures,
    .n_procedures = n_procedures,
  };
  return TRUE;
}

ReeveDescription *
reeve_description_fetch (ReeveConnection *connection,
                         const char *name,
                         int timeout_ms,
                         GError **error)
{
  const reeve_program_describe_args args = { .name = (char *) name };
  g_autoptr (ReeveDescription) self = g_new0 (ReeveDescription, 1);

  if (!reeve_connection_call (
          connection, &reeve_program,
          reeve_program_find (&reeve_program, REEVE_PROC_PROGRAM_DESCRIBE),
          &args, &self->data, timeout_ms, NULL, error) ||
      !take_program (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
reeve_description_free (ReeveDescription *self)
{
  if (self == NULL)
    return;

  for (uint32_t i = 0; i < self->n_types; i++) {
    g_free ((gpointer) self->types[i].members);
    g_free ((gpointer) self->types[i].values);
  }
  g_free (self->types);
  g_free (self->procedures);
  reeve_program_describe_ret_clear (&self->data);
  g_free (self);
}

const ReeveProgram *
reeve_description_get_program (ReeveDescription *self)
{
  return &self->program;
}
