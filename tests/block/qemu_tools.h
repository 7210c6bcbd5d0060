// qemu-img and qemu-io beside our own code: tests that use them are skipped where they are not installed.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

namespace relic86::test {

struct Outcome {
  int code = -1;
  std::string output;
};
inline Outcome run_command_line(const std::string& line) {
  Outcome outcome;
  FILE* const pipe = popen((line + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), got);
  const int status = pclose(pipe);
  if (status >= 0 && (status & 0x7F) == 0) outcome.code = status >> 8 & 0xFF;
  return outcome;
}
inline bool have_qemu_tools() {
  static const bool there = run_command_line("qemu-img --version && qemu-io --version").code == 0;
  return there;
}

}  // namespace relic86::test

#define RELIC86_NEEDS_QEMU_TOOLS() \
  if (!test::have_qemu_tools()) GTEST_SKIP() << "qemu-img and qemu-io are not installed (package qemu-utils)"
#define RELIC86_RUN(...)                                                                        \
  if (const auto outcome = test::run_command_line(fmt::format(__VA_ARGS__)); outcome.code != 0) \
  FAIL() << fmt::format(__VA_ARGS__) << "\n" << outcome.output
