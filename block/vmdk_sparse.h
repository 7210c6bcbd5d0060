// A sparse part of a VMDK disk: grains that a directory of tables maps, also compressed ones (streamOptimized), which
// are read only. Numbers in a file are little-endian; places are counted in sectors of 512 bytes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "block/sparse_image.h"

namespace relic86 {

class VmdkSparse final : public SparseImage {
 public:
  static Result<std::unique_ptr<VmdkSparse>> open(std::unique_ptr<ImageFile> file);
  ~VmdkSparse() override { flush_at_end(); }

  ImageInfo info() const override { return common_info("vmdk"); }
  // The descriptor inside; empty: there is none.
  Result<std::string> descriptor_text();
  u64 descriptor_offset() const { return descriptor_offset_; }
  ImageFile& file() { return *file_; }
  bool compressed() const { return compressed_; }
  void put_below(std::unique_ptr<DiskImage> below) { below_ = std::move(below); }

 private:
  explicit VmdkSparse(std::unique_ptr<ImageFile> file) : SparseImage(std::move(file)) {}
  using Table = std::vector<u32>;
  Result<> read_header();
  Result<> read_fields(std::span<const u8> header);
  Result<> read_directory();
  Result<Table*> table_for(u64 block);  // null: the directory has none
  Result<Range> find(u64 offset) override;
  Result<> read_packed(u64 offset, std::span<u8> bytes) override;
  Result<u64> new_place(u64 block) override;
  Result<> enter(u64 block, u64 host) override;
  Result<> write_tables() override;
  Result<> write_numbers(u64 offset, std::span<const u32> numbers);

  bool zeroed_grains_ = false, compressed_ = false;
  u64 descriptor_offset_ = 0, descriptor_size_ = 0;
  u64 entries_per_table_ = 0;
  u64 directory_offset_ = 0, second_offset_ = 0;  // bytes; the second one: 0 if there is none
  std::vector<u32> directory_, second_;           // the sectors of the tables
  bool directory_dirty_ = false;
  std::map<u64, Table> tables_;
  std::vector<u64> dirty_tables_;
  u64 unpacked_sector_ = 0;  // of the grain that unpacked_ holds; 0: none
  std::vector<u8> unpacked_;
};

}  // namespace relic86
