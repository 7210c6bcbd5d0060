// An ATA disk drive over an image.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "block/block_device.h"
#include "devices/storage/ata_device.h"
#include "devices/storage/disk_geometry.h"

namespace relic86 {

struct AtaDiskOptions {
  DiskGeometry geometry;                   // from guess_disk_layout() or the user
  std::string serial = "R8600000001";      // up to 20 characters
  std::string model = "RELIC86 HARDDISK";  // up to 40
  bool serial_link = false;                // Serial ATA
};

class AtaDisk final : public AtaDevice {
 public:
  AtaDisk(std::unique_ptr<BlockDevice> image, AtaDiskOptions options);

  BlockDevice& image() { return *image_; }

 protected:
  void execute(u8 code) override;
  void block_read() override;
  bool last_block_in() const override;
  void block_written() override;
  void retry_step() override;
  void keep_block(std::span<const u8> block) override;
  void retry_kept() override;
  void stop_waiting() override { image_->drain(); }
  void set_signature() override;
  u8 status_after_reset() const override { return ata::kReady; }
  void reset_drive(ResetKind kind) override;
  void state_drive(StateArchive& archive) override;

 private:
  static constexpr u32 kSector = 512;
  static constexpr u32 kMostMultiple = 16;
  static constexpr u32 kDmaSectors = kBufferSize / kSector;
  enum class Transfer : u8 { None, ReadPio, WritePio, ReadDma, WriteDma, Identify, ReadBuffer, WriteBuffer };

  bool execute_transfer(u8 code);
  bool execute_power(u8 code);
  void start_transfer(Transfer transfer, u32 block_sectors, bool extended);
  void next_block();
  void offer();        // the block that has been read
  void wrote_block();  // and go on
  void wrote_kept(BlockRequest&& request, const Result<>& result);
  void replace_kept(u64 offset, std::span<const u8> bytes);
  void state_kept(StateArchive& archive);
  // Whether the command goes on: nothing has failed, or that is to be ignored. Otherwise it has ended with an error, or
  // waits to be tried again.
  bool goes_on(BlockRequest::Kind kind, const Result<>& result);
  void verify_rest();
  bool locate(bool extended);   // lba_ and remaining_ from the task file; false: it failed
  void show_position(u64 lba);  // lba and remaining_ into the task file
  void fail_at(u64 lba, u8 error);
  void verify(bool extended);
  void flush();
  void initialize_parameters();
  void set_features();
  void identify();
  void read_buffer();
  void native_max(bool extended);

  std::unique_ptr<BlockDevice> image_;
  AtaDiskOptions options_;
  u64 sectors_;

  // INITIALIZE DEVICE PARAMETERS, SET MULTIPLE, SET FEATURES.
  DiskGeometry current_;
  u8 multiple_ = 0;  // sectors; 0: READ/WRITE MULTIPLE are off
  u8 transfer_mode_ = 0;
  bool write_cache_ = true;
  bool look_ahead_ = true;
  u8 power_ = 0xFF;  // as CHECK POWER MODE says

  Transfer transfer_ = Transfer::None;
  bool extended_ = false;
  u32 block_sectors_ = 1;                    // most sectors in a DRQ block
  u32 in_block_ = 0;                         // sectors of the block on its way
  u64 lba_ = 0;                              // of its first sector
  u32 remaining_ = 0;                        // sectors, the block included
  std::vector<BlockRequest> kept_;           // writes that failed, whose commands a reset has ended
  std::array<u8, kSector> sector_buffer_{};  // of READ BUFFER and WRITE BUFFER
};

}  // namespace relic86
