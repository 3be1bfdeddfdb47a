# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# suites: trixie
# Random operations on VFs of three PFs, two of them of two ports, and of a made-up one: prepare, release, restore, killed
# at any step, refused, at once. A model says what every port of every VF must be. SEED=, RUNS= and GUESTS= (so many runs with
# libvirt, too) in the environment; what fails says with which seed it happens again.
. /lab/guest/lib.sh

step "random runs without a guest"
igb_up "$PF1" 3
dualport_up "$PF2" 3
dualport_up "$PF3" 3
sim=$(netdevsim_up 24 /run/made-up)
# Some have a past, one has none.
for n in 0 1; do igb_mac "$PF1" $n "52:54:00:00:01:0$n"; ip link set "$(netdev "$PF1")" vf $n vlan $((n * 5)); done
ip link set "$(netdev "$PF2" 2)" vf 0 mac 52:54:00:00:02:00 vlan 7 qos 5 trust on max_tx_rate 100
ip link set "$(netdev "$PF3" 1)" vf 1 mac 52:54:00:00:03:00 spoofchk on state disable
virt-hostdev recover 2> /dev/null || true             # nothing; but the programs are in memory from here on
seed=${SEED:-$RANDOM$RANDOM}
if python3 /lab/guest/chance.py "${RUNS:-25}" "$seed" "$sim" /run/made-up > chance.log; then
  pass "the model and the host agree: $(cat chance.log)"
else
  cat chance.log; fail "the model and the host agree" "$(tail -n 1 chance.log)"
fi

[[ ${GUESTS:-} ]] || exit 0

step "random runs with libvirt: attach, update, detach, start, destroy; client, filter, daemon and libvirt killed"
netdevsim_down
rm -rf /run/libvirt-hostdev; dualport_up "$PF3" 4
hostdevd_up
L2_PORTS=6 domain vm "" boot > vm.xml; domain next "<hostdev/><hostdev/>" > next.xml
ok "a domain runs" virsh -q create vm.xml
ok "its guest is up" l2_wait vm '^L2PING' 400
sed -i 's/<hostdev\/>//g' next.xml; ok "another is defined" virsh -q define next.xml
cat > pool.xml << X
<network><name>restarted</name><forward mode='hostdev' managed='yes'><pf dev='$(netdev "$PF1")'/></forward></network>
X
virsh -q net-define pool.xml; virsh -q net-start restarted
domain pooled "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='restarted'/></interface>" > pooled.xml
ok "a third has a VF of a network's" virsh -q create pooled.xml --paused
if python3 /lab/guest/domains.py "$GUESTS" "$seed" "$PF3" > domains.log; then
  pass "the model and libvirt agree: $(cat domains.log)"
else
  cat domains.log; fail "the model and libvirt agree" "$(tail -n 1 domains.log)"
fi

# What this run found, for docs/tables/random.rst; only a large one is worth writing there.
for log in chance domains; do
  row="at random, without guests"; [[ $log = chance ]] || row="with libvirt"
  for what in runs steps kills refusals divergences; do
    column=$what; [[ $what != runs ]] || column=number
    number=$({ grep -oE "[0-9]+ $what" "$log.log" || true; } | tail -n 1 | cut -d' ' -f1)
    cell "$row" "$column" "${number:-not counted}"
  done
done
figures tables/random.rst random
