// A disk that speaks SCSI (SPC-3, SBC-2): commands in, data either way, a status and sense data. The controller that
// hands it commands moves their data: bytes of an answer by way of this class, blocks of the medium by way of it or of
// the image itself.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/state_archive.h"
#include "block/block_device.h"

namespace relic86 {

struct ScsiDiskOptions {
  bool removable = false;            // the medium can be taken out; the drive says so, and obeys START STOP UNIT
  std::string serial;                // up to 20 characters
  std::string product = "HARDDISK";  // up to 16
};

class ScsiDisk {
 public:
  static constexpr u32 kBlock = 512;
  static constexpr std::size_t kMostCommand = 16;

  ScsiDisk(std::unique_ptr<BlockDevice> image, ScsiDiskOptions options);

  BlockDevice& image() { return *image_; }

  // What a command is going to move.
  struct Transfer {
    enum class Direction : u8 { None, ToHost, FromHost } direction = Direction::None;
    u64 bytes = 0;
    // What it does with the medium, if anything. The controller may move these bytes between image() and the host
    // itself, from offset on, and tells of failures by fail_medium(). A flush it must carry out in any case: by flush(),
    // or by the image's and fail_medium().
    struct Medium {
      BlockRequest::Kind kind = BlockRequest::Kind::Read;
      u64 offset = 0;
    };
    std::optional<Medium> medium{};
  };
  // Begins a command; what an earlier one has not moved is dropped. unit: its logical unit, of which there is one, 0.
  Transfer begin(std::span<const u8> command, u8 unit);
  // The next bytes of the transfer, never more than are left. After an error of the host's they are zeros, or go
  // nowhere, and the status says so. Blocks to the host only when ready_to_move() says that so many are there, from the
  // host while it does not wait.
  void to_host(std::span<u8> bytes);
  void from_host(std::span<const u8> bytes);
  bool ready_to_move(std::size_t bytes);
  void flush();
  // For the host's disk: nothing can be moved, and the command does not end. A saved machine is in it only after a
  // failure of the host's, until retry().
  bool waiting() const { return waiting_; }
  void retry();
  // The host has failed what the command does with the medium.
  void fail_medium(BlockRequest::Kind kind);
  // The sense data, as REQUEST SENSE would give them; they are told once.
  std::vector<u8> take_sense();
  // The command's end. False: CHECK CONDITION; the sense data waits for REQUEST SENSE.
  bool good() const { return sense_.key == 0; }

  void reset();
  void state(StateArchive& archive);

 private:
  struct Sense {
    u8 key = 0, code = 0, qualifier = 0;
  };
  enum class Kind : u8 { Answer, Read, Write };  // what the transfer is of

  Transfer answer(std::vector<u8> bytes, u64 room);
  Transfer fail(const Sense& sense);
  Transfer done() { return {}; }
  Transfer carry_out(std::span<const u8> command);
  Transfer inquiry(std::span<const u8> command);
  static std::vector<u8> sense_bytes(const Sense& sense);
  Transfer request_sense(std::span<const u8> command, const Sense& sense);
  Transfer mode_sense(std::span<const u8> command);
  Transfer read_capacity();
  Transfer read_long_capacity(std::span<const u8> command);
  Transfer format_capacities(std::span<const u8> command);
  Transfer move_blocks(Kind kind, u64 block, u64 count);
  Transfer start_or_stop(u8 what);
  bool ready() const { return !ejected_; }
  u64 last_block() const { return blocks_ == 0 ? 0 : blocks_ - 1; }
  void store_piece();
  void forget_host();
  void perform(BlockRequest request);
  void performed(BlockRequest&& request, const Result<>& result);
  void state_failed(StateArchive& archive);

  std::unique_ptr<BlockDevice> image_;
  const ScsiDiskOptions options_;
  const u64 blocks_;
  Sense sense_;  // of the last command, until the next but REQUEST SENSE
  bool ejected_ = false;
  bool locked_ = false;  // PREVENT ALLOW MEDIUM REMOVAL
  Kind kind_ = Kind::Answer;
  u64 next_ = 0;           // bytes from the medium's start to what piece_ does not hold yet
  u64 left_ = 0;           // bytes of the transfer beyond piece_
  std::vector<u8> piece_;  // an answer, or what is on its way
  u32 moved_ = 0;          // bytes of piece_ that are done
  bool waiting_ = false;
  u64 commands_ = 0;                      // so far: an answer of the host's is that of one of them
  std::optional<BlockRequest> to_retry_;  // the host has failed it; waiting_ then
};

}  // namespace relic86
