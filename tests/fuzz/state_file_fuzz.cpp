// The container of a saved machine: header, sections, checksums, and memory in it. Input: 1 byte, then the file; if its
// bit 0 is set, the checksums are made right first, so that what lies beneath them is reached.
#include <cstring>

#include "memory/backing_store.h"
#include "snapshot/saved_memory.h"
#include "snapshot/state_file.h"
#include "tests/fuzz/scratch_file.h"

namespace relic86 {
namespace {

constexpr std::size_t kFileHeader = 16, kSectionHeader = 24;

void mend_checksums(std::vector<u8>& file) {
  for (std::size_t at = kFileHeader; at + kSectionHeader <= file.size();) {
    u64 length = 0;
    std::memcpy(&length, &file[at + 8], sizeof length);
    if (length > file.size() - at - kSectionHeader) return;
    StateHasher hasher;
    hasher.mix(std::span(file).subspan(at + kSectionHeader, length));
    const u64 hash = hasher.hash();
    std::memcpy(&file[at + 16], &hash, sizeof hash);
    at += kSectionHeader + length;
  }
}

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::ScratchFile file;
  static BackingStore store = BackingStore::create(1 << 20, 1 << 20).value();
  if (size < 1) return 0;
  std::vector<u8> content(data + 1, data + size);
  if ((data[0] & 1) != 0) mend_checksums(content);
  file.hold(content);
  (void)StateFileReader::open_unchecked(file.path());
  auto opened = StateFileReader::open(file.path());
  if (!opened) return 0;
  for (const StateSection& section : opened.value().sections()) {
    auto bytes = opened.value().content(section, 1 << 16);
    if (bytes) (void)StateReader::parse(bytes.value());
  }
  if (auto checked = check_memory(opened.value(), store); checked) (void)load_memory(opened.value(), store);
  return 0;
}
