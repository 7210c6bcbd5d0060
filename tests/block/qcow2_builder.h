// Makes qcow2 images in memory, from the format's description: what tests open needs no other program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/byte_order.h"
#include "block/qcow2_entry.h"
#include "tests/block/memory_file.h"

namespace relic86::test {

struct Qcow2Recipe {
  u32 version = 3;
  u32 cluster_bits = 9;
  u32 refcount_order = 4;
  u64 size = 1 << 20;
  u64 incompatible = 0;
  std::string backing_file{}, backing_format{};
  bool zstd = false;
};

// An empty image: header, refcount table, one refcount block, L1 table, in this order.
class Qcow2Builder {
 public:
  explicit Qcow2Builder(const Qcow2Recipe& recipe) : recipe_(recipe) {
    const u64 cluster = u64{1} << recipe.cluster_bits;
    const u64 per_table = cluster / ((recipe.incompatible & Qcow2Header::kExtendedL2) != 0 ? 16 : 8) * cluster;
    l1_entries_ = static_cast<u32>((recipe.size + per_table - 1) / per_table);
    const u64 l1_clusters = (u64{l1_entries_} * 8 + cluster - 1) / cluster;
    bytes_.resize(static_cast<std::size_t>((3 + l1_clusters) * cluster));
    const auto all = std::span(bytes_);
    store_be<u32>(all, 0, 0x514649FB);
    store_be<u32>(all, 4, recipe.version);
    store_be<u32>(all, 20, recipe.cluster_bits);
    store_be<u64>(all, 24, recipe.size);
    store_be<u32>(all, 36, l1_entries_);
    store_be<u64>(all, 40, 3 * cluster);
    store_be<u64>(all, 48, cluster);
    store_be<u32>(all, 56, 1);
    std::size_t at = 72;
    if (recipe.version >= 3) {
      store_be<u64>(all, 72, recipe.incompatible | (recipe.zstd ? Qcow2Header::kCompressionType : 0));
      store_be<u32>(all, 96, recipe.refcount_order);
      store_be<u32>(all, 100, 112);
      bytes_[104] = recipe.zstd ? 1 : 0;
      at = 112;
    }
    if (!recipe.backing_format.empty()) at = put_extension(at, 0xE2792ACA, recipe.backing_format);
    at = put_extension(at, 0, "");
    if (!recipe.backing_file.empty()) {
      store_be<u64>(all, 8, at);
      store_be<u32>(all, 16, static_cast<u32>(recipe.backing_file.size()));
      std::copy(recipe.backing_file.begin(), recipe.backing_file.end(),
                bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    store_be<u64>(all, cluster, 2 * cluster);
    for (u64 i = 0; i < 3 + l1_clusters; i++) count(i, 1);
  }

  // Says how often a cluster is referred to; the first refcount block covers it.
  void count(u64 cluster, u64 references) {
    const std::size_t block = std::size_t{2} << recipe_.cluster_bits;
    const unsigned bits = 1u << recipe_.refcount_order;
    if (bits >= 8) {
      for (unsigned i = 0; i < bits / 8; i++)
        bytes_[block + cluster * (bits / 8) + i] = static_cast<u8>(references >> (bits - 8 - 8 * i));
      return;
    }
    u8& byte = bytes_[block + cluster * bits / 8];
    const unsigned shift = static_cast<unsigned>(cluster * bits % 8);
    byte = static_cast<u8>((byte & ~(((1u << bits) - 1) << shift)) | static_cast<unsigned>(references) << shift);
  }
  // The next cluster of the file, with that content.
  u64 append(const std::vector<u8>& content) {
    const u64 cluster = u64{1} << recipe_.cluster_bits;
    const u64 offset = bytes_.size();
    bytes_.resize(
        static_cast<std::size_t>((offset + std::max<u64>(content.size(), 1) + cluster - 1) / cluster * cluster));
    std::copy(content.begin(), content.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    for (u64 at = offset; at < bytes_.size(); at += cluster) count(at / cluster, 1);
    return offset;
  }
  void put(u64 offset, u64 number) { store_be<u64>(bytes_, static_cast<std::size_t>(offset), number); }
  u64 l1_offset() const { return u64{3} << recipe_.cluster_bits; }

  std::vector<u8>& bytes() { return bytes_; }
  std::shared_ptr<MemoryFileContent> content() const {
    auto content = std::make_shared<MemoryFileContent>();
    content->bytes = bytes_;
    return content;
  }

 private:
  std::size_t put_extension(std::size_t at, u32 type, const std::string& text) {
    store_be<u32>(bytes_, at, type);
    store_be<u32>(bytes_, at + 4, static_cast<u32>(text.size()));
    std::copy(text.begin(), text.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at + 8));
    return at + 8 + (text.size() + 7) / 8 * 8;
  }

  Qcow2Recipe recipe_;
  u32 l1_entries_ = 0;
  std::vector<u8> bytes_;
};

}  // namespace relic86::test
