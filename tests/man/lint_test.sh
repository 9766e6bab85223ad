#!/bin/bash
# mandoc has nothing to say about our pages. Whether other manuals are installed
# here, which it would look up in its own database, is none of their business.
set -euo pipefail

(($# >= 31)) || { echo "only $# pages" >&2; exit 1; }
found="$(mandoc -T lint -W style "$@" 2>&1 |
  grep -v -e 'outdated mandoc.db' -e 'referenced manual not found' || true)"
[[ -z "$found" ]] || {
  echo "$found" >&2
  exit 1
}
echo "passed"
