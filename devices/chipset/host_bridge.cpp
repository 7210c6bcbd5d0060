// PAM and SMRAM registers (Intel 82441FX 3.2.18 and 3.2.21; Intel 3 Series (MCH) 5.1.19 and 5.1.27), at offsets that
// the bridge says
//
//   offset    width  R/W  bits
//   PAM0-6    1      RW   devices/chipset/host_memory.h
//   SMRAM     1      RW   6 D_OPEN, 5 D_CLS, 4 D_LCK, 3 G_SMRAME, 2:0 C_BASE_SEG (010)
//
// SMRAM: A0000h-BFFFFh show DRAM while D_OPEN, or G_SMRAME and the processor is in SMM. D_LCK clears D_OPEN and locks
// both until reset. D_CLS (data references closed while code is fetched) is kept, and has no effect: the bus does not
// tell code from data.
#include "devices/chipset/host_bridge.h"

namespace relic86 {

namespace {
constexpr u8 kOpen = 0x40, kLock = 0x10, kEnable = 0x08;
constexpr u8 kWritable = 0x78, kWritableLocked = 0x20, kSegmentA = 0x02;
}  // namespace

HostBridge::HostBridge(const PciIdentity& identity, std::span<const u8> bios, Registers registers)
    : PciDevice(identity), registers_(registers), memory_(bios) {
  declare(registers_.pam0, 1, 0, 0x30);
  for (u8 i = 1; i < HostMemory::kPamRegisters; i++) declare(static_cast<u8>(registers_.pam0 + i), 1, 0, 0x33);
  declare(registers_.smram, 1, kSegmentA, kWritable);
}

Result<> HostBridge::attach_memory(Attachment& board, u64 low_ram) { return memory_.attach(board.memory(), low_ram); }

// The shadow RAM keeps its contents while the machine is suspended to RAM, and its place too: firmware finds the way to
// resume by what it left there.
void HostBridge::reset(ResetKind kind) {
  HostMemory::Pam attributes;
  for (u8 i = 0; i < attributes.size(); i++)
    attributes[i] = static_cast<u8>(config(static_cast<u8>(registers_.pam0 + i), 1));
  PciDevice::reset(kind);
  if (kind != ResetKind::Resume) return;
  for (u8 i = 0; i < attributes.size(); i++) set_config(static_cast<u8>(registers_.pam0 + i), 1, attributes[i]);
  update_shadow();
}

void HostBridge::reset_function(ResetKind) { system_management_mode_ = false; }

void HostBridge::state_function(StateArchive& archive) {
  archive.field("system_management_mode", system_management_mode_);
}

void HostBridge::set_system_management_mode(bool active) {
  system_management_mode_ = active;
  update_smram();
}

void HostBridge::config_written(unsigned offset, unsigned width) {
  const unsigned end = offset + width;
  if (offset < registers_.pam0 + HostMemory::kPamRegisters && end > registers_.pam0) update_shadow();
  if (offset <= registers_.smram && end > registers_.smram) {
    const u32 value = config(registers_.smram, 1);
    const bool locked = (value & kLock) != 0;
    if (locked) set_config(registers_.smram, 1, value & ~u32{kOpen});
    // Locked: D_OPEN, D_LCK and G_SMRAME are read-only until the next reset.
    declare_writable(registers_.smram, locked ? kWritableLocked : kWritable);
    update_smram();
  }
}

void HostBridge::update_shadow() {
  HostMemory::Pam registers;
  for (u8 i = 0; i < registers.size(); i++)
    registers[i] = static_cast<u8>(config(static_cast<u8>(registers_.pam0 + i), 1));
  memory_.show_shadow(registers);
}

void HostBridge::update_smram() {
  const u32 value = config(registers_.smram, 1);
  memory_.show_smram((value & kEnable) != 0 && ((value & kOpen) != 0 || system_management_mode_));
}

}  // namespace relic86
