// What a fuzz target makes of its input: a list of steps, some of which change
// memory, and the memory that they change.
#ifndef ZCB_TESTS_FUZZ_FUZZ_INPUT_H_
#define ZCB_TESTS_FUZZ_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace zcb::fuzz {

// Read front to back; behind the end are zeros.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* bytes, std::size_t size)
      : bytes_(bytes), size_(size) {}

  bool is_empty() const { return at_ >= size_; }
  template <typename Number>
  Number Take() {
    Number number = 0;
    const std::size_t left = size_ - at_;
    const std::size_t count = left < sizeof number ? left : sizeof number;
    std::memcpy(&number, bytes_ + at_, count);
    at_ += count;
    return number;
  }
  std::uint8_t Byte() { return Take<std::uint8_t>(); }
  // Below `end`, which is not 0.
  std::uint64_t Below(std::uint64_t end) {
    return (end <= 0x100     ? Byte()
            : end <= 0x10000 ? Take<std::uint16_t>()
                             : Take<std::uint32_t>()) %
           end;
  }
  std::string_view Text(std::size_t length) {
    const std::size_t left = size_ - at_;
    const std::size_t count = left < length ? left : length;
    const std::string_view text(reinterpret_cast<const char*>(bytes_ + at_),
                                count);
    at_ += count;
    return text;
  }

 private:
  const std::uint8_t* bytes_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// Pieces of memory that a hostile process can write to, each of whole words.
class FuzzMemory {
 public:
  void Add(void* begin, std::size_t size_bytes) {
    pieces_.push_back({static_cast<std::byte*>(begin),
                       size_bytes / kWordBytes * kWordBytes,
                       {}});
  }
  // As it is now is what Restore() brings back.
  void Remember() {
    for (Piece& piece : pieces_) {
      piece.image.assign(piece.begin, piece.begin + piece.size_bytes);
    }
  }
  void Restore() {
    for (const Piece& piece : pieces_) {
      std::memcpy(piece.begin, piece.image.data(), piece.size_bytes);
    }
  }

  // One act of the hostile process, as the input says.
  void Patch(FuzzInput* input) {
    const Piece& piece = pieces_[input->Below(pieces_.size())];
    const std::size_t words = piece.size_bytes / kWordBytes;
    std::byte* const place = piece.begin + input->Below(words) * kWordBytes;
    std::uint64_t word = 0;
    std::memcpy(&word, place, sizeof word);
    switch (input->Below(7)) {
      case 0:  // any word
        word = input->Take<std::uint64_t>();
        break;
      case 1:  // a flipped bit
        word ^= std::uint64_t{1} << input->Below(64);
        break;
      case 2:  // a little more or less
        word += static_cast<std::uint64_t>(
            static_cast<std::int64_t>(static_cast<std::int8_t>(input->Byte())));
        break;
      case 3:  // what stands somewhere else
        std::memcpy(&word, piece.begin + input->Below(words) * kWordBytes,
                    sizeof word);
        break;
      case 4:  // what was there at first
        if (!piece.image.empty()) {
          std::memcpy(&word, piece.image.data() + (place - piece.begin),
                      sizeof word);
        }
        break;
      case 5:  // all or nothing
        word = std::uint64_t{0} - (input->Byte() & 1U);
        break;
      default:  // half of it
        word =
            (word & ~std::uint64_t{0xffff'ffff}) | input->Take<std::uint32_t>();
        break;
    }
    std::memcpy(place, &word, sizeof word);
  }

 private:
  static constexpr std::size_t kWordBytes = 8;
  struct Piece {
    std::byte* begin;
    std::size_t size_bytes;
    std::vector<std::byte> image;
  };
  std::vector<Piece> pieces_;
};

}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size);

#endif  // ZCB_TESTS_FUZZ_FUZZ_INPUT_H_
