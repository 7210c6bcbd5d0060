#include "tests/native64/emulated_runner.h"

#include <cstring>

#include "cpu/vendor_behaviour.h"

namespace relic86::native64 {

namespace {

constexpr u32 kPdpt = 0xE00000, kDirectory = 0xE01000, kTable = 0xE02000;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kUsed = 0x60, kNoExecute = u64{1} << 63;
constexpr u64 kBudget = 200'000;

}  // namespace

CpuModel emulated_model(const native::Processor& processor) {
  CpuModel model = processor.emulated();
  model.instructions |= feature_bit(Feature::Syscall) | feature_bit(Feature::Cmpxchg16b) | feature_bit(Feature::Lahf64);
  return model;
}

EmulatedRunner::EmulatedRunner(const native::Processor& processor)
    : machine_(std::make_unique<CpuTestMachine>(emulated_model(processor))),
      narrow_(machine_->cpu().vendor().narrows_near_branches ? NarrowBranches::With66 : NarrowBranches::Never),
      decoder_(machine_->cpu().model().instructions, Decoder::Reading::CommonHere, narrow_) {
  for (u32 i = 0; i < kDataSize; ++i) background_[i] = native::background(kData + i);
  machine_->flat32();
  build_tables();
  u8* const data = machine_->bus().store().host(BackingOffset(kData));
  std::memcpy(data, background_.data(), kDataSize);
  area_ = std::make_unique<native::DataArea>(data, background_.data());
}

void EmulatedRunner::build_tables() {
  CpuTestMachine& m = *machine_;
  m.poke<u64>(kPdpt, kDirectory | kPresent);
  m.poke<u64>(kDirectory + 2 * 8, kTable | kPresent | kWritable | kUser | kUsed);
  const auto page = [&](u32 address, u64 bits) {
    m.poke<u64>(kTable + (address >> 12 & 511) * 8, address | kPresent | kUser | kUsed | bits);
  };
  for (u32 at = kCode; at < kCode + kCodeSize; at += 0x1000) page(at, 0);
  for (u32 at = kData; at < kData + kDataSize; at += 0x1000) page(at, kWritable | kNoExecute);
  page(kReadOnly, kNoExecute);
  for (u32 i = 0; i < 0x1000; ++i) m.poke<u8>(kReadOnly + i, native::background(kReadOnly + i));
  CpuState& s = m.state();
  constexpr u32 kCr0 = 0x80050033;              // PG AM WP NE ET MP PE
  constexpr u32 kPae = 1u << 5, kOs = 3u << 9;  // OSFXSR, OSXMMEXCPT
  s.cr3 = kPdpt;
  s.cr4 = kPae | kOs;
  s.efer |= 1u << 11;  // NXE
  s.cr0 = kCr0;
  for (unsigned name = 0; name < kSegmentRegisters; ++name) {
    Segment& segment = s.segment[name];
    segment.base = name == kFs ? kFsBase : name == kGs ? kGsBase : 0;
    segment.attributes = name == kCs ? 0xA0FB : 0xC0F3;
    segment.selector = Selector(name == kCs ? kCodeSelector : name == kSs ? kStackSelector : u16{0});
  }
  m.cpu().update_mode();
  (void)m.cpu().mmu().load_cr3(kPdpt);
}

void EmulatedRunner::write_code(u32 offset, std::span<const u8> bytes) { machine_->write(kCode + offset, bytes); }

void EmulatedRunner::load(const CaseInput& input) {
  Cpu& cpu = machine_->cpu();
  CpuState& s = cpu.state();
  area_->fill(input.window);
  s.pending = 0;
  s.shadow = 0;
  for (unsigned i = 0; i < kRegisters; ++i) s.gpr[i] = input.gpr[i];
  s.rip = input.rip;
  if (input.units) std::memcpy(static_cast<void*>(&s.fx), &input.fx, sizeof s.fx);
  s.fx.mxcsr_mask = 0xFFFF;
  cpu.set_eflags(static_cast<u32>(input.rflags));
  cpu.update_mode();
  s.mode.long_mode = s.mode.code64 = s.mode.code32 = s.mode.stack32 = true;
  cpu.update_access_checks();
}

bool EmulatedRunner::step() {
  Cpu& cpu = machine_->cpu();
  CpuState& s = cpu.state();
  Mmu::CodePage page;
  if (!cpu.mmu().fetch_page(LinAddr(s.rip), Privilege::User, page)) {
    cpu.raise_page_fault(cpu.mmu().fault());
    return false;
  }
  const u64 in_page = s.rip & (kPageSize - 1);
  Insn insn;
  if (!decoder_.decode({page.host + in_page, kPageSize - in_page}, CodeSize::Bits64, insn)) {
    cpu.raise(Vector::GeneralProtection, 0);  // no case is laid out over the end of a page
    return false;
  }
  const Flow flow = insn.handler(cpu, insn);
  if (flow == Flow::Next || flow == Flow::Stop) s.rip += insn.length;
  return flow != Flow::Fault;
}

void EmulatedRunner::run(const GuestCode& code, const CaseInput& input, CaseResult& result) {
  load(input);
  Cpu& cpu = machine_->cpu();
  CpuState& s = cpu.state();
  cpu.begin_slice(kBudget);
  result.vector = kHung;
  result.error_code = 0;
  result.cr2 = 0;
  for (u64 steps = 0; steps < kBudget; ++steps) {
    if (s.rip == code.end) {
      result.vector = kCompleted;
      break;
    }
    if (step()) continue;
    const Fault& fault = cpu.fault();
    result.vector = static_cast<u32>(fault.vector);
    if (has_error_code(fault.vector)) result.error_code = fault.error_code;
    if (fault.vector == Vector::PageFault) result.cr2 = fault.address.raw;
    break;
  }
  result.rip = result.vector == kCompleted ? 0 : s.rip;
  // INT3 and the traps of its kind are reported after the instruction.
  result.rflags = cpu.eflags();
  if (input.units) std::memcpy(&result.fx, &s.fx, sizeof s.fx);
  for (unsigned i = 0; i < kRegisters; ++i) result.gpr[i] = s.gpr[i];
  area_->take(result);
}

}  // namespace relic86::native64
