# shellcheck shell=bash
# Sourced by tools/dev: where the product goes. All paths are PREFIX/...; with
# --destdir they are made below that directory, and named without it.

# install_file MODE FILE NAME: FILE as PREFIX/NAME, and says so.
install_file() {
  local to="$destdir$prefix/$3"
  mkdir -p "$(dirname "$to")"
  install -m "$1" "$2" "$to"
  echo "$prefix/$3"
}

# install_link TARGET NAME: PREFIX/NAME is a link to TARGET beside it.
install_link() {
  mkdir -p "$(dirname "$destdir$prefix/$2")"
  ln -sfn "$1" "$destdir$prefix/$2"
  echo "$prefix/$2 -> $1"
}

# install_library BUILT: under its soname, with the link for the linker.
install_library() {
  local soname="${1##*/}"
  install_file 644 "$1" "lib/$soname"
  install_link "$soname" "lib/${soname%.so.*}.so"
}

# install_page PAGE: compressed, and a link for each other name that it has.
install_page() {
  local file="${1##*/}" section="${1##*.}" name
  gzip -9nc "$1" >"$scratch/$file.gz"
  install_file 644 "$scratch/$file.gz" "share/man/man$section/$file.gz"
  while read -r name; do
    [[ "$name.$section" == "$file" ]] ||
      install_link "$file.gz" "share/man/man$section/$name.$section.gz"
  done < <(awk '/^\.Sh / { inside = $2 == "NAME" }
                inside && $1 == ".Nm" { print $2 }' "$1")
}

# install_pkg_config NAME LIBRARY TEXT
install_pkg_config() {
  cat >"$scratch/$1.pc" <<TEXT
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Version: $(product_version)
Description: $3
Libs: -L\${libdir} -l$2
Cflags: -I\${includedir}
TEXT
  install_file 644 "$scratch/$1.pc" "lib/pkgconfig/$1.pc"
}

product_version() {
  sed -n 's/.*cpg_zcb_version(void) { return "\([0-9.]*\)"; }.*/\1/p' \
    "$ROOT/cpg/zcb.cc" | grep .
}

# install_product PREFIX DESTDIR LIBCPG LIBZCB: all of it, the libraries as
# built at these paths. Prints what it made.
install_product() (
  prefix="$1" destdir="$2"
  scratch="$(mktemp -d)"
  trap 'rm -rf "$scratch"' EXIT
  install_library "$3"
  install_library "$4"
  for header in corotypes cpg cpg_zcb; do
    install_file 644 "$ROOT/cpg/include/corosync/$header.h" \
      "include/corosync/$header.h"
  done
  install_file 644 "$ROOT/allocator/zcb_allocator.h" include/zcb_allocator.h
  for page in "$ROOT"/docs/man/*.[37]; do install_page "$page"; done
  install_pkg_config libcpg cpg "Closed process groups over shared memory"
  install_pkg_config zcb zcb "Allocator of shared memory"
)

cmd_install() {
  local prefix=/usr/local destdir=""
  while (($#)); do
    case "$1" in
      --prefix | --destdir)
        (($# > 1)) || { note "$1 wants a directory"; exit 2; }
        [[ "$1" == --prefix ]] && prefix="$2" || destdir="$2"
        shift 2
        ;;
      --prefix=*) prefix="${1#*=}"; shift ;;
      --destdir=*) destdir="${1#*=}"; shift ;;
      *)
        note "install: unknown argument $1 (Debian packages: tools/dev packages)"
        exit 2
        ;;
    esac
  done
  if [[ "$prefix" != /* ]]; then
    note "--prefix wants an absolute path"
    exit 2
  fi
  need_packages build
  run_bazel build --config=opt //cpg:libcpg.so.4 //allocator:libzcb.so.0 >&2
  local built
  built="$(run_bazel info --config=opt bazel-bin)"
  install_product "${prefix%/}" "${destdir%/}" "$built/cpg/libcpg.so.4" \
    "$built/allocator/libzcb.so.0"
  [[ -n "$destdir" ]] || note "run ldconfig if $prefix/lib is a path of its own"
}
