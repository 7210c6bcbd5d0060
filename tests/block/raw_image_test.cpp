#include "block/raw_image.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "block/open_image.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using Access = RawImage::Access;
using test::TemporaryFolder;

std::string failure(const std::string& path, Access access = Access::ReadWrite) {
  auto image = open_image({.file = path}, access);
  return image.ok() ? "opened" : image.message();
}
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RawImage, ReadsAndWritesBytes) {
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(4096, 'a'));
  auto image = RawImage::open(path, Access::ReadWrite);
  ASSERT_TRUE(image.ok()) << image.message();
  const std::vector<u8> put = {1, 2, 3};
  ASSERT_TRUE(image.value()->write(1000, put).ok());
  ASSERT_TRUE(image.value()->flush().ok());
  std::vector<u8> got(5);
  ASSERT_TRUE(image.value()->read(999, got).ok());
  EXPECT_EQ(got, (std::vector<u8>{'a', 1, 2, 3, 'a'}));
  EXPECT_EQ(image.value()->size_bytes(), 4096u);
  EXPECT_FALSE(image.value()->read(4095, got).ok());
  EXPECT_FALSE(image.value()->write(4094, put).ok());
  EXPECT_FALSE(image.value()->read(~u64{0} - 1, got).ok());
  EXPECT_EQ(folder.read("disk.img").size(), 4096u);
}

TEST(RawImage, MessagesNameFileCauseAndMend) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(failure(folder.path("no.img")), folder.path("no.img") + ": not found; "));
  EXPECT_TRUE(contains(failure(folder.path()), "is a directory; "));
  EXPECT_TRUE(contains(failure(folder.path(), Access::ReadOnly), "is a directory; "));
  EXPECT_TRUE(contains(failure(folder.write("empty.img", "")), "is empty; "));
  EXPECT_TRUE(
      contains(failure(folder.write("a.qed", std::string("QED\0", 4))), "is a QED file, which cannot be opened; "));
  EXPECT_TRUE(contains(failure(folder.write("a.vmdk", "KDMV....")), "VMDK"));
  EXPECT_TRUE(contains(failure(folder.write("a.vdi", std::string(64, ' ') + "\x7F\x10\xDA\xBE")), "VDI"));
  EXPECT_TRUE(contains(failure(folder.write("a.vhd", "conectix" + std::string(1016, '\0'))), "checksum of the VHD"));
  // Any disk may end with these letters.
  EXPECT_EQ(failure(folder.write("b.vhd", std::string(1024, '\0') + "conectix" + std::string(504, '\0'))), "opened");
  EXPECT_TRUE(contains(failure(""), "empty file name"));
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(contains(failure(folder.path("pipe"), Access::ReadOnly), "neither a file nor a block device"));
}

TEST(RawImage, RawFormatTakesAnyBytes) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.img", "QFI\xFB" + std::string(508, '\2'));
  EXPECT_FALSE(open_image({.file = path}, Access::ReadWrite).ok());
  EXPECT_TRUE(open_image({.file = path, .format = ImageFormat::Raw}, Access::ReadWrite).ok());
}

TEST(RawImage, AGuessedFormatStaysWhatItIs) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.img", std::string(1024, '\0'));
  const std::string header = "QFI\xFB" + std::string("\0\0\0\3", 4);
  const std::vector<u8> signature(header.begin(), header.end());
  {
    auto image = open_image({.file = path}, Access::ReadWrite);
    ASSERT_TRUE(image.ok());
    const auto written = image.value()->write(0, signature);
    ASSERT_FALSE(written.ok());
    EXPECT_TRUE(contains(written.message(), "only guessed to be raw; say format=raw"));
    EXPECT_TRUE(image.value()->write(0, std::vector<u8>(512, 1)).ok());
    EXPECT_TRUE(image.value()->write(512, signature).ok());
    // In two pieces.
    EXPECT_TRUE(image.value()->write(4, std::span(signature).subspan(4)).ok());
    EXPECT_FALSE(image.value()->write(0, std::span(signature).first(4)).ok());
  }
  auto image = open_image({.file = path, .format = ImageFormat::Raw}, Access::ReadWrite);
  ASSERT_TRUE(image.ok());
  EXPECT_TRUE(image.value()->write(0, signature).ok());
}

TEST(RawImage, NoPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root may do everything";
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(512, 'a'));
  chmod(path.c_str(), 0400);
  EXPECT_TRUE(contains(failure(path), "no permission to write; "));
  EXPECT_EQ(failure(path, Access::ReadOnly), "opened");
  chmod(path.c_str(), 0);
  EXPECT_TRUE(contains(failure(path, Access::ReadOnly), "no permission to read; "));
}

TEST(RawImage, OneWriterOrManyReaders) {
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(512, 'a'));
  {
    auto writer = RawImage::open(path, Access::ReadWrite);
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(contains(failure(path), path + ": failed to get \"write\" lock: another process is writing to it; "));
    EXPECT_TRUE(contains(failure(path, Access::ReadOnly), "failed to get \"consistent read\" lock"));
  }
  auto reader = RawImage::open(path, Access::ReadOnly);
  ASSERT_TRUE(reader.ok());
  auto second = RawImage::open(path, Access::ReadOnly);
  EXPECT_TRUE(second.ok());
  EXPECT_TRUE(contains(failure(path), "another process is reading it; "));
}

TEST(RawImage, PartialLastSectorReadsZeroPadded) {
  const TemporaryFolder folder;
  const auto path = folder.write("odd.img", std::string(700, 'a'));
  auto image = RawImage::open(path, Access::ReadWrite);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value()->size_bytes(), 1024u);
  std::vector<u8> sector(512, 0xFF);
  ASSERT_TRUE(image.value()->read(512, sector).ok());
  EXPECT_EQ(sector[187], 'a');
  EXPECT_EQ(sector[188], 0);
  EXPECT_EQ(sector[511], 0);
  ASSERT_TRUE(image.value()->write(512, sector).ok());  // zeros behind the end need no room
  EXPECT_EQ(folder.read("odd.img").size(), 700u);
  sector[300] = 7;
  ASSERT_TRUE(image.value()->write(512, sector).ok());
  EXPECT_EQ(folder.read("odd.img").size(), 813u);
  std::vector<u8> again(512);
  ASSERT_TRUE(image.value()->read(512, again).ok());
  EXPECT_EQ(again, sector);
}

TEST(RawImage, FileCutShortWhileInUseIsAnError) {
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(4096, 'a'));
  auto image = RawImage::open(path, Access::ReadWrite);
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(truncate(path.c_str(), 1024), 0);
  std::vector<u8> sector(512);
  EXPECT_TRUE(image.value()->read(512, sector).ok());
  const auto result = image.value()->read(1024, sector);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(contains(result.message(), "has become shorter"));
}

TEST(RawImage, ReadOnlyRefusesWrites) {
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(512, 'a'));
  auto image = RawImage::open(path, Access::ReadOnly);
  ASSERT_TRUE(image.ok());
  EXPECT_TRUE(image.value()->read_only());
  EXPECT_FALSE(image.value()->write(0, std::vector<u8>(1)).ok());
}

TEST(RawImage, HostLimitIsAnErrorThatKeepsTheRest) {
  // The last sector lies behind the size that this process may give files: the write ends as on a full disk.
  const TemporaryFolder folder;
  const auto path = folder.write("disk.img", std::string(1500, 'a'));
  auto image = RawImage::open(path, Access::ReadWrite);
  ASSERT_TRUE(image.ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1500, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = image.value()->write(1024, std::vector<u8>(512, 'b'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(contains(result.message(), path + ": writing failed ("));
  const auto content = folder.read("disk.img");
  EXPECT_EQ(content.substr(0, 1024), std::string(1024, 'a'));
  EXPECT_EQ(content.size(), 1500u);
  std::vector<u8> sector(512);
  EXPECT_TRUE(image.value()->read(1024, sector).ok());
  EXPECT_TRUE(image.value()->write(0, sector).ok());
}

}  // namespace
}  // namespace relic86
