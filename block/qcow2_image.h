// qcow2 images, versions 2 and 3 (QEMU's docs/interop/qcow2.txt): sparse, over a backing file, with compressed clusters
// and snapshots inside.
//
// Data is written at once, tables at a flush and at the end, in an order that leaves a sound image wherever the host
// stops: counts of new clusters, then what refers to them, then counts of clusters that nothing refers to any more.
// Between each two the file is flushed. Stopped in between, an image has lost clusters at worst, and all that the guest
// had flushed.
#pragma once

#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/neighbours.h"
#include "block/qcow2_bitmaps.h"
#include "block/qcow2_header.h"
#include "block/qcow2_map.h"
#include "block/qcow2_refcounts.h"
#include "block/qcow2_snapshots.h"

namespace relic86 {

class Qcow2Image final : public DiskImage {
 public:
  // A file opened for writing is mended first if its counts were left behind (dirty).
  static Result<std::unique_ptr<Qcow2Image>> open(std::unique_ptr<ImageFile> file, const Neighbours& neighbours);
  // Writes back what is left; what fails then is a warning.
  ~Qcow2Image() override;

  u64 size_bytes() const override { return header_.size; }
  bool read_only() const override { return file_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override;
  Result<> write(u64 offset, std::span<const u8> bytes) override;
  Result<> flush() override;
  // Dirty bitmaps may be relied upon afterwards.
  Result<> close() override;
  Result<> write_zeroes(u64 offset, u64 length) override;
  Result<> discard(u64 offset, u64 length) override;

  ImageInfo info() const override;
  bool take_host_full() override { return file_->take_full(); }
  i64 modified_ns() const override { return file_->modified_ns(); }
  std::shared_ptr<DiskImage> below() const override { return backing_; }
  Result<> stand_on(std::shared_ptr<DiskImage> image) override;
  Result<> name_backing(const std::string& file, const std::string& format) override;
  Result<Extent> extent(u64 offset, u64 length) override;
  // Up to what the clusters of the L1 table have room for.
  Result<> resize(u64 size) override;

 private:
  Qcow2Image(std::unique_ptr<ImageFile> file, Qcow2Header header, Qcow2Map map);
  Result<> prepare_for_writing();
  Result<> check_range(std::string_view what, u64 offset, u64 length) const;

  Result<> read_below(u64 offset, std::span<u8> bytes);
  Result<> read_compressed(u64 entry, u64 within, std::span<u8> bytes);
  // Reads one range of a kind; how many bytes it was.
  Result<u64> read_piece(u64 offset, std::span<u8> bytes);

  Result<> begin_changes();
  Result<> check_place(u64 host, u64 length) const;
  // Writes within one cluster that has no place of its own yet.
  Result<> write_new_cluster(u64 offset, std::span<const u8> bytes, const Qcow2Range& range);
  void release(const Qcow2Range& range);
  Result<> commit();
  Result<> limit_memory();
  enum class Emptied : u8 { Zeroes, Discarded };
  Result<> empty_clusters(u64 offset, u64 length, Emptied how);

  std::unique_ptr<ImageFile> file_;
  Qcow2Header header_;
  Qcow2Map map_;
  std::unique_ptr<Qcow2Refcounts> refcounts_;  // of an image that is written to
  Qcow2SnapshotTable snapshots_;
  Qcow2LiveBitmaps bitmaps_;
  std::shared_ptr<DiskImage> backing_;
  u64 unpacked_entry_ = 0;  // the compressed cluster that unpacked_ holds; 0: none
  std::vector<u8> unpacked_;
  bool changed_ = false;  // since the image was opened
};

}  // namespace relic86
