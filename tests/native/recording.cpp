#include "tests/native/recording.h"

#include <cstring>

namespace relic86::native {

namespace {

enum Changed : u8 { kStray = 1, kSelectors = 2, kMemory = 4, kUnits = 8, kVectors = 16 };
constexpr unsigned kXmmRegisters = 8;

}  // namespace

u32 check_of(const Batches& batches, unsigned slot, std::span<const CaseInput> inputs) {
  const GuestCode& code = batches.codes()[slot];
  const u32 origin = code.start() - code.lead;
  u32 value = check_bytes(kCheckStart, code.bytes.data() + code.lead, code.end - origin - code.lead);
  value = check_bytes(value, code.segment, sizeof code.segment);
  for (std::size_t i = slot; i < inputs.size(); i += Batches::kCodes)
    value = check_input(value, inputs[i], inputs[i].eflags, kXmmRegisters);
  return value;
}

void record_batch(Recording& recording, const Batches& batches, std::span<const CaseInput> inputs) {
  for (unsigned slot = 0; slot < Batches::kCodes; ++slot) recording.checks.put(check_of(batches, slot, inputs), 4);
}

void record_result(Recording& recording, const GuestCode& code, const CaseInput& input, const CaseResult& result) {
  RecordingColumn &kinds = recording.kinds, &values = recording.values;
  // What is masked by name is another one each time.
  const u32 masked = code.pieces.back().masked_registers;
  u8 registers = 0, changed = 0, selectors = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (result.gpr[i] != input.gpr[i] && (masked >> i & 1) == 0) registers = static_cast<u8>(registers | 1u << i);
  }
  for (unsigned i = 0; i < kSlotCount; ++i) {
    if (result.segment[i] != input.segment[i]) selectors = static_cast<u8>(selectors | 1u << i);
  }
  if (result.stray != 0) changed |= kStray;
  if (selectors != 0) changed |= kSelectors;
  if (std::memcmp(result.window, input.window, kWindowSize) != 0) changed |= kMemory;
  if (input.units) changed |= kUnits;
  if (input.vectors) changed |= kVectors;
  recording.put_end(result.vector);
  kinds.put(registers, 1);
  kinds.put(changed, 1);
  values.put_varint(result.eflags ^ input.eflags);
  if (result.vector != kCompleted) {
    values.put(result.eip - code.start(), 4);
    values.put_varint(result.error_code);
    if (result.vector == 14) values.put(result.cr2, 4);
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((registers >> i & 1) != 0) values.put(result.gpr[i], 4);
  }
  if (selectors != 0) {
    kinds.put(selectors, 1);
    for (unsigned i = 0; i < kSlotCount; ++i) {
      if ((selectors >> i & 1) != 0) values.put(result.segment[i], 2);
    }
  }
  if ((changed & kStray) != 0) values.put(result.stray, 8);
  if ((changed & kMemory) != 0) recording.put_window(input.window, result.window);
  if (input.units) recording.put_units(input.fx, result.fx, kXmmRegisters);
  if (input.vectors) recording.put_upper_halves(input.ymm_high, result.ymm_high);
}

void take_result(Recording& recording, const GuestCode& code, const CaseInput& input, CaseResult& result) {
  RecordingColumn &kinds = recording.kinds, &values = recording.values;
  result.vector = recording.take_end();
  const u64 registers = kinds.take(1), changed = kinds.take(1);
  result.fx = input.fx;
  std::memcpy(result.gpr, input.gpr, sizeof result.gpr);
  std::memcpy(result.segment, input.segment, sizeof result.segment);
  std::memcpy(result.ymm_high, input.ymm_high, sizeof result.ymm_high);
  std::memcpy(result.window, input.window, sizeof result.window);
  result.eip = result.error_code = result.cr2 = 0;
  result.stray = 0;
  result.eflags = input.eflags ^ static_cast<u32>(values.take_varint());
  if (result.vector != kCompleted) {
    result.eip = code.start() + static_cast<u32>(values.take(4));
    result.error_code = static_cast<u32>(values.take_varint());
    if (result.vector == 14) result.cr2 = static_cast<u32>(values.take(4));
  }
  for (unsigned i = 0; i < 8; ++i) {
    if ((registers >> i & 1) != 0) result.gpr[i] = static_cast<u32>(values.take(4));
  }
  if ((changed & kSelectors) != 0) {
    const u64 selectors = kinds.take(1);
    for (unsigned i = 0; i < kSlotCount; ++i) {
      if ((selectors >> i & 1) != 0) result.segment[i] = static_cast<u16>(values.take(2));
    }
  }
  if ((changed & kStray) != 0) result.stray = values.take(8);
  if ((changed & kMemory) != 0) recording.take_window(result.window);
  if ((changed & kUnits) != 0) recording.take_units(result.fx, kXmmRegisters);
  if ((changed & kVectors) != 0) recording.take_upper_halves(result.ymm_high);
}

}  // namespace relic86::native
