// A flash memory chip with Intel's command set (CFI primary command set 0001h) below 4 GiB: UEFI firmware and its
// variables. As QEMU's pflash_cfi01 presents it to firmware: bytes one wide, sectors of 4 KiB, no delays.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>

#include "block/block_device.h"
#include "devices/attachment.h"
#include "devices/device.h"

namespace relic86 {

class CfiFlash final : public Device {
 public:
  static constexpr u64 kSector = 4096;
  static constexpr u64 kMostSize = u64{8} << 20;  // of a machine's chips together

  // image: a multiple of kSector, at most kMostSize; option names it in messages. end: the address behind the last
  // byte. The backing store needs as much extra room.
  CfiFlash(unsigned unit, std::unique_ptr<BlockDevice> image, std::string option, u64 end);
  ~CfiFlash() override;

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

  u64 size() const { return size_; }
  // Where its bytes are, for what shows them at a second address.
  BackingOffset backing() const { return backing_; }
  // What was programmed so far is on the host's disk.
  Result<> flush();

 private:
  static constexpr std::size_t kBuffer = 256;  // of a buffered program, in bytes
  // What the next write is.
  enum class Cycle : u8 { Command, Confirm, Count, FirstByte, Bytes };

  void map();
  void show_array();
  void begin(u8 command);
  void second(u64 offset, unsigned width, u64 value);
  void fill_buffer(u64 offset, unsigned width, u64 value);
  void program(u64 offset, std::span<const u8> bytes);
  void erase(u64 sector);
  void change(u64 offset, std::span<const u8> bytes);
  void done() { status_ |= kReady, cycle_ = Cycle::Command; }
  Result<> write_out();
  u8 query(u64 offset) const;

  static constexpr u8 kReady = 0x80, kProgramError = 0x10, kEraseError = 0x20;

  std::string name_;
  std::unique_ptr<BlockDevice> image_;
  std::string option_;
  u64 size_;
  PhysAddr first_;
  PhysicalBus* memory_ = nullptr;
  u32 key_ = 0;
  BackingOffset backing_{};
  bool array_shown_ = false;  // the bus reads the bytes by itself

  u8 command_ = 0;
  Cycle cycle_ = Cycle::Command;
  u8 status_ = 0;
  u64 buffer_first_ = 0;  // of a buffered program: the block's offset
  u32 buffer_left_ = 0;   // bytes that are still to come
  std::array<u8, kBuffer> buffer_{};
  // Bytes of one sector that the image does not have yet.
  u64 unwritten_first_ = 0, unwritten_end_ = 0;
};

}  // namespace relic86
