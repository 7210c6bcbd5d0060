// What a host did, kept for other hosts: a file names the processor and how to make the cases again, and holds each
// case's result as what changed.
//
// The file is one zstd frame. Inside stand lines of text up to the line "results", then, per column, its size (u64) and
// its bytes. The columns are read side by side: `checks` (u32 per code and batch: a hash of the code and its inputs),
// `kinds` (what changed) and `values` (to what).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tests/native/batches.h"
#include "tests/native/processor.h"

namespace relic86::native {

inline constexpr unsigned kRecordingVersion = 1;

struct RecordingHeader {
  Processor processor;
  std::string features;  // the host's CPUID words, for a reader's information: cases do not depend on them
  std::string group;
  u64 seed = 0, count = 0;
  std::vector<std::string> rows{};  // names (groups.h) in the order that the generator draws from
};

// CPUID 1 and 7: EAX to EDX, in hex.
std::string host_features();

struct RecordingColumns {
  std::vector<u8> checks, kinds, values;
};

// A hash of the code and of those inputs among `cases` that it runs with.
u32 check_of(const Batches& batches, unsigned slot, std::span<const CaseInput> inputs);

class RecordingWriter {
 public:
  void begin_batch(const Batches& batches, std::span<const CaseInput> inputs);
  void add(const GuestCode& code, const CaseInput& input, const CaseResult& result);
  Result<> save(const std::string& path, const RecordingHeader& header) const;

 private:
  RecordingColumns columns_;
};

class RecordingReader {
 public:
  static Result<RecordingReader> open(const std::string& path);
  const RecordingHeader& header() const { return header_; }

  u32 next_check();
  // The result of the next case, made from its input. When the input is not the recorded one the result means nothing.
  void next(const GuestCode& code, const CaseInput& input, CaseResult& result);
  bool damaged() const { return damaged_; }  // the file ended too early

 private:
  struct Column {
    std::vector<u8> bytes;
    std::size_t at = 0;
  };
  u64 take(Column& column, unsigned count);
  u64 take_varint(Column& column);
  void take_bytes(Column& column, void* into, std::size_t count);
  void take_window(u8* window);
  void take_units(FxState& fx);

  RecordingHeader header_;
  Column checks_, kinds_, values_;
  bool damaged_ = false;
};

}  // namespace relic86::native
