// FAT12 on floppies, FAT16 in the one partition of a hard disk (Microsoft: FAT: General Overview of On-Disk Format,
// 1.03).
#include "block/folder_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "block/fat_volume.h"
#include "block/folder_tree.h"

namespace relic86 {

namespace {

constexpr u32 kSector = FatVolume::kSector, kEntry = FatVolume::kEntry;
constexpr u32 kHeads = 16, kTrack = 63;
constexpr u8 kArchive = 0x20, kFolder = 0x10, kLongName = 0x0F;

// What a tree takes in clusters of so many bytes, the root folder excepted.
u64 bytes_in_clusters(const FolderEntry& folder, u64 cluster) {
  u64 total = 0;
  for (const FolderEntry& child : folder.children) {
    u64 size = child.size;
    if (child.folder) {
      size = 2 * kEntry;
      for (const FolderEntry& inner : child.children) size += inner.slots() * kEntry;
      total += bytes_in_clusters(child, cluster);
    }
    total += (size + cluster - 1) / cluster * cluster;
  }
  return total;
}

// Room for what a guest writes, too. Nullopt: no size takes it.
std::optional<FatVolume> plan_disk(const FolderTree& tree) {
  constexpr u32 kCluster = 16, kCylinders = 1024;
  constexpr u64 kSpare = u64{32} << 20;
  FatVolume volume{.hidden = kTrack,
                   .cluster = kCluster,
                   .root_entries = 512,
                   .heads = kHeads,
                   .track = kTrack,
                   .media = 0xF8,
                   .fat16 = true};
  const u64 wanted = (bytes_in_clusters(tree.root, kCluster * kSector) + kSpare) / kSector;
  constexpr u32 kCylinder = kHeads * kTrack;
  const u64 least = 5'000 * kCluster;  // FAT16 begins at 4085 clusters
  const u64 cylinders = (std::max(wanted, least) + kCylinder - 1) / kCylinder + 1;
  if (cylinders > kCylinders) return std::nullopt;
  volume.sectors = static_cast<u32>(cylinders) * kCylinder - kTrack;
  volume.fat_sectors = (volume.sectors / kCluster + 2) * 2 / kSector + 1;
  return volume;
}

std::optional<FatVolume> plan_floppy(const FolderTree& tree) {
  constexpr u64 kCommon = 1440;  // KiB; every 3.5-inch drive since the PS/2 reads it
  for (const FatVolume& size : FatVolume::floppies()) {
    if (size.kilobytes() >= kCommon &&
        bytes_in_clusters(tree.root, size.cluster_bytes()) <= size.clusters() * size.cluster_bytes())
      return size;
  }
  return std::nullopt;
}

class Builder {
 public:
  explicit Builder(const FatVolume& volume) : volume_(volume), bytes_(volume.make_disk()) {}

  Result<> build(const FolderTree& tree) {
    if (volume_.hidden != 0) write_partition_table();
    u32 slots = 0;
    for (const FolderEntry& child : tree.root.children) slots += child.slots();
    if (slots > volume_.root_entries)
      return Error{
          fmt::format("{}: holds too many files for a root folder, of which there can be {}; put them into folders",
                      tree.root.path, volume_.root_entries)};
    return write_children(tree.root, u64{volume_.hidden + volume_.root_sector()} * kSector, 0);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  void put(u64 at, u64 value, unsigned size) { put_little(bytes_, at, value, size); }

  // One active partition of type 06h (FAT16 above 32 MiB), or 04h.
  void write_partition_table() {
    constexpr u64 kFirst = 446;
    constexpr u32 kSmall = 65536;
    const auto cylinder_head_sector = [&](u64 at, u32 sector) {
      const u32 cylinder = std::min<u32>(sector / (kHeads * kTrack), 1023);
      bytes_[at] = static_cast<u8>(sector / kTrack % kHeads);
      bytes_[at + 1] = static_cast<u8>((sector % kTrack + 1) | (cylinder >> 8 << 6));
      bytes_[at + 2] = static_cast<u8>(cylinder);
    };
    bytes_[kFirst] = 0x80;
    cylinder_head_sector(kFirst + 1, volume_.hidden);
    bytes_[kFirst + 4] = volume_.sectors < kSmall ? 4 : 6;
    cylinder_head_sector(kFirst + 5, volume_.hidden + volume_.sectors - 1);
    put(kFirst + 8, volume_.hidden, 4);
    put(kFirst + 12, volume_.sectors, 4);
    put(510, 0xAA55, 2);
  }

  // The first of the clusters that hold so many bytes; 0: none are needed.
  u32 allocate(u64 size) {
    const u64 cluster_bytes = volume_.cluster_bytes();
    const u32 count = static_cast<u32>((size + cluster_bytes - 1) / cluster_bytes);
    RELIC86_ASSERT(next_ + count <= volume_.clusters() + 2);
    for (u32 i = 0; i < count; i++) volume_.set_entry(bytes_, next_ + i, i + 1 < count ? next_ + i + 1 : 0xFFFF);
    next_ += count;
    return count == 0 ? 0 : next_ - count;
  }
  u64 place_of(u32 cluster) const {
    return (u64{volume_.hidden} + volume_.data_sector() + u64{cluster - 2} * volume_.cluster) * kSector;
  }

  Result<> write_children(const FolderEntry& folder, u64 at, u32 own_cluster) {
    for (const FolderEntry& child : folder.children) {
      u32 first = 0;
      if (child.folder) {
        u64 size = 2 * kEntry;
        for (const FolderEntry& inner : child.children) size += inner.slots() * kEntry;
        first = allocate(size);
        const u64 place = place_of(first);
        constexpr std::array<char, 11> kSelf = {'.', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
        constexpr std::array<char, 11> kParent = {'.', '.', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
        write_entry(place, kSelf, child, first);
        write_entry(place + kEntry, kParent, child, own_cluster);
        if (auto written = write_children(child, place + 2 * kEntry, first); !written) return written;
      } else if (child.size != 0) {
        first = allocate(child.size);
        std::ifstream stream(child.path, std::ios::binary);
        stream.read(reinterpret_cast<char*>(&bytes_[place_of(first)]), child.size);
        if (!stream) return Error{fmt::format("{}: cannot be read; check its permissions", child.path)};
      }
      at = write_long_name(at, child);
      write_entry(at, child.name, child, first);
      at += kEntry;
    }
    return {};
  }

  void write_entry(u64 at, const std::array<char, 11>& name, const FolderEntry& entry, u32 first) {
    std::copy(name.begin(), name.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    bytes_[at + 11] = entry.folder ? kFolder : kArchive;
    const std::time_t modified = entry.modified;
    std::tm date{};
    localtime_r(&modified, &date);
    const int year = std::clamp(date.tm_year - 80, 0, 127);
    put(at + 22, static_cast<u64>(date.tm_hour << 11 | date.tm_min << 5 | std::min(date.tm_sec, 59) / 2), 2);
    put(at + 24, static_cast<u64>(year << 9 | (date.tm_mon + 1) << 5 | date.tm_mday), 2);
    put(at + 26, first, 2);
    put(at + 28, entry.size, 4);
  }

  // The parts of a long name stand before the entry, the last one first.
  u64 write_long_name(u64 at, const FolderEntry& entry) {
    const u32 parts = entry.slots() - 1;
    u8 checksum = 0;
    for (const char c : entry.name) checksum = static_cast<u8>((checksum >> 1 | checksum << 7) + static_cast<u8>(c));
    constexpr u8 kPlaces[] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    for (u32 part = parts; part > 0; part--, at += kEntry) {
      bytes_[at] = static_cast<u8>(part | (part == parts ? 0x40 : 0));
      bytes_[at + 11] = kLongName;
      bytes_[at + 13] = checksum;
      for (std::size_t i = 0; i < std::size(kPlaces); i++) {
        const std::size_t from = (part - 1) * std::size(kPlaces) + i;
        const std::size_t length = entry.long_name.size();
        put(at + kPlaces[i], from < length ? entry.long_name[from] : from == length ? 0 : 0xFFFF, 2);
      }
    }
    return at;
  }

  const FatVolume volume_;
  std::vector<u8> bytes_;
  u32 next_ = 2;
};

class FolderFile final : public ImageFile {
 public:
  FolderFile(std::string path, std::vector<u8> bytes, i64 modified_ns)
      : path_(std::move(path)), bytes_(std::move(bytes)), modified_ns_(modified_ns) {}

  const std::string& path() const override { return path_; }
  u64 size_bytes() const override { return bytes_.size(); }
  bool read_only() const override { return true; }
  Result<> read(u64 offset, std::span<u8> bytes) override {
    if (offset > bytes_.size() || bytes.size() > bytes_.size() - offset) return Error{path_ + ": read beyond the end"};
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
    return {};
  }
  Result<> write(u64, std::span<const u8>) override { return Error{path_ + ": the folder is never written"}; }
  Result<> flush() override { return {}; }
  Result<> resize(u64) override { return Error{path_ + ": the folder is never written"}; }
  bool punch_hole(u64, u64) override { return false; }
  u64 allocated_bytes() const override { return bytes_.size(); }
  i64 modified_ns() const override { return modified_ns_; }

 private:
  std::string path_;
  std::vector<u8> bytes_;
  i64 modified_ns_;
};

constexpr std::string_view kFloppyWord = "floppy:";

}  // namespace

std::string folder_of_disk(std::string_view file) {
  file.remove_prefix(kFolderPrefix.size());
  if (file.starts_with(kFloppyWord)) file.remove_prefix(kFloppyWord.size());
  return std::string(file);
}

Result<std::unique_ptr<ImageFile>> open_folder_disk(const std::string& file) {
  const bool floppy = std::string_view(file).substr(kFolderPrefix.size()).starts_with(kFloppyWord);
  const std::string folder = folder_of_disk(file);
  if (folder.starts_with("rw:"))
    return Error{
        fmt::format("{}: folders are not written; leave rw: out, what the guest writes is dropped at the end", file)};
  auto tree = read_folder_tree(folder);
  if (!tree) return tree.error();
  const auto volume = floppy ? plan_floppy(tree.value()) : plan_disk(tree.value());
  if (!volume)
    return Error{fmt::format("{}: holds {} MiB, too much for {}", folder, tree.value().bytes >> 20,
                             floppy ? "a floppy; give it to a hard disk (-hdb fat:FOLDER)"
                                    : "a disk of 504 MiB; name a smaller folder, or make a disk image")};
  Builder builder(*volume);
  if (auto built = builder.build(tree.value()); !built) return built.error();
  return std::unique_ptr<ImageFile>(std::make_unique<FolderFile>(file, builder.take(), tree.value().modified_ns));
}

}  // namespace relic86
