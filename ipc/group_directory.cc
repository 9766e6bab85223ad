#include "ipc/group_directory.h"

#include <algorithm>
#include <span>

namespace zcb::ipc {
namespace {

// FNV-1a, 64 bit: spreads short names well, and is the same in every build.
std::uint64_t HashOf(const GroupName& name) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
  for (const char c : name.bytes()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3ULL;
  }
  return hash;
}

std::uint64_t ClaimOf(alloc::LeaseId lease) {
  return std::uint64_t{lease.generation} << 32 | (lease.slot + 1U);
}

}  // namespace

std::atomic<std::uint64_t>& GroupDirectory::Word(std::uint32_t slot) const {
  return *region_->meta<std::atomic<std::uint64_t>>(geometry_.directory_offset +
                                                    std::uint64_t{slot} * 8);
}

Result<NameRecord*> GroupDirectory::Record(std::uint64_t index) const {
  const std::uint64_t offset =
      geometry_.names_offset + index * sizeof(NameRecord);
  if (const Outcome backed = region_->CommitMeta(offset, sizeof(NameRecord));
      !backed) {
    return backed.failure();
  }
  return region_->meta<NameRecord>(offset);
}

Result<GroupView> GroupDirectory::View(std::uint32_t slot) const {
  if (const Outcome backed = region_->CommitMeta(
          geometry_.groups_offset + geometry_.group_bytes * slot,
          geometry_.group_bytes);
      !backed) {
    return backed.failure();
  }
  return GroupView(*region_, geometry_, slot);
}

Result<std::span<const char>> GroupDirectory::NameOf(std::uint64_t word) const {
  constexpr Failure kDamaged{Status::kLibrary, "damaged group directory"};
  if (word == 0 || word > geometry_.name_record_count) return kDamaged;
  const Result<NameRecord*> record = Record(word - 1);
  if (!record) return record.failure();
  const std::uint32_t length = (*record)->length;  // once; checked below
  if (length > GroupName::kMaxBytes) return kDamaged;
  return std::span<const char>((*record)->bytes.data(), length);
}

Result<std::optional<GroupView>> GroupDirectory::Find(
    const GroupName& name) const {
  const std::uint64_t home = HashOf(name);
  for (std::uint32_t i = 0; i < geometry_.group_count; ++i) {
    const auto slot =
        static_cast<std::uint32_t>((home + i) % geometry_.group_count);
    // acquire <- group.link: the record is whole
    const std::uint64_t word = Word(slot).load(std::memory_order_acquire);
    if (word == 0) return std::optional<GroupView>();
    const auto found = NameOf(word);
    if (!found) return found.failure();
    if (std::ranges::equal(*found, name.bytes())) {
      const auto view = View(slot);
      if (!view) return view.failure();
      return std::optional<GroupView>(*view);
    }
  }
  return std::optional<GroupView>();
}

Result<GroupView> GroupDirectory::FindOrMake(const GroupName& name) {
  auto found = Find(name);
  if (!found) return found.failure();
  if (*found) return **found;

  auto prepared = PrepareRecord(name);
  if (!prepared) return prepared.failure();
  const std::uint64_t index = *prepared;
  NameRecord* const record = *Record(index);  // that was there just now
  const std::uint64_t home = HashOf(name);
  Failure failure{Status::kNoResources, "the region has no room for a group"};
  for (std::uint32_t i = 0; i < geometry_.group_count; ++i) {
    const auto slot =
        static_cast<std::uint32_t>((home + i) % geometry_.group_count);
    const auto view = View(slot);
    if (!view) {
      failure = view.failure();
      break;
    }
    std::uint64_t expected = 0;
    // release -> group.link: the record and the group's pages are ready;
    // acquire <- group.link: what won is whole
    if (Word(slot).compare_exchange_strong(expected, index + 1,
                                           std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
      // relaxed: only keeps reapers off a record that is in use for ever
      record->claim.store(NameRecord::kLinked, std::memory_order_relaxed);
      return *view;
    }
    const auto winner = NameOf(expected);
    if (!winner) {
      failure = winner.failure();
      break;
    }
    if (std::ranges::equal(*winner, name.bytes())) {
      // release -> group.claim: the record is free again
      record->claim.store(0, std::memory_order_release);
      return *view;
    }
  }
  // release -> group.claim: the record is free again
  record->claim.store(0, std::memory_order_release);
  return failure;
}

Result<std::uint64_t> GroupDirectory::PrepareRecord(const GroupName& name) {
  const std::uint64_t mine = ClaimOf(region_->lease());
  for (std::uint64_t i = 0; i < geometry_.name_record_count; ++i) {
    const Result<NameRecord*> found = Record(i);
    if (!found) return found.failure();
    NameRecord* const record = *found;
    std::uint64_t expected = 0;
    // acquire <- group.claim: its last claimer is done with it; failure
    // relaxed: taken, go on
    if (!record->claim.compare_exchange_strong(expected, mine,
                                               std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
      continue;
    }
    const auto bytes = name.bytes();
    record->length = static_cast<std::uint32_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), record->bytes.begin());
    return i;
  }
  return {Status::kNoResources, "every group name record is in use"};
}

Result<std::vector<GroupName>> GroupDirectory::Names() const {
  std::vector<GroupName> names;
  for (std::uint32_t i = 0; i < geometry_.group_count; ++i) {
    // acquire <- group.link: the record is whole
    const std::uint64_t word = Word(i).load(std::memory_order_acquire);
    if (word == 0) continue;
    const auto name = NameOf(word);
    if (name) {
      names.emplace_back(*name);
    } else if (name.status() != Status::kLibrary) {
      return name.failure();
    }
  }
  return names;
}

bool GroupDirectory::IsLinked(std::uint64_t index) const {
  for (std::uint32_t i = 0; i < geometry_.group_count; ++i) {
    // acquire <- group.link: sees every link that the claimer made
    if (Word(i).load(std::memory_order_acquire) == index + 1) return true;
  }
  return false;
}

bool GroupDirectory::ReapClaims(alloc::LeaseId dead) {
  // Linked or not is the directory's word to say: the claimer may have died
  // between linking and marking. A process claims one at a time, as a rule, so
  // that looking through the directory for each costs less than a table, which
  // would need memory: reaping must not fail for want of that.
  const std::uint64_t claim = ClaimOf(dead);
  // All in one call: not page by page. If that fails, page by page.
  (void)region_->CommitMeta(geometry_.names_offset,
                            geometry_.name_record_count * sizeof(NameRecord));
  for (std::uint64_t i = 0; i < geometry_.name_record_count; ++i) {
    const Result<NameRecord*> found = Record(i);
    if (!found) return false;
    NameRecord* const record = *found;
    // relaxed: the exchange below checks it
    std::uint64_t expected = record->claim.load(std::memory_order_relaxed);
    if (expected != claim) continue;
    // release -> group.claim: only from the dead lease's own claim; failure
    // relaxed: reaped by another
    record->claim.compare_exchange_strong(
        expected, IsLinked(i) ? NameRecord::kLinked : 0,
        std::memory_order_release, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace zcb::ipc
