// Models of memory orders under Relacy, and what they are checked for: that
// each order, and each rule, is needed. The last header to include: Relacy
// makes keywords into macros.
//
//   Parts parts;
//   Order store(parts, "release -> thing.done", "Finish()");
//   Order load(parts, "acquire <- thing.done", "IsFinished()");
//   struct Model : rl::test_suite<Model, 2> { ... word($).store(1, store) ...
//   }; TEST(ThingModelTest, Holds) { ExpectHolds<Model>(); }
//   TEST(ThingModelTest, NeedsEachPart) { ExpectEachIsNeeded<Model>(parts); }
//
// A tag is what the code's comment at that place says (tools/edges compares the
// two). It gives the order itself, and what weaker ones are tried.
//
// Relacy lets loads be stale, but keeps a thread's stores in their order. What
// would be stored too early by a weak order is modelled as a plain variable:
// then Relacy reports the race. Sequentially consistent operations are stronger
// with it than in the language, so a model uses the weakest order that its edge
// is about: the one of the tag, even if the code's is stronger for the sake of
// another edge.
#ifndef ZCB_TESTS_MODEL_MODEL_H_
#define ZCB_TESTS_MODEL_MODEL_H_

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <streambuf>
#include <string_view>
#include <vector>

#include <relacy/relacy.hpp>
#undef new
#undef delete

namespace zcb::testing {

// Swallows the history of a failure that was expected. (A string stream would
// allocate in the middle of Relacy's own heap.)
class NoBuffer : public std::streambuf {
  int overflow(int c) override { return c; }
};

// Random interleavings of a model that should hold, and the most that are tried
// to see a weakened one fail. ZCB_MODEL_ITERATIONS makes a long run of it.
inline rl::iteration_t Iterations() {
  const char* const wanted = std::getenv("ZCB_MODEL_ITERATIONS");
  const long long count = wanted == nullptr ? 0 : std::atoll(wanted);
  return count > 0 ? static_cast<rl::iteration_t>(count) : 50'000;
}

// 0: nothing is wrong with the model in so many interleavings, with what weaker
// memory orders would allow. Else the number of the one that failed. Always the
// same ones: the n-th depends on n alone.
template <typename Model>
rl::iteration_t FailsAt(rl::iteration_t iterations = Iterations()) {
  rl::test_params params;
  params.search_type = rl::sched_random;
  params.iteration_count = iterations;
  NoBuffer nothing;
  std::ostream quiet(&nothing);
  params.output_stream = &quiet;
  params.progress_stream = &quiet;
  return rl::simulate<Model>(params) ? 0 : params.stop_iteration;
}

template <typename Model>
void ExpectHolds() {
  EXPECT_EQ(FailsAt<Model>(), 0U);
}

// How much longer than the whole model a weakened one is run, if need be.
constexpr rl::iteration_t kPatience = 40;

class Part;
using Parts = std::vector<Part*>;

// What a model has and might not need: an order or a rule.
class Part {
 public:
  Part(Parts& parts, const char* tag, const char* where)
      : tag_(tag), where_(where) {
    parts.push_back(this);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  const char* tag() const { return tag_; }
  const char* where() const { return where_; }
  // Something weaker each time; false: there is no more.
  virtual bool Weaken(unsigned attempt) = 0;
  virtual void Restore() = 0;
  virtual const char* now() const = 0;
  // Whether the model holds in spite of it.
  virtual bool MayBeWeak() const { return false; }

 private:
  const char* tag_;
  const char* where_;
};

// One of the steps that a protocol takes, or leaves out.
class Rule : public Part {
 public:
  Rule(Parts& parts, const char* what, const char* where)
      : Part(parts, what, where) {}
  explicit operator bool() const { return is_kept_; }
  bool Weaken(unsigned attempt) override {
    is_kept_ = attempt != 0;
    return attempt == 0;
  }
  void Restore() override { is_kept_ = true; }
  const char* now() const override { return is_kept_ ? "kept" : "left out"; }

 private:
  bool is_kept_ = true;
};

// What a sequentially consistent operation is weakened to depends on it.
enum class Does { kLoad, kStore, kSwap };

// The code's order is stronger than the model needs: this one is enough, and
// nothing weaker is.
struct Enough {
  rl::memory_order order;
  const char* why;
};

// A memory order of the code.
class Order : public Part {
 public:
  Order(Parts& parts, const char* tag, const char* where,
        Does does = Does::kSwap)
      : Part(parts, tag, where),
        full_(OrderOf(tag)),
        now_(full_),
        does_(does) {}
  Order(Parts& parts, const char* tag, const char* where, Does does,
        Enough enough)
      : Order(parts, tag, where, does) {
    enough_ = enough.order;
    why_ = enough.why;
  }
  Order(Parts& parts, const char* tag, const char* where, Enough enough)
      : Order(parts, tag, where, Does::kSwap, enough) {}

  operator rl::memory_order() const { return now_; }  // NOLINT: it is one

  bool Weaken(unsigned attempt) override {
    if (why_ != nullptr && attempt-- == 0) {
      now_ = enough_;
      return true;
    }
    const rl::memory_order from = why_ == nullptr ? full_ : enough_;
    if (from == rl::mo_relaxed || attempt > (from == rl::mo_acq_rel ? 1 : 0)) {
      return false;
    }
    now_ = WeakerThan(from, attempt);
    return true;
  }
  void Restore() override { now_ = full_; }
  const char* now() const override { return rl::format(now_); }
  bool MayBeWeak() const override { return why_ != nullptr && now_ == enough_; }

 private:
  static rl::memory_order OrderOf(std::string_view tag) {
    if (tag.starts_with("release ")) return rl::mo_release;
    if (tag.starts_with("acquire ")) return rl::mo_acquire;
    if (tag.starts_with("acq_rel ")) return rl::mo_acq_rel;
    if (tag.starts_with("seq_cst ")) return rl::mo_seq_cst;
    std::fprintf(stderr, "no such tag: %s\n", tag.data());
    std::abort();
  }
  rl::memory_order WeakerThan(rl::memory_order order, unsigned attempt) const {
    if (order == rl::mo_acq_rel) {
      return attempt == 0 ? rl::mo_acquire : rl::mo_release;
    }
    if (order != rl::mo_seq_cst) return rl::mo_relaxed;
    switch (does_) {
      case Does::kLoad:
        return rl::mo_acquire;
      case Does::kStore:
        return rl::mo_release;
      default:
        return rl::mo_acq_rel;
    }
  }

  rl::memory_order full_;
  rl::memory_order now_;
  Does does_;
  rl::memory_order enough_ = rl::mo_relaxed;
  const char* why_ = nullptr;
};

// Weakens one part after the other: the model must fail each time, or hold if
// the part says that it may. Prints what found what.
template <typename Model>
void ExpectEachIsNeeded(Parts& parts) {
  for (Part* part : parts) {
    for (unsigned attempt = 0; part->Weaken(attempt); ++attempt) {
      const rl::iteration_t failed_at = FailsAt<Model>(
          part->MayBeWeak() ? Iterations() : kPatience * Iterations());
      std::printf("%-28s %-9s %-40s ", part->tag(), part->now(), part->where());
      if (failed_at == 0) {
        std::puts("holds");
      } else {
        std::printf("fails at %u\n", static_cast<unsigned>(failed_at));
      }
      if (part->MayBeWeak()) {
        EXPECT_EQ(failed_at, 0U) << part->tag() << " is needed, after all";
      } else {
        EXPECT_NE(failed_at, 0U)
            << part->tag() << " at " << part->where() << ", " << part->now();
      }
    }
    part->Restore();
  }
}

}  // namespace zcb::testing

#endif  // ZCB_TESTS_MODEL_MODEL_H_
