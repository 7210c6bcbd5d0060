#include "tests/native64/recording.h"

#include <cstring>

namespace relic86::native64 {

namespace {

using native::check_bytes;

enum Changed : u8 { kStray = 1, kMemory = 2, kUnits = 4, kVectors = 8 };
constexpr unsigned kXmmRegisters = 16;
constexpr u32 kPageFault = 14;

}  // namespace

u32 check_of(const Batches& batches, unsigned slot, std::span<const CaseInput> inputs) {
  const GuestCode& code = batches.codes()[slot];
  const u64 origin = code.start() - code.lead;
  u32 value = check_bytes(native::kCheckStart, code.bytes.data() + code.lead, code.end - origin - code.lead);
  for (std::size_t i = slot; i < inputs.size(); i += Batches::kCodes)
    value = native::check_input(value, inputs[i], inputs[i].rflags, kXmmRegisters);
  return value;
}

void record_batch(native::Recording& recording, const Batches& batches, std::span<const CaseInput> inputs) {
  for (unsigned slot = 0; slot < Batches::kCodes; ++slot) recording.checks.put(check_of(batches, slot, inputs), 4);
}

void record_result(native::Recording& recording, const GuestCode& code, const CaseInput& input,
                   const CaseResult& result) {
  native::RecordingColumn &kinds = recording.kinds, &values = recording.values;
  // What is masked by name is another one each time.
  const u32 masked = code.pieces.back().masked_registers;
  u32 registers = 0;
  u8 changed = 0;
  for (unsigned i = 0; i < kRegisters; ++i) {
    if (result.gpr[i] != input.gpr[i] && (masked >> i & 1) == 0) registers |= 1u << i;
  }
  if (result.stray != 0) changed |= kStray;
  if (std::memcmp(result.window, input.window, kWindowSize) != 0) changed |= kMemory;
  if (input.units) changed |= kUnits;
  if (input.vectors) changed |= kVectors;
  recording.put_end(result.vector);
  kinds.put_varint(registers);
  kinds.put(changed, 1);
  values.put_varint(result.rflags ^ input.rflags);
  if (result.vector != kCompleted) {
    values.put_varint(result.rip - code.start());
    values.put_varint(result.error_code);
    if (result.vector == kPageFault) values.put(result.cr2, 8);
  }
  for (unsigned i = 0; i < kRegisters; ++i) {
    if ((registers >> i & 1) != 0) values.put(result.gpr[i], 8);
  }
  if ((changed & kStray) != 0) values.put(result.stray, 8);
  if ((changed & kMemory) != 0) recording.put_window(input.window, result.window);
  if (input.units) recording.put_units(input.fx, result.fx, kXmmRegisters);
  if (input.vectors) recording.put_upper_halves(input.ymm_high, result.ymm_high);
}

void take_result(native::Recording& recording, const GuestCode& code, const CaseInput& input, CaseResult& result) {
  native::RecordingColumn &kinds = recording.kinds, &values = recording.values;
  result.vector = recording.take_end();
  const u64 registers = kinds.take_varint(), changed = kinds.take(1);
  result.fx = input.fx;
  std::memcpy(result.gpr, input.gpr, sizeof result.gpr);
  std::memcpy(result.ymm_high, input.ymm_high, sizeof result.ymm_high);
  std::memcpy(result.window, input.window, sizeof result.window);
  result.rip = result.cr2 = result.stray = 0;
  result.error_code = 0;
  result.rflags = input.rflags ^ values.take_varint();
  if (result.vector != kCompleted) {
    result.rip = code.start() + values.take_varint();
    result.error_code = static_cast<u32>(values.take_varint());
    if (result.vector == kPageFault) result.cr2 = values.take(8);
  }
  for (unsigned i = 0; i < kRegisters; ++i) {
    if ((registers >> i & 1) != 0) result.gpr[i] = values.take(8);
  }
  if ((changed & kStray) != 0) result.stray = values.take(8);
  if ((changed & kMemory) != 0) recording.take_window(result.window);
  if ((changed & kUnits) != 0) recording.take_units(result.fx, kXmmRegisters);
  if ((changed & kVectors) != 0) recording.take_upper_halves(result.ymm_high);
}

}  // namespace relic86::native64
