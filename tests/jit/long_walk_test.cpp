// Page tables of 4-level and 5-level paging, walked by the interpreter's C++ and by the fixed code of translated 64-bit
// code (jit/x64/walk_thunks.h): the same pages must have entries afterwards, come in the same order, and the tables
// must have the same A and D bits.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/control_bits.h"
#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u64 kP = 1, kW = 2, kU = 4, kA = 1u << 5, kD = 1u << 6, kPs = 1u << 7, kG = 1u << 8, kNx = u64{1} << 63;
constexpr u32 kTables = 0xA00000, kData = 0x200000, kDataBytes = 0x400000, kList = 0x600000, kListBytes = 0x4000;
constexpr u32 kWideTop = 0x900000;  // of five levels: the four of LongMachine are below its first and its last entry
constexpr u64 kListAt = 0xFFFFC90000000000;
constexpr u32 kLargeBytes = 0x200000;

enum Access : u8 { kLoad, kStore, kAdd, kExchange16, kPair, kFill, kCopy, kAccesses };

// What one of the two machines gets: everything drawn beforehand.
struct Scene {
  struct Page {
    u64 linear = 0, flags = 0, upper = 0;
    u32 physical = 0;
    bool large = false;
  };
  std::vector<Page> pages;
  std::vector<u64> list;
  Access access{};
  u64 source = 0;
  u32 cap = kDefaultTlbCap;
  bool user = false, smap = false, write_protect = false, invalidates = false, wide = false;
};

class Numbers {
 public:
  explicit Numbers(u64 seed) : engine_(seed) {}
  u64 below(u64 bound) { return engine_() % bound; }
  bool one_in(u64 times) { return below(times) == 0; }

 private:
  std::mt19937_64 engine_;
};

Scene draw(u64 seed) {
  constexpr u64 kRegions[] = {0x40000000,         0xC0000000,         0x7F0000000000,
                              0xFFFF888000000000, 0xFFFFFFFF80000000, 0x0001000040000000,
                              0x00FFFF8000000000, 0xFF11000000000000};  // the last need 57 bits
  constexpr u64 kOfFourLevels = 5;
  Numbers n(seed);
  Scene scene;
  scene.wide = n.one_in(3);
  scene.user = n.one_in(2);
  scene.smap = n.one_in(2);
  scene.write_protect = !n.one_in(4);
  scene.invalidates = n.one_in(3);
  if (!n.one_in(3)) scene.cap = static_cast<u32>(6 + n.below(40));
  const u64 rare = 20 + n.below(400);
  for (u64 i = 4 + n.below(60); i > 0; --i) {
    Scene::Page page;
    page.large = n.one_in(4);
    const u64 size = page.large ? kLargeBytes : kPageSize;
    // The first 2 MiB of a region have small pages, and below 4 GiB the TLB treats them and the next 2 MiB alike.
    page.linear = kRegions[n.below(scene.wide ? std::size(kRegions) : kOfFourLevels)] +
                  (page.large ? 1 + n.below(4) : n.below(32) * 16) * size;
    page.physical = kData + static_cast<u32>(n.below(kDataBytes / size) * size);
    const bool user = scene.user != n.one_in(rare);
    page.upper = (n.one_in(rare) ? 0 : kW) | (user ? kU : 0) | (n.one_in(3) ? 0 : kA) | kP;
    page.flags = page.upper | (n.one_in(rare) ? 0 : kW) | (n.one_in(3) ? 0 : kA | kD) | (n.one_in(3) ? kG : 0) |
                 (n.one_in(2) ? kNx : 0) | (page.large ? kPs : 0);
    if (n.one_in(rare)) page.flags &= ~kP;
    scene.pages.push_back(page);
  }
  scene.access = static_cast<Access>(n.below(kAccesses));
  const auto address = [&] {
    const Scene::Page& page = scene.pages[n.below(scene.pages.size())];
    const u64 within = n.below(page.large ? kLargeBytes - 0x3000 : kPageSize - 0x20);
    return page.linear + (scene.access == kExchange16 && !n.one_in(rare) ? within & ~u64{15} : within & ~u64{7});
  };
  for (u64 i = 20 + n.below(300); i > 0; --i) scene.list.push_back(address());
  scene.source = address();
  return scene;
}

class Guest : public LongMachine {
 public:
  explicit Guest(const Scene& scene) : scene_(scene) {
    if (scene.wide) {
      for (const u32 entry : {0u, 511u}) poke<u64>(kWideTop + entry * 8, kTop | kP | kW | kU | kA);
      state().cr4 |= kCr4La57;
      state().cr3 = kWideTop;
      cpu().update_mode();
      (void)cpu().mmu().load_cr3(kWideTop);
    }
    for (const Scene::Page& page : scene.pages) map(page);
    const u64 flags = kP | kW | (scene.user ? kU : 0);
    for (u32 at = 0; at < kListBytes; at += kPageSize) map({kListAt + at, flags, flags, kList + at, false});
    for (std::size_t i = 0; i < scene.list.size(); ++i) poke<u64>(kList + static_cast<u32>(i) * 8, scene.list[i]);
    for (u32 at = kData; at < kData + kDataBytes; at += 8) poke<u64>(at, at * u64{0x100000001});
    write_program();
    constexpr u32 kPge = 1u << 7, kSmap = 1u << 21, kWp = 1u << 16;
    state().cr4 |= kPge | (scene.smap ? kSmap : 0);
    state().cr0 |= scene.write_protect ? kWp : 0;
    if (scene.user) {
      state().mode.cpl = 3;
      state().segment[kCs].attributes = 0xA0FB;
    }
    state().gpr[8] = state().cr3;
    state().gpr[9] = kListAt;
    state().gpr[10] = scene.list.size();
    state().gpr[11] = 6;  // rounds
    state().gpr[12] = scene.source;
    cpu().update_mode();
    cpu().mmu().tlb().set_cap(scene.cap);
    cpu().mmu().flush_all();
  }

 private:
  void map(const Scene::Page& page) {
    u32 table = static_cast<u32>(state().cr3);
    for (unsigned level = scene_.wide ? 5 : 4;; --level) {
      const u32 at = table + static_cast<u32>(page.linear >> (3 + 9 * level) & 511) * 8;
      if (level == (page.large ? 2u : 1u)) return poke<u64>(at, page.physical | page.flags);
      const u64 entry = peek<u64>(at);
      if ((entry & kP) == 0 || (entry & kPs) != 0) {
        poke<u64>(at, next_table_ | page.upper | kP);
        table = next_table_;
        next_table_ += kPageSize;
      } else {
        poke<u64>(at, entry | page.upper);
        table = static_cast<u32>(entry) & 0xFFFFF000;
      }
    }
  }

  void write_program() {
    std::vector<u8> code;
    const auto add = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    const auto jump_not_zero = [&](std::size_t to) { add({0x75, static_cast<u8>(to - (code.size() + 2))}); };
    const std::size_t outer = code.size();
    add({0x4C, 0x89, 0xCE, 0x44, 0x89, 0xD3});  // mov rsi, r9; mov ebx, r10d
    const std::size_t inner = code.size();
    add({0x48, 0xAD});  // lodsq
    switch (scene_.access) {
      case kStore: add({0x48, 0x89, 0x10}); break;                         // mov [rax], rdx
      case kAdd: add({0x48, 0x01, 0x10}); break;                           // add [rax], rdx
      case kExchange16: add({0x48, 0x0F, 0xC7, 0x08}); break;              // cmpxchg16b [rax]
      case kPair: add({0x48, 0x8B, 0x10, 0x48, 0x89, 0x50, 0x08}); break;  // mov rdx, [rax]; mov [rax+8], rdx
      case kFill:
        add({0x48, 0x89, 0xC7, 0xB9, 3, 0, 0, 0, 0xF3, 0x48, 0xAB});
        break;     // mov rdi, rax; mov ecx, 3; rep stosq
      case kCopy:  // mov rdi, rax; mov r13, rsi; mov rsi, r12; mov ecx, 3; rep movsq; mov rsi, r13
        add({0x48, 0x89, 0xC7, 0x49, 0x89, 0xF5, 0x4C, 0x89, 0xE6, 0xB9,
             3,    0,    0,    0,    0xF3, 0x48, 0xA5, 0x4C, 0x89, 0xEE});
        break;
      default: add({0x48, 0x8B, 0x10}); break;  // mov rdx, [rax]
    }
    if (scene_.invalidates && !scene_.user) add({0x0F, 0x01, 0x38});  // invlpg [rax]
    add({0xFF, 0xCB});                                                // dec ebx
    jump_not_zero(inner);
    if (!scene_.user) add({0x41, 0x0F, 0x22, 0xD8});  // mov cr3, r8
    add({0x41, 0xFF, 0xCB});                          // dec r11d
    jump_not_zero(outer);
    add({0xF4});
    write(kCode, code);
  }

  const Scene& scene_;
  u32 next_table_ = kTables;
};

class LongWalk : public testing::TestWithParam<bool> {};

TEST_P(LongWalk, MakesTheEntriesThatTheInterpreterMakes) {
  constexpr u64 kScenes = 150, kMost = 40'000;
  u64 whole = 0;
  for (u64 seed = 0; seed < kScenes; ++seed) {
    SCOPED_TRACE(seed);
    const Scene scene = draw(seed);
    Guest left(scene), right(scene);
    jit::TranslatorOptions options = jit::eager_options();
    options.fill = GetParam();
    jit::Translator translator(right.cpu(), right.bus(), options);
    const ExitReason reason = left.run(kMost);
    ASSERT_EQ(translator.run(kMost), reason);
    if (reason == ExitReason::Halted) ++whole;
    ASSERT_EQ(left.cpu().instruction_count(), right.cpu().instruction_count());
    ASSERT_EQ(left.state().gpr, right.state().gpr);
    ASSERT_EQ(left.state().rip, right.state().rip);
    ASSERT_EQ(left.cpu().fault().vector, right.cpu().fault().vector);
    const Tlb &one = left.cpu().mmu().tlb(), &other = right.cpu().mmu().tlb();
    ASSERT_EQ(one.fills(), other.fills());
    ASSERT_EQ(one.live_entries(), other.live_entries());
    for (const Scene::Page& page : scene.pages) {
      const u64 size = page.large ? kLargeBytes : kPageSize;
      for (u64 at = page.linear; at < page.linear + size; at += kPageSize) {
        for (const Privilege privilege : {Privilege::Supervisor, Privilege::User}) {
          const LinAddr linear(at);
          ASSERT_EQ(one.read_entry(linear, privilege) != 0, other.read_entry(linear, privilege) != 0) << std::hex << at;
          ASSERT_EQ(one.write_entry(linear, privilege) != 0, other.write_entry(linear, privilege) != 0) << at;
        }
      }
    }
    for (const Scene::Page& page : scene.pages) {  // INVLPG
      left.cpu().mmu().flush_page(LinAddr(page.linear));
      right.cpu().mmu().flush_page(LinAddr(page.linear));
      ASSERT_EQ(one.live_entries(), other.live_entries()) << std::hex << page.linear;
    }
    std::vector<u8> memory(CpuTestMachine::kRamSize), other_memory(CpuTestMachine::kRamSize);
    left.bus().read_block(PhysAddr(0), memory);
    right.bus().read_block(PhysAddr(0), other_memory);
    ASSERT_TRUE(memory == other_memory);
  }
  EXPECT_GT(whole, kScenes / 4);  // not most of them end at a fault
}

// Pages whose entries nothing has to be set in: C++ is asked for none of them, or for each of them in every round.
void expect_asked(bool wide, bool fixed) {
  SCOPED_TRACE(wide);
  constexpr u64 kPages = 32, kFrom = 0xFFFF888000000000, kUsed = kP | kW | kA;
  Scene scene;
  scene.wide = wide;
  scene.access = kLoad;
  for (u64 i = 0; i < kPages; ++i) {
    const u32 physical = kData + static_cast<u32>(i) * kPageSize;
    scene.pages.push_back({kFrom + i * kPageSize, kUsed | kD | kNx, kUsed, physical, false});
    scene.list.push_back(scene.pages.back().linear);
  }
  Guest guest(scene);
  jit::TranslatorOptions options = jit::eager_options();
  options.fill = fixed;
  jit::Translator translator(guest.cpu(), guest.bus(), options);
  ASSERT_EQ(translator.run(10'000), ExitReason::Halted);
  const jit::TranslatorStatistics& statistics = translator.statistics();
  const u64 asked = statistics.loads + statistics.touches;
  if (fixed) {
    EXPECT_LT(asked, kPages);
  } else {
    EXPECT_GT(asked, 3 * kPages);
  }
}

TEST_P(LongWalk, AsksNobodyForPagesThatWereUsedBefore) {
  for (const bool wide : {false, true}) expect_asked(wide, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Switch, LongWalk, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& fill) { return fill.param ? "Fixed" : "Cpp"; });

}  // namespace

}  // namespace relic86
