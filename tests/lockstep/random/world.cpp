#include "tests/lockstep/random/world.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "cpu/control_bits.h"
#include "tests/lockstep/random/sequences.h"

namespace relic86 {

namespace {

constexpr World kWorlds[] = {
    {.name = "flat32", .code32 = true},
    {.name = "real16", .code32 = false, .real = true},
    {.name = "segments32", .code32 = true, .segments = true},
    {.name = "segments16", .code32 = false, .segments = true},
    {.name = "pages32", .code32 = true, .paging = true, .crosses_page = true},
    {.name = "user32", .code32 = true, .user = true, .paging = true},
    {.name = "virtual86", .code32 = false, .virtual86 = true, .user = true},
    {.name = "paged86", .code32 = false, .virtual86 = true, .user = true, .paging = true, .crosses_page = true},
    {.name = "writes32", .code32 = true, .user = true, .paging = true, .writes_code = true, .crosses_page = true},
    {.name = "breaks32", .code32 = true, .breakpoints = true},
    {.name = "breaks86", .code32 = false, .virtual86 = true, .user = true, .paging = true, .breakpoints = true},
    {.name = "writes16", .code32 = false, .virtual86 = true, .user = true, .writes_code = true},
    {.name = "limits32", .code32 = true, .segments = true, .paging = true, .crosses_page = true},
    {.name = "limits16", .code32 = false, .user = true, .segments = true, .crosses_page = true},
    {.name = "aligned32", .code32 = true, .user = true, .segments = true, .aligned = true},
    {.name = "aligned86", .code32 = false, .virtual86 = true, .user = true, .aligned = true},
    {.name = "crowded32", .code32 = true, .user = true, .paging = true, .crosses_page = true, .crowded = true},
    {.name = "crowded86", .code32 = false, .virtual86 = true, .user = true, .paging = true, .crowded = true},
};

bool of_feature(const InstructionRow& row, Feature first, Feature last) {
  return row.feature >= first && row.feature <= last;
}
bool any(const InstructionRow& row) { return row.feature < Feature::Cpuid; }
bool strings(const InstructionRow& row) { return (row.traits & kTraitString) != 0; }
bool branches(const InstructionRow& row) { return (row.traits & (kTraitBranch | kTraitEndsBlock)) != 0; }
bool stack(const InstructionRow& row) { return (row.traits & kTraitStack) != 0; }
bool shifts(const InstructionRow& row) {
  return (row.traits & kTraitMaybeFlags) != 0 && (row.traits & kTraitString) == 0;
}
bool compound(const InstructionRow& row) {
  static constexpr std::string_view kNames[] = {"pusha",  "popa",  "enter", "leave", "xlat", "bound",   "into", "daa",
                                                "das",    "aaa",   "aas",   "aam",   "aad",  "bt",      "bts",  "btr",
                                                "btc",    "lahf",  "sahf",  "cmc",   "salc", "rcl",     "rcr",  "loope",
                                                "loopne", "pushf", "popf",  "div",   "xadd", "cmpxchg", "arpl", "jcxz"};
  return std::ranges::find(kNames, std::string_view(row.mnemonic)) != std::end(kNames);
}
bool x87(const InstructionRow& row) { return row.feature == Feature::Fpu; }
bool mmx(const InstructionRow& row) { return row.feature == Feature::Mmx; }
bool sse(const InstructionRow& row) { return of_feature(row, Feature::Sse, Feature::Ssse3); }
bool units(const InstructionRow& row) {
  return of_feature(row, Feature::Fpu, Feature::Mmx) || of_feature(row, Feature::Sse, Feature::Ssse3);
}

bool bits(const InstructionRow& row) {
  const Feature feature = row.feature;
  return feature == Feature::Popcnt || feature == Feature::Lzcnt || feature == Feature::Bmi1 ||
         feature == Feature::Bmi2;
}
bool vectors(const InstructionRow& row) {
  return of_feature(row, Feature::Sse, Feature::Sse2) || (row.shape & kShapeAvx) != 0;
}

constexpr Group kGroups[] = {
    {"integer", any, false, false},
    {"cold", any, true, false},
    {"shifts", shifts, false, false},
    {"strings", strings, true, false},
    {"branches", branches, true, false},
    {"stack", stack, true, false},
    {"x87", x87, false, false},
    {"mmx", mmx, false, false},
    {"sse", sse, false, false},
    {"units", units, true, true},
    {"bits", bits, false, false},
    {"vectors", vectors, true, false},
    {"segments", any, false, false, 2},
    {"compound", compound, true, false},
    {"unmasked", units, true, true, 8, true},
    {"flow", any, false, false, 3, false, true},
};

// Places: the program at 1000h or just below 2000h, its data from 2000h, its stack below 8000h.
constexpr u32 kProgram = 0x1000, kStack = 0x8000, kCounter = 0x7FC0;
constexpr u32 kSystemStack = 0xF05800, kSystemCounter = 0xF05900, kTss = 0xF04000;
constexpr u32 kTable = 0xF03000;  // of the places to go on at
constexpr u32 kRealHandler = 0x700, kRealTable = 0x780;
constexpr u32 kDirectory = 0xE00000, kLowPages = 0xE01000, kHighPages = 0xE02000;
constexpr u16 kProgramCode = 0x18, kFirstData = 0x28, kTssSelector = 0x58;
constexpr u16 kMoreData = 0x60, kMoreDataEnd = 0x80;
constexpr u32 kFarPointers = 0x7000, kCodePointers = 0x7400;
constexpr u16 kCallGate = kMoreDataEnd;  // to the handler
constexpr u32 kRealVectors = 0xF07000;   // no offset of a real-mode program leads there
constexpr u32 kEntries = 16;

struct Code {
  std::vector<u8> bytes;
  Code& raw(std::initializer_list<u8> more) {
    bytes.insert(bytes.end(), more);
    return *this;
  }
  Code& number(u32 value, unsigned size = 4) {
    for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
};

class Builder {
 public:
  Builder(CpuTestMachine& machine, const World& world, const Group& group, u64 seed)
      : m_(machine), world_(world), group_(group), g_(seed, world.code32), program_(seed ^ 0x5555, world.code32) {}

  Place build() {
    m_.cpu().reset();
    m_.cpu().mmu().tlb().set_cap(world_.crowded ? 5 + g_.below(12) : kDefaultTlbCap);
    place_.first = world_.crosses_page && g_.one_in(2) ? 0x2000 - 1 - g_.below(48) : kProgram;
    if (world_.real || world_.virtual86) {
      for (u16 selector : {0, 0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x100, 0x123, 0x1FF}) selectors_.push_back(selector);
      for (u32 more = 0; more < 8; ++more) selectors_.push_back(static_cast<u16>(0x800 + g_.below(0x8000)));
      stacks_ = {0, 0x20, 0x101};
    }
    if (world_.real) {
      fill_memory();
      enter_real();
    } else {
      m_.flat32(CpuTestMachine::kHandler, kSystemStack);
      descriptors();
      fill_memory();
      handler();
      if (world_.paging) pages();
    }
    registers();
    m_.cpu().update_mode();
    return place_;
  }

 private:
  void fill_memory() {
    // Nothing of an earlier program within reach of 16-bit segments, so that a seed alone tells what happens.
    m_.write(0, std::vector<u8>(0xA0000));
    std::vector<u8> data(0x6000);
    for (u8& byte : data) byte = static_cast<u8>(g_.value());
    m_.write(0x2000, data);
    program_.focus(group_.rows);
    if (world_.writes_code) program_.write_code(place_.first);
    far_pointers();
    const SegmentChoices choices{selectors_,   stacks_,         kFarPointers - code_base_,
                                 !world_.user, group_.unmasked, group_.transfers ? kCodePointers - code_base_ : 0};
    Sequences sequences(program_, world_.code32, choices);
    program_.sequences(group_.sequence_rate, [&](std::vector<u8>& code) { sequences.append(code); });
    const std::vector<u8> code = program_.loop(6 + g_.below(30), group_.cold, group_.units);
    place_.length = static_cast<u32>(code.size());
    place_.starts = program_.starts();
    m_.write(place_.first, code);
    code_pointers();
    if (world_.breakpoints) breakpoints();
  }

  void code_pointers() {
    const bool narrow = world_.real || world_.virtual86;
    for (u32 i = 0; i < SegmentChoices::kFarPointers; ++i) {
      const u32 at = kCodePointers + i * SegmentChoices::kFarPointerBytes;
      u32 offset = entry(g_.below(kEntries));
      u16 selector = code_selector_;
      if (narrow && g_.one_in(2)) {
        selector = static_cast<u16>(g_.below(0x40));
        offset -= selector * 16u;
      }
      if (!narrow && g_.one_in(4)) selector = kCallGate | (world_.user ? 3 : 0);
      if (g_.one_in(16)) selector = static_cast<u16>(g_.value());
      m_.poke<u32>(at, offset);
      m_.poke<u16>(at + 4, selector);
      m_.poke<u16>(at + 8, static_cast<u16>(offset));
      m_.poke<u16>(at + 10, selector);
    }
  }

  // Of all kinds and sizes; more often than not of addresses that are met.
  void breakpoints() {
    CpuState& state = m_.state();
    u32 dr7 = 0x400;
    for (unsigned n = 0; n < 4; ++n) {
      const u32 kind = g_.below(4);
      const bool execution = kind == 0;
      state.dr[n] = execution
                        ? place_.first + static_cast<u32>(place_.starts[g_.below(kEntries) % place_.starts.size()])
                        : (g_.one_in(2) ? 0x2000 : 0x7E00) + g_.below(0x200);
      if (g_.one_in(3)) continue;
      dr7 |= 2u << (n * 2) | kind << (16 + n * 4) | (execution ? 0u : g_.below(4)) << (18 + n * 4);
    }
    state.dr[7] = dr7;
    m_.cpu().update_breakpoints();
  }

  void far_pointers() {
    for (u32 i = 0; i < SegmentChoices::kFarPointers; ++i) {
      const u32 at = kFarPointers + i * SegmentChoices::kFarPointerBytes;
      const u16 selector = selectors_[g_.below(static_cast<u32>(selectors_.size()))];
      const u32 offset = g_.one_in(3) ? 0xFFF0 + g_.below(0x20) : 0x2000 + g_.below(0x2000);
      m_.poke<u32>(at, offset);
      m_.poke<u16>(at + 4, selector);
      m_.poke<u16>(at + 8, static_cast<u16>(offset));
      m_.poke<u16>(at + 10, selector);
    }
  }

  // Offset of the n-th place to go on at.
  u32 entry(u32 n) const {
    return place_.first - code_base_ + static_cast<u32>(place_.starts[n % place_.starts.size()]);
  }

  void enter_real() {
    for (unsigned name = kEs; name < kSegmentRegisters; ++name)
      m_.set_segment(static_cast<SegmentName>(name), name == kCs ? 0 : static_cast<u16>(name * 0x10));
    if (g_.one_in(3)) unreal();
    for (u32 vector = 0; vector < 256; ++vector) m_.poke<u32>(kRealVectors + vector * 4, kRealHandler);
    m_.state().idtr = {kRealVectors, 0x3FF};
    Code code;
    for (const u8 name : {kSs, kDs, kEs}) code.raw({0xB8, static_cast<u8>(name * 0x10), 0, 0x8E, segment_modrm(name)});
    code.raw({0xDB, 0xE2, 0x66, 0xBC}).number(kStack);                                 // fnclex; mov esp
    code.raw({0x36, 0xFF, 0x06}).number(kCounter, 2);                                  // inc word ss:[counter]
    code.raw({0x36, 0x8B, 0x0E}).number(kCounter, 2).raw({0x83, 0xE1, kEntries - 1});  // mov cx, it; and cx, 15
    code.raw({0x66, 0xBB}).number(0x2800).raw({0x66, 0xBE}).number(0x3000);            // mov ebx, esi
    code.raw({0x66, 0xBD}).number(0x7F00).raw({0x89, 0xCF, 0xD1, 0xE7});               // mov ebp; mov di, cx; shl di, 1
    code.raw({0x6A, 0x02, 0x6A, 0x00, 0x2E, 0xFF, 0xB5}).number(kRealTable, 2).raw({0xCF});  // flags, CS, IP; iret
    m_.write(kRealHandler, code.bytes);
    for (u32 i = 0; i < kEntries; ++i) m_.poke<u16>(kRealTable + i * 2, static_cast<u16>(entry(i)));
    m_.real_mode(0, kRealHandler);
  }

  static u8 segment_modrm(u8 name) { return static_cast<u8>(0xC0 | name << 3); }

  // Limits that a visit to protected mode has left.
  void unreal() {
    static constexpr u32 kLimits[] = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFEF, 0x3002, 0x2803, 0xFFFE};
    for (const unsigned name : {kEs, kDs, kFs, kGs}) {
      if (g_.one_in(2)) continue;
      Segment& segment = m_.state().segment[name];
      segment.limit = kLimits[g_.below(6)];
      derive_limits(m_.state(), segment);
    }
  }

  // Writes the descriptor and gives what loading it would.
  Segment descriptor(u16 selector, u32 base, u32 limit, u8 access, bool big) {
    const bool pages = limit > 0xFFFFF;
    const u32 raw = pages ? limit >> 12 : limit;
    const u32 flags = (pages ? 8u : 0u) | (big ? 4u : 0u);
    m_.poke<u64>(CpuTestMachine::kGdt + (selector & 0xFFF8u), u64{raw & 0xFFFF} | u64{base & 0xFFFFFF} << 16 |
                                                                  u64{access} << 40 | u64{raw >> 16} << 48 |
                                                                  u64{flags} << 52 | u64{base >> 24} << 56);
    Segment segment;
    segment.selector = Selector(selector);
    segment.base = base;
    segment.limit = pages ? raw << 12 | 0xFFF : raw;
    segment.attributes = static_cast<u16>(access | flags << 12);
    derive_limits(m_.state(), segment);
    return segment;
  }

  Segment data_segment(unsigned name, u16 selector, u8 level) {
    constexpr u8 kData = 0x93, kReadOnly = 0x91, kExpandDown = 0x97;
    const u32 whole = world_.code32 ? 0xFFFFFFFF : 0xFFFF;
    const bool big = world_.code32;
    if (!world_.segments) return descriptor(selector, 0, whole, static_cast<u8>(kData | level), big);
    const u32 base = g_.one_in(3) ? 0 : g_.one_in(2) ? 0x10 : 0x1000 + g_.below(64);
    // An expand-down stack ends below everything that the program and its handler put there.
    if (name == kSs && g_.one_in(4))
      return descriptor(selector, base, 0x6000 + g_.below(0x800), static_cast<u8>(kExpandDown | level), big);
    if (name == kSs)
      return descriptor(selector, base, g_.one_in(2) ? whole : 0xFFFF, static_cast<u8>(kData | level), big);
    static constexpr u32 kLimits[] = {0x2FFF, 0x2803, 0x3002, 0x7FFF, 0x7FFFF, 0xFFFFFFFF};
    const u32 limit = g_.one_in(3) ? whole : kLimits[g_.below(6)];
    const u8 access = g_.one_in(6) ? kReadOnly : g_.one_in(6) ? kExpandDown : kData;
    return descriptor(selector, base, limit, static_cast<u8>(access | level), big);
  }

  void descriptors() {
    CpuState& state = m_.state();
    const u8 level = world_.user ? 0x60 : 0;
    const u16 ring = world_.user ? 3 : 0;
    u32 limit = world_.code32 ? 0xFFFFFFFF : 0xFFFF;
    if (world_.segments) {
      code_base_ = g_.one_in(2) ? 0 : g_.one_in(2) ? 0x800 : 0x123;
      if (g_.one_in(3)) limit = place_.first - code_base_ + g_.below(place_.length + 16);
    }
    (void)descriptor(kProgramCode, code_base_, limit, static_cast<u8>(0x9B | level), world_.code32);
    code_selector_ = static_cast<u16>(kProgramCode | ring);
    for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
      if (name == kCs || world_.virtual86) continue;
      const u16 selector = static_cast<u16>((kFirstData + name * 8) | ring);
      const Segment segment = data_segment(name, selector, level);
      if (name == kSs) stack_selector_ = selector;
      data_selectors_[name] = selector;
      if (name != kSs || !world_.user) state.segment[name] = segment;
      // Of flat worlds mostly flat ones.
      for (u32 times = world_.segments ? 1 : 3; times != 0 && name != kSs; --times) selectors_.push_back(selector);
      if (name == kSs) stacks_.push_back(selector);
    }
    more_descriptors(level, ring);
    constexpr u64 kGate = u64{0xEC00} << 32 | u64{CpuTestMachine::kHandler & 0xFFFF} | u64{8} << 16 |
                          u64{CpuTestMachine::kHandler >> 16} << 48;
    m_.poke<u64>(CpuTestMachine::kGdt + kCallGate, kGate);
    state.gdtr.limit = kCallGate + 7;
    state.segment[kTr] = descriptor(kTssSelector, kTss, 0x67, 0x8B, false);
    m_.poke<u32>(kTss + 4, kSystemStack);
    m_.poke<u16>(kTss + 8, 0x10);
  }

  // Segments that only loads bring in.
  void more_descriptors(u8 level, u16 ring) {
    const u32 whole = world_.code32 && g_.one_in(2) ? 0xFFFFFFFF : 0xFFFF;
    for (u16 selector = kMoreData; selector < kMoreDataEnd; selector = static_cast<u16>(selector + 8)) {
      static constexpr u32 kBases[] = {0, 0, 0x10, 0x100, 0x3001, 0x1000};
      static constexpr u32 kLimits[] = {0xFFFF, 0x2FFF, 0x3002, 0xFFFEF, 0xFFFFFFFF};
      static constexpr u8 kKinds[] = {0x93, 0x92, 0x93, 0x91, 0x97, 0x9B, 0x13};  // 13h: not present
      const u8 kind = kKinds[g_.below(g_.one_in(2) ? 3 : 7)];
      const u32 base = g_.one_in(2) ? 0x8000 + g_.below(0x8000) * 16 : kBases[g_.below(6)];
      (void)descriptor(selector, base, g_.one_in(2) ? whole : kLimits[g_.below(5)], static_cast<u8>(kind | level),
                       g_.one_in(2));
      if (!world_.virtual86) selectors_.push_back(selector | ring);
    }
    if (!world_.virtual86 && g_.one_in(2)) selectors_.push_back(g_.below(4) & 0xFFFF);
  }

  // Every exception leads here: ESP, ECX, EBX, ESI and EBP are set, and IRET goes on at another instruction.
  void handler() {
    const u32 stack = world_.user ? kSystemStack : kStack, counter = world_.user ? kSystemCounter : kCounter;
    Code code;
    if (!world_.virtual86) {
      for (const unsigned name : {kEs, kDs, kFs, kGs}) code.raw({0x68}).number(data_selectors_[name]);
      code.raw({0x0F, 0xA9, 0x0F, 0xA1, 0x1F, 0x07});
    }
    code.raw({0xDB, 0xE2, 0xBC}).number(stack).raw({0x36, 0xFF, 0x05}).number(counter);
    code.raw({0x36, 0x8B, 0x0D}).number(counter).raw({0x83, 0xE1, kEntries - 1});
    code.raw({0xBB}).number(0x2800).raw({0xBE}).number(0x3000).raw({0xBD}).number(0x7F00);
    if (world_.virtual86) {
      for (const unsigned name : {kGs, kFs, kDs, kEs}) code.raw({0x68}).number(name * 0x10);
    }
    if (world_.user)
      code.raw({0x68}).number(world_.virtual86 ? kSs * 0x10u : stack_selector_).raw({0x68}).number(kStack);
    const u32 privileges = world_.virtual86 && g_.one_in(2) ? 0x3000 : 0;
    const u32 alignment = world_.aligned && !g_.one_in(4) ? u32{kAC} : 0;
    code.raw({0x68}).number(2 | privileges | alignment | (world_.virtual86 ? 0x20000u : 0u));
    code.raw({0x68}).number(world_.virtual86 ? 0 : code_selector_);
    code.raw({0x2E, 0xFF, 0x34, 0x8D}).number(kTable).raw({0xCF});
    m_.write(CpuTestMachine::kHandler, code.bytes);
    for (u32 i = 0; i < kEntries; ++i) m_.poke<u32>(kTable + i * 4, entry(i));
    m_.poke<u32>(counter, 0);
  }

  void pages() {
    constexpr u32 kPresent = 1, kWritable = 2, kUser = 4;
    std::vector<u32> low(1024), high(1024), directory(1024);
    for (u32 page = 0; page < 1024; ++page) {
      low[page] = page << 12 | kPresent | kWritable | kUser;
      high[page] = (page << 12 | 0xC00000) | kPresent | kWritable;
    }
    directory[0] = kLowPages | kPresent | kWritable | kUser;
    directory[3] = kHighPages | kPresent | kWritable | kUser;
    // Pages of the data: missing, read-only, the supervisor's, or another page again; 5000h shows the program.
    for (u32 page = 2; page < 7; ++page) {
      switch (g_.below(8)) {
        case 0: low[page] = 0; break;
        case 1: low[page] &= ~kWritable; break;
        case 2: low[page] &= ~kUser; break;
        case 3: low[page] = g_.below(8) << 12 | kPresent | kWritable | kUser; break;
        default: break;
      }
    }
    if (g_.one_in(2)) low[5] = (place_.first & ~0xFFFu) | kPresent | kWritable | kUser;
    const auto write = [&](u32 at, const std::vector<u32>& table) {
      m_.write(at, {reinterpret_cast<const u8*>(table.data()), table.size() * 4});
    };
    write(kDirectory, directory);
    write(kLowPages, low);
    write(kHighPages, high);
    CpuState& state = m_.state();
    state.cr3 = kDirectory;
    state.cr0 |= 1u << 31 | (g_.one_in(2) ? 1u << 16 : 0u);
    m_.cpu().update_mode();
    (void)m_.cpu().mmu().load_cr3(kDirectory);
  }

  void registers() {
    CpuState& state = m_.state();
    state.cr0 &= ~u64{0xC};  // TS, EM
    if (g_.one_in(12)) state.cr0 |= 8;
    if (world_.aligned && !g_.one_in(4)) state.cr0 |= 1u << 18;  // AM
    state.cr0 |= g_.one_in(2) ? 0x20 : 0;                        // NE
    state.cr4 |= 1u << 9 | (g_.one_in(2) ? 1u << 10 : 0u);       // OSFXSR, OSXMMEXCPT
    if (!g_.one_in(4)) {
      constexpr u64 kSseStates = 3, kAvxStates = 7;
      state.cr4 |= kCr4OsXsave;
      state.xcr0 = g_.one_in(8) ? kSseStates : kAvxStates;
      for (FxState::Slot& slot : state.ymm_high) {
        const bool used = g_.one_in(3);
        for (u8& byte : slot.bytes) byte = used ? static_cast<u8>(g_.number()) : u8{0};
      }
    }
    for (const Gpr name : {kEax, kEdx, kEdi}) m_.reg(name) = g_.value();
    FxState& fx = state.fx;
    const bool unmasked = group_.unmasked || g_.one_in(4);
    fx.control = static_cast<u16>(0x40 | (unmasked ? g_.below(64) : 0x3F) | g_.below(16) << 8);
    fx.status = static_cast<u16>(g_.below(8) << 11);
    fx.tags = static_cast<u8>(g_.number());
    fx.mxcsr = (unmasked ? g_.below(64) << 7 : 0x1F80) | g_.below(4) << 13 | (g_.one_in(4) ? 0x8040 : 0);
    for (FxState::Slot& slot : fx.st) {
      const u64 mantissa = u64{g_.value()} << 32 | g_.value() | (g_.one_in(8) ? 0 : u64{1} << 63);
      const u16 exponent = static_cast<u16>(g_.one_in(4) ? g_.value() : 0x3FF0 + g_.below(32) + (g_.below(2) << 15));
      std::memcpy(slot.bytes, &mantissa, 8);
      std::memcpy(slot.bytes + 8, &exponent, 2);
    }
    for (unsigned i = 0; i < 8; ++i) {
      for (unsigned part = 0; part < 4; ++part) {
        const u32 word = g_.one_in(3) ? g_.value() : 0x3F800000 + g_.below(0x1000000);
        std::memcpy(fx.xmm[i].bytes + part * 4, &word, 4);
      }
    }
  }

  CpuTestMachine& m_;
  const World& world_;
  const Group& group_;
  ProgramGenerator g_, program_;
  Place place_;
  u32 code_base_ = 0;
  u16 code_selector_ = 0, stack_selector_ = 0;
  u16 data_selectors_[kSegmentRegisters] = {};
  std::vector<u16> selectors_, stacks_;
};

}  // namespace

std::span<const World> worlds() { return kWorlds; }
std::span<const Group> groups() { return kGroups; }

Place prepare(CpuTestMachine& machine, const World& world, const Group& group, u64 seed) {
  return Builder(machine, world, group, seed).build();
}

}  // namespace relic86
