/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/capabilities.h"

#include "event/intl.h"
#include "machine/config.h"
#include "machine/host.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#define DEFAULT_TYPE "pc"

/* @indent: in blanks; @attributes: each with a blank before it */
static void
add_element (GString *text,
             int indent,
             const char *name,
             const char *attributes,
             const char *value)
{
  g_autofree char *escaped = g_markup_escape_text (value, -1);

  g_string_append_printf (text, "%*s<%s%s>%s</%s>\n", indent, "", name,
                          attributes, escaped, name);
}

/* -------------------------------------------------------- capabilities --- */

static void
add_host (GString *text)
{
  g_autofree char *machine_id = NULL;
  char uuid_text[REEVE_UUID_TEXT_SIZE];
  uint8_t uuid[16];
  ReeveHostMemory memory;
  ReeveHostCpu cpu;

  reeve_host_read_cpu (&cpu);
  reeve_host_read_memory (&memory);
  g_string_append (text, "  <host>\n");
  if (g_file_get_contents ("/etc/machine-id", &machine_id, NULL, NULL) &&
      reeve_uuid_parse (g_strstrip (machine_id), uuid)) {
    reeve_uuid_format (uuid, uuid_text);
    g_string_append_printf (text, "    <uuid>%s</uuid>\n", uuid_text);
  }
  g_string_append (text, "    <cpu>\n      <arch>x86_64</arch>\n");
  g_string_append_printf (text,
                          "      <topology sockets='%u' dies='1' cores='%u'"
                          " threads='%u'/>\n    </cpu>\n",
                          cpu.n_sockets, cpu.n_cores, cpu.n_threads);
  g_string_append_printf (text,
                          "    <topology>\n      <cells num='1'>\n"
                          "        <cell id='0'>\n"
                          "          <memory unit='KiB'>%" G_GUINT64_FORMAT
                          "</memory>\n          <cpus num='%u'>\n",
                          (guint64) memory.total, cpu.n_cpus);
  for (unsigned i = 0; i < cpu.n_cpus; i++)
    g_string_append_printf (text, "            <cpu id='%u'/>\n", i);
  g_string_append (text, "          </cpus>\n        </cell>\n      </cells>\n"
                         "    </topology>\n  </host>\n");
  reeve_host_cpu_clear (&cpu);
}

static void
add_type (GString *text, const char *name, const char *canonical)
{
  if (canonical != NULL)
    g_string_append_printf (text,
                            "      <machine canonical='%s' maxCpus='%u'>%s"
                            "</machine>\n",
                            canonical, REEVE_CONFIG_MAX_VCPUS, name);
  else
    g_string_append_printf (text, "      <machine maxCpus='%u'>%s</machine>\n",
                            REEVE_CONFIG_MAX_VCPUS, name);
}

static void
add_guest (GString *text, ReeveEmulator *emulator)
{
  g_autofree char *refusal = reeve_emulator_dup_kvm_refusal (emulator);

  g_string_append (text, "  <guest>\n    <os_type>hvm</os_type>\n"
                         "    <arch name='x86_64'>\n"
                         "      <wordsize>64</wordsize>\n");
  add_element (text, 6, "emulator", "", emulator->path);
  for (unsigned i = 0; i < emulator->types->len; i++) {
    const ReeveMachineType *type = emulator->types->pdata[i];

    if (type->alias != NULL)
      add_type (text, type->alias, type->name);
    add_type (text, type->name, NULL);
  }
  g_string_append (text, "      <domain type='qemu'/>\n");
  if (refusal == NULL)
    g_string_append (text, "      <domain type='kvm'/>\n");
  g_string_append (text, "    </arch>\n    <features>\n"
                         "      <acpi default='on' toggle='yes'/>\n"
                         "      <apic default='on' toggle='no'/>\n"
                         "      <cpuselection/>\n      <deviceboot/>\n"
                         "    </features>\n  </guest>\n");
}

char *
reeve_capabilities_format (GError **error)
{
  g_autoptr (ReeveEmulator) emulator = reeve_emulator_get_default (error);
  GString *text;

  if (emulator == NULL)
    return NULL;

  text = g_string_new ("<capabilities>\n");
  add_host (text);
  add_guest (text, emulator);
  g_string_append (text, "</capabilities>\n");
  return g_string_free (text, FALSE);
}

/* ------------------------------------------------- domain capabilities --- */

static void
add_enum (GString *text, const char *name, const char *const *values)
{
  g_string_append_printf (text, "      <enum name='%s'>\n", name);
  for (; *values != NULL; values++)
    g_string_append_printf (text, "        <value>%s</value>\n", *values);
  g_string_append (text, "      </enum>\n");
}

#define VALUES(...)                                                            \
  (const char *const[]) { __VA_ARGS__, NULL }

static void
add_cpu_modes (GString *text, const ReeveEmulator *emulator, gboolean is_kvm)
{
  g_string_append_printf (
      text,
      "  <cpu>\n    <mode name='host-passthrough' supported='%s'/>\n"
      "    <mode name='maximum' supported='yes'/>\n"
      "    <mode name='host-model' supported='no'/>\n"
      "    <mode name='custom' supported='yes'>\n",
      is_kvm ? "yes" : "no");
  for (unsigned i = 0; i < emulator->cpus->len; i++)
    add_element (text, 6, "model", " usable='unknown'",
                 emulator->cpus->pdata[i]);
  g_string_append (text, "    </mode>\n  </cpu>\n");
}

static void
add_devices (GString *text)
{
  g_string_append (text, "  <devices>\n    <disk supported='yes'>\n");
  add_enum (text, "diskDevice", VALUES ("disk", "cdrom"));
  add_enum (text, "bus", VALUES ("ide", "scsi", "virtio", "usb", "sata"));
  g_string_append (text, "    </disk>\n    <graphics supported='yes'>\n");
  add_enum (text, "type", VALUES ("vnc"));
  g_string_append (text, "    </graphics>\n    <video supported='yes'>\n");
  add_enum (text, "modelType",
            VALUES ("vga", "cirrus", "virtio", "none", "bochs"));
  g_string_append (text, "    </video>\n    <hostdev supported='no'/>\n"
                         "    <rng supported='yes'>\n");
  add_enum (text, "model", VALUES ("virtio"));
  add_enum (text, "backendModel", VALUES ("random", "builtin"));
  g_string_append (text, "    </rng>\n    <filesystem supported='no'/>\n"
                         "    <tpm supported='no'/>\n  </devices>\n");
}

static gboolean
check_kvm (ReeveEmulator *emulator, GError **error)
{
  g_autofree char *refusal = reeve_emulator_dup_kvm_refusal (emulator);

  if (refusal != NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("KVM cannot be used: %s"), refusal);
  return refusal == NULL;
}

static gboolean
check_choice (ReeveEmulator *emulator,
              const char *arch,
              const char *virt_type,
              GError **error)
{
  if (arch != NULL && !g_str_equal (arch, "x86_64")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The architecture “%s” is not supported"), arch);
    return FALSE;
  }
  if (virt_type != NULL && g_str_equal (virt_type, "kvm"))
    return check_kvm (emulator, error);
  if (virt_type != NULL && !g_str_equal (virt_type, "qemu")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("unknown virttype: %s"), virt_type);
    return FALSE;
  }

  return TRUE;
}

char *
reeve_domain_capabilities_format (const char *path,
                                  const char *arch,
                                  const char *type,
                                  const char *virt_type,
                                  GError **error)
{
  g_autoptr (ReeveEmulator) emulator =
      reeve_emulator_get (path != NULL ? path : REEVE_EMULATOR_DEFAULT, error);
  const char *canonical;
  gboolean is_kvm;
  GString *text;

  if (emulator == NULL || !check_choice (emulator, arch, virt_type, error))
    return NULL;
  canonical = reeve_emulator_resolve_type (emulator,
                                           type != NULL ? type : DEFAULT_TYPE);
  if (canonical == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The emulator has no machine type “%s”"), type);
    return NULL;
  }

  is_kvm = virt_type != NULL ? g_str_equal (virt_type, "kvm")
                             : check_kvm (emulator, NULL);
  text = g_string_new ("<domainCapabilities>\n");
  add_element (text, 2, "path", "", emulator->path);
  g_string_append_printf (text,
                          "  <domain>%s</domain>\n  <machine>%s</machine>\n"
                          "  <arch>x86_64</arch>\n  <vcpu max='%u'/>\n"
                          "  <iothreads supported='no'/>\n"
                          "  <os supported='yes'>\n"
                          "    <loader supported='no'/>\n  </os>\n",
                          is_kvm ? "kvm" : "qemu", canonical,
                          REEVE_CONFIG_MAX_VCPUS);
  add_cpu_modes (text, emulator, is_kvm);
  add_devices (text);
  g_string_append (text, "  <features>\n    <gic supported='no'/>\n"
                         "    <vmcoreinfo supported='no'/>\n"
                         "    <genid supported='no'/>\n"
                         "    <sev supported='no'/>\n  </features>\n"
                         "</domainCapabilities>\n");
  return g_string_free (text, FALSE);
}
