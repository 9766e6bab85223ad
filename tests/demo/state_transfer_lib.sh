# shellcheck shell=bash
# Members of a group as processes with names: their input, their output line by
# line, their end. Nothing here waits for time: every wait is for a line of
# output or for a state of a process. Whoever sources this sets $program, its
# path, and $work, a directory, and has a function fail.
# shellcheck disable=SC2154

declare -A input output pids

# launch NAME GROUP [RECORDS_PER_MESSAGE]
launch() {
  local name="$1" fd
  mkfifo "$work/$name.in" "$work/$name.out"
  (
    # Other members' ends: they would never see the end of their input.
    for fd in "${input[@]}" "${output[@]}"; do exec {fd}>&-; done
    exec "$program" "${@:2}" <"$work/$name.in" >"$work/$name.out"
  ) &
  pids[$name]=$!
  exec {fd}>"$work/$name.in"
  input[$name]=$fd
  exec {fd}<"$work/$name.out"
  output[$name]=$fd
  rm "$work/$name.in" "$work/$name.out"
}

# The same, and waits until it is in the group: so those that are started first
# are older.
start() {
  launch "$@"
  await "$1" "${pids[$1]} joined, *"
}

say() { printf '%s\n' "${@:2}" >&"${input[$1]}"; }

# await NAME PATTERN [FORBIDDEN]: reads up to a line that matches, into $line;
# none before it may match the other pattern.
await() {
  while IFS= read -r -u "${output[$1]}" line; do
    # shellcheck disable=SC2053  # patterns they are
    [[ $line == $2 ]] && return
    # shellcheck disable=SC2053
    [[ -z "${3:-}" || $line != $3 ]] || fail "$1 said: $line"
  done
  fail "$1 ended before it said: $2"
}

# Returns when it has stopped: the signal alone is a wish.
stop() {
  kill -STOP "${pids[$1]}"
  until grep -q '^State:.T' "/proc/${pids[$1]}/status"; do :; done
}
go_on() { kill -CONT "${pids[$1]}"; }

close_ends() {
  local fd="${input[$1]}"
  exec {fd}>&-
  fd="${output[$1]}"
  exec {fd}<&-
  unset "input[$1]" "output[$1]" "pids[$1]"
}
murder() {
  kill -KILL "${pids[$1]}"
  wait "${pids[$1]}" 2>/dev/null || true
  close_ends "$1"
}
# By the end of its input: it leaves, and succeeds.
end() {
  local fd="${input[$1]}" pid="${pids[$1]}"
  exec {fd}>&-
  while IFS= read -r -u "${output[$1]}" line; do :; done
  wait "$pid" || fail "$1 ended badly"
  close_ends "$1"
}
end_all() {
  local name
  for name in "${!pids[@]}"; do end "$name"; done
}
kill_all() {
  local pid
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
}

# agree FORBIDDEN NAME...: the first of them sets a mark, and all of them print
# the same there. What they print is left in $line.
agree() {
  local name first="" mark="mark-$((++marks))"
  say "$2" "?$mark"
  for name in "${@:2}"; do
    await "$name" "mark $mark at *" "$1"
    [[ -z "$first" || "$line" == "$first" ]] ||
      fail "$2 says '$first', $name says '$line'"
    first="$line"
  done
}
marks=0

# change NAME COUNT KEYS: that many changes, spread over so many keys.
changes() {
  local i
  for ((i = 1; i <= $2; i++)); do echo "key-$((i % $3)) $i"; done \
    >&"${input[$1]}"
}
