// Commands (numbers from VMware's open-vm-tools, backdoor_def.h; answers as QEMU's hw/i386/vmport.c gives them):
//
//   IN or OUT of any width with EAX 564D5868h, DX 5658h, ECX 15:0 the command, EBX its parameter
//    10  version: EAX 6, EBX 564D5868h, ECX 2 (the kind of product)
//    20  memory: EAX bytes, EBX 1177h
//    39  mouse: takes EBX words of its queue, in EAX, EBX, ECX, EDX, ESI, EDI
//    40  mouse: EAX its status
//    41  mouse: carries out the command in EBX
//   others, and another EAX: EAX FFFFFFFFh
#include "devices/input/vmware_port.h"

#include <algorithm>
#include <iterator>

namespace relic86 {

namespace {
using Register = ProcessorRegisters::Register;
constexpr u32 kMagic = 0x564D5868, kUnknown = 0xFFFFFFFF;
constexpr u32 kVersion = 6, kProduct = 2, kMemoryMark = 0x1177;
enum Command : u16 { kGetVersion = 10, kGetMemory = 20, kMouseData = 39, kMouseStatus = 40, kMouseCommand = 41 };
}  // namespace

void VmwarePort::connect_processor(unsigned number, ProcessorRegisters* registers) {
  if (processors_.size() <= number) processors_.resize(number + 1);
  processors_[number] = registers;
}

// The three ports behind it are nobody's: an access of four bytes comes whole to who has them.
Result<> VmwarePort::attach(Attachment& board) { return board.ports(*this, 0, kPort, 4, 4); }

u64 VmwarePort::read(RegionId, u64 offset, unsigned width) { return offset == 0 ? answer() : all_ones(width); }

void VmwarePort::write(RegionId, u64 offset, unsigned, u64) {
  if (offset == 0) (void)answer();
}

// All of EAX takes the answer, whatever the access's width and direction.
u32 VmwarePort::answer() {
  ProcessorRegisters* const registers = running_ < processors_.size() ? processors_[running_] : nullptr;
  if (registers == nullptr) return kUnknown;
  const bool asked = registers->read_register(Register::Eax) == kMagic;
  const u32 value = asked ? carry_out(*registers) : kUnknown;
  registers->write_register(Register::Eax, value);
  return value;
}

u32 VmwarePort::carry_out(ProcessorRegisters& registers) {
  const u32 parameter = registers.read_register(Register::Ebx);
  switch (static_cast<u16>(registers.read_register(Register::Ecx))) {
    case kGetVersion:
      registers.write_register(Register::Ebx, kMagic);
      registers.write_register(Register::Ecx, kProduct);
      return kVersion;
    case kGetMemory:
      registers.write_register(Register::Ebx, kMemoryMark);
      return static_cast<u32>(std::min(ram_size_, u64{kUnknown}));
    case kMouseData: return give_words(registers, parameter);
    case kMouseStatus: return mouse_.status();
    case kMouseCommand: mouse_.command(parameter); return kMagic;
    default: return kUnknown;
  }
}

// Registers beyond those asked for stay as they are.
u32 VmwarePort::give_words(ProcessorRegisters& registers, u32 count) {
  constexpr Register kOthers[] = {Register::Ebx, Register::Ecx, Register::Edx, Register::Esi, Register::Edi};
  static_assert(std::size(kOthers) + 1 == VmwareMouse::kMostTaken);
  const auto words = mouse_.take(count);
  for (u32 i = 1; i < std::min<u32>(count, words.size()); i++) registers.write_register(kOthers[i - 1], words[i]);
  return words[0];
}

}  // namespace relic86
