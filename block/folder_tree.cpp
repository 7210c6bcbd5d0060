#include "block/folder_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

namespace relic86 {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kDeepest = 16;  // a link that leads back up ends here
constexpr u32 kMostEntries = 20'000;
constexpr u64 kLargestFile = u64{1} << 30;
constexpr std::size_t kLongNamePart = 13;  // characters in an entry of a long name
constexpr std::size_t kLongestName = 255;

// The characters that short names may have beside letters and digits (Microsoft: FAT: General Overview of On-Disk
// Format, 1.03, "FAT Directory Structure").
bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("$%'-_@~`!(){}^#&").find(c) != std::string_view::npos;
}

// A name without what short names cannot have. changed: something was left out or replaced.
std::string plain(std::string_view text, std::size_t most, bool& changed) {
  std::string result;
  for (char c : text) {
    if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
      changed = true;
    }
    if (c == ' ' || c == '.') {
      changed = true;
      continue;
    }
    if (!is_plain(c)) {
      c = '_';
      changed = true;
    }
    if (result.size() == most) {
      changed = true;
      break;
    }
    result += c;
  }
  return result;
}

std::array<char, 11> padded(std::string_view base, std::string_view ending) {
  std::array<char, 11> name;
  name.fill(' ');
  std::copy(base.begin(), base.end(), name.begin());
  std::copy(ending.begin(), ending.end(), name.begin() + 8);
  return name;
}

// UTF-8 as the UTF-16 of long names; bytes that are none become underscores.
std::u16string wide(std::string_view text) {
  std::u16string result;
  while (!text.empty()) {
    const auto first = static_cast<u8>(text.front());
    const std::size_t more = first < 0x80 ? 0 : first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC2 ? 1 : 4;
    char32_t character = more == 0 ? first : first & (0x3Fu >> more);
    bool sound = more < 4 && text.size() > more;
    for (std::size_t i = 1; sound && i <= more; i++) {
      sound = (static_cast<u8>(text[i]) & 0xC0) == 0x80;
      character = character << 6 | (static_cast<u8>(text[i]) & 0x3F);
    }
    text.remove_prefix(sound ? more + 1 : 1);
    if (!sound || character > 0x10FFFF ||
        (character < 0x80 &&
         std::string_view("\"*/:<>?\\|").find(static_cast<char>(character)) != std::string_view::npos))
      character = '_';
    if (character < 0x10000) {
      result += static_cast<char16_t>(character);
    } else {
      result += static_cast<char16_t>(0xD7C0 + (character >> 10));
      result += static_cast<char16_t>(0xDC00 + (character & 0x3FF));
    }
  }
  return result.substr(0, kLongestName);
}

// The names of a folder: each entry gets a short one that no other has, and the long one if that is not all of it.
class Namer {
 public:
  void name(FolderEntry& entry, const std::string& name);

 private:
  std::set<std::array<char, 11>> taken_;
  std::map<std::array<char, 11>, unsigned> next_;  // the number for a name that is written with a blank number
};

void Namer::name(FolderEntry& entry, const std::string& name) {
  const auto point = name.rfind('.');
  const bool has_ending = point != std::string::npos && point != 0;
  const std::string_view whole = name;
  bool changed = false;
  std::string base = plain(has_ending ? whole.substr(0, point) : whole, 8, changed);
  const std::string ending = has_ending ? plain(whole.substr(point + 1), 3, changed) : "";
  if (base.empty()) base = "_", changed = true;
  entry.name = padded(base, ending);
  unsigned digits = 1, beyond = 10;
  while (!taken_.insert(entry.name).second) {
    changed = true;
    const std::string stem = base.substr(0, 7 - digits);
    unsigned& number =
        next_.try_emplace(padded(stem + '~' + std::string(digits, '?'), ending), beyond / 10).first->second;
    if (number == beyond) {  // all numbers of so many digits are given: the stem gets shorter
      digits++;
      beyond *= 10;
    } else {
      entry.name = padded(fmt::format("{}~{}", stem, number++), ending);
    }
  }
  if (changed) entry.long_name = wide(name);
}

class Reader {
 public:
  explicit Reader(FolderTree& tree) : tree_(tree) {}

  Result<> read(FolderEntry& folder, unsigned depth) {
    std::error_code failure;
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(folder.path, failure))
      names.push_back(item.path().filename().string());
    if (failure) return Error{fmt::format("{}: {}; name a folder that can be read", folder.path, failure.message())};
    std::sort(names.begin(), names.end());
    Namer namer;
    for (const std::string& name : names) {
      FolderEntry entry;
      entry.path = folder.path + "/" + name;
      struct stat about {};
      if (::stat(entry.path.c_str(), &about) != 0) continue;  // a link that leads nowhere
      entry.folder = S_ISDIR(about.st_mode);
      if (!entry.folder && !S_ISREG(about.st_mode)) continue;
      if (!entry.folder && static_cast<u64>(about.st_size) > kLargestFile)
        return Error{fmt::format("{}: is larger than 1 GiB; put it on a disk image", entry.path)};
      if (++tree_.entries > kMostEntries)
        return Error{
            fmt::format("{}: the folder holds more than {} files; name a smaller one", entry.path, kMostEntries)};
      entry.size = entry.folder ? 0 : static_cast<u32>(about.st_size);
      note_time(entry, about);
      tree_.bytes += entry.size;
      namer.name(entry, name);
      if (entry.folder && depth < kDeepest) {
        if (auto done = read(entry, depth + 1); !done) return done;
      }
      folder.children.push_back(std::move(entry));
    }
    return {};
  }

 private:
  void note_time(FolderEntry& entry, const struct stat& about) {
    constexpr i64 kSecond = 1'000'000'000;
    entry.modified = about.st_mtim.tv_sec;
    tree_.modified_ns = std::max(tree_.modified_ns, about.st_mtim.tv_sec * kSecond + about.st_mtim.tv_nsec);
  }
  FolderTree& tree_;
};

}  // namespace

u32 FolderEntry::slots() const { return 1 + static_cast<u32>((long_name.size() + kLongNamePart - 1) / kLongNamePart); }

Result<FolderTree> read_folder_tree(const std::string& folder) {
  FolderTree tree;
  tree.root.path = folder;
  tree.root.folder = true;
  if (auto read = Reader(tree).read(tree.root, 0); !read) return read.error();
  return tree;
}

}  // namespace relic86
