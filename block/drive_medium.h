// A medium in a drive as the machine knows it: which host file it is, whether it has an overlay, and the journals of
// saved machines that what is written goes past.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "block/block_device.h"
#include "block/block_queue.h"
#include "block/disk_journal.h"
#include "block/disk_throttle.h"
#include "block/interruption.h"
#include "block/open_image.h"
#include "block/overlay_image.h"

namespace relic86 {

class MediumDevice;

class DriveMedium {
 public:
  // Overlay: what is written goes to a temporary overlay. The error names the file.
  enum class Access : u8 { ReadWrite, ReadOnly, Overlay };
  static Result<std::shared_ptr<DriveMedium>> open(const ImageSource& source, Access access);
  ~DriveMedium();
  DriveMedium(const DriveMedium&) = delete;
  DriveMedium& operator=(const DriveMedium&) = delete;

  // The device to put into a drive. It shares the medium.
  static std::unique_ptr<BlockDevice> device(std::shared_ptr<DriveMedium> medium);

  const std::string& file() const { return file_; }
  std::string describe() const;  // "FILE (raw, read-only)", for the monitor
  ImageInfo info() const;
  bool writes_through() const { return access_ == Access::ReadWrite; }
  OverlayImage* overlay();              // null: none
  DiskJournal::Image identity() const;  // of the file, as it is now

  u64 size_bytes() const { return image_->size_bytes(); }
  bool read_only() const { return image_->read_only(); }
  CompactDisc* disc() { return disk_->disc(); }
  Result<> read(u64 offset, std::span<u8> bytes);
  // A journal that cannot keep what is overwritten fails the write: the image is as before.
  Result<> write(u64 offset, std::span<const u8> bytes);
  Result<> flush();
  Result<> discard(u64 offset, u64 length);
  Result<> write_zeroes(u64 offset, u64 length);

  // From now on requests can be carried out while the guest goes on; before the medium is used, or never.
  void serve_with(BlockQueue::Host host);
  // Waits for what is under way, of which nobody is told any more; from now on all is done at once.
  void stop_serving();
  // As BlockDevice has them.
  bool defers(BlockRequest::Kind kind, u64 offset, u64 length);
  void submit(BlockRequest request, BlockDone done);
  // The same on behalf of somebody else than the guest: limits and counts are the guest's.
  void submit_beside(BlockRequest request, BlockDone done);
  // What waits for its turn does not wait any longer. A server that does not answer is not waited for (interruption).
  void drain();
  void deliver() {
    if (queue_) queue_->deliver();
  }

  // How fast the guest's requests are carried out at most, where they can be carried out while it goes on.
  void set_limits(const DiskLimits& limits);
  DiskLimits limits() const { return throttle_ ? throttle_->limits() : DiskLimits{}; }
  // Nanoseconds until a request may begin that waits for its turn; -1: none waits.
  i64 next_turn();
  void take_turns();

  // --- What goes on with the image beside the guest's requests (block/image_work.h) ---
  // Somebody who follows what is written, on whichever thread has the image.
  class Follower {
   public:
    virtual ~Follower() = default;
    // The range is about to change.
    virtual void changes(u64 offset, u64 length) = 0;
    // It has changed, or a part of it after a failure.
    virtual void changed(u64 offset, u64 length) = 0;
  };
  void follow(Follower* follower);
  void unfollow(Follower* follower);
  // Does something with the image after what was submitted before, while the guest goes on, and tells.
  void run(std::function<Result<>()> work, std::function<void(Result<>)> done);
  // Which bytes from an offset on are alike, as DiskImage::extent has it of what the guest sees; whichever thread has the
  // image (run).
  Result<DiskImage::Extent> extent(u64 offset, u64 length);
  // The image that the guest's requests go to; null: it is not shared out, as there is an overlay, or it is another
  // program's. Nothing is under way when this returns.
  std::shared_ptr<DiskImage> shared_image();
  // What the guest sees stands in another image from now on. What journals kept of the one before is dropped.
  void replace_image(std::shared_ptr<DiskImage> image, const ImageSource& source);
  // The source names the same image in other words: what lies below it has changed.
  void set_source(const ImageSource& source);
  const ImageSource& source() const { return source_; }
  // Of requests that wait for a server, which somebody has to have out of the way: for what else is opened in this queue.
  const std::shared_ptr<Interruption>& interruption() const { return interruption_; }

  // The image is another program's from now on, until acquire(): what is written is on the host's disk, the file is
  // closed, and whoever uses the medium gets an error. Media that are not written through stay as they are.
  Result<> release();
  Result<> acquire();
  bool released() const { return released_; }
  // The image is closed for good: accesses fail from now on, and the machine does not stop for them.
  Result<> withdraw();

  // In a process that has just been forked (OverlayImage::forked). Error: what is written would go to the file itself.
  Result<> forked();

  // --- Requests of the guest's that the host fails ---
  struct Failure {
    BlockRequest::Kind kind = BlockRequest::Kind::Read;
    ErrorAction action = ErrorAction::Report;
    bool host_is_full = false;
    std::string message;
  };
  // tell: who hears of each failure; on any thread that has the device.
  void set_error_policy(const ErrorPolicy& policy, std::function<void(const Failure&)> tell);
  const ErrorPolicy& error_policy() const { return policy_; }
  ErrorAction failed(BlockRequest::Kind kind, const std::string& message);
  // The machine goes on after a stop.
  void retry();
  // What stopped the machine last, until it goes on.
  enum class Condition : u8 { Good, Failed, HostIsFull };
  Condition condition() const { return condition_; }

  // What has been done with it since it was opened.
  struct Counts {
    u64 reads = 0, writes = 0, flushes = 0;
    u64 read_bytes = 0, written_bytes = 0;
  };
  const Counts& counts() const { return counts_; }

  void add_journal(std::unique_ptr<DiskJournal> journal);
  DiskJournal* journal(u64 generation);  // null: none
  void drop_journal(u64 generation);
  // Puts the blocks back that this journal kept.
  Result<> restore(DiskJournal& journal);

 private:
  DriveMedium(ImageSource source, Access access) : source_(std::move(source)), file_(source_.file), access_(access) {}
  void note_modified();
  // The image is this thread's: nothing is under way.
  void wait() const {
    if (queue_) queue_->wait();
  }
  void count(const BlockRequest& request);
  // Of whichever thread has the image.
  Result<> carry_out(BlockRequest& request);
  Result<> act(BlockRequest& request);
  Result<> do_at_once(BlockRequest request);
  // Does something with the image that fails for want of room, or for another reason.
  Result<> noting_room(bool& host_is_full, const std::function<Result<>()>& act);
  Result<> keep(u64 offset, u64 length);
  Result<> change(u64 offset, u64 length, const std::function<Result<>()>& act);
  Result<> write_now(u64 offset, std::span<const u8> bytes);
  Result<> flush_now();

  ImageSource source_;
  const std::shared_ptr<Interruption> interruption_ = std::make_shared<Interruption>();
  mutable ImageInfo told_;  // by the image when it was last asked
  std::string file_;
  Counts counts_;
  bool released_ = false;
  Access access_;
  DiskImage* disk_ = nullptr;  // what image_ is or stands on
  OverlayImage* overlay_ = nullptr;
  std::shared_ptr<BlockDevice> image_;
  ErrorPolicy policy_{};
  std::function<void(const Failure&)> tell_failure_;
  Condition condition_ = Condition::Good;
  bool told_full_ = false;  // the request that a controller was told of last has failed for want of room
  friend class MediumDevice;
  std::vector<MediumDevice*> devices_;  // that are over it
  bool remote_ = false;                 // a server has the image: no access is as quick as one to memory
  std::vector<Follower*> followers_;
  std::vector<std::unique_ptr<DiskJournal>> journals_;
  std::optional<DiskThrottle> throttle_;
  std::deque<std::pair<BlockRequest, BlockDone>> waiting_;  // for their turn
  mutable std::optional<BlockQueue> queue_;                 // goes first: it uses the image
};

// The media of a machine, by the names of its drives: "ide0-hd0", "ide1-cd0", "floppy0".
using DriveMedia = std::map<std::string, std::shared_ptr<DriveMedium>>;

}  // namespace relic86
