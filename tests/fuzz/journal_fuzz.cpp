// Journals of disk images, as files that anybody may have made: read, checked, their blocks visited, and written on.
// Input: the journal's file.
#include <cstring>

#include "block/disk_journal.h"
#include "tests/fuzz/scratch_file.h"

namespace relic86 {
namespace {

class Zeros final : public BlockDevice {
 public:
  u64 size_bytes() const override { return 1 << 20; }
  bool read_only() const override { return false; }
  Result<> read(u64 offset, std::span<u8> bytes) override {
    if (offset > size_bytes() || bytes.size() > size_bytes() - offset) return Error{"beyond the end"};
    std::memset(bytes.data(), 0, bytes.size());
    return {};
  }
  Result<> write(u64, std::span<const u8>) override { return {}; }
  Result<> flush() override { return {}; }
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::ScratchFile file;
  file.hold({data, size});
  for (const auto access : {DiskJournal::Access::ReadOnly, DiskJournal::Access::ReadWrite}) {
    auto journal = DiskJournal::open(file.path(), access);
    if (!journal) continue;
    (void)journal.value()->verify();
    u64 sum = 0;
    (void)journal.value()->visit([&](u64 offset, std::span<const u8> bytes) -> Result<> {
      for (const u8 byte : bytes) sum += byte + offset;
      return {};
    });
    if (access == DiskJournal::Access::ReadOnly) continue;
    Zeros image;
    (void)journal.value()->keep(image, 5000, 3000);
    (void)journal.value()->flush();
    if (auto begun = journal.value()->begin_restoring(); begun) (void)journal.value()->restored(1);
  }
  return 0;
}
