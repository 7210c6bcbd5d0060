#include "block/image_work.h"

#include <algorithm>

#include "block/image_chain.h"

namespace relic86 {

namespace {

bool all_zero(std::span<const u8> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == 0; });
}

// Zeros take no space where the target shows them already.
Result<> put(DiskImage& target, u64 offset, std::span<u8> bytes) {
  if (!all_zero(bytes)) return target.write(offset, bytes);
  std::vector<u8> there(bytes.size());
  if (auto read = target.read(offset, there); !read) return read;
  return all_zero(there) ? Result<>() : target.write_zeroes(offset, bytes.size());
}

Result<> copy_range(DiskImage& source, DiskImage& target, u64 offset, std::span<u8> bytes) {
  auto read = source.read(offset, bytes);
  return read ? put(target, offset, bytes) : read;
}

}  // namespace

u64 ChunkSet::next(u64 from) const {
  for (u64 chunk = from;; chunk++) {
    if (chunk >= bits_.size()) chunk = 0;
    if (bits_[chunk]) return chunk;
  }
}

// --- Mirror ---

MirrorWork::MirrorWork(std::shared_ptr<DiskImage> source, std::shared_ptr<DiskImage> target, Scope scope,
                       const DiskImage* end)
    : source_(std::move(source)),
      target_(std::move(target)),
      scope_(scope),
      end_(end),
      dirty_(source_->size_bytes()),
      buffer_(kPiece) {
  total_ = scope == Scope::Changes ? 0 : source_->size_bytes();
  if (scope == Scope::Changes) swept_ = source_->size_bytes();
}

// Goes over the disk once, from its start to its end.
Result<u64> MirrorWork::sweep() {
  const u64 rest = source_->size_bytes() - swept_;
  const auto extent = chain_extent(*source_, scope_ == Scope::All ? nullptr : end_, swept_, rest);
  if (!extent) return extent.error();
  u64 length = extent.value().length, cost = 0;
  bool wanted = extent.value().here;
  if (!wanted && scope_ == Scope::All) {
    // Zeros: where the target has none, they are written.
    const auto there = chain_extent(*target_, nullptr, swept_, length);
    if (!there) return there.error();
    wanted = there.value().here;
    length = there.value().length;
  }
  if (wanted) {
    length = std::min(length, kPiece);
    auto copied = copy_range(*source_, *target_, swept_, std::span(buffer_).first(static_cast<std::size_t>(length)));
    if (!copied) return copied.error();
    if (extent.value().here) cost = length;
  }
  swept_ += length;
  done_ += length;
  return cost;
}

Result<u64> MirrorWork::step() {
  if (trouble_) return Error{*std::exchange(trouble_, std::nullopt)};
  if (swept_ < source_->size_bytes()) return sweep();
  exhausted_ = dirty_.empty();
  if (dirty_.empty()) return u64{0};
  const u64 chunk = dirty_.next(cursor_), length = dirty_.length(chunk);
  auto copied = copy_range(*source_, *target_, chunk * ChunkSet::kChunk,
                           std::span(buffer_).first(static_cast<std::size_t>(length)));
  if (!copied) return copied.error();
  dirty_.remove(chunk);
  cursor_ = chunk + 1;
  done_ += ChunkSet::kChunk;
  exhausted_ = dirty_.empty();
  return length;
}

void MirrorWork::mark(u64 offset, u64 length) {
  const u64 before = dirty_.bytes();
  for (u64 chunk = offset / ChunkSet::kChunk; chunk * ChunkSet::kChunk < offset + length; chunk++) dirty_.add(chunk);
  total_ += dirty_.bytes() - before;
  exhausted_ = false;
}

// While the disk is gone over, what changes behind is noted. Afterwards it is copied at once, so that what is noted
// only becomes less, however much the guest writes.
void MirrorWork::changed(u64 offset, u64 length) {
  if (length == 0 || offset >= swept_) return;
  const bool sweeping = swept_ < source_->size_bytes();
  if (sweeping) return mark(offset, std::min(length, swept_ - offset));
  while (length > 0) {
    const u64 chunk = offset / ChunkSet::kChunk;
    const u64 piece = std::min(length, (chunk + 1) * ChunkSet::kChunk - offset);
    if (!dirty_.has(chunk)) {
      std::vector<u8> bytes(static_cast<std::size_t>(piece));
      if (auto copied = copy_range(*source_, *target_, offset, bytes); !copied) {
        trouble_ = copied.error();
        mark(offset, piece);
      }
    }
    offset += piece;
    length -= piece;
  }
}

Result<> MirrorWork::flush() {
  while (!exhausted_) {
    if (auto stepped = step(); !stepped) return stepped.error();
  }
  if (trouble_) return *trouble_;
  return target_->flush();
}

// --- Backup ---

BackupWork::BackupWork(std::shared_ptr<DiskImage> source, std::shared_ptr<DiskImage> target, Scope scope)
    : source_(std::move(source)),
      target_(std::move(target)),
      scope_(scope),
      left_(source_->size_bytes()),
      buffer_(static_cast<std::size_t>(ChunkSet::kChunk)) {
  for (u64 chunk = 0; chunk < left_.chunks(); chunk++) left_.add(chunk);
  total_ = source_->size_bytes();
  only_follows_ = scope_ == Scope::Changes;
}

Result<> BackupWork::copy(u64 chunk) {
  const u64 offset = chunk * ChunkSet::kChunk;
  const auto bytes = std::span(buffer_).first(static_cast<std::size_t>(left_.length(chunk)));
  if (scope_ == Scope::Top) {
    // A part that the top does not hold lies in the images below, which the target stands on, too.
    const auto extent = source_->extent(offset, bytes.size());
    if (!extent) return extent.error();
    if (!extent.value().here && extent.value().length >= bytes.size()) return {};
  }
  return copy_range(*source_, *target_, offset, bytes);
}

void BackupWork::changes(u64 offset, u64 length) {
  for (u64 chunk = offset / ChunkSet::kChunk; !trouble_ && chunk * ChunkSet::kChunk < offset + length; chunk++) {
    if (!left_.has(chunk)) continue;
    if (auto copied = copy(chunk); !copied) {
      trouble_ = copied.error();
      only_follows_ = false;
      return;
    }
    left_.remove(chunk);
    done_ += left_.length(chunk);
  }
}

Result<u64> BackupWork::step() {
  // What was to be kept is overwritten: this backup cannot become whole any more.
  if (trouble_) return *trouble_;
  if (scope_ == Scope::Changes) return u64{0};
  exhausted_ = left_.empty();
  u64 cost = 0;
  for (; cost < kPiece && !left_.empty(); cursor_++) {
    cursor_ = left_.next(cursor_);
    if (auto copied = copy(cursor_); !copied) return copied.error();
    left_.remove(cursor_);
    cost += left_.length(cursor_);
  }
  done_ += cost;
  exhausted_ = left_.empty();
  return cost;
}

// --- Merge ---

MergeWork::MergeWork(std::shared_ptr<DiskImage> top, std::shared_ptr<DiskImage> end, Into into)
    : top_(std::move(top)), end_(std::move(end)), into_(into), buffer_(kPiece) {
  total_ = top_->size_bytes();
}

Result<u64> MergeWork::step() {
  const u64 size = top_->size_bytes();
  exhausted_ = cursor_ >= size;
  if (exhausted_) return u64{0};
  u64 rest = size - cursor_;
  bool wanted = true;
  if (into_ == Into::Top) {
    const auto mine = top_->extent(cursor_, rest);
    if (!mine) return mine.error();
    wanted = !mine.value().here;
    rest = mine.value().length;
  }
  if (wanted) {
    const auto extent = chain_extent(*top_, end_.get(), cursor_, rest);
    if (!extent) return extent.error();
    wanted = extent.value().here;
    rest = extent.value().length;
  }
  u64 cost = 0;
  if (wanted) {
    cost = rest = std::min(rest, kPiece);
    const auto bytes = std::span(buffer_).first(static_cast<std::size_t>(rest));
    if (auto read = top_->read(cursor_, bytes); !read) return read.error();
    DiskImage& into = into_ == Into::Top ? *top_ : *end_;
    // Zeros must hide what lies below.
    auto written = all_zero(bytes) ? into.write_zeroes(cursor_, rest) : into.write(cursor_, bytes);
    if (!written) return written.error();
  }
  cursor_ += rest;
  done_ += rest;
  exhausted_ = cursor_ >= size;
  return cost;
}

Result<> MergeWork::flush() { return into_ == Into::Top ? top_->flush() : end_->flush(); }

}  // namespace relic86
