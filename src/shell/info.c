/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/state-names.h"
#include "event/intl.h"
#include "shell/command.h"
#include "shell/machine-name.h"
#include "shell/machine-xml.h"
#include "shell/output.h"
#include "shell/stats.h"

#include <stdio.h>
#include <string.h>

/* What is known of a machine. */

enum {
  LIST_ACTIVE = 1 << 0,
  LIST_INACTIVE = 1 << 1,
  XML_SECURE = 1 << 0,
  XML_INACTIVE = 1 << 1,
  XML_MIGRATABLE = 1 << 3,
  VCPU_LIVE = 1 << 0,
  VCPU_CONFIG = 1 << 1,
  VCPU_MAXIMUM = 1 << 2,
  METADATA_TITLE = 1,
};

static const struct {
  const char *name;
  uint32_t flag;
} list_filters[] = {
  { "persistent", 1 << 2 },        { "transient", 1 << 3 },
  { "state-running", 1 << 4 },     { "state-paused", 1 << 5 },
  { "state-shutoff", 1 << 6 },     { "state-other", 1 << 7 },
  { "with-managed-save", 1 << 8 }, { "without-managed-save", 1 << 9 },
  { "autostart", 1 << 10 },        { "no-autostart", 1 << 11 },
  { "with-snapshot", 1 << 12 },    { "without-snapshot", 1 << 13 },
};

static gboolean
get_state (ReeveShell *shell,
           const remote_domain *domain,
           remote_domain_get_state_ret *ret,
           GError **error)
{
  remote_domain_get_state_args args = { .dom = *domain };

  return reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_STATE, &args, ret,
                           error);
}

static JsonObject *
make_identity (const remote_domain *domain)
{
  JsonObject *object = json_object_new ();
  char uuid[37];

  reeve_uuid_format (domain->uuid, uuid);
  if (domain->id < 0)
    json_object_set_null_member (object, "id");
  else
    json_object_set_int_member (object, "id", domain->id);
  json_object_set_string_member (object, "name", domain->name);
  json_object_set_string_member (object, "uuid", uuid);
  return object;
}

static const char *
translate (ReeveShell *shell, const char *word)
{
  return shell->format == REEVE_OUTPUT_TEXT ? _ (word) : word;
}

static void
set_state (ReeveShell *shell, JsonObject *object, int32_t state)
{
  json_object_set_string_member (object, "state",
                                 translate (shell, reeve_state_name (state)));
}

static void
set_title (ReeveShell *shell, JsonObject *object, const remote_domain *domain)
{
  remote_domain_get_metadata_args args = { .dom = *domain,
                                           .type = METADATA_TITLE };
  remote_domain_get_metadata_ret ret = { 0 };

  if (reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_METADATA, &args, &ret,
                        NULL))
    json_object_set_string_member (object, "title", ret.metadata);
  remote_domain_get_metadata_ret_clear (&ret);
}

/* Running ones by id, then the others by name. */
static int
compare_domains (gconstpointer a, gconstpointer b)
{
  const remote_domain *first = a;
  const remote_domain *second = b;

  if ((first->id < 0) != (second->id < 0))
    return first->id < 0 ? 1 : -1;
  if (first->id >= 0 && first->id != second->id)
    return first->id < second->id ? -1 : 1;
  return strcmp (first->name, second->name);
}

static gboolean
get_domains (ReeveShell *shell,
             const ReeveArguments *arguments,
             remote_connect_list_all_domains_ret *ret,
             GError **error)
{
  remote_connect_list_all_domains_args args = { .need_results = 1 };

  if (reeve_arguments_has (arguments, "inactive"))
    args.flags |= LIST_INACTIVE;
  else
    args.flags |= LIST_ACTIVE;
  if (reeve_arguments_has (arguments, "all"))
    args.flags |= LIST_ACTIVE | LIST_INACTIVE;
  for (size_t i = 0; i < G_N_ELEMENTS (list_filters); i++)
    if (reeve_arguments_has (arguments, list_filters[i].name))
      args.flags |= list_filters[i].flag;

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &args,
                         ret, error))
    return FALSE;
  if (ret->domains.n_items > 0)
    qsort (ret->domains.items, ret->domains.n_items, sizeof (remote_domain),
           compare_domains);
  return TRUE;
}

static void
print_names (const ReeveArguments *arguments,
             const remote_connect_list_all_domains_ret *ret)
{
  for (uint32_t i = 0; i < ret->domains.n_items; i++) {
    const remote_domain *domain = &ret->domains.items[i];
    char uuid[37];

    reeve_uuid_format (domain->uuid, uuid);
    if (reeve_arguments_has (arguments, "uuid"))
      printf ("%s\n", uuid);
    else
      printf ("%s\n", domain->name);
  }
}

static gboolean
run_list (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField columns[] = {
    { "id", N_ ("Id") },
    { "name", N_ ("Name") },
    { "state", N_ ("State") },
    { "title", N_ ("Title") },
  };
  gboolean has_title = reeve_arguments_has (arguments, "title");
  remote_connect_list_all_domains_ret ret = { 0 };
  JsonArray *rows;

  if (!get_domains (shell, arguments, &ret, error))
    return FALSE;

  if (shell->format == REEVE_OUTPUT_TEXT &&
      (reeve_arguments_has (arguments, "name") ||
       reeve_arguments_has (arguments, "uuid"))) {
    print_names (arguments, &ret);
    remote_connect_list_all_domains_ret_clear (&ret);
    return TRUE;
  }

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.domains.n_items; i++) {
    const remote_domain *domain = &ret.domains.items[i];
    remote_domain_get_state_ret state = { 0 };
    JsonObject *object;

    /* It may be gone by now. */
    if (!get_state (shell, domain, &state, NULL))
      continue;
    object = make_identity (domain);
    set_state (shell, object, state.state);
    if (has_title)
      set_title (shell, object, domain);
    json_array_add_object_element (rows, object);
  }
  remote_connect_list_all_domains_ret_clear (&ret);
  reeve_output_table (shell, columns,
                      G_N_ELEMENTS (columns) - (has_title ? 0 : 1), rows);
  return TRUE;
}

static gboolean
run_domstate (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  remote_domain domain = { 0 };
  remote_domain_get_state_ret ret = { 0 };
  JsonObject *object;
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;
  is_done = get_state (shell, &domain, &ret, error);
  remote_domain_clear (&domain);
  if (!is_done)
    return FALSE;

  object = json_object_new ();
  set_state (shell, object, ret.state);
  json_object_set_string_member (
      object, "reason",
      translate (shell, reeve_state_reason_name (ret.state, ret.reason)));
  if (shell->format != REEVE_OUTPUT_TEXT) {
    reeve_output_object (shell, NULL, 0, object);
    return TRUE;
  }

  if (reeve_arguments_has (arguments, "reason"))
    printf ("%s (%s)\n", json_object_get_string_member (object, "state"),
            json_object_get_string_member (object, "reason"));
  else
    printf ("%s\n", json_object_get_string_member (object, "state"));
  json_object_unref (object);
  return TRUE;
}

static gboolean
set_info (ReeveShell *shell,
          JsonObject *object,
          const remote_domain *domain,
          GError **error)
{
  remote_domain_get_info_args args = { .dom = *domain };
  remote_domain_get_info_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_INFO, &args, &ret,
                         error))
    return FALSE;

  set_state (shell, object, ret.state);
  json_object_set_int_member (object, "vcpus", ret.nr_virt_cpu);
  json_object_set_double_member (object, "cpu_seconds",
                                 (double) (ret.cpu_time / 1000000) / 1000.0);
  reeve_json_set_uint (object, "max_memory_bytes", ret.max_mem * 1024);
  reeve_json_set_uint (object, "memory_bytes", ret.memory * 1024);
  return TRUE;
}

static void
set_flags (ReeveShell *shell, JsonObject *object, const remote_domain *domain)
{
  remote_domain_is_persistent_ret persistent = { 0 };
  remote_domain_get_autostart_ret autostart = { 0 };
  remote_domain_get_os_type_ret os = { 0 };

  /* Each is optional in the protocol: what is not known is left out. */
  if (reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_OS_TYPE, domain, &os,
                        NULL))
    json_object_set_string_member (object, "os_type", os.type);
  if (reeve_shell_call (shell, REMOTE_PROC_DOMAIN_IS_PERSISTENT, domain,
                        &persistent, NULL))
    json_object_set_boolean_member (object, "persistent",
                                    persistent.persistent != 0);
  if (reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_AUTOSTART, domain,
                        &autostart, NULL))
    json_object_set_boolean_member (object, "autostart",
                                    autostart.autostart != 0);
  remote_domain_get_os_type_ret_clear (&os);
}

static gboolean
run_dominfo (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  static const ReeveField fields[] = {
    { "id", N_ ("Id") },
    { "name", N_ ("Name") },
    { "uuid", N_ ("UUID") },
    { "os_type", N_ ("OS type") },
    { "state", N_ ("State") },
    { "vcpus", N_ ("CPUs") },
    { "cpu_seconds", N_ ("CPU time (s)") },
    { "max_memory_bytes", N_ ("Max memory (bytes)") },
    { "memory_bytes", N_ ("Used memory (bytes)") },
    { "persistent", N_ ("Persistent") },
    { "autostart", N_ ("Autostart") },
  };
  remote_domain domain = { 0 };
  JsonObject *object;
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;

  object = make_identity (&domain);
  is_done = set_info (shell, object, &domain, error);
  if (is_done)
    set_flags (shell, object, &domain);
  remote_domain_clear (&domain);
  if (is_done)
    reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  else
    json_object_unref (object);
  return is_done;
}

/* domid, domuuid, domname: a member of the identity. */
static gboolean
print_identity (ReeveShell *shell,
                const ReeveArguments *arguments,
                const char *key,
                GError **error)
{
  g_autoptr (JsonObject) identity = NULL;
  remote_domain domain = { 0 };
  JsonNode *node;

  if (!reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;

  identity = make_identity (&domain);
  remote_domain_clear (&domain);
  node = json_object_get_member (identity, key);
  if (shell->format != REEVE_OUTPUT_TEXT) {
    JsonObject *object = json_object_new ();

    json_object_set_member (object, key, json_node_copy (node));
    reeve_output_object (shell, NULL, 0, object);
  } else if (JSON_NODE_HOLDS_NULL (node)) {
    printf ("-\n");
  } else if (json_node_get_value_type (node) == G_TYPE_STRING) {
    printf ("%s\n", json_node_get_string (node));
  } else {
    printf ("%d\n", (int) json_node_get_int (node));
  }
  return TRUE;
}

static gboolean
run_domid (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return print_identity (shell, arguments, "id", error);
}

static gboolean
run_domuuid (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return print_identity (shell, arguments, "uuid", error);
}

static gboolean
run_domname (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return print_identity (shell, arguments, "name", error);
}

static char *
get_xml (ReeveShell *shell,
         const ReeveArguments *arguments,
         uint32_t flags,
         GError **error)
{
  remote_domain_get_xml_desc_args args = { .flags = flags };
  remote_domain_get_xml_desc_ret ret = { 0 };

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return NULL;

  reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_XML_DESC, &args, &ret, error);
  remote_domain_get_xml_desc_args_clear (&args);
  return ret.xml;
}

static gboolean
run_dumpxml (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  g_autofree char *xml = NULL;
  uint32_t flags = 0;

  if (reeve_arguments_has (arguments, "inactive"))
    flags |= XML_INACTIVE;
  if (reeve_arguments_has (arguments, "security-info"))
    flags |= XML_SECURE;
  if (reeve_arguments_has (arguments, "migratable"))
    flags |= XML_MIGRATABLE;
  xml = get_xml (shell, arguments, flags, error);
  if (xml == NULL)
    return FALSE;

  reeve_output_text (shell, "xml", xml);
  return TRUE;
}

static gboolean
run_domblklist (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  static const ReeveField columns[] = {
    { "target", N_ ("Target") },
    { "source", N_ ("Source") },
  };
  gboolean is_inactive = reeve_arguments_has (arguments, "inactive");
  g_autofree char *xml =
      get_xml (shell, arguments, is_inactive ? XML_INACTIVE : 0, error);
  JsonArray *rows = xml == NULL ? NULL : reeve_machine_xml_disks (xml, error);

  if (rows == NULL)
    return FALSE;
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

static gboolean
run_domiflist (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  static const ReeveField columns[] = {
    { "target", N_ ("Interface") }, { "type", N_ ("Type") },
    { "source", N_ ("Source") },    { "model", N_ ("Model") },
    { "mac", N_ ("MAC") },
  };
  gboolean is_inactive = reeve_arguments_has (arguments, "inactive");
  g_autofree char *xml =
      get_xml (shell, arguments, is_inactive ? XML_INACTIVE : 0, error);
  JsonArray *rows =
      xml == NULL ? NULL : reeve_machine_xml_interfaces (xml, error);

  if (rows == NULL)
    return FALSE;
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

static void
set_vcpus (ReeveShell *shell,
           JsonObject *object,
           const char *key,
           const remote_domain *domain,
           uint32_t flags)
{
  remote_domain_get_vcpus_flags_args args = { .dom = *domain, .flags = flags };
  remote_domain_get_vcpus_flags_ret ret = { 0 };

  /* A machine that is off has no live count, a transient one no other. */
  if (reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS, &args, &ret,
                        NULL))
    json_object_set_int_member (object, key, ret.num);
}

static gboolean
run_vcpucount (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  static const ReeveField fields[] = {
    { "maximum_config", N_ ("Maximum, next start") },
    { "maximum_live", N_ ("Maximum, now") },
    { "current_config", N_ ("Current, next start") },
    { "current_live", N_ ("Current, now") },
  };
  remote_domain domain = { 0 };
  JsonObject *object;

  if (!reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;

  object = json_object_new ();
  set_vcpus (shell, object, "maximum_config", &domain,
             VCPU_CONFIG | VCPU_MAXIMUM);
  set_vcpus (shell, object, "maximum_live", &domain, VCPU_LIVE | VCPU_MAXIMUM);
  set_vcpus (shell, object, "current_config", &domain, VCPU_CONFIG);
  set_vcpus (shell, object, "current_live", &domain, VCPU_LIVE);
  remote_domain_clear (&domain);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  return TRUE;
}

static gboolean
run_dommemstat (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  remote_domain_memory_stats_args args = { .max_stats = 13 };
  remote_domain_memory_stats_ret ret = { 0 };
  JsonObject *object;
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;
  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_MEMORY_STATS, &args,
                              &ret, error);
  remote_domain_memory_stats_args_clear (&args);
  if (!is_done)
    return FALSE;

  object = json_object_new ();
  for (uint32_t i = 0; i < ret.stats.n_items; i++) {
    const char *name = reeve_memory_stat_name (ret.stats.items[i].tag);

    if (name != NULL)
      reeve_json_set_uint (object, name, ret.stats.items[i].val);
  }
  remote_domain_memory_stats_ret_clear (&ret);
  reeve_stats_print (shell, NULL, object);
  return TRUE;
}

static const ReeveOption list_options[] = {
  { "inactive", REEVE_OPTION_FLAG, .help = N_ ("those that are off") },
  { "all", REEVE_OPTION_FLAG,
    .help = N_ ("those that run and those that "
                "do not") },
  { "name", REEVE_OPTION_FLAG, .help = N_ ("print names alone") },
  { "uuid", REEVE_OPTION_FLAG, .help = N_ ("print uuids alone") },
  { "table", REEVE_OPTION_FLAG, .help = N_ ("print a table (the default)") },
  { "title", REEVE_OPTION_FLAG, .help = N_ ("print titles, too") },
  { "persistent", REEVE_OPTION_FLAG, .help = N_ ("those that are defined") },
  { "transient", REEVE_OPTION_FLAG, .help = N_ ("those that are not") },
  { "state-running", REEVE_OPTION_FLAG, .help = N_ ("those that run") },
  { "state-paused", REEVE_OPTION_FLAG, .help = N_ ("those that are paused") },
  { "state-shutoff", REEVE_OPTION_FLAG, .help = N_ ("those that are off") },
  { "state-other", REEVE_OPTION_FLAG, .help = N_ ("those in another state") },
  { "with-managed-save", REEVE_OPTION_FLAG,
    .help = N_ ("those with a saved state") },
  { "without-managed-save", REEVE_OPTION_FLAG,
    .help = N_ ("those without one") },
  { "autostart", REEVE_OPTION_FLAG,
    .help = N_ ("those that start with the daemon") },
  { "no-autostart", REEVE_OPTION_FLAG, .help = N_ ("those that do not") },
  { "with-snapshot", REEVE_OPTION_FLAG, .help = N_ ("those with snapshots") },
  { "without-snapshot", REEVE_OPTION_FLAG,
    .help = N_ ("those without snapshots") },
};

static const ReeveOption machine_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
};

static const ReeveOption state_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "reason", REEVE_OPTION_FLAG, .help = N_ ("say why it is so") },
};

static const ReeveOption xml_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "inactive", REEVE_OPTION_FLAG, .help = N_ ("as it is stored") },
  { "security-info", REEVE_OPTION_FLAG, .help = N_ ("passwords, too") },
  { "migratable", REEVE_OPTION_FLAG, .help = N_ ("fit for another host") },
};

static const ReeveOption device_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "inactive", REEVE_OPTION_FLAG, .help = N_ ("as they are stored") },
};

static const ReeveCommand commands[] = {
  { "list", N_ ("list machines"), list_options, G_N_ELEMENTS (list_options),
    run_list },
  { "dominfo", N_ ("what a machine is and has"), machine_options,
    G_N_ELEMENTS (machine_options), run_dominfo },
  { "domstate", N_ ("state of a machine"), state_options,
    G_N_ELEMENTS (state_options), run_domstate },
  { "domid", N_ ("id of a machine that runs"), machine_options,
    G_N_ELEMENTS (machine_options), run_domid },
  { "domuuid", N_ ("uuid of a machine"), machine_options,
    G_N_ELEMENTS (machine_options), run_domuuid },
  { "domname", N_ ("name of a machine"), machine_options,
    G_N_ELEMENTS (machine_options), run_domname },
  { "dumpxml", N_ ("XML of a machine"), xml_options, G_N_ELEMENTS (xml_options),
    run_dumpxml },
  { "vcpucount", N_ ("number of a machine's CPUs"), machine_options,
    G_N_ELEMENTS (machine_options), run_vcpucount },
  { "domblklist", N_ ("disks of a machine"), device_options,
    G_N_ELEMENTS (device_options), run_domblklist },
  { "domiflist", N_ ("network interfaces of a machine"), device_options,
    G_N_ELEMENTS (device_options), run_domiflist },
  { "dommemstat", N_ ("memory statistics of a machine"), machine_options,
    G_N_ELEMENTS (machine_options), run_dommemstat },
  { "domstats", N_ ("all statistics of machines"), reeve_stats_options,
    REEVE_STATS_N_OPTIONS, reeve_stats_run },
};

const ReeveCommandGroup reeve_info_commands = {
  N_ ("State of a machine"),
  commands,
  G_N_ELEMENTS (commands),
};
