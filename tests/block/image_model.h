// What a disk should hold, beside the image that holds it: random accesses that are compared byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "block/block_device.h"

namespace relic86::test {

class ImageModel {
 public:
  ImageModel(std::vector<u8> content, u32 seed) : content_(std::move(content)), random_(seed) {}

  u32 random(u32 below) { return random_() % below; }
  const std::vector<u8>& content() const { return content_; }

  struct Range {
    u64 offset = 0, length = 0;
  };
  Range random_range(u32 longest) {
    const u64 length = 1 + random(static_cast<u32>(std::min<u64>(longest, content_.size())));
    const u64 offset = random(static_cast<u32>(content_.size() - length + 1));
    if (random(2) == 0) return {offset, length};
    // Sectors, as guests write them.
    const u64 first = offset / 512 * 512;
    return {first, std::min<u64>((length + 511) / 512 * 512, content_.size() - first)};
  }
  void write(BlockDevice& device, Range range) {
    std::vector<u8> bytes(static_cast<std::size_t>(range.length));
    for (u8& byte : bytes) byte = static_cast<u8>(random_());
    const auto written = device.write(range.offset, bytes);
    ASSERT_TRUE(written.ok()) << written.message();
    std::copy(bytes.begin(), bytes.end(), content_.begin() + static_cast<std::ptrdiff_t>(range.offset));
  }
  void write_zeroes(BlockDevice& device, Range range) {
    const auto written = device.write_zeroes(range.offset, range.length);
    ASSERT_TRUE(written.ok()) << written.message();
    std::fill_n(content_.begin() + static_cast<std::ptrdiff_t>(range.offset), range.length, u8{0});
  }
  // What a discarded range reads as afterwards is what it holds.
  void discard(BlockDevice& device, Range range) {
    const auto discarded = device.discard(range.offset, range.length);
    ASSERT_TRUE(discarded.ok()) << discarded.message();
    const auto at = content_.begin() + static_cast<std::ptrdiff_t>(range.offset);
    const auto read = device.read(range.offset, std::span(at, static_cast<std::size_t>(range.length)));
    ASSERT_TRUE(read.ok()) << read.message();
  }
  void read(BlockDevice& device, Range range) const {
    std::vector<u8> bytes(static_cast<std::size_t>(range.length));
    const auto read = device.read(range.offset, bytes);
    ASSERT_TRUE(read.ok()) << read.message();
    const auto differs =
        std::mismatch(bytes.begin(), bytes.end(), content_.begin() + static_cast<std::ptrdiff_t>(range.offset));
    ASSERT_EQ(differs.first, bytes.end()) << "byte " << range.offset + static_cast<u64>(differs.first - bytes.begin());
  }
  void read_all(BlockDevice& device) const { read(device, {0, content_.size()}); }
  void step(BlockDevice& device, u32 longest) {
    const u32 kind = random(16);
    const Range range = random_range(longest);
    if (kind < 8) return write(device, range);
    if (kind < 12) return read(device, range);
    if (kind == 12) return write_zeroes(device, random_range(longest * 4));
    if (kind == 13) return discard(device, random_range(longest * 4));
    if (kind == 14) {
      ASSERT_TRUE(device.flush().ok());
    }
  }

 private:
  std::vector<u8> content_;
  std::mt19937 random_;
};

}  // namespace relic86::test
