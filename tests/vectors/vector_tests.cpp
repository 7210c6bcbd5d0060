// relic86_vector_tests DIR: runs captured single steps of real processors (gzipped JSON lines, one file per opcode)
// through the interpreter. Prints each failure's file and row, then `N passed, N failed`. Exit code 1 on any failure.
//
// Format: the first line of a file is {"opcode", "status", "arch", "flags_mask"}; every other line a test with "name",
// "bytes", "initial" and "final" {"regs", "ram"} and, where one occurred, "exception" {"number", "flag_address"}.
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cpu/cpu_test_machine.h"

using nlohmann::json;

namespace relic86 {
namespace {

// A 286 in real mode keeps FLAGS bits 15:12 zero; later processors do not.
constexpr u32 kComparedFlags = 0x0FFF;
constexpr u64 kMostInstructions = 4096;
constexpr u32 kStrayHandler = 0x500;

// What the 80386 and later define otherwise than the 80286 that was captured. Looked at only when a test differs.
struct Outcome {
  const std::string& opcode;
  const json& test;
  const Fault& fault;  // the last one that the processor raised

  bool expected_exception(unsigned number) const {
    return test.contains("exception") && test.at("exception").value("number", 0u) == number;
  }
};
struct Exclusion {
  const char* name;
  bool (*applies)(const Outcome& outcome);
  const char* reason;
};

constexpr Exclusion kExclusions[] = {
    {"stack-segment overrun",
     [](const Outcome& outcome) {
       return outcome.expected_exception(13) && outcome.fault.vector == Vector::StackFault;
     },
     "the 80286 raises interrupt 13 for a word at offset FFFFh of any segment; SDM 2, real-address mode exceptions: "
     "\"#SS If a memory operand effective address is outside the SS segment limit.\""},
    {"string operand overrun",
     [](const Outcome& outcome) {
       constexpr std::string_view kStrings[] = {"6D", "6F", "A5", "A7", "AB", "AD", "AF"};
       return outcome.expected_exception(13) && outcome.fault.vector == Vector::GeneralProtection &&
              std::find(std::begin(kStrings), std::end(kStrings), outcome.opcode) != std::end(kStrings);
     },
     "the 80286 had moved SI, DI or CX when it raised interrupt 13; SDM 3A 6.5: \"the processor restores the machine "
     "state to the state prior to the beginning of execution of the faulting instruction\""},
    {"FS and GS",
     [](const Outcome& outcome) {
       const std::string name = outcome.test.value("name", "");
       return (outcome.opcode == "8C" || outcome.opcode == "8E") && outcome.expected_exception(6) &&
              (name.find("fs") != std::string::npos || name.find("gs") != std::string::npos);
     },
     "the 80286 has no FS and GS: #UD; SDM 2, MOV Sreg: \"#UD If attempt is made to load the CS register.\" is the "
     "only "
     "register that later processors refuse besides encodings 6 and 7"},
};

std::string read_gzip(const std::filesystem::path& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  char buffer[65536];
  for (int got = gzread(file, buffer, sizeof buffer); got > 0; got = gzread(file, buffer, sizeof buffer)) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  gzclose(file);
  return text;
}

constexpr std::pair<const char*, Gpr> kGeneral[] = {{"ax", kEax}, {"bx", kEbx}, {"cx", kEcx}, {"dx", kEdx},
                                                    {"sp", kEsp}, {"bp", kEbp}, {"si", kEsi}, {"di", kEdi}};
constexpr std::pair<const char*, SegmentName> kSegments[] = {{"es", kEs}, {"cs", kCs}, {"ss", kSs}, {"ds", kDs}};

class Runner {
 public:
  void run_file(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    const std::string text = read_gzip(path);
    std::size_t row = 0;
    u32 mask = 0xFFFF;
    std::string opcode;
    for (std::size_t start = 0; start < text.size(); ++row) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(start),
                                    text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
      start = end + 1;
      if (line.is_discarded()) {
        report(name, row, "not valid JSON", "");
      } else if (row == 0) {
        mask = line.value("flags_mask", 0xFFFFu);
        opcode = line.value("opcode", "");
      } else {
        run_test(name, row, opcode, line, mask);
      }
    }
  }

  int finish() const {
    for (const auto& [name, count] : excluded_) std::printf("excluded: %s: %u\n", name.c_str(), count);
    std::printf("%u passed, %u failed\n", passed_, failed_);
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  void run_test(const std::string& file, std::size_t row, const std::string& opcode, const json& test, u32 mask) {
    load(test.at("initial"));
    const ExitReason reason = machine_.run(kMostInstructions);
    const std::string difference =
        reason != ExitReason::Halted ? "did not reach HLT" : compare(test, mask & kComparedFlags);
    if (difference.empty()) {
      ++passed_;
      return;
    }
    const Outcome outcome{opcode, test, machine_.cpu().fault()};
    for (const Exclusion& exclusion : kExclusions) {
      if (!exclusion.applies(outcome)) continue;
      ++excluded_[std::string(exclusion.name) + " (" + exclusion.reason + ")"];
      return;
    }
    report(file, row, test.value("name", ""), difference);
  }

  void load(const json& initial) {
    machine_.cpu().reset();
    // Vectors that a test does not expect to be taken lead to a HLT, so that a wrong exception stays the last one.
    for (u32 vector = 0; vector < 256; ++vector) machine_.poke<u32>(vector * 4, kStrayHandler);
    machine_.poke<u8>(kStrayHandler, 0xF4);
    for (const auto& cell : initial.at("ram")) machine_.poke<u8>(cell[0].get<u32>(), cell[1].get<u8>());
    const json& regs = initial.at("regs");
    for (const auto& [name, index] : kGeneral) machine_.reg(index) = regs.at(name).get<u16>();
    for (const auto& [name, index] : kSegments) machine_.set_segment(index, regs.at(name).get<u16>());
    machine_.real_mode(regs.at("cs").get<u16>(), regs.at("ip").get<u16>());
    machine_.cpu().set_eflags(regs.at("flags").get<u16>() & kComparedFlags);
    expected_ = regs;
  }

  std::string compare(const json& test, u32 mask) {
    expected_.update(test.at("final").at("regs"));
    std::string difference;
    const auto check = [&](const std::string& what, u32 expected, u32 got) {
      if (expected != got) difference += " " + what + " " + hex(got) + " not " + hex(expected);
    };
    const CpuState& state = machine_.state();
    for (const auto& [name, index] : kGeneral) check(name, expected_.at(name).get<u32>(), state.gpr32(index));
    for (const auto& [name, index] : kSegments) {
      check(name, expected_.at(name).get<u32>(), state.segment[index].selector.raw);
    }
    check("ip", expected_.at("ip").get<u32>(), static_cast<u16>(state.rip));
    check("flags", expected_.at("flags").get<u32>() & mask, machine_.cpu().eflags() & mask);
    // The FLAGS word that an exception pushed; the capture's flag_address is that of the bus cycle, which is even.
    const bool faulted = test.contains("exception");
    const u32 pushed =
        faulted ? (expected_.at("ss").get<u32>() << 4) + ((expected_.at("sp").get<u32>() + 4) & 0xFFFF) : 0xFFFFFFF0u;
    for (const auto& cell : test.at("final").at("ram")) {
      const u32 address = cell[0].get<u32>();
      u32 bits = 0xFF;
      if (address == pushed) bits = mask & 0xFF;
      if (address == pushed + 1) bits = (mask >> 8) & 0xFF;
      check("[" + hex(address) + "]", cell[1].get<u32>() & bits, machine_.byte(address) & bits);
    }
    return difference;
  }

  static std::string hex(u32 value) {
    char text[12];
    std::snprintf(text, sizeof text, "%X", value);
    return text;
  }

  void report(const std::string& file, std::size_t row, const std::string& name, const std::string& difference) {
    ++failed_;
    std::printf("%s row %zu: %s:%s\n", file.c_str(), row, name.c_str(), difference.c_str());
  }

  CpuTestMachine machine_{"486"};
  json expected_;
  unsigned passed_ = 0;
  unsigned failed_ = 0;
  std::map<std::string, unsigned> excluded_;
};

int run(const char* folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().string().ends_with(".jsonl.gz")) files.push_back(entry.path());
  }
  if (error || files.empty()) {
    std::fprintf(stderr, "%s: no *.jsonl.gz vectors there%s%s\n", folder, error ? ": " : "", error.message().c_str());
    return 2;
  }
  std::sort(files.begin(), files.end());
  Runner runner;
  for (const auto& file : files) runner.run_file(file);
  return runner.finish();
}

}  // namespace
}  // namespace relic86

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: relic86_vector_tests DIR\n");
    return 2;
  }
  return relic86::run(argv[1]);
}
