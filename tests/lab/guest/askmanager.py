#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-manager as a person uses it, who sees its windows and presses what is in them.

askmanager.py [--picture FILE] VERB ARGS     in the session and on the display where virt-manager runs

    show VM HARDWARE               print the XML of that line of the list at the left
    edit VM HARDWARE FROM TO       change it there, and apply that
    memory VM MIB                  change the memory, and apply that
    add VM ADDRESS NETDEVS         add a PCI device of the host; NETDEVS goes into its XML
    remove VM HARDWARE             take the device out
    start|off VM                   "Run", and "Force Off"

FILE is what the screen shows when all is entered, before the last press. What virt-manager says in a window of its own is
printed as "says: TEXT", and answered with "OK", "Yes" or "Close".

Everything is found by what assistive technologies see (AT-SPI), not by where it is.
"""
import subprocess
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Atspi, Gdk, GLib  # noqa: E402

PATIENCE = 300  # seconds until something has to be there
ROLE, STATE, MATCH = Atspi.Role, Atspi.StateType, Atspi.CollectionMatchType
ANSWERS = ("OK", "Yes", "Close")


def wait(what, found):
    """What found() returns, as soon as that is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            thing = found()
            if thing:
                return thing
        except GLib.Error:  # it went while it was looked at
            pass
        time.sleep(0.3)
    sys.exit("askmanager: no %s; there are: %s" % (what, ", ".join(repr(w.get_name()) for w in windows())))


def windows():
    desktop = Atspi.get_desktop(0)
    for number in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(number)
        if application and "virt-manager" in application.get_name():
            application.clear_cache()
            for n in range(application.get_child_count()):
                window = application.get_child_at_index(n)
                if window and window.get_state_set().contains(STATE.SHOWING):
                    yield window


def window(name):
    return wait("window " + name, lambda: next((w for w in windows() if name in w.get_name()), None))


def inside(top, *roles, states=(STATE.SHOWING,)):
    """All that can be seen in there and has one of these roles."""
    rule = Atspi.MatchRule.new(Atspi.StateSet.new(list(states)), MATCH.ALL, {}, MATCH.ALL, list(roles), MATCH.ANY, [],
                               MATCH.ALL, False)
    return top.get_matches(rule, Atspi.CollectionSortOrder.CANONICAL, 0, True)


def one(top, name, *roles):
    def found():
        return next((thing for thing in inside(top, *roles) if thing.get_name().strip() == name), None)

    return wait("%s in %s" % (name, top.get_name()), found)


def press(thing):
    wait("life in " + thing.get_name(), lambda: sensitive(thing))
    thing.get_action_iface().do_action(0)


def click(thing):
    """With the mouse, for what has nothing to press."""
    def visible():
        box = thing.get_component_iface().get_extents(Atspi.CoordType.SCREEN)
        return box if box.width > 0 and box.x >= 0 and box.y >= 0 else None

    box = wait("place of " + thing.get_name(), visible)
    Atspi.generate_mouse_event(box.x + min(box.width // 2, 40), box.y + box.height // 2, "b1c")


def select(top, name):
    """A line of a list, to which the list may have to be scrolled first."""
    def found():
        return next((c for c in inside(top, ROLE.TABLE_CELL, states=()) if c.get_name().strip().startswith(name)), None)

    cell = wait("%s in a list of %s" % (name, top.get_name()), found)
    cell.get_component_iface().grab_focus()
    time.sleep(0.5)
    click(cell)
    time.sleep(1)


def tab(top, name):
    click(one(top, name, ROLE.PAGE_TAB))


def editor(top):
    """The text of the XML tab, which is there when it has something."""
    tab(top, "XML")

    def found():
        for text in inside(top, ROLE.TEXT):
            if text.get_name() == "XML editor" and text.get_text_iface().get_character_count() > 5:
                return text
        return None

    return wait("XML in " + top.get_name(), found)


def content(text):
    return Atspi.Text.get_text(text, 0, Atspi.Text.get_character_count(text))


def picture(file):
    if file:
        Atspi.generate_mouse_event(1, 1, "abs")  # no tooltip in the way
        time.sleep(1.5)  # until all is drawn
        root = Gdk.get_default_root_window()
        Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height()).savev(file, "png", [], [])


def answers(file, done):
    """Wait until it is done, or it has said something in a window of its own, which gets the usual answer."""
    def dialog():
        for window_ in windows():
            if window_.get_role() in (ROLE.ALERT, ROLE.DIALOG):
                for button in inside(window_, ROLE.PUSH_BUTTON):
                    if button.get_name().strip() in ANSWERS:
                        return window_, button
        return None

    found = wait("end, and no word", lambda: dialog() or done())
    while found is not True:
        said = " ".join(label.get_name() for label in inside(found[0], ROLE.LABEL) if label.get_name())
        print("says:", " ".join(said.split()), flush=True)
        picture(file and file.replace(".png", "-says.png"))
        press(found[1])
        time.sleep(2)
        found = dialog() or True


def press_remove(file, vm, name):
    press(one(hardware(vm, name), "config-remove", ROLE.PUSH_BUTTON))


def meanwhile(verb, *args):
    """Has somebody else do that: who presses what asks whether it is meant does not come back before that is answered."""
    return subprocess.Popen([sys.executable, __file__, verb, *args])


def after(seconds):
    """For what may ask whether it is meant, and may not."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def sensitive(thing):
    return thing.get_state_set().contains(STATE.SENSITIVE)


def apply(top, file, name="config-apply"):
    picture(file)
    button = one(top, name, ROLE.PUSH_BUTTON)
    press(button)
    answers(file, lambda: not sensitive(button))


def hardware(vm, name):
    top = window(vm + " on ")
    select(top, name)
    return top


def show(file, vm, name):
    top = hardware(vm, name)
    print(content(editor(top)))
    picture(file)
    tab(top, "Details")


def edit(file, vm, name, old, new):
    top = hardware(vm, name)
    text = editor(top)
    was = content(text)
    if old not in was:
        sys.exit("askmanager: no %s in %s" % (old, was))
    text.get_editable_text_iface().set_text_contents(was.replace(old, new, 1))
    apply(top, file)
    cancel = one(top, "config-cancel", ROLE.PUSH_BUTTON)
    if sensitive(cancel):  # it was refused
        press(cancel)
    tab(top, "Details")


def memory(file, vm, mib):
    top = hardware(vm, "Memory")
    spin = [s for s in inside(top, ROLE.SPIN_BUTTON) if s.get_name() == "Memory Select"][0]
    spin.get_editable_text_iface().set_text_contents(mib)
    spin.get_component_iface().grab_focus()
    spin.get_value_iface().set_current_value(float(mib))
    apply(top, file)


def add(file, vm, address, netdevs):
    top = window(vm + " on ")
    press(one(top, "add-hardware", ROLE.PUSH_BUTTON))
    top = window("Add New Virtual Hardware")
    select(top, "PCI Host Device")
    select(top, address)
    text = editor(top)
    text.get_editable_text_iface().set_text_contents(content(text).replace("</hostdev>", netdevs + "\n</hostdev>"))
    picture(file)
    press(one(top, "Finish", ROLE.PUSH_BUTTON))
    answers(file, lambda: not [w for w in windows() if "Add New" in w.get_name()])


def remove(file, vm, name):
    button = meanwhile("press_remove", vm, name)
    answers(file, after(30))
    button.wait()


def start(file, vm):
    top = window(vm + " on ")
    run = one(top, "Run", ROLE.PUSH_BUTTON)
    press(run)
    answers(file, lambda: not sensitive(run))
    picture(file)


def off(file, vm):
    run = one(window(vm + " on "), "Run", ROLE.PUSH_BUTTON)
    menu = meanwhile("force_off", vm)
    answers(file, lambda: sensitive(run))
    menu.wait()
    picture(file)


def force_off(file, vm):
    top = window(vm + " on ")
    press(one(top, "Virtual Machine", ROLE.MENU))
    press(one(top, "Shut Down", ROLE.MENU))
    press(one(top, "Force Off", ROLE.MENU_ITEM))


def main(args):
    file = None
    if args[0] == "--picture":
        file, args = args[1], args[2:]
    verbs = {function.__name__: function for function in (show, edit, memory, add, remove, press_remove, start, off, force_off)}
    verbs[args[0]](file, *args[1:])


main(sys.argv[1:])
