#include "frontend/named_machines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "machine/saved_machine.h"
#include "options/machine_file.h"
#include "options/machine_folder.h"
#include "options/machine_kinds.h"

namespace relic86 {

namespace {

namespace fs = std::filesystem;

Error cannot_write(const std::string& path, int failure) {
  return Error{fmt::format("--new: {} cannot be written: {}; check the folder and its permissions", path,
                           std::strerror(failure))};
}

bool runs(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return taken;
}

std::string size_text(u64 bytes) {
  constexpr u64 kMiB = u64{1} << 20, kMany = 10'000;
  return bytes / kMiB < kMany ? fmt::format("{} MiB", bytes / kMiB) : fmt::format("{} GiB", bytes / kMiB / 1024);
}

std::string describe(const std::string& name, const std::string& file) {
  Options options;
  if (auto taken = take_machine_file(options, file); !taken)
    return fmt::format("{:<20} {:<8} {}\n", name, "broken", taken.message());
  std::error_code failure;
  const fs::path folder = fs::path(file).parent_path();
  const bool saved = is_saved(options, kClosedTag);
  std::string disk = "-";
  for (const DriveOption& drive : options.drives) {
    if (drive.media != DriveOption::Media::Disk || drive.interface == DriveOption::Interface::Floppy) continue;
    const auto size = fs::file_size(drive.file, failure);
    disk = failure ? "missing" : size_text(size);
    break;
  }
  return fmt::format("{:<20} {:<8} {:>10} {:>10}  {}\n", name,
                     runs(file) ? "running"
                     : saved    ? "saved"
                                : "off",
                     size_text(options.ram_bytes), disk, folder.string());
}

}  // namespace

Result<std::string> make_machine(const Options& options) {
  const std::string& name = options.new_machine_name;
  if (auto checked = check_machine_name(name); !checked) return Error{"--new: " + checked.message()};
  const auto kind = find_machine_kind(options.new_machine_kind);
  if (!kind) return kind.error();
  const auto folder = machine_folder(name);
  if (!folder) return Error{"--new: " + folder.message()};
  std::error_code failure;
  fs::create_directories(fs::path(folder.value()).parent_path(), failure);
  if (failure) return cannot_write(folder.value(), failure.value());
  // The folder itself is made alone: of two who make the same machine one is told so.
  if (!fs::create_directory(folder.value(), failure)) {
    if (failure) return cannot_write(folder.value(), failure.value());
    return Error{
        fmt::format("--new {}: {} is there already; choose another name, or delete that folder", name, folder.value())};
  }
  const std::string disk = folder.value() + "/disk.img", file = folder.value() + "/machine.toml";
  // Sparse: it takes room on the host as the guest fills it.
  std::ofstream(disk).close();
  fs::resize_file(disk, kind.value()->disk_bytes, failure);
  if (failure) return cannot_write(disk, failure.value());
  std::ofstream stream(file);
  stream << machine_file_text(*kind.value(), name);
  stream.close();
  if (!stream) return cannot_write(file, errno);
  return fmt::format("{}\nIts disk is empty: install from a floppy or a CD, such as\n  relic86 {} -cdrom install.iso\n",
                     file, name);
}

std::string list_machines() {
  const std::vector<std::string> names = machine_names();
  if (names.empty())
    return "There are no machines yet. 'relic86 --new KIND NAME' makes one that 'relic86 NAME' starts; kinds are\n" +
           machine_kinds_text() + "'relic86 -help' lists all options.\n";
  std::string text = fmt::format("{:<20} {:<8} {:>10} {:>10}  {}\n", "NAME", "STATE", "MEMORY", "DISK", "FOLDER");
  for (const std::string& name : names) text += describe(name, find_machine(name).value_or(""));
  return text;
}

Result<NamedMachineLock> NamedMachineLock::take(const Options& options) {
  NamedMachineLock lock;
  if (options.machine_name.empty()) return lock;
  lock.file_ = ::open(options.machine_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock.file_ >= 0 && ::flock(lock.file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return Error{fmt::format("{}: the machine runs already; close it first", options.machine_name)};
  return lock;
}

NamedMachineLock::NamedMachineLock(NamedMachineLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

NamedMachineLock::~NamedMachineLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace relic86
