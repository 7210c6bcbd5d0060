#include "block/drive_medium.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "block/absent_image.h"
#include "block/image_chain.h"
#include "block/nbd_file.h"

namespace relic86 {

class MediumDevice final : public BlockDevice {
 public:
  explicit MediumDevice(std::shared_ptr<DriveMedium> medium) : medium_(std::move(medium)) {
    medium_->devices_.push_back(this);
  }
  ~MediumDevice() override { std::erase(medium_->devices_, this); }
  MediumDevice(const MediumDevice&) = delete;
  MediumDevice& operator=(const MediumDevice&) = delete;
  u64 size_bytes() const override { return medium_->size_bytes(); }
  bool read_only() const override { return medium_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override { return medium_->read(offset, bytes); }
  Result<> write(u64 offset, std::span<const u8> bytes) override { return medium_->write(offset, bytes); }
  Result<> flush() override { return medium_->flush(); }
  Result<> write_zeroes(u64 offset, u64 length) override { return medium_->write_zeroes(offset, length); }
  Result<> discard(u64 offset, u64 length) override { return medium_->discard(offset, length); }
  bool defers(BlockRequest::Kind kind, u64 offset, u64 length) override {
    return medium_->defers(kind, offset, length);
  }
  void submit(BlockRequest request, BlockDone done) override { medium_->submit(std::move(request), std::move(done)); }
  void drain() override { medium_->drain(); }
  CompactDisc* disc() override { return medium_->disc(); }
  ErrorAction failed(BlockRequest::Kind kind, const std::string& message) override {
    return medium_->failed(kind, message);
  }
  void retry_with(std::function<void()> retry) override { retry_ = std::move(retry); }
  void retry() {
    if (retry_) retry_();
  }

 private:
  std::shared_ptr<DriveMedium> medium_;
  std::function<void()> retry_;
};

namespace {

// Whether a server has one of the images that lie one on the other.
bool stands_on_server(const DiskImage& top) {
  const ImageInfo first = top.info();
  for (const ImageInfo* image = &first; image != nullptr; image = image->backing.get()) {
    if (names_nbd(image->file)) return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<DriveMedium>> DriveMedium::open(const ImageSource& source, Access access) {
  const std::string& file = source.file;
  std::shared_ptr<DriveMedium> medium(new DriveMedium(source, access));
  const bool writes = access == Access::ReadWrite;
  if (!writes) medium->source_.unlocked = false;
  medium->source_.interruption = medium->interruption_;
  auto disk = open_image(medium->source_,
                         writes && !source.unlocked ? HostFile::Access::ReadWrite : HostFile::Access::ReadOnly);
  if (!disk) return disk.error();
  medium->disk_ = disk.value().get();
  medium->remote_ = stands_on_server(*medium->disk_);
  medium->told_ = medium->disk_->info();
  if (access != Access::Overlay) {
    medium->image_ = std::move(disk).value();
    return medium;
  }
  auto overlay = OverlayImage::create(std::move(disk).value());
  if (!overlay) return Error{fmt::format("{}: {}", file, overlay.message())};
  medium->overlay_ = overlay.value().get();
  medium->image_ = std::move(overlay).value();
  return medium;
}

DriveMedium::~DriveMedium() {
  const Interruption::Request request(*interruption_);
  stop_serving();
  if (disk_ != nullptr && !journals_.empty() && !released_) {
    // What the format keeps back until the end is written before the journals are told when that was.
    if (auto flushed = image_->flush(); !flushed) log::warning(flushed.message());
    if (auto closed = disk_->close(); !closed) log::warning(closed.message());
    note_modified();
  }
  image_.reset();  // which may write to a server, too
}

std::unique_ptr<BlockDevice> DriveMedium::device(std::shared_ptr<DriveMedium> medium) {
  return std::make_unique<MediumDevice>(std::move(medium));
}

// A server may take its time.
ImageInfo DriveMedium::info() const {
  if (remote_ && queue_ && !queue_->idle()) return told_;
  wait();
  told_ = disk_->info();
  return told_;
}

OverlayImage* DriveMedium::overlay() {
  wait();
  return overlay_;
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
  wait();
  std::error_code failure;
  const auto path = names_nbd(file_) ? std::filesystem::path(file_) : std::filesystem::weakly_canonical(file_, failure);
  return {failure ? file_ : path.string(), disk_->size_bytes(), disk_->modified_ns()};
}

Result<> DriveMedium::release() {
  if (released_ || access_ != Access::ReadWrite) return {};
  drain();
  if (!source_.unlocked) {
    if (auto flushed = flush(); !flushed) return flushed;
  }
  auto stand_in = std::make_unique<AbsentImage>(*disk_, "belongs to the program to which the machine has migrated");
  disk_ = stand_in.get();
  image_ = std::move(stand_in);
  released_ = true;
  journals_.clear();  // whoever takes the image over writes to them
  return {};
}

Result<> DriveMedium::acquire() {
  if (!released_) return {};
  wait();
  ImageSource mine = source_;
  mine.unlocked = false;
  auto disk = open_image(mine, HostFile::Access::ReadWrite);
  if (!disk) return disk.error();
  if (disk.value()->size_bytes() != disk_->size_bytes())
    return Error{fmt::format("{}: has another size than before", file_)};
  source_ = std::move(mine);
  disk_ = disk.value().get();
  remote_ = stands_on_server(*disk_);
  image_ = std::move(disk).value();
  released_ = false;
  return {};
}

Result<> DriveMedium::withdraw() {
  drain();
  // The user wants to be rid of it, and a disk that fails is a reason for that.
  if (auto flushed = flush(); !flushed) log::warning(flushed.message());
  auto stand_in = std::make_unique<AbsentImage>(*disk_, "was taken out of the drive (drive_del)");
  disk_ = stand_in.get();
  overlay_ = nullptr;
  image_ = std::move(stand_in);
  access_ = Access::ReadOnly;  // there is nothing that migrates
  policy_ = {.write = OnError::Report, .read = OnError::Report};
  journals_.clear();
  return {};
}

// --- What goes on beside the guest's requests ---

void DriveMedium::follow(Follower* follower) {
  wait();
  followers_.push_back(follower);
}

void DriveMedium::unfollow(Follower* follower) {
  wait();
  std::erase(followers_, follower);
}

void DriveMedium::run(std::function<Result<>()> work, std::function<void(Result<>)> done) {
  if (queue_) return queue_->run(std::move(work), std::move(done));
  done(work());
}

std::shared_ptr<DiskImage> DriveMedium::shared_image() {
  drain();
  if (overlay_ != nullptr || released_) return nullptr;
  return std::static_pointer_cast<DiskImage>(image_);
}

Result<DiskImage::Extent> DriveMedium::extent(u64 offset, u64 length) {
  if (overlay_ != nullptr) return DiskImage::Extent{true, length};
  return chain_extent(*disk_, nullptr, offset, length);
}

void DriveMedium::replace_image(std::shared_ptr<DiskImage> image, const ImageSource& source) {
  drain();
  RELIC86_ASSERT(overlay_ == nullptr && !released_);
  disk_ = image.get();
  image_ = std::move(image);
  file_ = source.file;
  set_source(source);
  journals_.clear();
}

void DriveMedium::set_source(const ImageSource& source) {
  wait();
  source_ = source;
  source_.interruption = interruption_;
  remote_ = stands_on_server(*disk_);
  told_ = disk_->info();
}

// --- Requests that have failed ---

void DriveMedium::set_error_policy(const ErrorPolicy& policy, std::function<void(const Failure&)> tell) {
  policy_ = policy;
  tell_failure_ = std::move(tell);
}

ErrorAction DriveMedium::failed(BlockRequest::Kind kind, const std::string& message) {
  if (!tell_failure_) return ErrorAction::Report;  // nobody would stop the machine
  Failure failure{.kind = kind, .message = message};
  const bool reads = kind == BlockRequest::Kind::Read;
  failure.host_is_full = !reads && told_full_;
  // Given up because the machine has to stand still: it is carried out when the machine goes on.
  const bool given_up = interruption_->used();
  switch (reads ? policy_.read : policy_.write) {
    case OnError::Report: break;
    case OnError::Ignore: failure.action = ErrorAction::Ignore; break;
    case OnError::Stop: failure.action = ErrorAction::Stop; break;
    case OnError::StopIfFull:
      if (failure.host_is_full) failure.action = ErrorAction::Stop;
      break;
  }
  if (given_up) failure.action = ErrorAction::Stop;
  if (failure.action == ErrorAction::Stop)
    condition_ = failure.host_is_full ? Condition::HostIsFull : Condition::Failed;
  tell_failure_(failure);
  return failure.action;
}

void DriveMedium::retry() {
  condition_ = Condition::Good;
  // A retry can fail, which changes nothing of who is there.
  for (MediumDevice* const device : devices_) device->retry();
}

// --- Requests ---

void DriveMedium::serve_with(BlockQueue::Host host) {
  queue_.emplace(std::move(host), [this](BlockRequest& request) { return carry_out(request); });
}

bool DriveMedium::defers(BlockRequest::Kind kind, u64 offset, u64 length) {
  if (!queue_) return false;
  if (!queue_->idle() || throttle_ || remote_) return true;  // requests keep their order
  switch (kind) {
    case BlockRequest::Kind::Read: return queue_->slow() || !image_->ready_to_read(offset, length);
    // The host takes it into memory, and writes it later.
    case BlockRequest::Kind::Write: return queue_->slow();
    default: return true;
  }
}

void DriveMedium::submit(BlockRequest request, BlockDone told) {
  count(request);
  BlockDone done = [this, told = std::move(told)](BlockRequest&& finished, Result<> result) {
    told_full_ = finished.host_is_full;
    told(std::move(finished), std::move(result));
  };
  if (queue_ && throttle_) {
    waiting_.emplace_back(std::move(request), std::move(done));
    return take_turns();
  }
  if (queue_) return queue_->submit(std::move(request), std::move(done));
  auto result = carry_out(request);
  done(std::move(request), std::move(result));
}

void DriveMedium::submit_beside(BlockRequest request, BlockDone done) {
  if (queue_) return queue_->submit(std::move(request), std::move(done));
  auto result = carry_out(request);
  done(std::move(request), std::move(result));
}

void DriveMedium::stop_serving() {
  const Interruption::Request request(*interruption_);
  queue_.reset();
}

void DriveMedium::drain() {
  if (!queue_) return;
  const Interruption::Request request(*interruption_);
  do {
    for (; !waiting_.empty(); waiting_.pop_front())
      queue_->submit(std::move(waiting_.front().first), std::move(waiting_.front().second));
    queue_->drain();
  } while (!waiting_.empty());
}

void DriveMedium::set_limits(const DiskLimits& limits) {
  drain();
  throttle_.reset();
  if (limits.any() && queue_) throttle_.emplace(limits, queue_->now());
}

i64 DriveMedium::next_turn() {
  return !queue_ || waiting_.empty() ? -1 : throttle_->wait(waiting_.front().first.kind, queue_->now());
}

void DriveMedium::take_turns() {
  while (!waiting_.empty()) {
    BlockRequest& next = waiting_.front().first;
    const i64 now = queue_->now();
    if (throttle_->wait(next.kind, now) > 0) return;
    throttle_->count(next.kind, next.length, now);
    queue_->submit(std::move(next), std::move(waiting_.front().second));
    waiting_.pop_front();
  }
}

void DriveMedium::count(const BlockRequest& request) {
  switch (request.kind) {
    case BlockRequest::Kind::Read:
      counts_.reads++;
      counts_.read_bytes += request.length;
      return;
    case BlockRequest::Kind::Flush: counts_.flushes++; return;
    default:
      counts_.writes++;
      counts_.written_bytes += request.length;
      return;
  }
}

// A failure belongs to what has failed: jobs and others use the image, too, and what it remembers of theirs is dropped.
Result<> DriveMedium::noting_room(bool& host_is_full, const std::function<Result<>()>& act) {
  (void)image_->take_host_full();
  auto result = act();
  host_is_full = image_->take_host_full() && !result;
  return result;
}

Result<> DriveMedium::carry_out(BlockRequest& request) {
  return noting_room(request.host_is_full, [&] { return act(request); });
}

Result<> DriveMedium::act(BlockRequest& request) {
  switch (request.kind) {
    case BlockRequest::Kind::Read: return image_->read(request.offset, request.content());
    case BlockRequest::Kind::Write: return write_now(request.offset, request.content());
    case BlockRequest::Kind::Flush: return flush_now();
    case BlockRequest::Kind::Discard:
      return change(request.offset, request.length, [&] { return image_->discard(request.offset, request.length); });
    case BlockRequest::Kind::WriteZeroes:
      return change(request.offset, request.length,
                    [&] { return image_->write_zeroes(request.offset, request.length); });
  }
  return Error{"no such request"};
}

// Where requests can be carried out while the guest goes on, one that is not must not make it wait for long: a server has
// five seconds to answer, as in drain().
Result<> DriveMedium::read(u64 offset, std::span<u8> bytes) {
  counts_.reads++;
  counts_.read_bytes += bytes.size();
  if (!queue_) return image_->read(offset, bytes);
  const Interruption::Request request(*interruption_);
  wait();
  const i64 began = queue_->now();
  auto result = image_->read(offset, bytes);
  queue_->note_time(began);
  return result;
}

Result<> DriveMedium::write(u64 offset, std::span<const u8> bytes) {
  counts_.writes++;
  counts_.written_bytes += bytes.size();
  const auto act = [&] { return noting_room(told_full_, [&] { return write_now(offset, bytes); }); };
  if (!queue_) return act();
  const Interruption::Request request(*interruption_);
  wait();
  const i64 began = queue_->now();
  auto result = act();
  queue_->note_time(began);
  return result;
}

Result<> DriveMedium::flush() {
  const Interruption::Request request(*interruption_);
  counts_.flushes++;
  wait();
  return noting_room(told_full_, [&] { return flush_now(); });
}

Result<> DriveMedium::discard(u64 offset, u64 length) {
  return do_at_once({.kind = BlockRequest::Kind::Discard, .offset = offset, .length = length});
}

Result<> DriveMedium::write_zeroes(u64 offset, u64 length) {
  return do_at_once({.kind = BlockRequest::Kind::WriteZeroes, .offset = offset, .length = length});
}

Result<> DriveMedium::do_at_once(BlockRequest request) {
  const Interruption::Request interruption(*interruption_);
  count(request);
  wait();
  auto result = carry_out(request);
  told_full_ = request.host_is_full;
  return result;
}

// --- The image ---

Result<> DriveMedium::keep(u64 offset, u64 length) {
  if (offset > size_bytes() || length > size_bytes() - offset) return {};
  for (const auto& journal : journals_) {
    if (auto kept = journal->keep(*image_, offset, length); !kept) return kept;
  }
  return {};
}

Result<> DriveMedium::change(u64 offset, u64 length, const std::function<Result<>()>& act) {
  if (auto kept = keep(offset, length); !kept) return kept;
  if (followers_.empty() || offset > size_bytes() || length > size_bytes() - offset) return act();
  for (Follower* const follower : followers_) follower->changes(offset, length);
  auto result = act();
  for (Follower* const follower : followers_) follower->changed(offset, length);
  return result;
}

Result<> DriveMedium::write_now(u64 offset, std::span<const u8> bytes) {
  return change(offset, bytes.size(), [&] { return image_->write(offset, bytes); });
}

// What the journals keep is durable before what replaces it is known to be.
Result<> DriveMedium::flush_now() {
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

void DriveMedium::add_journal(std::unique_ptr<DiskJournal> journal) {
  wait();
  journals_.push_back(std::move(journal));
}

DiskJournal* DriveMedium::journal(u64 generation) {
  wait();
  for (const auto& journal : journals_) {
    if (journal->generation() == generation) return journal.get();
  }
  return nullptr;
}

void DriveMedium::drop_journal(u64 generation) {
  wait();
  std::erase_if(journals_, [&](const auto& journal) { return journal->generation() == generation; });
}

Result<> DriveMedium::restore(DiskJournal& journal) {
  drain();
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
