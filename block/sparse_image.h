// What the formats have in common that map blocks of the guest's disk to places in a file, and put new ones at its end:
// VDI, VHD, VHDX and the sparse parts of VMDK.
//
// Data is written at once, tables at a flush: after the data that they refer to has been flushed. Stopped in between,
// an image has some bytes at its end that nothing refers to.
#pragma once

#include <memory>

#include "block/disk_image.h"
#include "block/image_file.h"
#include "block/neighbours.h"

namespace relic86 {

class SparseImage : public DiskImage {
 public:
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return file_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override;
  bool take_host_full() override { return file_->take_full(); }
  i64 modified_ns() const override { return file_->modified_ns(); }

 protected:
  SparseImage(std::unique_ptr<ImageFile> file) : file_(std::move(file)) {}

  // What the disk holds from an offset on.
  struct Range {
    enum class Kind : u8 {
      Below,   // what the image below holds, else zeros
      Zero,    // zeros
      Data,    // at host in the file
      Packed,  // read_packed() knows
    } kind = Kind::Below;
    u64 length = 0;  // bytes of this kind; no more than the block has
    u64 host = 0;
  };
  virtual Result<Range> find(u64 offset) = 0;
  virtual Result<> read_packed(u64 offset, std::span<u8> bytes);
  // Where the content of this block goes, at the file's end: nothing refers to it yet.
  virtual Result<u64> new_place(u64 block) = 0;
  // The tables in memory refer to it; they are written by write_tables().
  virtual Result<> enter(u64 block, u64 host) = 0;
  virtual Result<> write_tables() = 0;
  // Before the first change of an image.
  virtual Result<> begin_changes() { return {}; }

  // For the end of derived classes: nothing that they need is gone yet.
  void flush_at_end();
  ImageInfo common_info(std::string_view format) const;
  Error damaged(std::string_view what) const;
  // A table of that many bytes lies within the file.
  bool fits(u64 offset, u64 bytes) const {
    return offset <= file_->size_bytes() && bytes <= file_->size_bytes() - offset;
  }

  std::unique_ptr<ImageFile> file_;
  u64 size_ = 0;        // bytes, as the guest sees it
  u64 block_size_ = 0;  // bytes
  std::unique_ptr<DiskImage> below_;
  std::string below_name_;     // as the image has it
  bool tables_dirty_ = false;  // enter() was called since they were written
  bool changed_ = false;

 private:
  Result<> check_range(std::string_view what, u64 offset, u64 length) const;
  Result<> read_below(u64 offset, std::span<u8> bytes);
  Result<> write_new_block(u64 offset, std::span<const u8> bytes);
};

}  // namespace relic86
