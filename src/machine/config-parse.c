/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config-devices.h"
#include "machine/config-private.h"
#include "machine/xml.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <string.h>

/* From the top of a domain's XML down to its devices (config-devices.c). What
 * is not given is added to the document, so that the stored definition says
 * all that was decided. */

#define MAX_MEMORY_KIB (UINT64_C (1) << 40)
#define MIB_IN_KIB 1024

static gboolean
fail (GError **error, const xmlNode *node, const char *reason)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
               _ ("the element <%1$s> in line %2$ld is wrong: %3$s"),
               (const char *) node->name, xmlGetLineNo (node), reason);
  return FALSE;
}

static gboolean
fail_missing (GError **error, const char *name)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
               _ ("the definition has no element <%s>"), name);
  return FALSE;
}

/* Reads an amount of memory, and writes it back in KiB. */
static gboolean
parse_memory (xmlNode *node, uint64_t step_kib, uint64_t *kib, GError **error)
{
  g_autofree char *text = reeve_xml_dup_text (node);
  g_autofree char *unit = reeve_xml_dup_attribute (node, "unit");
  g_autofree char *result = NULL;
  uint64_t bytes = 1024;
  uint64_t number;

  if (unit != NULL && !reeve_xml_find_unit (unit, &bytes))
    return fail (error, node, _ ("its unit is not known"));
  if (!reeve_xml_get_number (text, 0, MAX_MEMORY_KIB * 1024 / bytes, &number))
    return fail (error, node, _ ("it is not a number in the allowed range"));

  *kib = (number * bytes + 1023) / 1024;
  *kib = (*kib + step_kib - 1) / step_kib * step_kib;
  result = g_strdup_printf ("%" G_GUINT64_FORMAT, *kib);
  reeve_xml_set_text (node, result);
  reeve_xml_set_attribute (node, "unit", "KiB");
  return TRUE;
}

static gboolean
is_good_name (const char *name)
{
  if (name == NULL || name[0] == '\0' || strlen (name) > REEVE_CONFIG_MAX_NAME)
    return FALSE;
  if (g_str_equal (name, ".") || g_str_equal (name, ".."))
    return FALSE;
  for (const char *c = name; *c != '\0'; c++) {
    if (*c == '/' || g_ascii_iscntrl (*c))
      return FALSE;
  }
  return TRUE;
}

static gboolean
parse_name (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *node = reeve_xml_find (root, "name");

  if (node == NULL)
    return fail_missing (error, "name");
  self->name = reeve_xml_dup_text (node);
  if (!is_good_name (self->name))
    return fail (error, node,
                 _ ("a name has 1 to 200 bytes, no slash and no control "
                    "character"));
  return TRUE;
}

/* A uuid that was made here goes behind the name, where people look for it. */
static gboolean
parse_uuid (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *node = reeve_xml_find (root, "uuid");
  g_autofree char *text = reeve_xml_dup_text (node);

  if (node == NULL) {
    text = g_uuid_string_random ();
    node = xmlNewDocNode (root->doc, NULL, (const xmlChar *) "uuid", NULL);
    xmlAddNextSibling (reeve_xml_find (root, "name"), node);
    reeve_xml_set_text (node, text);
  }
  if (!reeve_uuid_parse (text, self->uuid))
    return fail (error, node, _ ("it is not a uuid"));
  return TRUE;
}

static gboolean
parse_type (ReeveConfig *self, xmlNode *root, GError **error)
{
  g_autofree char *type = reeve_xml_dup_attribute (root, "type");

  if (g_strcmp0 (type, "kvm") == 0)
    self->is_kvm = TRUE;
  else if (g_strcmp0 (type, "qemu") != 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED,
                 _ ("the type of a machine is 'kvm' or 'qemu', not '%s'"),
                 type == NULL ? "" : type);
    return FALSE;
  }
  return TRUE;
}

static gboolean
parse_memories (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *memory = reeve_xml_find (root, "memory");
  xmlNode *current = reeve_xml_find (root, "currentMemory");

  if (memory == NULL)
    return fail_missing (error, "memory");
  if (!parse_memory (memory, MIB_IN_KIB, &self->memory_kib, error))
    return FALSE;
  if (self->memory_kib == 0)
    return fail (error, memory, _ ("a machine needs memory"));

  if (current == NULL) {
    current = xmlCopyNode (memory, 1);
    xmlNodeSetName (current, (const xmlChar *) "currentMemory");
    xmlAddNextSibling (memory, current);
  }
  if (!parse_memory (current, 1, &self->current_memory_kib, error))
    return FALSE;
  if (self->current_memory_kib == 0 ||
      self->current_memory_kib > self->memory_kib)
    return fail (error, current, _ ("it is more than the memory, or none"));
  return TRUE;
}

static gboolean
parse_vcpus (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *node = reeve_xml_find (root, "vcpu");
  g_autofree char *text = NULL;
  g_autofree char *current = NULL;
  uint64_t maximum;
  uint64_t number;

  if (node == NULL) {
    node = reeve_xml_ensure (root, "vcpu");
    reeve_xml_set_text (node, "1");
  }
  text = reeve_xml_dup_text (node);
  current = reeve_xml_dup_attribute (node, "current");
  if (!reeve_xml_get_number (text, 1, REEVE_CONFIG_MAX_VCPUS, &maximum))
    return fail (error, node, _ ("it is not a number from 1 to 255"));
  number = maximum;
  if (current != NULL && !reeve_xml_get_number (current, 1, maximum, &number))
    return fail (error, node, _ ("'current' is more than all, or none"));

  self->max_vcpus = (unsigned) maximum;
  self->n_vcpus = (unsigned) number;
  return TRUE;
}

static void
parse_boot_devices (ReeveConfig *self, xmlNode *os)
{
  for (xmlNode *node = reeve_xml_find (os, "boot"); node != NULL;
       node = reeve_xml_next (node, "boot")) {
    char *device = reeve_xml_dup_attribute (node, "dev");

    if (device != NULL && self->boot_devices->len < 8)
      g_ptr_array_add (self->boot_devices, device);
    else
      g_free (device);
  }
  g_ptr_array_add (self->boot_devices, NULL);
}

static gboolean
parse_os (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *os = reeve_xml_find (root, "os");
  xmlNode *type = reeve_xml_find (os, "type");

  if (type == NULL)
    return fail_missing (error, "os/type");
  self->os_type = reeve_xml_dup_text (type);
  if (!g_str_equal (self->os_type, "hvm"))
    return fail (error, type, _ ("only 'hvm' is supported"));

  self->arch = reeve_xml_dup_attribute (type, "arch");
  if (self->arch == NULL) {
    self->arch = g_strdup ("x86_64");
    reeve_xml_set_attribute (type, "arch", self->arch);
  }
  if (!g_str_equal (self->arch, "x86_64") && !g_str_equal (self->arch, "i686"))
    return fail (error, type, _ ("its architecture is not supported"));

  self->machine = reeve_xml_dup_attribute (type, "machine");
  if (self->machine == NULL) {
    self->machine = g_strdup ("pc");
    reeve_xml_set_attribute (type, "machine", self->machine);
  }
  if (strpbrk (self->machine, ", =") != NULL)
    return fail (error, type, _ ("its machine is not a machine type"));

  self->kernel = reeve_xml_dup_child_text (os, "kernel");
  self->initrd = reeve_xml_dup_child_text (os, "initrd");
  self->kernel_arguments = reeve_xml_dup_child_text (os, "cmdline");
  self->loader = reeve_xml_dup_child_text (os, "loader");
  parse_boot_devices (self, os);
  return TRUE;
}

static void
parse_cpu (ReeveConfig *self, xmlNode *root)
{
  xmlNode *cpu = reeve_xml_find (root, "cpu");

  self->cpu_mode = reeve_xml_dup_attribute (cpu, "mode");
  self->cpu_model = reeve_xml_dup_child_text (cpu, "model");
  if (self->cpu_mode == NULL && self->cpu_model != NULL)
    self->cpu_mode = g_strdup ("custom");
}

static void
parse_clock (ReeveConfig *self, xmlNode *root)
{
  xmlNode *clock = reeve_xml_find (root, "clock");
  g_autofree char *adjustment = NULL;

  if (clock == NULL) {
    clock = reeve_xml_ensure (root, "clock");
    reeve_xml_set_attribute (clock, "offset", "utc");
  }
  self->clock = reeve_xml_dup_attribute (clock, "offset");
  if (self->clock == NULL)
    self->clock = g_strdup ("utc");
  adjustment = reeve_xml_dup_attribute (clock, "adjustment");
  if (adjustment != NULL)
    self->clock_adjustment = g_ascii_strtoll (adjustment, NULL, 10);
}

static gboolean
parse_action (xmlNode *root,
              const char *name,
              const char *fallback,
              ReeveAction *action,
              GError **error)
{
  static const char *const words[] = {
    "destroy",  "restart",          "rename-restart",
    "preserve", "coredump-destroy", "coredump-restart",
  };
  xmlNode *node = reeve_xml_find (root, name);
  g_autofree char *text = NULL;

  if (node == NULL) {
    node = reeve_xml_ensure (root, name);
    reeve_xml_set_text (node, fallback);
  }
  text = reeve_xml_dup_text (node);
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++) {
    if (g_strcmp0 (words[i], text) == 0) {
      *action = (ReeveAction) i;
      return TRUE;
    }
  }
  return fail (error, node, _ ("it is not an action"));
}

static gboolean
parse_actions (ReeveConfig *self, xmlNode *root, GError **error)
{
  return parse_action (root, "on_poweroff", "destroy", &self->on_poweroff,
                       error) &&
         parse_action (root, "on_reboot", "restart", &self->on_reboot, error) &&
         parse_action (root, "on_crash", "destroy", &self->on_crash, error);
}

/* Where a file does not end by itself: the devices come last. */
static xmlNode *
ensure_devices (xmlNode *root)
{
  xmlNode *devices = reeve_xml_find (root, "devices");

  if (devices == NULL)
    return reeve_xml_ensure (root, "devices");
  if (devices->next != NULL) {
    xmlUnlinkNode (devices);
    xmlAddChild (root, devices);
  }
  return devices;
}

static void
parse_emulator (ReeveConfig *self, xmlNode *devices)
{
  xmlNode *node = reeve_xml_find (devices, "emulator");

  self->emulator = reeve_xml_dup_text (node);
  if (self->emulator != NULL && self->emulator[0] == '/')
    return;

  g_free (self->emulator);
  self->emulator =
      g_strdup_printf ("/usr/bin/qemu-system-%s",
                       g_str_equal (self->arch, "i686") ? "i386" : "x86_64");
  if (node == NULL) {
    node =
        xmlNewDocNode (devices->doc, NULL, (const xmlChar *) "emulator", NULL);
    if (devices->children == NULL)
      xmlAddChild (devices, node);
    else
      xmlAddPrevSibling (devices->children, node);
  }
  reeve_xml_set_text (node, self->emulator);
}

/* What is known, whether or not it has an effect. */
static void
warn_unknown (ReeveConfig *self, const xmlNode *root)
{
  static const char *const known[] = {
    "name",   "uuid",          "title",       "description", "metadata",
    "memory", "currentMemory", "vcpu",        "os",          "features",
    "cpu",    "clock",         "on_poweroff", "on_reboot",   "on_crash",
    "pm",     "devices",       "seclabel",    "resource",    "genid",
  };

  for (const xmlNode *node = root->children; node != NULL; node = node->next) {
    gboolean is_known = node->type != XML_ELEMENT_NODE;

    for (size_t i = 0; !is_known && i < G_N_ELEMENTS (known); i++)
      is_known = reeve_xml_is (node, known[i]);
    if (!is_known && self->warnings->len < REEVE_CONFIG_MAX_DEVICES)
      g_ptr_array_add (
          self->warnings,
          g_strdup_printf (_ ("the element <%1$s> in line %2$ld has no effect"),
                           (const char *) node->name, xmlGetLineNo (node)));
  }
}

static gboolean
parse_root (ReeveConfig *self, xmlNode *root, GError **error)
{
  xmlNode *devices;

  if (!parse_type (self, root, error) || !parse_name (self, root, error) ||
      !parse_uuid (self, root, error) || !parse_memories (self, root, error) ||
      !parse_vcpus (self, root, error) || !parse_os (self, root, error))
    return FALSE;

  self->title = reeve_xml_dup_child_text (root, "title");
  self->description = reeve_xml_dup_child_text (root, "description");
  self->has_acpi =
      reeve_xml_find (reeve_xml_find (root, "features"), "acpi") != NULL;
  parse_cpu (self, root);
  parse_clock (self, root);
  if (!parse_actions (self, root, error))
    return FALSE;

  warn_unknown (self, root);
  devices = ensure_devices (root);
  parse_emulator (self, devices);
  return reeve_config_parse_devices (self, devices, error);
}

ReeveConfig *
reeve_config_new_from_doc (xmlDoc *doc, GError **error)
{
  g_autoptr (ReeveConfig) self = reeve_config_new ();
  xmlNode *root = xmlDocGetRootElement (doc);

  if (!reeve_xml_is (root, "domain")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL,
                 _ ("the root element is <%s>, not <domain>"),
                 (const char *) root->name);
    return NULL;
  }

  reeve_config_strip_live (root);
  if (!parse_root (self, root, error))
    return NULL;
  self->xml = reeve_xml_to_text (doc, root);
  return g_steal_pointer (&self);
}
