#include "tests/jit/random/block_runner.h"

#include <cstring>

#include "base/assert.h"
#include "cpu/canonical.h"
#include "jit/analyse/page_plan.h"
#include "jit/runtime/engine_area.h"
#include "jit/runtime/exit_state.h"
#include "jit/runtime/lookup_table.h"
#include "tests/jit/random/numbers.h"

namespace relic86::jit {

namespace {

constexpr u32 kModeNumber = 1;  // of whatever mode blocks are compiled for

constexpr u64 kCodeBytes = 4u << 20;

BlockRunner& runner(void* context) { return *static_cast<BlockRunner*>(context); }
const ExitPoint& exit_of(void* exit) { return *static_cast<const ExitPoint*>(exit); }

}  // namespace

BlockRunner::BlockRunner(const char* model) : machine_(model), cache_(kCodeBytes) {
  x64::Helpers helpers;
  helpers.context = this;
  helpers.load = &load;
  helpers.store = &store;
  helpers.probe = &probe;
  helpers.touch = &touch;
  helpers.depart = &depart;
  helpers.flatten = &flatten;
  helpers.cold = helpers.transfer = helpers.time = helpers.identify = helpers.port = helpers.ported = &unexpected;
  helpers.known = descriptors_.data();
  thunks_ = x64::make_thunks(cache_, helpers);
  RELIC86_ASSERT(thunks_.enter != nullptr);
  constexpr u32 kDefaultMxcsr = 0x1F80;
  engine_area(machine_.state()).host_mxcsr = kDefaultMxcsr;
  LookupTable(reinterpret_cast<VcpuMemory&>(machine_.state())).clear();
  reinterpret_cast<VcpuMemory&>(machine_.state()).tlb.jumps.admit(kModeNumber);
}

u64 BlockRunner::unexpected(void*, void*) {
  RELIC86_ASSERT(false);
  return 1;
}

u64 BlockRunner::load(void* context, void* point) {
  BlockRunner& self = runner(context);
  const ExitPoint& exit = exit_of(point);
  EngineArea& area = engine_area(self.machine_.state());
  Cpu& cpu = self.machine_.cpu();
  const u64 offset = self.offset_of(exit);
  return read_number(cpu, static_cast<SegmentName>(exit.segment), offset, exit.size, area.value) ? 0 : 1;
}

u64 BlockRunner::store(void* context, void* point) {
  BlockRunner& self = runner(context);
  const ExitPoint& exit = exit_of(point);
  const u64 value = engine_area(self.machine_.state()).value;
  Cpu& cpu = self.machine_.cpu();
  const u64 offset = self.offset_of(exit);
  return write_number(cpu, static_cast<SegmentName>(exit.segment), offset, exit.size, value) ? 0 : 1;
}

// Offsets from RIP count from the instruction that the exit belongs to.
u64 BlockRunner::offset_of(const ExitPoint& exit) {
  CpuState& state = machine_.state();
  if (state.mode.code64) state.rip = rip_of(state, exit.eip);
  return access_offset(machine_.cpu(), exit);
}

// The linear address of an access that its segment allows.
bool BlockRunner::locate(const ExitPoint& exit, LinAddr& linear) {
  const u64 offset = offset_of(exit);
  const Segment& segment = machine_.state().segment[exit.segment];
  if (!machine_.state().mode.code64) {
    if (offset + exit.size > segment.write_end) return false;
    linear = LinAddr(static_cast<u32>(segment.base + offset));
    return true;
  }
  linear = machine_.cpu().linear_address(static_cast<SegmentName>(exit.segment), offset);
  const LinearWidth& width = machine_.state().linear;
  return width.canonical(offset) && width.canonical(linear.raw, exit.size);
}

// Only a page of RAM gets an entry that the access may use; else the block is left before the instruction.
u64 BlockRunner::probe(void* context, void* point) {
  BlockRunner& self = runner(context);
  const ExitPoint& exit = exit_of(point);
  Cpu& cpu = self.machine_.cpu();
  LinAddr linear;
  if (!self.locate(exit, linear)) return 1;
  if ((linear.raw & (kPageSize - 1)) + exit.size > kPageSize) return 1;
  if (!cpu.mmu().probe_write(linear, exit.size, cpu.privilege())) return 1;
  return (cpu.mmu().tlb().write_entry(linear, cpu.privilege()) & kTlbFast) != 0 ? 0 : 1;
}

u64 BlockRunner::touch(void* context, void* point) {
  BlockRunner& self = runner(context);
  const ExitPoint& exit = exit_of(point);
  Cpu& cpu = self.machine_.cpu();
  EngineArea& area = engine_area(self.machine_.state());
  area.value = 0;
  LinAddr linear;
  if (!self.locate(exit, linear)) return 1;
  const bool good = exit.write ? cpu.mmu().probe_write(linear, exit.size, cpu.privilege())
                               : cpu.mmu().probe_read(linear, exit.size, cpu.privilege());
  if (!good) return 1;
  const Tlb& tlb = cpu.mmu().tlb();
  const u64 entry =
      exit.wants_writable ? tlb.write_entry(linear, cpu.privilege()) : tlb.read_entry(linear, cpu.privilege());
  area.value = entry & kTlbFast;
  return 0;
}

u64 BlockRunner::depart(void*, void*) { return 1; }

u64 BlockRunner::flatten(void* context, void* point) {
  BlockRunner& self = runner(context);
  settle_flags(self.machine_.cpu(), self.records_, exit_of(point));
  engine_area(self.machine_.state()).value = u64{self.machine_.state().flags.eflags()} | kFixed1 | kIF;
  return 0;
}

BlockRunner::Outcome BlockRunner::run(const GeneratedBlock& generated, const Mode& mode,
                                      const x64::EmitterOptions& options, u64 budget) {
  CpuState& state = machine_.state();
  EngineArea& area = engine_area(state);
  BlockIr ir = generated.ir;
  ir.page_offset = static_cast<u32>(state.rip % kPageSize);
  if (options.share) plan_pages(ir, mode);
  CodeBlock block;
  block.first = BackingOffset(state.rip % SmallMachine::kRam);
  Translation translation;
  translation.block = &block;
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host());
  const x64::ModeTag tag = [](const Mode&) { return LookupTable::tag_of(kModeNumber); };
  x64::Emitter emitter(code, ir, mode, translation, thunks_, tag, records_, options);
  Outcome outcome;
  if (!emitter.run()) {
    for (const u32 number : translation.flag_records) records_.remove(number);
    return outcome;
  }
  const CodeCache::Placed placed = cache_.place(code);
  RELIC86_ASSERT(placed.executable != nullptr);
  translation.code = placed.executable;
  // A branch to the block's own start closes the loop.
  for (const auto& exit : translation.exits) {
    if (exit->kind != ExitKind::Branch || !exit->linkable || exit->crosses || exit->unshared) continue;
    if (exit->eip != static_cast<i32>(block.first.raw & (kPageSize - 1))) continue;
    const bool at_once =
        !exit->lazy || (translation.lazy_entry && (translation.entry_clobbers & exit->lazy_registers) == 0);
    if (!at_once) continue;
    const u32 entry = exit->loop && translation.loop_offset != 0 ? translation.loop_offset : translation.entry_offset;
    const i32 distance = static_cast<i32>(entry) - static_cast<i32>(exit->jump_offset + 4);
    std::memcpy(placed.writable + exit->jump_offset, &distance, sizeof distance);
  }
  area.page_eip = static_cast<i64>(state.rip) - static_cast<i64>(block.first.raw & (kPageSize - 1));
  area.page_end = i64{0xFFFFFFFF};
  area.home_step = area.home_partial = 0;
  state.remaining = static_cast<i64>(budget);
  thunks_.enter(translation.entry(), &state);
  const ExitPoint& exit = *reinterpret_cast<ExitPoint*>(area.exit_point);
  settle_flags(machine_.cpu(), records_, exit);
  state.remaining += exit.undone;
  outcome.executed = budget - static_cast<u64>(state.remaining);
  outcome.kind = exit.kind == ExitKind::Branch && !exit.unshared ? Outcome::Gone
                 : exit.kind == ExitKind::Indirect               ? Outcome::Gone
                                                                 : Outcome::Left;
  if (exit.kind == ExitKind::Indirect) {
    state.rip = mode.code64 ? area.target : static_cast<u32>(area.target);
  } else {
    state.rip = mode.code64 ? rip_of(state, exit.eip) : rip_of(state, exit.eip) & exit.eip_mask;
  }
  for (const u32 number : translation.flag_records) records_.remove(number);
  cache_.release(placed.executable, placed.size);
  return outcome;
}

}  // namespace relic86::jit
