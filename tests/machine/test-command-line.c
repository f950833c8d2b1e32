/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/command-line.h"

#include "rpc/error.h"

#include <string.h>

#define XML(devices)                                                           \
  "<domain type='qemu'><name>a,b</name>"                                       \
  "<uuid>12345678-1234-1234-1234-1234567890ab</uuid>"                          \
  "<memory unit='MiB'>32</memory>"                                             \
  "<os><type machine='pc'>hvm</type></os>"                                     \
  "<features><acpi/></features><devices>" devices "</devices></domain>"

typedef struct {
  const char *name;
  const char *xml;
  const char *words; /* that follow each other on the line */
} LineCase;

static const LineCase line_cases[] = {
  { "commas-of-the-name-are-doubled", XML (""),
    "-name guest=a,,b,debug-threads=on" },
  { "nothing-by-default", XML (""), "-S -no-user-config -nodefaults" },
  { "monitor-by-descriptor", XML (""),
    "-chardev socket,id=monitor,fd=3,server=on,wait=off" },
  { "the-sandbox", XML (""),
    "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny" },
  { "power-off-is-ours", XML (""), "-no-shutdown -action panic=pause" },
  { "memory", XML (""), "\"id\":\"pc.ram\",\"size\":33554432}" },
  { "virtio-disk",
    XML ("<disk><driver type='qcow2' cache='none'/><source file='/d,1'/>"
         "<target dev='vdb'/></disk>"),
    "{\"driver\":\"virtio-blk-pci\",\"id\":\"virtio-disk1\",\"drive\":"
    "\"libvirt-1-format\",\"bootindex\":1001,\"write-cache\":\"on\"}" },
  { "ide-disk",
    XML ("<disk><source file='/d'/><target dev='hdd' bus='ide'/></disk>"),
    "\"id\":\"ide0-1-1\",\"bus\":\"ide.1\",\"unit\":1" },
  { "empty-cdrom",
    XML ("<disk device='cdrom'><target dev='hda' bus='ide'/></disk>"),
    "{\"driver\":\"ide-cd\",\"id\":\"ide0-0-0\",\"bus\":\"ide.0\",\"unit\":"
    "0}" },
  { "scsi-disk",
    XML ("<disk><source file='/d'/><target dev='sda' bus='scsi'/></disk>"),
    "{\"driver\":\"virtio-scsi-pci\",\"id\":\"scsi0\"}" },
  { "user-network",
    XML ("<interface type='user'><model type='virtio'/>"
         "<mac address='52:54:00:00:00:01'/></interface>"),
    "-netdev {\"type\":\"user\",\"id\":\"hostnet0\"} -device "
    "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"netdev\":\"hostnet0\","
    "\"mac\":\"52:54:00:00:00:01\"}" },
  { "serial-pty", XML ("<serial type='pty'/>"),
    "-chardev pty,id=charserial0,logfile=/run,,1/serial0,logappend=on -device "
    "{\"driver\":\"isa-serial\",\"id\":\"serial0\"" },
  { "serial-unix", XML ("<serial type='unix'><source path='/s,1'/></serial>"),
    "-chardev socket,id=charserial0,path=/s,,1,server=on,wait=off" },
  { "vnc-by-itself", XML ("<graphics type='vnc' port='-1'/>"),
    "-vnc 127.0.0.1:0,to=99" },
  { "vnc-port", XML ("<graphics type='vnc' port='5907' autoport='no'/>"),
    "-vnc 127.0.0.1:7" },
  { "tablet-on-usb", XML ("<input type='tablet' bus='usb'/>"),
    "\"driver\":\"usb-tablet\",\"id\":\"input0\",\"bus\":\"usb.0\"" },
  { "watchdog", XML ("<watchdog model='i6300esb' action='pause'/>"),
    "-action watchdog=pause" },
};

static char *
build (const char *xml, GError **error)
{
  g_autoptr (ReeveConfig) config = reeve_config_new_from_xml (xml, NULL);
  g_auto (GStrv) argv = NULL;

  g_assert_nonnull (config);
  argv = reeve_command_line_build (config, 3, "/run,1", error);
  return argv == NULL ? NULL : g_strjoinv (" ", argv);
}

static void
test_line (gconstpointer data)
{
  const LineCase *row = data;
  g_autofree char *line = build (row->xml, NULL);

  g_assert_nonnull (line);
  if (strstr (line, row->words) == NULL)
    g_error ("no '%s' in '%s'", row->words, line);
}

typedef struct {
  const char *name;
  const char *xml;
} BadCase;

static const BadCase bad_cases[] = {
  { "bridge", XML ("<interface type='bridge'/>") },
  { "floppy", XML ("<disk><source file='/f'/><target dev='fda'/></disk>") },
  { "fifth-ide-disk",
    XML ("<disk><source file='/d'/><target dev='hde' bus='ide'/></disk>") },
  { "parallel-port", XML ("<parallel type='pty'/>") },
  { "host-processor-in-tcg",
    "<domain type='qemu'><name>a</name><memory>1024</memory>"
    "<os><type>hvm</type></os><cpu mode='host-passthrough'/></domain>" },
};

static void
test_bad (gconstpointer data)
{
  const BadCase *row = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (build (row->xml, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_UNSUPPORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (line_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/command-line/", line_cases[i].name, NULL);

    g_test_add_data_func (path, &line_cases[i], test_line);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (bad_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/command-line/refuses/", bad_cases[i].name, NULL);

    g_test_add_data_func (path, &bad_cases[i], test_bad);
  }
  return g_test_run ();
}
