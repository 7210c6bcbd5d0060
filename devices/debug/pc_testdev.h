// pc-testdev: the scratch ports, the scratch memory and the interrupt lines that kvm-unit-tests play with.
#pragma once

#include <array>
#include <vector>

#include "devices/attachment.h"

namespace relic86 {

class PcTestdev final : public Device {
 public:
  static constexpr unsigned kLines = 24;

  // high_lines: where lines 16 to 23 lead, which are no ISA lines.
  explicit PcTestdev(IrqSink& high_lines) : high_lines_(high_lines) {}

  std::string_view name() const override { return "pc-testdev"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override {}
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  enum Region : RegionId { kScratch, kFlush, kLine, kMemory };
  static constexpr u64 kMemorySize = 65536;

  IrqSink& high_lines_;
  std::array<IrqLine, kLines> lines_{};
  std::array<u8, 4> scratch_{};
  std::array<u8, kMemorySize> memory_{};
};

}  // namespace relic86
