// Tables of a qcow2 file, each one cluster of it, in host memory: L2 tables or refcount blocks. Changes stay here until
// write_back(), so that whoever owns several kinds decides in which order they reach the file.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "block/image_file.h"

namespace relic86 {

class Qcow2Tables {
 public:
  Qcow2Tables(ImageFile& file, u64 table_size) : file_(&file), table_size_(table_size) {}

  // The table at this place of the file; it stays valid until trim() or forget(). An error names the file.
  Result<std::span<u8>> get(u64 offset);
  // A new table of zeros, or of another one's content, for a place in the file that nothing uses.
  std::span<u8> make(u64 offset);
  void mark_dirty(u64 offset);
  void forget(u64 offset);

  bool dirty() const { return dirty_count_ != 0; }
  u64 dirty_bytes() const { return dirty_count_ * table_size_; }
  // Writes all that is dirty; what failed stays dirty.
  Result<> write_back();
  // Gives memory back: clean tables that were not used lately, until all take no more than this.
  void trim(u64 bytes);

 private:
  struct Table {
    std::vector<u8> content;
    bool dirty = false;
    u64 used = 0;  // when, by clock_
  };
  ImageFile* file_;
  u64 table_size_;
  std::unordered_map<u64, Table> tables_;
  u64 dirty_count_ = 0;
  u64 clock_ = 0;
};

}  // namespace relic86
