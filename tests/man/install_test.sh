#!/bin/bash
# What tools/dev install makes is enough to build and run a program with, and
# the manual is found in it. The libraries to install are the arguments.
set -euo pipefail

ROOT="$PWD"
# shellcheck source=SCRIPTDIR/../../tools/dev.d/install.sh
source "$ROOT/tools/dev.d/install.sh"
libcpg="$1" libzcb="$2"
work="$(mktemp -d)"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
trap 'rm -rf "$work" "$region"' EXIT
export ZCB_DIR="$region"
unset ZCB_REGION ZCB_KEEP

fail() { echo "$*" >&2; exit 1; }

# --- into a prefix, and used there -----------------------------------------------

prefix="$work/usr"
(umask 077; install_product "$prefix" "" "$libcpg" "$libzcb" >"$work/said")
while read -r path _; do
  [[ -e "$path" ]] || fail "said, but not there: $path"
  [[ "$(stat -Lc %a "$path")" == 644 ]] || fail "mode of $path"
done <"$work/said"
diff <(find "$prefix" ! -type d | sort) <(cut -d' ' -f1 "$work/said" | sort) ||
  fail "there, but not said"

cat >"$work/groups.c" <<'TEXT'
#include <corosync/cpg_zcb.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  cpg_handle_t handle;
  struct cpg_name room = {4, "room"};
  struct cpg_zcb_message event;
  void* buffer;
  if (cpg_model_initialize(&handle, CPG_MODEL_ZCB, NULL, NULL) != CS_OK ||
      cpg_join(handle, &room) != CS_OK ||
      cpg_zcb_alloc(handle, 6, &buffer) != CS_OK)
    return 1;
  memcpy(buffer, "hello\n", 6);
  if (cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 6) != CS_OK)
    return 2;
  while (cpg_zcb_next(handle, &event) == CS_OK)
    if (event.kind == CPG_ZCB_MESSAGE)
      fwrite(event.data, 1, event.length, stdout);
  puts(cpg_zcb_version());
  return cpg_finalize(handle) != CS_OK;
}
TEXT
cat >"$work/memory.c" <<'TEXT'
#include <zcb_allocator.h>

int main(void) {
  return zcb_status_text(ZCB_OK) == 0;
}
TEXT
for program in groups:libcpg memory:zcb; do
  package="${program#*:}" program="${program%:*}"
  # Split on purpose: pkg-config gives several words.
  # shellcheck disable=SC2046
  PKG_CONFIG_PATH="$prefix/lib/pkgconfig" cc -std=c99 -Wall -Wextra -Werror \
    -o "$work/$program" "$work/$program.c" \
    $(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --cflags --libs "$package")
  needed="$(LD_LIBRARY_PATH="$prefix/lib" ldd "$work/$program")"
  [[ "$needed" == *"$prefix/lib/"* ]] || fail "$program runs on $needed"
done
said="$(LD_LIBRARY_PATH="$prefix/lib" "$work/groups")"
version="$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --modversion libcpg)"
[[ "$said" == "hello
$version" ]] || fail "the program said: $said"
LD_LIBRARY_PATH="$prefix/lib" "$work/memory" || fail "memory: $?"

# --- the manual ------------------------------------------------------------------

# mman is mandoc's man(1); it would like a database of the pages, too, and says
# so on stderr.
look_up() { mman -M "$prefix/share/man" "$@" 2>/dev/null; }

while read -r function; do
  found="$(look_up -w 3 "$function")" || fail "no page by the name of $function"
  grep -q "^\.Nm $function\( ,\)\?$" <<<"$(zcat "$found")" ||
    fail "$found is not about $function"
  # Without the overstrikes that make it bold.
  grep -q "^SYNOPSIS" <<<"$(look_up 3 "$function" | sed 's/.\x08//g')" ||
    fail "$function cannot be read"
done < <(sed -n 's/^ *\(cpg_[a-z_]*\);$/\1/p' "$ROOT/cpg/libcpg.map")
look_up -w 3 cpg_overview >"$work/path"
look_up -w 7 zcb >"$work/path"

# --- staged -------------------------------------------------------------------------

install_product /opt/zcb "$work/stage" "$libcpg" "$libzcb" >"$work/said"
diff <(cd "$work/stage" && find . ! -type d | cut -c2- | sort) \
  <(cut -d' ' -f1 "$work/said" | sort) || fail "staged, but not said"
grep -q '^prefix=/opt/zcb$' "$work/stage/opt/zcb/lib/pkgconfig/zcb.pc" ||
  fail "the staging directory got into zcb.pc"
! grep -rqF "$work" "$work/stage" || fail "the staging directory got into a file"
# Twice gives the same bytes.
install_product /opt/zcb "$work/again" "$libcpg" "$libzcb" >"$work/said"
diff -r "$work/stage" "$work/again" || fail "not the same twice"
echo "passed"
