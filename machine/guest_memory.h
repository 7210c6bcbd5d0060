// Guest memory as debuggers see it: read and written with all rights, nothing set, filled or faulted by it.
#pragma once

#include <span>

#include "machine/machine.h"

namespace relic86 {

// The linear address that a number means to the processor that is looked at: outside of long mode the lower 32 bits.
LinAddr guest_linear(Machine& machine, u64 address);

// False: a page is not mapped (into is then partly filled). Registers of devices are
// read as the processor would read them.
bool read_guest(Machine& machine, bool physical, u64 address, std::span<u8> into);
// The same of linear addresses, RAM and ROM alone; false for registers of devices, too: the guest sees nothing of it.
bool read_guest_ram(Machine& machine, u64 address, std::span<u8> into);
// The same for writing: memory changes where a read would find it, ROM included; decoded code follows. False: a page is
// not mapped, and nothing of it or behind it was written.
bool write_guest(Machine& machine, bool physical, u64 address, std::span<const u8> from);

// Writes memory to a file of the host, at most 4 GiB.
Result<> save_guest_memory(Machine& machine, bool physical, u64 address, u64 size, const std::string& file);

}  // namespace relic86
