#include "tools/demo/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <vector>

#include "tools/demo/failure.h"

namespace zcb::demo {

void Digest::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr ||
      EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
    Fail("OpenSSL has no SHA-256");
  }
}

void Digest::Add(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) {
    Fail("EVP_DigestUpdate failed");
  }
}

std::string Digest::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_bytes = 0;
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), &digest_bytes) != 1) {
    Fail("EVP_DigestFinal_ex failed");
  }
  std::string text;
  for (unsigned i = 0; i < digest_bytes; ++i) {
    text += fmt::format("{:02x}", digest[i]);
  }
  return text;
}

std::string DigestOfFile(const std::string& path) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail("cannot read {}", path);
  std::vector<char> piece(kPieceBytes);
  Digest digest;
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    digest.Add(std::as_bytes(
        std::span(piece.data(), static_cast<std::size_t>(file.gcount()))));
  }
  if (file.bad()) Fail("cannot read {}", path);
  return digest.Finish();
}

}  // namespace zcb::demo
