# shellcheck shell=bash
# Sourced by tools/dev: the Debian packages a subcommand needs.

readonly kExitNoPackages=3

# Prints the packages of the named lists of tools/packages.
packages_in() {
  local list
  for list in "$@"; do
    awk -v want="[$list]" '
      /^\[/ { inside = ($0 == want); next }
      inside && NF && !/^#/ { print $1 }' "$ROOT/tools/packages"
  done
}

is_installed() {
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# Corosync's package would start its service, now and at every boot. The tests
# need the program only. Whoever had it before keeps it as it was.
readonly kServicePolicy=/usr/sbin/policy-rc.d
made_policy=0

# hold_services [sudo]: before the installation.
hold_services() {
  [[ ! -e "$kServicePolicy" ]] || return 0
  made_policy=1
  printf '#!/bin/sh\nexit 101\n' | "$@" tee "$kServicePolicy" >/dev/null
  "$@" chmod 755 "$kServicePolicy"
}

# release_services [sudo]: after it, well or not.
release_services() {
  ((!made_policy)) || "$@" rm -f "$kServicePolicy"
  made_policy=0
  ! command -v systemctl >/dev/null || "$@" systemctl disable corosync >&2 || true
}

# Prints those of the named lists that are not there.
missing_packages() {
  local package
  while read -r package; do
    is_installed "$package" || echo "$package"
  done < <(packages_in "$@")
}

# Installs what is missing from the named lists; quiet when nothing is.
need_packages() {
  local -a missing=()
  if ! command -v dpkg-query >/dev/null; then
    note "not Debian: needs these from elsewhere: $(packages_in "$@" | xargs)"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

install_packages() {
  local -a missing=("$@") as_root=()
  if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null && ! { [[ -t 0 ]] && command -v sudo >/dev/null; }; then
      note "missing packages, and neither root nor sudo to install them. Run:"
      note "  apt-get install --no-install-recommends ${missing[*]}"
      exit "$kExitNoPackages"
    fi
    as_root=(sudo)
  fi
  note "installing: ${missing[*]}"
  local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  local started=$SECONDS
  local service=0
  [[ " ${missing[*]} " != *" corosync "* ]] || service=1
  ((!service)) || hold_services "${as_root[@]}"
  # A failed update is not final: the lists on disk may be good enough.
  "${as_root[@]}" "${apt[@]}" update >&2 || note "apt-get update failed; trying on"
  if ! "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends \
      "${missing[@]}" >&2; then
    ((!service)) || release_services "${as_root[@]}"
    note "apt-get could not install: ${missing[*]}"
    exit "$kExitNoPackages"
  fi
  ((!service)) || release_services "${as_root[@]}"
  note "installed in $((SECONDS - started)) s"
}

# As need_packages, but goes on without those that cannot be had: what needs them
# is left out, and says so.
want_packages() {
  (need_packages "$@") && return 0
  local package
  while read -r package; do
    # One that is not to be found keeps away all others of one command.
    ((EUID != 0)) || (install_packages "$package") || true
    is_installed "$package" || note "goes on without $package"
  done < <(missing_packages "$@")
}
