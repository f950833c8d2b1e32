/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/admin-private.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

/* ------------------------------------------------------- in a reply ------ */

static void
clear_param (gpointer data)
{
  admin_typed_param_clear (data);
}

GArray *
reeve_admin_params_new (void)
{
  GArray *params = g_array_new (FALSE, TRUE, sizeof (admin_typed_param));

  g_array_set_clear_func (params, clear_param);
  return params;
}

static admin_typed_param_value *
add (GArray *params, const char *field, int32_t type)
{
  const admin_typed_param param = {
    .field = g_strdup (field),
    .value.type = type,
  };

  g_array_append_val (params, param);
  return &g_array_index (params, admin_typed_param, params->len - 1).value;
}

void
reeve_admin_params_add_int (GArray *params, const char *field, int32_t value)
{
  add (params, field, ADMIN_PARAM_INT)->u.i = value;
}

void
reeve_admin_params_add_uint (GArray *params, const char *field, uint32_t value)
{
  add (params, field, ADMIN_PARAM_UINT)->u.ui = value;
}

void
reeve_admin_params_add_boolean (GArray *params,
                                const char *field,
                                gboolean value)
{
  add (params, field, ADMIN_PARAM_BOOLEAN)->u.b = value;
}

void
reeve_admin_params_add_string (GArray *params,
                               const char *field,
                               const char *value)
{
  if (value != NULL)
    add (params, field, ADMIN_PARAM_STRING)->u.s = g_strdup (value);
}

admin_typed_param *
reeve_admin_params_steal (GArray *params, uint32_t *n_items)
{
  *n_items = params->len;
  return (admin_typed_param *) (void *) g_array_free (params, FALSE);
}

/* --------------------------------------------------------- in a call ----- */

static const ReeveAdminParam *
find_known (const ReeveAdminParam *known, size_t n_known, const char *field)
{
  for (size_t i = 0; i < n_known; i++)
    if (g_str_equal (known[i].field, field))
      return &known[i];

  return NULL;
}

static gboolean
comes_before (const admin_typed_param *params, uint32_t index)
{
  for (uint32_t i = 0; i < index; i++)
    if (g_str_equal (params[i].field, params[index].field))
      return TRUE;

  return FALSE;
}

gboolean
reeve_admin_params_read (const admin_typed_param *params,
                         uint32_t n_params,
                         const ReeveAdminParam *known,
                         size_t n_known,
                         GError **error)
{
  for (uint32_t i = 0; i < n_params; i++) {
    const char *field = params[i].field;
    const ReeveAdminParam *param = find_known (known, n_known, field);

    if (param == NULL) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_ARGUMENT_UNSUPPORTED,
                   _ ("parameter '%s' not supported"), field);
      return FALSE;
    }
    if (params[i].value.type != ADMIN_PARAM_UINT) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("invalid type for parameter '%s': it is an unsigned "
                      "number"),
                   field);
      return FALSE;
    }
    if (comes_before (params, i)) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("parameter '%s' occurs multiple times"), field);
      return FALSE;
    }
    *param->value = params[i].value.u.ui;
  }

  return TRUE;
}
