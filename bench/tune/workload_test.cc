// How a workload is written, and what is made of it.
#include "bench/tune/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/failure.h"
#include "bench/tune/knobs.h"
#include "bench/tune/latency_histogram.h"

namespace zcb::bench::tune {
namespace {

double ShareOf(const std::vector<SizeShare>& sizes, std::uint64_t length) {
  for (const SizeShare& size : sizes) {
    if (size.length_bytes == length) return size.share;
  }
  return 0;
}

TEST(WorkloadTest, SizesWithoutAShareHaveEqualPartsOfWhatIsLeft) {
  const auto sizes = ParseSizes("64,4096:0.2,1k");
  ASSERT_EQ(sizes.size(), 3U);
  EXPECT_DOUBLE_EQ(ShareOf(sizes, 64), 0.4);
  EXPECT_DOUBLE_EQ(ShareOf(sizes, 1024), 0.4);
  EXPECT_DOUBLE_EQ(ShareOf(sizes, 4096), 0.2);
  EXPECT_DOUBLE_EQ(ShareOf(ParseSizes("2m"), 2 << 20), 1);
}

TEST(WorkloadTest, ARangeHasEveryDoublingAsOften) {
  const auto sizes = ParseSizes("64..64k");
  EXPECT_EQ(sizes.front().length_bytes, 64U);
  EXPECT_EQ(sizes.back().length_bytes, 65536U);
  double below = 0;
  for (const SizeShare& size : sizes) {
    if (size.length_bytes < 2048) below += size.share;
  }
  EXPECT_DOUBLE_EQ(below, 0.5);
}

TEST(WorkloadTest, NonsenseIsRefused) {
  for (const char* const text :
       {"", "x", "0", "64,", "64:0", "64:2", "64:0.5", "64:0.7,65:0.7",
        "64:1,65", "4096..64", "64..64", "64kb", "-64", "64:x",
        "99999999999999"}) {
    EXPECT_THROW(ParseSizes(text), Failed) << text;
  }
}

TEST(WorkloadTest, ASequenceHasEachSizeAsOftenAsItsShareSays) {
  const auto sizes = ParseSizes("64:0.75,4096:0.2499,1m:0.0001");
  const auto sequence = MakeSequence(sizes, 1000);
  const auto count = [&](std::uint64_t length) {
    return std::count(sequence.begin(), sequence.end(), length);
  };
  EXPECT_EQ(count(64), 750);
  EXPECT_EQ(count(4096), 250);
  EXPECT_EQ(count(1 << 20), 1) << "at least once";
  EXPECT_EQ(sequence, MakeSequence(sizes, 1000)) << "the same every time";
  EXPECT_FALSE(std::is_sorted(sequence.begin(), sequence.end()));
}

TEST(WorkloadTest, CondensingKeepsTheSharesAndCutsNothingShort) {
  std::vector<SizeShare> sizes;
  double bytes = 0;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    sizes.push_back({i * 10, 1});
    bytes += static_cast<double>(i * 10) / 500;
  }
  Workload condensed;
  condensed.sizes = Condense(sizes, 32);
  ASSERT_EQ(condensed.sizes.size(), 32U);
  double sum = 0;
  for (const SizeShare& size : condensed.sizes) sum += size.share;
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_EQ(condensed.LargestBytes(), 5000U);
  EXPECT_GE(condensed.MeanBytes(), bytes);
  EXPECT_LE(condensed.MeanBytes(), bytes * 1.1);
  EXPECT_EQ(Condense({{64, 3}, {64, 1}}, 32).size(), 1U);
}

TEST(WorkloadTest, AFileIsReadAsItWasWritten) {
  Workload workload;
  workload.sizes = ParseSizes("64,4096:0.25");
  workload.rate_per_s = 1234.5;
  workload.senders = 2;
  workload.receivers = 3;
  const Workload read =
      FromJson(nlohmann::json::parse(ToJson(workload).dump()));
  EXPECT_EQ(read.rate_per_s, workload.rate_per_s);
  EXPECT_EQ(read.senders, 2U);
  EXPECT_EQ(read.receivers, 3U);
  ASSERT_EQ(read.sizes.size(), 2U);
  EXPECT_DOUBLE_EQ(ShareOf(read.sizes, 4096), 0.25);
}

TEST(WorkloadTest, AFileThatIsNoneIsRefused) {
  Workload workload;
  workload.sizes = ParseSizes("64");
  const nlohmann::json good = ToJson(workload);
  EXPECT_NO_THROW(FromJson(good));
  for (const char* const field :
       {"zcb_workload", "rate_per_s", "senders", "receivers", "sizes"}) {
    nlohmann::json bad = good;
    bad.erase(field);
    EXPECT_THROW(FromJson(bad), Failed) << field;
    bad[field] = "text";
    EXPECT_THROW(FromJson(bad), Failed) << field;
  }
  nlohmann::json bad = good;
  bad["zcb_workload"] = 2;
  EXPECT_THROW(FromJson(bad), Failed);
  bad = good;
  bad["senders"] = 0;
  EXPECT_THROW(FromJson(bad), Failed);
  bad = good;
  bad["sizes"][0]["share"] = -1;
  EXPECT_THROW(FromJson(bad), Failed);
}

TEST(KnobsTest, TheDefaultIsNoEntryOfASetting) {
  const Knob knob{"A", "1", {"2"}, ""};
  const Setting changed = With({}, knob, "2");
  EXPECT_EQ(changed, (Setting{{"A", "2"}}));
  EXPECT_EQ(ValueOf(changed, knob), "2");
  EXPECT_EQ(With(changed, knob, "1"), Setting{});
  EXPECT_EQ(ValueOf({}, knob), "1");
  EXPECT_EQ(TextOf(changed), "A=2");
  EXPECT_EQ(TextOf({}), "defaults");
}

TEST(KnobsTest, OnlyThoseThatCanMatterAreTurned) {
  Workload workload;
  workload.sizes = ParseSizes("64");
  const auto has = [&](const char* variable) {
    const auto knobs = KnobsFor(workload, {});
    return std::any_of(knobs.begin(), knobs.end(), [&](const Knob& knob) {
      return knob.variable == variable;
    });
  };
  EXPECT_FALSE(has("ZCB_SPIN_NS")) << "nobody waits";
  EXPECT_FALSE(has("ZCB_RECLAIM_BYTES"));
  workload.rate_per_s = 100;
  workload.sizes = ParseSizes("64,1m");
  EXPECT_TRUE(has("ZCB_SPIN_NS"));
  EXPECT_TRUE(has("ZCB_RECLAIM_BYTES"));
  EXPECT_EQ(KnobsFor(workload, {"ZCB_PAGES"}).size(), 1U);
  EXPECT_THROW(KnobsFor(workload, {"ZCB_NONSENSE"}), Failed);
}

TEST(LatencyHistogramTest, QuantilesAreWithinAPercent) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (std::uint64_t ns = 1; ns <= 100'000; ++ns) histogram->Add(ns);
  EXPECT_EQ(histogram->total(), 100'000U);
  EXPECT_EQ(histogram->most_ns(), 100'000U);
  for (const double share : {0.001, 0.01, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(histogram->Quantile(share), share * 100'000,
                share * 100'000 * 0.01 + 1)
        << share;
  }
  const auto both = std::make_unique<LatencyHistogram>();
  both->Merge(*histogram);
  both->Merge(*histogram);
  EXPECT_EQ(both->total(), 200'000U);
  EXPECT_NEAR(both->Quantile(0.5), 50'000, 500);
  both->Add(~std::uint64_t{0});
  EXPECT_EQ(both->most_ns(), ~std::uint64_t{0});
  EXPECT_EQ(std::make_unique<LatencyHistogram>()->Quantile(0.5), 0);
}

}  // namespace
}  // namespace zcb::bench::tune
