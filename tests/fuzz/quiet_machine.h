// A machine that stands still, and a stream that a fuzzer's input comes from: for those who command machines.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "frontend/landlock.h"
#include "machine/machine.h"
#include "options/options.h"

namespace relic86::fuzz {

// Takes what is written and forgets it.
class Stream final : public CharBackend {
 public:
  void put(u8) override { written_++; }
  bool on_client(std::function<void()> listener) override {
    listener_ = std::move(listener);
    return true;
  }
  // A new client: what the last one sent in part is forgotten.
  void arrive() {
    written_ = 0;
    if (listener_) listener_();
  }
  void feed(std::span<const u8> bytes) {
    for (const u8 byte : bytes) {
      if (receiver_ != nullptr) receiver_->receive(byte);
    }
  }
  std::size_t written() const { return written_; }

 private:
  std::function<void()> listener_;
  std::size_t written_ = 0;
};

class QuietMachine {
 public:
  // Commands name files: the process is shut into a folder of its own first.
  QuietMachine() {
    constexpr rlim_t kLargestFile = 16 << 20;
    const rlimit limit{kLargestFile, kLargestFile};
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string folder = "/tmp/relic86-fuzz-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    std::filesystem::current_path(folder);
    FileAccess access;
    access.readable = {"/proc", "/usr", "/lib", "/lib64", RELIC86_FUZZ_FIRMWARE};
    access.writable = {folder, "/dev/null"};
    if (const auto restricted = restrict_files(access); !restricted || restricted.value() == Landlocked::No)
      std::fputs("the fuzzer is not shut in: this kernel has no Landlock\n", stderr);
    make();
  }

  Machine& operator*() { return *machine_; }
  // A new machine in place of the old one, which nobody may hold on to any more.
  void make() {
    const std::vector<std::string> arguments{
        "-m",   "1",  "-bios",   RELIC86_FUZZ_FIRMWARE, "-display", "none",   "-vga",
        "none", "-S", "-icount", "shift=4,sleep=off",   "-accel",   "interp", "-serial",
        "null"};
    auto parsed = parse_command_line(arguments);
    if (!parsed) std::abort();
    machine_.reset();
    auto made = Machine::create(parsed.value().options, poller_);
    if (!made) std::abort();
    machine_ = std::move(made).value();
  }

 private:
  HostPoller poller_;
  std::unique_ptr<Machine> machine_;
};

}  // namespace relic86::fuzz
