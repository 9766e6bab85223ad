// Placement, on a machine of two nodes that does not exist.
#include "allocator/numa.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

struct Binding {
  std::uint64_t offset_bytes, length_bytes;
  std::uint32_t node;
  friend bool operator==(const Binding&, const Binding&) = default;
};

class FakeTopology final : public NumaTopology {
 public:
  Nodes NodesWithMemory() const override { return nodes; }
  std::uint32_t CurrentNode() const override { return current; }
  bool Prefer(std::byte* base, std::uint64_t length_bytes,
              std::uint32_t node) const override {
    if (!is_willing) return false;
    bindings.push_back(
        {static_cast<std::uint64_t>(base - data), length_bytes, node});
    return true;
  }

  Nodes nodes{0b11};
  std::uint32_t current = 0;
  bool is_willing = true;
  std::byte* data = nullptr;
  mutable std::vector<Binding> bindings;
};

class NumaTest : public testing::AllocatorTest {
 protected:
  NumaTest() {
    EndAllocator();
    machine_.data = region()->data();
  }
  void Start(std::int32_t node) {
    mine_.reset();
    AllocatorOptions options;
    options.numa_node = node;
    options.topology = &machine_;
    options.spare_bytes = 0;
    auto made = Allocator::Create(region(), options);
    ASSERT_TRUE(made.ok()) << made.reason();
    mine_ = std::move(*made);
  }
  // Memory of those nodes behind the first units, as owners left it.
  void Commit(std::initializer_list<std::uint32_t> nodes) {
    std::uint32_t u = 0;
    for (const std::uint32_t node : nodes) {
      ASSERT_TRUE(region()->CommitUnits(u++, 1, node).ok());
    }
  }
  // Which units whole-unit runs come from, one after the other.
  std::vector<std::uint32_t> UnitsTaken(int count) {
    std::vector<std::uint32_t> units;
    for (int i = 0; i < count; ++i) {
      const auto ref = mine_->Alloc(31 * kGranuleBytes);
      EXPECT_TRUE(ref.ok()) << ref.reason();
      if (ref) units.push_back(testing::UnitOf(*ref));
    }
    return units;
  }
  std::uint32_t NodeOf(std::uint32_t unit) {
    EXPECT_TRUE(region()->IsUnitCommitted(unit));
    return CommitByte::NodeOf(region()->CommitByteOf(unit));
  }

  FakeTopology machine_;
  std::unique_ptr<Allocator> mine_;
};

using Units = std::vector<std::uint32_t>;

TEST_F(NumaTest, MemoryOfTheWantedNodeComesFirstThenHolesThenTheOthers) {
  Commit({0, 1, 0, 1});
  Start(1);
  EXPECT_EQ(UnitsTaken(8), (Units{1, 3, 4, 5, 6, 7, 0, 2}));
  EXPECT_EQ(machine_.bindings,
            (std::vector<Binding>{{4 * kUnitBytes, kUnitBytes, 1},
                                  {5 * kUnitBytes, kUnitBytes, 1},
                                  {6 * kUnitBytes, kUnitBytes, 1},
                                  {7 * kUnitBytes, kUnitBytes, 1}}));
  for (const std::uint32_t u : {4U, 5U, 6U, 7U}) EXPECT_EQ(NodeOf(u), 1U);
  EXPECT_EQ(NodeOf(0), 0U) << "what is there stays where it is";
}

TEST_F(NumaTest, LocalMeansTheNodeOfTheMoment) {
  Commit({0, 1, 0, 1});
  Start(AllocatorOptions::kLocalNode);
  machine_.current = 1;
  EXPECT_EQ(UnitsTaken(1), (Units{1}));
  machine_.current = 0;
  EXPECT_EQ(UnitsTaken(3), (Units{0, 2, 4}));
  EXPECT_EQ(NodeOf(4), 0U);
  machine_.current = 1;
  EXPECT_EQ(UnitsTaken(2), (Units{3, 5}));
  EXPECT_EQ(NodeOf(5), 1U);
}

TEST_F(NumaTest, ExtentsAreBoundAsWell) {
  Commit({0, 0, 0, 0, 0, 0, 0});
  Start(1);
  const auto ref = mine_->Alloc(3 * kUnitBytes);
  ASSERT_TRUE(ref.ok()) << ref.reason();
  EXPECT_EQ(machine_.bindings,
            (std::vector<Binding>{{7 * kUnitBytes, kUnitBytes, 1}}))
      << "the only hole among the upper three";
  EXPECT_EQ(NodeOf(7), 1U);
}

TEST_F(NumaTest, WithoutAPreferenceNothingIsBoundButTheNodeIsRemembered) {
  Start(AllocatorOptions::kNoNode);
  machine_.current = 1;
  EXPECT_EQ(UnitsTaken(2), (Units{0, 1}));
  EXPECT_TRUE(machine_.bindings.empty());
  EXPECT_EQ(NodeOf(0), 1U);
}

TEST_F(NumaTest, OnOneNodeNothingHappensAtAll) {
  machine_.nodes = NumaTopology::Nodes{0b1};
  machine_.current = 1;  // would show if anybody asked
  for (const std::int32_t node : {0, 1, AllocatorOptions::kLocalNode}) {
    Start(node);
    EXPECT_EQ(UnitsTaken(2), (Units{0, 1})) << node;
    EXPECT_EQ(NodeOf(0), 0U);
  }
  EXPECT_TRUE(machine_.bindings.empty());
}

TEST_F(NumaTest, ANodeThatIsNotThereIsNoPreference) {
  for (const std::int32_t node : {2, 254, 255, 100'000}) {
    Start(node);
    EXPECT_EQ(UnitsTaken(1), (Units{0})) << node;
  }
  EXPECT_TRUE(machine_.bindings.empty());
}

TEST_F(NumaTest, AKernelThatDoesNotBindCostsOnlyThePlace) {
  machine_.is_willing = false;
  Start(1);
  EXPECT_EQ(UnitsTaken(1), (Units{0}));
  EXPECT_EQ(NodeOf(0), 0U) << "where the thread ran";
}

TEST_F(NumaTest, PrefaultedMemoryIsBoundToo) {
  Start(1);
  EXPECT_EQ(*mine_->Prefault(2 * kUnitBytes), 2 * kUnitBytes);
  EXPECT_EQ(
      machine_.bindings,
      (std::vector<Binding>{{0, kUnitBytes, 1}, {kUnitBytes, kUnitBytes, 1}}));
}

TEST(NodeListTest, ReadsTheKernelsLists) {
  EXPECT_EQ(ParseNodeList("0"), NumaTopology::Nodes{0b1});
  EXPECT_EQ(ParseNodeList("0-3"), NumaTopology::Nodes{0b1111});
  EXPECT_EQ(ParseNodeList("0,2-3,6"), NumaTopology::Nodes{0b1001101});
  EXPECT_EQ(ParseNodeList("254").count(), 1U);
  EXPECT_EQ(ParseNodeList("0-4000000000").count(), 255U) << "bounded";
  for (const char* const nonsense : {"", "x", "-1", ",", "3-1"}) {
    EXPECT_TRUE(ParseNodeList(nonsense).none()) << nonsense;
  }
}

TEST(ThisMachineTest, HasMemoryOnTheNodeThatWeRunOnAndTakesAWish) {
  const NumaTopology& machine = NumaTopology::OfThisMachine();
  if (machine.NodesWithMemory().none()) GTEST_SKIP() << "no /sys";
  ASSERT_TRUE(machine.NodesWithMemory().test(machine.CurrentNode()));
  const testing::TempDirectory directory;
  const auto region = testing::OpenRegion(directory, 8);
  EXPECT_TRUE(
      machine.Prefer(region->data(), kUnitBytes, machine.CurrentNode()));
  EXPECT_FALSE(machine.Prefer(region->data(), kUnitBytes, 254))
      << "no such node";
  EXPECT_TRUE(region->CommitUnits(0, 1).ok());
}

}  // namespace
}  // namespace zcb::alloc
