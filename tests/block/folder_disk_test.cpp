// Folders as disks: read again as DOS and its successors read a FAT file system, everything is there.
#include "block/folder_disk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace relic86 {
namespace {

namespace fs = std::filesystem;

// What a reader of FAT file systems finds: paths of short names with contents, folders end with '/'.
class FatReader {
 public:
  FatReader(ImageFile& file, u64 start) : file_(file), start_(start) {
    sector_per_cluster_ = number(13, 1);
    root_entries_ = number(17, 2);
    fat_sectors_ = number(22, 2);
    sectors_ = number(19, 2) != 0 ? number(19, 2) : number(32, 4);
    data_ = 1 + 2 * fat_sectors_ + root_entries_ * 32 / 512;
    clusters_ = (sectors_ - data_) / sector_per_cluster_;
    folder("", bytes(512 * (1 + 2 * fat_sectors_), root_entries_ * 32));
  }
  bool fat16() const { return clusters_ >= 4085; }
  u64 sectors() const { return sectors_; }
  std::map<std::string, std::string> files;
  std::map<std::string, std::u16string> long_names;

 private:
  std::vector<u8> bytes(u64 at, u64 size) {
    std::vector<u8> result(size);
    EXPECT_TRUE(file_.read(start_ + at, result).ok());
    return result;
  }
  u64 number(u64 at, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; i++) value |= u64{bytes(at + i, 1)[0]} << (8 * i);
    return value;
  }
  u64 next(u64 cluster) {
    const u64 one = fat16() ? number(512 + cluster * 2, 2) : number(512 + cluster * 3 / 2, 2);
    const u64 same = fat16() ? number(512 * (1 + fat_sectors_) + cluster * 2, 2)
                             : number(512 * (1 + fat_sectors_) + cluster * 3 / 2, 2);
    EXPECT_EQ(one, same) << "both FATs are alike";
    if (fat16()) return one;
    return (cluster & 1) != 0 ? one >> 4 : one & 0xFFF;
  }
  std::vector<u8> chain(u64 cluster) {
    std::vector<u8> result;
    const u64 last = fat16() ? 0xFFF8 : 0xFF8;
    while (cluster != 0 && cluster < last) {
      EXPECT_TRUE(cluster >= 2 && cluster < clusters_ + 2);
      const auto part = bytes(512 * (data_ + (cluster - 2) * sector_per_cluster_), 512 * sector_per_cluster_);
      result.insert(result.end(), part.begin(), part.end());
      cluster = next(cluster);
    }
    return result;
  }
  void folder(const std::string& path, const std::vector<u8>& entries) {
    std::u16string long_name;
    for (std::size_t at = 0; at + 32 <= entries.size() && entries[at] != 0; at += 32) {
      const auto field = [&](std::size_t offset, unsigned size) {
        u64 value = 0;
        for (unsigned i = 0; i < size; i++) value |= u64{entries[at + offset + i]} << (8 * i);
        return value;
      };
      if (entries[at + 11] == 0x0F) {
        std::u16string part;
        for (const unsigned place : {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}) {
          const auto c = static_cast<char16_t>(field(place, 2));
          if (c == 0 || c == 0xFFFF) break;
          part += c;
        }
        long_name.insert(0, part);
        continue;
      }
      std::string name(entries.begin() + static_cast<std::ptrdiff_t>(at),
                       entries.begin() + static_cast<std::ptrdiff_t>(at) + 11);
      std::string base = name.substr(0, 8), ending = name.substr(8);
      base.erase(base.find_last_not_of(' ') + 1);
      ending.erase(ending.find_last_not_of(' ') + 1);
      if (base == "." || base == "..") continue;
      std::string whole = path + base + (ending.empty() ? "" : "." + ending);
      if (!long_name.empty()) long_names[whole] = long_name;
      long_name.clear();
      const auto content = chain(field(26, 2));
      if ((entries[at + 11] & 0x10) != 0) {
        whole += "/";
        files[whole] = "";
        folder(whole, content);
      } else {
        const u64 size = field(28, 4);
        ASSERT_LE(size, content.size());
        files[whole] = std::string(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
      }
    }
  }
  ImageFile& file_;
  u64 start_;
  u64 sector_per_cluster_, root_entries_, fat_sectors_, sectors_, data_, clusters_;
};

class FolderDisk : public testing::Test {
 protected:
  FolderDisk() {
    folder_ = fs::path(testing::TempDir()) / fmt::format("folder_disk_test.{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FolderDisk() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  void fill() {
    write("README.TXT", "read me\r\n");
    write("lower case name.text", std::string(20'000, 'a') + "end");
    write("SUB/INNER/DEEP.DAT", std::string(1000, 'd'));
    write("sub2/empty", "");
    for (unsigned i = 0; i < kAlike; i++) write(fmt::format("many/a long name number {}.txt", i), fmt::format("{}", i));
    write("\xC3\xA4:b", "umlaut");
  }
  void expect_all(FatReader& found) {
    EXPECT_EQ(found.files["README.TXT"], "read me\r\n");
    EXPECT_EQ(found.files["LOWERCAS.TEX"], std::string(20'000, 'a') + "end");
    EXPECT_EQ(found.long_names["LOWERCAS.TEX"], u"lower case name.text");
    EXPECT_EQ(found.files["SUB/INNER/DEEP.DAT"], std::string(1000, 'd'));
    EXPECT_EQ(found.long_names.count("README.TXT"), 0u);
    EXPECT_TRUE(found.files.contains("SUB2/EMPTY"));
    EXPECT_EQ(found.files["MANY/ALONGNAM.TXT"], "0");
    EXPECT_EQ(found.files["MANY/ALONGN~1.TXT"], "1");
    unsigned many = 0;
    for (const auto& [name, content] : found.files) many += name.starts_with("MANY/A") ? 1 : 0;
    EXPECT_EQ(many, kAlike);  // each has a short name of its own
    EXPECT_EQ(found.long_names["___B"], u"\u00E4_b");
  }
  static constexpr unsigned kAlike = 120;
  fs::path folder_;
};

TEST_F(FolderDisk, AHardDiskHasOnePartition) {
  fill();
  auto disk = open_folder_disk("fat:" + folder_.string());
  ASSERT_TRUE(disk.ok()) << disk.message();
  std::vector<u8> table(512);
  ASSERT_TRUE(disk.value()->read(0, table).ok());
  EXPECT_EQ(table[510] | table[511] << 8, 0xAA55);
  EXPECT_EQ(table[446], 0x80);
  const u32 first = table[454] | u32{table[455]} << 8,
            count = table[458] | u32{table[459]} << 8 | u32{table[460]} << 16;
  EXPECT_EQ((u64{first} + count) * 512, disk.value()->size_bytes());
  FatReader found(*disk.value(), u64{first} * 512);
  EXPECT_TRUE(found.fat16());
  EXPECT_EQ(found.sectors(), count);
  expect_all(found);
  EXPECT_TRUE(disk.value()->read_only());
}

TEST_F(FolderDisk, AFloppyIsTheSmallestThatTakesIt) {
  fill();
  auto disk = open_folder_disk("fat:floppy:" + folder_.string());
  ASSERT_TRUE(disk.ok()) << disk.message();
  EXPECT_EQ(disk.value()->size_bytes(), 1440u * 1024);
  FatReader found(*disk.value(), 0);
  EXPECT_FALSE(found.fat16());
  expect_all(found);
  write("BIG", std::string(1'500'000, 'x'));
  auto larger = open_folder_disk("fat:floppy:" + folder_.string());
  ASSERT_TRUE(larger.ok()) << larger.message();
  EXPECT_EQ(larger.value()->size_bytes(), 2880u * 1024);
  EXPECT_EQ(FatReader(*larger.value(), 0).files["BIG"], std::string(1'500'000, 'x'));
  write("BIGGER", std::string(1'500'000, 'y'));
  EXPECT_NE(open_folder_disk("fat:floppy:" + folder_.string())
                .message()
                .find("too much for a floppy; give it to a hard disk"),
            std::string::npos);
}

TEST_F(FolderDisk, Refusals) {
  EXPECT_NE(open_folder_disk("fat:" + folder_.string() + "/no").message().find("No such file or directory"),
            std::string::npos);
  EXPECT_NE(open_folder_disk("fat:rw:x").message().find("leave rw: out"), std::string::npos);
  for (unsigned i = 0; i < 600; i++) write(fmt::format("{}.TXT", i), "");
  EXPECT_NE(open_folder_disk("fat:" + folder_.string()).message().find("put them into folders"), std::string::npos);
}

// A link that leads back up does not lead in circles for ever.
TEST_F(FolderDisk, LinksThatLeadBack) {
  write("A.TXT", "a");
  fs::create_directory_symlink(folder_, folder_ / "loop");
  fs::create_symlink(folder_ / "nowhere", folder_ / "dangling");
  auto disk = open_folder_disk("fat:" + folder_.string());
  ASSERT_TRUE(disk.ok()) << disk.message();
}

}  // namespace
}  // namespace relic86
