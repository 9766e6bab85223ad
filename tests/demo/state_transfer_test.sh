#!/bin/bash
# Joiners get the state, whatever happens to those who send it, and whatever to
# the joiners.
set -euo pipefail

program="$1"
# shellcheck source=tests/demo/state_transfer_lib.sh
source "$2"
work="$(mktemp -d)"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
cleanup() {
  kill_all
  rm -rf "$work" "$region"
}
trap cleanup EXIT
export ZCB_DIR="$region"
unset ZCB_REGION ZCB_KEEP

fail() {
  echo "FAILED in $scenario: $*" >&2
  exit 1
}
scenario() {
  scenario="$*"
  echo "$*"
}
readonly kBegins='the state begins, *'
readonly kWhole='the state is whole, *'
readonly kLost='the state is lost*'
# More messages than a ring holds (4096 places): a checkpoint of so many keys,
# one in a message, stops half-way if a member does not read.
readonly kManyKeys=4200

scenario "a joiner gets all that was before it, and what comes after"
start a late
changes a 500 100
agree "$kBegins" a
[[ "$line" == *": 100 keys, "* ]] || fail "$line"
before="${line##*digest }"
start b late
await b "$kWhole" "$kLost"
[[ "$line" == *" 100 keys" ]] || fail "$line"
agree "$kBegins" b a
[[ "${line##*digest }" == "$before" ]] || fail "not the state of before: $line"
say b "key-1 5"
agree "$kBegins" b a
[[ "${line##*digest }" != "$before" ]] || fail "a change changes nothing"
end_all

scenario "an empty state is a state"
start a empty
start b empty
await b "$kWhole" "$kLost"
agree "$kLost" b a
[[ "$line" == *": 0 keys, "* ]] || fail "$line"
end_all

scenario "several join at once, in the middle of the traffic"
start a crowd 3
changes a 30 100
agree "$kBegins" a
changes a 20000 97 &
writer=$!
for name in b c d e; do launch "$name" crowd 3; done
for name in b c d e; do await "$name" "$kWhole" "$kLost"; done
wait "$writer"
agree "$kBegins" a b c d e
end_all

scenario "the state is that of the join view, sent late or not"
start a view
changes a 100 10
start b view
await b "$kWhole"
stop a
start c view
await b "${pids[c]} joined, *"
changes b 100 12
say b "?changed"
await b "mark changed at *"
go_on a # it meets the view and the changes before it sends
await c "$kWhole"
[[ "$line" == *" 10 keys" ]] || fail "$line"
agree "$kLost" a b c
end_all

scenario "the sender is killed before it sends; one of its joiners, too"
start a before
changes a 100 10
start b before
await b "$kWhole"
stop a
for name in c d e; do
  start "$name" before
  await b "${pids[$name]} joined, *"
done
changes c 100 20 # queued by all three, applied by b
d="${pids[d]}"
murder d
await b "$d left, *"
murder a
for name in c e; do
  await "$name" "the state begins, from ${pids[b]}" "$kBegins"
  await "$name" "$kWhole" "$kBegins"
done
agree "*@($kBegins|sent the state to $d)" c b e
end_all

scenario "the sender is killed while it sends"
start a during 1
changes a $kManyKeys $kManyKeys
agree "$kBegins" a # it has them all
start b during 1
start z during 1
await b "$kWhole"
await z "$kWhole"
stop z # from here on the ring fills
start c during 1
await c "the state begins, from ${pids[a]}"
await a "no room yet"
stop a
go_on z
say b "key-0 0" # which c has got already, and must not keep
say b "?removed"
await b "mark removed at *"
a="${pids[a]}"
murder a
await b "$a left, *"
await c "the state begins, from ${pids[b]}" "$kWhole"
await c "$kWhole" "$kBegins"
[[ "$line" == *" $((kManyKeys - 1)) keys" ]] || fail "$line"
agree "$kBegins" b c z
end_all

scenario "the sender is killed after it has sent"
start a after
changes a 100 10
start b after
start c after
await b "$kWhole"
await c "$kWhole"
a="${pids[a]}"
murder a
await b "$a left, *"
agree "$kBegins" c b
start d after
await d "the state begins, from ${pids[b]}"
agree "$kLost" d b c
end_all

scenario "the joiner is killed while it is sent to"
start a joiner 1
changes a $kManyKeys $kManyKeys
agree "$kBegins" a # it has them all
start z joiner 1
await z "$kWhole"
stop z
start b joiner 1
await b "$kBegins"
await a "no room yet"
b="${pids[b]}"
murder b
go_on z
await a "$b left, *"
start c joiner 1
await c "$kWhole" "$kLost"
agree "*@($kBegins|sent the state to $b)" a c z
end_all

scenario "the sender leaves while it sends"
start a leaver 1
changes a $kManyKeys $kManyKeys
agree "$kBegins" a # it has them all
start b leaver 1
start z leaver 1
await b "$kWhole"
await z "$kWhole"
stop z
start c leaver 1
await c "the state begins, from ${pids[a]}"
await a "no room yet"
say a leave
go_on z
await c "$kWhole"
say a join
await a "* joined, 4 here"
await a "$kWhole" "$kLost"
agree "$kBegins" b c z a
end_all

scenario "a member leaves and joins again"
start a again
changes a 100 10
start b again
await b "$kWhole"
say b leave
await b "${pids[b]} left, *"
changes a 100 15
say b join
await b "${pids[b]} joined, 2 here"
await b "$kWhole"
agree "$kBegins" b a
end_all

# A checkpoint is on its way when its joiner leaves and joins again: a waits
# inside its send for room, is stopped there, and sends it when it goes on. (It
# may have been stopped just before; then it learns in time, and we try again.)
scenario "what was meant for an earlier join is not taken"
tries=0
while :; do
  ((++tries <= 10)) || fail "never sent what is out of date"
  group="stale-$tries"
  start a "$group"
  changes a 100 10
  start b "$group"
  start z "$group"
  await b "$kWhole"
  await z "$kWhole"
  stop z
  changes b $kManyKeys 10 &
  writer=$!
  await b "no room yet"
  start j "$group"
  await a "no room yet"
  stop a
  go_on z
  wait "$writer"
  say b "?through"
  await z "mark through at *"
  say j leave
  await j "${pids[j]} left, *" "$kBegins"
  say b "key-1 7"
  say b "?changed"
  await z "mark changed at *"
  say j join
  await j "${pids[j]} joined, *"
  go_on a
  await j "@($kWhole|that was for an earlier join*)"
  [[ "$line" != "that was "* ]] || break
  agree "$kBegins" b z a j
  end_all
done
await j "$kWhole"
agree "$kBegins" b z a j
end_all

scenario "the last that has the state is killed: the oldest joiner goes on"
start a lost
changes a 100 10
agree "$kBegins" a
stop a
start b lost
say b "key-1 3" # ordered before c joins
say b "?not-yet"
start c lost
await b "${pids[c]} joined, 3 here" "mark *"
murder a
await b "$kLost" "mark *"
await b "mark not-yet at *: 1 keys, *"
await c "$kWhole" "$kLost"
agree "$kBegins" b c
[[ "$line" == *": 1 keys, "* ]] || fail "$line"
end_all

# Wherever the murderer happens to find it.
scenario "the oldest is killed again and again while joiners come"
start m0 rounds 2
changes m0 300 150
start m1 rounds 2
await m1 "$kWhole"
for ((i = 2; i < 14; i++)); do
  changes "m$((i - 1))" 50 200
  launch "m$i" rounds 2
  launch n rounds 2
  await "m$i" "$kBegins"
  murder "m$((i - 2))"
  await n "$kWhole" "$kLost"
  agree "$kLost" "m$((i - 1))" "m$i" n
  end n
done
end_all

[[ -z "$(find "$region" -type f)" ]] || fail "left: $(find "$region")"
echo "passed"
