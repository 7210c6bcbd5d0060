#include "tests/native/emulated_runner.h"

#include <cstring>

#include "build_features.h"
#include "cpu/segmentation.h"
#ifdef RELIC86_JIT
#include "jit/translator.h"
#endif

namespace relic86::native {

namespace {

constexpr u32 kPdpt = 0xE00000, kDirectory = 0xE01000, kTable = 0xE02000;
constexpr u32 kSystemDirectory = 0xE03000, kSystemTable = 0xE04000;
// Physical; linear addresses are kSystem higher.
constexpr u32 kTss = 0xF03000, kRing0Stack = 0xF05000, kLdtTable = 0xF06000;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kUsed = 0x60, kNoExecute = u64{1} << 63;
constexpr u16 kRing0Code = 0x10, kRing0Data = 0x18, kTssSelector = 0x40, kLdtSelector = 0x50;
constexpr u64 kBudget = 200'000;
constexpr u32 kSystemFirst = CpuTestMachine::kGdt, kSystemPages = 7, kSystem = kStub + 0x3000 - kSystemFirst;
static_assert(kSystem + kSystemFirst + kSystemPages * 0x1000 <= kStub + kStubSize);

u64 descriptor(u32 base, u32 limit, u8 type, u8 flags) {
  return (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 | u64{type} << 40 | u64{limit >> 16 & 15} << 48 |
         u64{flags} << 52 | u64{base >> 24} << 56;
}

u64 ldt_descriptor(const LdtEntry& entry) {
  u8 type = entry.code ? 0xFB : 0xF3;
  if (entry.expand_down) type |= 4;
  if (entry.read_only) type &= 0xFD;
  if (entry.absent) type &= 0x7F;
  return descriptor(entry.base, entry.limit, type, static_cast<u8>((entry.pages ? 8 : 0) | (entry.wide ? 4 : 0)));
}

}  // namespace

EmulatedRunner::EmulatedRunner([[maybe_unused]] Engine engine, const Processor& processor, const HostUnits& host_units)
    : machine_(std::make_unique<CpuTestMachine>(processor.emulated(), host_units)) {
  for (u32 i = 0; i < kDataSize; ++i) background_[i] = background(kData + i);
  machine_->flat32();
  build_tables();
  build_segments();
  u8* const data = machine_->bus().store().host(BackingOffset(kData));
  std::memcpy(data, background_.data(), kDataSize);
  area_ = std::make_unique<DataArea>(data, background_.data());
#ifdef RELIC86_JIT
  if (engine == Engine::Translator) {
    jit::TranslatorOptions options;
    options.threshold = 0;
    options.regions = true;
    options.region_threshold = 0;
    translator_ = std::make_unique<jit::Translator>(machine_->cpu(), machine_->bus(), options);
  }
#endif
}

EmulatedRunner::~EmulatedRunner() = default;

void EmulatedRunner::build_tables() {
  CpuTestMachine& m = *machine_;
  m.poke<u64>(kPdpt, kDirectory | kPresent);
  m.poke<u64>(kDirectory + 2 * 8, kTable | kPresent | kWritable | kUser | kUsed);
  m.poke<u64>(kPdpt + (kStub >> 30) * 8, kSystemDirectory | kPresent);
  m.poke<u64>(kSystemDirectory + (kStub >> 21 & 511) * 8, kSystemTable | kPresent | kWritable | kUsed);
  for (u32 at = kSystemFirst; at < kSystemFirst + kSystemPages * 0x1000; at += 0x1000) {
    m.poke<u64>(kSystemTable + ((at + kSystem) >> 12 & 511) * 8, at | kPresent | kWritable | kUsed);
  }
  const auto page = [&](u32 address, u64 bits) {
    m.poke<u64>(kTable + (address >> 12 & 511) * 8, address | kPresent | kUser | kUsed | bits);
  };
  for (u32 at = kCode; at < kCode + kCodeSize; at += 0x1000) page(at, 0);
  for (u32 at = kData; at < kData + kDataSize; at += 0x1000) page(at, kWritable | kNoExecute);
  page(kReadOnly, kNoExecute);
  for (u32 i = 0; i < 0x1000; ++i) m.poke<u8>(kReadOnly + i, background(kReadOnly + i));
  // Vector n leads to a HLT at kHandler + n. As on Linux, INT3 and INTO are open to ring 3.
  for (u32 vector = 0; vector < 256; ++vector) {
    const u32 handler = CpuTestMachine::kHandler + vector;
    const u32 linear = handler + kSystem;
    const u64 access = vector == 3 || vector == 4 ? 0xEE00 : 0x8E00;
    m.poke<u64>(CpuTestMachine::kIdt + vector * 8,
                u64{linear >> 16} << 48 | access << 32 | u64{kRing0Code} << 16 | (linear & 0xFFFF));
    m.poke<u8>(handler, 0xF4);
  }
  const u32 gdt = CpuTestMachine::kGdt;
  m.poke<u64>(gdt + kRing0Code, descriptor(0, 0xFFFFF, 0x9B, 0xC));
  m.poke<u64>(gdt + kRing0Data, descriptor(0, 0xFFFFF, 0x93, 0xC));
  m.poke<u64>(gdt + (kCode32 & ~7u), descriptor(0, 0xFFFFF, 0xFB, 0xC));
  m.poke<u64>(gdt + (kFlat & ~7u), descriptor(0, 0xFFFFF, 0xF3, 0xC));
  m.poke<u64>(gdt + kTssSelector, descriptor(kTss + kSystem, 0x67, 0x8B, 0));
  m.poke<u64>(gdt + kLdtSelector, descriptor(kLdtTable + kSystem, kLdtCount * 8 - 1, 0x82, 0));
  for (const LdtEntry& entry : kLdtEntries) m.poke<u64>(kLdtTable + entry.index * 8, ldt_descriptor(entry));
  m.poke<u32>(kTss + 4, kRing0Stack + kSystem);
  m.poke<u16>(kTss + 8, kRing0Data);
  m.poke<u16>(kTss + 0x66, 0x68);  // no I/O permission map
}

void EmulatedRunner::build_segments() {
  CpuTestMachine& m = *machine_;
  CpuState& s = m.state();
  constexpr u32 kCr0 = 0x80050033;                         // PG AM WP NE ET MP PE
  constexpr u32 kPae = 1u << 5, kOs = 3u << 9 | 1u << 18;  // OSFXSR, OSXMMEXCPT, OSXSAVE
  s.gdtr = {CpuTestMachine::kGdt + kSystem, 0x7F};
  s.idtr = {CpuTestMachine::kIdt + kSystem, 0x7FF};
  s.cr3 = kPdpt;
  s.cr4 = kPae | kOs;
  s.xcr0 = 7;          // x87, SSE, AVX
  s.efer |= 1u << 11;  // NXE
  s.cr0 = kCr0;
  const auto load = [&](SegmentName name, u16 selector, u64 bits) {
    set_segment(m.cpu(), name, Selector(selector), Descriptor{static_cast<u32>(bits), static_cast<u32>(bits >> 32)});
  };
  load(kTr, kTssSelector, m.peek<u64>(CpuTestMachine::kGdt + kTssSelector));
  load(kLdtr, kLdtSelector, m.peek<u64>(CpuTestMachine::kGdt + kLdtSelector));
  for (Segment& segment : by_selector_) segment = Segment{};
  const auto keep = [&](u16 selector, u64 bits) {
    load(kGs, selector, bits);
    by_selector_[selector >> 2] = s.segment[kGs];
  };
  keep(kCode32, m.peek<u64>(CpuTestMachine::kGdt + (kCode32 & ~7u)));
  keep(kFlat, m.peek<u64>(CpuTestMachine::kGdt + (kFlat & ~7u)));
  for (const LdtEntry& entry : kLdtEntries) keep(static_cast<u16>(entry.index * 8 + 7), ldt_descriptor(entry));
  set_segment_null(m.cpu(), kGs, Selector(0));
  by_selector_[0] = s.segment[kGs];
  m.cpu().update_mode();
  (void)m.cpu().mmu().load_cr3(kPdpt);
}

void EmulatedRunner::write_code(u32 offset, std::span<const u8> bytes) { machine_->write(kCode + offset, bytes); }

void EmulatedRunner::load(const CaseInput& input) {
  Cpu& cpu = machine_->cpu();
  CpuState& s = cpu.state();
  area_->fill(input.window);
  s.halted = false;
  s.shutdown = false;
  s.pending = 0;
  s.shadow = 0;
  for (unsigned i = 0; i < 8; ++i) s.gpr[i] = input.gpr[i];
  s.rip = input.eip;
  for (unsigned slot = 0; slot < kSlotCount; ++slot) {
    s.segment[slot] = by_selector_[(input.segment[slot] >> 2) & 63];
    s.segment[slot].selector = Selector(input.segment[slot]);
  }
  if (input.units) std::memcpy(static_cast<void*>(&s.fx), &input.fx, sizeof s.fx);
  if (input.vectors) std::memcpy(s.ymm_high.data(), input.ymm_high, sizeof input.ymm_high);
  s.fx.mxcsr_mask = 0xFFFF;
  cpu.set_eflags(input.eflags);
  cpu.update_mode();
  cpu.update_access_checks();
}

void EmulatedRunner::run(const CaseInput& input, CaseResult& result) {
  load(input);
  CpuTestMachine& m = *machine_;
  const ExitReason reason = translator_ ? translator_->run(kBudget) : m.run(kBudget);
  CpuState& s = m.state();
  if (input.units) std::memcpy(&result.fx, &s.fx, sizeof s.fx);
  if (input.vectors) std::memcpy(result.ymm_high, s.ymm_high.data(), sizeof result.ymm_high);
  for (unsigned i = 0; i < 8; ++i) result.gpr[i] = s.gpr32(i);
  for (unsigned slot = 0; slot < kSlotCount; ++slot) result.segment[slot] = s.segment[slot].selector.raw;
  if (reason == ExitReason::Halted) {
    take_fault(result);
  } else {
    result.eflags = m.cpu().eflags();
    result.eip = s.eip();
    result.vector = kHung;
    result.error_code = result.cr2 = 0;
  }
  area_->take(result);
}

// What the handler finds on its stack, and in CR2.
void EmulatedRunner::take_fault(CaseResult& result) {
  CpuState& s = machine_->state();
  result.vector = s.eip() - kSystem - CpuTestMachine::kHandler - 1;
  u32 frame[6];
  const u32 stack = s.gpr32(kEsp) - kSystem;
  std::memcpy(frame, machine_->bus().store().host(BackingOffset(stack)), sizeof frame);
  const bool coded = stack == kRing0Stack - 24;
  result.error_code = coded ? frame[0] : 0;
  const u32* const rest = frame + (coded ? 1 : 0);
  result.eip = rest[0];
  result.segment[kSlotCs] = static_cast<u16>(rest[1]);
  result.eflags = rest[2];
  result.gpr[kEsp] = rest[3];
  result.segment[kSlotSs] = static_cast<u16>(rest[4]);
  result.cr2 = result.vector == 14 ? static_cast<u32>(s.cr2) : 0;
}

std::string EmulatedRunner::engine_text() const { return translator_ ? translator_->describe() : std::string(); }

}  // namespace relic86::native
