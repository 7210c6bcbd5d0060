// The stream of a migrating machine. Input: 2 bytes, then the stream; bit 0 of the first: checksums are made right, so
// that what lies beneath them is reached; the second: in how long pieces it comes.
#include <algorithm>
#include <cstring>

#include "base/state_archive.h"
#include "snapshot/migration_stream.h"

namespace relic86 {
namespace {

constexpr std::size_t kHeader = 16, kRecord = 16;

void mend_checksums(std::vector<u8>& stream) {
  for (std::size_t at = kHeader; at + kRecord <= stream.size();) {
    u32 length = 0;
    std::memcpy(&length, &stream[at + 4], sizeof length);
    if (length > stream.size() - at - kRecord) return;
    StateHasher hasher;
    hasher.mix(std::span(stream).subspan(at + kRecord, length));
    const u64 hash = hasher.hash();
    std::memcpy(&stream[at + 8], &hash, sizeof hash);
    at += kRecord + length;
  }
}

class Target final : public MigrationReader::Target {
 public:
  Result<> identity(std::string_view) override { return {}; }
  u64 memory_size() const override { return memory_.size(); }
  void page(u64 offset, const u8* content) override {
    if (content == nullptr)
      std::memset(&memory_.at(offset), 0, kPageSize);
    else
      std::memcpy(&memory_.at(offset), content, kPageSize);
  }
  Result<> state(std::vector<u8> state) override {
    (void)StateReader::parse(state);
    return {};
  }

 private:
  std::vector<u8> memory_ = std::vector<u8>(1 << 20);
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static Target target;
  if (size < 2) return 0;
  std::vector<u8> stream(data + 2, data + size);
  if ((data[0] & 1) != 0) mend_checksums(stream);
  MigrationReader reader(target);
  const std::size_t piece = data[1] == 0 ? stream.size() : data[1];
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const auto part = std::span(stream).subspan(at, std::min(piece, stream.size() - at));
    if (!reader.take(part)) return 0;
  }
  (void)reader.end_of_stream();
  return 0;
}
