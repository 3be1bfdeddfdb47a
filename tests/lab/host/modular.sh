#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# modular.sh: the root of the suite "modular": trixie's, with libvirt's virtqemud in place of libvirtd. No release of
# Debian packages it, so it is made from the source that trixie's libvirt is made from. Everything else stays
# Debian's: virtqemud is little more than RPC dispatch around libvirt.so and the QEMU driver's module, and of those it
# loads the ones of the packages. Nothing else is compiled, which takes seconds instead of minutes.
. "$(dirname "$(readlink -f "$0")")/common.sh"

ROOT=$LAB/modular/root
MADE=$LAB/virtqemud                              # what goes on top of trixie's root, and "version": what it is made of
TREE=$LAB/virtqemud.tree                         # with compilers; not kept
packages=gcc,gettext,libc6-dev,libglib2.0-dev,libgnutls28-dev,libjson-c-dev,libnl-3-dev,libnl-route-3-dev,libtirpc-dev,libxml2-dev,libxml2-utils,meson,ninja-build,perl,pkgconf,python3-minimal,rpcsvc-proto,xsltproc,xz-utils
options=(-Dauto_features=disabled -Ddocs=disabled -Dtests=disabled -Dnls=disabled -Dinit_script=systemd
  -Ddriver_libvirtd=enabled -Ddriver_remote=enabled -Ddriver_qemu=enabled -Djson_c=enabled -Dlibnl=enabled -Dpolkit=enabled
  -Dprefix=/usr -Dsbindir=sbin -Dsysconfdir=/etc -Dlocalstatedir=/var -Drunstatedir=/run)

in_tree() { chroot "$TREE" sh -ec "$1"; }
# fetch: libvirt's source, with the tree's apt, from where the tree's packages came
fetch() {
  sed -i 's/^deb /deb-src /' "$TREE/etc/apt/sources.list"
  logged "$LAB/virtqemud-source.log" in_tree 'apt-get -q update; mkdir /usr/src/libvirt; cd /usr/src
    apt-get -q source --download-only --tar-only libvirt
    tar -C libvirt --strip-components=1 --exclude="*/tests/*data" -xf libvirt_*.orig.tar.*'
}
# compile: virtqemud as meson says, from its own objects, and from Debian's libraries in place of a build of them;
# what those are linked with is not in this tree
compile() {
  mount -t proc proc "$TREE/proc"; mount --rbind /dev "$TREE/dev"
  logged "$LAB/virtqemud-setup.log" in_tree "meson setup /usr/src/libvirt/build /usr/src/libvirt ${options[*]}"
  cp -L "$BASE"/usr/lib/x86_64-linux-gnu/libvirt{,-lxc,-qemu}.so.0 "$TREE/usr/src/"
  logged "$LAB/virtqemud.log" in_tree 'cd /usr/src/libvirt/build; inputs=$(ninja -t query src/virtqemud)
    ninja $(echo "$inputs" | grep -oE "src/[^ ]*\.[oa]$")
    echo "$inputs" | sed -n "s|.*/\(libvirt[-a-z]*\)\(.*\)\.symbols$|\1 \2|p" |
      while read -r name version; do mv "/usr/src/$name.so.0" "src/$name$version"; done
    eval "$(ninja -t commands -s src/virtqemud | sed "s/ [^ ]*-rpath,[^ ]*//") -Wl,--allow-shlib-undefined"
    strip src/virtqemud'
  umount -R "$TREE/proc" "$TREE/dev"
}

build_virtqemud() {
  local wanted version since=$EPOCHREALTIME new=$MADE.new built=$TREE/usr/src/libvirt/build/src
  version=$(dpkg-query --admindir="$BASE/var/lib/dpkg" --show --showformat '${Version}' libvirt0)
  wanted="$version $packages ${options[*]}"
  [[ $(cat "$MADE/version" 2>/dev/null) != "$wanted" ]] || return 0
  debian_tree trixie "$TREE" "$LAB/virtqemud-tree.log" "$packages"
  fetch
  [[ -n $(find "$TREE/usr/src" -maxdepth 1 -name "libvirt_${version%-*}.orig.tar.*") ]] ||
    die "the archive's libvirt is newer than the $version of trixie's root. Build that anew: lab clean"
  compile
  rm -rf "$MADE" "$new"; mkdir -p "$new"/{usr/sbin,usr/lib/systemd/system,etc/libvirt}
  cp "$built/virtqemud" "$new/usr/sbin/"
  cp "$built"/virtqemud{.service,.socket,-ro.socket,-admin.socket} "$new/usr/lib/systemd/system/"
  cp "$built/virtqemud.conf" "$new/etc/libvirt/"
  echo "$wanted" > "$new/version"; mv "$new" "$MADE"
  rm -rf --one-file-system "$TREE"
  say "virtqemud $version: $(elapsed "$since") s"
}

# Hard links: nothing writes to a root, and trixie's is there anyway.
make_root() {
  local wanted init since=$EPOCHREALTIME
  wanted="$(cat "$BASE.packages") $(cat "$MADE/version")"
  [[ $(cat "$ROOT.packages" 2>/dev/null) != "$wanted" || $BASE.packages -nt $ROOT.packages ]] || return 0
  for init in "${INITS[@]}"; do
    ! alive l1 "$(machine modular "$init")" || die "what modular is made of changed, and L1 runs from it. Stop it first: LAB_SUITE=modular lab down"
  done
  rm -rf "$ROOT.packages" "$ROOT" "$ROOT.new" "$LAB"/modular{,-twin,-systemd}/share/{capabilities,profiles}; mkdir -p "$LAB/modular"
  cp -al "$BASE" "$ROOT.new"
  rm -rf "$ROOT.new"/{usr/sbin/libvirtd,usr/lib/systemd/system/libvirtd*,etc/systemd/system/*/libvirtd*} \
    "$ROOT.new"/etc/{init.d/libvirtd,default/libvirtd,libvirt/libvirtd.conf}
  cp -r "$MADE"/{usr,etc} "$ROOT.new/"
  logged "$LAB/modular.log" chroot "$ROOT.new" systemctl enable virtqemud{,-ro,-admin}.socket
  mv "$ROOT.new" "$ROOT"; echo "$wanted" > "$ROOT.packages"
  say "root file system of modular: trixie's, in $(elapsed "$since") s"
}
build_virtqemud
make_root
