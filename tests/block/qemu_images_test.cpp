// Images go both ways between us and qemu-img: what it makes reads as it says, what we write it calls clean and equal.
#include <gtest/gtest.h>

#include <fstream>

#include "block/drive_medium.h"
#include "block/open_image.h"
#include "tests/block/image_model.h"
#include "tests/block/qemu_tools.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using Access = HostFile::Access;
using test::ImageModel;
using test::TemporaryFolder;

// A disk with zeros, text and noise in pieces of many sizes.
std::string disk_content(std::size_t size, u32 seed) {
  std::mt19937 random(seed);
  std::string content(size, '\0');
  for (std::size_t at = 0; at < size;) {
    const std::size_t length = std::min<std::size_t>(size - at, 1 + random() % 150'000);
    const u32 kind = random() % 3;
    for (std::size_t i = at; i < at + length && kind != 0; i++)
      content[i] = static_cast<char>(kind == 1 ? 'a' + i % 23 : random());
    at += length;
  }
  return content;
}

void expect_equal(const std::string& file, const std::string& content) {
  auto image = open_image({.file = file}, Access::ReadOnly);
  ASSERT_TRUE(image.ok()) << image.message();
  ASSERT_EQ(image.value()->size_bytes(), content.size());
  std::vector<u8> bytes(content.size());
  const auto read = image.value()->read(0, bytes);
  ASSERT_TRUE(read.ok()) << read.message();
  const auto differs =
      std::mismatch(bytes.begin(), bytes.end(), content.begin(), [](u8 a, char b) { return a == static_cast<u8>(b); });
  EXPECT_EQ(differs.first, bytes.end()) << "byte " << differs.first - bytes.begin();
}

struct Making {
  const char* format;
  const char* options;     // of qemu-img convert
  const char* check = "";  // what qemu-img is asked besides compare; empty: nothing
};
std::string name_of(const testing::TestParamInfo<Making>& info) {
  std::string name = fmt::format("{}_{}", info.param.format, info.param.options);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name + std::to_string(info.index);
}

class ReadByUs : public testing::TestWithParam<Making> {};

TEST_P(ReadByUs, HoldsWhatQemuImgPutIn) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const std::string content = disk_content(5'000'192, 11);
  const auto raw = folder.write("raw.img", content), file = folder.path("image");
  RELIC86_RUN("qemu-img convert -f raw -O {} {} {} {}", GetParam().format, GetParam().options, raw, file);
  expect_equal(file, content);
}
INSTANTIATE_TEST_SUITE_P(
    Qcow2, ReadByUs,
    testing::Values(Making{"qcow2", ""}, Making{"qcow2", "-c"}, Making{"qcow2", "-o compat=0.10"},
                    Making{"qcow2", "-c -o compat=0.10"}, Making{"qcow2", "-c -o compression_type=zstd"},
                    Making{"qcow2", "-o cluster_size=512"},
                    Making{"qcow2", "-c -o cluster_size=4096,compression_type=zstd"},
                    Making{"qcow2", "-o cluster_size=2M"}, Making{"qcow2", "-c -o cluster_size=2M"},
                    Making{"qcow2", "-o extended_l2=on,cluster_size=16k"}, Making{"qcow2", "-o extended_l2=on"},
                    Making{"qcow2", "-o preallocation=metadata"}, Making{"qcow2", "-o preallocation=falloc"},
                    Making{"qcow2", "-S 0 -o preallocation=full"}, Making{"qcow2", "-o refcount_bits=1"},
                    Making{"qcow2", "-o refcount_bits=64"}, Making{"qcow2", "-o lazy_refcounts=on"}),
    name_of);
INSTANTIATE_TEST_SUITE_P(Others, ReadByUs,
                         testing::Values(Making{"vdi", ""}, Making{"vdi", "-o static=on"}, Making{"vmdk", ""},
                                         Making{"vmdk", "-o zeroed_grain=on"},
                                         Making{"vmdk", "-o subformat=monolithicFlat"},
                                         Making{"vmdk", "-o subformat=twoGbMaxExtentSparse"},
                                         Making{"vmdk", "-o subformat=twoGbMaxExtentFlat"},
                                         Making{"vmdk", "-o subformat=streamOptimized"},
                                         Making{"vpc", "-o subformat=dynamic,force_size=on"},
                                         Making{"vpc", "-o subformat=fixed,force_size=on"}, Making{"vhdx", ""},
                                         Making{"vhdx", "-o subformat=fixed"}, Making{"vhdx", "-o block_size=1M"}),
                         name_of);

// Written at random over what qemu-img made.
class WrittenByUs : public testing::TestWithParam<Making> {};

TEST_P(WrittenByUs, IsCleanAndEqualForQemuImg) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const std::string content = disk_content(3'000'320, 12);
  const auto raw = folder.write("raw.img", content), file = folder.path("image");
  RELIC86_RUN("qemu-img convert -f raw -O {} {} {} {}", GetParam().format, GetParam().options, raw, file);
  ImageModel model({content.begin(), content.end()}, 13);
  for (int round = 0; round < 2; round++) {
    {
      auto image = open_image({.file = file}, Access::ReadWrite);
      ASSERT_TRUE(image.ok()) << image.message();
      for (int i = 0; i < 80; i++) model.step(*image.value(), 200'000);
      if (HasFatalFailure()) return;
    }
    folder.write("raw.img", {model.content().begin(), model.content().end()});
    if (*GetParam().check != 0) RELIC86_RUN("qemu-img {} -f {} {}", GetParam().check, GetParam().format, file);
    RELIC86_RUN("qemu-img compare -f raw -F {} {} {}", GetParam().format, raw, file);
    // And further by the other program.
    RELIC86_RUN("qemu-io -f {} -c 'write -P {} 700k 300k' -c 'write -z 1M 128k' {}", GetParam().format, 33 + round,
                file);
    RELIC86_RUN("qemu-io -f raw -c 'write -P {} 700k 300k' -c 'write -z 1M 128k' {}", 33 + round, raw);
    const std::string now = folder.read("raw.img");
    model = ImageModel({now.begin(), now.end()}, static_cast<u32>(round));
  }
  expect_equal(file, folder.read("raw.img"));
}
INSTANTIATE_TEST_SUITE_P(
    Qcow2, WrittenByUs,
    testing::Values(Making{"qcow2", "", "check"}, Making{"qcow2", "-c", "check"},
                    Making{"qcow2", "-o compat=0.10", "check"}, Making{"qcow2", "-c -o compat=0.10", "check"},
                    Making{"qcow2", "-c -o compression_type=zstd,cluster_size=4k", "check"},
                    Making{"qcow2", "-o cluster_size=512", "check"}, Making{"qcow2", "-o cluster_size=2M", "check"},
                    Making{"qcow2", "-o preallocation=metadata", "check"},
                    Making{"qcow2", "-o refcount_bits=1,cluster_size=1k", "check"},
                    Making{"qcow2", "-o refcount_bits=2", "check"}, Making{"qcow2", "-o refcount_bits=64", "check"},
                    Making{"qcow2", "-o lazy_refcounts=on", "check"}),
    name_of);
INSTANTIATE_TEST_SUITE_P(Others, WrittenByUs,
                         testing::Values(Making{"vdi", "", "check"}, Making{"vdi", "-o static=on", "check"},
                                         Making{"vmdk", "", "check"}, Making{"vmdk", "-o zeroed_grain=on", "check"},
                                         Making{"vmdk", "-o subformat=monolithicFlat"},
                                         Making{"vmdk", "-o subformat=twoGbMaxExtentSparse", "check"},
                                         Making{"vmdk", "-o subformat=twoGbMaxExtentFlat"},
                                         Making{"vpc", "-o subformat=dynamic,force_size=on"},
                                         Making{"vpc", "-o subformat=fixed,force_size=on"}, Making{"vhdx", "", "check"},
                                         Making{"vhdx", "-o subformat=fixed", "check"},
                                         Making{"vhdx", "-o block_size=1M", "check"}),
                         name_of);

TEST(QemuImages, SizesByGeometry) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image");
  // Without force_size the size is that of the geometry, which qemu-img rounds up.
  RELIC86_RUN("qemu-img create -q -f vpc {} 5000192", file);
  const auto size = test::run_command_line("qemu-img info --output=json -f vpc " + file);
  auto image = open_image({.file = file}, Access::ReadOnly);
  ASSERT_TRUE(image.ok()) << image.message();
  EXPECT_NE(size.output.find(fmt::format("\"virtual-size\": {}", image.value()->size_bytes())), std::string::npos)
      << size.output;
}

TEST(QemuImages, ALogThatQemuLeftIsCarriedOut) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image");
  RELIC86_RUN("qemu-img create -q -f vhdx -o block_size=1M {} 8M", file);
  (void)test::run_command_line(
      fmt::format("qemu-io -f vhdx -c 'write -P 65 1M 2M' -c flush -c 'write -P 66 4M 1M' -c 'sigraise 9' {}", file));
  { ASSERT_TRUE(open_image({.file = file}, Access::ReadWrite).ok()); }
  auto image = open_image({.file = file}, Access::ReadOnly);
  ASSERT_TRUE(image.ok()) << image.message();
  std::vector<u8> bytes(2 << 20);
  ASSERT_TRUE(image.value()->read(1 << 20, bytes).ok());
  EXPECT_EQ(bytes, std::vector<u8>(2 << 20, 65));
}

TEST(QemuImages, BackingChainsAndSnapshotsInside) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const std::string content = disk_content(2'000'384, 14);
  const auto base = folder.write("base.img", content), middle = folder.path("middle.qcow2"),
             top = folder.path("top.qcow2");
  RELIC86_RUN("qemu-img create -q -f qcow2 -b base.img -F raw {}", middle);
  RELIC86_RUN("qemu-io -f qcow2 -c 'write -P 65 100k 200k' {}", middle);
  // The topmost is longer than what lies below it.
  RELIC86_RUN("qemu-img create -q -f qcow2 -o cluster_size=4k -b middle.qcow2 -F qcow2 {} 3000320", top);
  RELIC86_RUN("qemu-io -f qcow2 -c 'write -P 66 250k 100k' {}", top);
  RELIC86_RUN("qemu-img snapshot -c first {}", top);
  std::string expected = content;
  expected.resize(3'000'320);
  std::fill_n(expected.begin() + 100 * 1024, 200 * 1024, 'A');
  std::fill_n(expected.begin() + 250 * 1024, 100 * 1024, 'B');
  expect_equal(top, expected);
  ImageModel model({expected.begin(), expected.end()}, 15);
  {
    auto image = open_image({.file = top}, Access::ReadWrite);
    ASSERT_TRUE(image.ok()) << image.message();
    const ImageInfo info = image.value()->info();
    EXPECT_EQ(info.chain_depth(), 2u);
    EXPECT_EQ(info.backing->backing->format, "raw");
    ASSERT_EQ(info.snapshots.size(), 1u);
    EXPECT_EQ(info.snapshots[0].name, "first");
    for (int i = 0; i < 120; i++) model.step(*image.value(), 100'000);
    if (HasFatalFailure()) return;
  }
  RELIC86_RUN("qemu-img check -f qcow2 {}", top);
  RELIC86_RUN("qemu-img check -f qcow2 {}", middle);
  const auto raw = folder.write("raw.img", {model.content().begin(), model.content().end()});
  RELIC86_RUN("qemu-img compare -f raw -F qcow2 {} {}", raw, top);
  // The snapshot is what it was, and its removal leaves a clean image.
  const auto old = folder.write("old.img", expected);
  RELIC86_RUN("qemu-img convert -f qcow2 -O raw -l first {} {}", top, folder.path("first.img"));
  RELIC86_RUN("qemu-img compare -f raw -F raw {} {}", old, folder.path("first.img"));
  RELIC86_RUN("qemu-img snapshot -d first {}", top);
  RELIC86_RUN("qemu-img check -f qcow2 {}", top);
  RELIC86_RUN("qemu-img compare -f raw -F qcow2 {} {}", raw, top);
  EXPECT_EQ(folder.read("base.img"), content);
}

// The parts that a bitmap calls dirty, as qemu-nbd tells them, in units of 64 KiB: "1 2 7".
std::string dirty_parts(const std::string& file, const std::string& bitmap) {
  // The server has let the image go when its process is gone.
  const auto told = test::run_command_line(fmt::format(
      "qemu-nbd -r -f qcow2 -B {1} -k {0}.socket -t --fork --pid-file={0}.pid {0} && qemu-img map "
      "--output=json --image-opts driver=nbd,server.type=unix,server.path={0}.socket,"
      "x-dirty-bitmap=qemu:dirty-bitmap:{1}; server=$(cat {0}.pid) && kill $server && while kill -0 $server "
      "2>/dev/null; do sleep 0.02; done",
      file, bitmap));
  // With a bitmap for a context, what is dirty is told as not being data.
  constexpr u64 kUnit = 0x10000;
  std::string parts;
  std::size_t at = 0;
  while ((at = told.output.find("\"start\": ", at)) != std::string::npos) {
    const u64 start = std::stoull(told.output.substr(at + 9));
    const u64 length = std::stoull(told.output.substr(told.output.find("\"length\": ", at) + 10));
    const std::size_t end = told.output.find('}', at);
    if (told.output.substr(at, end - at).find("\"data\": false") != std::string::npos) {
      for (u64 unit = start / kUnit; unit < (start + length + kUnit - 1) / kUnit; unit++)
        parts += (parts.empty() ? "" : " ") + std::to_string(unit);
    }
    at = end;
  }
  return parts;
}
bool in_use(const std::string& file) {
  return test::run_command_line("qemu-img info -U " + file).output.find("in-use") != std::string::npos;
}

// Those of another program that follow what is written do so here, too; the others stay as they are.
TEST(QemuImages, DirtyBitmapsAreKeptUp) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image");
  RELIC86_RUN("qemu-img create -q -f qcow2 -o cluster_size=512 {} 2000384", file);
  RELIC86_RUN("qemu-img bitmap --add -g 64k {} first", file);
  RELIC86_RUN("qemu-io -f qcow2 -c 'write -P 65 100k 200k' {}", file);
  RELIC86_RUN("qemu-img bitmap --disable {} first", file);
  RELIC86_RUN("qemu-img bitmap --add -g 512 {} fine", file);
  RELIC86_RUN("qemu-img bitmap --add -g 64k {} backup", file);
  RELIC86_RUN("qemu-io -f qcow2 -c 'write -P 65 1900k 10k' {}", file);
  EXPECT_EQ(dirty_parts(file, "first"), "1 2 3 4");
  EXPECT_EQ(dirty_parts(file, "backup"), "29");
  for (unsigned round = 0; round < 2; round++) {
    auto image = open_image({.file = file}, Access::ReadWrite);
    ASSERT_TRUE(image.ok()) << image.message();
    ASSERT_TRUE(image.value()->write(500'000, std::vector<u8>(100'000, 1)).ok());
    ASSERT_TRUE(image.value()->write_zeroes(1'200'000 + round * 200'000, 1).ok());
    ASSERT_TRUE(image.value()->discard(0, 4096).ok());
    image = Error{"closed"};
    EXPECT_FALSE(in_use(file));
    RELIC86_RUN("qemu-img check -f qcow2 {}", file);
  }
  EXPECT_EQ(dirty_parts(file, "first"), "1 2 3 4");
  EXPECT_EQ(dirty_parts(file, "backup"), "0 7 8 9 18 21 29");
  EXPECT_EQ(dirty_parts(file, "fine"), dirty_parts(file, "backup"));
  // QEMU goes on with them.
  RELIC86_RUN("qemu-io -f qcow2 -c 'write 700k 1k' {}", file);
  EXPECT_EQ(dirty_parts(file, "backup"), "0 7 8 9 10 18 21 29");
}

// What is written when the image is closed is no change of somebody else's for the journal of a saved machine.
TEST(QemuImages, DirtyBitmapsAreKeptUpBeforeJournalsAreTold) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image");
  RELIC86_RUN("qemu-img create -q -f qcow2 {} 2000384", file);
  RELIC86_RUN("qemu-img bitmap --add -g 64k {} backup", file);
  constexpr u64 kGeneration = 7;
  {
    const auto medium = DriveMedium::open({.file = file}, DriveMedium::Access::ReadWrite).value();
    medium->add_journal(DiskJournal::create(folder.path("journal"), kGeneration, medium->identity()).value());
    ASSERT_TRUE(medium->write(500'000, std::vector<u8>(100, 1)).ok());
  }
  EXPECT_FALSE(in_use(file));
  EXPECT_EQ(dirty_parts(file, "backup"), "7");
  const auto medium = DriveMedium::open({.file = file}, DriveMedium::Access::ReadWrite).value();
  const auto journal = DiskJournal::open(folder.path("journal"), DiskJournal::Access::ReadOnly);
  ASSERT_TRUE(journal.ok()) << journal.message();
  EXPECT_TRUE(journal.value()->describes(medium->identity()));
}

// While the image is open, and where its size changes, nobody may rely on them.
TEST(QemuImages, DirtyBitmapsThatAreNotWholeAreInUse) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image"), copy = folder.path("copy");
  RELIC86_RUN("qemu-img create -q -f qcow2 {} 2000384", file);
  RELIC86_RUN("qemu-img bitmap --add -g 64k {} backup", file);
  {
    auto image = open_image({.file = file}, Access::ReadWrite);
    ASSERT_TRUE(image.ok()) << image.message();
    EXPECT_FALSE(in_use(file)) << "nothing has been written yet";
    ASSERT_TRUE(image.value()->write(500'000, std::vector<u8>(100, 1)).ok());
    ASSERT_TRUE(image.value()->flush().ok());
    RELIC86_RUN("cp {} {}", file, copy);  // as a program leaves it that is killed
    ASSERT_TRUE(image.value()->resize(2'100'224).ok());
  }
  EXPECT_TRUE(in_use(copy));
  RELIC86_RUN("qemu-img check -f qcow2 {}", copy);
  EXPECT_TRUE(in_use(file));
  RELIC86_RUN("qemu-img check -f qcow2 {}", file);
}

// As qemu-img leaves it that is killed while it writes with lazy refcounts.
TEST(QemuImages, LazyRefcountsAreMended) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto file = folder.path("image");
  RELIC86_RUN("qemu-img create -q -f qcow2 -o lazy_refcounts=on {} 5000192", file);
  const auto killed = test::run_command_line(
      fmt::format("qemu-io -f qcow2 -c 'write -P 65 100k 2M' -c flush -c 'sigraise 9' {}", file));
  auto dirty = test::run_command_line("qemu-img check -f qcow2 " + file);
  ASSERT_NE(dirty.code, 0) << killed.output << dirty.output;
  { ASSERT_TRUE(open_image({.file = file}, Access::ReadWrite).ok()); }
  RELIC86_RUN("qemu-img check -f qcow2 {}", file);
  std::string expected(5'000'192, '\0');
  std::fill_n(expected.begin() + 100 * 1024, 2 << 20, 'A');
  expect_equal(file, expected);
}

TEST(QemuImages, ChainsThatDoNotEndAreErrors) {
  RELIC86_NEEDS_QEMU_TOOLS();
  const TemporaryFolder folder;
  const auto one = folder.path("one.qcow2"), two = folder.path("two.qcow2");
  RELIC86_RUN("qemu-img create -q -f qcow2 {} 1M", one);
  RELIC86_RUN("qemu-img create -q -f qcow2 -b one.qcow2 -F qcow2 {}", two);
  RELIC86_RUN("qemu-img rebase -u -b two.qcow2 -F qcow2 {}", one);
  auto image = open_image({.file = two}, Access::ReadOnly);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.message().find("is its own backing file, or stands below it"), std::string::npos) << image.message();
  RELIC86_RUN("qemu-img rebase -u -b gone.img -F raw {}", one);
  image = open_image({.file = two}, Access::ReadOnly);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.message().find(folder.path("gone.img") + ": not found"), std::string::npos) << image.message();
  RELIC86_RUN("qemu-img rebase -u -b https://host/disk -F raw {}", one);
  image = open_image({.file = two}, Access::ReadOnly);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.message().find("https://host/disk: is not a file of this host"), std::string::npos)
      << image.message();
  // A server that is not there.
  RELIC86_RUN("qemu-img rebase -u -b 'nbd+unix:///disk?socket={}' -F raw {}", folder.path("none"), one);
  image = open_image({.file = two}, Access::ReadOnly);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.message().find("its backing file nbd+unix:///disk?socket="), std::string::npos) << image.message();
}

}  // namespace
}  // namespace relic86
