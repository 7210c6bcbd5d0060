#include "tests/native64/emulated_runner.h"

#include <cstring>

#include "build_features.h"
#include "cpu/long_mode.h"
#include "cpu/vendor_behaviour.h"
#ifdef RELIC86_JIT
#include "jit/translator.h"
#endif
#include "tests/native64/stub.h"

namespace relic86::native64 {

namespace {

constexpr u32 kRoot = 0xE00000, kPdpt = 0xE01000, kHighPdpt = 0xE02000, kDirectory = 0xE03000, kTable = 0xE04000,
              kHighDirectory = 0xE05000, kHighTable = 0xE06000;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kUsed = 0x60, kNoExecute = u64{1} << 63;
constexpr u64 kBudget = 200'000;
constexpr u8 kHalt = 0xF4;
// What the processor itself needs lies where the host has its stub: cases that meet it are not compared. Physical;
// linear addresses are kSystem higher.
constexpr u32 kSystemTable = 0xE07000, kSystemDirectory = 0xE08000;
constexpr u32 kTss = 0xF03000, kRing0Stack = 0xF05000;
constexpr u32 kSystemFirst = CpuTestMachine::kGdt, kSystemPages = 6, kSystem = kStub + 0x3000 - kSystemFirst;
static_assert(kSystem + kSystemFirst + kSystemPages * 0x1000 <= kStub + kStubSize);
constexpr u16 kRing0Code = 0x10, kTssSelector = 0x40;

}  // namespace

CpuModel emulated_model(const native::Processor& processor) {
  CpuModel model = processor.emulated();
  model.instructions |= feature_bit(Feature::Syscall) | feature_bit(Feature::Cmpxchg16b) | feature_bit(Feature::Lahf64);
  return model;
}

EmulatedRunner::EmulatedRunner(Engine engine, const native::Processor& processor)
    : machine_(std::make_unique<CpuTestMachine>(emulated_model(processor))),
      decoding_(VendorDecoding::of(machine_->cpu().vendor())) {
  for (u32 i = 0; i < kDataSize; ++i) background_[i] = native::background(kData + i);
  machine_->flat32();
  machine_->write(kCode, std::vector<u8>(kCodeSize, kHalt));
  build_tables();
  build_system();
  u8* const data = machine_->bus().store().host(BackingOffset(kData));
  std::memcpy(data, background_.data(), kDataSize);
  area_ = std::make_unique<native::DataArea>(data, background_.data());
#ifdef RELIC86_JIT
  if (engine == Engine::Translator) {
    jit::TranslatorOptions options;
    options.threshold = 0;
    options.regions = true;
    options.region_threshold = 0;
    translator_ = std::make_unique<jit::Translator>(machine_->cpu(), machine_->bus(), options);
  }
#else
  (void)engine;
#endif
}

void EmulatedRunner::build_tables() {
  CpuTestMachine& m = *machine_;
  constexpr u64 kPass = kPresent | kWritable | kUser | kUsed;
  m.poke<u64>(kRoot, kPdpt | kPass);
  m.poke<u64>(kRoot + (kHigh >> 39 & 511) * 8, kHighPdpt | kPass);
  m.poke<u64>(kPdpt, kDirectory | kPass);
  m.poke<u64>(kHighPdpt + (kHigh >> 30 & 511) * 8, kHighDirectory | kPass);
  m.poke<u64>(kDirectory + 2 * 8, kTable | kPass);
  m.poke<u64>(kHighDirectory + 2 * 8, kHighTable | kPass);
  const auto page = [&](u32 table, u32 address, u64 bits) {
    m.poke<u64>(table + (address >> 12 & 511) * 8, address | kPresent | kUser | kUsed | bits);
  };
  for (u32 at = kCode; at < kCode + kCodeSize; at += 0x1000) page(kTable, at, 0);
  for (const u32 table : {kTable, kHighTable}) {
    for (u32 at = kData; at < kData + kDataSize; at += 0x1000) page(table, at, kWritable | kNoExecute);
    page(table, kReadOnly, kNoExecute);
  }
  for (u32 i = 0; i < 0x1000; ++i) m.poke<u8>(kReadOnly + i, native::background(kReadOnly + i));
  CpuState& s = m.state();
  constexpr u32 kCr0 = 0x80050033;                         // PG AM WP NE ET MP PE
  constexpr u32 kPae = 1u << 5, kOs = 3u << 9 | 1u << 18;  // OSFXSR, OSXMMEXCPT, OSXSAVE
  s.cr3 = kRoot;
  s.cr4 = kPae | kOs;
  s.efer = kEferLme | kEferLma | kEferNxe;
  s.cr0 = kCr0;
  s.xcr0 = 7;  // x87, SSE, AVX
  for (unsigned name = 0; name < kSegmentRegisters; ++name) {
    Segment& segment = s.segment[name];
    segment.base = name == kFs ? kFsBase : name == kGs ? kGsBase : 0;
    segment.attributes = name == kCs ? 0xA0FB : 0xC0F3;
    segment.selector = Selector(name == kCs ? kCodeSelector : name == kSs ? kStackSelector : u16{0});
  }
  m.cpu().update_mode();
  (void)m.cpu().mmu().load_cr3(kRoot);
  user_ = {s.segment[kCs], s.segment[kSs]};
}

// Vector n leads to a HLT at kHandler + n, in ring 0. As on Linux, INT3 is open to ring 3.
void EmulatedRunner::build_system() {
  CpuTestMachine& m = *machine_;
  CpuState& s = m.state();
  m.poke<u64>(kPdpt + (kStub >> 30) * 8, kSystemDirectory | kPresent | kWritable | kUsed);
  m.poke<u64>(kSystemDirectory + (kStub >> 21 & 511) * 8, kSystemTable | kPresent | kWritable | kUsed);
  for (u32 at = kSystemFirst; at < kSystemFirst + kSystemPages * 0x1000; at += 0x1000)
    m.poke<u64>(kSystemTable + ((at + kSystem) >> 12 & 511) * 8, at | kPresent | kWritable | kUsed);
  for (u32 vector = 0; vector < 256; ++vector) {
    const u32 handler = CpuTestMachine::kHandler + vector;
    const u64 linear = handler + kSystem;
    const u64 access = vector == 3 ? 0xEE00 : 0x8E00;
    m.poke<u64>(CpuTestMachine::kIdt + vector * 16,
                (linear >> 16 & 0xFFFF) << 48 | access << 32 | u64{kRing0Code} << 16 | (linear & 0xFFFF));
    m.poke<u64>(CpuTestMachine::kIdt + vector * 16 + 8, linear >> 32);
    m.poke<u8>(handler, kHalt);
  }
  m.poke<u64>(CpuTestMachine::kGdt + kRing0Code, 0x00AF9B000000FFFF);
  m.poke<u64>(CpuTestMachine::kGdt + (kCodeSelector & ~7u), 0x00AFFB000000FFFF);
  m.poke<u64>(CpuTestMachine::kGdt + (kStackSelector & ~7u), 0x00CFF3000000FFFF);
  m.poke<u64>(kTss + 4, kRing0Stack + kSystem);
  m.poke<u16>(kTss + 0x66, 0x68);  // no I/O permission map
  s.gdtr = {CpuTestMachine::kGdt + kSystem, 0x7F};
  s.idtr = {CpuTestMachine::kIdt + kSystem, 0xFFF};
  Segment& task = s.segment[kTr];
  task.selector = Selector(kTssSelector);
  task.base = kTss + kSystem;
  task.limit = 0x67;
  task.attributes = 0x8B;
}

void EmulatedRunner::place(const GuestCode& code) { machine_->write(kCode + code.slot * kSlotSize, code.bytes); }

void EmulatedRunner::load(const CaseInput& input) {
  Cpu& cpu = machine_->cpu();
  CpuState& s = cpu.state();
  area_->fill(input.window);
  s.halted = s.shutdown = false;
  s.pending = 0;
  s.shadow = 0;
  // The last case ended in ring 0.
  for (const SegmentName name : {kCs, kSs}) s.segment[name] = user_[name == kSs ? 1 : 0];
  for (unsigned i = 0; i < kRegisters; ++i) s.gpr[i] = input.gpr[i];
  s.rip = input.rip;
  if (input.units) std::memcpy(static_cast<void*>(&s.fx), &input.fx, sizeof s.fx);
  if (input.vectors) std::memcpy(s.ymm_high.data(), input.ymm_high, sizeof input.ymm_high);
  s.fx.mxcsr_mask = 0xFFFF;
  cpu.set_eflags(static_cast<u32>(input.rflags));
  cpu.update_mode();
  cpu.update_access_checks();
}

// What the handler finds on its stack, and in CR2.
void EmulatedRunner::take_fault(const GuestCode& code, CaseResult& result) {
  CpuState& s = machine_->state();
  result.vector = static_cast<u32>(s.rip) - kSystem - CpuTestMachine::kHandler - 1;
  u64 frame[6];
  const u32 stack = static_cast<u32>(s.gpr[kEsp]) - kSystem;
  std::memcpy(frame, machine_->bus().store().host(BackingOffset(stack)), sizeof frame);
  const bool coded = stack == kRing0Stack - sizeof frame;
  const u64* const rest = frame + (coded ? 1 : 0);
  result.error_code = coded ? static_cast<u32>(frame[0]) : 0;
  result.rip = rest[0];
  result.rflags = rest[2];
  result.gpr[kEsp] = rest[3];
  result.cr2 = result.vector == 14 ? s.cr2 : 0;
  // The jump that ends a case reads its target from a page that is the host's alone.
  if (result.vector != 14 || result.rip != code.end || result.cr2 != kLeavePointer) return;
  constexpr u64 kResume = 0x10000;
  result.vector = kCompleted;
  result.rip = result.cr2 = 0;
  result.error_code = 0;
  result.rflags &= ~kResume;
}

void EmulatedRunner::run(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  load(input);
  CpuTestMachine& m = *machine_;
  CpuState& s = m.state();
  const ExitReason reason = translator_ ? translator_->run(kBudget) : m.run(kBudget);
  for (unsigned i = 0; i < kRegisters; ++i) result.gpr[i] = s.gpr[i];
  if (input.units) std::memcpy(&result.fx, &s.fx, sizeof s.fx);
  if (input.vectors) std::memcpy(result.ymm_high, s.ymm_high.data(), sizeof result.ymm_high);
  if (reason == ExitReason::Halted) {
    take_fault(code, result);
  } else {
    result.rflags = m.cpu().eflags();
    result.rip = s.rip;
    result.vector = kHung;
    result.error_code = 0;
    result.cr2 = 0;
  }
  area_->take(result);
}

}  // namespace relic86::native64
