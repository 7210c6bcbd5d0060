// What is copied while a writer goes on: steps of each work and random writes alternate, and what must hold at the end
// is compared byte by byte; qemu-img looks at the images.
#include "block/image_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "block/disk_throttle.h"
#include "block/image_chain.h"
#include "block/qcow2_new.h"
#include "tests/block/qemu_tools.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using Access = HostFile::Access;
constexpr u64 kSize = 8u << 20;

class ImageWorkTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name) { return folder_.path(name + ".qcow2"); }

  std::shared_ptr<DiskImage> make(const std::string& name, const std::string& below = "", u32 cluster_bits = 16) {
    {
      auto host = HostFile::open_new(file(name));
      EXPECT_TRUE(host.ok()) << host.message();
      NewQcow2 wanted{.size = kSize, .cluster_bits = cluster_bits};
      if (!below.empty()) wanted.backing_file = file(below), wanted.backing_format = "qcow2";
      const auto made = create_qcow2(*host.value(), wanted);
      EXPECT_TRUE(made.ok()) << made.message();
    }
    auto image = open_layer({.file = file(name), .format = ImageFormat::Qcow2}, Access::ReadWrite);
    EXPECT_TRUE(image.ok()) << image.message();
    return image.value();
  }

  // The drive's medium on an image that has been written to here and there.
  void open_medium(const std::string& name) {
    auto medium = DriveMedium::open({.file = file(name), .format = ImageFormat::Qcow2}, DriveMedium::Access::ReadWrite);
    ASSERT_TRUE(medium.ok()) << medium.message();
    medium_ = medium.value();
    for (int i = 0; i < 40; i++) write_somewhere();
  }

  void write_somewhere() {
    const u64 length = 1 + random_() % 150'000, offset = random_() % (kSize - length);
    std::vector<u8> bytes(length);
    const bool zeros = random_() % 5 == 0;
    for (u8& byte : bytes) byte = zeros ? 0 : static_cast<u8>(random_());
    const auto written = random_() % 8 == 0 ? medium_->write_zeroes(offset, length) : medium_->write(offset, bytes);
    ASSERT_TRUE(written.ok()) << written.message();
  }

  // Steps until nothing is left, with writes in between.
  void carry_out(ImageWork& work, int writes_between) {
    if (work.follower() != nullptr) medium_->follow(work.follower());
    for (int steps = 0; !work.exhausted(); steps++) {
      ASSERT_LT(steps, 100'000) << "it does not end";
      const auto stepped = work.step();
      ASSERT_TRUE(stepped.ok()) << stepped.message();
      for (int i = 0; i < writes_between; i++) write_somewhere();
    }
  }

  static std::vector<u8> content(BlockDevice& image) {
    std::vector<u8> bytes(kSize);
    EXPECT_TRUE(image.read(0, bytes).ok());
    return bytes;
  }
  std::vector<u8> seen() {
    std::vector<u8> bytes(kSize);
    EXPECT_TRUE(medium_->read(0, bytes).ok());
    return bytes;
  }
  void expect_sound(const std::string& name) {
    if (!test::have_qemu_tools()) return;
    RELIC86_RUN("qemu-img check -U {}", file(name));
  }

  test::TemporaryFolder folder_;
  std::shared_ptr<DriveMedium> medium_;
  std::mt19937 random_{1};
};

TEST_F(ImageWorkTest, AMirrorFollowsWhoeverWritesAllTheTime) {
  make("disk");
  open_medium("disk");
  const auto target = make("copy");
  MirrorWork work(medium_->shared_image(), target, MirrorWork::Scope::All);
  carry_out(work, 3);
  for (int i = 0; i < 50; i++) write_somewhere();
  ASSERT_TRUE(work.flush().ok());
  medium_->unfollow(work.follower());
  EXPECT_TRUE(seen() == content(*target));
  EXPECT_TRUE(work.exhausted());
  expect_sound("copy");
}

TEST_F(ImageWorkTest, ABackupIsWhatTheDiskWasAtTheBeginning) {
  make("disk");
  open_medium("disk");
  const auto target = make("copy", "", 12);
  const auto then = seen();
  BackupWork work(medium_->shared_image(), target, BackupWork::Scope::All);
  carry_out(work, 3);
  medium_->unfollow(work.follower());
  EXPECT_TRUE(then == content(*target));
  EXPECT_FALSE(then == seen());
  ASSERT_TRUE(work.flush().ok());
  expect_sound("copy");
}

TEST_F(ImageWorkTest, AnActiveCommitMakesTheBaseWhatTheGuestSees) {
  make("disk");
  open_medium("disk");
  medium_.reset();
  make("middle", "disk", 12);
  open_medium("middle");
  medium_.reset();
  make("top", "middle");
  open_medium("top");
  const auto top = medium_->shared_image();
  const auto base = reopen_below(*top->below(), Access::ReadWrite);
  ASSERT_TRUE(base.ok()) << base.message();
  MirrorWork work(top, base.value(), MirrorWork::Scope::Above, base.value().get());
  carry_out(work, 3);
  for (int i = 0; i < 50; i++) write_somewhere();
  ASSERT_TRUE(work.flush().ok());
  medium_->unfollow(work.follower());
  EXPECT_TRUE(seen() == content(*base.value()));
  expect_sound("disk");
}

TEST_F(ImageWorkTest, AStreamedImageStandsAlone) {
  make("disk");
  open_medium("disk");
  medium_.reset();
  make("top", "disk", 12);
  open_medium("top");
  const auto top = medium_->shared_image();
  MergeWork work(top, nullptr, MergeWork::Into::Top);
  carry_out(work, 1);
  const auto before = seen();
  ASSERT_TRUE(top->name_backing("", "").ok());
  ASSERT_TRUE(top->stand_on(nullptr).ok());
  EXPECT_TRUE(before == seen());
  ASSERT_TRUE(medium_->flush().ok());
  expect_sound("top");
}

TEST_F(ImageWorkTest, ImagesInTheMiddleAreMergedIntoTheBase) {
  for (const auto& [name, below] : {std::pair{"disk", ""}, {"one", "disk"}, {"two", "one"}, {"top", "two"}}) {
    make(name, below, name == std::string("one") ? 12 : 16);
    open_medium(name);
    medium_.reset();
  }
  open_medium("top");
  const auto top = medium_->shared_image();
  const auto base = reopen_below(*chain_place(top, 2).image, Access::ReadWrite);
  ASSERT_TRUE(base.ok()) << base.message();
  {
    MergeWork work(top->below(), base.value(), MergeWork::Into::End);
    carry_out(work, 1);
    ASSERT_TRUE(work.flush().ok());
  }
  const auto before = seen();
  ASSERT_TRUE(top->name_backing(file("disk"), "qcow2").ok());
  ASSERT_TRUE(top->stand_on(base.value()).ok());
  EXPECT_TRUE(before == seen());
  expect_sound("disk");
  EXPECT_EQ(top->info().chain_depth(), 1u);
}

// What reads there is told so until the image is back, and never gets zeros.
TEST_F(ImageWorkTest, AnImageThatCannotBeOpenedAgainGivesNoZeros) {
  const std::vector<u8> pattern(65536, 0xA5);
  {
    auto base = make("base");
    ASSERT_TRUE(base->write(0, pattern).ok());
    ASSERT_TRUE(base->flush().ok());
  }
  auto top = make("top", "base");
  ASSERT_TRUE(
      top->stand_on(open_layer({.file = file("base"), .format = ImageFormat::Qcow2}, Access::ReadOnly).value()).ok());
  std::vector<u8> bytes(pattern.size());
  {
    const auto held = top->below();
    EXPECT_FALSE(reopen_below(*top, Access::ReadWrite).ok());  // its locks would be in the way
  }
  ASSERT_TRUE(top->read(0, bytes).ok());
  EXPECT_EQ(bytes, pattern);
  std::filesystem::rename(file("base"), file("away"));
  EXPECT_FALSE(reopen_below(*top, Access::ReadWrite).ok());
  EXPECT_FALSE(top->read(0, bytes).ok());
  std::filesystem::rename(file("away"), file("base"));
  ASSERT_TRUE(reopen_below(*top, Access::ReadOnly).ok());
  ASSERT_TRUE(top->read(0, bytes).ok());
  EXPECT_EQ(bytes, pattern);
}

// An image that takes so many writes, and no more. It holds no zeros, so that zeros have to be written, too.
class FullImage final : public DiskImage {
 public:
  explicit FullImage(unsigned writes) : left_(writes) {}
  u64 size_bytes() const override { return kSize; }
  bool read_only() const override { return false; }
  Result<> read(u64, std::span<u8> bytes) override {
    std::fill(bytes.begin(), bytes.end(), u8{0xFF});
    return {};
  }
  Result<> write(u64, std::span<const u8>) override {
    if (left_ == 0) return Error{"no space left"};
    left_--;
    return {};
  }
  Result<> flush() override { return {}; }
  ImageInfo info() const override { return {}; }
  i64 modified_ns() const override { return 0; }

 private:
  unsigned left_;
};

TEST_F(ImageWorkTest, ATargetThatIsFullEndsTheCopyAndNotTheGuest) {
  make("disk");
  open_medium("disk");
  const auto steps_until_error = [](ImageWork& work) {
    for (int i = 0; i < 1000 && !work.exhausted(); i++) {
      if (auto stepped = work.step(); !stepped) return true;
    }
    return false;
  };
  constexpr unsigned kWrites = 2;
  MirrorWork mirror(medium_->shared_image(), std::make_shared<FullImage>(kWrites), MirrorWork::Scope::All);
  EXPECT_TRUE(steps_until_error(mirror));
  BackupWork backup(medium_->shared_image(), std::make_shared<FullImage>(0), BackupWork::Scope::Changes);
  EXPECT_TRUE(backup.only_follows());
  medium_->follow(backup.follower());
  const std::vector<u8> bytes(4096, 0x5A);
  EXPECT_TRUE(medium_->write(0, bytes).ok());  // spoils the backup
  medium_->unfollow(backup.follower());
  EXPECT_FALSE(backup.only_follows());
  EXPECT_FALSE(backup.step().ok());
  EXPECT_FALSE(backup.flush().ok());
}

TEST_F(ImageWorkTest, ABackingFilesNameNeedsRoomInTheHeader) {
  const auto image = make("disk", "", 9);
  EXPECT_FALSE(image->name_backing(std::string(600, 'x'), "qcow2").ok());
  EXPECT_TRUE(image->name_backing("below.qcow2", "qcow2").ok());
  EXPECT_EQ(image->info().backing_file, "below.qcow2");
}

TEST_F(ImageWorkTest, AnImageGrowsWithinItsTables) {
  const auto image = make("disk");
  const std::vector<u8> bytes(100, 7);
  ASSERT_TRUE(image->write(kSize - 100, bytes).ok());
  ASSERT_TRUE(image->resize(u64{2} << 30).ok());
  ASSERT_TRUE(image->write((u64{2} << 30) - 100, bytes).ok());
  std::vector<u8> read(200);
  ASSERT_TRUE(image->read(kSize - 100, read).ok());
  EXPECT_EQ(read[99], 7);
  EXPECT_EQ(read[100], 0);
  EXPECT_FALSE(image->resize(kSize).ok());
  ASSERT_TRUE(image->flush().ok());
  expect_sound("disk");
}

TEST(DiskThrottle, LetsThroughWhatTheLimitAllows) {
  constexpr i64 kSecond = 1'000'000'000;
  DiskThrottle throttle({.bytes = {.average = 1'000'000}}, 0);
  u64 bytes = 0;
  for (i64 now = 0; now < 10 * kSecond; now += kSecond / 1000) {
    while (throttle.wait(BlockRequest::Kind::Write, now) == 0) {
      throttle.count(BlockRequest::Kind::Write, 4096, now);
      bytes += 4096;
    }
  }
  EXPECT_NEAR(static_cast<double>(bytes), 10'100'000, 10'000) << "ten seconds' worth, and a tenth at once";
  EXPECT_EQ(throttle.wait(BlockRequest::Kind::Flush, 10 * kSecond), 0) << "has no bytes";
}

TEST(DiskThrottle, ABurstEndsAndItsTimeIsOver) {
  constexpr i64 kSecond = 1'000'000'000;
  DiskThrottle throttle({.requests = {.average = 100, .burst = 1000, .burst_time = 2}}, 0);
  std::vector<unsigned> in_second(6);
  for (i64 now = 0; now < 6 * kSecond; now += kSecond / 1000) {
    while (throttle.wait(BlockRequest::Kind::Read, now) == 0) {
      throttle.count(BlockRequest::Kind::Read, 512, now);
      in_second[static_cast<std::size_t>(now / kSecond)]++;
    }
  }
  EXPECT_NEAR(in_second[0], 1100, 20);
  EXPECT_NEAR(in_second[4], 100, 10);
}

}  // namespace
}  // namespace relic86
