/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config.h"

#include "rpc/error.h"
#include "rpc/uuid.h"

#include <string.h>

#define HEAD "<domain type='qemu'><name>web</name><memory>1024</memory>"
#define OS "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
#define MINIMAL HEAD OS "</domain>"

/* What virt-install writes for a simple guest. */
static const char virt_install[] =
    "<domain type=\"kvm\">\n"
    "  <name>vm1</name>\n"
    "  <uuid>6f3a2bd5-8c14-4d0f-9e6c-0a5a5f3f7a11</uuid>\n"
    "  <metadata>\n"
    "    <libosinfo:libosinfo "
    "xmlns:libosinfo=\"http://libosinfo.org/xmlns/libvirt/domain/1.0\">\n"
    "      <libosinfo:os id=\"http://debian.org/debian/12\"/>\n"
    "    </libosinfo:libosinfo>\n"
    "  </metadata>\n"
    "  <memory>1048576</memory>\n"
    "  <currentMemory>1048576</currentMemory>\n"
    "  <vcpu>2</vcpu>\n"
    "  <os>\n"
    "    <type arch=\"x86_64\" machine=\"q35\">hvm</type>\n"
    "    <boot dev=\"hd\"/>\n"
    "  </os>\n"
    "  <features>\n    <acpi/>\n    <apic/>\n  </features>\n"
    "  <cpu mode=\"host-passthrough\"/>\n"
    "  <clock offset=\"utc\">\n"
    "    <timer name=\"rtc\" tickpolicy=\"catchup\"/>\n"
    "    <timer name=\"pit\" tickpolicy=\"delay\"/>\n"
    "    <timer name=\"hpet\" present=\"no\"/>\n"
    "  </clock>\n"
    "  <pm>\n    <suspend-to-mem enabled=\"no\"/>\n"
    "    <suspend-to-disk enabled=\"no\"/>\n  </pm>\n"
    "  <devices>\n"
    "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
    "    <disk type=\"file\" device=\"disk\">\n"
    "      <driver name=\"qemu\" type=\"qcow2\" discard=\"unmap\"/>\n"
    "      <source file=\"/var/lib/libvirt/images/vm1.qcow2\"/>\n"
    "      <target dev=\"vda\" bus=\"virtio\"/>\n"
    "    </disk>\n"
    "    <controller type=\"usb\" model=\"qemu-xhci\" ports=\"15\"/>\n"
    "    <controller type=\"pci\" model=\"pcie-root\"/>\n"
    "    <controller type=\"pci\" model=\"pcie-root-port\"/>\n"
    "    <interface type=\"network\">\n"
    "      <source network=\"default\"/>\n"
    "      <mac address=\"52:54:00:1a:2b:3c\"/>\n"
    "      <model type=\"virtio\"/>\n"
    "    </interface>\n"
    "    <console type=\"pty\"/>\n"
    "    <channel type=\"unix\">\n"
    "      <source mode=\"bind\"/>\n"
    "      <target type=\"virtio\" name=\"org.qemu.guest_agent.0\"/>\n"
    "    </channel>\n"
    "    <input type=\"tablet\" bus=\"usb\"/>\n"
    "    <graphics type=\"vnc\" port=\"-1\"/>\n"
    "    <video>\n      <model type=\"virtio\"/>\n    </video>\n"
    "    <memballoon model=\"virtio\"/>\n"
    "    <rng model=\"virtio\">\n"
    "      <backend model=\"random\">/dev/urandom</backend>\n"
    "    </rng>\n"
    "  </devices>\n"
    "</domain>\n";

static ReeveConfig *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  ReeveConfig *config = reeve_config_new_from_xml (xml, &error);

  g_assert_no_error (error);
  return config;
}

static void
test_what_virt_install_writes (void)
{
  g_autoptr (ReeveConfig) config = parse (virt_install);
  g_autoptr (ReeveConfig) again = parse (reeve_config_get_xml (config));
  ReeveConfigDisk *disk =
      g_ptr_array_index (reeve_config_get_disks (config), 0);
  ReeveConfigInterface *interface =
      g_ptr_array_index (reeve_config_get_interfaces (config), 0);

  g_assert_cmpstr (reeve_config_get_name (config), ==, "vm1");
  g_assert_true (reeve_config_is_kvm (config));
  g_assert_cmpuint (reeve_config_get_memory_kib (config), ==, 1048576);
  g_assert_cmpuint (reeve_config_get_vcpus (config), ==, 2);
  g_assert_cmpstr (reeve_config_get_machine (config), ==, "q35");
  g_assert_cmpstr (disk->path, ==, "/var/lib/libvirt/images/vm1.qcow2");
  g_assert_cmpstr (disk->format, ==, "qcow2");
  g_assert_cmpstr (disk->alias, ==, "virtio-disk0");
  g_assert_cmpstr (interface->source, ==, "default");
  g_assert_cmpstr (interface->mac, ==, "52:54:00:1a:2b:3c");
  g_assert_cmpuint (reeve_config_get_warnings (config)->len, ==, 0);
  /* read again, it says the same */
  g_assert_cmpstr (reeve_config_get_xml (again), ==,
                   reeve_config_get_xml (config));
  g_assert_nonnull (strstr (reeve_config_get_xml (config), "libosinfo:os"));
}

static void
test_fills_in_what_is_not_given (void)
{
  g_autoptr (ReeveConfig) config = parse (MINIMAL);
  const char *xml = reeve_config_get_xml (config);
  static const uint8_t nothing[16] = { 0 };

  g_assert_cmpint (memcmp (reeve_config_get_uuid (config), nothing, 16), !=, 0);
  g_assert_nonnull (strstr (xml, "<uuid>"));
  g_assert_nonnull (strstr (xml, "<currentMemory unit='KiB'>1024<"));
  g_assert_nonnull (strstr (xml, "<emulator>/usr/bin/qemu-system-x86_64<"));
  g_assert_nonnull (strstr (xml, "<memballoon model='virtio'/>"));
  g_assert_cmpuint (reeve_config_get_vcpus (config), ==, 1);
  g_assert_cmpint (reeve_config_get_on_poweroff (config), ==,
                   REEVE_ACTION_DESTROY);
  g_assert_cmpint (reeve_config_get_on_reboot (config), ==,
                   REEVE_ACTION_RESTART);
}

static void
test_keeps_what_it_does_not_know (void)
{
  g_autoptr (ReeveConfig) config =
      parse (HEAD OS "<strange a='1'><deep>x</deep></strange>"
                     "<devices><gadget kind='k'/></devices></domain>");

  g_assert_nonnull (strstr (reeve_config_get_xml (config), "<deep>x</deep>"));
  g_assert_nonnull (
      strstr (reeve_config_get_xml (config), "<gadget kind='k'/>"));
  g_assert_cmpuint (reeve_config_get_warnings (config)->len, ==, 2);
}

typedef struct {
  const char *name;
  const char *memory;
  uint64_t kib; /* 0: refused */
} MemoryCase;

static const MemoryCase memory_cases[] = {
  { "kib-without-a-unit", "<memory>2048</memory>", 2048 },
  { "mib", "<memory unit='MiB'>32</memory>", 32768 },
  { "m-is-mib", "<memory unit='M'>32</memory>", 32768 },
  { "gib", "<memory unit='GiB'>2</memory>", 2097152 },
  { "kb-is-a-thousand", "<memory unit='KB'>1048576</memory>", 1024000 },
  { "rounds-up-to-a-mib", "<memory>1025</memory>", 2048 },
  { "bytes", "<memory unit='b'>1048576</memory>", 1024 },
  { "blanks-around", "<memory> 1024 </memory>", 1024 },
  { "none", "<memory>0</memory>", 0 },
  { "negative", "<memory>-1024</memory>", 0 },
  { "not-a-number", "<memory>much</memory>", 0 },
  { "wraps", "<memory unit='TiB'>18446744073709551615</memory>", 0 },
  { "no-such-unit", "<memory unit='parsec'>1</memory>", 0 },
};

static void
test_memory (gconstpointer data)
{
  const MemoryCase *row = data;
  g_autofree char *xml = g_strconcat ("<domain type='qemu'><name>m</name>",
                                      row->memory, OS, "</domain>", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, &error);

  if (row->kib == 0) {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpuint (reeve_config_get_memory_kib (config), ==, row->kib);
}

typedef struct {
  const char *name;
  const char *xml;
  int code;
  const char *part; /* of the message */
} BadCase;

#define DEVICES(text) HEAD OS "<devices>" text "</devices></domain>"
#define DISK(text) DEVICES ("<disk>" text "</disk>")

static const BadCase bad_cases[] = {
  { "empty", "", REEVE_ERROR_XML, "" },
  { "not-xml", "hello", REEVE_ERROR_XML, "line 1" },
  { "unfinished", "<domain>\n<name>", REEVE_ERROR_XML, "line 2" },
  { "not-a-domain", "<network/>", REEVE_ERROR_XML_DETAIL, "<network>" },
  { "doctype", "<!DOCTYPE d [<!ENTITY a 'aa'>]><domain/>", REEVE_ERROR_XML,
    "document type" },
  { "type-missing", "<domain/>", REEVE_ERROR_CONFIG_UNSUPPORTED, "''" },
  { "type-unknown", "<domain type='xen'/>", REEVE_ERROR_CONFIG_UNSUPPORTED,
    "'xen'" },
  { "name-missing", "<domain type='qemu'/>", REEVE_ERROR_XML_DETAIL, "<name>" },
  { "name-empty", "<domain type='qemu'><name/></domain>",
    REEVE_ERROR_XML_DETAIL, "<name>" },
  { "name-with-a-slash", "<domain type='qemu'><name>a/b</name></domain>",
    REEVE_ERROR_XML_DETAIL, "slash" },
  { "name-with-dots", "<domain type='qemu'><name>..</name></domain>",
    REEVE_ERROR_XML_DETAIL, "<name>" },
  { "uuid-wrong", "<domain type='qemu'><name>a</name><uuid>12</uuid></domain>",
    REEVE_ERROR_XML_DETAIL, "<uuid>" },
  { "memory-missing", "<domain type='qemu'><name>a</name></domain>",
    REEVE_ERROR_XML_DETAIL, "<memory>" },
  { "os-missing", HEAD "</domain>", REEVE_ERROR_XML_DETAIL, "os/type" },
  { "too-many-vcpus", HEAD "<vcpu>1000</vcpu>" OS "</domain>",
    REEVE_ERROR_XML_DETAIL, "<vcpu>" },
  { "action-unknown", HEAD OS "<on_crash>cry</on_crash></domain>",
    REEVE_ERROR_XML_DETAIL, "<on_crash>" },
  { "disk-without-a-target", DISK ("<source file='/a'/>"),
    REEVE_ERROR_XML_DETAIL, "target" },
  { "disk-with-a-relative-path", DISK ("<source file='a'/><target dev='vda'/>"),
    REEVE_ERROR_XML_DETAIL, "absolute" },
  { "disk-without-a-source", DISK ("<target dev='vda'/>"),
    REEVE_ERROR_XML_DETAIL, "source" },
  { "disk-target-twice",
    DEVICES ("<disk><source file='/a'/><target dev='vda'/></disk>"
             "<disk><source file='/b'/><target dev='vda'/></disk>"),
    REEVE_ERROR_XML_DETAIL, "another disk" },
  { "disk-on-no-bus",
    DISK ("<source file='/a'/><target dev='vda' bus='moon'/>"),
    REEVE_ERROR_XML_DETAIL, "bus" },
  { "interface-with-a-multicast-address",
    DEVICES ("<interface type='user'><mac address='01:00:00:00:00:00'/>"
             "</interface>"),
    REEVE_ERROR_XML_DETAIL, "hardware address" },
  { "machine-with-an-option",
    HEAD "<os><type machine='pc,dumpdtb=/x'>hvm</type></os></domain>",
    REEVE_ERROR_XML_DETAIL, "machine" },
};

static void
test_bad (gconstpointer data)
{
  const BadCase *row = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_config_new_from_xml (row->xml, &error));
  g_assert_error (error, REEVE_ERROR, row->code);
  if (strstr (error->message, row->part) == NULL)
    g_error ("'%s' does not have '%s'", error->message, row->part);
}

static void
test_too_many_devices (void)
{
  g_autoptr (GString) xml = g_string_new (HEAD OS "<devices>");
  g_autoptr (GError) error = NULL;

  for (unsigned i = 0; i < REEVE_CONFIG_MAX_DEVICES + 1; i++)
    g_string_append (xml, "<sound model='ich9'/>");
  g_string_append (xml, "</devices></domain>");
  g_assert_null (reeve_config_new_from_xml (xml->str, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_XML_DETAIL);
}

static void
test_live_xml_goes_and_comes (void)
{
  static const char *const parts[] = {
    "<domain type='kvm' id='7'>",
    "<alias name='virtio-disk0'/>",
    "<alias name='net0'/>",
    "<alias name='balloon0'/>",
    "<alias name='channel0'/>",
    "<controller type='pci' model='pcie-root-port' index='1'>",
    "<alias name='pcie.0'/>",
    "<alias name='pci.1'/>",
    "<console type='pty' tty='/dev/pts/9'>",
    "<source path='/dev/pts/9'/>",
    "<graphics type='vnc' port='5907' autoport='yes'",
  };
  g_autoptr (ReeveConfig) config = parse (virt_install);
  g_autoptr (GHashTable) chosen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *live = NULL;
  g_autoptr (ReeveConfig) again = NULL;

  g_hash_table_insert (chosen, (gpointer) "serial0", (gpointer) "/dev/pts/9");
  g_hash_table_insert (chosen, (gpointer) "vnc", (gpointer) "5907");
  live = reeve_config_dup_live_xml (config, 7, chosen);
  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
    if (strstr (live, parts[i]) == NULL)
      g_error ("no %s in %s", parts[i], live);
  }

  again = parse (live);
  g_assert_cmpstr (reeve_config_get_xml (again), ==,
                   reeve_config_get_xml (config));
}

/* Which elements a definition with these devices has. */
typedef struct {
  const char *name;
  const char *devices;
  const char *expected;
  const char *unexpected; /* (nullable) */
} ConsoleCase;

static const ConsoleCase console_cases[] = {
  { "a-serial-port-is-a-console", "<serial type='pty'/>",
    "<console type='pty'>", NULL },
  { "a-console-is-a-serial-port", "<console type='pty'/>",
    "<serial type='pty'>", NULL },
  { "a-console-of-virtio-is-none",
    "<console type='pty'><target type='virtio'/></console>",
    "<target type='virtio'/>", "<serial" },
  { "none-is-made-up", "", "<devices>", "<console" },
  { "both-are-kept",
    "<serial type='file'><source path='/a'/></serial><console type='pty'/>",
    "<source path='/a'/>", "<console type='file'>" },
};

static void
test_console (gconstpointer data)
{
  const ConsoleCase *row = data;
  g_autofree char *xml = g_strconcat (HEAD OS "<devices>", row->devices,
                                      "</devices></domain>", NULL);
  g_autoptr (ReeveConfig) config = parse (xml);
  const char *text = reeve_config_get_xml (config);

  g_assert_nonnull (strstr (text, row->expected));
  if (row->unexpected != NULL)
    g_assert_null (strstr (text, row->unexpected));
}

static void
test_quotes (void)
{
  g_autoptr (ReeveConfig) config =
      parse (HEAD OS "<description a='it&apos;s \"x\" &gt;'>a 'b' \"c\""
                     "</description><!-- \"d\" --></domain>");

  g_assert_nonnull (strstr (reeve_config_get_xml (config),
                            "<description a='it&apos;s &quot;x&quot; &gt;'>"
                            "a 'b' \"c\"</description>"));
  g_assert_nonnull (strstr (reeve_config_get_xml (config), "<!-- \"d\" -->"));
}

static void
test_changes (void)
{
  g_autoptr (ReeveConfig) config = parse (MINIMAL);
  g_autoptr (ReeveConfig) named = reeve_config_with_name (config, "new", NULL);
  g_autoptr (ReeveConfig) titled =
      reeve_config_with_title (config, "a <title>", NULL);
  g_autoptr (ReeveConfig) untitled =
      reeve_config_with_title (titled, NULL, NULL);
  g_autoptr (ReeveConfig) described =
      reeve_config_with_description (titled, "two\nlines", NULL);
  g_autoptr (ReeveConfig) bigger =
      reeve_config_with_memory (config, 4096, NULL);
  g_autoptr (ReeveConfig) more =
      reeve_config_with_vcpus (config, 4, TRUE, NULL);
  g_autoptr (ReeveConfig) fewer =
      reeve_config_with_vcpus (more, 2, FALSE, NULL);

  g_assert_cmpstr (reeve_config_get_name (named), ==, "new");
  g_assert_cmpstr (reeve_config_get_name (config), ==, "web");
  g_assert_cmpstr (reeve_config_get_title (titled), ==, "a <title>");
  g_assert_cmpstr (reeve_config_get_title (untitled), ==, NULL);
  g_assert_cmpstr (reeve_config_get_xml (untitled), ==,
                   reeve_config_get_xml (config));
  g_assert_cmpstr (reeve_config_get_description (described), ==, "two\nlines");
  g_assert_cmpuint (reeve_config_get_memory_kib (bigger), ==, 4096);
  g_assert_cmpuint (reeve_config_get_current_memory_kib (bigger), ==, 1024);
  g_assert_cmpuint (reeve_config_get_max_vcpus (fewer), ==, 4);
  g_assert_cmpuint (reeve_config_get_vcpus (fewer), ==, 2);
  g_assert_null (reeve_config_with_name (config, "a/b", NULL));
  g_assert_null (reeve_config_with_title (config, "a\nb", NULL));
  g_assert_null (reeve_config_with_title (config, "\xff", NULL));
  g_assert_null (reeve_config_with_current_memory (config, 1025, NULL));
}

static void
test_metadata (void)
{
  g_autoptr (ReeveConfig) config = parse (MINIMAL);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) one = reeve_config_with_metadata (
      config, "http://a/", "app", "<app><x y='1'>t</x></app>", &error);
  g_autoptr (ReeveConfig) two = NULL;
  g_autoptr (ReeveConfig) none = NULL;
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  g_assert_nonnull (
      strstr (reeve_config_get_xml (one), "<app:app xmlns:app='http://a/'>"));
  text = reeve_config_dup_metadata (one, "http://a/", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "<app>\n  <x y='1'>t</x>\n</app>");

  two = reeve_config_with_metadata (one, "http://a/", "app", "<other/>", NULL);
  g_assert_null (strstr (reeve_config_get_xml (two), "<x "));
  none = reeve_config_with_metadata (two, "http://a/", NULL, NULL, NULL);
  g_assert_null (reeve_config_dup_metadata (none, "http://a/", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_METADATA);
  g_assert_null (
      reeve_config_with_metadata (config, "http://a/", "a b", "<x/>", NULL));
  g_assert_null (
      reeve_config_with_metadata (config, "http://a/", "a", "<x", NULL));
}

static void
test_finds_disks (void)
{
  g_autoptr (ReeveConfig) config = parse (virt_install);

  g_assert_nonnull (reeve_config_find_node (config, "libvirt-1-format"));
  g_assert_null (reeve_config_find_node (config, "libvirt-11-format"));
  g_assert_null (reeve_config_find_node (config, ""));
  g_assert_nonnull (reeve_config_find_disk (config, "vda"));
  g_assert_null (reeve_config_find_disk (config, "vdb"));
}

#define ADD_ROWS(rows, path, func)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {                           \
    g_autofree char *name_ =                                                   \
        g_strconcat ("/machine/config/" path "/", rows[i].name, NULL);         \
    g_test_add_data_func (name_, &rows[i], func);                              \
  }
#define ADD(name, func) g_test_add_func ("/machine/config/" name, func)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("what-virt-install-writes", test_what_virt_install_writes);
  ADD ("fills-in-what-is-not-given", test_fills_in_what_is_not_given);
  ADD ("keeps-what-it-does-not-know", test_keeps_what_it_does_not_know);
  ADD ("too-many-devices", test_too_many_devices);
  ADD ("live-xml-goes-and-comes", test_live_xml_goes_and_comes);
  ADD ("quotes", test_quotes);
  ADD ("changes", test_changes);
  ADD ("metadata", test_metadata);
  ADD ("finds-disks", test_finds_disks);
  ADD_ROWS (console_cases, "console", test_console);
  ADD_ROWS (memory_cases, "memory", test_memory);
  ADD_ROWS (bad_cases, "bad", test_bad);
  return g_test_run ();
}
