// A block device in host memory that can be told to fail, as a full or broken host disk does.
#pragma once

#include <algorithm>
#include <vector>

#include "block/block_device.h"

namespace relic86::test {

// The bytes are shared with the test, which outlives the drive.
struct MemoryDiskContent {
  explicit MemoryDiskContent(std::size_t size) : bytes(size) {}
  // Every byte tells its sector and place.
  void fill_pattern() {
    for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<u8>(i / 512 * 7 + i % 512 * 3 + i / 131072);
  }
  std::vector<u8> bytes;
  bool read_only = false;
  u64 fail_writes_from = ~u64{0};  // writes that touch this offset or what follows fail
  u64 fail_reads_from = ~u64{0};
  bool fail_flush = false;
  unsigned writes = 0, flushes = 0;
};

class MemoryDisk final : public BlockDevice {
 public:
  explicit MemoryDisk(MemoryDiskContent& content) : content_(content) {}
  u64 size_bytes() const override { return content_.bytes.size(); }
  bool read_only() const override { return content_.read_only; }
  Result<> read(u64 offset, std::span<u8> bytes) override {
    if (offset + bytes.size() > size_bytes()) return Error{"beyond the end"};
    if (offset + bytes.size() > content_.fail_reads_from) return Error{"host read error"};
    std::copy_n(content_.bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
    return {};
  }
  Result<> write(u64 offset, std::span<const u8> bytes) override {
    if (offset + bytes.size() > size_bytes()) return Error{"beyond the end"};
    if (offset + bytes.size() > content_.fail_writes_from) return Error{"No space left on device"};
    content_.writes++;
    std::copy(bytes.begin(), bytes.end(), content_.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Result<> flush() override {
    if (content_.fail_flush) return Error{"host flush error"};
    content_.flushes++;
    return {};
  }

 private:
  MemoryDiskContent& content_;
};

}  // namespace relic86::test
