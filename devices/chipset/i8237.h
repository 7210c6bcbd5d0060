// The board's two 8237A DMA controllers with their page registers: channels 0-3 move bytes, 5-7 words; 4 is the
// cascade.
#pragma once

#include <array>

#include "devices/attachment.h"
#include "devices/device.h"
#include "devices/dma.h"

namespace relic86 {

class I8237 final : public Device, public DmaController {
 public:
  Moved to_memory(unsigned channel, std::span<const u8> bytes) override;
  Moved from_memory(unsigned channel, std::span<u8> bytes) override;

  std::string_view name() const override { return "i8237"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  enum Region : RegionId { kBytes, kWords, kPages };
  struct Channel {
    u16 base_address = 0, base_count = 0;
    u16 address = 0, count = 0;
    u8 mode = 0;
    u8 page = 0;
    bool masked = true;
  };
  struct Chip {
    std::array<Channel, 4> channels;
    u8 command = 0;
    u8 status = 0;           // TC bits 3:0 since the last read
    u8 request = 0;          // software requests
    bool high_byte = false;  // the byte pointer flip-flop
  };

  u8 read_register(Chip& chip, unsigned index);
  void write_register(Chip& chip, unsigned index, u8 value);
  static void master_clear(Chip& chip);
  // The span of memory that the next transfer unit covers; false: the channel does not take part now.
  bool ready(unsigned channel) const;
  PhysAddr address_of(unsigned channel) const;
  bool step(unsigned channel);  // after one unit: address, count; true: terminal count

  std::array<Chip, 2> chips_;
  std::array<u8, 16> pages_{};  // ports 80h-8Fh as they were written
  PhysicalBus* memory_ = nullptr;
};

}  // namespace relic86
