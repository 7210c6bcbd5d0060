#include "batch/kept_points.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/state_archive.h"
#include "machine/guest_memory.h"
#include "machine/saved_machine.h"
#include "options/version.h"
#include "snapshot/saved_drives.h"

namespace relic86::batch {

namespace {

void mix(StateHasher& hasher, std::string_view text) {
  const u64 length = text.size();
  hasher.mix({reinterpret_cast<const u8*>(&length), sizeof length});
  hasher.mix({reinterpret_cast<const u8*>(text.data()), text.size()});
}

void mix_file(StateHasher& hasher, const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> piece(std::size_t{1} << 20);
  while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())), stream.gcount() > 0)
    mix(hasher, {piece.data(), static_cast<std::size_t>(stream.gcount())});
}

// Kernels, initial RAM disks, firmware: whatever an option names. Disks may be large; of those that are in a drive the
// size and the time of the last change count, which loading looks at, too.
void mix_named_files(StateHasher& hasher, Machine& machine, const std::string& word) {
  std::vector<std::string> pieces{word};
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = word.find_first_of(",=", begin);
    pieces.push_back(word.substr(begin, end - begin));
  }
  for (const std::string& piece : pieces) {
    std::error_code failure;
    if (piece.empty() || !std::filesystem::is_regular_file(piece, failure)) continue;
    const bool in_drive = std::any_of(machine.media().begin(), machine.media().end(),
                                      [&](const auto& row) { return row.second->file() == piece; });
    if (!in_drive) mix_file(hasher, piece);
  }
}

}  // namespace

void KeptPoints::begin(Machine& machine, const MachinePlan& plan) {
  if (folder_.empty()) return;
  // Guests that follow the host's clock or speak to its network come to another state each time.
  repeatable_ = plan.options.icount.has_value();
  StateHasher hasher;
  mix(hasher, kVersion);
  mix_file(hasher, "/proc/self/exe");
  for (const std::string& word : plan.arguments) {
    mix(hasher, word);
    mix_named_files(hasher, machine, word);
  }
  for (const auto& [drive, medium] : machine.media()) {
    const DiskJournal::Image image = medium->identity();
    mix(hasher, fmt::format("{} {} {} {}", drive, image.path, image.size, image.modified_ns));
  }
  // The firmware, where the processor begins, and the state of all devices.
  constexpr u64 kFirmware = u64{1} << 20, kTop = u64{1} << 32;
  std::vector<u8> firmware(kFirmware);
  (void)read_guest(machine, true, kTop - kFirmware, firmware);
  hasher.mix(firmware);
  machine.state(hasher);
  way_ = hasher.hash();
}

void KeptPoints::follow(const TestPlan& test) {
  StateHasher hasher;
  hasher.mix({reinterpret_cast<const u8*>(&way_), sizeof way_});
  mix(hasher, test.definition);
  way_ = hasher.hash();
  // A saved machine goes into one with the same media.
  const bool other_media = std::any_of(test.steps.begin(), test.steps.end(), [](const Step& step) {
    return std::holds_alternative<ChangeMedium>(step.action);
  });
  repeatable_ = repeatable_ && !other_media;
}

std::string KeptPoints::name(const TestPlan& test) const {
  std::string name;
  constexpr std::size_t kLongest = 40;
  for (const char c : test.point.substr(0, kLongest))
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return fmt::format("{}-{:016x}", name, way_);
}

bool KeptPoints::load(Machine& machine, const TestPlan& test) {
  if (folder_.empty() || !repeatable_) return false;
  const StateFolder folder{folder_};
  const std::string file = folder.machine_file(name(test));
  std::error_code failure;
  if (!std::filesystem::exists(file, failure)) return false;
  if (auto loaded = load_machine(machine, folder, name(test)); !loaded) {
    fmt::print(stderr, "--points: {}; the point is reached anew\n", loaded.message());
    return false;
  }
  // Whoever makes room in the folder sees what is still in use.
  ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
  return true;
}

void KeptPoints::save(Machine& machine, const TestPlan& test) {
  if (folder_.empty() || !repeatable_) return;
  if (auto saved = save_machine(machine, StateFolder{folder_}, name(test)); !saved)
    fmt::print(stderr, "--points: {}; the point is not kept\n", saved.message());
}

}  // namespace relic86::batch
