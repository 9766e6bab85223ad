#!/bin/sh
# Every call still runs, on our library.
set -eu
unset ZCB_DIR ZCB_REGION
LD_LIBRARY_PATH=cpg exec bench/cpg/calls --cycles 20 --samples 5
