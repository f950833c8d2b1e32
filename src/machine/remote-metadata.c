/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

/* Description, title and other people's elements. */

enum { METADATA_DESCRIPTION = 0, METADATA_TITLE = 1, METADATA_ELEMENT = 2 };

static gboolean
check_type (int32_t type, const char *uri, GError **error)
{
  if (type < METADATA_DESCRIPTION || type > METADATA_ELEMENT) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("There is no metadata of type %d"), type);
    return FALSE;
  }
  if (type == METADATA_ELEMENT && uri == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("The namespace of the metadata is missing"));
    return FALSE;
  }

  return TRUE;
}

static gboolean
get_text (const char *text, const char *missing, char **value, GError **error)
{
  if (text == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_METADATA, missing);
    return FALSE;
  }

  *value = g_strdup (text);
  return TRUE;
}

static gboolean
get_metadata (ReeveConfig *config,
              int32_t type,
              const char *uri,
              char **value,
              GError **error)
{
  switch (type) {
  case METADATA_DESCRIPTION:
    return get_text (reeve_config_get_description (config),
                     _ ("metadata not found: there is no description"), value,
                     error);
  case METADATA_TITLE:
    return get_text (reeve_config_get_title (config),
                     _ ("metadata not found: there is no title"), value, error);
  default:
    *value = reeve_config_dup_metadata (config, uri, error);
    return *value != NULL;
  }
}

static gboolean
domain_get_metadata (ReeveCall *call,
                     const remote_domain_get_metadata_args *args,
                     remote_domain_get_metadata_ret *ret,
                     GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  uint32_t flags = args->flags;

  if (!reeve_remote_check_flags (call, flags, 0x3, error) ||
      !check_type (args->type, args->uri, error))
    return FALSE;
  machine = reeve_remote_find (call, &args->dom, error);
  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, &snapshot);
  if (!reeve_remote_resolve_impact (&snapshot, &flags, error))
    return FALSE;

  return get_metadata (flags & REEVE_IMPACT_LIVE ? snapshot.live_config
                                                 : snapshot.config,
                       args->type, args->uri, &ret->metadata, error);
}

static ReeveConfig *
change (ReeveConfig *config, gconstpointer data, GError **error)
{
  const remote_domain_set_metadata_args *args = data;

  switch (args->type) {
  case METADATA_DESCRIPTION:
    return reeve_config_with_description (config, args->metadata, error);
  case METADATA_TITLE:
    return reeve_config_with_title (config, args->metadata, error);
  default:
    return reeve_config_with_metadata (config, args->uri, args->key,
                                       args->metadata, error);
  }
}

static ReeveMachineEvent *
make_event (const remote_domain_set_metadata_args *args)
{
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_METADATA_CHANGE);

  event->value = args->type;
  event->reason = g_strdup (args->uri);
  return event;
}

static gboolean
domain_set_metadata (ReeveCall *call,
                     const remote_domain_set_metadata_args *args,
                     GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  ReeveMachineUpdate update = { .change = change, .data = args };
  uint32_t flags = args->flags;

  if (!reeve_remote_check_flags (call, flags, 0x3, error) ||
      !check_type (args->type, args->uri, error))
    return FALSE;
  machine = reeve_remote_find (call, &args->dom, error);
  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, &snapshot);
  if (!reeve_remote_resolve_impact (&snapshot, &flags, error))
    return FALSE;

  update.is_stored = (flags & REEVE_IMPACT_CONFIG) != 0;
  update.is_live = (flags & REEVE_IMPACT_LIVE) != 0;
  return reeve_machine_list_update (reeve_remote_get_machines (call), machine,
                                    &update, make_event (args), error);
}

void
reeve_remote_add_metadata (remote_handlers *handlers)
{
  handlers->domain_get_metadata = domain_get_metadata;
  handlers->domain_set_metadata = domain_set_metadata;
}
