// The state save map of system management mode in physical memory, as the board shows it while SMIACT# is active.
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

class SaveMap {
 public:
  explicit SaveMap(Cpu& cpu) : bus_(cpu.mmu().bus()), base_(cpu.state().smbase + 0x8000) {}
  // slot: offset from SMBASE + 8000h.
  u32 read(u32 slot) const { return load<u32>(slot); }
  u64 read64(u32 slot) const { return load<u64>(slot); }
  u16 read16(u32 slot) const { return load<u16>(slot); }
  u8 read8(u32 slot) const { return load<u8>(slot); }
  void write(u32 slot, u64 value) { store(slot, static_cast<u32>(value)); }
  void write64(u32 slot, u64 value) { store(slot, value); }
  void write16(u32 slot, u64 value) { store(slot, static_cast<u16>(value)); }
  void write8(u32 slot, u64 value) { store(slot, static_cast<u8>(value)); }

 private:
  PhysAddr at(u32 slot) const { return PhysAddr(base_ + slot); }  // wraps at 4 GiB
  template <class T>
  T load(u32 slot) const {
    T value = 0;
    bus_.read_block(at(slot), {reinterpret_cast<u8*>(&value), sizeof value});
    return value;
  }
  template <class T>
  void store(u32 slot, T value) {
    bus_.write_block(at(slot), {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  PhysicalBus& bus_;
  u32 base_;
};

// The map of processors with long mode.
void save_long(Cpu& cpu);
bool loadable_long(const Cpu& cpu, const SaveMap& map);  // false: RSM refuses the map and the processor shuts down
bool load_long(Cpu& cpu, const SaveMap& map);            // false: the PDPTEs cannot be loaded

}  // namespace relic86
