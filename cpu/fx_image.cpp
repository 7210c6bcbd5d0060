#include "cpu/fx_image.h"

#include <cstring>
#include <utility>

#include "cpu/x87_instructions.h"

namespace relic86 {

namespace {

// Sign-extended from what FxState keeps.
void widen_pointers(FxState& image) {
  const u16 sign = 0x8000;
  image.instruction_selector = std::exchange(image.instruction_high, u16{0});
  image.data_selector = std::exchange(image.data_high, u16{0});
  if ((image.instruction_selector & sign) != 0) image.instruction_high = 0xFFFF;
  if ((image.data_selector & sign) != 0) image.data_high = 0xFFFF;
}
void narrow_pointers(FxState& image) {
  image.instruction_high = std::exchange(image.instruction_selector, u16{0});
  image.data_high = std::exchange(image.data_selector, u16{0});
}

// Bytes 10 to 15 of the x87 registers' slots are reserved.
void clear_reserved(FxState::Slot* slots) {
  using Half = u64;
  for (unsigned i = 0; i < 8; i++) {
    Half halves[2];
    std::memcpy(halves, slots[i].bytes, sizeof halves);
    halves[1] &= 0xFFFF;
    std::memcpy(slots[i].bytes, halves, sizeof halves);
  }
}

}  // namespace

FxState fx_image(const FxState& fx, const Insn& insn) {
  FxState image = fx;
  image.mxcsr_mask = 0xFFFF;
  clear_reserved(image.st);
  if (insn.operand64())
    widen_pointers(image);
  else
    image.instruction_high = image.data_high = 0;
  return image;
}

void load_x87_image(FxState& fx, FxState image, const Insn& insn) {
  if (insn.operand64())
    narrow_pointers(image);
  else
    image.instruction_high = image.data_high = 0;
  fx.control = static_cast<u16>((image.control & 0x1F3F) | 0x40);
  fx.status = image.status;
  fx.tags = image.tags;
  fx.opcode = image.opcode & 0x7FF;
  fx.instruction = image.instruction;
  fx.instruction_selector = image.instruction_selector;
  fx.instruction_high = image.instruction_high;
  fx.data = image.data;
  fx.data_selector = image.data_selector;
  fx.data_high = image.data_high;
  std::memcpy(fx.st, image.st, sizeof fx.st);
  clear_reserved(fx.st);
  x87_update_summary(fx);
}

}  // namespace relic86
