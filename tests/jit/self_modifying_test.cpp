// Guests that change their own code, on both engines: what was written last is what runs, from the next instruction on.
#include <gtest/gtest.h>

#include <functional>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kRounds = 200;
constexpr u32 kStart = 0x1000;

// Collects bytes: code({0xB8}).dword(x)...
struct Bytes {
  std::vector<u8> all;
  Bytes& raw(std::initializer_list<u8> bytes) {
    all.insert(all.end(), bytes);
    return *this;
  }
  Bytes& dword(u32 value) {
    for (unsigned i = 0; i < 4; ++i) all.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
  u32 size() const { return static_cast<u32>(all.size()); }
  // The operand of a near branch to this address, in code that begins at `start`.
  Bytes& branch(u32 target, u32 start = kStart) { return dword(target - (start + size() + 4)); }
};

class SelfModifying : public testing::TestWithParam<bool> {
 protected:
  SelfModifying() { machine_.flat32(kStart, 0x8000); }

  Executor& engine() {
    if (!GetParam()) return machine_.interpreter();
    if (!translator_) {
      jit::TranslatorOptions options = jit::eager_options();
      options.code_limit = code_limit_;
      translator_ = std::make_unique<jit::Translator>(machine_.cpu(), machine_.bus(), options);
    }
    return *translator_;
  }
  // Runs until HLT; the slices are short and long, so that blocks are entered anywhere.
  void run_to_halt() {
    u64 budget = 1;
    for (unsigned slice = 0; slice < 1'000'000; ++slice) {
      if (engine().run(budget) == ExitReason::Halted) return;
      budget = budget % 997 + 31;
    }
    FAIL() << "the guest does not end; eip " << std::hex << machine_.state().eip();
  }
  u32 value(Gpr index) { return machine_.state().gpr32(index); }

  CpuTestMachine machine_;
  std::unique_ptr<jit::Translator> translator_;
  u64 code_limit_ = 48u << 20;
};

// Loop of kRounds with ECX counting up from 1: body, then the sum of EAX in EDX, then HLT.
Bytes counting_loop(const std::function<void(Bytes&)>& body) {
  Bytes code;
  code.raw({0x31, 0xD2, 0x31, 0xC9});  // xor edx, edx; xor ecx, ecx
  const u32 top = code.size();
  code.raw({0x41});  // inc ecx
  body(code);
  code.raw({0x01, 0xC2, 0x81, 0xF9}).dword(kRounds);  // add edx, eax; cmp ecx, kRounds
  code.raw({0x0F, 0x85}).branch(kStart + top);        // jne top
  return code.raw({0xF4});
}

constexpr u32 kSum = kRounds * (kRounds + 1) / 2;

// An instruction that is often written over stays in its block; what it becomes changes what the rest may assume.
TEST_P(SelfModifying, ADirectionFlagThatIsPatched) {
  const Bytes code = counting_loop([](Bytes& b) {
    const u32 at = kStart + b.size() + 12;
    b.raw({0x80, 0x35}).dword(at).raw({0x01});      // xor byte [cld], 1: CLD, STD
    b.raw({0xBF}).dword(0x5000).raw({0xFC, 0xAA});  // mov edi, 5000h; cld; stosb
    b.raw({0x89, 0xF8, 0x2D}).dword(0x5000);        // mov eax, edi; sub eax, 5000h
    b.raw({0x01, 0xC8, 0xFC});                      // add eax, ecx; cld
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);  // as often up as down
}

TEST_P(SelfModifying, LaterInTheSameBlock) {
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x89, 0x0D}).dword(kStart + b.size() + 4 + 1);  // mov [operand], ecx
    b.raw({0xB8}).dword(0);                                // mov eax, operand
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
}

TEST_P(SelfModifying, TheInstructionBehindTheStore) {
  // An opcode is exchanged: INC EAX and DEC EAX by turns.
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x88, 0xC8, 0x24, 0x08, 0x04, 0x40});     // mov al, cl; and al, 8; add al, 40h
    b.raw({0xA2}).dword(kStart + b.size() + 4 + 5);  // mov [opcode], al
    b.raw({0xB8}).dword(100);                        // mov eax, 100
    b.raw({0x40});                                   // opcode: inc eax, or 48h: dec eax
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  u32 sum = 0;
  for (u32 i = 1; i <= kRounds; ++i) sum += (i & 8) != 0 ? 99 : 101;
  EXPECT_EQ(value(kEdx), sum);
}

TEST_P(SelfModifying, AnotherBlockOfTheSamePage) {
  constexpr u32 kFunction = kStart + 0x800;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x89, 0x0D}).dword(kFunction + 1);  // mov [function + 1], ecx
    b.raw({0xE8}).branch(kFunction);           // call function
  });
  machine_.write(kStart, code.all);
  machine_.write(kFunction, Bytes().raw({0xB8}).dword(0).raw({0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
}

TEST_P(SelfModifying, CodeWrittenAgainAsItIsKeepsTheTranslation) {
  constexpr u32 kFunction = kStart + 0x800;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0xC7, 0x05}).dword(kFunction).dword(0x90C88990);  // mov [function], nop; mov eax, ecx; nop
    b.raw({0xC6, 0x05}).dword(kFunction + 4).raw({0xC3});    // mov byte [function + 4], ret
    b.raw({0xE8}).branch(kFunction);                         // call function
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
  if (translator_) {
    EXPECT_LT(translator_->statistics().died, 3u);
  }
}

TEST_P(SelfModifying, DataBesideCodeKeepsTheTranslation) {
  // The counter lies in the page of the code, in another granule: nothing must be thrown away for it.
  constexpr u32 kCounter = kStart + 0x900;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0xFF, 0x05}).dword(kCounter);  // inc dword [counter]
    b.raw({0xA1}).dword(kCounter);        // mov eax, [counter]
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
  if (translator_) {
    EXPECT_EQ(translator_->statistics().died, 0u);
  }
}

// As kernels do that find one processor: the prefix goes, once. What is left is no call of C++.
// A function changes what its caller returns to: the block that called it is gone when it is returned to.
TEST_P(SelfModifying, TheCallersCode) {
  const Bytes code = counting_loop([](Bytes& b) {
    const u32 function = b.size() + 17, after = b.size() + 5;
    b.raw({0xE8}).branch(kStart + function);                    // call function
    b.raw({0xB8}).dword(0);                                     // mov eax, 0: the operand becomes ECX
    b.raw({0x05}).dword(0);                                     // add eax, 0
    b.raw({0xEB, 0x07});                                        // jmp over the function
    b.raw({0x89, 0x0D}).dword(kStart + after + 1).raw({0xC3});  // mov [after + 1], ecx; ret
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
}

// The same for an opcode, and two calls deep: the older caller is changed.
TEST_P(SelfModifying, TheCallersCallersCode) {
  const Bytes code = counting_loop([](Bytes& b) {
    const u32 after = b.size() + 5, outer = after + 6, inner = outer + 8;
    b.raw({0xE8}).branch(kStart + outer);                              // call outer
    b.raw({0x89, 0xC8, 0x90, 0x90, 0xEB, 0x16});                       // mov eax, ecx; two NOPs: INC EAX or NOP; jmp on
    b.raw({0xE8}).branch(kStart + inner).raw({0x90, 0x90, 0xC3});      // outer: call inner; ret
    b.raw({0x80, 0x35}).dword(kStart + after + 2).raw({0x90 ^ 0x40});  // inner: xor byte [after + 2], NOP ^ INC EAX
    b.raw({0x88, 0x0D}).dword(0x5000).raw({0xC3});                     // mov [5000h], cl; ret
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum + kRounds / 2);
}

// Code is made in many places of a page again and again, by stores of every size that run over granules, too.
TEST_P(SelfModifying, ManyPlacesOfOnePage) {
  constexpr u32 kMade = 0x4000, kPlaces = 32;
  Bytes b;
  b.raw({0x31, 0xD2, 0x31, 0xC9});  // xor edx, edx; xor ecx, ecx
  const u32 top = b.size();
  b.raw(
      {0x41, 0x89, 0xCB, 0x83, 0xE3, kPlaces - 1, 0x6B, 0xDB, 61});  // inc ecx; mov ebx, ecx; and ebx, 31; imul ebx, 61
  b.raw({0x81, 0xC3}).dword(kMade);                                  // add ebx, made
  b.raw({0xC6, 0x03, 0xB8, 0x89, 0x4B, 0x01});                       // mov byte [ebx], B8h; mov [ebx + 1], ecx
  b.raw({0x66, 0xC7, 0x43, 0x05, 0x40, 0x48, 0xC6, 0x43, 0x07,
         0xC3});                                            // mov word [ebx + 5], 4840h; mov byte [ebx + 7], C3h
  b.raw({0xFF, 0xD3, 0x01, 0xC2, 0xFF, 0xD3, 0x01, 0xC2});  // call ebx; add edx, eax; twice
  b.raw({0x81, 0xF9}).dword(5000).raw({0x0F, 0x85}).branch(kStart + top);
  b.raw({0xF4});
  machine_.write(kStart, b.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), 5000u * 5001u);
}

TEST_P(SelfModifying, ALockPrefixThatGoesOnce) {
  constexpr u32 kFunction = kStart + 0x800, kCounter = 0x5000;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x83, 0xF9, 0x64, 0x75, 0x07});             // cmp ecx, 100; jne over the store
    b.raw({0xC6, 0x05}).dword(kFunction).raw({0x3E});  // mov byte [function], 3Eh
    b.raw({0xE8}).branch(kFunction);                   // call function
    b.raw({0xA1}).dword(kCounter);                     // mov eax, [counter]
  });
  machine_.write(kStart, code.all);
  machine_.write(kFunction, Bytes().raw({0xF0, 0xFF, 0x05}).dword(kCounter).raw({0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
  if (translator_) {
    EXPECT_LT(translator_->statistics().cold_calls, 5u);
  }
}

TEST_P(SelfModifying, OverAPageBorder) {
  // MOV EAX, imm32 whose operand lies in two pages, changed by one store.
  constexpr u32 kFunction = 0x2FFD;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x69, 0xC1}).dword(0x01010101);        // imul eax, ecx, 1010101h
    b.raw({0xA3}).dword(kFunction + 1);           // mov [function + 1], eax
    b.raw({0x31, 0xC0, 0xE8}).branch(kFunction);  // xor eax, eax; call function
  });
  machine_.write(kStart, code.all);
  machine_.write(kFunction, Bytes().raw({0xB8}).dword(0).raw({0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum * 0x01010101u);
}

TEST_P(SelfModifying, SecondPageOfAStraddlingInstruction) {
  // Only the bytes in the second page are changed: the block belongs to the first.
  constexpr u32 kFunction = 0x2FFD;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x88, 0x0D}).dword(0x3000);  // mov [3000h], cl: the operand's third byte
    b.raw({0xE8}).branch(kFunction);    // call function
  });
  machine_.write(kStart, code.all);
  machine_.write(kFunction, Bytes().raw({0xB8}).dword(0).raw({0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum << 16);
}

TEST_P(SelfModifying, ThroughAnAlias) {
  // Linear 5000h shows the page of 1000h.
  constexpr u32 kDirectory = 0x100000, kTable = 0x101000;
  machine_.poke<u32>(kDirectory, kTable | 3);
  for (u32 page = 0; page < 1024; ++page) machine_.poke<u32>(kTable + page * 4, page << 12 | 3);
  machine_.poke<u32>(kTable + 5 * 4, kStart | 3);
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x89, 0x0D}).dword(0x5000 + b.size() + 4 + 1);  // mov [alias of the operand], ecx
    b.raw({0xB8}).dword(0);                                // mov eax, operand
  });
  Bytes prologue;
  prologue.raw({0xB8}).dword(kDirectory).raw({0x0F, 0x22, 0xD8});                          // mov cr3
  prologue.raw({0x0F, 0x20, 0xC0, 0x0D}).dword(0x80000000).raw({0x0F, 0x22, 0xC0, 0xE9});  // paging on
  prologue.branch(kStart, 0x6000);                                                         // jmp
  machine_.write(0x6000, prologue.all);
  machine_.write(kStart, code.all);
  machine_.state().rip = 0x6000;
  run_to_halt();
  EXPECT_EQ(value(kEdx), kSum);
}

TEST_P(SelfModifying, ByABusMasterOrDebugger) {
  // Both write through the bus while no instruction runs.
  const Bytes code = Bytes().raw({0xB8}).dword(0).raw({0x01, 0xC2, 0xEB, 0xF7});  // mov eax, operand; add edx, eax; jmp
  machine_.write(kStart, code.all);
  machine_.reg(kEdx) = 0;
  u32 expected = 0;
  for (u32 round = 1; round <= kRounds; ++round) {
    machine_.poke<u32>(kStart + 1, round);
    (void)engine().run(3 * 50);
    expected += round * 50;
  }
  EXPECT_EQ(value(kEdx), expected);
}

// The instruction that writes goes on with the operands that it was decoded with.
TEST_P(SelfModifying, AnExchangeThatNamesAnotherRegisterInItself) {
  constexpr u8 kOfBl = 0x1D, kOfCh = 0x2D;  // ModRM: disp32 with BL or CH
  const Bytes code = counting_loop([](Bytes& b) {
    const u32 at = kStart + b.size() + 2 + 7 + 1;
    b.raw({0xB3, kOfCh});                         // mov bl, ch's ModRM
    b.raw({0xC6, 0x05}).dword(at).raw({kOfBl});   // mov byte [ModRM], bl's
    b.raw({0x86, kOfBl}).dword(at);               // xchg [ModRM], bl
    b.raw({0x0F, 0xB6, 0xC3, 0x0F, 0xB6, 0xC0});  // movzx eax, bl; movzx eax, al
    b.raw({0x80, 0xE5, 0x00});                    // and ch, 0
  });
  machine_.write(kStart, code.all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kRounds * kOfBl);
}

// Run twice and made anew: no block pays, wherever the code stands.
TEST_P(SelfModifying, CodeThatIsMadeAnewForEveryOtherCall) {
  for (const u32 function : {0x3000u, 0x2FF8u, 0x2FFDu}) {  // within a page, at its end, over it
    machine_.flat32(kStart, 0x8000);
    const Bytes code = counting_loop([&](Bytes& b) {
      b.raw({0xC6, 0x05}).dword(function).raw({0xB8});   // mov byte [function], opcode
      b.raw({0x89, 0x0D}).dword(function + 1);           // mov [function + 1], ecx
      b.raw({0xE8}).branch(function).raw({0x89, 0xC3});  // call function; mov ebx, eax
      b.raw({0xE8}).branch(function).raw({0x01, 0xD8});  // call function; add eax, ebx
    });
    machine_.write(kStart, code.all);
    machine_.write(function, Bytes().raw({0xB8}).dword(0).raw({0x40, 0x40, 0xC3}).all);  // inc eax twice; ret
    run_to_halt();
    EXPECT_EQ(value(kEdx), 2 * kSum + 4 * kRounds) << std::hex << function;
  }
  if (!GetParam()) {
    EXPECT_LT(machine_.interpreter().decoded_instructions(), 3 * kRounds);
  }
}

TEST_P(SelfModifying, StringInstructionsWriteCode) {
  // REP MOVSB copies one of two functions to the place that is called then.
  constexpr u32 kFunctions = 0x3000, kPlace = kStart + 0x400;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x51, 0x83, 0xE1, 0x01, 0xC1, 0xE1, 0x04, 0x8D, 0xB1}).dword(kFunctions);  // push ecx; esi: 16 * (ecx & 1)
    b.raw({0xBF}).dword(kPlace).raw({0xB9}).dword(6);                                 // edi, ecx
    b.raw({0xFC, 0xF3, 0xA4, 0x59, 0xE8}).branch(kPlace);                             // cld; rep movsb; pop; call
  });
  machine_.write(kStart, code.all);
  machine_.write(kFunctions, Bytes().raw({0xB8}).dword(7).raw({0xC3}).all);
  machine_.write(kFunctions + 16, Bytes().raw({0xB8}).dword(1000).raw({0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), kRounds / 2 * 1007);
}

TEST_P(SelfModifying, StringInstructionOverItself) {
  // REP MOVSB copies ten bytes over itself: its own two again, then INC EAX eight times where HLT stood. Every round
  // restores the HLTs first.
  constexpr u32 kPlace = kStart + 0x400, kHelper = kStart + 0x300, kHalts = 0x3000, kCounts = 0x3010;
  const auto victim = [](u8 filler) {
    Bytes bytes;
    bytes.raw({0xF3, 0xA4});
    for (unsigned i = 0; i < 8; ++i) bytes.raw({filler});
    return bytes.raw({0x59, 0xC3}).all;  // pop ecx; ret
  };
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x51, 0xFC, 0xBE}).dword(kHalts).raw({0xBF}).dword(kPlace).raw({0xB9}).dword(10);  // esi, edi, ecx
    b.raw({0xF3, 0xA4, 0x59, 0xB8}).dword(0x40).raw({0xE8}).branch(kHelper);  // rep movsb; pop ecx; eax; call
  });
  Bytes helper;  // push ecx; esi, edi, ecx; jmp victim
  helper.raw({0x51, 0xBE}).dword(kCounts).raw({0xBF}).dword(kPlace).raw({0xB9}).dword(10);
  helper.raw({0xE9}).branch(kPlace, kHelper);
  machine_.write(kStart, code.all);
  machine_.write(kHelper, helper.all);
  machine_.write(kHalts, victim(0xF4));
  machine_.write(kCounts, victim(0x40));
  machine_.write(kPlace, victim(0xF4));
  run_to_halt();
  EXPECT_EQ(value(kEdx), kRounds * (0x40 + 8));
}

TEST_P(SelfModifying, StringInstructionThatIsMadeAnewOverItself) {
  // REP STOSB of 90h over its own prefix: after one of four iterations it is NOP and STOSB, which leaves RET alone.
  constexpr u32 kPlace = kStart + 0x400;
  const Bytes code = counting_loop([](Bytes& b) {
    b.raw({0x51, 0xC6, 0x05}).dword(kPlace).raw({0xF3});  // push ecx; mov byte [place], F3h
    b.raw({0xC6, 0x05}).dword(kPlace + 1).raw({0xAA});    // mov byte [place + 1], AAh
    b.raw({0xBF}).dword(kPlace).raw({0xB9}).dword(4);     // edi, ecx
    b.raw({0xB0, 0x90, 0xFC, 0xE8}).branch(kPlace);       // mov al, 90h; cld; call place
    b.raw({0x89, 0xC8, 0x59});                            // mov eax, ecx; pop ecx
  });
  machine_.write(kStart, code.all);
  machine_.write(kPlace, Bytes().raw({0xF3, 0xAA, 0xC3}).all);
  run_to_halt();
  EXPECT_EQ(value(kEdx), 3 * kRounds);
}

TEST_P(SelfModifying, CodeMadeAllTheTimeKeepsWithinTheBound) {
  // Function after function, each in a place of its own and called a few times: 64 Ki of them over 1 MiB.
  code_limit_ = 256u << 10;
  constexpr u32 kArea = 0x200000;
  Bytes code;
  code.raw({0x31, 0xD2, 0xBF}).dword(kArea);  // xor edx, edx; edi: area
  const u32 top = code.size();
  code.raw({0xC6, 0x07, 0xB8, 0x89, 0x7F, 0x01, 0xC6, 0x47, 0x05, 0xC3, 0xB9}).dword(5);  // mov eax, edi; ret; ecx: 5
  const u32 again = code.size();
  code.raw(
      {0xFF, 0xD7, 0x01, 0xC2, 0x49, 0x75, static_cast<u8>(again - (code.size() + 7))});  // call edi; add; dec; jnz
  code.raw({0x83, 0xC7, 0x10, 0x81, 0xFF}).dword(kArea + (1u << 20));                     // add edi, 16; cmp
  code.raw({0x0F, 0x85}).branch(kStart + top).raw({0xF4});
  machine_.write(kStart, code.all);
  u32 expected = 0;
  for (u32 at = kArea; at < kArea + (1u << 20); at += 16) expected += 5 * at;
  u64 most = 0;
  ExitReason reason = ExitReason::BudgetSpent;
  while (reason == ExitReason::BudgetSpent) {
    reason = engine().run(1000);
    if (translator_) most = std::max(most, translator_->code_bytes());
  }
  EXPECT_EQ(reason, ExitReason::Halted);
  EXPECT_EQ(value(kEdx), expected);
  constexpr u64 kLargestBlock = 64u << 10;
  if (translator_) {
    EXPECT_GT(translator_->statistics().flushes, 5u);
    EXPECT_LT(most, code_limit_ + kLargestBlock);
  }
}

std::string engine_name(const testing::TestParamInfo<bool>& parameter) {
  return parameter.param ? "Translator" : "Interpreter";
}
INSTANTIATE_TEST_SUITE_P(Engines, SelfModifying, testing::Bool(), engine_name);

}  // namespace

}  // namespace relic86
