/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/command.h"
#include "shell/machine-name.h"
#include "shell/output.h"

#include <inttypes.h>

/* What the daemon says of itself and of its host. */

static char *
format_version (uint64_t version)
{
  return g_strdup_printf ("%" PRIu64 ".%" PRIu64 ".%" PRIu64, version / 1000000,
                          version / 1000 % 1000, version % 1000);
}

static void
set_version (JsonObject *object, const char *key, uint64_t version)
{
  g_autofree char *text = format_version (version);

  json_object_set_string_member (object, key, text);
}

static gboolean
run_version (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField fields[] = {
    { "shell", N_ ("Shell") },
    { "library", N_ ("Daemon") },
    { "driver", N_ ("Driver") },
    { "hypervisor", N_ ("Hypervisor") },
  };
  remote_connect_get_lib_version_ret library = { 0 };
  remote_connect_get_type_ret type = { 0 };
  remote_connect_get_version_ret hypervisor = { 0 };
  JsonObject *object;

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_LIB_VERSION, NULL,
                         &library, error) ||
      !reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_VERSION, NULL,
                         &hypervisor, error) ||
      !reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_TYPE, NULL, &type,
                         error))
    return FALSE;

  object = json_object_new ();
  json_object_set_string_member (object, "shell", REEVE_VERSION);
  set_version (object, "library", library.lib_ver);
  json_object_set_string_member (object, "driver", type.type);
  set_version (object, "hypervisor", hypervisor.hv_ver);
  remote_connect_get_type_ret_clear (&type);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  return TRUE;
}

static gboolean
run_uri (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_connect_get_uri_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_URI, NULL, &ret, error))
    return FALSE;
  reeve_output_text (shell, "uri", ret.uri);
  remote_connect_get_uri_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_hostname (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  remote_connect_get_hostname_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, &ret,
                         error))
    return FALSE;
  reeve_output_text (shell, "hostname", ret.hostname);
  remote_connect_get_hostname_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_capabilities (ReeveShell *shell,
                  const ReeveArguments *arguments,
                  GError **error)
{
  remote_connect_get_capabilities_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_CAPABILITIES, NULL,
                         &ret, error))
    return FALSE;
  reeve_output_text (shell, "capabilities", ret.capabilities);
  remote_connect_get_capabilities_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_domcapabilities (ReeveShell *shell,
                     const ReeveArguments *arguments,
                     GError **error)
{
  remote_connect_get_domain_capabilities_args args = {
    .emulatorbin = (char *) reeve_arguments_get (arguments, "emulatorbin"),
    .arch = (char *) reeve_arguments_get (arguments, "arch"),
    .machine = (char *) reeve_arguments_get (arguments, "machine"),
    .virttype = (char *) reeve_arguments_get (arguments, "virttype"),
  };
  remote_connect_get_domain_capabilities_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES,
                         &args, &ret, error))
    return FALSE;
  reeve_output_text (shell, "capabilities", ret.capabilities);
  remote_connect_get_domain_capabilities_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_nodeinfo (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  static const ReeveField fields[] = {
    { "model", N_ ("CPU model") },
    { "cpus", N_ ("CPUs") },
    { "frequency_mhz", N_ ("CPU frequency (MHz)") },
    { "sockets", N_ ("CPU sockets") },
    { "cores", N_ ("Cores per socket") },
    { "threads", N_ ("Threads per core") },
    { "numa_nodes", N_ ("NUMA cells") },
    { "memory_bytes", N_ ("Memory (bytes)") },
  };
  remote_node_get_info_ret ret = { 0 };
  JsonObject *object;
  char model[33] = "";

  if (!reeve_shell_call (shell, REMOTE_PROC_NODE_GET_INFO, NULL, &ret, error))
    return FALSE;

  for (size_t i = 0; i < 32; i++)
    model[i] = (char) ret.model[i];
  object = json_object_new ();
  json_object_set_string_member (object, "model", model);
  json_object_set_int_member (object, "cpus", ret.cpus);
  json_object_set_int_member (object, "frequency_mhz", ret.mhz);
  json_object_set_int_member (object, "sockets", ret.sockets);
  json_object_set_int_member (object, "cores", ret.cores);
  json_object_set_int_member (object, "threads", ret.threads);
  json_object_set_int_member (object, "numa_nodes", ret.nodes);
  reeve_json_set_uint (object, "memory_bytes", ret.memory * 1024);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  return TRUE;
}

static const ReeveOption domcapabilities_options[] = {
  { "virttype", REEVE_OPTION_STRING, .help = N_ ("kvm or qemu") },
  { "emulatorbin", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_FILES,
    .help = N_ ("path of the emulator") },
  { "arch", REEVE_OPTION_STRING, .help = N_ ("architecture of the guest") },
  { "machine", REEVE_OPTION_STRING, .help = N_ ("machine type") },
};

static const ReeveCommand commands[] = {
  { "version", N_ ("versions of shell, daemon and hypervisor"), NULL, 0,
    run_version },
  { "uri", N_ ("URI of the connection"), NULL, 0, run_uri },
  { "hostname", N_ ("name of the host"), NULL, 0, run_hostname },
  { "nodeinfo", N_ ("CPUs and memory of the host"), NULL, 0, run_nodeinfo },
  { "capabilities", N_ ("what the host can run, as XML"), NULL, 0,
    run_capabilities },
  { "domcapabilities", N_ ("what an emulator can give a machine, as XML"),
    domcapabilities_options, G_N_ELEMENTS (domcapabilities_options),
    run_domcapabilities },
};

const ReeveCommandGroup reeve_host_commands = {
  N_ ("Daemon and host"),
  commands,
  G_N_ELEMENTS (commands),
};
