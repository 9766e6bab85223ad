// Coming home: hints, adoption, and the two looks at a word (docs/protocols.md,
// 2: Refill, Adopting, Taking a buffer back).
//
// One buffer, in a unit that was abandoned while the buffer was out, and whose
// granule words say that it is there.
//
// proctype   stands for
// Reader     a process that ends the buffer's time outside: word, then hint
// Adopter    who claims the unit, adopts its slab, and looks for hints; it
//            sends the buffer when it has it
// Rival      another one who claims the unit if it can, and gives it up again
//
// inline     models
// ComeBack   the end of ReclaimMessage (ipc/reclaim.cc), BufferSupply::ComeBack
// Adopt      UnitClaimer::TryClaim, SlabTable::Adopt (allocator/slab.cc)
// ScanHints  SlabTable::ScanHints, TryTake (allocator/private_tables.cc)
//
// Abstracted: hints only, without the scan of all words that makes good for a
// hint that was lost; so a lost one shows, unless somebody was killed or
// stopped, which is when the scan has its use.
//
// Held to be true: nobody has the buffer while it is out or another one has it;
// if nobody was struck, it is found by its hint.
/* With no hint, only a scan of the words would help; and whom Reader was struck
   in front of, or who died as the owner, leaves it at that. */
#define MAY_WAIT(p) WAS_STRUCK
#define WAS_STRUCK \
  (status[0] >= KILLED || status[1] >= KILLED || status[2] >= KILLED)
#include "process.inc"

#ifndef SENDS
#define SENDS 1
#endif
#define NOBODY 3

mtype = { Free, Sent, Owned, Abandoned };

typedef BufferWord { mtype state = Sent; byte gen = 1 };
typedef UnitWord { mtype kind = Abandoned; byte owner = NOBODY; byte epoch };
BufferWord word;
UnitWord unit;
bit hint;

/* What is so. */
byte user = NOBODY;
byte out = 1; /* which export Reader has in hand */

#define LOCALS byte epoch; byte gen; bit is_free
#define FORGET() gen = 0; is_free = 0

inline ComeBack(export_) {
#ifdef HINT_BEFORE_WORD
  atomic { hint = 1 }
#endif
  atomic {
    assert(word.state == Sent && word.gen == export_);
    word.state = Free; out = 0
  }
#ifndef HINT_BEFORE_WORD
  atomic { hint = 1 }
#endif
}

PROCESS Reader() UNLESS_STRUCK {
  byte mine;
  do
  :: atomic { out != 0 -> mine = out }
     ComeBack(mine)
  :: atomic { out == 0 && status[1] != RUNS && status[2] != RUNS -> FINISH() }
  od
}

inline TakeIf() {
  atomic {
    if
    :: is_free ->
       assert(word.state == Free);
       assert(user == NOBODY || IS_GONE(user));
       user = ME; has = 1
    :: else
    fi
  }
}

/* Claims and adopts: clears the hint first, then looks at the word. */
inline Adopt() {
  atomic {
    if
    :: unit.kind == Abandoned -> epoch = unit.epoch
    :: else -> goto adopt_end
    fi
  }
  atomic {
    if
    :: unit.kind == Abandoned && unit.epoch == epoch ->
       epoch++; unit.kind = Owned; unit.owner = ME; unit.epoch = epoch;
       owns = 1
    :: else -> goto adopt_end
    fi
  }
#ifdef LOOK_BEFORE_CLEAR
  atomic { is_free = word.state == Free }
  atomic { hint = 0 }
#else
  atomic { hint = 0 }
  atomic { is_free = word.state == Free }
#endif
  TakeIf();
adopt_end:
  atomic { FORGET() }
}

inline ScanHints() {
#ifdef WORD_BEFORE_CLEAR
  atomic { is_free = word.state == Free }
  atomic { hint = 0 }
#else
  atomic { hint = 0 }
  atomic { is_free = word.state == Free }
#endif
  TakeIf();
  atomic { FORGET() }
}

PROCESS Adopter() UNLESS_STRUCK {
  LOCALS;
  bit owns; bit has;
  byte sends = SENDS;
  do
  :: atomic { !owns && unit.kind == Abandoned }
     Adopt()
  :: atomic { owns && !has && hint }
     ScanHints()
  :: atomic { owns && has && sends > 0 -> sends--;
       user = NOBODY; has = 0; word.state = Sent; word.gen++; out = word.gen }
  :: atomic { owns && has && sends == 0 -> FINISH() }
  :: atomic { !owns && unit.kind == Owned && IS_GONE(unit.owner) ->
       FINISH() /* it needs a reaper first */ }
  :: atomic { !owns && unit.kind == Owned && status[unit.owner] >= DONE ->
       FINISH() }
  od
}

PROCESS Rival() UNLESS_STRUCK {
  LOCALS;
  bit owns; bit has;
  if
  :: atomic { unit.kind == Abandoned }
     Adopt()
  :: true
  fi;
  if
  :: owns -> /* Leave: caches go back, and the unit with them */
     atomic { user = (has -> NOBODY : user); has = 0 }
     atomic { unit.kind = Abandoned; unit.owner = NOBODY; unit.epoch++ }
  :: else
  fi;
  FINISH()
}

#define SETUP() skip
#define AUDIT() skip

FATE
