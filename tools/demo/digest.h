// SHA-256, by OpenSSL.
#ifndef ZCB_TOOLS_DEMO_DIGEST_H_
#define ZCB_TOOLS_DEMO_DIGEST_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace zcb::demo {

class Digest {
 public:
  Digest();
  void Add(std::span<const std::byte> bytes);
  // In hexadecimal digits; then the object is of no use any more.
  std::string Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string DigestOfFile(const std::string& path);

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_DIGEST_H_
