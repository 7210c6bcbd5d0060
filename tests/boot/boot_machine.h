// Machines for tests that boot: counted time, no display, a disk with a guest of our own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "options/options.h"
#include "tests/block/temporary_folder.h"

namespace relic86::test {

inline std::string guest_file(const std::string& name) { return std::string(RELIC86_BOOT_GUESTS) + "/" + name; }

// A disk image of 1 MiB that boots this guest.
inline std::string make_disk(const TemporaryFolder& folder, const std::string& name = "disk.img",
                             const std::string& guest = "disk_counter.bin") {
  const std::string file = folder.path(name);
  std::filesystem::copy_file(guest_file(guest), file, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::resize_file(file, 1 << 20);
  return file;
}

struct BootMachine {
  // The command line is completed with what all of these machines have; seconds of guest time.
  BootMachine(std::vector<std::string> arguments, double seconds) {
    const char* const common[] = {"-display", "none", "-m", "4", "-icount", "shift=4,sleep=off", "-nic", "none"};
    arguments.insert(arguments.begin(), std::begin(common), std::end(common));
    arguments.insert(arguments.end(), {"--timeout", std::to_string(seconds)});
    auto parsed = parse_command_line(arguments);
    EXPECT_TRUE(parsed.ok()) << parsed.message();
    auto made = Machine::create(parsed.value().options, poller);
    EXPECT_TRUE(made.ok()) << made.message();
    machine = std::move(made).value();
  }
  Machine* operator->() { return machine.get(); }
  Machine& operator*() { return *machine; }
  // Calls act on the machine's thread when the n-th frame of guest time begins.
  void at_frames(std::vector<unsigned> frames, std::function<void(unsigned)> act) {
    machine->on_frame([this, frames, act] {
      frame++;
      if (std::find(frames.begin(), frames.end(), frame) != frames.end()) act(frame);
    });
  }
  std::vector<u8> state() {
    StateWriter writer;
    machine->state(writer);
    return writer.data();
  }

  HostPoller poller;
  std::unique_ptr<Machine> machine;
  unsigned frame = 0;
};

}  // namespace relic86::test
