// Waiting for room in a ring (docs/protocols.md, 7).
//
// proctype   stands for
// Waiter     a sender that was refused: it says that it waits, looks once more,
//            and waits
// First, Second
//            members that read, and move their cursors; each reaps the other
//
// inline     models
// Wait       Member::Announce, HasRoom, EndIfNobodyWaits (ipc/member_room.cc),
//            HeavyBarrier (ipc/asymmetric_barrier.cc)
// Read       the end of Member::Done (ipc/member_receive.cc): the cursor by a
//            plain store, which may lie in the processor's store buffer while
//            the plain load behind it reads the group's word
// Reclaim    LimitOf and the index (ipc/reclaim.cc), ReclaimGroup
//            (ipc/attachment_repair.cc)
// Ring       BellRinger::RingForRoom (ipc/bell_ringer.cc)
//
// Abstracted: the ring is two indices; one waiter, with a futex; members do not
// sleep (wake.pml): they read as soon as there is something. HeavyBarrier
// empties the store buffers, as the fence does that membarrier(2) makes every
// running process execute; a process that is killed or stopped has emptied its
// own.
//
// Held to be true: when nothing moves any more, the Waiter does not wait for
// room that is there, unless who made it was stopped before its bell, which is
// as if it had not read yet.
#define MAY_WAIT(p)                                                       \
  ((p == 0 && waits &&                                                    \
    (status[1] == STOPPED || status[2] == STOPPED ||                      \
     (IS_GONE(1) && IS_GONE(2)))) ||                                      \
   (p != 0 && cursor[p] == tail))
#include "process.inc"

#ifndef MESSAGES
#define MESSAGES 2 /* to be sent into a ring that is full */
#endif
#define SLOTS 1

mtype = { Awake, Sleeping, Rung };
mtype = { Alive, Dead, Free };

typedef SleepWord { mtype state = Awake; byte epoch };
typedef GroupWord { byte version; bit maybe };
SleepWord room;
GroupWord group;
byte tail = SLOTS;
byte reclaimed;
byte cursor[3];  /* as others see it, of 1 and 2 */
bit buffered[3]; /* one more is in the store buffer */
mtype lease[3] = Alive;
byte futex;

/* What is so. */
bit waits;

#define LOCALS \
  byte limit; byte base; bit maybe; byte version; mtype state; byte epoch; \
  bit due
#define FORGET() \
  limit = 0; base = 0; maybe = 0; version = 0; state = 0; epoch = 0; due = 0

inline Drain(p) {
  cursor[p] = cursor[p] + buffered[p];
  buffered[p] = 0
}

#define HOLDS_BACK(p) (lease[p] == Alive && cursor[p] < limit)

inline Reclaim() {
  atomic { limit = tail }
  atomic { limit = (HOLDS_BACK(1) -> cursor[1] : limit) }
  atomic { limit = (HOLDS_BACK(2) -> cursor[2] : limit) }
  atomic { base = reclaimed }
  atomic {
    if
    :: limit > base && reclaimed == base -> reclaimed = limit
    :: else
    fi
  }
}

inline Ring() {
  atomic { maybe = group.maybe; version = group.version }
  if
  :: maybe ->
     atomic { due = tail - reclaimed < SLOTS } /* ApproxUsed */
     atomic { state = room.state; epoch = room.epoch }
     if
     :: state == Sleeping && due ->
#ifndef MARK_FIRST
        atomic { futex++ }
#endif
        atomic {
          if
          :: room.state == Sleeping && room.epoch == epoch -> room.state = Rung
          :: else
          fi
        }
#ifdef MARK_FIRST
        atomic { futex++ }
#endif
     :: state != Sleeping ->
        atomic {
          if
#ifdef WITHOUT_VERSION
          :: group.maybe -> group.maybe = 0
#else
          :: group.maybe && group.version == version -> group.maybe = 0
#endif
          :: else
          fi
        }
     :: else
     fi
  :: else
  fi
}

PROCESS Waiter() UNLESS_STRUCK {
  LOCALS;
  byte left = MESSAGES;
  byte my_epoch;
  byte futex_before;
  bit is_refused; bit says_so;
  do
  :: atomic { left == 0 -> FINISH() }
  :: atomic { left > 0 && !is_refused }
     atomic { due = tail - reclaimed < SLOTS }
     if
     :: due -> atomic { tail++; left--; room.state = Awake; says_so = 0 }
     :: !due -> Reclaim();
        atomic {
          due = tail - reclaimed < SLOTS;
          is_refused = !due && !says_so
        }
        if
        :: !due && !is_refused -> /* it has said so before this look */
           atomic { waits = 1 }
           atomic { futex != futex_before -> waits = 0; says_so = 0 }
           atomic { room.state = Awake }
        :: else
        fi
     fi;
     atomic { FORGET() }
  :: atomic { is_refused -> futex_before = futex; my_epoch++ }
     atomic { room.state = Sleeping; room.epoch = my_epoch }
     atomic { group.version++; group.maybe = 1 }
#ifndef WITHOUT_BARRIER
     atomic { Drain(1); Drain(2) }
#endif
     atomic { is_refused = 0; says_so = 1 }
#ifdef WITHOUT_SECOND_LOOK
     atomic { waits = 1 }
     atomic { futex != futex_before -> waits = 0; says_so = 0 }
     atomic { room.state = Awake }
#endif
  od
}

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Free)

inline Member(other) {
  do
  :: atomic { cursor[ME] + buffered[ME] < tail -> buffered[ME] = 1 }
     if
     :: atomic { Drain(ME) } /* the store comes first, */
        atomic { maybe = group.maybe }
     :: atomic { maybe = group.maybe } /* ... or is overtaken by the load */
        atomic { Drain(ME) }
     fi;
     if
     :: maybe -> Reclaim(); Ring()
     :: else
     fi;
     atomic { FORGET() }
  :: atomic { IS_DUE(other) -> lease[other] = Dead }
#ifndef REAPER_DOES_NOT_RING
     Reclaim();
     Ring();
#endif
     atomic { lease[other] = Free; FORGET() }
  :: atomic { cursor[ME] == SLOTS + MESSAGES && !buffered[ME] &&
              status[other] != RUNS && !IS_DUE(other) -> FINISH() }
  :: atomic { cursor[ME] == SLOTS + MESSAGES && !buffered[ME] &&
              status[0] != RUNS -> FINISH() }
  od
}

PROCESS First() UNLESS_STRUCK {
  LOCALS;
  Member(2)
}

PROCESS Second() UNLESS_STRUCK {
  LOCALS;
  Member(1)
}

#define SETUP() skip
#define AUDIT() skip

FATE
