/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/typed-param.h"

#include "protocol/remote.h"
#include "shell/output.h"

void
reeve_json_set_typed (JsonObject *object,
                      const char *key,
                      const ReeveType *type,
                      gconstpointer value)
{
  const ReeveMember *arm = reeve_type_find_arm (type, value);
  const char *field;

  if (arm == NULL)
    return;

  field = (const char *) value + arm->offset;
  if (arm->value == REMOTE_PARAM_BOOLEAN) {
    json_object_set_boolean_member (object, key, *(const int32_t *) field != 0);
    return;
  }

  switch (arm->type->kind) {
  case REEVE_KIND_INT:
    json_object_set_int_member (object, key, *(const int32_t *) field);
    break;
  case REEVE_KIND_UINT:
    json_object_set_int_member (object, key, *(const uint32_t *) field);
    break;
  case REEVE_KIND_HYPER:
    json_object_set_int_member (object, key, *(const int64_t *) field);
    break;
  case REEVE_KIND_UHYPER:
    reeve_json_set_uint (object, key, *(const uint64_t *) field);
    break;
  case REEVE_KIND_DOUBLE:
    json_object_set_double_member (object, key, *(const double *) field);
    break;
  case REEVE_KIND_STRING:
    json_object_set_string_member (object, key, *(char *const *) field);
    break;
  default:
    break;
  }
}
