// What the models here share; read by spin(1) through the C preprocessor.
//
// Three processes, numbered 0 to 2. A step is one atomic operation on a shared
// word, with the private computation next to it, in one atomic { }. Before each
// step Fate may decide that a process takes no step any more: KILLED lets go of
// its record lock, which is all that others can see of a death; STOPPED does
// not. A process that is merely slow needs nobody's decision: the checker tries
// every interleaving.
//
// Fate may leave it at what it has done. It begins with the model's SETUP(). When nothing can move any more, it looks: a process that RUNS and is not
// DONE then waits for somebody, which is an error unless the model says that it
// MAY_WAIT(); and so is whatever the model's AUDIT() finds.
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef STOPS
#define STOPS 1
#endif

#define NOT_YET 0
#define RUNS 1
#define DONE 2
#define KILLED 3
#define STOPPED 4
byte status[3];
byte crashes = CRASHES;
byte stops = STOPS;

#ifndef MAY_WAIT
#define MAY_WAIT(p) false
#endif

#define ME _pid
#define PROCESS active proctype
#define UNLESS_STRUCK provided (status[_pid] == RUNS)
#define IS_GONE(p) (status[p] == KILLED)
// The last step of a process. It is alive, but does nothing any more.
#define FINISH() \
  status[ME] = DONE

#define STRIKE(p)                               \
  atomic {                                      \
    status[p] == RUNS && crashes > 0 ->         \
    crashes--;                                  \
    status[p] = KILLED                          \
  }                                             \
  :: atomic {                                   \
    status[p] == RUNS && stops > 0 ->           \
    stops--;                                    \
    status[p] = STOPPED                         \
  }

// Behind the three proctypes, so that their numbers are 0, 1 and 2.
#define FATE                                    \
  active proctype Fate() {                      \
    atomic {                                    \
      SETUP();                                  \
      status[0] = RUNS;                         \
      status[1] = RUNS;                         \
      status[2] = RUNS                          \
    }                                           \
    do                                          \
    :: STRIKE(0)                                \
    :: STRIKE(1)                                \
    :: STRIKE(2)                                \
    :: atomic { crashes + stops > 0 ->          \
         crashes = 0; stops = 0 }               \
    :: timeout -> break                         \
    od;                                         \
    atomic {                                    \
      assert(status[0] != RUNS || MAY_WAIT(0)); \
      assert(status[1] != RUNS || MAY_WAIT(1)); \
      assert(status[2] != RUNS || MAY_WAIT(2)); \
      AUDIT()                                   \
    }                                           \
  }
