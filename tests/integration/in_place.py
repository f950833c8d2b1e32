# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in for a service of the system bus: SERVICE-in-place.py DIRECTORY."""
import json
import sys

from gi.repository import Gio, GLib

DIRECTORY = sys.argv[1]


def note(words):
    """Appends a line of JSON to DIRECTORY/asked."""
    with open(f"{DIRECTORY}/asked", "a", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")


def serve(name, objects):
    """Each of `objects` is a path, its interface, and the functions for calls
    and for properties."""
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    for path, text, call, get in objects:
        interface = Gio.DBusNodeInfo.new_for_xml(text).interfaces[0]
        bus.register_object(path, interface, call, get)
    Gio.bus_own_name_on_connection(bus, name, 0, lambda *_: print("ready", flush=True), None)
    GLib.MainLoop().run()
