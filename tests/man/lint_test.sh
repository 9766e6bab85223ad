#!/bin/bash
# mandoc has nothing to say about our pages. Whether other manuals are installed
# here, which it would look up in its own database, is none of their business.
# One page at a time: of what it says about many, its two streams cut up lines.
set -euo pipefail

(($# >= 31)) || { echo "only $# pages" >&2; exit 1; }
found="$(for page in "$@"; do mandoc -T lint -W style "$page" 2>&1 || true; done |
  grep -v -e 'outdated mandoc.db' -e 'referenced manual not found' || true)"
[[ -z "$found" ]] || {
  echo "$found" >&2
  exit 1
}
echo "passed"
