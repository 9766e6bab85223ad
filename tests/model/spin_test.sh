#!/bin/bash
# spin_test.sh CHECK.PY MODEL...: models within small bounds.
set -euo pipefail
exec python3 "$1" --quick --model "${@:2}"
