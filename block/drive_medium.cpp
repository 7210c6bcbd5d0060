#include "block/drive_medium.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"

namespace relic86 {

namespace {

class MediumDevice final : public BlockDevice {
 public:
  explicit MediumDevice(std::shared_ptr<DriveMedium> medium) : medium_(std::move(medium)) {}
  u64 size_bytes() const override { return medium_->size_bytes(); }
  bool read_only() const override { return medium_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override { return medium_->read(offset, bytes); }
  Result<> write(u64 offset, std::span<const u8> bytes) override { return medium_->write(offset, bytes); }
  Result<> flush() override { return medium_->flush(); }
  CompactDisc* disc() override { return medium_->disc(); }

 private:
  std::shared_ptr<DriveMedium> medium_;
};

}  // namespace

Result<std::shared_ptr<DriveMedium>> DriveMedium::open(const ImageSource& source, Access access) {
  const std::string& file = source.file;
  std::shared_ptr<DriveMedium> medium(new DriveMedium(file, access));
  auto disk =
      open_image(source, access == Access::ReadWrite ? HostFile::Access::ReadWrite : HostFile::Access::ReadOnly);
  if (!disk) return disk.error();
  medium->disk_ = disk.value().get();
  medium->image_ = std::move(disk).value();
  if (access != Access::Overlay) return medium;
  auto overlay = OverlayImage::create(std::move(medium->image_));
  if (!overlay) return Error{fmt::format("{}: {}", file, overlay.message())};
  medium->overlay_ = overlay.value().get();
  medium->image_ = std::move(overlay).value();
  return medium;
}

DriveMedium::~DriveMedium() {
  if (disk_ == nullptr || journals_.empty()) return;
  // What the format keeps back until the end is written before the journals are told when that was.
  if (auto flushed = image_->flush(); !flushed) log::warning(flushed.message());
  note_modified();
}

std::unique_ptr<BlockDevice> DriveMedium::device(std::shared_ptr<DriveMedium> medium) {
  return std::make_unique<MediumDevice>(std::move(medium));
}

std::string DriveMedium::describe() const {
  const char* how = access_ == Access::ReadOnly ? ", read-only" : access_ == Access::Overlay ? ", snapshot" : "";
  std::string text = fmt::format("{} ({}{})", file_, info().format, how);
  if (const auto below = info().backing; below)
    text += fmt::format("\n    Backing file:     {} (chain depth: {})", below->file, info().chain_depth());
  return text;
}

Result<> DriveMedium::forked() {
  if (overlay_ != nullptr) return overlay_->forked();
  if (access_ == Access::ReadOnly) return {};
  return Error{fmt::format("{}: two processes would write to it; give the machine -snapshot", file_)};
}

DiskJournal::Image DriveMedium::identity() const {
  std::error_code failure;
  const auto path = std::filesystem::weakly_canonical(file_, failure);
  return {failure ? file_ : path.string(), disk_->size_bytes(), disk_->modified_ns()};
}

Result<> DriveMedium::write(u64 offset, std::span<const u8> bytes) {
  counts_.writes++;
  counts_.written_bytes += bytes.size();
  if (offset <= size_bytes() && bytes.size() <= size_bytes() - offset) {
    for (const auto& journal : journals_) {
      if (auto kept = journal->keep(*image_, offset, bytes.size()); !kept) return kept;
    }
  }
  return image_->write(offset, bytes);
}

// What the journals keep is durable before what replaces it is known to be.
Result<> DriveMedium::flush() {
  counts_.flushes++;
  for (const auto& journal : journals_) {
    if (auto flushed = journal->flush(); !flushed) return flushed;
  }
  auto flushed = image_->flush();
  note_modified();
  return flushed;
}

void DriveMedium::note_modified() {
  if (journals_.empty()) return;
  const i64 modified = disk_->modified_ns();
  for (const auto& journal : journals_) journal->note_modified(modified);
}

DiskJournal* DriveMedium::journal(u64 generation) {
  for (const auto& journal : journals_) {
    if (journal->generation() == generation) return journal.get();
  }
  return nullptr;
}

void DriveMedium::drop_journal(u64 generation) {
  std::erase_if(journals_, [&](const auto& journal) { return journal->generation() == generation; });
}

Result<> DriveMedium::restore(DiskJournal& journal) {
  if (!writes_through()) {
    // The image itself is not written: the overlay shows what it held.
    if (overlay_ != nullptr) {
      if (auto cleared = overlay_->clear(); !cleared) return cleared;
    }
    return journal.visit([this](u64 offset, std::span<const u8> bytes) { return image_->write(offset, bytes); });
  }
  if (journal.block_count() == 0) return {};
  if (auto begun = journal.begin_restoring(); !begun) return begun;
  // Through write(): other saved machines keep what they need. This journal has these blocks already.
  auto result = journal.visit([this](u64 offset, std::span<const u8> bytes) { return write(offset, bytes); });
  if (!result) return result;
  if (result = flush(); !result) return result;
  return journal.restored(disk_->modified_ns());
}

}  // namespace relic86
