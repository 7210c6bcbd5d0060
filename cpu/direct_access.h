// What far transfers and interrupts touch in memory, by way of the TLB alone: tables, TSSs and stacks whose pages have
// entries and need no slow path. Nothing is filled, nothing faults: whoever gets null does it the long way.
#pragma once

#include <cstring>

#include "cpu/access.h"
#include "cpu/segmentation.h"

namespace relic86 {

class DirectAccess {
 public:
  explicit DirectAccess(Cpu& cpu) : cpu_(cpu), state_(cpu.state()) {}

  // Bytes that the processor itself reads, at supervisor privilege.
  const u8* table(u64 linear, u32 size) const {
    const u32 address = static_cast<u32>(linear);
    return within_page(address, size) ? cpu_.mmu().readable_run(LinAddr(address), Privilege::Supervisor) : nullptr;
  }
  // A descriptor; false for code and data whose accessed bit is still to be set.
  bool descriptor(Selector selector, Descriptor& found) const {
    LinAddr address{};
    if (selector.null() || !locate_descriptor(state_, selector, address) || !read(address.raw, found)) return false;
    return !found.code_or_data() || (found.high & 0x100) != 0;
  }
  // Eight bytes of a table.
  bool read(u64 linear, Descriptor& found) const {
    const u8* const from = table(linear, 8);
    if (from == nullptr) return false;
    std::memcpy(&found.low, from, 4);
    std::memcpy(&found.high, from + 4, 4);
    return true;
  }
  // A code segment that may be entered, present, with this offset within its limit.
  bool code(Selector selector, u32 offset, Descriptor& found) const {
    return descriptor(selector, found) && enterable(found, offset);
  }
  static bool enterable(const Descriptor& code, u32 offset) {
    return code.code() && code.present() && offset <= code.limit();
  }
  // SS of the privilege that it is for.
  bool stack(Selector selector, unsigned privilege, Segment& loaded) const {
    Descriptor found;
    if (!descriptor(selector, found) || selector.rpl() != privilege || found.dpl() != privilege || !found.writable() ||
        !found.present())
      return false;
    loaded = hidden_part(selector, found);
    return true;
  }
  // The stack that the TSS names for an inner ring.
  bool inner_stack(unsigned privilege, Segment& loaded, u32& esp) const {
    const Segment& tss = state_.segment[kTr];
    const bool wide = (tss.type() & 8) != 0;
    const u32 offset = wide ? 4 + privilege * 8 : 2 + privilege * 4;
    const u32 size = wide ? 8 : 4;
    if (tss.selector.null() || offset + size - 1 > tss.limit) return false;
    const u8* const from = table(tss.base + offset, size);
    if (from == nullptr) return false;
    esp = 0;
    u16 selector = 0;
    std::memcpy(&esp, from, size / 2);
    std::memcpy(&selector, from + size / 2, 2);
    return stack(Selector(selector), privilege, loaded);
  }
  Segment hidden_part(Selector selector, const Descriptor& descriptor) const {
    Segment segment;
    segment.selector = selector;
    segment.base = descriptor.base();
    segment.limit = descriptor.limit();
    segment.attributes = descriptor.attributes();
    derive_limits(state_, segment);
    return segment;
  }

  static u32 mask(const Segment& stack) { return stack.big() ? 0xFFFFFFFFu : 0xFFFFu; }
  // Room for `size` bytes below the stack pointer.
  u8* below(const Segment& stack, u32 esp, u32 size, Privilege privilege) const {
    const u32 top = esp & mask(stack);
    if (top < size || top > stack.write_end) return nullptr;
    const u32 address = static_cast<u32>(stack.base + top - size);
    return within_page(address, size) ? cpu_.mmu().writable_run(LinAddr(address), privilege) : nullptr;
  }
  // The `size` bytes from the present stack pointer on.
  const u8* top_of_stack(u32 size) const {
    const Segment& stack = state_.segment[kSs];
    const u64 top = state_.gpr32(kEsp) & mask(stack);
    if (top + size > stack.read_end || top + size > u64{mask(stack)} + 1) return nullptr;
    const u32 address = static_cast<u32>(stack.base + top);
    return within_page(address, size) ? cpu_.mmu().readable_run(LinAddr(address), cpu_.privilege()) : nullptr;
  }

  static u32 slot(const u8* from, bool wide, unsigned index) {
    u32 value = 0;
    std::memcpy(&value, from + index * (wide ? 4u : 2u), wide ? 4 : 2);
    return value;
  }
  static void set_slots(u8* to, bool wide, const u32* values, unsigned count) {
    for (unsigned i = 0; i < count; ++i) std::memcpy(to + i * (wide ? 4u : 2u), &values[i], wide ? 4 : 2);
  }
  // ESP of a stack after so many bytes; the upper half stays on a 16-bit stack.
  static u32 moved(const Segment& stack, u32 esp, i32 by) {
    return (esp & ~mask(stack)) | ((esp + static_cast<u32>(by)) & mask(stack));
  }

 private:
  static bool within_page(u32 address, u32 size) { return (address & (kPageSize - 1)) + size <= kPageSize; }

  Cpu& cpu_;
  CpuState& state_;
};

}  // namespace relic86
