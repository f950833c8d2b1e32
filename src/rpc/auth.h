/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

G_BEGIN_DECLS

/* What a layer of SASL has to be worth on plain TCP, unless said otherwise: an
 * effective length of its keys in bits. */
#define REEVE_AUTH_MIN_SSF 56

/**
 * ReeveAuthOptions:
 * @sasl_service: the name that clients know the service by [libvirt]
 * @sasl_realm: where a name belongs that says no realm [the host's name]
 * @sasl_database: the file of passwords, as saslpasswd2(8) makes it
 *   [none: nobody has one]
 * @sasl_mechanisms: (array zero-terminated=1): that may be chosen
 *   [SCRAM-SHA-256]
 * @sasl_names: (array zero-terminated=1): patterns with * and ?; a name must
 *   match one [all names]
 * @sasl_min_ssf: on plain TCP, %REEVE_AUTH_MIN_SSF is sensible; with 0 there
 *   may be none, and whoever stands between sees and changes all that follows
 * @sasl_failure_delay_ms: how long a failure is kept before it is told, so
 *   that a connection is good for few guesses; and what one costs its peer,
 *   over all connections, once 16 have failed [1 000]
 * @polkit_manage: the action that polkit is asked for [org.reeve.manage]
 * @polkit_monitor: the same for read-only clients [org.reeve.monitor]
 *
 * How the clients of a server say who they are. %NULL and 0 are the default in
 * brackets.
 */
typedef struct {
  const char *sasl_service;
  const char *sasl_realm;
  const char *sasl_database;
  const char *const *sasl_mechanisms;
  const char *const *sasl_names;
  unsigned sasl_min_ssf;
  unsigned sasl_failure_delay_ms;
  const char *polkit_manage;
  const char *polkit_monitor;
} ReeveAuthOptions;

/**
 * reeve_auth_register:
 * @options: (nullable): copied; %NULL for the defaults
 *
 * Adds the program `auth`: the procedures by which the clients of a server say
 * who they are, where the service they came in by asks for it
 * (#ReeveServiceOptions.auth). Until then they can call nothing else. Before
 * the server listens. Thread: owner.
 */
void reeve_auth_register (ReeveServer *server, const ReeveAuthOptions *options);

G_END_DECLS
