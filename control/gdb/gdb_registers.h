// The registers as gdb numbers and lays them out: features org.gnu.gdb.i386.core and .sse (GDB manual, G.5.7), then
// the system registers; i386's, or amd64's of a processor that has long mode.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu.h"

namespace relic86 {

// target.xml: every register with its type; control registers and flags by their bits.
std::string gdb_target_description(const Cpu& cpu);

unsigned gdb_register_count(const Cpu& cpu);
unsigned gdb_register_size(const Cpu& cpu, unsigned number);  // bytes; number below the count
// Little-endian bytes of a register; empty: no such register.
std::vector<u8> read_gdb_register(const Cpu& cpu, unsigned number);
// value: gdb_register_size() bytes. Segment registers are loaded as a MOV would, without its privilege checks. False:
// no such register, or it cannot take this value; nothing has changed.
bool write_gdb_register(Cpu& cpu, unsigned number, std::span<const u8> value);

}  // namespace relic86
