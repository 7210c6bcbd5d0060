#include "block/qcow2_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "block/decompress.h"

namespace relic86 {

using Kind = Qcow2Range::Kind;

Qcow2Image::Qcow2Image(std::unique_ptr<ImageFile> file, Qcow2Header header, Qcow2Map map)
    : file_(std::move(file)), header_(std::move(header)), map_(std::move(map)) {}

Result<std::unique_ptr<Qcow2Image>> Qcow2Image::open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours) {
  auto header = read_qcow2_header(*file);
  if (!header) return header.error();
  auto map = Qcow2Map::load(*file, header.value(), header.value().l1_offset, header.value().l1_entries);
  if (!map) return map.error();
  std::unique_ptr<Qcow2Image> image(new Qcow2Image(std::move(file), std::move(header).value(), std::move(map).value()));
  auto snapshots = read_qcow2_snapshots(*image->file_, image->header_);
  if (!snapshots) return snapshots.error();
  image->snapshots_ = std::move(snapshots).value();
  auto backing = neighbours.open_backing(image->header_.backing_file, image->header_.backing_format);
  if (!backing) return Error{fmt::format("{}: its backing file {}", image->file_->path(), backing.message())};
  image->backing_ = std::move(backing).value();
  if (!image->read_only()) {
    if (auto prepared = image->prepare_for_writing(); !prepared) return prepared.error();
  }
  return image;
}

Result<> Qcow2Image::check_range(std::string_view what, u64 offset, u64 length) const {
  if (offset <= header_.size && length <= header_.size - offset) return {};
  return Error{fmt::format("{}: {} beyond the end of the image", file_->path(), what)};
}

// --- Reading ---

// The image below may be shorter.
Result<> Qcow2Image::read_below(u64 offset, std::span<u8> bytes) {
  const u64 size = backing_ ? backing_->size_bytes() : 0;
  const auto there = static_cast<std::size_t>(offset < size ? std::min<u64>(bytes.size(), size - offset) : 0);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(there), bytes.end(), u8{0});
  return there == 0 ? Result<>() : backing_->read(offset, bytes.first(there));
}

Result<> Qcow2Image::read_compressed(u64 entry, u64 within, std::span<u8> bytes) {
  if (unpacked_entry_ != entry) {
    const Qcow2CompressedRange range = qcow2_compressed_range(entry, header_.cluster_bits);
    const auto damaged = [&] {
      return Error{
          fmt::format("{}: is damaged: the compressed cluster at {:#x} cannot be expanded; 'qemu-img check' "
                      "tells more",
                      file_->path(), range.offset)};
    };
    if (range.offset >= file_->size_bytes()) return damaged();
    std::vector<u8> packed(static_cast<std::size_t>(std::min(range.length, file_->size_bytes() - range.offset)));
    if (auto read = file_->read(range.offset, packed); !read) return read;
    unpacked_entry_ = 0;
    unpacked_.resize(static_cast<std::size_t>(header_.cluster_size()));
    const bool zstd = header_.compression == Qcow2Header::Compression::Zstd;
    if (!(zstd ? expand_zstd(packed, unpacked_) : expand_deflate(packed, unpacked_))) return damaged();
    unpacked_entry_ = entry;
  }
  std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(within), bytes.size(), bytes.begin());
  return {};
}

Result<u64> Qcow2Image::read_piece(u64 offset, std::span<u8> bytes) {
  const auto found = map_.find(offset);
  if (!found) return found.error();
  const Qcow2Range& range = found.value();
  u64 length = std::min<u64>(range.length, bytes.size());
  // What lies one after the other in the file, too, is read at once.
  while (length < bytes.size() && range.kind != Kind::Compressed) {
    const auto next = map_.find(offset + length);
    if (!next) break;  // told when it is read itself
    if (next.value().kind != range.kind || (range.kind == Kind::Data && next.value().host != range.host + length))
      break;
    length += std::min<u64>(next.value().length, bytes.size() - length);
  }
  const auto piece = bytes.first(static_cast<std::size_t>(length));
  Result<> read;
  switch (range.kind) {
    case Kind::Unallocated: read = read_below(offset, piece); break;
    case Kind::Zero: std::fill(piece.begin(), piece.end(), u8{0}); break;
    case Kind::Data: read = read_padded(*file_, range.host, piece); break;
    case Kind::Compressed: read = read_compressed(range.entry, offset % header_.cluster_size(), piece); break;
  }
  if (!read) return read.error();
  return length;
}

Result<> Qcow2Image::read(u64 offset, std::span<u8> bytes) {
  if (auto checked = check_range("read", offset, bytes.size()); !checked) return checked;
  while (!bytes.empty()) {
    const auto done = read_piece(offset, bytes);
    if (!done) return done.error();
    offset += done.value();
    bytes = bytes.subspan(static_cast<std::size_t>(done.value()));
  }
  map_.trim();
  return {};
}

ImageInfo Qcow2Image::info() const {
  ImageInfo info;
  info.file = file_->path();
  info.format = "qcow2";
  info.virtual_size = header_.size;
  info.actual_size = file_->allocated_bytes();
  info.cluster_size = header_.cluster_size();
  info.dirty = (header_.incompatible & Qcow2Header::kDirty) != 0;
  info.backing_file = header_.backing_file;
  info.backing_format = header_.backing_format;
  for (const Qcow2Snapshot& snapshot : snapshots_.snapshots) info.snapshots.push_back(snapshot.about);
  if (backing_) info.backing = std::make_shared<const ImageInfo>(backing_->info());
  return info;
}

}  // namespace relic86
