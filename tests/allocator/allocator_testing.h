// What the tests of units, slabs and magazines share: an allocator in a small
// region of its own, and hands on the shared words.
#ifndef ZCB_TESTS_ALLOCATOR_ALLOCATOR_TESTING_H_
#define ZCB_TESTS_ALLOCATOR_ALLOCATOR_TESTING_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_word.h"
#include "tests/allocator/audit_testing.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc::testing {

constexpr std::uint32_t kGranules = kGranulesPerUnit;
constexpr std::uint32_t kLinesPerUnit = kUnitBytes / kLineBytes;

// Of the ordinary units that TempDirectory::Options() asks for.
inline std::uint32_t UnitOf(BufferRef ref) { return ref.granule() / kGranules; }

inline std::shared_ptr<Region> OpenRegion(
    const TempDirectory& directory, std::uint32_t units,
    std::uint32_t unit_bytes = kUnitBytes) {
  RegionOptions options = directory.Options();
  options.region_bytes = std::uint64_t{units} * unit_bytes;
  options.unit_bytes = unit_bytes;
  auto region = Region::Open(options);
  if (!region) {
    ADD_FAILURE() << region.reason();
    std::abort();
  }
  return *region;
}

inline std::unique_ptr<Allocator> MakeAllocator(
    std::shared_ptr<Region> region) {
  auto allocator = Allocator::Create(std::move(region));
  if (!allocator) {
    ADD_FAILURE() << allocator.reason();
    std::abort();
  }
  return std::move(*allocator);
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  // 0 .. end - 1.
  std::uint32_t Below(std::uint32_t end) {
    return static_cast<std::uint32_t>(engine_() % end);
  }

 private:
  std::mt19937 engine_;
};

inline UnitWord UnitAt(const SharedTables& shared, std::uint32_t unit) {
  return UnitWord(shared.unit(unit).load(std::memory_order_acquire));
}

// A region, its words, and an allocator.
class AllocatorTest : public ::testing::Test {
 protected:
  explicit AllocatorTest(std::uint32_t units = 8,
                         std::uint32_t unit_bytes = kUnitBytes)
      : region_(OpenRegion(directory_, units, unit_bytes)),
        shared_(*region_),
        allocator_(MakeAllocator(region_)) {}

  void TearDown() override {
    if (is_damaged_) return;
    if (allocator_ != nullptr) ExpectOwnSound(*allocator_);
    ExpectSound(*region_, {.quiet = true});
  }
  // For tests that forge words and leave them: no audit at the end.
  void LeaveDamaged() { is_damaged_ = true; }

  Allocator& allocator() { return *allocator_; }
  const SharedTables& shared() const { return shared_; }
  UnitWord unit(std::uint32_t index) const { return UnitAt(shared_, index); }

  BufferRef MustAlloc(std::uint64_t bytes) {
    const auto ref = allocator_->Alloc(bytes);
    EXPECT_TRUE(ref.ok()) << bytes << ": " << ref.reason();
    return ref ? *ref : BufferRef(BufferRef::kMax);
  }
  void MustFree(BufferRef ref) {
    const Outcome freed = allocator_->Free(ref);
    EXPECT_TRUE(freed.ok()) << freed.reason();
  }
  // As many as there are.
  std::vector<BufferRef> AllocAll(std::uint64_t bytes) {
    std::vector<BufferRef> all;
    while (const auto ref = allocator_->Alloc(bytes)) all.push_back(*ref);
    return all;
  }
  void FreeAll(const std::vector<BufferRef>& all) {
    for (const BufferRef ref : all) MustFree(ref);
  }

  // What a message layer does: out, as message `sequence` of group 3.
  BufferPlace Send(BufferRef ref, std::uint64_t sequence = 1) {
    const auto place = allocator_->BeginSend(ref);
    EXPECT_TRUE(place.ok()) << place.reason();
    if (!place) std::abort();
    Store(*place, Load(*place).Send(3, sequence));
    allocator_->CommitSend(*place);
    return *place;
  }
  static BufferWord Load(const BufferPlace& place) {
    return BufferWord(place.word->load(std::memory_order_acquire));
  }
  static void Store(const BufferPlace& place, BufferWord word) {
    place.word->store(word.raw(), std::memory_order_release);
  }
  // Somebody has read it to the end; whether a hint says so is the test's.
  static void TurnFree(const BufferPlace& place) {
    Store(place, Load(place).Free());
  }

  std::shared_ptr<Region> region() { return region_; }
  // Ends the allocator, as a clean detach would.
  void EndAllocator() { allocator_.reset(); }
  void NewAllocator() { allocator_ = MakeAllocator(region_); }

 private:
  TempDirectory directory_;
  std::shared_ptr<Region> region_;
  SharedTables shared_;
  std::unique_ptr<Allocator> allocator_;
  bool is_damaged_ = false;
};

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_ALLOCATOR_TESTING_H_
