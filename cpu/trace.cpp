#include "cpu/trace.h"

#include "base/log.h"
#include "cpu/cpu_dump.h"
#include "cpu/disassembler.h"

namespace relic86 {

void trace_decoded(const Cpu& cpu, std::span<const u8> bytes) {
  const CpuState& state = cpu.state();
  std::string text = "----------------\nIN: \n";
  u64 rip = state.rip;
  while (!bytes.empty()) {
    const Disassembly line = disassemble(bytes, rip, code_size(state.mode));
    const std::size_t length = std::min<std::size_t>(line.length, bytes.size());
    std::string hex;
    for (const u8 byte : bytes.first(length)) hex += fmt::format("{:02x} ", byte);
    text += fmt::format("0x{:08x}:  {:<24} {}\n", cpu.linear_address(kCs, rip).raw, hex, line.text);
    bytes = bytes.subspan(length);
    rip += length;
  }
  log::write(log::Channel::Disassembly, text);
}

bool tracing_execution() { return log::enabled(log::Channel::Execution) || log::enabled(log::Channel::Processor); }

void trace_entered(Cpu& cpu, BackingOffset place) {
  const CpuState& state = cpu.state();
  const u32 base = static_cast<u32>(state.segment[kCs].base);
  const unsigned mode = (state.mode.protected_mode ? 1u : 0u) | (state.mode.v86 ? 2u : 0u) |
                        (state.mode.code32 ? 4u : 0u) | (state.mode.stack32 ? 8u : 0u) | (state.mode.paging ? 16u : 0u);
  log::print(log::Channel::Execution, "Trace 0: 0x{:09x} [{:08x}/{:08x}/{:08x}/{:08x}]", place.raw, base,
             base + state.eip(), mode, u32{state.mode.cpl});
  if (log::enabled(log::Channel::Processor)) log::write(log::Channel::Processor, describe_registers(cpu, false));
}

}  // namespace relic86
