// What every device is. A device is one devices/x.{h,cpp} pair; its register table stands on top of the .cpp
// (port, width, R/W, bits, datasheet section), then ports, IRQs, reset, state, behaviour, in that order.
#pragma once

#include <string_view>

#include "base/state_archive.h"
#include "devices/irq_line.h"
#include "devices/scheduler.h"
#include "memory/region_handler.h"

namespace relic86 {

class Attachment;

enum class ResetKind : u8 {
  PowerOn,  // cold: everything to the datasheet's power-on state
  Hard,     // RESET# (port CF9h, system_reset): as PowerOn, but what survives a reset on the real part survives
  Resume,   // end of suspend to RAM: as Hard, but what has power in that state keeps its contents
};

class Device : public RegionHandler, public EventHandler {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  // Unique in the machine: "i8259.master". Names state sections, ranges and messages.
  virtual std::string_view name() const = 0;
  // Claims ports, memory, lines and timers. Called once, before the first reset.
  virtual Result<> attach(Attachment& board) = 0;
  virtual void reset(ResetKind kind) = 0;
  virtual void state(StateArchive& archive) = 0;
  // From RegionHandler: read(region, offset, width), write(region, offset, width, value).
  // From EventHandler: event(id, late).
};

}  // namespace relic86
