#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>

#include "base/print.h"

namespace relic86::log {
namespace {

struct Sink {
  std::atomic<u32> channels{0};
  std::mutex mutex;
  std::FILE* file = nullptr;  // null: stderr
  std::set<std::string, std::less<>> seen;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

struct Name {
  std::string_view word;
  Channel channel;
};
constexpr Name kNames[] = {
    {"guest_errors", Channel::GuestErrors}, {"unimp", Channel::Unimplemented}, {"int", Channel::Interrupts},
    {"exec", Channel::Execution},           {"in_asm", Channel::Disassembly},  {"cpu_reset", Channel::Reset},
};
constexpr std::size_t kMostKeys = 4096;  // a guest must not fill the host's memory with log keys

}  // namespace

Result<> enable(std::string_view list) {
  u32 bits = sink().channels;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    bool known = false;
    std::string all;
    for (const Name& name : kNames) {
      if (name.word == word) bits |= static_cast<u32>(name.channel), known = true;
      all += (all.empty() ? "" : ", ") + std::string(name.word);
    }
    if (!known) return Error{fmt::format("-d {}: unknown log item; known are {}", word, all)};
  }
  sink().channels = bits;
  return {};
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

bool first_time(std::string_view key) {
  std::lock_guard lock(sink().mutex);
  if (sink().seen.size() >= kMostKeys) return false;
  return sink().seen.emplace(key).second;
}

void warning(std::string_view text) { print_text(stderr, fmt::format("warning: {}\n", text)); }

}  // namespace relic86::log
