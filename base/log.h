// Logging of guest trouble and traces (-d LIST, -D FILE). The only mutable global of the program: one sink per process.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace relic86::log {

enum class Channel : u32 {
  GuestErrors = 1u << 0,    // the guest did something no driver should do
  Unimplemented = 1u << 1,  // the guest used something we do not have
  Interrupts = 1u << 2,
  Execution = 1u << 3,
  Disassembly = 1u << 4,
  Reset = 1u << 5,
  Processor = 1u << 6,       // registers before each block
  ProtectedCalls = 1u << 7,  // far transfers and task switches
  Paging = 1u << 8,          // control registers, page faults
};

// Enables the channels of a comma-separated -d list; an unknown word is an error that names its nearest neighbour.
Result<> enable(std::string_view list);
// -d help: every item with what it shows.
std::string help_text();
// Sends the log to a file instead of stderr (-D).
Result<> to_file(const std::string& path);

bool enabled(Channel channel);
void write(Channel channel, std::string_view text);
// 0, 1, 2 ...: numbers the entries of a trace.
u64 next_number();
// True the first time a key is seen: guest trouble is logged once per kind.
bool first_time(std::string_view key);
// "warning: ..." on stderr, whatever -d says.
void warning(std::string_view text);

template <class... Args>
void print(Channel channel, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(channel)) write(channel, fmt::format(format, std::forward<Args>(args)...));
}

// Guest trouble, logged once per distinct text.
template <class... Args>
void once(Channel channel, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(channel)) return;
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  if (first_time(text)) write(channel, text);
}

}  // namespace relic86::log
