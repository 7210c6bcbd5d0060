// A file of what a host did, kept for other hosts: it names the processor and how to make the cases again, and holds
// each case's result as what changed.
//
// The file is one zstd frame. Inside stand lines of text up to the line "results", then, per column, its size (u64) and
// its bytes. The columns are read side by side: `checks` (u32 per code and batch: a hash of the code and its inputs),
// `kinds` (what changed) and `values` (to what).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cpu/state.h"
#include "tests/native/processor.h"

namespace relic86::native {

struct RecordingHeader {
  Processor processor;
  std::string features;  // the host's CPUID words, for a reader's information: cases do not depend on them
  std::string group;
  u64 seed = 0, count = 0;
  std::vector<std::string> rows{};  // names (groups.h) in the order that the generator draws from
};

// Of this host, with the names of the group's rows.
RecordingHeader recording_header(const Processor& processor, const std::string& group, std::span<const u16> rows,
                                 u64 seed, u64 count);
// The table's rows by their names, which stay when it gets others; kNoRow: it no longer has that one.
std::vector<u16> recorded_rows(const RecordingHeader& header);

// Bytes that are written in order, or read in the same order.
class RecordingColumn {
 public:
  void put(u64 value, unsigned bytes);
  void put_varint(u64 value);
  void put_bytes(const void* from, std::size_t count);

  u64 take(unsigned bytes);
  u64 take_varint();
  // Beyond the end all bytes are zero, and ended_early() says so.
  void take_bytes(void* into, std::size_t count);
  bool ended_early() const { return ended_early_; }

 private:
  friend struct Recording;
  std::vector<u8> bytes_;
  std::size_t at_ = 0;
  bool ended_early_ = false;
};

struct Recording {
  RecordingHeader header{};
  RecordingColumn checks{}, kinds{}, values{};

  // kind: what the first line calls the file, for example "relic86 native recording".
  Result<> save(const std::string& path, std::string_view kind) const;
  static Result<Recording> open(const std::string& path, std::string_view kind);
  // It ended too early, or holds what no recorder writes.
  bool damaged() const { return broken || checks.ended_early() || kinds.ended_early() || values.ended_early(); }

  // After a replay: it was damaged, or `changed` cases, too many of it, are made otherwise than when they were recorded.
  Result<> judge(u64 changed) const;

  // What the window held before and afterwards, as runs of changed bytes.
  void put_window(const u8* before, const u8* after);
  void take_window(u8* window);
  // x87 registers, the first `xmm` XMM registers (8 or 16), and their control and status.
  void put_units(const FxState& before, const FxState& after, unsigned xmm);
  void take_units(FxState& fx, unsigned xmm);
  // Upper halves of YMM registers, as many as `after` or `into` has.
  void put_upper_halves(const FxState::Slot* before, std::span<const FxState::Slot> after);
  void take_upper_halves(std::span<FxState::Slot> into);
  // CaseResult::vector.
  void put_end(u32 vector);
  u32 take_end();

  bool broken = false;
};

// A hash that goes on from `value`.
inline constexpr u32 kCheckStart = 0x811C9DC5;
u32 check_bytes(u32 value, const void* from, std::size_t count);
// Of what a case starts with; flags: its EFLAGS or RFLAGS, xmm: how many XMM registers it has.
template <typename CaseInput, typename Flags>
u32 check_input(u32 value, const CaseInput& input, const Flags& flags, unsigned xmm) {
  value = check_bytes(value, input.gpr, sizeof input.gpr);
  value = check_bytes(value, &flags, sizeof flags);
  value = check_bytes(value, input.window, sizeof input.window);
  if (input.vectors) value = check_bytes(value, input.ymm_high, sizeof input.ymm_high);
  if (!input.units) return value;
  value = check_bytes(value, &input.fx.control, sizeof input.fx.control);
  value = check_bytes(value, &input.fx.mxcsr, sizeof input.fx.mxcsr);
  value = check_bytes(value, input.fx.st, sizeof input.fx.st);
  return check_bytes(value, input.fx.xmm, sizeof input.fx.xmm[0] * xmm);
}

}  // namespace relic86::native
