// The data area of one side, by its host address: filled before a case, taken after it. Free of library calls and
// thread-local data, since the child runs it with foreign FS and GS.
#pragma once

#include "tests/native/layout.h"

namespace relic86::native {

class DataArea {
 public:
  // area: kDataSize bytes at kData; background: as many bytes that hold background().
  DataArea(u8* area, const u8* background) : area_(area), background_(background) {}

  [[gnu::always_inline]] void fill(const u8* window) { copy(area_ + kOffset, window, kWindowSize); }

  template <class Result>
  [[gnu::always_inline]] void take(Result& result) {
    copy(result.window, area_ + kOffset, kWindowSize);
    result.stray = 0;
    if (differs(0, kOffset) || differs(kOffset + kWindowSize, kDataSize)) {
      result.stray = hash(0, kOffset) * 31 + hash(kOffset + kWindowSize, kDataSize);
      if (result.stray == 0) result.stray = 1;
      copy(area_, background_, kOffset);
      copy(area_ + kOffset + kWindowSize, background_ + kOffset + kWindowSize, kDataSize - kOffset - kWindowSize);
    }
  }

  [[gnu::always_inline]] static void copy(void* to, const void* from, u64 bytes) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  }

 private:
  static constexpr u32 kOffset = kWindow - kData;

  [[gnu::always_inline]] static u64 word(const u8* at) { return *reinterpret_cast<const u64*>(at); }
  [[gnu::always_inline]] bool differs(u32 first, u32 end) const {
    u64 difference = 0;
    for (u32 at = first; at < end; at += 8) difference |= word(area_ + at) ^ word(background_ + at);
    return difference != 0;
  }
  [[gnu::always_inline]] u64 hash(u32 first, u32 end) const {
    u64 value = 0xCBF29CE484222325;
    for (u32 at = first; at < end; at += 8) value = (value ^ word(area_ + at)) * 0x100000001B3 + (value >> 29);
    return value;
  }

  u8* area_;
  const u8* background_;
};

// Bits 255:128 of the first vectors, in the state that the kernel saved for the handler in XSAVE's format (the kernel's
// asm/sigcontext.h): zero where XSTATE_BV says that AVX is as after reset.
[[gnu::always_inline]] inline void take_upper_halves(const void* saved, FxState::Slot* into, u64 bytes) {
  constexpr u64 kHeader = 512, kUpperHalves = 576, kAvx = 4;
  const u8* const area = static_cast<const u8*>(saved);
  if ((*reinterpret_cast<const u64*>(area + kHeader) & kAvx) != 0) {
    DataArea::copy(into, area + kUpperHalves, bytes);
  } else {
    asm volatile("rep stosb" : "+D"(into), "+c"(bytes) : "a"(0) : "memory");
  }
}

}  // namespace relic86::native
