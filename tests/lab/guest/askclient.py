#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains as a program handles them that knows libvirt and nothing of us.

askclient.py python VERB ARGS    with libvirt for Python
askclient.py dbus VERB ARGS      with libvirt-dbus, by the calls of Cockpit's page of virtual machines (cockpit-machines 332)

    define FILE                  define the domain in the file
    show NAME                    print its XML, that of its next start
    edit NAME FROM TO            get that, replace the first FROM, and define it
    start|destroy|undefine NAME
    attach|update|detach NAME FILE    the device in the file, of the guest that runs
"""
import sys

LIVE, INACTIVE = 1, 2  # VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_XML_INACTIVE


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


class Python:
    def __init__(self):
        import libvirt

        self.conn = libvirt.open()

    def define(self, text):
        self.conn.defineXML(text)

    def domain(self, name):
        return self.conn.lookupByName(name)

    def xml(self, name):
        return self.domain(name).XMLDesc(INACTIVE)

    def life(self, verb, name):
        getattr(self.domain(name), {"start": "create"}.get(verb, verb))()

    def device(self, verb, name, text):
        getattr(self.domain(name), verb + "DeviceFlags")(text, LIVE)


class Dbus:
    def __init__(self):
        import dbus

        self.bus = dbus.SystemBus()
        self.dbus = dbus
        self.conn = self.at("/org/libvirt/QEMU", "Connect")

    def at(self, path, interface):
        return self.dbus.Interface(self.bus.get_object("org.libvirt", path), "org.libvirt." + interface)

    def define(self, text):
        self.conn.DomainDefineXML(text)

    def domain(self, name):
        return self.at(self.conn.DomainLookupByName(name), "Domain")

    def xml(self, name):
        return str(self.domain(name).GetXMLDesc(self.dbus.UInt32(INACTIVE)))

    def life(self, verb, name):
        method = {"start": "Create", "destroy": "Destroy", "undefine": "Undefine"}[verb]
        self.domain(name).get_dbus_method(method)(self.dbus.UInt32(0))

    def device(self, verb, name, text):
        self.domain(name).get_dbus_method(verb.capitalize() + "Device")(text, self.dbus.UInt32(LIVE))


def main(kind, verb, *args):
    client = {"python": Python, "dbus": Dbus}[kind]()
    if verb == "define":
        client.define(read(args[0]))
    elif verb == "show":
        print(client.xml(args[0]))
    elif verb == "edit":
        client.define(client.xml(args[0]).replace(args[1], args[2], 1))
    elif verb in ("start", "destroy", "undefine"):
        client.life(verb, args[0])
    else:
        client.device(verb, args[0], read(args[1]))


main(*sys.argv[1:])
