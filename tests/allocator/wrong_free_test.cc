// What is wrong with a free is said, costs nothing to find out, and changes
// nothing; and a payload that is written beyond its end stays among payloads.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

class WrongFreeTest : public testing::AllocatorTest {
 protected:
  WrongFreeTest() : AllocatorTest(16) {}
  std::string WhyNot(const void* pointer) {
    const Outcome freed = allocator().FreePointer(pointer);
    EXPECT_EQ(freed.status(), Status::kInvalidParam);
    return freed.reason();
  }
  std::string WhyNot(BufferRef ref) { return WhyNot(allocator().Pointer(ref)); }
  // A copy of all metadata that is committed: unit words, granule words, words
  // and hints of the first unit, and the leases.
  std::vector<std::byte> MetaOf(std::uint32_t units) {
    const Geometry& g = region()->geometry();
    std::vector<std::byte> copy;
    const auto Add = [&](std::uint64_t offset, std::uint64_t bytes) {
      EXPECT_TRUE(region()->CommitMeta(offset, bytes).ok());
      const auto* const from = region()->meta<std::byte>(offset);
      copy.insert(copy.end(), from, from + bytes);
    };
    const std::uint64_t granules = std::uint64_t{units} * kGranulesPerUnit;
    Add(0, g.units_offset + g.unit_count * 8);
    Add(g.granules_offset, granules * 8);
    Add(g.dense_words_offset, granules * kDenseWordsPerGranule * 8);
    Add(g.sparse_words_offset, granules * kSparseWordsPerGranule * 8);
    Add(g.dense_hints_offset, granules * kDenseWordsPerGranule);
    Add(g.sparse_hints_offset, granules * kSparseWordsPerGranule);
    return copy;
  }
};

TEST_F(WrongFreeTest, EachMistakeHasItsOwnText) {
  LeaveDamaged();
  const BufferRef ref = MustAlloc(1000);
  std::byte* const bytes = allocator().Pointer(ref);
  EXPECT_EQ(WhyNot(&ref), "outside the region");
  EXPECT_EQ(WhyNot(nullptr), "outside the region");
  EXPECT_EQ(WhyNot(bytes + 8), "not aligned as a buffer is");
  EXPECT_EQ(WhyNot(bytes + 64), "inside a buffer, not at its start");
  EXPECT_EQ(WhyNot(BufferRef(15 * testing::kLinesPerUnit)),
            "not memory of this process, or freed long ago");
  EXPECT_TRUE(allocator().IsLive(ref));
  EXPECT_TRUE(allocator().FreePointer(bytes).ok());
  EXPECT_EQ(WhyNot(bytes), "already free");

  const BufferRef sent = MustAlloc(1000);
  const BufferPlace place = Send(sent);
  EXPECT_EQ(WhyNot(sent), "already sent: no longer this process's");
  TurnFree(place);  // read to the end, and not collected yet
  EXPECT_EQ(WhyNot(sent), "already free");

  const BufferRef given = MustAlloc(1000);
  ASSERT_TRUE(allocator().Give(given).ok());
  EXPECT_EQ(WhyNot(given), "given away: no longer this process's");
  Store(*allocator().Locate(given),
        Load(*allocator().Locate(given)).Give({3, 3}));
  EXPECT_EQ(WhyNot(given), "given away, and taken by another process");

  const BufferRef leaving = MustAlloc(1000);
  ASSERT_TRUE(allocator().BeginSend(leaving).ok());
  EXPECT_EQ(WhyNot(leaving), "being sent by another thread");
}

TEST_F(WrongFreeTest, AnotherProcessesBuffersAreNotOurs) {
  Child other([&](Talk& talk) {
    const auto own = Region::Open(region()->options());
    ASSERT_TRUE(own.ok());
    const auto mine = testing::MakeAllocator(*own);
    const auto ref = mine->Alloc(64);
    ASSERT_TRUE(ref.ok());
    talk.Say(static_cast<char>(ref->granule()));
    talk.Hear();
  });
  const auto granule = static_cast<unsigned char>(other.Hear());
  const BufferRef theirs(granule * std::uint32_t{kLinesPerGranule});
  EXPECT_EQ(WhyNot(theirs), "another process's buffer");
  EXPECT_FALSE(allocator().Give(theirs).ok());
  EXPECT_EQ(allocator().UsableBytes(theirs), 0U);
  other.Kill();
}

TEST_F(WrongFreeTest, NoPointerWhateverDoesHarm) {
  std::vector<BufferRef> live;
  for (std::uint64_t bytes = 64; bytes < 2 * kUnitBytes; bytes *= 3) {
    live.push_back(MustAlloc(bytes));
  }
  testing::Random random(7);
  std::uint64_t freed = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t offset =
        std::uint64_t{random.Below(17 * kUnitBytes)} & ~std::uint64_t{7};
    const auto* const pointer = region()->data() + offset;
    const auto ref = allocator().RefOf(pointer);
    const bool is_live =
        ref && std::find(live.begin(), live.end(), *ref) != live.end();
    if (is_live) continue;
    freed += allocator().FreePointer(pointer).ok();
  }
  EXPECT_EQ(freed, 0U);
  FreeAll(live);
}

// The last buffer of a slab, of a unit: what lies behind is somebody's payload.
TEST_F(WrongFreeTest, AnOverrunReachesTheNextPayloadAndNoMetadata) {
  for (const std::uint64_t bytes : {64U, 1000U, 60'000U, 250'000U}) {
    const std::vector<BufferRef> all = AllocAll(bytes);
    const std::vector<std::byte> before = MetaOf(2);
    for (const BufferRef ref : all) {
      const std::uint64_t usable = allocator().UsableBytes(ref);
      const std::uint64_t end = ref.offset_bytes() + usable;
      std::memset(allocator().Pointer(ref), 0xee,
                  std::min(usable + 4096, region()->geometry().region_bytes -
                                              ref.offset_bytes()));
      EXPECT_LE(end, region()->geometry().region_bytes);
    }
    EXPECT_EQ(MetaOf(2), before) << bytes;
    FreeAll(all);
    EXPECT_EQ(AllocAll(bytes).size(), all.size());
    EndAllocator();
    NewAllocator();
    FreeAll(AllocAll(bytes));
  }
}

// Behind the last buffer of the region and before the first lies a page that
// cannot be touched, and nothing else can be mapped there.
TEST_F(WrongFreeTest, AnOverrunOfTheRegionEndsInAGuardPage) {
  const Geometry& g = region()->geometry();
  std::byte* const data = region()->data();
  auto* const meta = region()->meta<std::byte>(0);
  for (std::byte* const page :
       {data - 4096, data + g.region_bytes, meta - 4096, meta + g.meta_bytes}) {
    EXPECT_EQ(::mmap(page, 4096, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              MAP_FAILED);
    for (std::byte* const target : {page, page + 4095}) {
      Child writer([target](Talk&) {
        ::signal(SIGSEGV, SIG_DFL);
        *target = std::byte{1};
      });
      EXPECT_EQ(writer.Wait(), -SIGSEGV);
    }
  }
}

}  // namespace
}  // namespace zcb::alloc
