/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/stats.h"

#include "event/intl.h"
#include "shell/machine-name.h"
#include "shell/output.h"
#include "shell/typed-param.h"

#include <stdio.h>

/* Which options choose which statistics. */
static const struct {
  const char *name;
  uint32_t mask;
} kinds[] = {
  { "state", 1 << 0 }, { "cpu-total", 1 << 1 }, { "balloon", 1 << 2 },
  { "vcpu", 1 << 3 },  { "interface", 1 << 4 }, { "block", 1 << 5 },
};

const ReeveOption reeve_stats_options[REEVE_STATS_N_OPTIONS] = {
  { "state", REEVE_OPTION_FLAG, .help = N_ ("state") },
  { "cpu-total", REEVE_OPTION_FLAG, .help = N_ ("time of all CPUs") },
  { "balloon", REEVE_OPTION_FLAG, .help = N_ ("memory") },
  { "vcpu", REEVE_OPTION_FLAG, .help = N_ ("each CPU") },
  { "interface", REEVE_OPTION_FLAG, .help = N_ ("each network interface") },
  { "block", REEVE_OPTION_FLAG, .help = N_ ("each disk") },
  { "nowait", REEVE_OPTION_FLAG,
    .help = N_ ("only what is known without asking a guest") },
  { "raw", REEVE_OPTION_FLAG, .help = N_ ("accepted, changes nothing") },
  { "domain", REEVE_OPTION_REST, .completion = REEVE_COMPLETE_MACHINES,
    .help = N_ ("the machines; all if none is named") },
};

static void
print_member (JsonObject *object,
              const char *key,
              JsonNode *node,
              gpointer data)
{
  g_autofree char *text = json_node_get_value_type (node) == G_TYPE_STRING
                              ? json_node_dup_string (node)
                              : json_to_string (node, FALSE);

  printf ("%s%s=%s\n", (const char *) data, key, text);
}

void
reeve_stats_print (ReeveShell *shell, const char *name, JsonObject *object)
{
  if (shell->format != REEVE_OUTPUT_TEXT) {
    reeve_output_object (shell, NULL, 0, object);
    return;
  }

  if (name != NULL)
    printf (_ ("Machine: '%s'\n"), name);
  json_object_foreach_member (object, print_member,
                              (gpointer) (name != NULL ? "  " : ""));
  putchar ('\n');
  json_object_unref (object);
}

static void
print_records (ReeveShell *shell,
               const remote_connect_get_all_domain_stats_ret *ret)
{
  JsonArray *rows = json_array_new ();

  for (uint32_t i = 0; i < ret->records.n_items; i++) {
    JsonObject *stats = json_object_new ();
    const char *name = ret->records.items[i].dom.name;

    for (uint32_t j = 0; j < ret->records.items[i].params.n_items; j++) {
      const remote_typed_param *param = &ret->records.items[i].params.items[j];

      reeve_json_set_typed (stats, param->field, &remote_typed_param_value_type,
                            &param->value);
    }
    if (shell->format == REEVE_OUTPUT_TEXT) {
      reeve_stats_print (shell, name, stats);
    } else {
      JsonObject *row = json_object_new ();

      json_object_set_string_member (row, "name", name);
      json_object_set_object_member (row, "stats", stats);
      json_array_add_object_element (rows, row);
    }
  }

  if (shell->format == REEVE_OUTPUT_TEXT)
    json_array_unref (rows);
  else
    reeve_output_table (shell, NULL, 0, rows);
}

static gboolean
resolve_all (ReeveShell *shell,
             const char *const *words,
             remote_connect_get_all_domain_stats_args *args,
             GError **error)
{
  size_t n_words = g_strv_length ((char **) words);

  args->doms.items = g_new0 (remote_domain, n_words);
  args->doms.n_items = n_words;
  for (size_t i = 0; i < n_words; i++) {
    if (!reeve_machine_name_resolve (shell, words[i], &args->doms.items[i],
                                     error)) {
      args->doms.n_items = i;
      return FALSE;
    }
  }

  return TRUE;
}

gboolean
reeve_stats_run (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  static const uint32_t flag_nowait = UINT32_C (0x20000000);
  remote_connect_get_all_domain_stats_args args = { 0 };
  remote_connect_get_all_domain_stats_ret ret = { 0 };
  gboolean is_done;

  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (reeve_arguments_has (arguments, kinds[i].name))
      args.stats |= kinds[i].mask;
  if (reeve_arguments_has (arguments, "nowait"))
    args.flags |= flag_nowait;

  is_done =
      resolve_all (shell, reeve_arguments_get_rest (arguments), &args, error) &&
      reeve_shell_call (shell, REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args,
                        &ret, error);
  if (is_done)
    print_records (shell, &ret);
  remote_connect_get_all_domain_stats_ret_clear (&ret);
  remote_connect_get_all_domain_stats_args_clear (&args);
  return is_done;
}
