// What is copied from image to image while the guest goes on. Each works piece by piece, and each piece has the images
// to itself: it is carried out in the queue of the guest's requests (DriveMedium::run).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "block/disk_image.h"
#include "block/drive_medium.h"

namespace relic86 {

class ImageWork {
 public:
  virtual ~ImageWork() = default;
  ImageWork() = default;
  ImageWork(const ImageWork&) = delete;
  ImageWork& operator=(const ImageWork&) = delete;

  // Carries out the next piece, on whichever thread has the image: how many bytes that cost (0: none). When nothing is
  // left for now, exhausted() says so.
  virtual Result<u64> step() = 0;
  bool exhausted() const { return exhausted_; }
  // There is nothing to do but to follow the guest, until that fails or the job is cancelled.
  bool only_follows() const { return only_follows_; }
  // Bytes, as far as they are known.
  u64 done() const { return done_; }
  u64 total() const { return total_; }
  // Null: what the guest writes meanwhile does not matter.
  virtual DriveMedium::Follower* follower() { return nullptr; }
  // What was copied is on the host's disk. With nothing under way.
  virtual Result<> flush() { return {}; }

 protected:
  static constexpr u64 kPiece = 1u << 20;
  std::atomic<bool> exhausted_ = false, only_follows_ = false;
  std::atomic<u64> done_ = 0, total_ = 0;
};

// Parts of a disk of the same size each, of which some are marked.
class ChunkSet {
 public:
  static constexpr u64 kChunk = 65536;
  explicit ChunkSet(u64 size) : size_(size), bits_((size + kChunk - 1) / kChunk) {}
  bool has(u64 chunk) const { return bits_[chunk]; }
  void add(u64 chunk) { count_ += bits_[chunk] ? 0 : 1, bits_[chunk] = true; }
  void remove(u64 chunk) { count_ -= bits_[chunk] ? 1 : 0, bits_[chunk] = false; }
  bool empty() const { return count_ == 0; }
  u64 bytes() const { return count_ * kChunk; }
  u64 chunks() const { return bits_.size(); }
  u64 length(u64 chunk) const { return std::min(kChunk, size_ - chunk * kChunk); }
  // The first marked one from there on, going round. There is one.
  u64 next(u64 from) const;

 private:
  u64 size_;
  std::vector<bool> bits_;
  u64 count_ = 0;
};

// The target becomes, and stays, what the guest sees: block-commit of the image that is written to, and mirrors.
class MirrorWork final : public ImageWork, private DriveMedium::Follower {
 public:
  // What is copied: all, or what images over `end` hold (null: none but what is written from now on).
  enum class Scope : u8 { All, Above, Changes };
  MirrorWork(std::shared_ptr<DiskImage> source, std::shared_ptr<DiskImage> target, Scope scope,
             const DiskImage* end = nullptr);

  Result<u64> step() override;
  DriveMedium::Follower* follower() override { return this; }
  Result<> flush() override;

 private:
  void changes(u64, u64) override {}
  void changed(u64 offset, u64 length) override;
  Result<u64> sweep();
  void mark(u64 offset, u64 length);

  std::shared_ptr<DiskImage> source_, target_;
  Scope scope_;
  const DiskImage* end_;
  u64 swept_ = 0;   // so far all was looked at once
  ChunkSet dirty_;  // of that, what has changed since
  u64 cursor_ = 0;  // in chunks
  std::vector<u8> buffer_;
  std::optional<Error> trouble_;
};

// The target becomes what the guest saw when this began: what is written over is copied first.
class BackupWork final : public ImageWork, private DriveMedium::Follower {
 public:
  // Changes: only what is written over, until it is cancelled.
  enum class Scope : u8 { All, Top, Changes };
  BackupWork(std::shared_ptr<DiskImage> source, std::shared_ptr<DiskImage> target, Scope scope);

  Result<u64> step() override;
  DriveMedium::Follower* follower() override { return this; }
  Result<> flush() override { return trouble_ ? Result<>(*trouble_) : target_->flush(); }

 private:
  void changes(u64 offset, u64 length) override;
  void changed(u64, u64) override {}
  Result<> copy(u64 chunk);

  std::shared_ptr<DiskImage> source_, target_;
  Scope scope_;
  ChunkSet left_;
  u64 cursor_ = 0;
  std::vector<u8> buffer_;
  std::optional<Error> trouble_;
};

// What images below hold is written into another one: into the top, from those over `end` (block-stream), or into the
// one at the end, from those above it that are not written to (block-commit).
class MergeWork final : public ImageWork {
 public:
  enum class Into : u8 { Top, End };
  // end: null: down to the last one (Into::Top alone).
  MergeWork(std::shared_ptr<DiskImage> top, std::shared_ptr<DiskImage> end, Into into);

  Result<u64> step() override;
  Result<> flush() override;

 private:
  std::shared_ptr<DiskImage> top_, end_;
  Into into_;
  u64 cursor_ = 0;
  std::vector<u8> buffer_;
};

}  // namespace relic86
