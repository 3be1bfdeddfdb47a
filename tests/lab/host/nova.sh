#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# nova.sh: Debian's Nova, for L1's python3 to import nova.virt.libvirt.config from: python3-nova and, of all that it
# depends on, what that import reaches. The packages are unpacked, not installed, into a tree of their own, which L1
# may mount.
. "$(dirname "$(readlink -f "$0")")/common.sh"

TREE=$LAB/nova
packages=(nova
  attr bcrypt castellan cffi-backend cryptography cursive dateutil debtcollector decorator dnspython dogpile.cache
  eventlet fasteners glanceclient greenlet iso8601 jinja2 jmespath json-pointer jsonpatch jsonschema
  jsonschema-specifications keystoneauth1 legacy-cgi markupsafe netaddr openssl openstacksdk os-resource-classes
  os-service-types os-traits oslo.cache oslo.concurrency oslo.config oslo.context oslo.db oslo.i18n oslo.log
  oslo.messaging oslo.metrics oslo.middleware oslo.policy oslo.serialization oslo.service oslo.utils
  oslo.versionedobjects packaging pbr platformdirs prettytable psutil referencing requestsexceptions retrying rfc3986
  rpds-py six sqlalchemy stevedore typing-extensions warlock webob wrapt yaml yappi
)

# fetch DIR: the packages, with this machine's apt in a directory of its own, as trixie has them now
fetch() {
  local apt=(-q -o "Dir=$1" -o "Dir::State::status=$1/status" -o Acquire::Languages=none -o Acquire::Retries=3
    -o APT::Architectures=amd64 -o APT::Architecture=amd64 -o "APT::Sandbox::User=root")
  mkdir -p "$1"/{debs,etc/apt/preferences.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial}; : > "$1/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) trixie main" > "$1/etc/apt/sources.list"
  logged "$LAB/nova-update.log" apt-get "${apt[@]}" update
  (cd "$1/debs"; logged "$LAB/nova.log" apt-get "${apt[@]}" download "${packages[@]/#/python3-}")
}

build_nova() {
  local since=$EPOCHREALTIME new=$TREE.new deb
  [[ $(cat "$TREE.packages" 2>/dev/null) != "${packages[*]}" ]] || return 0
  rm -rf "$TREE.packages" "$TREE" "$new" "$TREE.apt"; mkdir -p "$new"
  fetch "$TREE.apt"
  for deb in "$TREE.apt"/debs/*.deb; do dpkg-deb -x "$deb" "$new"; done
  rm -rf "$TREE.apt" "${new:?}/usr/share" "$new"/usr/lib/python3/dist-packages/{nova,oslo_*}/tests
  # It must do, and what it imports is kept compiled: L1 would take minutes for that.
  mount --bind "$new" "$BASE/mnt"
  logged "$LAB/nova-import.log" chroot "$BASE" env -i PYTHONPATH=/mnt/usr/lib/python3/dist-packages python3 - \
    < "$HERE/guest/askasnova.py"
  umount "$BASE/mnt"
  mv "$new" "$TREE"; echo "${packages[*]}" > "$TREE.packages"
  say "Nova's classes: $(du -sm "$TREE" | cut -f1) MB in $(elapsed "$since") s"
}
build_nova
