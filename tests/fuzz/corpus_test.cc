// Runs every input of a corpus through its fuzz target; linked without
// libFuzzer, so by any compiler. The program's argument is the corpus.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace zcb::fuzz {
namespace {

std::string& CorpusPath() {
  static std::string path;
  return path;
}

void RunInput(const std::string& bytes) {
  EXPECT_EQ(
      LLVMFuzzerTestOneInput(
          reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
      0);
}

TEST(CorpusTest, EveryInputRunsToItsEnd) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(CorpusPath())) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 10U) << "this is no corpus: " << CorpusPath();
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    std::ifstream stream(file, std::ios::binary);
    ASSERT_TRUE(stream.good());
    RunInput({std::istreambuf_iterator<char>(stream), {}});
  }
}

TEST(CorpusTest, NothingAtAllRunsToItsEnd) { RunInput(""); }

}  // namespace
}  // namespace zcb::fuzz

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc == 2) zcb::fuzz::CorpusPath() = argv[1];
  return RUN_ALL_TESTS();
}
