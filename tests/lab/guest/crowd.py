#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that change one running domain, all at the same time.

crowd.py URI DOMAIN change     each line on stdin is a client: attach|update|detach live|config|both XML. All connect,
                               and then begin at once. Prints who failed and why, then how long the slowest took.
crowd.py URI DOMAIN live|config  prints what the domain shows: a line "ADDRESS PORT MAC VLAN" for each netdev, sorted
"""
import sys
import threading
import time
import xml.etree.ElementTree as tree

import libvirt

libvirt.registerErrorHandler(lambda ctx, error: None, None)
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
FLAGS = {"live": LIVE, "config": CONFIG, "both": LIVE | CONFIG}


def change(uri, name, orders):
    ready = threading.Barrier(len(orders))
    failed, took = [], []

    def work(domain, verb, where, xml):
        ready.wait()
        start = time.monotonic()
        try:
            getattr(domain, verb + "DeviceFlags")(xml, FLAGS[where])
            took.append(time.monotonic() - start)
        except libvirt.libvirtError as error:
            failed.append("%s %s: %s: %s" % (verb, where, xml, error))

    domains = [libvirt.open(uri).lookupByName(name) for _ in orders]
    clients = [threading.Thread(target=work, args=[domain, *order.split(None, 2)]) for domain, order in zip(domains, orders)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    print("\n".join(failed + ["%d of %d clients, the slowest took %.1f s" % (len(took), len(orders), max(took, default=0))]))
    return len(took) == len(orders) > 0


def show(uri, name, where):
    text = libvirt.open(uri).lookupByName(name).XMLDesc(0 if where == "live" else libvirt.VIR_DOMAIN_XML_INACTIVE)
    for device in tree.fromstring(text).iter("hostdev"):
        part = {key: int(value, 16) for key, value in device.find("source/address").attrib.items()}
        for netdev in device.findall("netdev"):
            yield "%04x:%02x:%02x.%x %s %s %s" % (part["domain"], part["bus"], part["slot"], part["function"], netdev.get("port"),
                                                  netdev.find("mac").get("address"), netdev.find("vlan/tag").get("id"))


def main(uri, name, what):
    if what == "change":
        sys.exit(not change(uri, name, sys.stdin.read().splitlines()))
    print("\n".join(sorted(show(uri, name, what))))


main(*sys.argv[1:])
