#include "cpu/vex_unit.h"

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <new>

#include "base/assert.h"

namespace relic86 {

namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20;
constexpr std::size_t kFunctionBytes = 128;

// The fixed registers: YMM0 to YMM3, RCX and RAX; RDI points to the operands.
constexpr u8 kRegVector = 0, kVexVector = 1, kRmVector = 2, kFourthVector = 3, kGeneralReg = 1, kGeneralRm = 0;

struct Writer {
  u8* at;

  void bytes(std::initializer_list<u8> list) {
    for (const u8 byte : list) *at++ = byte;
  }
  void word(std::size_t value) {
    const u32 low = static_cast<u32>(value);
    std::memcpy(at, &low, sizeof low);
    at += sizeof low;
  }
  // VMOVDQU between a fixed vector and its place.
  void vector(u8 opcode, u8 number, std::size_t offset) {
    bytes({0xC5, 0xFE, opcode, static_cast<u8>(0x87 | number << 3)});
    word(offset);
  }
  // MOV between a fixed general register and its place.
  void general(u8 opcode, u8 number, std::size_t offset) {
    bytes({0x48, opcode, static_cast<u8>(0x87 | number << 3)});
    word(offset);
  }
};

constexpr u8 kLoadVector = 0x6F, kStoreVector = 0x7F, kLoadGeneral = 0x8B, kStoreGeneral = 0x89;

void write_instruction(const VexEncoding& encoding, Writer& writer) {
  const u8 map = static_cast<u8>(static_cast<u8>(encoding.map) - static_cast<u8>(OpcodeMap::VexTwoByte) + 1);
  const u8 vvvv = encoding.has_vex ? kVexVector : u8{0};
  writer.bytes({0xC4, static_cast<u8>(0xE0 | map),
                static_cast<u8>((encoding.w ? 0x80 : 0) | (~vvvv & 15) << 3 | (encoding.l ? 4 : 0) | encoding.implied),
                encoding.opcode});
  const u8 reg = encoding.extension != 0xFF ? encoding.extension : encoding.general_reg ? kGeneralReg : kRegVector;
  constexpr u8 kRdi = 7;
  if (encoding.memory) {
    writer.bytes({static_cast<u8>(0x80 | reg << 3 | kRdi)});
    writer.word(offsetof(VexOperands, rm));
  } else {
    writer.bytes({static_cast<u8>(0xC0 | reg << 3 | (encoding.general_rm ? kGeneralRm : kRmVector))});
  }
  const u8 immediate =
      static_cast<u8>(encoding.has_fourth ? kFourthVector << 4 | (encoding.immediate & 15) : encoding.immediate);
  if (encoding.has_immediate) writer.bytes({immediate});
}

}  // namespace

u64 VexEncoding::key() const {
  u64 value = static_cast<u64>(map);
  for (const u8 byte : {opcode, implied, immediate, extension}) value = value << 8 | byte;
  for (const bool bit : {w, l, memory, has_vex, general_reg, general_rm, has_immediate, has_fourth})
    value = value << 1 | (bit ? 1u : 0u);
  return value;
}

VexUnit::VexUnit() { begin_anew(); }
VexUnit::~VexUnit() = default;

bool VexUnit::available() { return ExecutableMemory(kFunctionBytes).executable() != nullptr; }

// Code that others run, another process perhaps, is never written over.
void VexUnit::begin_anew() {
  functions_.clear();
  used_ = 0;
  memory_ = std::make_unique<ExecutableMemory>(kBytes);
  if (memory_->executable() == nullptr) throw std::bad_alloc();
}

VexUnit::Function VexUnit::function(const VexEncoding& encoding) {
  const u64 key = encoding.key();
  if (const auto found = functions_.find(key); found != functions_.end()) return found->second;
  if (used_ + kFunctionBytes > kBytes || memory_->shared_with_another_process()) begin_anew();
  write(encoding, memory_->writable() + used_);
  const auto made = reinterpret_cast<Function>(reinterpret_cast<u64>(memory_->executable()) + used_);
  used_ += kFunctionBytes;
  functions_.emplace(key, made);
  return made;
}

void VexUnit::write(const VexEncoding& encoding, u8* at) {
  Writer writer{at};
  writer.vector(kLoadVector, kRegVector, offsetof(VexOperands, reg));
  writer.vector(kLoadVector, kVexVector, offsetof(VexOperands, vex));
  if (!encoding.memory) writer.vector(kLoadVector, kRmVector, offsetof(VexOperands, rm));
  if (encoding.has_fourth) writer.vector(kLoadVector, kFourthVector, offsetof(VexOperands, fourth));
  writer.general(kLoadGeneral, kGeneralReg, offsetof(VexOperands, general_reg));
  writer.general(kLoadGeneral, kGeneralRm, offsetof(VexOperands, general_rm));
  write_instruction(encoding, writer);
  writer.bytes({0x9C, 0x8F, 0x87});  // PUSHFQ, POP
  writer.word(offsetof(VexOperands, flags));
  writer.vector(kStoreVector, kRegVector, offsetof(VexOperands, reg));
  writer.vector(kStoreVector, kVexVector, offsetof(VexOperands, vex));
  if (!encoding.memory) writer.vector(kStoreVector, kRmVector, offsetof(VexOperands, rm));
  writer.general(kStoreGeneral, kGeneralReg, offsetof(VexOperands, general_reg));
  writer.general(kStoreGeneral, kGeneralRm, offsetof(VexOperands, general_rm));
  writer.bytes({0xC5, 0xF8, 0x77, 0xC3});  // VZEROUPPER, RET
  RELIC86_ASSERT(writer.at <= at + kFunctionBytes);
}

}  // namespace relic86
