#include "block/vmdk_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u64 kMostDescriptor = 1 << 20;
constexpr u32 kSparseMagic = 0x564D444B;  // "KDMV"

// What a part of the disk stands on: the parent from that part's place on.
class ParentPart final : public DiskImage {
 public:
  ParentPart(std::shared_ptr<DiskImage> parent, u64 first) : parent_(std::move(parent)), first_(first) {}
  u64 size_bytes() const override { return parent_->size_bytes() - std::min(parent_->size_bytes(), first_); }
  bool read_only() const override { return true; }
  Result<> read(u64 offset, std::span<u8> bytes) override { return parent_->read(first_ + offset, bytes); }
  Result<> write(u64, std::span<const u8>) override { return Error{"a parent is only read"}; }
  Result<> flush() override { return {}; }
  ImageInfo info() const override { return parent_->info(); }
  i64 modified_ns() const override { return parent_->modified_ns(); }

 private:
  std::shared_ptr<DiskImage> parent_;
  u64 first_;
};

}  // namespace

Error VmdkImage::damaged(std::string_view what) const {
  return Error{fmt::format("{}: {}; take a copy of it that is not damaged, or convert it (qemu-img convert -O qcow2)",
                           path_, what)};
}

Result<std::unique_ptr<VmdkImage>> VmdkImage::open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours) {
  std::unique_ptr<VmdkImage> image(new VmdkImage(file->path(), file->read_only()));
  std::array<u8, 4> magic{};
  if (auto read = read_padded(*file, 0, magic); !read) return read.error();
  const bool sparse = load_le<u32>(magic, 0) == kSparseMagic;
  auto opened = sparse ? image->open_sparse(std::move(file)) : image->open_parts(std::move(file), neighbours);
  if (opened) opened = image->open_parent(neighbours);
  if (!opened) return opened.error();
  return image;
}

Result<> VmdkImage::open_sparse(std::unique_ptr<ImageFile> file) {
  auto sparse = VmdkSparse::open(std::move(file));
  if (!sparse) return sparse.error();
  if (sparse.value()->compressed() && !read_only_) {
    return Error{
        fmt::format("{}: compressed VMDK images (streamOptimized) are only read; use readonly=on or "
                    "snapshot=on, or convert it (qemu-img convert -O qcow2)",
                    path_)};
  }
  const auto text = sparse.value()->descriptor_text();
  if (!text) return text.error();
  if (!text.value().empty()) {
    auto descriptor = parse_vmdk_descriptor(text.value());
    if (!descriptor) return damaged(descriptor.message());
    descriptor_ = std::move(descriptor).value();
  }
  size_ = sparse.value()->size_bytes();
  descriptor_offset_ = sparse.value()->descriptor_offset();
  parts_.push_back({.first = 0, .length = size_, .sparse = std::move(sparse).value()});
  return {};
}

Result<> VmdkImage::open_parts(std::unique_ptr<ImageFile> file, const Neighbours& neighbours) {
  if (file->size_bytes() > kMostDescriptor) return damaged("is not a VMDK image, or its descriptor is too long");
  std::string text(static_cast<std::size_t>(file->size_bytes()), 0);
  if (auto read = file->read(0, {reinterpret_cast<u8*>(text.data()), text.size()}); !read) return read;
  auto descriptor = parse_vmdk_descriptor(text);
  if (!descriptor) return damaged(descriptor.message());
  descriptor_ = std::move(descriptor).value();
  if (descriptor_.extents.empty()) return damaged("is not a VMDK image, or its descriptor names no part of the disk");
  for (const VmdkExtent& extent : descriptor_.extents) {
    if (auto added = add_part(extent, neighbours); !added) return added;
  }
  descriptor_file_ = std::move(file);
  return {};
}

Result<> VmdkImage::add_part(const VmdkExtent& extent, const Neighbours& neighbours) {
  Part part{.first = size_, .length = extent.bytes};
  if (!extent.writable && !read_only_)
    return damaged(fmt::format("its part {} is read-only; use readonly=on", extent.file));
  if (extent.kind != VmdkExtent::Kind::Zero) {
    auto file = neighbours.open_part(extent.file);
    if (!file) return Error{fmt::format("{}: its part {}", path_, file.message())};
    if (extent.kind == VmdkExtent::Kind::Flat) {
      const u64 size = file.value()->size_bytes();
      if (extent.offset > size || extent.bytes > size - extent.offset)
        return damaged(fmt::format("its part {} is shorter than the descriptor says", extent.file));
      part.flat = std::move(file).value();
      part.flat_offset = extent.offset;
    } else {
      auto sparse = VmdkSparse::open(std::move(file).value());
      if (!sparse) return Error{fmt::format("{}: its part {}", path_, sparse.message())};
      part.sparse = std::move(sparse).value();
      if (part.sparse->compressed() && !read_only_)
        return damaged(fmt::format("its part {} is compressed; use readonly=on", extent.file));
      if (part.sparse->size_bytes() < part.length)
        return damaged(fmt::format("its part {} is shorter than the descriptor says", extent.file));
    }
  }
  constexpr u64 kMostBytes = u64{1} << 60;
  if (part.length > kMostBytes - size_) return damaged("its parts are too long together");
  size_ += part.length;
  parts_.push_back(std::move(part));
  return {};
}

// The parent must hold what it did when this image was made from it.
Result<> VmdkImage::open_parent(const Neighbours& neighbours) {
  if (descriptor_.parent_content_id == VmdkDescriptor::kNoParent) return {};
  if (descriptor_.parent.empty()) return damaged("it does not say which image is its parent");
  auto parent = neighbours.open_backing(descriptor_.parent, "vmdk");
  if (!parent) return Error{fmt::format("{}: its parent {}", path_, parent.message())};
  if (!parent.value()) return {};
  if (const auto* const vmdk = dynamic_cast<const VmdkImage*>(parent.value().get());
      vmdk != nullptr && vmdk->descriptor_.content_id != descriptor_.parent_content_id) {
    return Error{
        fmt::format("{}: its parent {} was changed since this image was made from it; put the parent back as it "
                    "was",
                    path_, vmdk->path_)};
  }
  parent_ = std::move(parent).value();
  for (Part& part : parts_) {
    if (part.sparse) part.sparse->put_below(std::make_unique<ParentPart>(parent_, part.first));
  }
  return {};
}

VmdkImage::Part& VmdkImage::part_at(u64 offset) {
  const auto after = std::upper_bound(parts_.begin(), parts_.end(), offset,
                                      [](u64 value, const Part& part) { return value < part.first; });
  return *(after - 1);
}

Result<> VmdkImage::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset)
    return Error{fmt::format("{}: read beyond the end of the image", path_)};
  while (!bytes.empty()) {
    Part& part = part_at(offset);
    const u64 within = offset - part.first;
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<u64>(bytes.size(), part.length - within)));
    Result<> read;
    if (part.sparse) {
      read = part.sparse->read(within, piece);
    } else if (part.flat) {
      read = part.flat->read(part.flat_offset + within, piece);
    } else {
      std::fill(piece.begin(), piece.end(), u8{0});
    }
    if (!read) return read;
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

// Whoever stands on this image sees by its content ID that it was changed.
Result<> VmdkImage::change_content_id() {
  changed_ = true;
  if (descriptor_.content_id_at == 0) return {};
  constexpr u32 kMultiplier = 1664525, kIncrement = 1013904223;  // any other number will do
  u32 next = descriptor_.content_id * kMultiplier + kIncrement;
  if (next == VmdkDescriptor::kNoParent) next = kIncrement;
  const std::string digits = fmt::format("{:08x}", next);
  descriptor_.content_id = next;
  return descriptor_file().write(descriptor_offset_ + descriptor_.content_id_at,
                                 {reinterpret_cast<const u8*>(digits.data()), digits.size()});
}

Result<> VmdkImage::write(u64 offset, std::span<const u8> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset)
    return Error{fmt::format("{}: write beyond the end of the image", path_)};
  if (read_only_) return Error{fmt::format("{}: was opened read-only", path_)};
  if (!changed_) {
    if (auto changed = change_content_id(); !changed) return changed;
  }
  while (!bytes.empty()) {
    Part& part = part_at(offset);
    const u64 within = offset - part.first;
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<u64>(bytes.size(), part.length - within)));
    Result<> written = Error{fmt::format("{}: this part of the disk holds zeros only and is not written to", path_)};
    if (part.sparse) written = part.sparse->write(within, piece);
    if (part.flat) written = part.flat->write(part.flat_offset + within, piece);
    if (!written) return written;
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<> VmdkImage::flush() {
  if (read_only_ || !changed_) return {};
  for (const Part& part : parts_) {
    auto flushed = part.sparse ? part.sparse->flush() : part.flat ? part.flat->flush() : Result<>();
    if (!flushed) return flushed;
  }
  return descriptor_file().flush();
}

bool VmdkImage::take_host_full() {
  bool full = false;
  for (const Part& part : parts_) {
    if (part.sparse) full |= part.sparse->file().take_full();
    if (part.flat) full |= part.flat->take_full();
  }
  return full;
}

ImageInfo VmdkImage::info() const {
  ImageInfo info;
  info.file = path_;
  info.format = "vmdk";
  info.virtual_size = size_;
  if (descriptor_file_) info.actual_size = descriptor_file_->allocated_bytes();
  for (const Part& part : parts_) {
    if (part.flat) info.actual_size += part.flat->allocated_bytes();
    if (!part.sparse) continue;
    info.actual_size += part.sparse->info().actual_size;
    info.cluster_size = part.sparse->info().cluster_size;
  }
  info.backing_file = descriptor_.parent;
  if (parent_) info.backing = std::make_shared<const ImageInfo>(parent_->info());
  return info;
}

i64 VmdkImage::modified_ns() const {
  i64 latest = descriptor_file_ ? descriptor_file_->modified_ns() : 0;
  for (const Part& part : parts_) {
    if (part.flat) latest = std::max(latest, part.flat->modified_ns());
    if (part.sparse) latest = std::max(latest, part.sparse->modified_ns());
  }
  return latest;
}

}  // namespace relic86
