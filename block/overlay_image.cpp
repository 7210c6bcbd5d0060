#include "block/overlay_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace relic86 {

namespace {

int open_unlinked(const std::string& directory) {
  const int file = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string name = directory + "/relic86-overlay-XXXXXX";  // a file system without unnamed files
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

}  // namespace

Result<std::unique_ptr<OverlayImage>> OverlayImage::create(std::unique_ptr<BlockDevice> base, std::string directory) {
  RELIC86_ASSERT(base != nullptr);
  if (directory.empty()) {
    const char* chosen = std::getenv("TMPDIR");
    directory = chosen != nullptr && *chosen != 0 ? chosen : "/var/tmp";
  }
  const int file = open_unlinked(directory);
  if (file < 0) {
    return Error{fmt::format("{}: no temporary file for the snapshot overlay ({}); set TMPDIR to a writable folder",
                             directory, std::strerror(errno))};
  }
  return std::unique_ptr<OverlayImage>(new OverlayImage(std::move(base), file, std::move(directory)));
}

OverlayImage::~OverlayImage() { close(file_); }

bool OverlayImage::has(u64 block) const {
  const u64 leaf = block / kBlocksPerLeaf;
  if (leaf >= leaves_.size() || leaves_[leaf].empty()) return false;
  const u64 bit = block % kBlocksPerLeaf;
  return (leaves_[leaf][bit / 64] >> (bit % 64) & 1) != 0;
}

void OverlayImage::add(u64 block) {
  const u64 leaf = block / kBlocksPerLeaf;
  if (leaf >= leaves_.size()) leaves_.resize(leaf + 1);
  if (leaves_[leaf].empty()) leaves_[leaf].resize(kBlocksPerLeaf / 64);
  const u64 bit = block % kBlocksPerLeaf;
  leaves_[leaf][bit / 64] |= u64{1} << (bit % 64);
  block_count_++;
}

u64 OverlayImage::block_length(u64 block) const { return std::min<u64>(kBlockSize, size_bytes() - block * kBlockSize); }

Result<> OverlayImage::read_overlay(u64 offset, std::span<u8> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = pread(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return Error{fmt::format("{}: reading the snapshot overlay failed ({}); check the host's disk", directory_,
                               got < 0 ? std::strerror(errno) : "file too short")};
    }
    offset += static_cast<u64>(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<> OverlayImage::write_overlay(u64 offset, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      full_ = full_ || put == 0 || errno == ENOSPC;
      return Error{fmt::format("{}: writing the snapshot overlay failed ({}); free some space or set TMPDIR",
                               directory_, std::strerror(put < 0 ? errno : ENOSPC))};
    }
    offset += static_cast<u64>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> OverlayImage::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_bytes() || bytes.size() > size_bytes() - offset) return Error{"read beyond the end of the image"};
  while (!bytes.empty()) {
    // One run of blocks that are all in the same layer.
    const bool upper = has(offset / kBlockSize);
    u64 end = (offset / kBlockSize + 1) * kBlockSize;
    while (end - offset < bytes.size() && has(end / kBlockSize) == upper) end += kBlockSize;
    const auto run = bytes.first(std::min<u64>(bytes.size(), end - offset));
    if (auto result = upper ? read_overlay(offset, run) : base_->read(offset, run); !result) return result;
    offset += run.size();
    bytes = bytes.subspan(run.size());
  }
  return {};
}

Result<> OverlayImage::write(u64 offset, std::span<const u8> bytes) {
  if (offset > size_bytes() || bytes.size() > size_bytes() - offset) return Error{"write beyond the end of the image"};
  while (!bytes.empty()) {
    const u64 block = offset / kBlockSize;
    const u64 start = block * kBlockSize;
    const u64 length = block_length(block);
    const auto piece = bytes.first(std::min<u64>(bytes.size(), start + length - offset));
    if (has(block) || piece.size() == length) {
      if (auto result = write_overlay(offset, piece); !result) return result;
    } else {
      std::array<u8, kBlockSize> whole{};
      const auto view = std::span(whole).first(length);
      if (auto result = base_->read(start, view); !result) return result;
      std::copy(piece.begin(), piece.end(), view.begin() + static_cast<std::ptrdiff_t>(offset - start));
      if (auto result = write_overlay(start, view); !result) return result;
    }
    if (!has(block)) add(block);
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

u64 OverlayImage::leaf_count() const {
  return std::max<u64>(leaves_.size(), shared_ != nullptr ? shared_->leaf_count() : 0);
}

bool OverlayImage::leaf_is_empty(u64 leaf) const {
  return (leaf >= leaves_.size() || leaves_[leaf].empty()) && (shared_ == nullptr || shared_->leaf_is_empty(leaf));
}

Result<> OverlayImage::visit(const Visitor& visitor) const {
  std::array<u8, kBlockSize> content{};
  for (u64 leaf = 0; leaf < leaf_count(); leaf++) {
    if (leaf_is_empty(leaf)) continue;
    for (u64 bit = 0; bit < kBlocksPerLeaf; bit++) {
      const u64 block = leaf * kBlocksPerLeaf + bit;
      if (!has_here_or_below(block)) continue;
      const auto view = std::span(content).first(block_length(block));
      const OverlayImage* layer = this;
      while (!layer->has(block)) layer = layer->shared_;
      if (auto result = layer->read_overlay(block * kBlockSize, view); !result) return result;
      if (auto result = visitor(block * kBlockSize, view); !result) return result;
    }
  }
  return {};
}

Result<> OverlayImage::forked() {
  const int file = open_unlinked(directory_);
  if (file < 0) {
    return Error{fmt::format("{}: no temporary file for the snapshot overlay ({}); set TMPDIR to a writable folder",
                             directory_, std::strerror(errno))};
  }
  std::unique_ptr<OverlayImage> below(new OverlayImage(std::move(base_), file_, directory_));
  below->leaves_ = std::exchange(leaves_, {});
  below->block_count_ = std::exchange(block_count_, 0);
  below->shared_ = shared_;
  shared_ = below.get();
  base_ = std::move(below);
  file_ = file;
  return {};
}

Result<> OverlayImage::clear() {
  while (shared_ != nullptr) {  // what lies below stays as it is for the processes that share it
    OverlayImage* const below = std::exchange(shared_, shared_->shared_);
    base_ = std::unique_ptr<BlockDevice>(std::move(below->base_));
  }
  leaves_.clear();
  block_count_ = 0;
  // Gives the space back. The length does not matter: no block is in the file any more.
  if (ftruncate(file_, 0) != 0) {
    return Error{fmt::format("{}: emptying the snapshot overlay failed ({}); check the host's disk", directory_,
                             std::strerror(errno))};
  }
  return {};
}

Result<> OverlayImage::commit() {
  if (base().read_only()) return Error{"the image is read-only; open it for writing to commit to it"};
  auto result = visit([this](u64 offset, std::span<const u8> bytes) { return base().write(offset, bytes); });
  if (!result) return result;
  if (result = base().flush(); !result) return result;
  return clear();
}

}  // namespace relic86
