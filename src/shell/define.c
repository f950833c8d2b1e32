/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "shell/command.h"
#include "shell/console.h"
#include "shell/machine-name.h"
#include "shell/output.h"

/* What makes, changes and removes the definition of a machine. */

/* A wire string's limit; a larger file is not a definition. */
#define DEFINITION_MAX 4194304

enum {
  DEFINE_VALIDATE = 1 << 0,
  CREATE_PAUSED = 1 << 0,
  CREATE_AUTODESTROY = 1 << 1,
  MODIFY_LIVE = 1 << 0,
  MODIFY_CONFIG = 1 << 1,
  METADATA_DESCRIPTION = 0,
  METADATA_TITLE = 1,
  METADATA_ELEMENT = 2,
};

static char *
read_definition (const ReeveArguments *arguments, GError **error)
{
  const char *path = reeve_arguments_get (arguments, "file");
  g_autofree char *text = NULL;
  gsize size;

  if (!g_file_get_contents (g_str_equal (path, "-") ? "/dev/stdin" : path,
                            &text, &size, error))
    return NULL;
  if (size > DEFINITION_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$s: too large for a definition: %2$zu bytes"), path,
                 size);
    return NULL;
  }

  return g_steal_pointer (&text);
}

static gboolean
run_define (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  g_autofree char *xml = read_definition (arguments, error);
  remote_domain_define_xml_flags_args args = { .xml = xml };
  remote_domain_define_xml_flags_ret ret = { 0 };

  if (xml == NULL)
    return FALSE;
  if (reeve_arguments_has (arguments, "validate"))
    args.flags |= DEFINE_VALIDATE;
  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, &args,
                         &ret, error))
    return FALSE;

  reeve_output_done (shell, ret.dom.name,
                     _ ("Machine '%1$s' defined from %2$s"), ret.dom.name,
                     reeve_arguments_get (arguments, "file"));
  remote_domain_define_xml_flags_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_create (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  g_autofree char *xml = read_definition (arguments, error);
  remote_domain_create_xml_args args = { .xml_desc = xml };
  remote_domain_create_xml_ret ret = { 0 };
  gboolean is_done = TRUE;

  if (xml == NULL)
    return FALSE;
  if (reeve_arguments_has (arguments, "paused"))
    args.flags |= CREATE_PAUSED;
  if (reeve_arguments_has (arguments, "autodestroy"))
    args.flags |= CREATE_AUTODESTROY;
  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_CREATE_XML, &args, &ret,
                         error))
    return FALSE;

  reeve_output_done (shell, ret.dom.name,
                     _ ("Machine '%1$s' created from %2$s"), ret.dom.name,
                     reeve_arguments_get (arguments, "file"));
  if (reeve_arguments_has (arguments, "console"))
    is_done = reeve_console_run (shell, &ret.dom, NULL, 0, REEVE_CONSOLE_ESCAPE,
                                 error);
  remote_domain_create_xml_ret_clear (&ret);
  return is_done;
}

static gboolean
run_undefine (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  static const struct {
    const char *name;
    uint32_t flag;
  } flags[] = {
    { "managed-save", 1 << 0 },
    { "snapshots-metadata", 1 << 1 },
    { "nvram", 1 << 2 },
    { "keep-nvram", 1 << 3 },
  };
  remote_domain_undefine_flags_args args = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (flags); i++)
    if (reeve_arguments_has (arguments, flags[i].name))
      args.flags |= flags[i].flag;

  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args,
                              NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Machine '%s' undefined"),
                       args.dom.name);
  remote_domain_undefine_flags_args_clear (&args);
  return is_done;
}

static gboolean
run_domrename (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  remote_domain_rename_args args = { 0 };
  remote_domain_rename_ret ret = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  args.new_name = g_strdup (reeve_arguments_get (arguments, "new-name"));
  is_done =
      reeve_shell_call (shell, REMOTE_PROC_DOMAIN_RENAME, &args, &ret, error);
  if (is_done)
    reeve_output_done (shell, args.new_name,
                       _ ("Machine '%1$s' is now called '%2$s'"), args.dom.name,
                       args.new_name);
  remote_domain_rename_args_clear (&args);
  return is_done;
}

static uint32_t
get_impact (const ReeveArguments *arguments)
{
  uint32_t flags = 0;

  if (reeve_arguments_has (arguments, "live"))
    flags |= MODIFY_LIVE;
  if (reeve_arguments_has (arguments, "config"))
    flags |= MODIFY_CONFIG;

  return flags;
}

static gboolean
run_setmem (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain_set_memory_flags_args args = { 0 };
  gboolean is_done;

  if (!reeve_arguments_get_size_kib (arguments, "size", &args.memory, error) ||
      !reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  args.flags = get_impact (arguments);
  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, &args,
                              NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Memory of '%s' changed"),
                       args.dom.name);
  remote_domain_set_memory_flags_args_clear (&args);
  return is_done;
}

static gboolean
set_metadata (ReeveShell *shell,
              remote_domain_set_metadata_args *args,
              const char *what,
              GError **error)
{
  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_SET_METADATA, args, NULL,
                         error))
    return FALSE;

  reeve_output_done (shell, args->dom.name, _ ("%1$s of '%2$s' changed"), what,
                     args->dom.name);
  return TRUE;
}

static gboolean
print_metadata (ReeveShell *shell,
                const remote_domain *domain,
                int32_t type,
                const char *uri,
                const char *key,
                uint32_t flags,
                GError **error)
{
  remote_domain_get_metadata_args args = {
    .dom = *domain,
    .type = type,
    .uri = (char *) uri,
    .flags = flags,
  };
  remote_domain_get_metadata_ret ret = { 0 };
  g_autoptr (GError) why = NULL;

  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_GET_METADATA, &args, &ret,
                         &why)) {
    /* A machine without a description is not an error. */
    if (type != METADATA_ELEMENT &&
        g_error_matches (why, REEVE_ERROR, REEVE_ERROR_NO_METADATA)) {
      reeve_output_text (shell, key, "");
      return TRUE;
    }
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }

  reeve_output_text (shell, key, ret.metadata);
  remote_domain_get_metadata_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_desc (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  gboolean is_title = reeve_arguments_has (arguments, "title");
  int32_t type = is_title ? METADATA_TITLE : METADATA_DESCRIPTION;
  const char *const *words = reeve_arguments_get_rest (arguments);
  remote_domain_set_metadata_args args = { .type = type };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  args.flags = get_impact (arguments);
  if (words[0] == NULL) {
    is_done =
        print_metadata (shell, &args.dom, type, NULL,
                        is_title ? "title" : "description", args.flags, error);
  } else {
    args.metadata = g_strjoinv (" ", (char **) words);
    is_done = set_metadata (shell, &args,
                            is_title ? _ ("Title") : _ ("Description"), error);
  }
  remote_domain_set_metadata_args_clear (&args);
  return is_done;
}

static gboolean
run_metadata (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  gboolean is_removal = reeve_arguments_has (arguments, "remove");
  remote_domain_set_metadata_args args = { .type = METADATA_ELEMENT };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  args.flags = get_impact (arguments);
  args.uri = g_strdup (reeve_arguments_get (arguments, "uri"));
  args.key = g_strdup (reeve_arguments_get (arguments, "key"));
  args.metadata = g_strdup (reeve_arguments_get (arguments, "set"));
  if (is_removal || args.metadata != NULL)
    is_done = set_metadata (shell, &args, _ ("Metadata"), error);
  else
    is_done = print_metadata (shell, &args.dom, METADATA_ELEMENT, args.uri,
                              "metadata", args.flags, error);
  remote_domain_set_metadata_args_clear (&args);
  return is_done;
}

#define OPTION_FILE                                                            \
  {                                                                            \
    "file", REEVE_OPTION_STRING, TRUE, FALSE, REEVE_COMPLETE_FILES,            \
        N_ ("file with the machine's XML, or - for standard input")            \
  }
#define OPTION_LIVE                                                            \
  {                                                                            \
    "live", REEVE_OPTION_FLAG, .help = N_ ("change the running machine")       \
  }
#define OPTION_CONFIG                                                          \
  {                                                                            \
    "config", REEVE_OPTION_FLAG, .help = N_ ("change the next start")          \
  }

static const ReeveOption define_options[] = {
  OPTION_FILE,
  { "validate", REEVE_OPTION_FLAG, .help = N_ ("refuse what is not known") },
};

static const ReeveOption create_options[] = {
  OPTION_FILE,
  REEVE_OPTION_CONSOLE,
  { "paused", REEVE_OPTION_FLAG, .help = N_ ("leave it paused") },
  { "autodestroy", REEVE_OPTION_FLAG,
    .help = N_ ("destroy it when this shell disconnects") },
};

static const ReeveOption undefine_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "managed-save", REEVE_OPTION_FLAG,
    .help = N_ ("remove its saved state, too") },
  { "snapshots-metadata", REEVE_OPTION_FLAG,
    .help = N_ ("forget its snapshots, too") },
  { "nvram", REEVE_OPTION_FLAG, .help = N_ ("remove its NVRAM file, too") },
  { "keep-nvram", REEVE_OPTION_FLAG, .help = N_ ("keep its NVRAM file") },
};

static const ReeveOption rename_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_INACTIVE_MACHINES),
  { "new-name", REEVE_OPTION_STRING, TRUE, .help = N_ ("what to call it") },
};

static const ReeveOption setmem_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "size", REEVE_OPTION_SIZE, TRUE,
    .help = N_ ("KiB, or with a unit (512M)") },
  OPTION_LIVE,
  OPTION_CONFIG,
};

static const ReeveOption desc_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  OPTION_LIVE,
  OPTION_CONFIG,
  { "title", REEVE_OPTION_FLAG, .help = N_ ("the title instead") },
  { "new-desc", REEVE_OPTION_REST, .help = N_ ("what to set it to") },
};

static const ReeveOption metadata_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "uri", REEVE_OPTION_STRING, TRUE,
    .help = N_ ("XML namespace of the element") },
  OPTION_LIVE,
  OPTION_CONFIG,
  { "key", REEVE_OPTION_STRING, .help = N_ ("prefix of the namespace") },
  { "set", REEVE_OPTION_STRING, .help = N_ ("new element, as XML") },
  { "remove", REEVE_OPTION_FLAG, .help = N_ ("remove the element") },
};

static const ReeveCommand commands[] = {
  { "define", N_ ("define a machine, or change one"), define_options,
    G_N_ELEMENTS (define_options), run_define },
  { "create", N_ ("make and start a machine that is gone when it stops"),
    create_options, G_N_ELEMENTS (create_options), run_create },
  { "undefine", N_ ("remove a machine's definition"), undefine_options,
    G_N_ELEMENTS (undefine_options), run_undefine },
  { "domrename", N_ ("rename a machine that is off"), rename_options,
    G_N_ELEMENTS (rename_options), run_domrename },
  { "setmem", N_ ("change how much memory a machine has"), setmem_options,
    G_N_ELEMENTS (setmem_options), run_setmem },
  { "desc", N_ ("show or set a machine's description or title"), desc_options,
    G_N_ELEMENTS (desc_options), run_desc },
  { "metadata", N_ ("show or set a machine's metadata"), metadata_options,
    G_N_ELEMENTS (metadata_options), run_metadata },
};

const ReeveCommandGroup reeve_define_commands = {
  N_ ("Definition of a machine"),
  commands,
  G_N_ELEMENTS (commands),
};
