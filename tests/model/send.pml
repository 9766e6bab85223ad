// Sending, and what becomes of the buffers of a sender that was killed
// (docs/protocols.md, 3, with what it needs of 2, 5 and 8).
//
// proctype   stands for
// Sender     an application that sends, and reclaims when the ring is full
// Member     one that reads, sends, and reaps; it adopts the unit of the dead
//            and sends from it
// Reaper     one that reaps and reclaims
//
// inline     models
// Send       Member::Send (ipc/member_send.cc), FindPlace, HelpTail, TryPublish
//            (ipc/ring.h), CancelSend (allocator/allocator.cc)
// Receive    Member::Next and Done (ipc/member_receive.cc)
// Reclaim    Reclaim, ReclaimMessage (ipc/reclaim.cc)
// Reap       MarkDeadIfGone, FreeDead (allocator/lease.cc), UnitReaper
//            (allocator/unit_reaper.cc), IsPublished (ipc/reaper.cc)
// Adopt      UnitClaimer::TryClaim, SlabTable::Adopt, TryTake
//
// Abstracted: one buffer to a unit. HelpTail is one step, a maximum; a batch
// (Member::SendBatch) is sends that leave it to the next one, or to nobody. The
// position in a buffer word counts modulo the length of the ring (in the code
// modulo twice that or more). Memberships are view.pml's, keeping is
// keep.pml's, bells are wake.pml's. Generations do not wrap.
//
// Held to be true: what a reader finds at a place is what was published there,
// until it has moved on; a buffer comes to nobody while another one has it, or
// while a ring holds it; when all is over, a survivor can find every buffer.
#include "process.inc"

#ifndef SENDS
#define SENDS 2 /* by Sender */
#endif
#ifndef MEMBER_SENDS
#define MEMBER_SENDS 1
#endif
#ifndef READS
#define READS 2
#endif
#define SLOTS 2
#define BUFFERS 2
#define POSITIONS 6
#define NOBODY 3

mtype = { Free, Sent, Retained, Owned, Abandoned, Alive, Dead };

typedef BufferWord { mtype state = Free; byte gen; byte seq };
typedef UnitWord { mtype kind = Owned; byte owner; byte epoch };
typedef Slot { byte lap; byte ref };
BufferWord word[BUFFERS]; /* of the only buffer in the unit of that number */
UnitWord unit[BUFFERS];
mtype lease[3] = Alive; /* nobody attaches here */
Slot slot[SLOTS];
byte tail;
byte reclaimed;
byte cursor; /* of Member, the only reader */

/* What is so, whatever the words say. */
byte content[BUFFERS]; /* which message lies in the buffer */
byte header[BUFFERS];  /* ... and for which position */
byte order[POSITIONS]; /* the message that was published there */
byte user[BUFFERS];    /* whom the buffer belongs to, unless it is out */
byte messages;

#define LAP(p) ((p) / SLOTS + 1)
#define LAP_BEFORE(p) ((p) / SLOTS)
#define AT(p) slot[(p) % SLOTS]
#define IS_AT(b, p) (AT(p).ref == b && AT(p).lap == LAP(p))
/* The position that a Sent word means, as long as that is in the ring. */
#define MEANT(base, seq) ((base) + ((seq) + POSITIONS - (base)) % SLOTS)

/* The buffer word is still what was judged. */
#define WORD_IS(n) \
  (word[n].state == state && word[n].gen == gen && word[n].seq == seq)

#ifdef WITHOUT_REREAD_RECLAIMED
#define STILL_OUR_TURN true
#else
#define STILL_OUR_TURN (reclaimed == r)
#endif

#define LOCALS \
  byte b; byte filled; byte known; byte t; byte r; byte at; byte ref; \
  byte gen; byte seq; byte lap; byte epoch; byte moved; mtype state

#define FORGET() \
  t = 0; r = 0; at = 0; ref = 0; gen = 0; seq = 0; lap = 0; epoch = 0; \
  moved = 0; state = 0

#define IS_UNREAD(b) \
  (!IS_GONE(1) && (IS_AT(b, cursor) || IS_AT(b, cursor + 1)))

/* The buffer is free, says its word: this process takes it. */
inline ComesHome(buffer) {
  assert(user[buffer] == NOBODY || IS_GONE(user[buffer]));
  assert(!IS_UNREAD(buffer));
  user[buffer] = ME
}

inline Reclaim() {
  atomic { /* CatchUpTail */
    do
    :: AT(tail).lap == LAP(tail) -> tail++
    :: else -> break
    od;
    t = tail; moved = 0
  }
  if
  :: lease[1] == Alive -> atomic { t = (cursor < t -> cursor : t) }
  :: lease[1] != Alive
  fi;
  atomic { r = reclaimed; at = r }
  do
  :: atomic { at < t && AT(at).lap == LAP(at) -> ref = AT(at).ref }
     do
     :: atomic {
          state = word[ref].state; gen = word[ref].gen; seq = word[ref].seq
        }
        atomic {
          if
          :: !STILL_OUR_TURN -> at = r; t = r; break
          :: STILL_OUR_TURN && (state != Sent || seq != at % SLOTS) ->
             at++; break
          :: else
          fi
        }
        atomic {
          if
          :: WORD_IS(ref) ->
             word[ref].state = Free; word[ref].seq = 0; at++; break
          :: else
          fi
        }
     od
  :: atomic { at >= t || AT(at).lap != LAP(at) -> break }
  od;
  atomic {
    if
    :: at > r && reclaimed == r -> reclaimed = at; moved = at - r
    :: else
    fi
  }
}

/* One message from buffer b, which is this process's. */
inline Send() {
  atomic { messages++; content[b] = messages }
send_find:
  atomic { /* GuessPlace: the slot behind what this sender saw filled */
    if
    :: filled >= known && filled - known < SLOTS &&
       AT(filled).lap == LAP_BEFORE(filled) -> t = filled; goto send_place
    :: else
    fi
  }
send_look:
  atomic { t = tail }
  atomic {
    r = reclaimed;
    if
    :: t < r -> goto send_look
    :: t >= r && t - r >= SLOTS -> known = r; goto send_full
    :: else -> known = r
    fi
  }
send_place:
  atomic {
    lap = AT(t).lap; ref = AT(t).ref;
    if
#ifdef WITHOUT_HELP
    :: lap == LAP(t) -> goto send_look
#else
    :: lap == LAP(t) -> goto send_help
#endif
    :: lap == LAP_BEFORE(t) -> header[b] = t
    :: else -> assert(tail != t); goto send_look
    fi
  }
#ifdef CLAIM_THEN_FILL
  atomic {
    if
    :: tail == t -> tail++
    :: else -> goto send_look
    fi
  }
#endif
#ifndef SLOT_BEFORE_WORD
  atomic {
    if
    :: user[b] == ME -> gen = word[b].gen + 1; user[b] = NOBODY
    :: else /* an attempt that lost the place: the same export */
    fi;
    word[b].state = Sent; word[b].gen = gen; word[b].seq = t % SLOTS
  }
#endif
  atomic {
    if
    :: AT(t).lap == lap && AT(t).ref == ref ->
       AT(t).lap = LAP(t); AT(t).ref = b; order[t] = content[b];
       filled = t + 1; lap = 0; ref = b
    :: else -> goto send_find
    fi
  }
#ifdef SLOT_BEFORE_WORD
  atomic {
    gen = word[b].gen + 1; user[b] = NOBODY;
    word[b].state = Sent; word[b].gen = gen; word[b].seq = t % SLOTS
  }
#endif
send_help:
  atomic {
    if
    :: lap == 0 && ref == b -> goto send_end /* ours: the tail may stay */
    :: tail = (tail <= t -> t + 1 : tail);
       if
       :: lap == 0 && ref == b -> goto send_end /* the place was ours */
       :: else -> goto send_look
       fi
    fi
  }
send_full:
  Reclaim();
  atomic {
    if
    :: moved > 0 -> gen = word[b].gen; goto send_find
    :: else
    fi
  }
  atomic { /* CancelSend */
    user[b] = ME; word[b].state = Free; word[b].seq = 0
  }
send_end:
  atomic { FORGET() }
}

/* There is something to read. */
#define CAN_READ (AT(cursor).lap == LAP(cursor))

inline Receive() {
  atomic { ref = AT(cursor).ref; assert(AT(cursor).lap == LAP(cursor)) }
  atomic {
    assert(header[ref] == cursor);
    assert(content[ref] == order[cursor])
  }
  atomic { /* the callback's last look */
    assert(header[ref] == cursor);
    assert(content[ref] == order[cursor])
  }
  atomic { cursor++; FORGET() }
}

#define IS_STILL_DEAD(p) (lease[p] == Dead)

inline Reap(dead) {
  atomic { /* the lock is free; several may find it so at once */
    if
    :: lease[dead] == Alive -> lease[dead] = Dead
    :: else
    fi;
    at = 0
  }
  do
  :: atomic {
       at < BUFFERS;
       if
       :: unit[at].kind == Owned && unit[at].owner == dead ->
          epoch = unit[at].epoch
       :: else -> at++; goto reap_next
       fi
     }
     atomic {
       state = word[at].state; gen = word[at].gen; seq = word[at].seq;
       if
       :: state != Sent -> goto reap_unit
       :: else
       fi
     }
     atomic { r = reclaimed }
     atomic {
       r = MEANT(r, seq);
       if
#ifdef ASK_TAIL
       :: r < tail -> goto reap_unit
#else
       :: IS_AT(at, r) -> goto reap_unit
#endif
       :: else
       fi
     }
#ifndef WITHOUT_REREAD_UNIT
     atomic {
       if
       :: unit[at].kind == Owned && unit[at].owner == dead &&
          unit[at].epoch == epoch
       :: else -> goto reap_unit
       fi
     }
#endif
     atomic {
       if
       :: IS_STILL_DEAD(dead)
       :: else -> goto reap_end
       fi
     }
     atomic {
       if
       :: WORD_IS(at) -> word[at].state = Free; word[at].seq = 0
       :: else
       fi
     }
reap_unit:
     atomic {
       if
       :: IS_STILL_DEAD(dead)
       :: else -> goto reap_end
       fi
     }
     atomic {
       if
       :: unit[at].kind == Owned && unit[at].owner == dead &&
          unit[at].epoch == epoch ->
          unit[at].kind = Abandoned; unit[at].owner = NOBODY; unit[at].epoch++
       :: else
       fi;
       at++
     }
reap_next:
     atomic { state = 0; gen = 0; seq = 0; r = 0; epoch = 0 }
  :: else -> break
  od;
  atomic {
    if
    :: lease[dead] == Dead -> lease[dead] = Free
    :: else
    fi
  }
reap_end:
  atomic { FORGET() }
}

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Free)

/* Each may stop doing things at any time, which leaves the rest to others. */
PROCESS Sender() UNLESS_STRUCK {
  LOCALS;
  byte left = SENDS;
  bit reclaims = 1; /* for want of a buffer */
  do
  :: atomic { left > 0 && user[b] == ME -> left-- }
     Send()
  :: atomic { reclaims > 0 && left > 0 && user[b] == NOBODY -> reclaims-- }
     Reclaim();
     atomic { FORGET() }
  :: atomic { left > 0 && user[b] == NOBODY && word[b].state == Free ->
       ComesHome(b) }
  :: FINISH() -> break
  od
}

PROCESS Member() UNLESS_STRUCK {
  LOCALS;
  byte left = MEMBER_SENDS;
  byte reads = READS;
  b = 1;
  do
  :: atomic { reads > 0 && CAN_READ -> reads-- }
     Receive()
  :: atomic { IS_DUE(0) }
     Reap(0)
  :: atomic { /* adopts */
       left > 0 && b == 1 && unit[0].kind == Abandoned ->
       unit[0].kind = Owned; unit[0].owner = ME; unit[0].epoch++; b = 0
     }
  :: atomic { left > 0 && user[b] == ME -> left-- }
     Send()
  :: atomic { left > 0 && user[b] != ME && word[b].state == Free ->
       ComesHome(b) }
  :: FINISH() -> break
  od
}

PROCESS Reaper() UNLESS_STRUCK {
  LOCALS;
  bit reclaims = 1;
  do
  :: atomic { IS_DUE(0) -> b = 0 }
     Reap(b)
  :: atomic { reclaims > 0 -> reclaims-- }
     Reclaim();
     atomic { FORGET() }
  :: FINISH() -> break
  od
}

/* What a survivor would find, and do. */
inline AuditBuffer(n) {
  /* Nobody answers for the unit of a lease that is free again. */
  assert(unit[n].kind == Abandoned || !IS_GONE(unit[n].owner) ||
         lease[unit[n].owner] != Free);
  if
  :: word[n].state == Sent && !IS_AT(n, MEANT(reclaimed, word[n].seq)) ->
     /* Being sent by somebody who stopped at it; or left for a reaper. */
     assert(unit[n].kind == Owned &&
            (status[unit[n].owner] == STOPPED || IS_DUE(unit[n].owner)))
  :: word[n].state == Sent && IS_AT(n, MEANT(reclaimed, word[n].seq)) ->
     assert(user[n] == NOBODY || IS_GONE(user[n]))
  :: else -> assert(!IS_UNREAD(n))
  fi
}

#define SETUP() \
  unit[1].owner = 1; \
  user[1] = 1

#define AUDIT() \
  AuditBuffer(0); \
  AuditBuffer(1); \
  assert(reclaimed >= tail || AT(reclaimed).lap == LAP(reclaimed)); \
  assert(reclaimed + 1 >= tail || \
         AT(reclaimed + 1).lap == LAP(reclaimed + 1))

FATE
