// A temporary copy-on-write layer over an image (-snapshot): what the guest writes goes to an unlinked sparse file.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block/block_device.h"

namespace relic86 {

class OverlayImage final : public BlockDevice {
 public:
  static constexpr u32 kBlockSize = 4096;

  // directory: where the temporary file lives; empty: $TMPDIR, else /var/tmp. The base is only read, until commit().
  static Result<std::unique_ptr<OverlayImage>> create(std::unique_ptr<BlockDevice> base, std::string directory = {});
  ~OverlayImage() override;
  OverlayImage(const OverlayImage&) = delete;
  OverlayImage& operator=(const OverlayImage&) = delete;

  u64 size_bytes() const override { return base_->size_bytes(); }
  bool read_only() const override { return false; }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  // A full host disk leaves the block as it was.
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override { return {}; }  // the overlay does not outlive the process: nothing to make durable
  bool take_host_full() override { return std::exchange(full_, false); }

  // Writes all blocks into the base, flushes it and empties the overlay. After an error the overlay is complete still.
  Result<> commit();

  // For savevm: visits the overlay's blocks in ascending order: offset in the image, and kBlockSize bytes (fewer at the
  // image's end). The first error ends the visit.
  using Visitor = std::function<Result<>(u64 offset, std::span<const u8> bytes)>;
  Result<> visit(const Visitor& visitor) const;
  u64 block_count() const { return block_count_; }  // since the last fork
  // For loadvm: forgets all blocks; write() then puts the saved ones back.
  Result<> clear();

  // In a process that has just been forked: what is in the overlay stays shared with the process that this one was, and
  // is not written to any more; what is written goes to a file of this process's own.
  Result<> forked();

  BlockDevice& base() { return shared_ != nullptr ? shared_->base() : *base_; }

 private:
  OverlayImage(std::unique_ptr<BlockDevice> base, int file, std::string directory)
      : base_(std::move(base)), file_(file), directory_(std::move(directory)) {}
  // Which blocks are in the overlay, in leaves of 32 Ki blocks (128 MiB) that exist once one is written: 32 MiB of host
  // memory for a terabyte, if the guest writes everywhere.
  static constexpr u64 kBlocksPerLeaf = 32768;
  using Leaf = std::vector<u64>;
  bool has(u64 block) const;
  bool has_here_or_below(u64 block) const {
    return has(block) || (shared_ != nullptr && shared_->has_here_or_below(block));
  }
  void add(u64 block);
  u64 leaf_count() const;
  bool leaf_is_empty(u64 leaf) const;
  u64 block_length(u64 block) const;
  Result<> read_overlay(u64 offset, std::span<u8> bytes) const;
  Result<> write_overlay(u64 offset, std::span<const u8> bytes);

  std::unique_ptr<BlockDevice> base_;
  OverlayImage* shared_ = nullptr;  // base_, if that is the overlay of before a fork
  int file_;
  std::string directory_;
  std::vector<Leaf> leaves_;
  u64 block_count_ = 0;
  bool full_ = false;
};

}  // namespace relic86
