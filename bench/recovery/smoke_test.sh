#!/bin/sh
# The program still runs at all.
set -eu
exec bench/recovery/recovery 10000 1
