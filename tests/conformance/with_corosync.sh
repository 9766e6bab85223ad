#!/bin/bash
# Runs a command next to a Corosync of its own: one node, in namespaces of its
# own (network with nothing but loopback, mounts, processes). When the command
# ends, all of it ends; nothing stays in /dev/shm, /run or among the processes.
#
# usage: with_corosync.sh COMMAND [ARGUMENT ...]
#
# Exit code: the command's; 77: no namespaces here (needs root); 78: corosync
# is not installed or did not come up, and its log is on standard error.
# ZCB_COROSYNC_SCHED_RR=yes gives it real-time priority.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

readonly kNoNamespaces=77
readonly kNoCorosync=78

die() {
  echo "with_corosync: $2" >&2
  exit "$1"
}

outside() {
  local -a apart=(unshare --net --mount --pid --ipc --fork --kill-child
    --mount-proc)
  "${apart[@]}" true 2>/dev/null || die "$kNoNamespaces" "needs root"
  command -v corosync >/dev/null || die "$kNoCorosync" "no corosync is installed"
  exec "${apart[@]}" -- "$0" --inside "$@"
}

# The first cpg_initialize() that works. There is nothing to wait on before the
# daemon has a socket, so this asks again and again.
await_corosync() {
  local daemon="$1"
  until LD_LIBRARY_PATH='' corosync-cpgtool >/dev/null 2>&1; do
    kill -0 "$daemon" 2>/dev/null || return 1
    sleep 0.02
  done
}

inside() {
  ip link set lo up
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  mkdir -p /run/zcb-corosync/state
  cat >/run/zcb-corosync/corosync.conf <<CONF
system {
  state_dir: /run/zcb-corosync/state
  sched_rr: ${ZCB_COROSYNC_SCHED_RR:-no}
  move_to_root_cgroup: no
}
totem {
  version: 2
  cluster_name: conformance
  transport: udpu
  crypto_cipher: none
  crypto_hash: none
}
nodelist {
  node {
    ring0_addr: 127.0.0.1
    nodeid: 1
    name: one
  }
}
logging {
  to_stderr: no
  to_syslog: no
  to_logfile: yes
  logfile: /run/zcb-corosync/log
}
CONF
  corosync -f -c /run/zcb-corosync/corosync.conf </dev/null >/dev/null 2>&1 &
  local daemon=$!
  if ! await_corosync "$daemon"; then
    cat /run/zcb-corosync/log >&2 || true
    die "$kNoCorosync" "corosync did not come up"
  fi
  # Not exec: this shell is process 1 here, and with it all the others end.
  local code=0
  "$@" || code=$?
  exit "$code"
}

if [[ "${1:-}" == --inside ]]; then
  shift
  inside "$@"
else
  (($#)) || die 2 "usage: with_corosync.sh COMMAND [ARGUMENT ...]"
  outside "$@"
fi
