// relic86_codegen [--update] FILE: translates common guest patterns and compares the host code with the listing in
// FILE, so that a slower sequence shows in a diff. --update writes FILE. No line depends on addresses: branches are
// shown by their distance from the block's entry, what lies elsewhere as <elsewhere>, host pointers as <pointer>.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>

#include "base/print.h"
#include "cpu/control_bits.h"
#include "cpu/disassembler.h"
#include "jit/translator.h"
#include "jit/x64/host_instructions.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kStart = 0x1000;

// A loop: the bytes, then DEC EDI, JNZ to the first one, HLT.
struct Pattern {
  const char* name;
  std::vector<u8> body;
  bool code32 = true;
  u16 control = 0x37F;  // of the x87

  CodeSize size() const { return code32 ? CodeSize::Bits32 : CodeSize::Bits16; }
};

std::vector<Pattern> patterns() {
  return {
      {"inc ecx; cmp ecx, 1000; jcc", {0x41, 0x81, 0xF9, 0xE8, 0x03, 0x00, 0x00, 0x77, 0x00}},
      {"test eax, eax; jz", {0x85, 0xC0, 0x74, 0x00}},
      {"add, adc", {0x01, 0xC8, 0x11, 0xD3}},
      {"push and pop run", {0x55, 0x56, 0x53, 0x5B, 0x5E, 0x5D}},
      {"mov [ebp-8], eax; add eax, [ebp-8]", {0x89, 0x45, 0xF8, 0x03, 0x45, 0xF8}},
      {"mov eax, [ebx+esi*4]", {0x8B, 0x04, 0xB3}},
      {"inc dword [esi]", {0xFF, 0x06}},
      {"movzx, byte store", {0x0F, 0xB6, 0x06, 0x88, 0x46, 0x01}},
      {"shl eax, cl", {0xD3, 0xE0}},
      {"imul eax, ecx; lea", {0x0F, 0xAF, 0xC1, 0x8D, 0x54, 0x88, 0x04}},
      {"mov al, [esi]; mov [ebx], al; inc esi; inc ebx", {0x8A, 0x06, 0x88, 0x03, 0x46, 0x43}},
      {"push ebp; mov ebp, esp; sub esp, 8; mov [ebp-4], eax; leave",
       {0x55, 0x89, 0xE5, 0x83, 0xEC, 0x08, 0x89, 0x45, 0xFC, 0xC9}},
      {"cmp; setcc; cmov", {0x39, 0xC8, 0x0F, 0x9C, 0xC2, 0x0F, 0x4D, 0xC3}},
      {"call and ret", {0xE8, 0x01, 0x00, 0x00, 0x00, 0x90, 0xEB, 0x01, 0xC3}},
      {"lock cmpxchg [esi], ecx; jz", {0xF0, 0x0F, 0xB1, 0x0E, 0x74, 0x00}},
      {"jmp eax", {0xB8, 0x07, 0x10, 0x00, 0x00, 0xFF, 0xE0}},
      {"fld, fadd chain, fstp", {0xDD, 0x06, 0xDC, 0x46, 0x08, 0xDC, 0x4E, 0x10, 0xD8, 0xC0, 0xDD, 0x5E, 0x18}},
      {"unmasked: fld, fadd, fstp", {0xDD, 0x06, 0xDC, 0x46, 0x08, 0xDD, 0x5E, 0x18}, true, 0x372},
      {"movaps, addps", {0x0F, 0x28, 0x06, 0x0F, 0x58, 0xC1, 0x0F, 0x29, 0x46, 0x10}},
      {"rep movsd", {0x57, 0x56, 0xB9, 0x10, 0x00, 0x00, 0x00, 0xF3, 0xA5, 0x5E, 0x5F}},
      {"16 bit: mov ax, [bx+2]; inc ax; mov [bx+2], ax", {0x8B, 0x47, 0x02, 0x40, 0x89, 0x47, 0x02}, false},
      {"16 bit: mov ds, cx; mov ax, [bx]; mov es:[si], ax", {0x8E, 0xD9, 0x8B, 0x07, 0x26, 0x89, 0x04}, false},
      {"16 bit: push ax; pop dx; add dx, si", {0x50, 0x5A, 0x01, 0xF2}, false},
  };
}

// One line without anything that differs from run to run.
std::string line_text(const Disassembly& line, u64 size) {
  static const std::regex kNumber("0x[0-9a-f]+");
  const bool branch = line.text.starts_with('j') || line.text.starts_with("call");
  std::string text;
  std::sregex_iterator number(line.text.begin(), line.text.end(), kNumber);
  std::size_t copied = 0;
  for (; number != std::sregex_iterator(); ++number) {
    const auto at = static_cast<std::size_t>(number->position());
    const u64 value = std::strtoull(number->str().c_str(), nullptr, 16);
    text += line.text.substr(copied, at - copied);
    if (branch && line.text[at == 0 ? 0 : at - 1] == ' ') {
      text += value < size ? fmt::format("+{:#x}", value) : "<elsewhere>";
    } else {
      text += value > 0xFFFFFFFF && value < 0xFFFF800000000000 ? "<pointer>" : fmt::format("{:#x}", value);
    }
    copied = at + static_cast<std::size_t>(number->length());
  }
  return text + line.text.substr(copied);
}

std::string block_text(std::span<const u8> code) {
  std::string text;
  for (std::size_t at = 0; at < code.size();) {
    const Disassembly line = disassemble_host(code.subspan(at), at);
    text += fmt::format("    {:4x}  {}\n", at, line_text(line, code.size()));
    at += line.length;
  }
  return text;
}

// Of the latest processor, on hosts that have what it has; they stand at the listing's end.
std::vector<Pattern> latest_patterns() {
  return {
      {"max: tzcnt eax, ecx; jc; blsr eax, eax; shlx edx, eax, ecx",
       {0xF3, 0x0F, 0xBC, 0xC1, 0x72, 0x00, 0xC4, 0xE2, 0x78, 0xF3, 0xC8, 0xC4, 0xE2, 0x71, 0xF7, 0xD0}},
      {"max: andn eax, ecx, [esi]; mulx ebx, ecx, eax", {0xC4, 0xE2, 0x70, 0xF2, 0x06, 0xC4, 0xE2, 0x73, 0xF6, 0xD8}},
      {"max: vmovdqu ymm0, [esi]; vpcmpeqb ymm1, ymm0, [ebx]; vpmovmskb eax, ymm1; vzeroupper",
       {0xC5, 0xFE, 0x6F, 0x06, 0xC5, 0xFD, 0x74, 0x0B, 0xC5, 0xFD, 0xD7, 0xC1, 0xC5, 0xF8, 0x77}},
  };
}
constexpr char kLatest[] = "max:";

bool host_has_latest() { return present_host_units().avx2 && jit::x64::host_has_bit_instructions(); }

std::string pattern_text(const Pattern& pattern) {
  constexpr u64 kInstructions = 5000;
  const bool latest = std::string_view(pattern.name).starts_with(kLatest);
  CpuTestMachine m(make_cpu_model(latest ? "max" : "pentium3").value());
  if (pattern.code32) {
    m.flat32(kStart, 0x8000);
  } else {
    for (unsigned name = kEs; name < kSegmentRegisters; ++name)
      m.set_segment(static_cast<SegmentName>(name), name == kCs ? 0 : 0x100);
    m.real_mode(0, kStart);
    m.reg(kEsp) = 0x8000;
  }
  m.state().cr0 &= ~u64{0xC};
  m.state().cr4 |= kCr4OsFxsr;
  if (latest) {
    constexpr u64 kAllStates = 7;
    m.state().cr4 |= kCr4OsXsave;
    m.state().xcr0 = kAllStates;
    m.cpu().update_mode();
  }
  m.state().fx.control = pattern.control;
  m.state().fx.tags = 0;
  m.reg(kEsi) = m.reg(kEbx) = 0x4000;
  m.reg(kEbp) = 0x7000;
  m.reg(kEdi) = 0xFFFF;
  if (pattern.name[0] == 'm' && pattern.body.back() == 0xB3) m.reg(kEsi) = 0x10;
  std::vector<u8> code = pattern.body;
  code.push_back(0x4F);
  code.push_back(0x75);
  code.push_back(static_cast<u8>(0 - (code.size() + 1)));
  code.push_back(0xF4);
  m.write(kStart, code);
  jit::TranslatorOptions options = jit::eager_options();
  options.regions = false;  // branches are linked at once, not counted first
  jit::Translator translator(m.cpu(), m.bus(), options);
  (void)translator.run(kInstructions);
  std::string text = fmt::format("{}\n", pattern.name);
  for (u32 at = 0; at < code.size();) {
    const Disassembly line =
        disassemble(std::span(code).subspan(at), kStart + at, pattern.size(), AssemblerSyntax::Intel);
    text += fmt::format("  {:08x}  {}\n", kStart + at, line.text);
    text += block_text(translator.host_code(BackingOffset(kStart + at), pattern.size()));
    at += line.length;
  }
  return text + '\n';
}

// The first line that differs, with its pattern.
std::string first_difference(const std::string& expected, const std::string& seen) {
  std::istringstream left(expected), right(seen);
  std::string left_line, right_line, pattern;
  while (std::getline(right, right_line)) {
    if (!std::getline(left, left_line)) left_line = "(end)";
    if (!right_line.empty() && right_line[0] != ' ') pattern = right_line;
    if (left_line != right_line) return fmt::format("{}\n< {}\n> {}\n", pattern, left_line, right_line);
  }
  return "the file is longer\n";
}

}  // namespace

}  // namespace relic86

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool update = !arguments.empty() && arguments[0] == "--update";
  if (arguments.size() != (update ? 2u : 1u)) {
    relic86::print_text(stderr, "usage: relic86_codegen [--update] FILE\n");
    return 2;
  }
  std::string seen;
  for (const relic86::Pattern& pattern : relic86::patterns()) seen += relic86::pattern_text(pattern);
  if (relic86::host_has_latest()) {
    for (const relic86::Pattern& pattern : relic86::latest_patterns()) seen += relic86::pattern_text(pattern);
  }
  if (update) return (std::ofstream(arguments[1]) << seen).good() ? 0 : 2;
  std::ifstream file(arguments[0]);
  std::string expected{std::istreambuf_iterator<char>(file), {}};
  if (!relic86::host_has_latest()) expected.resize(std::min(expected.size(), expected.find(relic86::kLatest)));
  if (expected == seen) return 0;
  relic86::print_text(stdout, "the host code differs from " + arguments[0] +
                                  "; if it is meant to, relic86_codegen --update FILE writes it anew\n" +
                                  relic86::first_difference(expected, seen));
  return 1;
}
