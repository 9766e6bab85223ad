// Leases, and reaping a unit and its buffer (docs/protocols.md, 8).
//
// Lease slot 0 belongs to a process that died before the beginning, somewhere
// between two steps of a send or a giving. Its unit has one buffer.
//
// proctype   stands for
// Successor  a process with another lease, or one that takes slot 0 when it is
//            free: it adopts the unit, and sends or gives the buffer; or it
//            detaches again
// Reaper     one of two that reap slot 0, each as often as its word says
//
// inline     models
// Attach     LeaseTable::Take (allocator/lease.cc)
// Detach     Region::~Region: FreeOwn, Unlock
// Reap       MarkDeadIfGone, UnitReaper::ReapOwned and ReapRun, IsPublished
//            (ipc/reaper.cc), FreeDead
// Use        UnitClaimer::TryClaim, TryTake, the words and the slot of
//            Member::Send, the word of Handover::Give
//
// Abstracted: unit words and Held words name the lease's slot and none of the
// generation's bits, so what they have is as wrapped as can be; one ring
// position per send, never reclaimed (send.pml does that); waking (wake.pml),
// entries (view.pml), records of keeping (keep.pml), extents (extent.pml).
//
// Held to be true: nobody is declared dead who lives; what is taken from
// somebody was the dead one's; the ring keeps what it got; a lease that is free
// again has left nothing behind.
#include "process.inc"

#ifndef REAPS
#define REAPS 2 /* by the first Reaper; the other one does it once */
#endif
#define NOBODY 7
#define OTHER 1 /* the lease of a Successor that does not attach */
#define POSITIONS 3

mtype = { Free, Sent, Held, Owned, Abandoned, Alive, Dead };

typedef LeaseWord { mtype phase = Alive; byte gen };
typedef BufferWord { mtype state = Free; byte gen; byte seq; byte holder };
typedef UnitWord { mtype kind = Owned; byte owner; byte epoch };
LeaseWord lease;    /* of slot 0 */
byte lock = NOBODY; /* the process that has the record lock of slot 0 */
BufferWord word;
UnitWord unit;
bit slot[POSITIONS]; /* the ring has the buffer there */

/* What is so: who is behind the words. Who died at first is NOBODY. */
byte lease_of = NOBODY;
byte unit_of = NOBODY;
byte word_of = NOBODY;
byte position = 1;

#define HAS_GONE(p) (p == NOBODY || IS_GONE(p))
#define LOCK_IS_FREE (lock == NOBODY || IS_GONE(lock))

#if defined(WITHOUT_STILL_DEAD) || defined(FREE_LEASE_FIRST)
#define IS_STILL_DEAD true
#else
#define IS_STILL_DEAD (lease.phase == Dead && lease.gen == gen)
#endif

inline Reap() {
  /* MarkDeadIfGone */
  atomic {
    gen = lease.gen;
    if
    :: lease.phase == Free -> goto reap_end
    :: lease.phase == Dead -> goto reap_begin
    :: lease.phase == Alive
    fi
  }
  atomic {
    if
    :: LOCK_IS_FREE
    :: else -> goto reap_end
    fi
  }
  atomic {
    if
    :: lease.phase == Alive && lease.gen == gen ->
       assert(HAS_GONE(lease_of));
       lease.phase = Dead
    :: else
    fi
  }
reap_begin:
#ifdef FREE_LEASE_FIRST
  atomic {
    if
    :: lease.phase == Dead && lease.gen == gen -> lease.phase = Free
    :: else
    fi
  }
#endif
  atomic {
    if
    :: IS_STILL_DEAD && unit.kind == Owned && unit.owner == 0 ->
       epoch = unit.epoch
    :: IS_STILL_DEAD && !(unit.kind == Owned && unit.owner == 0) ->
       goto reap_free
    :: else -> goto reap_end
    fi
  }
  atomic {
    state = word.state; bufgen = word.gen; seq = word.seq; holder = word.holder;
    if
    :: state == Free || (state == Held && holder != 0) -> goto reap_unit
    :: state == Held && holder == 0 -> goto reap_still_dead
    :: state == Sent
    fi
  }
  atomic { /* the slot decides */
    if
    :: slot[seq] -> goto reap_unit
    :: else
    fi
  }
#ifndef WITHOUT_REREAD_UNIT
  atomic {
    if
    :: unit.kind == Owned && unit.owner == 0 && unit.epoch == epoch
    :: else -> goto reap_unit
    fi
  }
#endif
reap_still_dead:
  atomic {
    if
    :: IS_STILL_DEAD
    :: else -> goto reap_end
    fi
  }
  atomic {
    if
    :: word.state == state && word.gen == bufgen && word.seq == seq &&
       word.holder == holder ->
       assert(HAS_GONE(word_of));
       assert(state != Sent || !slot[seq]);
       word.state = Free; word.seq = 0; word.holder = 0; word_of = NOBODY
    :: else
    fi
  }
reap_unit:
  atomic {
    if
    :: IS_STILL_DEAD
    :: else -> goto reap_end
    fi
  }
  atomic {
    if
    :: unit.kind == Owned && unit.owner == 0 && unit.epoch == epoch ->
       assert(HAS_GONE(unit_of));
       unit.kind = Abandoned; unit.owner = NOBODY; unit.epoch++;
       unit_of = NOBODY
    :: else
    fi
  }
reap_free:
  atomic {
    if
    :: lease.phase == Dead && lease.gen == gen -> lease.phase = Free
    :: else
    fi
  }
reap_end:
  atomic {
    gen = 0; epoch = 0; state = 0; bufgen = 0; seq = 0; holder = 0
  }
}

#define MINE unit.kind == Owned && unit.owner == my_lease && unit.epoch == epoch

PROCESS Successor() UNLESS_STRUCK {
  byte my_lease = OTHER;
  byte gen, epoch;

  /* Attach */
  atomic {
    if
    :: true -> goto adopt
    :: lease.phase == Free
    fi
  }
#ifndef ALIVE_BEFORE_LOCK
  atomic {
    if
    :: LOCK_IS_FREE -> lock = ME
    :: else -> goto finish
    fi
  }
#endif
  atomic { /* looked at again under the lock */
    if
    :: lease.phase == Free -> gen = lease.gen
    :: else -> lock = NOBODY; goto finish
    fi
  }
  atomic {
    if
    :: lease.phase == Free && lease.gen == gen ->
       lease.phase = Alive; lease.gen = gen + 1; lease_of = ME; my_lease = 0
    :: else -> lock = NOBODY; goto finish
    fi
  }
#ifdef ALIVE_BEFORE_LOCK
  atomic { lock = ME }
#endif

adopt:
  atomic {
    if
    :: unit.kind == Abandoned -> epoch = unit.epoch
    :: true -> goto detach
    fi
  }
  atomic {
    if
    :: unit.kind == Abandoned && unit.epoch == epoch ->
       epoch++; unit.kind = Owned; unit.owner = my_lease; unit.epoch = epoch;
       unit_of = ME
    :: else -> goto detach
    fi
  }
  atomic {
    if
    :: word.state == Free
    :: else -> goto detach /* it is out */
    fi
  }
  if
  :: atomic { /* gives it */
       word.state = Held; word.gen++; word.holder = my_lease; word.seq = 0;
       word_of = ME
     }
     atomic { /* and takes it back */
       assert(word.state == Held && word_of == ME);
       word.state = Free; word.holder = 0; word_of = NOBODY
     }
  :: atomic { /* sends it */
       word.state = Sent; word.gen++; word.seq = position; word_of = ME
     }
     atomic {
       assert(word.state == Sent && word_of == ME);
       slot[position] = 1
     }
  fi;

detach:
  atomic {
    if
    :: true -> goto finish /* stays */
    :: my_lease == 0
    fi
  }
  atomic { /* LeaveAll: the unit goes back, and what is out stays out */
    if
    :: MINE ->
       unit.kind = Abandoned; unit.owner = NOBODY; unit.epoch++;
       unit_of = NOBODY
    :: else
    fi
  }
#ifdef UNLOCK_FIRST
  atomic { lock = NOBODY }
#endif
  atomic {
    if
    :: lease.phase == Alive && lease.gen == gen + 1 ->
       lease.phase = Free; lease_of = NOBODY
    :: else
    fi
  }
#ifndef UNLOCK_FIRST
  atomic { lock = NOBODY }
#endif
finish:
  FINISH()
}

PROCESS Reaper() UNLESS_STRUCK {
  byte gen, epoch, bufgen, seq, holder;
  mtype state;
  byte times = REAPS;
  do
  :: atomic { times > 0 && lease.phase != Free -> times-- }
     Reap()
  :: FINISH() -> break
  od
}

PROCESS Reaper2() UNLESS_STRUCK {
  byte gen, epoch, bufgen, seq, holder;
  mtype state;
  byte times = 1;
  do
  :: atomic { times > 0 && lease.phase != Free -> times-- }
     Reap()
  :: FINISH() -> break
  od
}

/* How far the first one had come. */
#define SETUP() \
  if \
  :: true -> lease.phase = Dead \
  :: true \
  fi; \
  if \
  :: true \
  :: word.state = Held; word.gen = 1; word.holder = 0 \
  :: word.state = Sent; word.gen = 1 \
  :: word.state = Sent; word.gen = 1; slot[0] = 1 \
  fi

#define IS_DUE (lease.phase == Dead || (lease.phase == Alive && LOCK_IS_FREE))

#define AUDIT() \
  /* What names slot 0 is somebody's, or a reaper comes yet. */ \
  assert(unit.kind == Abandoned || unit.owner == OTHER || \
         lease.phase == Alive || IS_DUE); \
  assert(word.state != Held || word.holder == OTHER || \
         lease.phase == Alive || IS_DUE); \
  assert(word.state != Sent || slot[word.seq] || unit.kind == Owned); \
  assert(!slot[0] || word.gen != 1 || word.state == Sent); \
  assert(!slot[1] || word.state == Sent)

FATE
