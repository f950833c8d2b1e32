# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd-in-place.py DIRECTORY: answers on the system bus as systemd does.

If there is a file DIRECTORY/refuse, with an error. What it was asked it appends
to DIRECTORY/asked, a line of JSON for each call.
"""
import json
import os
import sys

from gi.repository import Gio, GLib

DIRECTORY = sys.argv[1]
NAME = "org.freedesktop.systemd1"
INTERFACE = """
<node><interface name='org.freedesktop.systemd1.Manager'>
  <method name='StartTransientUnit'>
    <arg type='s' name='name' direction='in'/>
    <arg type='s' name='mode' direction='in'/>
    <arg type='a(sv)' name='properties' direction='in'/>
    <arg type='a(sa(sv))' name='aux' direction='in'/>
    <arg type='o' name='job' direction='out'/>
  </method>
</interface></node>
"""


def call(_bus, _sender, _path, _interface, _method, parameters, invocation):
    with open(f"{DIRECTORY}/asked", "a", encoding="utf-8") as file:
        file.write(json.dumps(parameters.unpack()) + "\n")
    if os.path.exists(f"{DIRECTORY}/refuse"):
        invocation.return_dbus_error(f"{NAME}.UnitExists", "it is there already")
    else:
        job = GLib.Variant("(o)", ("/org/freedesktop/systemd1/job/1",))
        invocation.return_value(job)


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
    bus.register_object("/org/freedesktop/systemd1", interface, call)
    Gio.bus_own_name_on_connection(bus, NAME, 0, lambda *_: print("ready", flush=True), None)
    GLib.MainLoop().run()


main()
