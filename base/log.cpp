#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>
#include <vector>

#include "base/nearest.h"
#include "base/print.h"

namespace relic86::log {
namespace {

struct Sink {
  std::atomic<u32> channels{0};
  std::mutex mutex;
  std::FILE* file = nullptr;  // null: stderr
  std::atomic<u64> number{0};
  std::set<std::string, std::less<>> seen;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

struct Item {
  std::string_view word;
  u32 channels;
  std::string_view help;
};
constexpr u32 bit(Channel channel) { return static_cast<u32>(channel); }
constexpr Item kItems[] = {
    {"in_asm", bit(Channel::Disassembly), "show guest code, a block at a time, when it is decoded"},
    {"int", bit(Channel::Interrupts), "show interrupts and exceptions with the registers, and SMM"},
    {"exec", bit(Channel::Execution), "show every block that is carried out (slow)"},
    {"cpu", bit(Channel::Processor), "show the registers before every block (slower)"},
    {"pcall", bit(Channel::ProtectedCalls), "show far calls, jumps and returns, and task switches"},
    {"mmu", bit(Channel::Paging), "show control registers that change and page faults"},
    {"cpu_reset", bit(Channel::Reset), "show the processor's state at reset and triple faults"},
    {"unimp", bit(Channel::Unimplemented), "show what the guest uses that is not there"},
    {"guest_errors", bit(Channel::GuestErrors), "show what the guest does that no driver should do"},
    {"nochain", 0, "every block is shown in any case: for scripts"},
};
constexpr std::size_t kMostKeys = 4096;  // a guest must not fill the host's memory with log keys

}  // namespace

Result<> enable(std::string_view list) {
  u32 bits = sink().channels;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    std::vector<std::string_view> words;
    bool known = word.empty();
    for (const Item& item : kItems) {
      words.push_back(item.word);
      if (item.word == word) bits |= item.channels, known = true;
    }
    if (!known) {
      return Error{fmt::format("-d {}: unknown log item; the nearest is {}; -d help lists all", word,
                               nearest_word(word, words))};
    }
  }
  sink().channels = bits;
  return {};
}

std::string help_text() {
  std::string text = "Log items (comma separated):\n";
  for (const Item& item : kItems) text += fmt::format("{:<15} {}\n", item.word, item.help);
  return text;
}

Result<> to_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr)
    return Error{
        fmt::format("-D {}: could not open the log file for writing; check the folder and its permissions", path)};
  std::setvbuf(file, nullptr, _IOLBF, 0);
  std::lock_guard lock(sink().mutex);
  if (sink().file != nullptr) std::fclose(sink().file);
  sink().file = file;
  return {};
}

bool enabled(Channel channel) {
  return (sink().channels.load(std::memory_order_relaxed) & static_cast<u32>(channel)) != 0;
}

void write(Channel, std::string_view text) {
  std::lock_guard lock(sink().mutex);
  print_text(sink().file != nullptr ? sink().file : stderr, fmt::format("{}\n", text));
}

u64 next_number() { return sink().number++; }

bool first_time(std::string_view key) {
  std::lock_guard lock(sink().mutex);
  if (sink().seen.size() >= kMostKeys) return false;
  return sink().seen.emplace(key).second;
}

void warning(std::string_view text) { print_text(stderr, fmt::format("warning: {}\n", text)); }

}  // namespace relic86::log
