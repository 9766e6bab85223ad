#include "cpg/handle_options.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace zcb::cpg {
namespace {

constexpr std::uint64_t kMaxMs = std::numeric_limits<std::uint32_t>::max();

// A number of decimal digits, at most `most`.
bool ReadNumber(std::string_view text, std::uint64_t most,
                std::uint32_t* number) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value > most) return false;
  *number = static_cast<std::uint32_t>(value);
  return true;
}

}  // namespace

Result<HandleOptionValues> HandleOptionValues::FromEnvironment() {
  HandleOptionValues values;
  if (const char* text = secure_getenv("ZCB_WAIT")) {
    const std::string_view name = text;
    if (name == "adaptive") {
      values.wait = CPG_ZCB_WAIT_ADAPTIVE;
    } else if (name == "park") {
      values.wait = CPG_ZCB_WAIT_PARK;
    } else if (name == "spin") {
      values.wait = CPG_ZCB_WAIT_SPIN;
    } else {
      return {Status::kInvalidParam, "ZCB_WAIT: adaptive, park or spin"};
    }
  }
  if (const char* text = secure_getenv("ZCB_PARK")) {
    const std::string_view name = text;
    if (name == "futex") {
      values.park = CPG_ZCB_PARK_FUTEX;
    } else if (name == "descriptor") {
      values.park = CPG_ZCB_PARK_DESCRIPTOR;
    } else {
      return {Status::kInvalidParam, "ZCB_PARK: futex or descriptor"};
    }
  }
  if (const char* text = secure_getenv("ZCB_SPIN_NS");
      text != nullptr &&
      !ReadNumber(text, HandleOptions::kMaxSpinNs, &values.spin_ns)) {
    return {Status::kInvalidParam, "ZCB_SPIN_NS: 0 to 1000000000"};
  }
  if (const char* text = secure_getenv("ZCB_EVICT_MS");
      text != nullptr && !ReadNumber(text, kMaxMs, &values.evict_ms)) {
    return {Status::kInvalidParam, "ZCB_EVICT_MS: 0 to 4294967295"};
  }
  if (const char* text = secure_getenv("ZCB_SEND_TIME")) {
    const std::string_view value = text;
    if (value != "0" && value != "1") {
      return {Status::kInvalidParam, "ZCB_SEND_TIME: 0 or 1"};
    }
    values.send_time = value == "1";
  }
  return values;
}

Outcome HandleOptions::Set(int option, std::uint64_t value) {
  constexpr Failure kNoSuchValue{Status::kInvalidParam, "no such value"};
  // relaxed, all of these: see the class
  switch (option) {
    case CPG_ZCB_OPTION_WAIT:
      if (value > CPG_ZCB_WAIT_SPIN) return kNoSuchValue;
      wait_.store(static_cast<cpg_zcb_wait_t>(value),
                  std::memory_order_relaxed);
      return {};
    case CPG_ZCB_OPTION_SPIN_NS:
      if (value > kMaxSpinNs) return kNoSuchValue;
      spin_ns_.store(static_cast<std::uint32_t>(value),
                     std::memory_order_relaxed);
      return {};
    case CPG_ZCB_OPTION_PARK:
      if (value > CPG_ZCB_PARK_DESCRIPTOR) return kNoSuchValue;
      park_.store(static_cast<cpg_zcb_park_t>(value),
                  std::memory_order_relaxed);
      return {};
    case CPG_ZCB_OPTION_EVICT_MS:
      if (value > kMaxMs) return kNoSuchValue;
      evict_ms_.store(static_cast<std::uint32_t>(value),
                      std::memory_order_relaxed);
      return {};
    case CPG_ZCB_OPTION_SEND_TIME:
      if (value > 1) return kNoSuchValue;
      send_time_.store(value == 1, std::memory_order_relaxed);
      return {};
    default:
      return {Status::kInvalidParam, "no such option"};
  }
}

Result<std::uint64_t> HandleOptions::Get(int option) const {
  // relaxed, all of these: see the class
  switch (option) {
    case CPG_ZCB_OPTION_WAIT:
      return std::uint64_t{wait_.load(std::memory_order_relaxed)};
    case CPG_ZCB_OPTION_SPIN_NS:
      return std::uint64_t{spin_ns_.load(std::memory_order_relaxed)};
    case CPG_ZCB_OPTION_PARK:
      return std::uint64_t{park_.load(std::memory_order_relaxed)};
    case CPG_ZCB_OPTION_EVICT_MS:
      return std::uint64_t{evict_ms_.load(std::memory_order_relaxed)};
    case CPG_ZCB_OPTION_SEND_TIME:
      return std::uint64_t{send_time_.load(std::memory_order_relaxed)};
    default:
      return {Status::kInvalidParam, "no such option"};
  }
}

}  // namespace zcb::cpg
