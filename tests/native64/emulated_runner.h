// Runs cases on the emulated processor: ring 3 in 64-bit mode, the host's memory map.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "build_features.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/native/data_area.h"
#include "tests/native/processor.h"
#include "tests/native64/code.h"

namespace relic86::native64 {

// The host's processor with everything of 64-bit mode that relic86 has.
CpuModel emulated_model(const native::Processor& processor);

enum class Engine : u8 { Interpreter, Translator };
#ifdef RELIC86_JIT
inline constexpr bool kHasTranslator = true;
#else
inline constexpr bool kHasTranslator = false;
#endif

class EmulatedRunner {
 public:
  EmulatedRunner(Engine engine, const native::Processor& processor);

  void place(const GuestCode& code);  // in its slot
  void run(const GuestCode& code, const CaseInput& input, CaseResult& result);
  FeatureSet features() const { return machine_->cpu().model().instructions; }
  const VendorDecoding& decoding() const { return decoding_; }

 private:
  void build_tables();
  void build_system();
  void load(const CaseInput& input);
  void take_fault(const GuestCode& code, CaseResult& result);

  std::unique_ptr<CpuTestMachine> machine_;
  std::unique_ptr<Executor> translator_;  // null: the machine's interpreter
  VendorDecoding decoding_;
  std::array<Segment, 2> user_{};  // CS and SS
  std::array<u8, kDataSize> background_;
  std::unique_ptr<native::DataArea> area_;
};

}  // namespace relic86::native64
