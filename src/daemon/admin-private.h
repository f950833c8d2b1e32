/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The procedures of the program `admin`: admin.c has the connection, the
 * daemon and its list of servers, admin-server.c one server, admin-client.c
 * its clients, admin-log.c the log.
 */

#include "daemon/admin.h"
#include "daemon/call-monitor.h"
#include "event/thread.h"
#include "protocol/admin.h"

G_BEGIN_DECLS

struct _ReeveAdmin {
  ReeveDaemon *daemon;       /* immutable */
  ReeveServer *server;       /* (owned) */
  ReeveCallMonitor *monitor; /* (owned) */
  ReeveMutex change_lock;    /* held from reading a limit to changing it */
};

ReeveAdmin *reeve_admin_get (ReeveCall *call);

/* There are none yet. Errors: REEVE_ERROR_INVALID_ARG. */
gboolean
reeve_admin_check_flags (ReeveCall *call, uint32_t flags, GError **error);

/* (transfer none) (nullable): Errors: REEVE_ERROR_NO_SERVER. */
ReeveServer *
reeve_admin_find_server (ReeveCall *call, const char *name, GError **error);

/* ---------------------------------------------------- admin-server.c --- */

gboolean reeve_admin_get_workers (
    ReeveCall *call,
    const admin_server_get_threadpool_parameters_args *args,
    admin_server_get_threadpool_parameters_ret *ret,
    GError **error);
gboolean reeve_admin_set_workers (
    ReeveCall *call,
    const admin_server_set_threadpool_parameters_args *args,
    GError **error);
gboolean
reeve_admin_get_limits (ReeveCall *call,
                        const admin_server_get_client_limits_args *args,
                        admin_server_get_client_limits_ret *ret,
                        GError **error);
gboolean
reeve_admin_set_limits (ReeveCall *call,
                        const admin_server_set_client_limits_args *args,
                        GError **error);
gboolean
reeve_admin_update_tls_files (ReeveCall *call,
                              const admin_server_update_tls_files_args *args,
                              GError **error);

/* ---------------------------------------------------- admin-client.c --- */

gboolean reeve_admin_list_clients (ReeveCall *call,
                                   const admin_server_list_clients_args *args,
                                   admin_server_list_clients_ret *ret,
                                   GError **error);
gboolean reeve_admin_lookup_client (ReeveCall *call,
                                    const admin_server_lookup_client_args *args,
                                    admin_server_lookup_client_ret *ret,
                                    GError **error);
gboolean reeve_admin_get_client_info (ReeveCall *call,
                                      const admin_client_get_info_args *args,
                                      admin_client_get_info_ret *ret,
                                      GError **error);
gboolean reeve_admin_close_client (ReeveCall *call,
                                   const admin_client_close_args *args,
                                   GError **error);

/* -------------------------------------------------------- admin-log.c --- */

gboolean
reeve_admin_get_log_outputs (ReeveCall *call,
                             const admin_connect_get_logging_outputs_args *args,
                             admin_connect_get_logging_outputs_ret *ret,
                             GError **error);
gboolean
reeve_admin_get_log_filters (ReeveCall *call,
                             const admin_connect_get_logging_filters_args *args,
                             admin_connect_get_logging_filters_ret *ret,
                             GError **error);
gboolean
reeve_admin_set_log_outputs (ReeveCall *call,
                             const admin_connect_set_logging_outputs_args *args,
                             GError **error);
gboolean
reeve_admin_set_log_filters (ReeveCall *call,
                             const admin_connect_set_logging_filters_args *args,
                             GError **error);

/* ----------------------------------------------------- admin-param.c --- */

/* Typed parameters are collected in a GArray of admin_typed_param. */

GArray *reeve_admin_params_new (void);
void
reeve_admin_params_add_int (GArray *params, const char *field, int32_t value);
void
reeve_admin_params_add_uint (GArray *params, const char *field, uint32_t value);
void reeve_admin_params_add_boolean (GArray *params,
                                     const char *field,
                                     gboolean value);
/* @value: (nullable): then nothing is added */
void reeve_admin_params_add_string (GArray *params,
                                    const char *field,
                                    const char *value);
/* (transfer full): @params becomes what a reply has. */
admin_typed_param *reeve_admin_params_steal (GArray *params, uint32_t *n_items);

/* An unsigned parameter that may be set, and where it goes. */
typedef struct {
  const char *field;
  unsigned *value;
} ReeveAdminParam;

/**
 * reeve_admin_params_read:
 * @params: (array length=n_params)
 * @known: (array length=n_known)
 *
 * Sets the values of those that are given.
 *
 * Errors: %REEVE_ERROR_ARGUMENT_UNSUPPORTED for another name,
 * %REEVE_ERROR_INVALID_ARG for another type and for one that comes twice.
 */
gboolean reeve_admin_params_read (const admin_typed_param *params,
                                  uint32_t n_params,
                                  const ReeveAdminParam *known,
                                  size_t n_known,
                                  GError **error);

G_END_DECLS
