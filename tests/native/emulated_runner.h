// Runs cases on the emulated processor: ring 3 in protected mode, identity paging, the host's memory map and
// descriptors, by the interpreter or the translator.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>

#include "cpu/executor.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/native/data_area.h"
#include "tests/native/processor.h"

namespace relic86::native {

enum class Engine : u8 { Interpreter, Translator };

class EmulatedRunner {
 public:
  EmulatedRunner(Engine engine, const Processor& processor, const HostUnits& host_units);
  ~EmulatedRunner();

  // Puts code at kCode + offset; what was translated there is forgotten.
  void write_code(u32 offset, std::span<const u8> bytes);
  void run(const CaseInput& input, CaseResult& result);
  // Translated blocks and how often they were entered, for the report; empty for the interpreter.
  std::string engine_text() const;

 private:
  void build_tables();
  void build_segments();
  void load(const CaseInput& input);
  void take_fault(CaseResult& result);

  std::unique_ptr<CpuTestMachine> machine_;
  std::unique_ptr<Executor> translator_;
  std::array<u8, kDataSize> background_;
  std::unique_ptr<DataArea> area_;
  std::array<Segment, 64> by_selector_;  // index: selector >> 2
};

}  // namespace relic86::native
