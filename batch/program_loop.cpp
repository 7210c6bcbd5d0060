#include "batch/program_loop.h"

#include <array>
#include <span>

#include "base/state_archive.h"
#include "machine/mapped_pages.h"

namespace relic86::batch {

namespace {

template <class T>
void mix(StateHasher& hasher, const T& value) {
  hasher.mix({reinterpret_cast<const u8*>(&value), sizeof value});
}

}  // namespace

void ProgramLoop::take_mark(const Sample& sample) {
  mark_ = sample;
  known_.reset();
  looks_ = 0;
}

std::optional<GuestTime> ProgramLoop::look(GuestTime now, const Sample& sample, const Memory& memory) {
  // Timer interrupts are in the kernel in one look of thirty or so.
  constexpr unsigned kKernelShare = 10, kKernelFirst = 10;
  (sample.program ? program_looks_ : kernel_looks_)++;
  if (kernel_looks_ > program_looks_ / kKernelShare + kKernelFirst) {
    restart();
    return std::nullopt;
  }
  if (!sample.program || now < rest_until_) return std::nullopt;
  if (!mark_ || sample.space != mark_->space) {
    take_mark(sample);
    return std::nullopt;
  }
  looks_++;
  if (sample.registers != mark_->registers) {
    if (!known_ && looks_ >= patience_) {
      take_mark(sample);
      patience_ *= 2;
    }
    return std::nullopt;
  }
  if (known_ && now - known_->since < kLongEnough) return std::nullopt;
  const auto found = memory();
  if (known_ && found == known_->memory) return now - known_->since;
  if (found)
    known_ = Known{now, *found};
  else
    rest_until_ = now + kLongEnough;
  return std::nullopt;
}

ProgramLoop::Sample program_sample(Machine& machine) {
  constexpr u8 kProgramRing = 3;
  const Cpu& cpu = machine.processors().running().cpu();
  const CpuState& state = cpu.state();
  ProgramLoop::Sample sample;
  sample.program = !state.halted && state.mode.cpl == kProgramRing && paging(state);
  if (!sample.program) return sample;
  sample.space = state.cr3;
  StateHasher hasher;
  mix(hasher, state.gpr);
  mix(hasher, state.rip);
  mix(hasher, cpu.eflags());
  for (unsigned name = 0; name < kSegmentRegisters; name++) {
    mix(hasher, state.segment[name].selector.raw);
    mix(hasher, state.segment[name].base);
  }
  mix(hasher, state.fx);
  mix(hasher, state.ymm_high);
  sample.registers = hasher.hash();
  return sample;
}

std::optional<u64> program_memory(Machine& machine) {
  constexpr u64 kMostBytes = u64{64} << 20;  // what the host hashes in some ten milliseconds
  StateHasher hasher;
  PhysicalBus& bus = machine.bus();
  u64 bytes = 0;
  std::array<u8, kPageSize> page{};
  for_each_mapping(bus, machine.processors().running().cpu().state(), [&](const Mapping& mapping) {
    if (mapping.rights != kPageRights) return;
    bytes += mapping.size;
    if (bytes > kMostBytes) return;
    for (u64 at = mapping.physical; at < mapping.physical + mapping.size; at += kPageSize) {
      if (bus.page(PhysAddr(at)).read.kind != PageTarget::Kind::Backing) continue;  // registers of devices
      bus.read_block(PhysAddr(at), page);
      hasher.mix(page);
    }
  });
  if (bytes > kMostBytes) return std::nullopt;
  return hasher.hash();
}

}  // namespace relic86::batch
