// Giving a buffer away and taking it (docs/protocols.md, 2: Give, Take), and
// what a reaper does with it (8).
//
// One buffer, in the unit of process 0. Tickets lie where anybody can read
// them, as a program would pass them on: an old one can be presented again.
//
// proctype   stands for
// Giver      the unit's owner: gives the buffer, takes it back or waits until
//            it comes home, and gives it again
// Taker      takes it with any ticket, uses it, frees it or gives it on
// Reaper     a second taker, who also reaps whoever was killed
//
// inline     models
// Give, GiveOn, Take, FreeTaken
//            Handover (allocator/handover.cc), TouchedMap::Add
// Reap       UnitReaper::ReapRun over the unit of the dead and over its touched
//            map (allocator/unit_reaper.cc)
//
// Abstracted: one thread to a process (the order of state and word against
// threads of one's own is in tests' Relacy models); a generation counts by one;
// nobody attaches again, hence no look whether the dead is still dead.
//
// Held to be true: the buffer has one user at a time; a ticket is good once;
// at the end it is free, or somebody answers for it.
#include "process.inc"

#ifndef GIVES
#define GIVES 2
#endif
#ifndef TAKES
#define TAKES 2
#endif
#define NOBODY 3

mtype = { Free, Held, Owned, Abandoned, Alive, Dead, Gone };

typedef BufferWord { mtype state = Free; byte gen; byte holder };
BufferWord word;
mtype unit = Owned;
mtype lease[3] = Alive;
bit touched[3];
byte ticket[2]; /* generations; 0: none */

/* What is so. */
byte user = 0;  /* who may touch the bytes */
byte gives;     /* how often it was given */
byte taken_of;  /* ... and which givings were taken: bits */
byte giving;    /* the number of the giving that the word is about */

#define LOCALS byte gen; byte holder; mtype state

#define FORGET() gen = 0; holder = 0; state = 0

inline LookAtWord() {
  state = word.state; gen = word.gen; holder = word.holder
}
#define WORD_IS \
  (word.state == state && word.gen == gen && word.holder == holder)

/* A new ticket for what the word says; the older one stays to be misused. */
inline Issue() {
  ticket[1] = ticket[0];
  ticket[0] = word.gen;
  gives++; giving = gives
}

inline Take(has_) {
  atomic {
    LookAtWord();
    if
    :: state == Held && (gen == ticket[0] || gen == ticket[1])
    :: else -> state = Free
    fi
  }
  if
  :: state == Held ->
#ifndef TOUCH_AFTER_WORD
     atomic { touched[ME] = 1 }
#endif
     atomic {
       if
       :: WORD_IS ->
          assert(user == NOBODY);
          assert((taken_of & (1 << giving)) == 0);
          taken_of = taken_of | (1 << giving);
          word.holder = ME;
#ifndef TAKE_KEEPS_GENERATION
          word.gen++;
#endif
          user = ME; has_ = 1
       :: else
       fi
     }
#ifdef TOUCH_AFTER_WORD
     atomic { touched[ME] = 1 }
#endif
  :: else
  fi;
  atomic { FORGET() }
}

/* Held by us -> Free */
inline FreeTaken(has_) {
  atomic { LookAtWord(); assert(state == Held && holder == ME); user = NOBODY;
           has_ = 0 }
  atomic {
    if
    :: WORD_IS -> word.state = Free; word.holder = 0
    :: else -> assert(false) /* only another thread of ours could */
    fi;
    FORGET()
  }
}

/* The state goes first: from here on it is not ours. */
inline GiveOn(has_) {
  atomic { LookAtWord(); assert(state == Held && holder == ME) }
  atomic {
    if
    :: WORD_IS -> word.gen++; user = NOBODY; has_ = 0; Issue()
    :: else -> assert(false)
    fi;
    FORGET()
  }
}

PROCESS Giver() UNLESS_STRUCK {
  LOCALS;
  bit has = 1;
  bit taken;
  do
  :: atomic { has && gives < GIVES -> /* Give: a plain store */
       user = NOBODY; has = 0;
       word.state = Held; word.gen++; word.holder = ME;
       Issue() }
  :: atomic { !has && word.state == Free -> /* TryTake */
       assert(user == NOBODY || IS_GONE(user));
       user = ME; has = 1 }
  :: atomic { !has && word.state == Held && word.holder == ME } /* takes back */
     Take(taken);
     if
     :: taken ->
        atomic { word.state = Free; word.holder = 0; has = 1; taken = 0 }
     :: else
     fi
  :: FINISH() -> break
  od
}

PROCESS Taker() UNLESS_STRUCK {
  LOCALS;
  bit has;
  byte takes = TAKES;
  do
  :: atomic { !has && takes > 0 && word.state == Held -> takes-- }
     Take(has)
  :: atomic { has -> assert(user == ME) }
     FreeTaken(has)
  :: atomic { has && gives < GIVES -> assert(user == ME) }
     GiveOn(has)
  :: FINISH() -> break
  od
}

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Gone)

inline Reap(dead) {
  atomic {
    lease[dead] = Dead;
    LookAtWord();
    if
    :: (dead == 0 || touched[dead]) && state == Held && holder == dead
    :: else -> state = Free
    fi
  }
  atomic {
    if
    :: state == Held && WORD_IS ->
       assert(user == NOBODY || user == dead);
       word.state = Free; word.holder = 0; user = NOBODY
    :: else
    fi
  }
  atomic { unit = (dead == 0 -> Abandoned : unit) }
  atomic { lease[dead] = Gone; FORGET() }
}

PROCESS Reaper() UNLESS_STRUCK {
  LOCALS;
  bit has;
  byte takes = 1;
  byte dead;
  do
  :: atomic { !has && takes > 0 && word.state == Held -> takes-- }
     Take(has)
  :: atomic { has -> assert(user == ME) }
     FreeTaken(has)
  :: atomic { IS_DUE(0) -> dead = 0 }
     Reap(dead)
  :: atomic { IS_DUE(1) -> dead = 1 }
     Reap(dead)
  :: FINISH() -> break
  od
}

#define SETUP() skip

/* Whoever it names lives, or a reaper of it comes and finds the word. */
#define AUDIT() \
  assert(word.state != Held || !IS_GONE(word.holder) || \
         (IS_DUE(word.holder) && (word.holder == 0 || touched[word.holder]))); \
  assert(unit == Abandoned || !IS_GONE(0) || IS_DUE(0))

FATE
