# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd-in-place.py DIRECTORY: answers on the system bus as systemd does.

If there is a file DIRECTORY/refuse, with an error. What it was asked it appends
to DIRECTORY/asked, a line of JSON for each call. A file with the name of a unit
on the bus, in DIRECTORY, has the unit's state.
"""
import os

from gi.repository import GLib

from in_place import DIRECTORY, note, serve

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
UNITS = "reeved_2eservice", "reeved_2esocket"
UNIT = """
<node><interface name='org.freedesktop.systemd1.Unit'>
  <property name='ActiveState' type='s' access='read'/>
</interface></node>
"""
MANAGER = """
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
    note(parameters.unpack())
    if os.path.exists(f"{DIRECTORY}/refuse"):
        invocation.return_dbus_error(f"{NAME}.UnitExists", "it is there already")
    else:
        job = GLib.Variant("(o)", ("/org/freedesktop/systemd1/job/1",))
        invocation.return_value(job)


def get(_bus, _sender, path, _interface, _property):
    try:
        with open(f"{DIRECTORY}/{os.path.basename(path)}", encoding="utf-8") as file:
            return GLib.Variant("s", file.read())
    except FileNotFoundError:
        return GLib.Variant("s", "inactive")


serve(NAME, [(PATH, MANAGER, call, None),
             *((f"{PATH}/unit/{unit}", UNIT, None, get) for unit in UNITS)])
