// Keeping a received message, and letting it go (docs/protocols.md, 4).
//
// One buffer, whose owner was killed before the beginning; it had lease slot 1,
// and may have kept its own message at position 0. Process 2 reaps it, adopts
// the buffer when it is free again and sends it once more, at position 1.
//
// proctype   stands for
// Keeper     a member (lease slot 0) that reads both; it may keep either, and
//            reaps as well
// Newcomer   a process that gets the dead one's lease slot; it reads position 1
// Other      who reclaims, evicts, reaps both slots, adopts and sends
//
// inline     models
// Keep       KeepTable::Keep (ipc/keep_table.cc), Member::Done
// LetGo      KeepTable::LetGo: DropRecord, FreeIfLast, AnyoneHolds
// Reclaim    ReclaimMessage (ipc/reclaim.cc), MoveReclaimed
// ReapKeeps  KeepTable::ReapKeeps; then UnitReaper's word and unit, FreeDead
//
// Abstracted: a record for each lease slot (the code keeps a list, and one
// record of a process for one buffer). The slots of the ring never change. Who
// is evicted is not told so: it acts as if it had looked just before.
//
// Held to be true: while a process that lives keeps the message, the buffer is
// not freed; a buffer that is Retained, and behind the reclaimed index, has a
// record of somebody who will let go of it, or whom a reaper will come for.
#include "process.inc"

#ifndef EVICTIONS
#define EVICTIONS 1
#endif
#define POSITIONS 2

mtype = { Free, Sent, Retained, Owned, Abandoned, Alive, Dead };
mtype = { None, Holding, Letting };

typedef LeaseWord { mtype phase = Alive; byte gen };
typedef BufferWord { mtype state = Sent; bit kept; byte gen; byte seq };
typedef Record { mtype state = None; byte gen };
LeaseWord lease[2];
BufferWord word;
Record record[3]; /* by lease slot; the last is looked at first */
mtype unit = Owned; /* by lease slot 1, generation 0 */
bit published[POSITIONS];
byte reclaimed;
byte cursor[2];
bit gates[2]; /* a member that is not evicted */
byte evictions = EVICTIONS;

/* What is so. */
bit keeps[2]; /* that process may read the bytes */
byte turn;    /* the position that a Retained word was sent for */

#define IS_DUE(s) \
  (lease[s].phase == Dead || \
   (lease[s].phase == Alive && (lease[s].gen == 0 && s == 1 || IS_GONE(s))))

#define LOCALS byte gen; byte seq; byte i; byte lg; bit kept; bit held; \
  mtype state; mtype seen

#define FORGET() gen = 0; seq = 0; i = 0; lg = 0; kept = 0; held = 0; \
  state = 0; seen = 0

inline LookAtWord() {
  state = word.state; kept = word.kept; gen = word.gen; seq = word.seq
}
#define WORD_IS \
  (word.state == state && word.kept == kept && word.gen == gen && \
   word.seq == seq)

inline FreeWord() {
  assert(!(keeps[0] && !IS_GONE(0)));
  assert(!(keeps[1] && !IS_GONE(1)));
  word.state = Free; word.kept = 0; word.seq = 0
}

/* One record after the other, as they lie in memory. */
inline AnyoneHolds() {
  atomic { held = record[2].state == Holding }
  atomic { held = held || record[0].state == Holding }
  atomic { held = held || record[1].state == Holding }
}

inline FreeIfLast() {
  atomic {
    LookAtWord();
#ifdef WITHOUT_LOOK_AT_RECORDS
    held = false
  }
#else
    held = state != Retained
  }
  if
  :: held
  :: !held -> AnyoneHolds()
  fi;
#endif
  atomic {
    if
    :: !held && state == Retained && WORD_IS -> FreeWord()
    :: else
    fi
  }
}

inline DropRecord(n) {
#ifdef CLEAR_FIRST
  atomic { record[n].state = None }
  FreeIfLast();
  atomic { FORGET() }
#else
#ifndef WITHOUT_LETTING
  atomic { record[n].state = Letting }
#endif
  FreeIfLast();
  atomic { record[n].state = None; record[n].gen = 0; FORGET() }
#endif
}

/* Position p, in the callback: sets keeps[n] or fails. */
inline Keep(n, p, generation) {
#ifndef BIT_BEFORE_RECORD
  atomic { record[n].state = Holding; record[n].gen = generation }
#endif
  do
  :: atomic { LookAtWord(); held = 0 }
     atomic {
       if
       :: state != Sent || seq != p -> break
       :: state == Sent && seq == p && kept -> held = 1; keeps[n] = 1; break
       :: state == Sent && seq == p && !kept && WORD_IS ->
          word.kept = 1; held = 1; keeps[n] = 1; break
       :: else
       fi
     }
  od;
#ifdef BIT_BEFORE_RECORD
  atomic { record[n].state = Holding; record[n].gen = generation }
#endif
  if
  :: held
  :: !held ->
#ifdef FAILED_KEEP_CLEARS
     atomic { record[n].state = None; record[n].gen = 0 }
#else
     DropRecord(n)
#endif
  fi;
  atomic { FORGET() }
}

/* Everybody who gates has read it. */
#define CAN_RECLAIM(p) \
  (p < POSITIONS && published[p] && \
   !(gates[0] && lease[0].phase == Alive && cursor[0] <= p) && \
   !(gates[1] && lease[1].phase == Alive && cursor[1] <= p))

inline Reclaim() {
  atomic {
    i = reclaimed;
    if
    :: CAN_RECLAIM(i)
    :: else -> goto reclaim_end
    fi
  }
  do
  :: atomic {
       LookAtWord(); held = 0;
       if
       :: state == Sent && seq == i
       :: state == Retained
       :: else -> break
       fi
     }
     if
     :: state == Retained ->
#ifdef WITHOUT_LOOK_AT_RECORDS
        break
#endif
        AnyoneHolds()
     :: else
     fi;
     atomic {
       if
       :: held -> break
       :: !held && WORD_IS && state == Sent && kept ->
          word.state = Retained; word.kept = 0; word.seq = 0; turn = i
       :: !held && WORD_IS && !(state == Sent && kept) -> FreeWord(); break
       :: else
       fi
     }
  od;
  atomic { reclaimed = (reclaimed == i -> i + 1 : reclaimed) }
reclaim_end:
  atomic { FORGET() }
}

#ifdef WITHOUT_GENERATION
#define RECORD_GEN(s) true
#else
#define RECORD_GEN(s) (record[s].gen == lg)
#endif

inline ReapKeeps(s) {
  atomic {
    lg = lease[s].gen;
    if
    :: IS_DUE(s) -> lease[s].phase = Dead
    :: else -> goto reap_end
    fi
  }
  atomic {
    seen = record[s].state;
    if
#ifdef WITHOUT_GENERATION
    :: seen == None
#else
    :: seen == None || record[s].gen != lg
#endif
       -> goto reap_unit
    :: else
    fi
  }
  atomic {
    if
    :: record[s].state == seen && RECORD_GEN(s) -> record[s].state = Letting
    :: else
    fi
  }
  FreeIfLast();
  atomic {
    if
    :: record[s].state == Letting && RECORD_GEN(s) ->
       record[s].state = None; record[s].gen = 0
    :: else
    fi
  }
reap_unit:
  atomic { /* Sent in the dead one's unit, and not in its slot? */
    LookAtWord();
    if
    :: s == 1 && lg == 0 && unit == Owned && state == Sent && !published[seq]
    :: else -> goto reap_free
    fi
  }
  atomic {
    if
    :: unit == Owned && lease[s].phase == Dead && lease[s].gen == lg && WORD_IS
       -> FreeWord()
    :: else
    fi
  }
reap_free:
  atomic {
    if
    :: s == 1 && lg == 0 && unit == Owned && lease[s].phase == Dead &&
       lease[s].gen == lg -> unit = Abandoned
    :: else
    fi
  }
  atomic {
    if
    :: lease[s].phase == Dead && lease[s].gen == lg -> lease[s].phase = Free
    :: else
    fi
  }
reap_end:
  atomic { FORGET() }
}

PROCESS Keeper() UNLESS_STRUCK {
  LOCALS;
  bit kept_one;
  byte p;
  bit reaps = 1;
  do
  :: atomic { cursor[0] < POSITIONS && published[cursor[0]] && !kept_one ->
       p = cursor[0] }
     Keep(0, p, 0);
     atomic { kept_one = keeps[0]; cursor[0]++; p = 0 }
  :: atomic { cursor[0] < POSITIONS && published[cursor[0]] -> cursor[0]++ }
#ifdef TWO_RECORDS
  :: atomic { kept_one && record[2].state == None -> /* keeps it again */
       record[2].state = Holding; record[2].gen = 0 }
     /* and lets go of the first */
     DropRecord(0)
#endif
#ifdef FORWARD
  :: atomic { kept_one && word.state == Retained && !published[1] ->
       word.state = Sent; word.seq = 1; word.gen++; keeps[0] = 1 }
     atomic { assert(word.state == Sent); published[1] = 1; FINISH() }
     break
#endif
  :: atomic { kept_one -> keeps[0] = 0; kept_one = 0 }
     DropRecord(0)
  :: atomic { reaps && IS_DUE(1) -> reaps = 0 }
     ReapKeeps(1)
  :: FINISH() -> break
  od
}

PROCESS Newcomer() UNLESS_STRUCK {
  LOCALS;
  atomic {
    if
    :: lease[1].phase == Free && reclaimed < POSITIONS ->
       lease[1].phase = Alive; lease[1].gen++;
       cursor[1] = 1; gates[1] = 1
    :: FINISH() -> goto finish
    fi
  }
  atomic {
    if
    :: published[1]
    :: FINISH() -> goto finish
    fi
  }
  Keep(1, 1, 1);
  atomic { cursor[1]++ }
  if
  :: keeps[1] ->
     if
     :: atomic { keeps[1] = 0 }
        DropRecord(1)
     :: true
     fi
  :: else
  fi;
  FINISH();
finish:
  skip
}

PROCESS Other() UNLESS_STRUCK {
  LOCALS;
  byte s;
  do
  :: atomic { IS_DUE(1) -> s = 1 }
     ReapKeeps(s)
  :: atomic { IS_DUE(0) -> s = 0 }
     ReapKeeps(s)
  :: atomic { CAN_RECLAIM(reclaimed) }
     Reclaim()
  :: atomic { evictions > 0 && gates[0] -> evictions--; gates[0] = 0 }
  :: atomic { evictions > 0 && gates[1] -> evictions--; gates[1] = 0 }
#ifndef FORWARD
  :: atomic { unit == Abandoned && word.state == Free && !published[1] ->
       /* adopted, and sent again by its new owner */
       word.state = Sent; word.gen++; word.seq = 1; word.kept = 0 }
     atomic { published[1] = 1 }
#endif
  :: FINISH() -> break
  od
}

/* The dead one's message, and how far it had come with keeping it. */
#define SETUP() \
  published[0] = 1; \
  gates[0] = 1; \
  if \
  :: true \
  :: record[1].state = Holding \
  :: record[1].state = Holding; word.kept = 1 \
  :: record[1].state = Letting; word.kept = 1 \
  fi

/* Whoever has that record will let go of the buffer. */
#define ANSWERS(n, s) \
  (record[n].state == Holding || \
   (record[n].state == Letting && (IS_DUE(s) || status[s] == STOPPED)))

/* While the index stands, whoever reclaims next looks again. */
#define AUDIT() \
  assert(word.state != Retained || reclaimed <= turn || \
         ANSWERS(0, 0) || ANSWERS(1, 1) || ANSWERS(2, 0))

FATE
