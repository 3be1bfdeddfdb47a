#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernel.sh: L1's kernel (Debian's own, with the modules Debian leaves out, and our own), L2's kernel, and both
# initramfs. All is made with the compilers of Debian 13 in a tree of its own, so L1's root stays small.
. "$(dirname "$(readlink -f "$0")")/common.sh"

packages=bc,bison,busybox-static,cpio,flex,gcc,kmod,libc6-dev,libelf-dev,linux-headers-amd64,linux-source,lz4,make,python3-minimal,xz-utils
jobs=-j$(nproc)

# newer TARGET SOURCE...: is TARGET there, and no source changed since?
newer() {
  local target=$1; shift
  [[ -e $target && -z $(find "$@" -newer "$target" -print -quit) ]]
}
in_tree() { chroot "$TREE" "$@"; }
enter_tree() {
  mountpoint -q "$TREE/proc" && return
  mount -t proc proc "$TREE/proc"; mount --rbind /dev "$TREE/dev"
  mount --bind "$KERNEL" "$TREE/mnt"
}

build_tree() {
  [[ $(cat "$TREE.packages" 2>/dev/null) != "$packages" ]] || return 0
  local since=$EPOCHREALTIME
  rm -rf "$TREE.packages" "$KERNEL"
  # The kernel is fetched, not installed: nobody here needs the boot loader and initramfs that come with it.
  debian_tree trixie "$TREE" "$LAB/build.log" "$packages" \
    'set -e; cd "$1"; k=$(ls usr/lib/modules | head -n 1)
     chroot . sh -ec "cd /usr/src; apt-get download linux-image-$k; dpkg -x linux-image-*.deb image; rm linux-image-*.deb"
     mkdir usr/src/linux; tar -C usr/src/linux --strip-components=1 -xJf usr/src/linux-source-*.tar.xz \
       --exclude="*/Documentation/*/*" --exclude="*/drivers/gpu/drm/*.[ch]"'
  mkdir -p "$KERNEL/lib"
  mv "$TREE"/usr/src/image/boot/vmlinuz-* "$KERNEL/vmlinuz"
  mv "$TREE/usr/src/image/usr/lib/modules" "$KERNEL/lib/modules"
  ls "$KERNEL/lib/modules" > "$KERNEL/release"
  rm -rf "$TREE/usr/src/image"
  enter_tree; in_tree depmod -b /mnt "$(cat "$KERNEL/release")"
  echo "$packages" > "$TREE.packages"
  say "kernel $(cat "$KERNEL/release") and compilers: $(elapsed "$since") s"
}

# module NAME DIR [MAKE ARGS...]: build NAME.ko in DIR, a directory in the tree, against L1's kernel
module() {
  local name=$1 dir=$2; shift 2
  logged "$LAB/$name.log" in_tree make -s -C "/usr/src/linux-headers-$K" M="$dir" "$jobs" "$@" modules
  mkdir -p "$UPDATES"; cp "$TREE$dir/$name.ko" "$UPDATES/.$name.ko"; mv "$UPDATES/.$name.ko" "$UPDATES/$name.ko"
  in_tree depmod -b /mnt "$K"
}
build_netdevsim() {
  [[ ! -e $UPDATES/netdevsim.ko ]] || return 0
  local since=$EPOCHREALTIME; enter_tree
  module netdevsim /usr/src/linux/drivers/net/netdevsim CONFIG_NETDEVSIM=m
  say "netdevsim: $(elapsed "$since") s"
}
# The kernel's samples of drivers with mediated devices: a serial port, and two displays.
build_mdevs() {
  [[ ! -e $UPDATES/mbochs.ko ]] || return 0
  local since=$EPOCHREALTIME dir=/usr/src/mdevs name; enter_tree
  mkdir -p "$TREE$dir"; cp "$TREE"/usr/src/linux/samples/vfio-mdev/m{tty,dpy,bochs}*.[ch] "$TREE$dir/"
  echo 'obj-m := mtty.o mdpy.o mbochs.o' > "$TREE$dir/Makefile"
  for name in mtty mdpy mbochs; do module "$name" "$dir"; done
  say "mtty, mdpy, mbochs: $(elapsed "$since") s"
}
# The kernel's simulators of vDPA devices, the driver that makes one of a virtio function, and vringh, which they need.
# vdpa_sim_mq is vdpa_sim_net once more, as a management device that takes a number of queue pairs, which that does not.
# Queues have up to 1024 entries in place of 256, for QEMU 10.0 offers a guest that many, and does without a device that
# has fewer. labsf has the same devices.
build_vdpa() {
  ! newer "$UPDATES/labsf.ko" "$HERE/host/kernel.sh" "$HERE/labsf/labsf.c" || return 0
  local since=$EPOCHREALTIME dir=/usr/src/vdpa name; enter_tree
  mkdir -p "$TREE$dir"
  cp "$TREE"/usr/src/linux/drivers/{vhost/vringh.c,vdpa/vdpa_sim/vdpa_sim*.[ch],vdpa/virtio_pci/vp_vdpa.c} "$TREE$dir/"
  sed -i 's/\(VDPASIM_QUEUE_MAX\) 256/\1 1024/' "$TREE$dir"/vdpa_sim*.[ch]
  sed -e 's/^static struct vdpasim_net \*sim_to_net/static u16 pairs(const struct vdpa_dev_set_config *config)\n{\n\tif (config->mask \& 1ULL << VDPA_ATTR_DEV_NET_CFG_MAX_VQP)\n\t\treturn config->net.max_vq_pairs;\n\treturn 1;\n}\n\n&/' \
    -e 's/"vdpasim_net"/"vdpasim_mq"/' \
    -e 's/1 << VDPA_ATTR_DEV_FEATURES)/1 << VDPA_ATTR_DEV_NET_CFG_MAX_VQP | &/' \
    -e 's/\.max_supported_vqs = .*/.max_supported_vqs = 9,/' \
    -e 's/\.supported_features = VDPASIM_NET_FEATURES,/.supported_features = VDPASIM_NET_FEATURES | 1ULL << VIRTIO_NET_F_MQ,/' \
    -e 's/dev_attr.supported_features = .*/&\n\tif (pairs(config) > 1)\n\t\tdev_attr.supported_features |= 1ULL << VIRTIO_NET_F_MQ;/' \
    -e 's/\(dev_attr.nvqs = \).*/\1 2 * pairs(config) + 1;/' \
    -e 's/\(_vdpa_register_device(&simdev->vdpa, \).*/\12 * pairs(config) + 1);/' \
    -e 's/^\tif (config->mask & (1 << VDPA_ATTR_DEV_NET_CFG_MTU))/\tvio_config->max_virtqueue_pairs = cpu_to_vdpasim16(vdpasim, pairs(config));\n&/' \
    "$TREE$dir/vdpa_sim_net.c" > "$TREE$dir/vdpa_sim_mq.c"
  sed '/__init/,$d' "$TREE$dir/vdpa_sim_mq.c" > "$TREE$dir/labsf_sim.h"; cp "$HERE/labsf/labsf.c" "$TREE$dir/"
  echo 'obj-m := vringh.o vdpa_sim.o vdpa_sim_net.o vdpa_sim_blk.o vdpa_sim_mq.o vp_vdpa.o labsf.o' > "$TREE$dir/Makefile"
  for name in vringh vdpa_sim vdpa_sim_net vdpa_sim_blk vp_vdpa vdpa_sim_mq labsf; do module "$name" "$dir"; done
  say "vDPA simulators and vp_vdpa: $(elapsed "$since") s"
}
# ours FOLDER [NAME]: a module that is part of the project, in a folder of that name or another
ours() {
  local name=${2:-$1}
  ! newer "$UPDATES/$name.ko" "$HERE/$1"/*.[ch] "$HERE/$1/Makefile" || return 0
  local since=$EPOCHREALTIME; enter_tree
  rm -rf "$TREE/usr/src/$1"; cp -r "$HERE/$1" "$TREE/usr/src/"
  module "$name" "/usr/src/$1"
  say "$1: $(elapsed "$since") s"
}

build_l2_kernel() {
  ! newer "$LAB/l2/vmlinuz" "$HERE/l2/config" || return 0
  local since=$EPOCHREALTIME; enter_tree
  mkdir -p "$TREE/usr/src/l2" "$LAB/l2"; cp "$HERE/l2/config" "$TREE/usr/src/l2/wanted"
  logged "$LAB/l2.log" in_tree sh -ec 'cd /usr/src/linux; make -s O=../l2 KCONFIG_ALLCONFIG=../l2/wanted allnoconfig
    for option in $(grep ^CONFIG ../l2/wanted); do grep -qx "$option" ../l2/.config || echo "not set: $option"; done
    make -s O=../l2 '"$jobs"' bzImage'
  cp --remove-destination "$TREE/usr/src/l2/arch/x86/boot/bzImage" "$LAB/l2/vmlinuz"
  say "L2's kernel: $(du -k "$LAB/l2/vmlinuz" | cut -f1) KB in $(elapsed "$since") s"
}

# pack DIR FILE: DIR becomes the initramfs FILE; its init is there already
pack() {
  mkdir -p "$1"/{bin,dev,lib,proc,sys}
  in_tree busybox --list | sed "s|.*|$1/bin/&|" | xargs -rn 1 ln -sf busybox
  rm "$1/bin/busybox"; cp "$TREE/usr/bin/busybox" "$1/bin/"      # busybox lists itself too
  ( cd "$1" && find . | "$TREE/usr/bin/busybox" cpio -o -H newc 2>/dev/null ) > "$2.new"
  mv "$2.new" "$2"
}
build_l1_initrd() {
  ! newer "$LAB/initrd-l1.img" "$HERE/guest/initramfs.sh" "$HERE/host/kernel.sh" "$KERNEL/release" || return 0
  enter_tree
  local dir=$LAB/initrd-l1.dir file
  rm -rf "$dir"; mkdir -p "$dir/lib"; cp "$HERE/guest/initramfs.sh" "$dir/init"
  for m in 9pnet_virtio 9p overlay; do in_tree modprobe -d /mnt -S "$K" --show-depends "$m"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$dir/lib/files"
  while read -r file; do
    in_tree xzcat "$file" > "$dir/lib/$(basename "$file" .xz)"; basename "$file" .xz
  done < "$dir/lib/files" > "$dir/lib/order"
  pack "$dir" "$LAB/initrd-l1.img"; rm -rf "$dir"
}
build_l2_initrd() {
  ! newer "$LAB/l2/initrd.img" "$HERE/l2/init" "$HERE/host/kernel.sh" || return 0
  local dir=$LAB/initrd-l2.dir
  rm -rf "$dir"; mkdir -p "$dir" "$LAB/l2"; cp "$HERE/l2/init" "$dir/init"
  pack "$dir" "$LAB/l2/initrd.img"; rm -rf "$dir"
}

build_tree
K=$(cat "$KERNEL/release") UPDATES=$KERNEL/lib/modules/$(cat "$KERNEL/release")/updates
build_l1_initrd
build_netdevsim
build_mdevs
build_vdpa
ours dualport
ours labvpd
ours labvfio labvfio_pci
build_l2_initrd
build_l2_kernel
