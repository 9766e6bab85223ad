#include "bench/tune/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "bench/failure.h"

namespace zcb::bench::tune {
namespace {

constexpr int kFormat = 1;
constexpr int kStepsOfRange = 16;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 36;
constexpr unsigned kMostProcesses = 64;

std::uint64_t ParseLength(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  if (unit == "k") value <<= 10;
  if (unit == "m") value <<= 20;
  if (error != std::errc() || (!unit.empty() && unit != "k" && unit != "m") ||
      value == 0 || value > kMostBytes) {
    Fail("not a size: '{}' (bytes, with an optional k or m)", text);
  }
  return value;
}

double ParseShare(std::string_view text) {
  double share = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, share);
  if (error != std::errc() || rest != end || !(share > 0) || share > 1) {
    Fail("not a share between 0 and 1: '{}'", text);
  }
  return share;
}

// The sizes of one item, "64" or "64..4096".
std::vector<std::uint64_t> ParseItem(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return {ParseLength(text)};
  const std::uint64_t low = ParseLength(text.substr(0, dots));
  const std::uint64_t high = ParseLength(text.substr(dots + 2));
  if (low >= high) Fail("'{}' does not go upwards", text);
  std::vector<std::uint64_t> lengths;
  const double octaves =
      std::log2(static_cast<double>(high) / static_cast<double>(low));
  for (int i = 0; i < kStepsOfRange; ++i) {
    lengths.push_back(static_cast<std::uint64_t>(std::llround(
        static_cast<double>(low) *
        std::exp2(octaves * (static_cast<double>(i) / (kStepsOfRange - 1))))));
  }
  return lengths;
}

// Ascending, equal ones as one, and the sum of all shares 1.
std::vector<SizeShare> Normalized(const std::vector<SizeShare>& sizes) {
  std::map<std::uint64_t, double> by_length;
  double sum = 0;
  for (const SizeShare& size : sizes) {
    by_length[size.length_bytes] += size.share;
    sum += size.share;
  }
  std::vector<SizeShare> sorted;
  for (const auto& [length, share] : by_length) {
    sorted.push_back({length, share / sum});
  }
  return sorted;
}

}  // namespace

double Workload::MeanBytes() const {
  double mean = 0;
  for (const SizeShare& size : sizes) {
    mean += size.share * static_cast<double>(size.length_bytes);
  }
  return mean;
}

std::string Workload::Describe() const {
  std::string text;
  constexpr std::size_t kMostListed = 6;
  if (sizes.size() > kMostListed) {
    text = fmt::format("{} sizes of {} to {} B, {:.0f} B in the mean",
                       sizes.size(), sizes.front().length_bytes, LargestBytes(),
                       MeanBytes());
  } else {
    for (const SizeShare& size : sizes) {
      text += fmt::format("{}{} B ({:.3g} %)", text.empty() ? "" : ", ",
                          size.length_bytes, 100 * size.share);
    }
  }
  text += rate_per_s > 0 ? fmt::format("; {:.6g} messages/s", rate_per_s)
                         : std::string("; as fast as it goes");
  text += fmt::format("; {} sender{}, {} receiver{}; goal: ", senders,
                      senders == 1 ? "" : "s", receivers,
                      receivers == 1 ? "" : "s");
  if (goal == Goal::kLatency) {
    text += fmt::format("latency (p{})", percentile);
  } else {
    text += rate_per_s > 0 ? "least processor time at that rate" : "throughput";
  }
  return text;
}

std::vector<SizeShare> ParseSizes(std::string_view text) {
  std::vector<SizeShare> sizes;
  std::vector<std::vector<std::uint64_t>> without_share;
  double given = 0;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t colon = item.find(':');
    const std::vector<std::uint64_t> lengths = ParseItem(item.substr(0, colon));
    if (colon == std::string_view::npos) {
      without_share.push_back(lengths);
    } else {
      const double share = ParseShare(item.substr(colon + 1));
      given += share;
      for (const std::uint64_t length : lengths) {
        sizes.push_back({length, share / static_cast<double>(lengths.size())});
      }
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  constexpr double kRounding = 1e-6;
  if (given > 1 + kRounding) Fail("the shares add up to {:.3g}", given);
  if (without_share.empty()) {
    if (given < 1 - kRounding) Fail("the shares add up to {:.3g}", given);
    return Normalized(sizes);
  }
  if (given > 1 - kRounding) Fail("no share is left for sizes without one");
  for (const auto& lengths : without_share) {
    for (const std::uint64_t length : lengths) {
      sizes.push_back(
          {length, (1 - given) / static_cast<double>(without_share.size() *
                                                     lengths.size())});
    }
  }
  return Normalized(sizes);
}

std::vector<std::uint64_t> MakeSequence(const std::vector<SizeShare>& sizes,
                                        std::size_t count) {
  std::vector<std::uint64_t> sequence;
  for (const SizeShare& size : sizes) {
    const auto times = std::max<std::size_t>(
        1, static_cast<std::size_t>(
               std::llround(size.share * static_cast<double>(count))));
    sequence.insert(sequence.end(), times, size.length_bytes);
  }
  std::mt19937_64 random(1);  // the same for every run that is compared
  std::shuffle(sequence.begin(), sequence.end(), random);
  return sequence;
}

std::vector<SizeShare> Condense(std::vector<SizeShare> sizes,
                                std::size_t most) {
  sizes = Normalized(sizes);
  while (sizes.size() > most) {
    // The pair whose merging changes the bytes that are sent least.
    std::size_t best = 0;
    double least = -1;
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const double added =
          sizes[i].share * static_cast<double>(sizes[i + 1].length_bytes -
                                               sizes[i].length_bytes);
      if (least < 0 || added < least) {
        least = added;
        best = i;
      }
    }
    sizes[best + 1].share += sizes[best].share;
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return sizes;
}

nlohmann::json ToJson(const Workload& workload) {
  nlohmann::json json = {{"zcb_workload", kFormat},
                         {"rate_per_s", workload.rate_per_s},
                         {"senders", workload.senders},
                         {"receivers", workload.receivers},
                         {"sizes", nlohmann::json::array()}};
  for (const SizeShare& size : workload.sizes) {
    json["sizes"].push_back(
        {{"length_bytes", size.length_bytes}, {"share", size.share}});
  }
  return json;
}

Workload FromJson(const nlohmann::json& json) {
  Workload workload;
  try {
    if (json.at("zcb_workload") != kFormat) Fail("a workload of a newer zcb");
    workload.rate_per_s = json.at("rate_per_s");
    workload.senders = json.at("senders");
    workload.receivers = json.at("receivers");
    for (const auto& size : json.at("sizes")) {
      workload.sizes.push_back({size.at("length_bytes"), size.at("share")});
    }
  } catch (const nlohmann::json::exception& error) {
    Fail("not a workload: {}", error.what());
  }
  for (const SizeShare& size : workload.sizes) {
    if (size.length_bytes == 0 || size.length_bytes > kMostBytes ||
        !(size.share > 0)) {
      Fail("not a workload: a size of {} bytes with the share {}",
           size.length_bytes, size.share);
    }
  }
  if (workload.sizes.empty() || !(workload.rate_per_s >= 0) ||
      workload.senders == 0 || workload.senders > kMostProcesses ||
      workload.receivers == 0 || workload.receivers > kMostProcesses) {
    Fail(
        "not a workload: no sizes, no rate, or not 1 to {} senders and "
        "receivers",
        kMostProcesses);
  }
  workload.sizes = Normalized(workload.sizes);
  return workload;
}

}  // namespace zcb::bench::tune
