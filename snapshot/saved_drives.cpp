#include "snapshot/saved_drives.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "snapshot/saved_drive_files.h"

namespace relic86 {

namespace {

constexpr std::string_view kTag = "DRIV";
constexpr u32 kMostText = 65536;
constexpr std::string_view kJournalInfix = ".relic86-";

using Keys = std::map<std::string, std::string, std::less<>>;

Keys keys_of(std::string_view text) {
  Keys keys;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (equals != std::string_view::npos) keys.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return keys;
}

template <class T>
bool number_of(const Keys& keys, std::string_view key, T& value, int base = 10) {
  const auto found = keys.find(key);
  if (found == keys.end()) return false;
  const char* const end = found->second.data() + found->second.size();
  const auto [stopped, failure] = std::from_chars(found->second.data(), end, value, base);
  return failure == std::errc{} && stopped == end;
}

// The text of a section; nothing: it is not sound. blocks_at: where in the section the overlay's blocks begin.
std::optional<Keys> drive_keys(const StateFileReader& file, const StateSection& section, u64* blocks_at = nullptr) {
  u32 length = 0;
  if (!file.read(section, 0, {reinterpret_cast<u8*>(&length), sizeof length}) || length > kMostText) return {};
  std::string text(length, 0);
  if (!file.read(section, sizeof length, {reinterpret_cast<u8*>(text.data()), text.size()})) return {};
  if (blocks_at != nullptr) *blocks_at = sizeof length + length;
  return keys_of(text);
}

// Walks the overlay's blocks, which follow the text. sink(offset, content) is called with ranges within size bytes
// only.
template <class Sink>
Result<> walk_blocks(const StateFileReader& file, const StateSection& section, u64 blocks_at, u64 size, Sink sink) {
  StateSection blocks = section;
  blocks.offset += blocks_at;
  blocks.length -= blocks_at;
  StateCursor cursor(file, blocks);
  std::vector<u8> packed, content;
  while (!cursor.at_end()) {
    u64 offset = 0;
    u32 length = 0, packed_length = 0;
    const bool sound = cursor.take_number(offset) && cursor.take_number(length) && cursor.take_number(packed_length) &&
                       length <= OverlayImage::kBlockSize && packed_length <= 2 * OverlayImage::kBlockSize &&
                       offset <= size && length <= size - offset;
    if (!sound) return file.damaged("drives");
    packed.resize(packed_length);
    content.resize(length);
    if (!cursor.take(packed) || !expand(packed, content)) return file.damaged("drives");
    if (auto result = sink(offset, std::span<const u8>(content)); !result) return result;
  }
  return {};
}

}  // namespace

std::string StateFolder::journal_file(const std::string& tag, const std::string& drive, u64 generation) const {
  return fmt::format("{}/{}{}{}-{:016x}", folder, tag, kJournalInfix, drive, generation);
}

Result<> start_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag, u64 generation) {
  for (const auto& [drive, medium] : media) {
    if (!medium->writes_through()) continue;
    auto result = medium->flush();
    if (result) {
      auto journal = DiskJournal::create(folder.journal_file(tag, drive, generation), generation, medium->identity());
      if (journal)
        medium->add_journal(std::move(journal).value());
      else
        result = journal.error();
    }
    if (result) continue;
    drop_journals(media, folder, tag, generation);
    return result;
  }
  return {};
}

void drop_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag, u64 generation) {
  for (const auto& [drive, medium] : media) {
    medium->drop_journal(generation);
    unlink(folder.journal_file(tag, drive, generation).c_str());
  }
}

std::size_t delete_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag,
                            u64 but_generation) {
  const std::string prefix = fmt::format("{}{}", tag, kJournalInfix);
  const std::string kept = fmt::format("-{:016x}", but_generation);
  std::error_code failure;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.folder, failure)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || name.ends_with(kept)) continue;
    const auto journal = DiskJournal::open(entry.path().string(), DiskJournal::Access::ReadOnly);
    if (!journal) continue;  // not ours
    for (const auto& [drive, medium] : media) medium->drop_journal(journal.value()->generation());
    if (unlink(entry.path().c_str()) == 0) count++;
  }
  return count;
}

bool has_journals(const DriveMedia& media, const StateFolder& folder, const std::string& tag) {
  const std::string prefix = fmt::format("{}{}", tag, kJournalInfix);
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder.folder, failure)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const auto journal = DiskJournal::open(entry.path().string(), DiskJournal::Access::ReadOnly);
    if (!journal) continue;  // not ours
    const u64 generation = journal.value()->generation();
    if (std::any_of(media.begin(), media.end(),
                    [&](const auto& m) { return m.second->journal(generation) != nullptr; }))
      return true;
  }
  return false;
}

bool has_saved_machine(const StateFolder& folder, const std::string& journal_name, u64 generation) {
  const std::string path = folder.machine_file(journal_name.substr(0, journal_name.rfind(kJournalInfix)));
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) return static_cast<bool>(failure);
  const auto file = StateFileReader::open_unchecked(path);
  if (!file) return true;
  for (const StateSection& section : file.value().sections()) {
    if (section.tag != kTag) continue;
    const auto keys = drive_keys(file.value(), section);
    u64 saved = 0;
    if (!keys || !number_of(*keys, "generation", saved, 16) || saved == generation) return true;
  }
  return false;
}

Result<std::map<std::string, std::string>> saved_drive_files(const std::string& path) {
  const auto file = StateFileReader::open_unchecked(path);
  if (!file) return file.error();
  std::map<std::string, std::string> files;
  for (const StateSection& section : file.value().sections()) {
    if (section.tag != kTag) continue;
    auto keys = drive_keys(file.value(), section);
    if (!keys) return file.value().damaged("drives");
    files[(*keys)["drive"]] = (*keys)["file"];
  }
  return files;
}

Result<> save_drives(StateFileWriter& file, const DriveMedia& media, u64 generation) {
  for (const auto& [drive, medium] : media) {
    const DiskJournal::Image image = medium->identity();
    const bool overlay = medium->overlay() != nullptr;
    const std::string text = fmt::format("drive={}\nfile={}\nsize={}\nmodified={}\nkind={}\ngeneration={:016x}\n",
                                         drive, image.path, image.size, image.modified_ns,
                                         overlay                    ? "overlay"
                                         : medium->writes_through() ? "journal"
                                                                    : "read-only",
                                         generation);
    file.begin(kTag);
    file.put_number(static_cast<u32>(text.size()));
    file.put(text);
    if (overlay) {
      auto visited = medium->overlay()->visit([&](u64 offset, std::span<const u8> bytes) -> Result<> {
        const std::vector<u8> packed = compress(bytes);
        file.put_number(offset);
        file.put_number(static_cast<u32>(bytes.size()));
        file.put_number(static_cast<u32>(packed.size()));
        file.put(packed);
        return {};
      });
      if (!visited) return visited;
    }
    file.end();
  }
  return {};
}

Result<SavedDrives> SavedDrives::open(const StateFileReader& file, const DriveMedia& media, const StateFolder& folder,
                                      const std::string& tag) {
  SavedDrives saved;
  std::set<std::string> seen;
  for (const StateSection& section : file.sections()) {
    if (section.tag != kTag) continue;
    std::string name;
    if (auto opened = saved.open_drive(file, section, media, folder, tag, name); !opened) return opened.error();
    if (!seen.insert(name).second) return file.damaged("a drive twice");
  }
  for (const auto& [name, medium] : media) {
    if (seen.contains(name)) continue;
    return Error{fmt::format("{}: drive {} was empty when the machine was saved, now it holds {}; 'eject {}' first",
                             file.path(), name, medium->file(), name)};
  }
  return saved;
}

Result<> SavedDrives::open_drive(const StateFileReader& file, const StateSection& section, const DriveMedia& media,
                                 const StateFolder& folder, const std::string& tag, std::string& name) {
  Drive drive;
  drive.section = &section;
  const auto read = drive_keys(file, section, &drive.blocks_at);
  if (!read) return file.damaged("drives");
  const Keys& keys = *read;
  DiskJournal::Image image;
  u64 generation = 0;
  const auto kind = keys.find("kind"), drive_name = keys.find("drive"), image_file = keys.find("file");
  if (kind == keys.end() || drive_name == keys.end() || image_file == keys.end() ||
      !number_of(keys, "size", image.size) || !number_of(keys, "modified", image.modified_ns) ||
      !number_of(keys, "generation", generation, 16)) {
    return file.damaged("drives");
  }
  name = drive_name->second;
  const auto found = media.find(name);
  if (found == media.end()) {
    return Error{fmt::format("{}: drive {} held {} when the machine was saved, now it is empty; put the image in",
                             file.path(), name, image_file->second)};
  }
  drive.medium = found->second;
  const DiskJournal::Image now = drive.medium->identity();
  const auto refuse = [&](std::string_view cause, std::string_view mend) {
    return Error{fmt::format("{}: {} (drive {}) {}; {}", file.path(), drive.medium->file(), name, cause, mend)};
  };
  constexpr std::string_view kLost = "put back the image that the machine was saved with, or start without -loadvm";
  if (now.size != image.size)
    return refuse(fmt::format("has {} bytes, had {} when the machine was saved", now.size, image.size), kLost);

  drive.overlay = kind->second == "overlay";
  if (drive.overlay && drive.medium->overlay() == nullptr)
    return refuse("was used with -snapshot when the machine was saved", "start with -snapshot");
  if (!drive.overlay && kind->second == "journal") {
    drive.journal = drive.medium->journal(generation);
    if (drive.journal == nullptr) {
      auto journal = DiskJournal::open(folder.journal_file(tag, name, generation), DiskJournal::Access::ReadOnly);
      if (!journal) return refuse("cannot be brought back to what it held: " + journal.message(), kLost);
      drive.other_journal = std::move(journal).value();
      if (drive.other_journal->generation() != generation) return refuse("belongs to another saved machine", kLost);
      if (!drive.other_journal->describes(now)) return refuse("was changed since the machine was saved", kLost);
      if (drive.medium->writes_through() || (drive.medium->overlay() == nullptr && drive.other_journal->block_count()))
        return refuse("cannot be brought back to what it held", "make it and its saved machine's files writable");
    }
    const DiskJournal& journal = drive.journal != nullptr ? *drive.journal : *drive.other_journal;
    if (auto verified = journal.verify(); !verified) return verified;
  } else if (now.modified_ns != image.modified_ns) {
    return refuse("was changed since the machine was saved", kLost);
  }
  auto checked = walk_blocks(file, section, drive.blocks_at, drive.overlay ? image.size : 0,
                             [](u64, std::span<const u8>) { return Result<>(); });
  if (!checked) return checked;
  drives_.push_back(std::move(drive));
  return {};
}

Result<> SavedDrives::apply(const StateFileReader& file) {
  for (Drive& drive : drives_) {
    if (drive.journal != nullptr || drive.other_journal != nullptr) {
      DiskJournal& journal = drive.journal != nullptr ? *drive.journal : *drive.other_journal;
      if (auto restored = drive.medium->restore(journal); !restored) return restored;
      continue;
    }
    OverlayImage* const overlay = drive.medium->overlay();
    if (overlay == nullptr) continue;
    if (auto cleared = overlay->clear(); !cleared) return cleared;
    auto put = walk_blocks(file, *drive.section, drive.blocks_at, overlay->size_bytes(),
                           [&](u64 offset, std::span<const u8> bytes) { return overlay->write(offset, bytes); });
    if (!put) return put;
  }
  return {};
}

}  // namespace relic86
