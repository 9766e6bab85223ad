// Sleeping and waking (docs/protocols.md, 7), and a reaper's bell (8).
//
// proctype   stands for
// Sleeper    a member that reads, and waits with a bell when there is nothing
// Sender     one that publishes, and rings; then as often as it is told
// Ringer     a member that is awake: it rings for others after it has read, and
//            reaps a Sender that was killed
//
// inline     models
// Sleep      Member::AnnounceSleep, HasNext, AnnounceAwake (ipc/member.cc),
//            RaiseMaybe (ipc/bell_ringer.h), and the wait: the FIFO as
//            Doorbell does it (drained first), the futex as a count that is
//            read before the sleep is announced
// Ring       SomebodyMaySleep, BellRinger::RingSleepers (ipc/bell_ringer.cc)
//
// Abstracted: the ring is a count of what is published; one sleeper; a bell
// cannot fail to open.
// Memory orders are the Relacy models' part.
//
// Held to be true: when nothing moves any more, and the Sender did not stop
// between its slot and its bell with nobody awake (then the message counts as
// not yet sent), the Sleeper has not been left asleep over something to read.
#define MAY_WAIT(p) \
  (p == 0 && waits && (!SOMETHING || STRANDED))
#include "process.inc"

#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef PARKED
#define PARKED 0 /* 1: hears the futex, not the FIFO */
#endif

mtype = { Awake, Sleeping, Rung };
mtype = { Alive, Dead, Free };

typedef SleepWord { mtype state = Awake; byte epoch };
typedef GroupWord { byte version; bit maybe };
SleepWord sleep;
GroupWord group;
byte published;
byte cursor;
bit fifo;   /* something is in it */
byte futex; /* a count */
mtype lease = Alive; /* the Sender's */

/* What is so. */
bit waits;         /* the Sleeper is in its system call */
byte futex_before; /* ... with this value */
bit is_member;     /* the Ringer reads */

#define SOMETHING (published > cursor)
/* Nobody who is awake has come by since. */
#define STRANDED \
  ((status[1] == STOPPED && !(status[2] == DONE && is_member)) || \
   (IS_GONE(1) && status[2] != DONE))

inline Bell() {
  atomic {
#ifdef WAIT_ON_SLEEP_WORD
    futex = waits /* FUTEX_WAKE wakes who waits now */
#else
    if
    :: PARKED -> futex++
    :: else -> fifo = 1
    fi
#endif
  }
}

inline Ring() {
  atomic { /* SomebodyMaySleep, and RingSleepers' own look */
    maybe = group.maybe; version = group.version
  }
  if
  :: !maybe
  :: maybe ->
     atomic { state = sleep.state; epoch = sleep.epoch }
     if
     :: state == Sleeping ->
        /* where the sleeper stands, and what is in its slot */
        atomic { due = SOMETHING }
        if
        :: due ->
#ifndef MARK_FIRST
           Bell();
#endif
           atomic {
             if
#ifdef WITHOUT_EPOCH
             :: sleep.state == Sleeping -> sleep.state = Rung
#else
             :: sleep.state == Sleeping && sleep.epoch == epoch ->
                sleep.state = Rung
#endif
             :: else
             fi
           }
#ifdef MARK_FIRST
           Bell()
#endif
        :: !due
        fi
     :: state != Sleeping -> /* nobody sleeps */
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
     fi
  fi;
  atomic { maybe = 0; version = 0; state = 0; epoch = 0; due = 0 }
}

#define RING_LOCALS \
  bit maybe; byte version; mtype state; byte epoch; bit due

PROCESS Sleeper() UNLESS_STRUCK {
  byte my_epoch;
  do
  :: atomic { cursor == MESSAGES -> FINISH() }
  :: atomic { SOMETHING -> cursor++ }
  :: atomic { !SOMETHING -> my_epoch++; futex_before = futex }
#ifdef GROUP_WORD_FIRST
     atomic { group.version++; group.maybe = 1 }
     atomic { sleep.state = Sleeping; sleep.epoch = my_epoch }
#else
     atomic { sleep.state = Sleeping; sleep.epoch = my_epoch }
     atomic { group.version++; group.maybe = 1 }
#endif
#ifndef WITHOUT_SECOND_LOOK
     if
     :: SOMETHING -> goto woken
     :: !SOMETHING
     fi;
#endif
#ifdef COUNT_READ_LATE
     atomic { futex_before = futex }
#endif
#ifdef WAIT_ON_SLEEP_WORD
     atomic {
       futex_before = 0; futex = 0;
       if
       :: sleep.state == Sleeping -> waits = 1
       :: else -> goto woken
       fi
     }
#else
     atomic { waits = 1 }
#endif
     atomic { futex != futex_before || fifo -> waits = 0; futex_before = 0 }
woken:
     atomic { sleep.state = Awake }
     atomic { fifo = 0 } /* drained, then it looks */
  od
}

PROCESS Sender() UNLESS_STRUCK {
  RING_LOCALS;
  do
  :: atomic { published < MESSAGES -> published++ }
     Ring()
  :: atomic { published == MESSAGES -> FINISH() }
  od
}

PROCESS Ringer() UNLESS_STRUCK {
  RING_LOCALS;
  byte mine; /* what it has read itself */
  if
  :: is_member = 1
  :: true
  fi;
  do
  :: atomic { is_member && mine < published -> mine++ }
     Ring()
  :: atomic { IS_GONE(1) && lease != Free -> lease = Dead }
#ifndef REAPER_DOES_NOT_RING
     Ring();
#endif
     atomic { lease = Free }
  :: atomic { status[1] != RUNS &&
              !(IS_GONE(1) && lease != Free) &&
              (!is_member || mine == published) -> FINISH() }
  od
}

#define SETUP() skip

#define AUDIT() skip

FATE
