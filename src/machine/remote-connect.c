/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/capabilities.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <stdio.h>
#include <unistd.h>

/* The connection itself. */

enum { OPEN_READ_ONLY = 1 << 0, OPEN_NO_ALIASES = 1 << 1 };

/* Numbers of libvirt's features. */
enum {
  FEATURE_FD_PASSING = 8,
  FEATURE_TYPED_PARAM_STRING = 9,
  FEATURE_KEEPALIVE = 10,
  FEATURE_EVENT_CALLBACK = 14,
  FEATURE_CLOSE_CALLBACK = 15,
};

/* "" lets us choose; the path says whose machines are meant, which here is
 * decided by the socket. */
static gboolean
is_our_name (const char *name)
{
  return name[0] == '\0' || g_str_has_prefix (name, "qemu:///system") ||
         g_str_has_prefix (name, "qemu:///session") ||
         g_str_equal (name, "qemu:///");
}

static gboolean
connect_open (ReeveCall *call,
              const remote_connect_open_args *args,
              GError **error)
{
  ReeveSession *session = reeve_session_get (call);

  if (!reeve_remote_check_flags (call, args->flags,
                                 OPEN_READ_ONLY | OPEN_NO_ALIASES, error))
    return FALSE;
  if (reeve_session_is_open (session)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                         _ ("The connection is open already"));
    return FALSE;
  }
  if (args->name != NULL && !is_our_name (args->name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
                 _ ("no connection driver available for %s"), args->name);
    return FALSE;
  }

  if (args->flags & OPEN_READ_ONLY)
    reeve_server_client_set_read_only (reeve_call_get_client (call));
  reeve_session_set_open (session);
  return TRUE;
}

static gboolean
connect_close (ReeveCall *call, GError **error)
{
  reeve_call_close_after_reply (call);
  return TRUE;
}

static gboolean
connect_get_type (ReeveCall *call,
                  remote_connect_get_type_ret *ret,
                  GError **error)
{
  ret->type = g_strdup ("QEMU");
  return TRUE;
}

static gboolean
connect_get_version (ReeveCall *call,
                     remote_connect_get_version_ret *ret,
                     GError **error)
{
  g_autoptr (ReeveEmulator) emulator = reeve_emulator_get_default (error);

  if (emulator == NULL)
    return FALSE;
  ret->hv_ver = emulator->version;
  return TRUE;
}

static gboolean
connect_get_lib_version (ReeveCall *call,
                         remote_connect_get_lib_version_ret *ret,
                         GError **error)
{
  unsigned major = 0, minor = 0, release = 0;

  if (sscanf (REEVE_VERSION, "%u.%u.%u", &major, &minor, &release) < 1)
    major = 0;
  ret->lib_ver = major * 1000000 + minor * 1000 + release;
  return TRUE;
}

static gboolean
connect_get_uri (ReeveCall *call,
                 remote_connect_get_uri_ret *ret,
                 GError **error)
{
  ret->uri = g_strdup (reeve_remote_get (call)->uri);
  return TRUE;
}

static gboolean
connect_get_hostname (ReeveCall *call,
                      remote_connect_get_hostname_ret *ret,
                      GError **error)
{
  ret->hostname = g_strdup (g_get_host_name ());
  return TRUE;
}

static gboolean
connect_supports_feature (ReeveCall *call,
                          const remote_connect_supports_feature_args *args,
                          remote_connect_supports_feature_ret *ret,
                          GError **error)
{
  switch (args->feature) {
  case FEATURE_FD_PASSING:
    ret->supported = reeve_server_client_get_transport (
                         reeve_call_get_client (call)) == REEVE_TRANSPORT_UNIX;
    break;
  case FEATURE_KEEPALIVE:
    reeve_server_client_enable_keepalive (reeve_call_get_client (call));
    ret->supported = 1;
    break;
  case FEATURE_TYPED_PARAM_STRING:
  case FEATURE_EVENT_CALLBACK:
  case FEATURE_CLOSE_CALLBACK:
    ret->supported = 1;
    break;
  default:
    ret->supported = 0;
    break;
  }
  return TRUE;
}

static gboolean
connect_is_secure (ReeveCall *call,
                   remote_connect_is_secure_ret *ret,
                   GError **error)
{
  ret->secure = reeve_server_client_get_transport (
                    reeve_call_get_client (call)) != REEVE_TRANSPORT_TCP;
  return TRUE;
}

/* We never close a connection and stay: there is nothing to tell. */
static gboolean
take_close_callback (ReeveCall *call, GError **error)
{
  return TRUE;
}

static gboolean
connect_get_capabilities (ReeveCall *call,
                          remote_connect_get_capabilities_ret *ret,
                          GError **error)
{
  ret->capabilities = reeve_capabilities_format (error);
  return ret->capabilities != NULL;
}

static gboolean
connect_get_domain_capabilities (
    ReeveCall *call,
    const remote_connect_get_domain_capabilities_args *args,
    remote_connect_get_domain_capabilities_ret *ret,
    GError **error)
{
  if (!reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;

  if (args->emulatorbin != NULL &&
      reeve_server_client_is_read_only (reeve_call_get_client (call))) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED,
                         _ ("operation forbidden: read only access may not "
                            "name a program to run"));
    return FALSE;
  }

  ret->capabilities = reeve_domain_capabilities_format (
      args->emulatorbin, args->arch, args->machine, args->virttype, error);
  return ret->capabilities != NULL;
}

static gboolean
connect_get_max_vcpus (ReeveCall *call,
                       const remote_connect_get_max_vcpus_args *args,
                       remote_connect_get_max_vcpus_ret *ret,
                       GError **error)
{
  ret->max_vcpus = REEVE_CONFIG_MAX_VCPUS;
  return TRUE;
}

void
reeve_remote_add_connect (remote_handlers *handlers)
{
  handlers->connect_open = connect_open;
  handlers->connect_close = connect_close;
  handlers->connect_get_type = connect_get_type;
  handlers->connect_get_version = connect_get_version;
  handlers->connect_get_lib_version = connect_get_lib_version;
  handlers->connect_get_uri = connect_get_uri;
  handlers->connect_get_hostname = connect_get_hostname;
  handlers->connect_supports_feature = connect_supports_feature;
  handlers->connect_is_secure = connect_is_secure;
  handlers->connect_register_close_callback = take_close_callback;
  handlers->connect_unregister_close_callback = take_close_callback;
  handlers->connect_get_capabilities = connect_get_capabilities;
  handlers->connect_get_domain_capabilities = connect_get_domain_capabilities;
  handlers->connect_get_max_vcpus = connect_get_max_vcpus;
}
