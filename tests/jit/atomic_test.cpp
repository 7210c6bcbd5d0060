// Locked instructions in translated code of a processor with a host thread of its own, against the interpreter of one
// that is alone: registers, flags and memory, of operands that are aligned and not, over two pages, in the code's own
// page, in no page.
#include <gtest/gtest.h>

#include "cpu/processor_thread.h"
#include "jit/translator.h"
#include "jit/x64/host_instructions.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kData = 0x200000, kCounter = 0x210000, kRounds = 60;

struct Case {
  const char* name;
  std::vector<u8> code;  // its operand is [EDI]; EAX, EBX, EDX and ECX may be changed
  bool cold = false;     // the handler's in any case
};

std::vector<Case> cases() {
  return {{"add eax", {0xF0, 0x01, 0x07}},
          {"add ah", {0xF0, 0x00, 0x27}},
          {"add dx", {0x66, 0xF0, 0x01, 0x17}},
          {"add imm8", {0xF0, 0x83, 0x07, 0xF1}},
          {"sub eax", {0xF0, 0x29, 0x07}},
          {"sub bl", {0xF0, 0x28, 0x1F}},
          {"sub imm16", {0x66, 0xF0, 0x81, 0x2F, 0x34, 0x12}},
          {"and eax", {0xF0, 0x21, 0x07}},
          {"and edx", {0xF0, 0x21, 0x17}},
          {"or al", {0xF0, 0x08, 0x07}},
          {"or ah", {0xF0, 0x08, 0x27}},
          {"or imm8", {0xF0, 0x80, 0x0F, 0x81}},
          {"xor eax", {0xF0, 0x31, 0x07}},
          {"xor bx", {0x66, 0xF0, 0x31, 0x1F}},
          {"adc eax", {0xF0, 0x11, 0x07}, true},
          {"sbb eax", {0xF0, 0x19, 0x07}, true},
          {"inc", {0xF0, 0xFF, 0x07}},
          {"inc byte", {0xF0, 0xFE, 0x07}},
          {"dec", {0xF0, 0xFF, 0x0F}},
          {"dec word", {0x66, 0xF0, 0xFF, 0x0F}},
          {"not", {0xF0, 0xF7, 0x17}},
          {"not byte", {0xF0, 0xF6, 0x17}},
          {"neg", {0xF0, 0xF7, 0x1F}, true},
          {"xadd eax", {0xF0, 0x0F, 0xC1, 0x07}},
          {"xadd dh", {0xF0, 0x0F, 0xC0, 0x37}},
          {"xadd bx", {0x66, 0xF0, 0x0F, 0xC1, 0x1F}},
          {"xchg eax", {0x87, 0x07}},
          {"xchg ah", {0x86, 0x27}},
          {"xchg dx", {0x66, 0x87, 0x17}},
          {"cmpxchg", {0xF0, 0x0F, 0xB1, 0x1F}},
          {"cmpxchg after a look", {0x8B, 0x07, 0xF0, 0x0F, 0xB1, 0x1F}},
          {"cmpxchg with eax", {0xF0, 0x0F, 0xB1, 0x07}},
          {"cmpxchg dh", {0x8A, 0x07, 0xF0, 0x0F, 0xB0, 0x37}},
          {"cmpxchg dx", {0x66, 0x8B, 0x07, 0x66, 0xF0, 0x0F, 0xB1, 0x17}},
          {"bts imm", {0xF0, 0x0F, 0xBA, 0x2F, 0x25}},
          {"btr imm", {0xF0, 0x0F, 0xBA, 0x37, 0x05}},
          {"btc imm", {0x66, 0xF0, 0x0F, 0xBA, 0x3F, 0x1B}},
          {"bts eax", {0x83, 0xE0, 0x1F, 0xF0, 0x0F, 0xAB, 0x07}},
          {"btr edx", {0x83, 0xE2, 0x1F, 0xF0, 0x0F, 0xB3, 0x17}},
          {"btc bx", {0x83, 0xE3, 0x0F, 0x66, 0xF0, 0x0F, 0xBB, 0x1F}},
          {"cmpxchg8b", {0xF0, 0x0F, 0xC7, 0x0F}},
          {"cmpxchg8b after a look", {0x8B, 0x07, 0x8B, 0x57, 0x04, 0xF0, 0x0F, 0xC7, 0x0F}}};
}

std::vector<Case> long_cases() {
  std::vector<Case> all = cases();
  for (Case& each : all) each.cold = each.cold || std::string_view(each.name).starts_with("cmpxchg8b");
  const std::vector<Case> wide{{"add rax", {0xF0, 0x48, 0x01, 0x07}},
                               {"add r9", {0xF0, 0x4C, 0x01, 0x0F}},
                               {"add sil", {0xF0, 0x40, 0x00, 0x37}},
                               {"sub imm32", {0xF0, 0x48, 0x81, 0x2F, 0x01, 0x00, 0x00, 0x80}},
                               {"or r9", {0xF0, 0x4C, 0x09, 0x0F}},
                               {"and rax", {0xF0, 0x48, 0x21, 0x07}},
                               {"not rax", {0xF0, 0x48, 0xF7, 0x17}},
                               {"inc qword", {0xF0, 0x48, 0xFF, 0x07}},
                               {"xadd r9", {0xF0, 0x4C, 0x0F, 0xC1, 0x0F}},
                               {"xadd r9d", {0xF0, 0x44, 0x0F, 0xC1, 0x0F}},
                               {"xchg r9", {0x4C, 0x87, 0x0F}},
                               {"cmpxchg r9", {0xF0, 0x4C, 0x0F, 0xB1, 0x0F}},
                               {"cmpxchg rbx after a look", {0x48, 0x8B, 0x07, 0xF0, 0x48, 0x0F, 0xB1, 0x1F}},
                               {"bts rax imm", {0xF0, 0x48, 0x0F, 0xBA, 0x2F, 0x3F}},
                               {"btc r9", {0x49, 0x83, 0xE1, 0x3F, 0xF0, 0x4C, 0x0F, 0xBB, 0x0F}},
                               {"cmpxchg16b", {0xF0, 0x48, 0x0F, 0xC7, 0x0F}}};
  all.insert(all.end(), wide.begin(), wide.end());
  return all;
}

// kRounds times the case's instruction, its flags summed up in EBP, its registers moved on; the last three rounds have
// their operand at `last`.
std::vector<u8> program(const Case& tried, bool wide) {
  std::vector<u8> code;
  const auto add = [&code](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto put = [&code](u32 value) {
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  };
  const auto name_counter = [&](u8 register_and_opcode) {  // an absolute address
    if (wide) {
      code.push_back(static_cast<u8>(register_and_opcode << 3 | 4));
      code.push_back(0x25);
    } else {
      code.push_back(static_cast<u8>(register_and_opcode << 3 | 5));
    }
    put(kCounter);
  };
  code.push_back(0x83);  // cmp dword [kCounter], 3
  name_counter(7);
  code.push_back(3);
  if (wide) code.push_back(0x48);
  add({0x0F, 0x44, 0xFE});  // cmove edi, esi
  code.insert(code.end(), tried.code.begin(), tried.code.end());
  add({0x9C});  // pushf
  if (wide) {
    add({0x41, 0x5A});                    // pop r10
    add({0x44, 0x01, 0xD5, 0xD1, 0xC5});  // add ebp, r10d; rol ebp, 1
    add({0x49, 0xFF, 0xC1});              // inc r9
  } else {
    add({0x59, 0x01, 0xCD, 0xD1, 0xC5});  // pop ecx; add ebp, ecx; rol ebp, 1
  }
  add({0x81, 0xC0, 0x21, 0x43, 0x65, 0x87});  // add eax, 87654321h
  add({0x81, 0xD2, 0x01, 0x00, 0x01, 0x11});  // adc edx, 11010001h
  add({0x81, 0xEB, 0x35, 0x10, 0x00, 0x70});  // sub ebx, 70001035h
  add({0x8D, 0x4C, 0x49, 0x01});              // lea ecx, [ecx + ecx * 2 + 1]
  code.push_back(0xFF);                       // dec dword [kCounter]
  name_counter(1);
  add({0x0F, 0x85});  // jnz to the first
  put(0u - (static_cast<u32>(code.size()) + 4));
  code.push_back(0xF4);
  return code;
}

template <class Base>
class Tried : public Base {
 public:
  Tried(const Case& tried, u64 last, bool wide) {
    if (!wide) this->flat32();
    this->write(this->linear_ip(), program(tried, wide));
    for (u32 i = 0; i < 6; ++i) this->template poke<u32>(kData + 4 * i, 0x89ABCDEFu * (i + 3));
    this->template poke<u32>(kCounter, kRounds);
    this->reg(kEax) = 0x13579BDF;
    this->reg(kEdx) = 0x80000003;
    this->reg(kEbx) = 0x7FFFFFFF;
    this->reg(kEcx) = 0x01020304;
    this->reg(kEdi) = kData;
    this->reg(kEsi) = last;
    if (wide) this->state().gpr[9] = 0x8000000012345678;
  }
};

template <class Base>
void compare(const Case& tried, u64 last, bool wide) {
  SCOPED_TRACE(testing::Message() << tried.name << " at " << std::hex << last);
  Tried<Base> left(tried, last, wide), right(tried, last, wide);
  MachineLock lock;
  ProcessorThread thread(lock, [] {});
  jit::TranslatorOptions options = jit::eager_options();
  options.thread = &thread;
  const ExitReason reason = left.run(10'000);
  {
    jit::Translator translator(right.cpu(), right.bus(), options);
    thread.begin();
    EXPECT_EQ(translator.run(10'000), reason);
    thread.end();
    const u64 handled = translator.statistics().cold_calls;
    if (tried.cold) {
      EXPECT_GT(handled, kRounds / 2);
    } else {
      EXPECT_LT(handled, kRounds / 2);
    }
  }
  EXPECT_EQ(left.cpu().instruction_count(), right.cpu().instruction_count());
  EXPECT_EQ(left.state().gpr, right.state().gpr);
  EXPECT_EQ(left.state().rip, right.state().rip);
  EXPECT_EQ(left.cpu().fault().vector, right.cpu().fault().vector);
  for (u32 i = 0; i < 0x2000; i += 8)
    EXPECT_EQ(left.template peek<u64>(kData + i), right.template peek<u64>(kData + i));
  for (u32 i = 0x1000; i < 0x2000; i += 8) EXPECT_EQ(left.template peek<u64>(i), right.template peek<u64>(i));
}

constexpr u64 kUnaligned = kData + 1, kOverLines = kData + 62, kOverPages = kData + 0xFFF, kInCodePage = 0x1F00;

}  // namespace

TEST(Atomic, DoesWhatTheInterpreterDoes) {
  for (const Case& each : cases()) {
    for (const u64 last : {u64{kData}, kUnaligned, kOverLines, kOverPages, kInCodePage})
      compare<CpuTestMachine>(each, last, false);
  }
}

TEST(Atomic, DoesWhatTheInterpreterDoesIn64BitCode) {
  constexpr u64 kAbsent = 0x7F0000000000;
  for (const Case& each : long_cases()) {
    if (std::string_view(each.name) == "cmpxchg16b" && !jit::x64::host_has_compare_exchange16()) continue;
    for (const u64 last : {u64{kData}, kUnaligned, kOverLines, kOverPages, kInCodePage, kAbsent})
      compare<LongMachine>(each, last, true);
  }
}

}  // namespace relic86
