// Single bytes of video memory that is planes (memory/plane_window.h), by the interpreter, which asks the device, and by
// translated code, which does not.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>

#include "jit/translator.h"
#include "memory/plane_window.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {
namespace {

constexpr u32 kDevice = 0x20000, kDeviceSize = 0x4000;  // linear and physical
constexpr u32 kPlanes = 0x100000;                       // in the backing store
constexpr u16 kBitsPort = 0x3CF;

// Planes with a bit mask, which port 3CFh sets; the middle two pages are the window.
class Planes final : public RegionHandler, public PlanarMemory {
 public:
  explicit Planes(BackingStore& store) : store_(store) {
    window_.planes = store.host(BackingOffset(kPlanes));
    window_.first = kPageSize;
    window_.readable = window_.writable = 2 * kPageSize;
    window_.read_shift[0] = 8;
    window_.read_shift[1] = 24;
    window_.kept = 0xFFFF00FF;
    window_.set = 0x0000A500;
    window_.bits = 0x3C3C3C3C;
    window_.write_planes[0] = 0xFF00FFFF;
    window_.write_planes[1] = 0xFFFFFF00;
  }
  u64 read(RegionId region, u64 offset, unsigned width) override {
    u64 value = 0;
    if (region == kPort) return 0;
    asked++;
    for (unsigned i = 0; i < width; i++) value |= u64{read_byte(static_cast<u32>(offset) + i)} << (i * 8);
    return value;
  }
  void write(RegionId region, u64 offset, unsigned width, u64 value) override {
    if (region == kPort) {
      window_.bits = static_cast<u32>(value & 0xFF) * 0x01010101u;
      return;
    }
    asked++;
    for (unsigned i = 0; i < width; i++) write_byte(static_cast<u32>(offset) + i, static_cast<u8>(value >> (i * 8)));
  }
  bool read_run(RegionId, u64 offset, std::span<u8> into) override {
    asked++;
    for (u8& byte : into) byte = read_byte(static_cast<u32>(offset++));
    return true;
  }
  bool write_run(RegionId, u64 offset, std::span<const u8> from) override {
    asked++;
    for (const u8 byte : from) write_byte(static_cast<u32>(offset++), byte);
    return true;
  }
  PlaneWindow* plane_window(RegionId region) override { return region == kWindow ? &window_ : nullptr; }

  enum Region : RegionId { kWindow = 3, kPort };
  u32 latch() const { return window_.latch; }
  unsigned asked = 0;

 private:
  u8 read_byte(u32 offset) {
    const u32 at = offset - window_.first;
    if (at >= window_.readable) return 0xFF;
    std::memcpy(&window_.latch, window_.planes + u64{at} * 4, 4);
    return static_cast<u8>(window_.latch >> window_.read_shift[at & 1]);
  }
  void write_byte(u32 offset, u8 value) {
    const u32 at = offset - window_.first;
    if (at >= window_.writable) return;
    for (unsigned plane = 0; plane < 4; plane++) {
      const auto of = [plane](u32 word) { return word >> (plane * 8) & 0xFF; };
      const u32 data = (value & of(window_.kept)) | of(window_.set);
      const u32 merged = (data & of(window_.bits)) | (of(window_.latch) & ~of(window_.bits));
      u8& byte = window_.planes[u64{at} * 4 + plane];
      const u32 enabled = of(window_.write_planes[at & 1]);
      byte = static_cast<u8>((merged & enabled) | (byte & ~enabled));
    }
    const BackingOffset place(kPlanes + u64{at} * 4);
    if (store_.watched(place)) store_.note_write(place, 4);
  }

  BackingStore& store_;
  PlaneWindow window_;
};

class PlaneWorld {
 public:
  explicit PlaneWorld(bool translates) : planes(m.bus().store()) {
    m.bus().map_movable(m.bus().new_key(), mmio_range("planes", PhysAddr(kDevice), kDeviceSize, &planes,
                                                      Planes::kWindow, 4, Priority::Window));
    m.bus().on_topology_change([this] { m.cpu().mmu().flush_all(); });
    EXPECT_TRUE(m.io()
                    .map_fixed({.owner = "planes",
                                .first = IoPort(kBitsPort),
                                .count = 1,
                                .handler = &planes,
                                .region = Planes::kPort})
                    .ok());
    m.flat32(0x1000, 0x8000);
    if (!translates) return;
    translator_.emplace(m.cpu(), m.bus(), jit::eager_options());
  }
  ExitReason run(u64 budget) { return translator_ ? translator_->run(budget) : m.run(budget); }

  CpuTestMachine m;
  Planes planes;

 private:
  std::optional<jit::Translator> translator_;
};

// Rounds of loads and stores of bytes (some of words) in the window, beside it and in RAM, and of new bit masks.
std::vector<u8> plane_program(u32 rounds, std::mt19937& random) {
  std::vector<u8> code;
  const auto put = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto number = [&](u32 value) {
    for (unsigned i = 0; i < 4; i++) code.push_back(static_cast<u8>(value >> (i * 8)));
  };
  put({0xBD}), number(rounds);                   // mov ebp, rounds
  put({0xBE}), number(kDevice + kPageSize / 2);  // mov esi
  put({0xBA}), number(kBitsPort);                // mov edx
  const std::size_t top = code.size();
  for (unsigned i = 0; i < 10; i++) {
    constexpr u8 kAccesses[][2] = {{0x8A, 0x06}, {0x88, 0x06}, {0x8A, 0x1E}, {0x88, 0x1E},
                                   {0x88, 0x3E}, {0x30, 0x06}, {0x86, 0x06}, {0x0F, 0xB6}};
    const auto& access = kAccesses[random() % std::size(kAccesses)];
    put({access[0], access[1]});
    if (access[0] == 0x0F) put({0x0E});  // movzx ecx, byte [esi]
    switch (random() % 5) {
      case 0: put({0xEE}); break;              // out dx, al
      case 1: put({0x66, 0x89, 0x06}); break;  // mov [esi], ax
      case 2: put({0xA4, 0x4E}); break;        // movsb; dec esi
      default: break;
    }
    put({0x05}), number(random());  // add eax
    put({0x01, 0xC3});              // add ebx, eax
  }
  put({0x81, 0xC6}), number(0x2F7);             // add esi
  put({0x81, 0xE6}), number(kDevice | 0x3FFF);  // and esi
  put({0x89, 0xF7, 0x83, 0xC7, 0x03});          // mov edi, esi; add edi, 3
  put({0x81, 0xE7}), number(kDevice | 0x3FFF);
  put({0x4D, 0x0F, 0x85}), number(static_cast<u32>(top - code.size() - 4));  // dec ebp; jnz
  put({0xF4});
  return code;
}

class PlaneAccess : public testing::Test {
 protected:
  void compare(u32 rounds, unsigned seed) {
    std::mt19937 random(seed);
    const std::vector<u8> code = plane_program(rounds, random);
    for (PlaneWorld* world : {&asking_, &translated_}) world->m.write(0x1000, code);
    for (unsigned slice = 0; slice < 10'000; slice++) {
      const u64 budget = 1 + random() % (slice % 2 == 0 ? 30 : 2000);
      const ExitReason reason = asking_.run(budget);
      ASSERT_EQ(translated_.run(budget), reason);
      ASSERT_EQ(translated_.m.state().gpr, asking_.m.state().gpr) << "seed " << seed << " slice " << slice;
      ASSERT_EQ(translated_.m.state().rip, asking_.m.state().rip) << "seed " << seed << " slice " << slice;
      ASSERT_EQ(translated_.planes.latch(), asking_.planes.latch()) << "seed " << seed << " slice " << slice;
      ASSERT_EQ(std::memcmp(store(translated_).host(BackingOffset(kPlanes)),
                            store(asking_).host(BackingOffset(kPlanes)), 2 * kPageSize * 4),
                0)
          << "seed " << seed << " slice " << slice;
      if (reason == ExitReason::Halted) return;
    }
    FAIL() << "the program does not end";
  }
  static BackingStore& store(PlaneWorld& world) { return world.m.bus().store(); }

  PlaneWorld asking_{false}, translated_{true};
};

TEST_F(PlaneAccess, AgreesWithTheDevice) {
  for (unsigned seed = 1; seed <= 20 && !HasFatalFailure(); seed++) {
    compare(120, seed);
    for (PlaneWorld* world : {&asking_, &translated_}) world->m.state().rip = 0x1000;
  }
}

// Loads and stores of bytes in the middle of the window: the device is asked the first few times alone.
TEST_F(PlaneAccess, AsksTheDeviceNoMore) {
  for (PlaneWorld* world : {&asking_, &translated_}) {
    world->m.code({0xB9, 0xE8, 0x03, 0,    0,                 // mov ecx, 1000
                   0xBE, 0x00, 0x18, 0x02, 0x00,              // mov esi, 21800h
                   0x8A, 0x06, 0x00, 0xC8, 0x88, 0x06, 0x46,  // mov al, [esi]; add al, cl; mov [esi], al; inc esi
                   0x49, 0x75, 0xF6, 0xF4});                  // dec ecx; jnz; hlt
    ASSERT_EQ(world->run(100'000), ExitReason::Halted);
  }
  EXPECT_EQ(asking_.planes.asked, 2000u);
  EXPECT_LT(translated_.planes.asked, 200u);
}

// A page that is shown is the device's to write.
TEST_F(PlaneAccess, LeavesWatchedPagesToTheDevice) {
  for (PlaneWorld* world : {&asking_, &translated_}) store(*world).arm_dirty(BackingOffset(kPlanes), 2 * kPageSize * 4);
  compare(60, 77);
  for (u64 page = kPlanes; page < kPlanes + 2 * kPageSize * 4; page += kPageSize)
    EXPECT_EQ(store(translated_).dirty(BackingOffset(page)), store(asking_).dirty(BackingOffset(page)));
}

TEST_F(PlaneAccess, LeavesAccessesToTheDeviceWhileTheyAreWatched) {
  for (PlaneWorld* world : {&asking_, &translated_}) {
    world->m.state().dr[0] = 0x21800;
    world->m.state().dr[7] = 0x30701;  // DR0: reads and writes of a byte
    world->m.cpu().mmu().set_breakpoint_pages({0x21});
  }
  compare(60, 78);
  EXPECT_EQ(translated_.m.state().dr[6], asking_.m.state().dr[6]);
}

}  // namespace
}  // namespace relic86
