// What a device sees of the board while it is attached: where it claims ports, memory, lines and timers.
#pragma once

#include <string_view>

#include "devices/device.h"
#include "memory/io_space.h"
#include "memory/physical_bus.h"

namespace relic86 {

class Attachment {
 public:
  Attachment(Scheduler& scheduler, IoSpace& io, PhysicalBus& memory, IrqSink& isa_irqs)
      : scheduler_(scheduler), io_(io), memory_(memory), isa_irqs_(isa_irqs) {}

  Scheduler& scheduler() { return scheduler_; }
  IoSpace& io() { return io_; }
  PhysicalBus& memory() { return memory_; }

  // Claims fixed ports for the device. max_width: the widest access it takes at once (1, 2 or 4).
  Result<> ports(Device& device, RegionId region, u16 first, u32 count, unsigned max_width = 1) {
    return io_.map_fixed({std::string(device.name()), IoPort(first), count, &device, region, max_width});
  }
  // The ISA interrupt line n (0 to 15). Level semantics are the 8259's (edge unless the ELCR says level).
  // Each call makes a wire of its own: devices that share a line are ORed.
  IrqLine isa_irq(unsigned n) { return IrqLine(&isa_irqs_, isa_irqs_.new_wire(n)); }
  // A timer that calls device.event(id, late). what: "channel0".
  TimerId timer(Device& device, std::string_view what, u32 id) {
    return scheduler_.create(std::string(device.name()) + "." + std::string(what), &device, id);
  }

 private:
  Scheduler& scheduler_;
  IoSpace& io_;
  PhysicalBus& memory_;
  IrqSink& isa_irqs_;
};

}  // namespace relic86
