// Runs a model of memory orders under Relacy. The last header to include:
// Relacy makes keywords into macros.
#ifndef ZCB_TESTS_SUPPORT_RELACY_MODEL_H_
#define ZCB_TESTS_SUPPORT_RELACY_MODEL_H_

#include <ostream>
#include <streambuf>

#include <relacy/relacy.hpp>
#undef new
#undef delete

namespace zcb::testing {

// Swallows the history of a failure that was expected. (A string stream would
// allocate in the middle of Relacy's own heap.)
class NoBuffer : public std::streambuf {
  int overflow(int c) override { return c; }
};

// Whether so many random interleavings, with what weaker memory orders would
// allow, find nothing wrong with the model.
template <typename Model>
bool ModelHolds(rl::iteration_t iterations) {
  rl::test_params params;
  params.search_type = rl::sched_random;
  params.iteration_count = iterations;
  NoBuffer nothing;
  std::ostream quiet(&nothing);
  params.output_stream = &quiet;
  params.progress_stream = &quiet;
  return rl::simulate<Model>(params);
}

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_RELACY_MODEL_H_
