// VDI, VHD, VMDK and VHDX: random accesses against a model, stops at every point, and images that are not sound.
#include <gtest/gtest.h>

#include <functional>

#include "block/vdi_image.h"
#include "block/vhd_image.h"
#include "block/vhdx_image.h"
#include "block/vmdk_image.h"
#include "tests/block/image_model.h"
#include "tests/block/memory_file.h"
#include "tests/block/sparse_builders.h"

namespace relic86 {
namespace {

using test::FileChange;
using test::ImageModel;
using test::MemoryFile;
using test::MemoryFileContent;
using Content = std::shared_ptr<MemoryFileContent>;
using Opened = Result<std::unique_ptr<DiskImage>>;

Neighbours no_neighbours() {
  return {[](const std::string& name, const std::string&) -> Opened { return Error{name + ": not found"}; },
          [](const std::string& name) -> Result<std::unique_ptr<ImageFile>> { return Error{name + ": not found"}; }};
}
template <class Image>
Opened open_as(const Content& content) {
  auto image = Image::open(std::make_unique<MemoryFile>(content), no_neighbours());
  if (!image) return image.error();
  return std::unique_ptr<DiskImage>(std::move(image).value());
}
Content content_of(std::vector<u8> bytes) {
  auto content = std::make_shared<MemoryFileContent>();
  content->bytes = std::move(bytes);
  return content;
}

struct Format {
  const char* name;
  Opened (*open)(const Content&);
  std::vector<u8> (*make)(u64 size);
  u64 size;
  u32 longest;
  u8 steps;           // of the recorded sequence
  std::size_t apart;  // between the words that are damaged
};
std::vector<u8> make_vdi(u64 size) { return test::empty_vdi(size); }
std::vector<u8> make_vhd(u64 size) { return test::empty_vhd(size); }
std::vector<u8> make_vmdk(u64 size) { return test::empty_vmdk(size); }
std::vector<u8> make_vhdx(u64 size) { return test::empty_vhdx(size); }

class SparseFormats : public testing::TestWithParam<Format> {
 protected:
  std::unique_ptr<DiskImage> opened(const Content& content) const {
    auto image = GetParam().open(content);
    EXPECT_TRUE(image.ok()) << image.message();
    return image.ok() ? std::move(image).value() : nullptr;
  }
};

TEST_P(SparseFormats, RandomAccessesMatchAModel) {
  const Format format = GetParam();
  const Content content = content_of(format.make(format.size));
  ImageModel model(std::vector<u8>(static_cast<std::size_t>(format.size)), 21);
  for (int round = 0; round < 3; round++) {
    auto image = opened(content);
    ASSERT_NE(image, nullptr);
    ASSERT_EQ(image->size_bytes(), format.size);
    model.read_all(*image);
    for (int i = 0; i < 60; i++) model.step(*image, format.longest);
    if (HasFatalFailure()) return;
    model.read_all(*image);
  }
  model.read_all(*opened(content));
  content->read_only = true;
  auto image = opened(content);
  EXPECT_FALSE(image->write(0, std::vector<u8>(512)).ok());
  EXPECT_EQ(image->info().virtual_size, format.size);
  std::vector<u8> byte(1);
  EXPECT_FALSE(image->read(format.size, byte).ok());
}

// Writes of whole numbers, flushed now and then; after each change of the file, and for parts of what is not flushed,
// the image holds what was flushed or what was written since.
TEST_P(SparseFormats, StopsLoseNothingThatWasFlushed) {
  constexpr u64 kSector = 512;
  const Format format = GetParam();
  const Content content = content_of(format.make(format.size));
  const std::vector<u8> start = content->bytes;
  content->recording = true;
  struct Step {
    u64 sector;
    u8 value;
    bool flush;
    std::size_t before, after;
  };
  std::vector<Step> steps;
  std::mt19937 random(5);
  {
    auto image = opened(content);
    for (u8 i = 1; i < format.steps; i++) {
      Step step{random() % (format.size / kSector), i, random() % 4 == 0, content->changes.size(), 0};
      ASSERT_TRUE(
          (step.flush ? image->flush() : image->write(step.sector * kSector, std::vector<u8>(kSector, i))).ok());
      step.after = content->changes.size();
      steps.push_back(step);
    }
  }
  const std::vector<FileChange> changes = std::move(content->changes);
  std::vector<u8> flushed = start;
  std::size_t since = 0;
  for (std::size_t cut = 0; cut <= changes.size(); cut++) {
    for (int variant = 0; variant < 3; variant++) {
      const Content stopped = content_of(flushed);
      for (std::size_t i = since; i < cut; i++) {
        if (variant == 0 || random() % 2 == 0) MemoryFileContent::apply(stopped->bytes, changes[i]);
      }
      auto image = opened(stopped);
      ASSERT_NE(image, nullptr) << "stopped after " << cut;
      for (const Step& step : steps) {
        if (step.flush || step.before > cut) continue;
        std::vector<u8> allowed{0};
        for (const Step& other : steps) {
          if (other.flush && other.after <= cut) allowed = {allowed.back()};
          if (!other.flush && other.sector == step.sector && other.before <= cut) allowed.push_back(other.value);
        }
        std::vector<u8> sector(kSector);
        ASSERT_TRUE(image->read(step.sector * kSector, sector).ok());
        ASSERT_NE(std::find(allowed.begin(), allowed.end(), sector[0]), allowed.end())
            << "sector " << step.sector << " holds " << int{sector[0]} << ", stopped after " << cut;
        ASSERT_EQ(sector, std::vector<u8>(kSector, sector[0]));
      }
    }
    if (cut == changes.size() || changes[cut].kind != FileChange::Kind::Flush) continue;
    for (; since <= cut; since++) MemoryFileContent::apply(flushed, changes[since]);
  }
}

TEST_P(SparseFormats, AFullDiskIsAnErrorThatLosesNothing) {
  const Format format = GetParam();
  for (u64 limit = 0; limit < 8; limit++) {
    const Content content = content_of(format.make(format.size));
    ImageModel model(std::vector<u8>(static_cast<std::size_t>(format.size)), 2);
    auto image = opened(content);
    model.write(*image, {1000, 600});
    ASSERT_TRUE(image->flush().ok());
    content->fail_after_changes = limit;
    bool failed = false;
    for (u64 at = format.size / 2; at + 512 < format.size && !failed; at += format.longest) {
      failed = !image->write(at, std::vector<u8>(512, 3)).ok() || !image->flush().ok();
    }
    EXPECT_TRUE(failed);
    model.read(*image, {0, 2000});
    content->fail_after_changes = ~u64{0};
    ASSERT_TRUE(image->write(3000, std::vector<u8>(100, 9)).ok());
    image.reset();
    image = opened(content);
    ASSERT_NE(image, nullptr);
    model.read(*image, {0, 2000});
    std::vector<u8> got(100);
    ASSERT_TRUE(image->read(3000, got).ok());
    EXPECT_EQ(got, std::vector<u8>(100, 9));
  }
}

// Each 32-bit word of what describes the disk, changed in some ways: an error that names the file, or an image that can
// be used without harm.
TEST_P(SparseFormats, DamagedTablesAreErrors) {
  const Format format = GetParam();
  const Content sound = content_of(format.make(format.size));
  {
    auto image = opened(sound);
    ASSERT_TRUE(image->write(5000, std::vector<u8>(1000, 1)).ok());
  }
  for (std::size_t at = 0; at + 4 <= sound->bytes.size(); at += format.apart) {
    for (const u32 value : {0u, 1u, 0x7FFFFFFFu, 0xFFFFFFF0u}) {
      const Content content = content_of(sound->bytes);
      store_le<u32>(content->bytes, at, value);
      auto image = format.open(content);
      if (!image) {
        EXPECT_EQ(image.message().find("memory.img: "), 0u) << image.message();
        continue;
      }
      std::vector<u8> bytes(4096);
      const u64 size = image.value()->size_bytes();
      for (const u64 offset : {u64{0}, u64{4096}, size / 2, size - std::min<u64>(size, 4096)}) {
        (void)image.value()->read(offset, bytes);
        (void)image.value()->write(offset, bytes);
      }
      (void)image.value()->flush();
    }
  }
  for (const std::size_t length : {std::size_t{1}, std::size_t{600}, sound->bytes.size() / 2}) {
    const Content content = content_of(sound->bytes);
    content->bytes.resize(length);
    auto image = format.open(content);
    if (!image) {
      EXPECT_EQ(image.message().find("memory.img: "), 0u) << image.message();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SparseFormats,
                         testing::Values(Format{"vdi", open_as<VdiImage>, make_vdi, 100'352, 20'000, 40, 4},
                                         Format{"vhd", open_as<VhdImage>, make_vhd, 100'352, 20'000, 40, 4},
                                         Format{"vmdk", open_as<VmdkImage>, make_vmdk, 100'352, 20'000, 40, 4},
                                         Format{"vhdx", open_as<VhdxImage>, make_vhdx, 5'000'192, 2'000'000, 16,
                                                40'004}),
                         [](const auto& row) { return row.param.name; });

TEST(VhdImage, DifferencesAreReadOverTheParent) {
  std::vector<u8> bytes = test::empty_vhd(16'384, 4);
  // Block 1 at the old footer's place: its sectors 1 and 2 are here.
  const std::size_t block = bytes.size() - 512, table = 2048;
  const std::vector<u8> footer(bytes.begin() + static_cast<std::ptrdiff_t>(block), bytes.end());
  bytes.resize(block + 512 + 4096);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(block), 512, u8{0});
  bytes[block] = 0b0110'0000;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(block) + 512, 4096, u8{7});
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  store_be<u32>(bytes, table + 4, static_cast<u32>(block / 512));
  const Content content = content_of(bytes), below = content_of(test::empty_vhd(16'384));
  ImageModel model(std::vector<u8>(16'384), 3);
  {
    auto image = open_as<VhdImage>(below);
    ASSERT_TRUE(image.ok()) << image.message();
    model.write(*image.value(), {0, 16'384});
  }
  below->read_only = true;
  const Neighbours neighbours{[&](const std::string& name, const std::string& format) -> Opened {
                                EXPECT_EQ(name, "below.vhd");
                                EXPECT_EQ(format, "vpc");
                                return open_as<VhdImage>(below);
                              },
                              nullptr};
  EXPECT_FALSE(VhdImage::open(std::make_unique<MemoryFile>(content), neighbours).ok());
  content->read_only = true;
  auto image = VhdImage::open(std::make_unique<MemoryFile>(content), neighbours);
  ASSERT_TRUE(image.ok()) << image.message();
  std::vector<u8> expected = model.content();
  std::fill_n(expected.begin() + 4096 + 512, 1024, u8{7});
  ImageModel(expected, 1).read_all(*image.value());
}

TEST(VmdkImage, PartsAndParents) {
  const std::string text =
      "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"custom\"\n\n"
      "RW 16 FLAT \"flat one.img\" 8\nRW 8 ZERO\nRW 64 SPARSE \"sparse.vmdk\"\n";
  const Content flat = content_of(std::vector<u8>(20 * 512, 5));
  const Content sparse = content_of(test::empty_vmdk(64 * 512));
  const Content descriptor = content_of({text.begin(), text.end()});
  const auto open = [&] {
    return VmdkImage::open(std::make_unique<MemoryFile>(descriptor),
                           {[](const std::string& name, const std::string&) -> Opened { return Error{name}; },
                            [&](const std::string& name) -> Result<std::unique_ptr<ImageFile>> {
                              if (name == "flat one.img")
                                return std::unique_ptr<ImageFile>(std::make_unique<MemoryFile>(flat));
                              if (name == "sparse.vmdk")
                                return std::unique_ptr<ImageFile>(std::make_unique<MemoryFile>(sparse));
                              return Error{name + ": not found"};
                            }});
  };
  EXPECT_EQ(open().message().find("memory.img: its part flat one.img is shorter"), 0u);
  flat->bytes.resize(24 * 512, 5);
  std::vector<u8> expected(88 * 512);
  std::fill_n(expected.begin(), 16 * 512, u8{5});
  ImageModel model(expected, 9);
  {
    auto image = open();
    ASSERT_TRUE(image.ok()) << image.message();
    model.read_all(*image.value());
    model.write(*image.value(), {3 * 512, 5 * 512});
    model.write(*image.value(), {24 * 512, 64 * 512});
    EXPECT_FALSE(image.value()->write(15 * 512, std::vector<u8>(1024)).ok());
    model.read(*image.value(), {16 * 512, 72 * 512});
    ASSERT_TRUE(image.value()->flush().ok());
  }
  EXPECT_EQ(std::string(descriptor->bytes.begin(), descriptor->bytes.end()).find("CID=00000001"), std::string::npos)
      << "the content ID changes with the content";
  EXPECT_EQ(flat->bytes[7 * 512], 5);
}

TEST(VmdkImage, AParentThatWasChangedIsRefused) {
  const Content parent = content_of(test::empty_vmdk(65'536));
  std::vector<u8> bytes = test::empty_vmdk(65'536, "parentFileNameHint=\"parent.vmdk\"\n");
  const std::string none = "parentCID=ffffffff", ours = "parentCID=12345678";
  const auto at = std::search(bytes.begin(), bytes.end(), none.begin(), none.end());
  std::copy(ours.begin(), ours.end(), at);
  const Content child = content_of(bytes);
  const auto open = [&] {
    return VmdkImage::open(
        std::make_unique<MemoryFile>(child),
        {[&](const std::string&, const std::string&) { return open_as<VmdkImage>(parent); }, nullptr});
  };
  {
    auto image = open();
    ASSERT_TRUE(image.ok()) << image.message();
    EXPECT_EQ(image.value()->info().chain_depth(), 1u);
    ImageModel model(std::vector<u8>(65'536), 4);
    for (int i = 0; i < 40; i++) model.step(*image.value(), 10'000);
    model.read_all(*image.value());
  }
  ASSERT_TRUE(open_as<VmdkImage>(parent).value()->write(0, std::vector<u8>(512, 1)).ok());
  const auto image = open();
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.message().find("was changed since"), std::string::npos);
}

// A log of one entry: a sector of data for the table of blocks, and zeros.
TEST(VhdxImage, TheLogIsCarriedOut) {
  std::vector<u8> bytes = test::empty_vhdx(3 << 20);
  constexpr std::size_t kMegabyte = 1 << 20;
  bytes.resize(6 * kMegabyte, 0x33);
  const std::size_t header = 128 << 10, log = kMegabyte;
  std::fill_n(bytes.begin() + header + 48, 16, u8{0xAB});
  test::put_vhdx_checksum(bytes, header, 4096);
  test::put_text(bytes, log, "loge");
  store_le<u32>(bytes, log + 8, 8192);
  store_le<u64>(bytes, log + 16, 9);
  store_le<u32>(bytes, log + 24, 2);
  std::fill_n(bytes.begin() + log + 32, 16, u8{0xAB});
  store_le<u64>(bytes, log + 48, 6 * kMegabyte);
  store_le<u64>(bytes, log + 56, 7 * kMegabyte);
  test::put_text(bytes, log + 64, "desc");
  store_le<u64>(bytes, log + 64 + 8, 4 * kMegabyte | 6);  // the first eight bytes: block 0 is at 4 MiB
  store_le<u64>(bytes, log + 64 + 16, 2 * kMegabyte);
  store_le<u64>(bytes, log + 64 + 24, 9);
  test::put_text(bytes, log + 96, "zero");
  store_le<u64>(bytes, log + 96 + 8, 4096);
  store_le<u64>(bytes, log + 96 + 16, 4 * kMegabyte + 8192);
  store_le<u64>(bytes, log + 96 + 24, 9);
  test::put_text(bytes, log + 4096, "data");
  store_le<u32>(bytes, log + 8192 - 4, 9);
  test::put_vhdx_checksum(bytes, log, 8192);
  const Content content = content_of(bytes);
  content->read_only = true;
  EXPECT_NE(open_as<VhdxImage>(content).message().find("its log must be carried out first"), std::string::npos);
  content->read_only = false;
  std::vector<u8> expected(3 * kMegabyte);
  std::fill_n(expected.begin(), kMegabyte, u8{0x33});
  std::fill_n(expected.begin() + 8192, 4096, u8{0});
  for (int i = 0; i < 2; i++) {
    auto image = open_as<VhdxImage>(content);
    ASSERT_TRUE(image.ok()) << image.message();
    ImageModel(expected, 1).read_all(*image.value());
    content->read_only = true;  // the log is empty now
  }
  EXPECT_EQ(content->bytes.size(), 7 * kMegabyte);
  const Content damaged = content_of(bytes);
  damaged->bytes[log + 5000] ^= 1;
  EXPECT_NE(open_as<VhdxImage>(damaged).message().find("its log holds no sound changes"), std::string::npos);
}

}  // namespace
}  // namespace relic86
