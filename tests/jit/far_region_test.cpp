// Regions over pages, calls and returns: random programs of functions in pages of their own run on both ways, in slices
// of any length. Between slices words that jumps go by change, functions are written over, and pages come to be mapped
// elsewhere. Registers, flags, memory, counts and the number of TLB entries must stay the same.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kMain = 0x1000, kStack = 0x3F000, kData = 0x30000, kWords = 0x31000, kTables = 0x40000;
constexpr u32 kFirst = 0x10000, kSecond = 0x20000;  // functions, and what they may be mapped to
constexpr u32 kFunctions = 6, kRounds = 400;

struct Machine32 : CpuTestMachine {
  static constexpr bool kLong = false;
  Machine32() {
    flat32(kMain, kStack);
    poke<u32>(kTables, (kTables + kPageSize) | 7);
    for (u32 page = 0; page < 1024; ++page) map(page << kPageShift, page << kPageShift);
    for (u32 i = 1; i < 4; ++i) poke<u32>(kTables + 4 * i, i << 22 | 0x87);  // the handler
    state().cr4 = 0x10;
    (void)cpu().mmu().load_cr3(kTables);
    state().cr3 = kTables;
    state().cr0 |= 0x80000000;
    cpu().update_mode();
  }
  void map(u32 linear, u32 physical) { poke<u32>(kTables + kPageSize + (linear >> kPageShift) * 4, physical | 7); }
};

struct Machine64 : LongMachine {
  static constexpr bool kLong = true;
  Machine64() {
    poke<u64>(kTop + 0x2000, kTables | 7);  // the first 2 MiB by small pages
    for (u32 page = 0; page < 512; ++page) map(page << kPageShift, page << kPageShift);
    reg(kEsp) = kStack;
    state().rip = kMain;
  }
  void map(u32 linear, u32 physical) { poke<u64>(kTables + (linear >> kPageShift) * 8, physical | 7); }
};

class Generator {
 public:
  Generator(u64 seed, bool long_mode) : engine_(seed), long_(long_mode) {}

  u32 below(u32 bound) { return static_cast<u32>(engine_() % bound); }
  bool one_in(u32 times) { return below(times) == 0; }

  // main: calls the first function, again and again, and halts.
  std::vector<u8> main() {
    begin(kMain);
    call(0);
    emit({0x83, 0xC0, 0x01, 0x83, 0xE9, 0x01});  // add eax, 1 (which a return may leave out); sub ecx, 1
    emit({0x0F, 0x85});
    word(kMain - (at() + 4));
    emit({0xF4});
    return bytes_;
  }
  std::vector<u8> function(u32 number) {
    begin(place_of(number));
    returns_on_ = false;
    const u32 pieces = 3 + below(6);
    for (u32 i = 0; i < pieces; ++i) piece(number);
    emit({0xC3});
    return bytes_;
  }
  static u32 place_of(u32 number) { return kFirst + number * kPageSize + number * 0x123; }
  // What the words that jumps go by may say, by turns.
  const std::vector<std::array<u32, 2>>& words() const { return words_; }

 private:
  void begin(u32 place) {
    bytes_.clear();
    place_ = place;
  }
  u32 at() const { return place_ + static_cast<u32>(bytes_.size()); }
  void emit(std::initializer_list<u8> bytes) { bytes_.insert(bytes_.end(), bytes); }
  void word(u32 number) {
    for (unsigned i = 0; i < 4; ++i) bytes_.push_back(static_cast<u8>(number >> (8 * i)));
  }
  u8 byte() { return static_cast<u8>(below(0x70)); }

  void call(u32 number) {
    emit({0xE8});
    word(place_of(number) - (at() + 4));
  }
  void operation() {
    switch (below(7)) {
      case 0: return emit({0x83, 0xC0, byte()});                          // add eax, imm
      case 1: return emit({0x31, 0xC8, 0x90});                            // xor eax, ecx; nop
      case 2: return emit({0xC1, 0xC0, static_cast<u8>(1 + below(30))});  // rol eax, imm
      case 3: return emit({0x01, 0x43, static_cast<u8>(4 * below(30))});  // add [ebx+disp], eax
      case 4: return emit({0x03, 0x43, static_cast<u8>(4 * below(30))});  // add eax, [ebx+disp]
      case 5: return emit({0xD9, 0xE1, 0x90});                            // fabs; nop
      default: return emit({0x83, 0xD2, byte()});                         // adc edx, imm
    }
  }
  void piece(u32 number) {
    const u32 kind = below(8);
    if (kind < 3) return operation();
    if (kind < 5) {  // test al, imm; jz over two operations
      emit({0xA8, static_cast<u8>(1u << below(8)), 0x74, 0x06});
      operation();
      operation();
    } else if (kind == 5 && words_.size() < 64) {  // jmp by a word, to one of two places
      const u32 word_at = kWords + 8 * static_cast<u32>(words_.size());
      emit({0xFF, 0x25});
      word(long_ ? word_at - (at() + 4) : word_at);
      words_.push_back({at(), at() + 3});
      operation();
      operation();
    } else if (kind == 6 &&
               !returns_on_) {  // test al, imm; jnz over; add [esp], 3: it returns behind what follows the call
      emit({0xA8, static_cast<u8>(1u << below(8)), 0x75, static_cast<u8>(long_ ? 5 : 4)});
      if (long_) emit({0x48});
      emit({0x83, 0x04, 0x24, 0x03});
      returns_on_ = true;
    } else if (number + 1 < kFunctions) {
      call(number + 1 + below(kFunctions - number - 1));
      operation();
    }
  }

  std::mt19937_64 engine_;
  bool long_;
  u32 place_ = 0;
  bool returns_on_ = false;
  std::vector<u8> bytes_;
  std::vector<std::array<u32, 2>> words_;
};

template <class Machine>
void load(Machine& m, u64 seed) {
  Generator generator(seed, Machine::kLong);
  m.write(kMain, generator.main());
  for (u32 i = 0; i < kFunctions; ++i) m.write(Generator::place_of(i), generator.function(i));
  for (std::size_t i = 0; i < generator.words().size(); ++i)
    m.template poke<u64>(kWords + 8 * static_cast<u32>(i), generator.words()[i][0]);
  // The second set adds and branches otherwise, and is called at the same places.
  Generator other(seed + 1'000'000, Machine::kLong);
  for (u32 i = 0; i < kFunctions; ++i) m.write(Generator::place_of(i) + kSecond - kFirst, other.function(i));
  m.reg(kEbx) = kData;
  m.reg(kEcx) = kRounds;
}

// The words of the second set's jumps would be those of the first: they lead to places of the first one alone.
template <class Machine>
void change(Machine& m, u64 seed, u32 which) {
  Generator generator(seed, Machine::kLong);
  generator.main();
  for (u32 i = 0; i < kFunctions; ++i) generator.function(i);
  Generator draw(seed ^ which * 977, Machine::kLong);
  const u32 number = draw.below(kFunctions), place = Generator::place_of(number);
  switch (draw.below(3)) {
    case 0:
      for (std::size_t i = 0; i < generator.words().size(); ++i)
        m.template poke<u64>(kWords + 8 * static_cast<u32>(i), generator.words()[i][draw.below(2)]);
      break;
    case 1: m.write(place, std::vector<u8>{0x83, 0xC0, static_cast<u8>(draw.below(0x70)), 0xC3}); break;  // add; ret
    default:
      m.map(place & ~(kPageSize - 1), (draw.one_in(2) ? kSecond : kFirst) + number * kPageSize);
      m.cpu().mmu().tlb().flush_page(LinAddr(place));
      break;
  }
}

// far: so many regions that go over pages come to it.
template <class Machine>
void expect_same(u64 seed, u64& far) {
  Machine model, machine;
  load(model, seed);
  load(machine, seed);
  jit::TranslatorOptions options = jit::eager_options();
  options.region_threshold = seed % 2 == 0 ? 0 : 20;
  jit::Translator translator(machine.cpu(), machine.bus(), options);
  std::mt19937_64 random(seed);
  for (u32 slice = 0; slice < 300; ++slice) {
    const u64 budget = 1 + random() % (slice % 3 == 0 ? 17 : 900);
    const ExitReason expected = model.run(budget), reason = translator.run(budget);
    ASSERT_EQ(reason, expected) << "seed " << seed << " slice " << slice;
    ASSERT_EQ(machine.cpu().instruction_count(), model.cpu().instruction_count());
    ASSERT_EQ(machine.state().rip, model.state().rip) << "seed " << seed << " slice " << slice;
    for (unsigned i = 0; i < 8; ++i)
      ASSERT_EQ(machine.state().gpr[i], model.state().gpr[i]) << "seed " << seed << " slice " << slice << " reg " << i;
    ASSERT_EQ(u32{machine.state().flags.eflags()}, u32{model.state().flags.eflags()}) << "seed " << seed;
    ASSERT_EQ(machine.cpu().mmu().tlb().fills(), model.cpu().mmu().tlb().fills()) << "seed " << seed;
    ASSERT_EQ(machine.state().fx.instruction, model.state().fx.instruction) << "seed " << seed << " slice " << slice;
    for (u32 at = kData; at < kData + 0x100; at += 8)
      ASSERT_EQ(machine.template peek<u64>(at), model.template peek<u64>(at)) << "seed " << seed;
    if (expected == ExitReason::Halted) break;
    if (slice % 8 == 7) {
      change(model, seed, slice);
      change(machine, seed, slice);
    }
  }
  far += translator.statistics().far_regions;
}

template <class Machine>
void expect_all_same() {
  constexpr u64 kSeeds = 60;
  u64 far = 0;
  for (u64 seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) expect_same<Machine>(seed, far);
  EXPECT_GT(far, kSeeds);
}

TEST(FarRegion, ComputesTheSame32) { expect_all_same<Machine32>(); }
TEST(FarRegion, ComputesTheSame64) { expect_all_same<Machine64>(); }

}  // namespace

}  // namespace relic86
