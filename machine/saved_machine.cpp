#include "machine/saved_machine.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>

#include "base/log.h"
#include "display/screenshot.h"
#include "machine/guest_inputs.h"
#include "machine/host_time.h"
#include "machine/machine.h"
#include "machine/machine_identity.h"
#include "snapshot/saved_drives.h"
#include "snapshot/saved_memory.h"
#include "snapshot/state_file.h"

namespace relic86 {

namespace {

constexpr std::string_view kAboutTag = "INFO", kOptionsTag = "CONF", kStateTag = "STAT";
constexpr u64 kMostText = 1 << 20;
constexpr u64 kMostState = u64{64} << 20;
constexpr std::size_t kLongestTag = 100;

StateFolder files_of(const Machine& machine) { return {state_folder(machine.options())}; }

// The media by the names that a saved machine has for its drives: virtio disks come and go, so that they are numbered by
// their slots.
DriveMedia saved_media(Machine& machine) {
  DriveMedia media = machine.media();
  std::vector<std::shared_ptr<DriveMedium>> disks;
  for (const auto& [slot, card] : machine.board().cards()) {
    if (card.kind != PciCard::Kind::Disk) continue;
    disks.push_back(media.at(card.key));
    media.erase(card.key);
  }
  for (std::size_t i = 0; i < disks.size(); i++) media[fmt::format("virtio{}", i)] = std::move(disks[i]);
  return media;
}

Result<> check_tag(const std::string& tag) {
  const bool sound = !tag.empty() && tag.size() <= kLongestTag && tag[0] != '.' && tag[0] != '-' &&
                     std::all_of(tag.begin(), tag.end(), [](char c) { return c != '/' && static_cast<u8>(c) >= 32; });
  if (sound) return {};
  return Error{fmt::format("'{}' cannot name a saved machine; 1 to {} characters without '/', no '.' or '-' first", tag,
                           kLongestTag)};
}

Result<> compare_options(const StateFileReader& file, Machine& machine) {
  const StateSection* section = file.find(kOptionsTag);
  if (section == nullptr) return file.damaged("no options");
  auto content = file.content(*section, kMostText);
  if (!content) return content.error();
  const std::string_view saved(reinterpret_cast<const char*>(content.value().data()), content.value().size());
  const auto difference = identity_difference(saved, machine);
  if (!difference) return {};
  return Error{fmt::format("{}: was saved with other options: {}, this machine has {}; start it as it was saved",
                           file.path(), difference->there, difference->here)};
}

void save_state(StateFileWriter& file, Machine& machine) {
  StateWriter state;
  machine.state(state);
  file.begin(kStateTag);
  file.put_number(static_cast<u64>(state.data().size()));
  file.put(compress(state.data()));
  file.end();
}

Result<std::vector<u8>> read_state(const StateFileReader& file) {
  const StateSection* section = file.find(kStateTag);
  if (section == nullptr) return file.damaged("no state");
  auto content = file.content(*section, kMostState);
  if (!content) return content.error();
  u64 size = 0;
  const std::span<const u8> bytes(content.value());
  if (bytes.size() < sizeof size) return file.damaged("state");
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size > kMostState) return file.damaged("state");
  std::vector<u8> expanded(size);
  if (!expand(bytes.subspan(sizeof size), expanded)) return file.damaged("state");
  return expanded;
}

// in_between: an error came when the machine was changed already.
Result<> load_checked(Machine& machine, const StateFolder& folder, const std::string& tag, bool& in_between) {
  if (auto checked = check_tag(tag); !checked) return checked;
  auto file = StateFileReader::open(folder.machine_file(tag));
  if (!file) return file.error();
  if (auto same = compare_options(file.value(), machine); !same) return same;
  auto state = read_state(file.value());
  if (!state) return state.error();
  BackingStore& store = machine.bus().store();
  if (auto checked = check_memory(file.value(), store); !checked) return checked;
  auto drives = SavedDrives::open(file.value(), saved_media(machine), folder, tag);
  if (!drives) return drives.error();
  if (auto loaded = machine.load_state(state.value()); !loaded) {
    return Error{fmt::format("{}: does not fit this relic86 ({}); use the relic86 that saved it", file.value().path(),
                             loaded.message())};
  }

  // All is known to be sound: only the host can fail now.
  auto loaded = load_memory(file.value(), store);
  if (loaded) loaded = drives.value().apply(file.value());
  machine.after_load();
  if (loaded) return {};
  in_between = true;
  return Error{loaded.message() + "; the machine is paused with only a part of the saved one: load again, or quit"};
}

std::string date_text(i64 unix_seconds) {
  unix_seconds = std::clamp<i64>(unix_seconds, 0, 253402300799);
  unix_seconds += host_utc_offset_seconds(unix_seconds);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
}

std::string clock_text(i64 guest_ns) {
  const i64 milliseconds = std::max<i64>(guest_ns, 0) / 1'000'000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", milliseconds / 3'600'000, milliseconds / 60'000 % 60,
                     milliseconds / 1000 % 60, milliseconds % 1000);
}

// Each saved machine of the state folder, by tag, or what is wrong with its file.
void visit_saved_machines(Machine& machine, const std::function<void(const Result<SavedMachine>&)>& visit) {
  const StateFolder folder = files_of(machine);
  std::vector<std::string> tags;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder.folder, failure)) {
    if (entry.path().extension() == ".relic86") tags.push_back(entry.path().stem().string());
  }
  std::sort(tags.begin(), tags.end());
  for (const std::string& tag : tags) {
    const auto file = StateFileReader::open_unchecked(folder.machine_file(tag));
    if (!file) {
      visit(file.error());
      continue;
    }
    i64 numbers[2] = {0, 0};
    const StateSection* about = file.value().find(kAboutTag);
    if (about == nullptr || !file.value().read(*about, 0, {reinterpret_cast<u8*>(numbers), sizeof numbers}))
      visit(file.value().damaged("no date"));
    else
      visit(SavedMachine{tag, file.value().size(), numbers[0], numbers[1]});
  }
}

// What the user sees of a saved machine before loading it. Nobody needs it: that it cannot be written is no error.
void save_picture(Machine& machine, const std::string& path) {
  const Frame& frame = machine.picture().update(machine.board());
  if (frame.width == 0) return;
  [[maybe_unused]] const auto written = write_screenshot(frame, path, PictureFormat::Png);
}

std::string picture_of(const StateFolder& folder, const std::string& tag) { return folder.machine_file(tag) + ".png"; }

}  // namespace

std::string state_folder(const Options& options) {
  if (!options.state_dir.empty()) return options.state_dir;
  for (const DriveOption& drive : options.drives) {
    std::error_code failure;
    if (drive.file.empty() || drive.interface == DriveOption::Interface::Flash ||
        !std::filesystem::is_regular_file(drive.file, failure))
      continue;
    const auto parent = std::filesystem::path(drive.file).parent_path();
    return parent.empty() ? "." : parent.string();
  }
  return ".";
}

Result<> save_machine(Machine& machine, const std::string& tag) {
  return save_machine(machine, files_of(machine), tag);
}

Result<> save_machine(Machine& machine, const StateFolder& folder, const std::string& tag) {
  if (auto checked = check_tag(tag); !checked) return checked;
  const u64 generation = u64{std::random_device{}()} << 32 | std::random_device{}();
  auto file = StateFileWriter::create(folder.machine_file(tag));
  if (!file) return file.error();
  StateFileWriter& writer = file.value();
  // Guest time stands still while the host writes.
  const bool was_paused = machine.paused();
  machine.pause();
  auto result = start_journals(saved_media(machine), folder, tag, generation);
  if (result) {
    writer.begin(kAboutTag);
    writer.put_number(host_unix_seconds());
    writer.put_number(machine.clock().now());
    writer.end();
    writer.begin(kOptionsTag);
    writer.put(machine_identity(machine));
    writer.end();
    save_state(writer, machine);
    save_memory(writer, machine.bus().store());
    result = save_drives(writer, saved_media(machine), generation);
    if (result) result = writer.commit();
    if (result) {
      delete_journals(saved_media(machine), folder, tag, generation);
      save_picture(machine, picture_of(folder, tag));
    } else {
      drop_journals(saved_media(machine), folder, tag, generation);
    }
  }
  machine.forget_derived();  // so that this machine and the loaded one go on alike
  if (!was_paused) machine.resume();
  return result;
}

Result<> load_machine(Machine& machine, const std::string& tag) {
  return load_machine(machine, files_of(machine), tag);
}

Result<> load_machine(Machine& machine, const StateFolder& folder, const std::string& tag) {
  if (machine.inputs().repeatable() && machine.instruction_count() != 0)
    return Error{"a run that is recorded or replayed loads no other machine; -loadvm at its start may"};
  const bool was_paused = machine.paused();
  machine.pause();
  bool in_between = false;
  auto result = load_checked(machine, folder, tag, in_between);
  if (!was_paused && !in_between) machine.resume();
  return result;
}

Result<> delete_saved_machine(Machine& machine, const std::string& tag) {
  if (auto checked = check_tag(tag); !checked) return checked;
  const StateFolder folder = files_of(machine);
  const std::string path = folder.machine_file(tag);
  const int failure = unlink(path.c_str()) == 0 ? 0 : errno;
  unlink(saved_picture(machine, tag).c_str());
  // What a savevm left that the host cut short goes, too: then there may be journals without a machine.
  const bool gone = failure == 0 || failure == ENOENT;
  if (gone && delete_journals(saved_media(machine), folder, tag, 0) + (failure == 0 ? 1 : 0) > 0) return {};
  return Error{fmt::format("{}: cannot be deleted ({}); 'info snapshots' lists the saved machines", path,
                           std::strerror(failure))};
}

bool is_saved(const Options& options, const std::string& tag) {
  std::error_code failure;
  return std::filesystem::exists(StateFolder{state_folder(options)}.machine_file(tag), failure);
}

bool would_undo_writes(Machine& machine, const std::string& tag) {
  return has_journals(saved_media(machine), files_of(machine), tag);
}

std::string saved_picture(Machine& machine, const std::string& tag) { return picture_of(files_of(machine), tag); }

std::vector<SavedMachine> list_saved_machines(Machine& machine) {
  std::vector<SavedMachine> list;
  visit_saved_machines(machine, [&](const Result<SavedMachine>& saved) {
    if (saved) list.push_back(saved.value());
  });
  return list;
}

std::string describe_saved_machines(Machine& machine) {
  std::string text;
  visit_saved_machines(machine, [&](const Result<SavedMachine>& saved) {
    if (!saved) {
      text += saved.message() + "\n";
      return;
    }
    const SavedMachine& row = saved.value();
    text +=
        fmt::format("{:<10}{:<18}{:>7.3g} MiB{:>21}{:>15}\n", "--", row.tag, static_cast<double>(row.bytes) / (1 << 20),
                    date_text(row.saved_at), clock_text(row.guest_time));
  });
  const std::string columns =
      fmt::format("{:<10}{:<18}{:>11}{:>21}{:>15}\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK");
  if (!text.empty()) text = "List of snapshots present on all disks:\n" + columns + text;
  // Those that images hold inside themselves are listed as QEMU lists what cannot be loaded.
  for (const auto& [drive, medium] : machine.media()) {
    const ImageInfo image = medium->info();
    if (image.snapshots.empty()) continue;
    text += fmt::format("List of partial (non-loadable) snapshots on '{}':\n{}", drive, columns);
    for (const ImageSnapshot& snapshot : image.snapshots)
      text += fmt::format("{:<10}{:<18}{:>7.3g} MiB{:>21}{:>15}\n", snapshot.id, snapshot.name,
                          static_cast<double>(snapshot.vm_state_size) / (1 << 20),
                          date_text(static_cast<i64>(snapshot.date_seconds)),
                          clock_text(static_cast<i64>(snapshot.vm_clock_ns)));
  }
  return text.empty() ? "There is no snapshot available.\n" : text;
}

void attach_journals(Machine& machine) {
  const StateFolder folder = files_of(machine);
  std::error_code failure;
  for (const auto& [drive, medium] : machine.media()) {
    if (!medium->writes_through()) continue;
    const DiskJournal::Image image = medium->identity();
    for (const auto& entry : std::filesystem::directory_iterator(folder.folder, failure)) {
      if (entry.path().filename().string().find(".relic86-") == std::string::npos) continue;
      auto journal = DiskJournal::open(entry.path().string(), DiskJournal::Access::ReadWrite);
      if (!journal || journal.value()->image().path != image.path || !journal.value()->describes(image)) continue;
      if (medium->journal(journal.value()->generation()) != nullptr) continue;
      const std::string name = entry.path().filename().string();
      if (!has_saved_machine(folder, name, journal.value()->generation())) {
        log::warning(fmt::format("{}: was left by a savevm that was cut short; deleted", entry.path().string()));
        unlink(entry.path().c_str());
        continue;
      }
      if (journal.value()->restoring()) {
        log::warning(fmt::format("{}: going back to a saved machine was interrupted; load it again ({})", image.path,
                                 entry.path().filename().string()));
      }
      medium->add_journal(std::move(journal).value());
    }
  }
}

}  // namespace relic86
