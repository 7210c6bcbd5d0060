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
  bool stack(Selector selector, unsigned privilege, Descriptor& found) const {
    return descriptor(selector, found) && selector.rpl() == privilege && found.dpl() == privilege && found.writable() &&
           found.present();
  }
  // The stack that the TSS names for an inner ring.
  bool inner_stack(unsigned privilege, Selector& selector, Descriptor& found, u32& esp) const {
    const Segment& tss = state_.segment[kTr];
    const bool wide = (tss.type() & 8) != 0;
    const u32 offset = wide ? 4 + privilege * 8 : 2 + privilege * 4;
    const u32 size = wide ? 8 : 4;
    if (tss.selector.null() || offset + size - 1 > tss.limit) return false;
    const u8* const from = table(tss.base + offset, size);
    if (from == nullptr) return false;
    esp = slot(from, wide, 0);
    selector = Selector(static_cast<u16>(slot(from, wide, 1)));
    return stack(selector, privilege, found);
  }
  // Fills the segment register where it stands: a copy would be read before its parts are written. Of present segments,
  // EFLAGS.AC clear.
  void load(SegmentName name, Selector selector, const Descriptor& descriptor) const {
    Segment& segment = state_.segment[name];
    segment.selector = selector;
    segment.attributes = descriptor.attributes();
    if (descriptor.flat()) [[likely]] {
      constexpr u64 kEnd = u64{1} << 32;
      constexpr unsigned kReaches = kSegmentReaches64K | kSegmentReaches4G, kReads = kSegmentReads;
      constexpr unsigned kData = kSegmentReads | kSegmentWrites | kSegmentFlat;
      const bool code = descriptor.code(), reads = descriptor.readable();
      segment.base = 0;
      segment.limit = 0xFFFFFFFF;
      segment.end = kEnd;
      segment.read_end = reads ? kEnd : 0;
      segment.write_end = code ? 0 : kEnd;
      segment.kind = kReaches | (!code ? kData : reads ? kReads : 0u);
      return;
    }
    segment.base = descriptor.base();
    segment.limit = descriptor.limit();
    derive_limits(state_, segment);
  }

  // Virtual-8086 mode: 64 KiB from selector * 16, data that may be read and written at DPL 3.
  void load_virtual(SegmentName name, Selector selector) const {
    Segment& segment = state_.segment[name];
    segment.selector = selector;
    segment.base = u64{selector.raw} << 4;
    segment.limit = 0xFFFF;
    segment.attributes = 0xF3;
    segment.read_end = segment.write_end = segment.end = 0x10000;
    segment.kind = kSegmentReads | kSegmentWrites | kSegmentReaches64K;
  }

  static u32 mask(const Segment& stack) { return stack.big() ? 0xFFFFFFFFu : 0xFFFFu; }
  static u32 mask(const Descriptor& stack) { return stack.big() ? 0xFFFFFFFFu : 0xFFFFu; }
  // Room for `size` bytes below the stack pointer.
  u8* below(const Segment& stack, u32 esp, u32 size, Privilege privilege) const {
    return room(stack.base, stack.write_end, esp & mask(stack), size, privilege);
  }
  // The same on a stack that stack() has found good, and which does not expand down.
  u8* below(const Descriptor& stack, u32 esp, u32 size) const {
    if (stack.expands_down()) return nullptr;
    return room(stack.base(), u64{stack.limit()} + 1, esp & mask(stack), size, Privilege::Supervisor);
  }
  // The `size` bytes from the present stack pointer on.
  const u8* top_of_stack(u32 size) const {
    const Segment& stack = state_.segment[kSs];
    const u64 top = state_.gpr32(kEsp) & mask(stack);
    if (top + size > stack.read_end || top + size > u64{mask(stack)} + 1) return nullptr;
    const u32 address = static_cast<u32>(stack.base + top);
    return within_page(address, size) ? cpu_.mmu().readable_run(LinAddr(address), cpu_.privilege()) : nullptr;
  }

  // Bytes that an instruction's memory operand names.
  const u8* operand(const Segment& segment, u32 offset, u32 size) const {
    if (u64{offset} + size > segment.read_end) return nullptr;
    const u32 address = static_cast<u32>(segment.base + offset);
    return within_page(address, size) ? cpu_.mmu().readable_run(LinAddr(address), cpu_.privilege()) : nullptr;
  }

  // By sizes that the compiler knows.
  static u32 slot(const u8* from, bool wide, unsigned index) {
    u32 value = 0;
    u16 half = 0;
    if (wide) {
      std::memcpy(&value, from + index * sizeof value, sizeof value);
      return value;
    }
    std::memcpy(&half, from + index * sizeof half, sizeof half);
    return half;
  }
  static void set_slots(u8* to, bool wide, const u32* values, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const u16 half = static_cast<u16>(values[i]);
      if (wide) {
        std::memcpy(to + i * sizeof(u32), &values[i], sizeof(u32));
      } else {
        std::memcpy(to + i * sizeof half, &half, sizeof half);
      }
    }
  }
  // ESP of a stack after so many bytes; the upper half stays on a 16-bit stack.
  template <class Stack>
  static u32 moved(const Stack& stack, u32 esp, i32 by) {
    return (esp & ~mask(stack)) | ((esp + static_cast<u32>(by)) & mask(stack));
  }

 private:
  u8* room(u64 base, u64 end, u32 top, u32 size, Privilege privilege) const {
    if (top < size || top > end) return nullptr;
    const u32 address = static_cast<u32>(base + top - size);
    return within_page(address, size) ? cpu_.mmu().writable_run(LinAddr(address), privilege) : nullptr;
  }
  static bool within_page(u32 address, u32 size) { return (address & (kPageSize - 1)) + size <= kPageSize; }

  Cpu& cpu_;
  CpuState& state_;
};

}  // namespace relic86
