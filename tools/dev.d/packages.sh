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

# Installs what is missing from the named lists; quiet when nothing is.
need_packages() {
  local -a missing=() as_root=()
  local package
  if ! command -v dpkg-query >/dev/null; then
    note "not Debian: needs these from elsewhere: $(packages_in "$@" | xargs)"
    return 0
  fi
  while read -r package; do
    is_installed "$package" || missing+=("$package")
  done < <(packages_in "$@")
  ((${#missing[@]})) || return 0

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
  # A failed update is not final: the lists on disk may be good enough.
  "${as_root[@]}" "${apt[@]}" update >&2 || note "apt-get update failed; trying on"
  if ! "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends \
      "${missing[@]}" >&2; then
    note "apt-get could not install: ${missing[*]}"
    exit "$kExitNoPackages"
  fi
  note "installed in $((SECONDS - started)) s"
}
