// VMware's port: an access to 5658h asks the machine instead of a device. What is asked stands in EBX and ECX, and the
// answer comes in up to six registers. Drivers of VMware's mouse for old systems speak through it.
#pragma once

#include <vector>

#include "devices/attachment.h"
#include "devices/input/vmware_mouse.h"
#include "devices/processor_registers.h"

namespace relic86 {

class VmwarePort final : public Device {
 public:
  static constexpr u16 kPort = 0x5658;

  // ram_size: bytes. announce: see VmwareMouse.
  VmwarePort(u64 ram_size, std::function<void()> announce) : ram_size_(ram_size), mouse_(std::move(announce)) {}

  VmwareMouse& mouse() { return mouse_; }
  // The processors' registers, which must outlive this, and which of them carries out instructions.
  void connect_processor(unsigned number, ProcessorRegisters* registers);
  void set_running_processor(unsigned number) { running_ = number; }

  std::string_view name() const override { return "vmware.port"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override { mouse_.reset(); }
  void state(StateArchive& archive) override { mouse_.state(archive); }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  u32 answer();
  u32 carry_out(ProcessorRegisters& registers);
  u32 give_words(ProcessorRegisters& registers, u32 count);

  const u64 ram_size_;
  VmwareMouse mouse_;
  std::vector<ProcessorRegisters*> processors_;
  unsigned running_ = 0;
};

}  // namespace relic86
