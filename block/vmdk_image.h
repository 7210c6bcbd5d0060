// VMware's virtual disks (VMDK): a sparse file, or a descriptor that names the files with the parts of the disk.
#pragma once

#include <vector>

#include "block/neighbours.h"
#include "block/vmdk_descriptor.h"
#include "block/vmdk_sparse.h"

namespace relic86 {

class VmdkImage final : public DiskImage {
 public:
  static Result<std::unique_ptr<VmdkImage>> open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);

  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return read_only_; }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override;

  bool take_host_full() override;

  ImageInfo info() const override;
  i64 modified_ns() const override;

 private:
  // A part of the disk: sparse, or at an offset of a file, or nothing but zeros.
  struct Part {
    u64 first = 0, length = 0;
    std::unique_ptr<VmdkSparse> sparse{};
    std::unique_ptr<ImageFile> flat{};
    u64 flat_offset = 0;
  };
  VmdkImage(std::string path, bool read_only) : path_(std::move(path)), read_only_(read_only) {}
  Result<> open_sparse(std::unique_ptr<ImageFile> file);
  Result<> open_parts(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);
  Result<> add_part(const VmdkExtent& extent, const Neighbours& neighbours);
  Result<> open_parent(const Neighbours& neighbours);
  Error damaged(std::string_view what) const;
  ImageFile& descriptor_file() { return descriptor_file_ ? *descriptor_file_ : parts_[0].sparse->file(); }
  Result<> change_content_id();
  Part& part_at(u64 offset);

  std::string path_;
  bool read_only_;
  u64 size_ = 0;
  VmdkDescriptor descriptor_;
  u64 descriptor_offset_ = 0;                   // of the text in its file
  std::unique_ptr<ImageFile> descriptor_file_;  // null: inside the sparse part
  std::vector<Part> parts_;
  std::shared_ptr<DiskImage> parent_;
  bool changed_ = false;
};

}  // namespace relic86
