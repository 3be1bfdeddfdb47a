# shellcheck shell=bash
# host.sh: a stock libvirtd of our own and virthostdevd in front of it, on any machine, for run.sh and bench/run.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# All of it lives in namespaces: what it writes to /etc, /run and /var goes to a tmpfs on top of them, and when the
# script that called host_enter ends, every process and every mount goes with it.
#
#   $HOST_WORK       a directory for the whole run, in memory
#   $HOST_STOCK      libvirt's own socket; $HOST_FRONT the socket in front of it
#   $HOSTDEVD_LOG    what virthostdevd and its filters say
#   $HOST_CACHE      kept from run to run: what libvirt found out about QEMU

HOST_LAYERS=(/etc /var/lib /var/cache /var/log)

# host_enter SCRIPT ARGS...: run SCRIPT again in namespaces of its own; returns at once inside of them
host_enter() {
  [ -z "${HOST_INSIDE:-}" ] || { host_layers; return 0; }
  HOST_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc --net --propagation private "$@"
}

# host_lacks: prints what is missing on this machine, if anything
host_lacks() {
  local dir
  [ "$(id -u)" = 0 ] || { echo "root"; return; }
  for program in libvirtd qemu-system-x86_64; do
    PATH=$PATH:/usr/sbin command -v $program > /dev/null || { echo "$program"; return; }
  done
  host_python > /dev/null || { echo "libvirt for Python"; return; }
  dir=$(mktemp -d)
  unshare --mount --pid --fork --net --propagation private -- sh -c \
    "mount -t tmpfs t $dir && mkdir $dir/u $dir/w && mount -t overlay -o lowerdir=/etc,upperdir=$dir/u,workdir=$dir/w o /etc" \
    2> /dev/null || echo "namespaces and overlayfs"
  rmdir "$dir"
}

# host_python: a python3 that knows libvirt
host_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if $python -c 'import libvirt' 2> /dev/null; then echo $python; return 0; fi
  done
  return 1
}

host_layers() {
  local dir layer
  ip link set lo up 2> /dev/null || :
  mount -t tmpfs -o mode=755 run /run
  mkdir /run/lock # where libvirt locks a guest's console
  HOST_WORK=/run/clients
  mkdir "$HOST_WORK"
  for dir in "${HOST_LAYERS[@]}"; do
    layer=/run/layers$dir
    mkdir -p "$layer/up" "$layer/work"
    mount -t overlay -o "lowerdir=$dir,upperdir=$layer/up,workdir=$layer/work" layer "$dir"
  done
  export HOST_WORK HOST_STOCK=$HOST_WORK/stock/libvirt-sock HOST_FRONT=$HOST_WORK/front/libvirt-sock
  export HOSTDEVD_LOG=$HOST_WORK/virthostdevd.log
}

# host_wait SECONDS COMMAND...: until it succeeds
host_wait() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

host_uri() { echo "qemu+unix:///system?socket=$1"; }
host_answers() { virsh -q -c "$(host_uri "$1")" version; }

# host_libvirtd: start it, and wait until it answers
host_libvirtd() {
  local name
  mkdir -p "$HOST_WORK/stock" "$HOST_CACHE" /etc/libvirt/hooks/qemu.d /var/cache/libvirt/qemu /var/log/libvirt
  printf '#!/bin/sh\nexit 0\n' > /etc/libvirt/hooks/qemu.d/00-none
  chmod +x /etc/libvirt/hooks/qemu.d/00-none
  cp -a "$HOST_CACHE/." /var/cache/libvirt/qemu/
  cat > /etc/libvirt/libvirtd.conf << C
unix_sock_dir = "$HOST_WORK/stock"
unix_sock_rw_perms = "0777"
auth_unix_ro = "none"
auth_unix_rw = "none"
max_clients = 5000
max_anonymous_clients = 1000
host_uuid = "3e3fce45-4f53-4fa7-bb32-11f34168b82b"
log_outputs = "3:file:$HOST_WORK/libvirtd.log"
C
  # No mount namespace for each guest: where all of this runs in a chroot, libvirt would lose its /dev/pts.
  cat > /etc/libvirt/qemu.conf << 'C'
user = "root"
group = "root"
stdio_handler = "file"
security_driver = "none"
namespaces = []
C
  # The QEMU driver does not start without its default user, even where qemu.conf names another one.
  for name in libvirt-qemu kvm libvirt; do getent group $name > /dev/null || groupadd -r $name; done
  getent passwd libvirt-qemu > /dev/null || useradd -r -M -g kvm libvirt-qemu
  PATH=$PATH:/usr/sbin libvirtd > "$HOST_WORK/libvirtd.out" 2>&1 &
  host_wait 60 host_answers "$HOST_STOCK" || { cat "$HOST_WORK"/libvirtd.*; return 1; }
  # Probing QEMU without KVM takes seconds: once, not in the middle of a measured or compared call.
  virsh -q -c "$(host_uri "$HOST_STOCK")" domcapabilities --virttype qemu > /dev/null
  cp -a /var/cache/libvirt/qemu/. "$HOST_CACHE/"
}

# host_front BUILD: virthostdevd of that build; BUILD "socat": a program that only carries bytes; "none": nothing
host_front() {
  mkdir -p "$HOST_WORK/front"
  if [ "$1" = none ]; then
    HOST_FRONT=$HOST_STOCK
  elif [ "$1" = socat ]; then
    host_socat "$HOST_FRONT"
  else
    cat > "$HOST_WORK/virthostdevd.conf" << C
upstream = "$HOST_STOCK"
upstream_ro = "$HOST_STOCK-ro"
listen = "$HOST_FRONT"
listen_ro = "$HOST_FRONT-ro"
filter = "$HOST_WORK/virt-hostdev-filter"
C
    install -m 0711 "$1/src/filter/virt-hostdev-filter" "$HOST_WORK/" # as it is installed
    "$1/src/daemon/virthostdevd" --config "$HOST_WORK/virthostdevd.conf" > "$HOSTDEVD_LOG" 2>&1 &
  fi
  host_wait 20 host_answers "$HOST_FRONT" || { cat "$HOSTDEVD_LOG"; return 1; }
}

# host_socat SOCKET: bytes from there to libvirt and back, and nothing else
host_socat() {
  socat "UNIX-LISTEN:$1,fork,backlog=1000" "UNIX-CONNECT:$HOST_STOCK" 2> /dev/null &
  host_wait 20 test -S "$1"
}
