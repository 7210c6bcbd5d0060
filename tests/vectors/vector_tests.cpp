// relic86_vector_tests [--engine interp|jit] DIR: runs captured single steps of real processors (gzipped JSON lines,
// one file per opcode) through one of the engines. Prints each failure's file and row, then `N passed, N failed`. Exit
// code 1 on any failure.
//
// Format: the first line of a file is {"opcode", "status", "arch", "flags_mask"}; every other line a test with "name",
// "bytes", "initial" and "final" {"regs", "ram"} and, where one occurred, "exception" {"number", "flag_address"}.
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build_features.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/vectors/exclusions.h"
#ifdef RELIC86_JIT
#include "jit/translator.h"
#endif

using nlohmann::json;

namespace relic86 {
namespace {

// A 286 in real mode keeps FLAGS bits 15:12 zero; later processors do not.
constexpr u32 kComparedFlags = 0x0FFF;
constexpr u64 kMostInstructions = 4096;
constexpr u32 kStrayHandler = 0x500;
#ifdef RELIC86_JIT
constexpr bool kHasTranslator = true;
#else
constexpr bool kHasTranslator = false;
#endif

// The whole file, unpacked. Plain text passes as it is.
Result<std::string> read_file(const std::filesystem::path& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return Error{"cannot be opened: " + std::string(std::strerror(errno))};
  gzbuffer(file, 1 << 18);
  std::string text;
  char buffer[65536];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
  int code = Z_OK;
  const std::string message = gzerror(file, &code);
  gzclose(file);
  if (got < 0 || code != Z_OK) return Error{"is not a whole gzip file: " + message};
  return text;
}

constexpr std::pair<const char*, Gpr> kGeneral[] = {{"ax", kEax}, {"bx", kEbx}, {"cx", kEcx}, {"dx", kEdx},
                                                    {"sp", kEsp}, {"bp", kEbp}, {"si", kEsi}, {"di", kEdi}};
constexpr std::pair<const char*, SegmentName> kSegments[] = {{"es", kEs}, {"cs", kCs}, {"ss", kSs}, {"ds", kDs}};

class Runner {
 public:
  explicit Runner([[maybe_unused]] bool translate) {
#ifdef RELIC86_JIT
    if (!translate) return;
    jit::TranslatorOptions options;
    options.verify = true;
    options.threshold = 0;
    translator_ = std::make_unique<jit::Translator>(machine_.cpu(), machine_.bus(), options);
#endif
  }

  void run_file(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    const Result<std::string> text = read_file(path);
    if (!text) return report(name, 0, "", " " + text.error().message);
    std::string_view rest = text.value();
    Header header;
    for (std::size_t row = 0; !rest.empty(); ++row) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const json line = json::parse(rest.substr(0, end), nullptr, false);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      // json throws where a member is missing or of another type.
      try {
        if (line.is_discarded()) {
          report(name, row, "", " not valid JSON");
        } else if (row == 0) {
          header = {line.at("opcode").get<std::string>(), line.at("flags_mask").get<u32>()};
        } else {
          run_test(name, row, header, line);
        }
      } catch (const json::exception& error) {
        report(name, row, "", std::string(" not in the format of vectors: ") + error.what());
        if (row == 0) return;
      }
    }
  }

  int finish() const {
    for (const auto& [name, count] : excluded_) std::printf("excluded: %s: %u\n", name.c_str(), count);
    std::printf("%u passed, %u failed\n", passed_, failed_);
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  struct Header {
    std::string opcode;
    u32 flags_mask = 0xFFFF;
  };

  void run_test(const std::string& file, std::size_t row, const Header& header, const json& test) {
    load(test.at("initial"));
    const ExitReason reason = translator_ ? translator_->run(kMostInstructions) : machine_.run(kMostInstructions);
    const std::string difference =
        reason != ExitReason::Halted ? " did not reach HLT" : compare(test, header.flags_mask & kComparedFlags);
    if (difference.empty()) {
      ++passed_;
      return;
    }
    const vectors::Outcome outcome{header.opcode, test, machine_.cpu().fault()};
    if (const vectors::Exclusion* exclusion = vectors::find_exclusion(outcome)) {
      ++excluded_[std::string(exclusion->name) + " (" + exclusion->reason + ")"];
    } else {
      report(file, row, test.value("name", ""), difference);
    }
  }

  void load(const json& initial) {
    machine_.cpu().reset();
    // Vectors that a test does not expect to be taken lead to a HLT, so that a wrong exception stays the last one.
    static const std::vector<u8> vectors = [] {
      std::vector<u8> table(1024);
      for (std::size_t i = 0; i < table.size(); i += 4) table[i + 1] = kStrayHandler >> 8;
      return table;
    }();
    machine_.write(0, vectors);
    machine_.poke<u8>(kStrayHandler, 0xF4);
    for (const auto& cell : initial.at("ram")) machine_.poke<u8>(cell.at(0).get<u32>(), cell.at(1).get<u8>());
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
      const u32 address = cell.at(0).get<u32>();
      u32 bits = 0xFF;
      if (address == pushed) bits = mask & 0xFF;
      if (address == pushed + 1) bits = (mask >> 8) & 0xFF;
      check("[" + hex(address) + "]", cell.at(1).get<u32>() & bits, machine_.byte(address) & bits);
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
  std::unique_ptr<Executor> translator_;
  json expected_;
  unsigned passed_ = 0;
  unsigned failed_ = 0;
  std::map<std::string, unsigned> excluded_;
};

int run(const char* folder, bool translate) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().string();
    if (name.ends_with(".jsonl.gz") || name.ends_with(".jsonl")) files.push_back(entry->path());
  }
  if (error || files.empty()) {
    std::fprintf(stderr, "relic86_vector_tests: %s: no *.jsonl.gz vectors there%s%s\n", folder, error ? ": " : "",
                 error ? error.message().c_str() : "");
    return 2;
  }
  std::sort(files.begin(), files.end());
  Runner runner(translate);
  for (const auto& file : files) runner.run_file(file);
  return runner.finish();
}

}  // namespace
}  // namespace relic86

int main(int argc, char** argv) {
  bool translate = false;
  const char* folder = nullptr;
  bool valid = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--engine" && i + 1 < argc) {
      const std::string_view engine = argv[++i];
      translate = engine == "jit";
      valid = valid && (engine == "interp" || (translate && relic86::kHasTranslator));
    } else {
      valid = valid && folder == nullptr && !argument.starts_with("-");
      folder = argv[i];
    }
  }
  if (!valid || folder == nullptr) {
    std::fprintf(stderr, "usage: relic86_vector_tests [--engine interp|jit] DIR\n");
    return 2;
  }
  return relic86::run(folder, translate);
}
