#include "control/gdb/gdb_registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/control_bits.h"
#include "cpu/cpuid.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"

namespace relic86 {

namespace {

// Numbers in gdb's order: sets of registers that follow each other.
struct Layout {
  bool wide;     // amd64, else i386
  bool vectors;  // there is AVX
  unsigned gprs() const { return wide ? 16 : 8; }
  unsigned rip() const { return gprs(); }
  unsigned eflags() const { return rip() + 1; }
  unsigned segment0() const { return eflags() + 1; }
  unsigned stack0() const { return segment0() + 6; }
  unsigned x87_control() const { return stack0() + 8; }
  unsigned xmm0() const { return x87_control() + 8; }
  unsigned mxcsr() const { return xmm0() + gprs(); }
  unsigned system0() const { return mxcsr() + 1; }

  bool is_stack(unsigned number) const { return number >= stack0() && number < x87_control(); }
  bool is_xmm(unsigned number) const { return number >= xmm0() && number < mxcsr(); }
  // Of general and system registers.
  unsigned word_size(unsigned number) const { return wide && (number <= rip() || number >= system0()) ? 8 : 4; }
};

// gdb takes a description once: a processor that has long mode is described by it in every mode, as QEMU's is.
Layout layout_of(const Cpu& cpu) { return {cpu.model().has_long_mode(), (cpu.model().xcr0_bits() & kXcr0Avx) != 0}; }

// amd64 names RBX before RCX; i386 goes by the encoding.
unsigned gpr_of(const Layout& layout, unsigned number) {
  constexpr Gpr kAmd64[] = {kEax, kEbx, kEcx, kEdx, kEsi, kEdi, kEbp, kEsp};
  return layout.wide && number < std::size(kAmd64) ? static_cast<unsigned>(kAmd64[number]) : number;
}
constexpr SegmentName kSegments[] = {kCs, kSs, kDs, kEs, kFs, kGs};  // gdb's order

struct SystemRegister {
  std::string_view name;
  u64 (*read)(const CpuState&);
};
constexpr SystemRegister kSystem[] = {
    {"cs_base", [](const CpuState& s) { return s.segment[kCs].base; }},
    {"ss_base", [](const CpuState& s) { return s.segment[kSs].base; }},
    {"ds_base", [](const CpuState& s) { return s.segment[kDs].base; }},
    {"es_base", [](const CpuState& s) { return s.segment[kEs].base; }},
    {"fs_base", [](const CpuState& s) { return s.segment[kFs].base; }},
    {"gs_base", [](const CpuState& s) { return s.segment[kGs].base; }},
    {"cr0", [](const CpuState& s) { return s.cr0; }},
    {"cr2", [](const CpuState& s) { return s.cr2; }},
    {"cr3", [](const CpuState& s) { return s.cr3; }},
    {"cr4", [](const CpuState& s) { return s.cr4; }},
    {"efer", [](const CpuState& s) { return s.efer; }},
    {"dr0", [](const CpuState& s) { return s.dr[0]; }},
    {"dr1", [](const CpuState& s) { return s.dr[1]; }},
    {"dr2", [](const CpuState& s) { return s.dr[2]; }},
    {"dr3", [](const CpuState& s) { return s.dr[3]; }},
    {"dr6", [](const CpuState& s) { return s.dr[6]; }},
    {"dr7", [](const CpuState& s) { return s.dr[7]; }},
    {"gdtr_base", [](const CpuState& s) { return s.gdtr.base; }},
    {"gdtr_limit", [](const CpuState& s) { return u64{s.gdtr.limit}; }},
    {"idtr_base", [](const CpuState& s) { return s.idtr.base; }},
    {"idtr_limit", [](const CpuState& s) { return u64{s.idtr.limit}; }},
    {"ldtr", [](const CpuState& s) { return u64{s.segment[kLdtr].selector.raw}; }},
    {"tr", [](const CpuState& s) { return u64{s.segment[kTr].selector.raw}; }},
};
constexpr unsigned kCr2 = 7;  // in kSystem

// The full tag word (SDM 1 8.1.7) from the abridged one.
u32 tag_word(const FxState& fx) {
  u32 word = 0;
  for (unsigned physical = 0; physical < 8; physical++) {
    unsigned tag = 3;  // empty
    if ((fx.tags >> physical & 1) != 0) {
      const u8* const bytes = fx.st[(physical - fx.top()) & 7].bytes;
      u64 mantissa = 0;
      u16 exponent = 0;
      std::memcpy(&mantissa, bytes, 8);
      std::memcpy(&exponent, bytes + 8, 2);
      exponent &= 0x7FFF;
      if (exponent == 0 && mantissa == 0)
        tag = 1;  // zero
      else
        tag = exponent == 0 || exponent == 0x7FFF || mantissa >> 63 == 0 ? 2 : 0;  // special, valid
    }
    word |= tag << (physical * 2);
  }
  return word;
}

// fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop
u32 read_x87_control(const FxState& fx, unsigned index) {
  switch (index) {
    case 0: return fx.control;
    case 1: return fx.status;
    case 2: return tag_word(fx);
    case 3: return fx.instruction_selector;
    case 4: return fx.instruction;
    case 5: return fx.data_selector;
    case 6: return fx.data;
    default: return fx.opcode;
  }
}

void write_x87_control(FxState& fx, unsigned index, u32 value) {
  const u16 half = static_cast<u16>(value);
  switch (index) {
    case 0: fx.control = static_cast<u16>((half & 0x1F3F) | 0x40); break;
    case 1: fx.status = half; break;
    case 2:
      fx.tags = 0;
      for (unsigned physical = 0; physical < 8; physical++) {
        if ((value >> (physical * 2) & 3) != 3) fx.tags = static_cast<u8>(fx.tags | 1u << physical);
      }
      break;
    case 3: fx.instruction_selector = half; break;
    case 4: fx.instruction = value; break;
    case 5: fx.data_selector = half; break;
    case 6: fx.data = value; break;
    default: fx.opcode = half & 0x7FF; break;
  }
  // ES and B follow from exceptions and masks (SDM 1 8.1.3.3).
  constexpr u16 kExceptions = 0x3F, kSummaryAndBusy = 0x8080;
  const bool unmasked = (fx.status & ~fx.control & kExceptions) != 0;
  fx.status = static_cast<u16>((fx.status & ~kSummaryAndBusy) | (unmasked ? kSummaryAndBusy : 0));
}

u64 read_word(const Cpu& cpu, const Layout& l, unsigned number) {
  const CpuState& state = cpu.state();
  if (number < l.gprs()) return state.gpr[gpr_of(l, number)];
  if (number == l.rip()) return state.rip;
  if (number == l.eflags()) return cpu.eflags();
  if (number < l.stack0()) return state.segment[kSegments[number - l.segment0()]].selector.raw;
  if (number < l.xmm0()) return read_x87_control(state.fx, number - l.x87_control());
  if (number == l.mxcsr()) return state.fx.mxcsr;
  return kSystem[number - l.system0()].read(state);
}

// The descriptor behind a selector, read without side effects.
bool find_descriptor(Cpu& cpu, Selector selector, Descriptor& descriptor) {
  const CpuState& state = cpu.state();
  const u64 base = selector.local() ? state.segment[kLdtr].base : state.gdtr.base;
  const u32 limit = selector.local() ? state.segment[kLdtr].limit : state.gdtr.limit;
  if (selector.table_offset() + 7 > limit) return false;
  u8 bytes[8];
  for (u32 i = 0; i < 8; i++) {
    const auto where = cpu.mmu().debug_translate(system_address(state, base + selector.table_offset() + i));
    if (!where) return false;
    cpu.mmu().bus().read_block(*where, {&bytes[i], 1});
  }
  std::memcpy(&descriptor.low, bytes, 4);
  std::memcpy(&descriptor.high, bytes + 4, 4);
  return descriptor.present() && descriptor.code_or_data();
}

bool write_segment(Cpu& cpu, SegmentName name, u32 value) {
  const Selector selector(static_cast<u16>(value));
  const CpuState& state = cpu.state();
  if (selector == state.segment[name].selector) return true;
  if (state.mode.real_or_v86()) {
    set_segment_real(cpu, name, selector);
  } else if (selector.null()) {
    if (name == kCs || name == kSs) return false;
    set_segment_null(cpu, name, selector);
  } else {
    Descriptor descriptor;
    // A change of privilege is no register write: RPL of CS and SS stays.
    if ((name == kCs || name == kSs) && selector.rpl() != state.mode.cpl) return false;
    if (!find_descriptor(cpu, selector, descriptor)) return false;
    if ((name == kCs) != descriptor.code() && (name == kCs || name == kSs)) return false;
    set_segment(cpu, name, selector, descriptor);
  }
  cpu.update_mode();
  return true;
}

bool write_word(Cpu& cpu, const Layout& l, unsigned number, u64 value) {
  CpuState& state = cpu.state();
  const u32 half = static_cast<u32>(value);
  // Outside of 64-bit mode the lower eight have no upper halves, and of R8 to R15 nothing is seen.
  const auto cut = [&](u64 whole) { return state.mode.code64 ? whole : static_cast<u32>(whole); };
  if (number < l.gprs()) {
    const unsigned gpr = gpr_of(l, number);
    state.gpr[gpr] = gpr < 8 ? cut(value) : value;
  } else if (number == l.rip()) {
    if (state.mode.code64 && !state.linear.canonical(value)) return false;
    state.rip = cut(value);
  } else if (number == l.eflags()) {
    constexpr u32 kWritable = 0x3D7FD5;  // all but VM
    cpu.set_eflags((half & kWritable) | (cpu.eflags() & kVM));
  } else if (number < l.stack0()) {
    return write_segment(cpu, kSegments[number - l.segment0()], half);
  } else if (number < l.xmm0()) {
    write_x87_control(state.fx, number - l.x87_control(), half);
  } else if (number == l.mxcsr()) {
    state.fx.mxcsr = half & state.fx.mxcsr_mask & 0xFFFF;
  } else if (number == l.system0() + kCr2) {
    state.cr2 = l.wide ? value : half;
  } else {
    return value == read_word(cpu, l, number);  // what the processor derives much from is not for writing
  }
  return true;
}

std::string register_line(std::string_view name, unsigned bits, std::string_view type, std::string_view group = "") {
  return fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"{}/>\n", name, bits, type,
                     group.empty() ? "" : fmt::format(" group=\"{}\"", group));
}

// Named bits of a register (SDM 1 3.4.3 and 10.2.3, SDM 3A 2.5, AMD APM 2 3.1.7). Without a last bit it is one bit.
struct Field {
  std::string_view name;
  unsigned first;
  unsigned last = 0;
};
constexpr Field kEflagsFields[] = {{"CF", 0},  {"", 1},    {"PF", 2},  {"AF", 4},   {"ZF", 6},        {"SF", 7},
                                   {"TF", 8},  {"IF", 9},  {"DF", 10}, {"OF", 11},  {"IOPL", 12, 13}, {"NT", 14},
                                   {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20},      {"ID", 21}};
constexpr Field kMxcsrFields[] = {{"IE", 0},  {"DE", 1},  {"ZE", 2},  {"OE", 3},      {"UE", 4},
                                  {"PE", 5},  {"DAZ", 6}, {"IM", 7},  {"DM", 8},      {"ZM", 9},
                                  {"OM", 10}, {"UM", 11}, {"PM", 12}, {"RC", 13, 14}, {"FZ", 15}};
constexpr Field kCr0Fields[] = {{"PE", 0},  {"MP", 1},  {"EM", 2},  {"TS", 3},  {"ET", 4}, {"NE", 5},
                                {"WP", 16}, {"AM", 18}, {"NW", 29}, {"CD", 30}, {"PG", 31}};
constexpr Field kCr4Fields[] = {{"VME", 0},         {"PVI", 1},   {"TSD", 2},   {"DE", 3},        {"PSE", 4},
                                {"PAE", 5},         {"MCE", 6},   {"PGE", 7},   {"PCE", 8},       {"OSFXSR", 9},
                                {"OSXMMEXCPT", 10}, {"UMIP", 11}, {"LA57", 12}, {"FSGSBASE", 16}, {"PCIDE", 17},
                                {"OSXSAVE", 18},    {"SMEP", 20}, {"SMAP", 21}};
constexpr Field kEferFields[] = {{"SCE", 0}, {"LME", 8}, {"LMA", 10}, {"NXE", 11}};

std::string flags_type(std::string_view id, std::span<const Field> fields, unsigned size = 4) {
  std::string text = fmt::format("<flags id=\"{}\" size=\"{}\">\n", id, size);
  for (const Field& field : fields)
    text += fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>\n", field.name, field.first,
                        field.last == 0 ? field.first : field.last);
  return text + "</flags>\n";
}

std::string system_feature(const Layout& l) {
  struct Typed {
    std::string_view name, type;
    std::span<const Field> fields;
  };
  static constexpr Typed kTyped[] = {
      {"cr0", "i386_cr0", kCr0Fields}, {"cr4", "i386_cr4", kCr4Fields}, {"efer", "i386_efer", kEferFields}};
  std::string text = "<feature name=\"org.relic86.system\">\n";
  const unsigned size = l.word_size(l.system0());
  for (const Typed& typed : kTyped) text += flags_type(typed.type, typed.fields, size);
  for (const SystemRegister& row : kSystem) {
    const auto* typed =
        std::find_if(std::begin(kTyped), std::end(kTyped), [&](const Typed& t) { return t.name == row.name; });
    text += register_line(row.name, size * 8,
                          typed != std::end(kTyped) ? typed->type
                          : l.wide                  ? "int64"
                                                    : "int32",
                          "system");
  }
  return text + "</feature>\n";
}

std::string core_feature(const Layout& l) {
  static constexpr std::string_view kNames[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  static constexpr std::string_view kControl[] = {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"};
  std::string text = "<feature name=\"org.gnu.gdb.i386.core\">\n" + flags_type("i386_eflags", kEflagsFields);
  const unsigned bits = l.word_size(0) * 8;
  for (unsigned number = 0; number < l.gprs(); number++) {
    const unsigned gpr = gpr_of(l, number);
    const std::string name = gpr < 8 ? fmt::format("{}{}", l.wide ? 'r' : 'e', kNames[gpr]) : fmt::format("r{}", gpr);
    const bool pointer = gpr == kEsp || gpr == kEbp;
    text += register_line(name, bits, pointer ? "data_ptr" : l.wide ? "int64" : "int32");
  }
  text += register_line(l.wide ? "rip" : "eip", bits, "code_ptr") + register_line("eflags", 32, "i386_eflags");
  for (const std::string_view name : {"cs", "ss", "ds", "es", "fs", "gs"}) text += register_line(name, 32, "int32");
  for (unsigned i = 0; i < 8; i++) text += register_line(fmt::format("st{}", i), 80, "i387_ext");
  for (const std::string_view name : kControl) text += register_line(name, 32, "int", "float");
  return text + "</feature>\n";
}

std::string sse_feature(const Layout& l) {
  std::string text = "<feature name=\"org.gnu.gdb.i386.sse\">\n";
  struct Vector {
    std::string_view id, type;
    unsigned count;
  };
  static constexpr Vector kVectors[] = {{"v4f", "ieee_single", 4}, {"v2d", "ieee_double", 2}, {"v16i8", "int8", 16},
                                        {"v8i16", "int16", 8},     {"v4i32", "int32", 4},     {"v2i64", "int64", 2}};
  static constexpr std::string_view kFields[] = {"v4_float", "v2_double", "v16_int8",
                                                 "v8_int16", "v4_int32",  "v2_int64"};
  for (const Vector& vector : kVectors)
    text += fmt::format("<vector id=\"{}\" type=\"{}\" count=\"{}\"/>\n", vector.id, vector.type, vector.count);
  text += "<union id=\"vec128\">\n";
  for (std::size_t i = 0; i < std::size(kVectors); i++)
    text += fmt::format("<field name=\"{}\" type=\"{}\"/>\n", kFields[i], kVectors[i].id);
  text += "<field name=\"uint128\" type=\"uint128\"/>\n</union>\n";
  for (unsigned i = 0; i < l.gprs(); i++) text += register_line(fmt::format("xmm{}", i), 128, "vec128");
  text += flags_type("i386_mxcsr", kMxcsrFields);
  return text + register_line("mxcsr", 32, "i386_mxcsr", "vector") + "</feature>\n";
}

// The upper halves of YMM registers, after everything else.
unsigned upper0(const Layout& l) { return l.system0() + static_cast<unsigned>(std::size(kSystem)); }
bool is_upper(const Layout& l, unsigned number) { return number >= upper0(l); }

std::string avx_feature(const Layout& l) {
  if (!l.vectors) return {};
  std::string text = "<feature name=\"org.gnu.gdb.i386.avx\">\n";
  for (unsigned i = 0; i < l.gprs(); i++) text += register_line(fmt::format("ymm{}h", i), 128, "uint128");
  return text + "</feature>\n";
}

}  // namespace

// i386 or i386:x86-64, whatever the mode, as QEMU's: gdb takes a description once, and a processor in real mode now is
// in another soon. gdb disassembles code of other sizes wrongly then; 'monitor x /i' shows it in the processor's mode.
std::string gdb_target_description(const Cpu& cpu) {
  const Layout l = layout_of(cpu);
  return fmt::format(
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n<architecture>{}"
      "</architecture>\n{}{}{}{}</target>\n",
      l.wide ? "i386:x86-64" : "i386", core_feature(l), sse_feature(l), system_feature(l), avx_feature(l));
}

unsigned gdb_register_count(const Cpu& cpu) {
  const Layout l = layout_of(cpu);
  return upper0(l) + (l.vectors ? l.gprs() : 0);
}

unsigned gdb_register_size(const Cpu& cpu, unsigned number) {
  const Layout l = layout_of(cpu);
  if (l.is_stack(number)) return 10;
  return l.is_xmm(number) || is_upper(l, number) ? 16 : l.word_size(number);
}

std::vector<u8> read_gdb_register(const Cpu& cpu, unsigned number) {
  if (number >= gdb_register_count(cpu)) return {};
  const Layout l = layout_of(cpu);
  std::vector<u8> bytes(gdb_register_size(cpu, number));
  const FxState& fx = cpu.state().fx;
  if (l.is_stack(number)) {
    std::memcpy(bytes.data(), fx.st[number - l.stack0()].bytes, bytes.size());
  } else if (l.is_xmm(number)) {
    std::memcpy(bytes.data(), fx.xmm[number - l.xmm0()].bytes, bytes.size());
  } else if (is_upper(l, number)) {
    std::memcpy(bytes.data(), cpu.state().ymm_high[number - upper0(l)].bytes, bytes.size());
  } else {
    const u64 value = read_word(cpu, l, number);
    std::memcpy(bytes.data(), &value, bytes.size());
  }
  return bytes;
}

bool write_gdb_register(Cpu& cpu, unsigned number, std::span<const u8> value) {
  if (number >= gdb_register_count(cpu) || value.size() != gdb_register_size(cpu, number)) return false;
  const Layout l = layout_of(cpu);
  FxState& fx = cpu.state().fx;
  if (l.is_stack(number)) {
    std::memcpy(fx.st[number - l.stack0()].bytes, value.data(), value.size());
    return true;
  }
  if (l.is_xmm(number)) {
    std::memcpy(fx.xmm[number - l.xmm0()].bytes, value.data(), value.size());
    return true;
  }
  if (is_upper(l, number)) {
    std::memcpy(cpu.state().ymm_high[number - upper0(l)].bytes, value.data(), value.size());
    return true;
  }
  u64 word = 0;
  std::memcpy(&word, value.data(), value.size());
  return write_word(cpu, l, number, word);
}

}  // namespace relic86
