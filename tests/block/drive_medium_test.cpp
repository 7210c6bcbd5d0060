// What a drive's medium makes of failures of the host's.
#include "block/drive_medium.h"

#include <gtest/gtest.h>

#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

// Fails each write in the way that is next.
class FailingImage final : public DiskImage {
 public:
  enum class Way : u8 { Full, Otherwise };
  explicit FailingImage(std::vector<Way> ways) : ways_(std::move(ways)) {}
  u64 size_bytes() const override { return 1 << 20; }
  bool read_only() const override { return false; }
  Result<> read(u64, std::span<u8>) override { return {}; }
  Result<> write(u64, std::span<const u8>) override {
    const Way way = ways_.at(next_++);
    full_ = full_ || way == Way::Full;
    return Error{way == Way::Full ? "the disk is full" : "the disk is broken"};
  }
  Result<> flush() override { return {}; }
  bool take_host_full() override { return std::exchange(full_, false); }
  ImageInfo info() const override { return {}; }
  i64 modified_ns() const override { return 0; }

 private:
  std::vector<Way> ways_;
  std::size_t next_ = 0;
  bool full_ = false;
};
using enum FailingImage::Way;

struct FailingMedium {
  explicit FailingMedium(std::vector<FailingImage::Way> ways) {
    const auto file = folder.write("disk.img", std::string(1 << 20, '\0'));
    medium = DriveMedium::open({.file = file, .format = ImageFormat::Raw}, DriveMedium::Access::ReadWrite).value();
    medium->replace_image(std::make_shared<FailingImage>(std::move(ways)), {.file = file});
    medium->set_error_policy({}, [](const DriveMedium::Failure&) {});
  }
  // What a controller is to do that has just been told of a failure.
  ErrorAction answer(const Result<>& result) {
    return result ? ErrorAction::Ignore : medium->failed(BlockRequest::Kind::Write, result.message());
  }

  const test::TemporaryFolder folder;
  std::shared_ptr<DriveMedium> medium;
};

// The usual werror=enospc.
TEST(DriveMedium, EachRequestHasTheReasonOfItsOwnFailure) {
  BlockWorkers workers(1);
  FailingMedium disk({Full, Otherwise, Full});
  disk.medium->serve_with({&workers, [] {}, [] { return i64{0}; }});
  std::vector<ErrorAction> actions;
  for (int i = 0; i < 3; i++) {
    disk.medium->submit({BlockRequest::Kind::Write, 0, 512, std::vector<u8>(512)},
                        [&](BlockRequest&&, const Result<>& result) { actions.push_back(disk.answer(result)); });
  }
  disk.medium->drain();  // all have failed before the first one is told of
  EXPECT_EQ(actions, (std::vector{ErrorAction::Stop, ErrorAction::Report, ErrorAction::Stop}));
}

TEST(DriveMedium, AFullDiskIsNoReasonForAnotherFailureLater) {
  FailingMedium disk({Full, Otherwise});
  const std::vector<u8> sector(512);
  EXPECT_EQ(disk.answer(disk.medium->write(0, sector)), ErrorAction::Stop);
  EXPECT_EQ(disk.answer(disk.medium->write(0, sector)), ErrorAction::Report);
}

// A job, or another program by an export, has met it.
TEST(DriveMedium, AnothersFailureIsNotTheGuests) {
  FailingMedium disk({Full, Otherwise});
  EXPECT_FALSE(disk.medium->shared_image()->write(0, std::vector<u8>(512)).ok());
  EXPECT_EQ(disk.answer(disk.medium->write(0, std::vector<u8>(512))), ErrorAction::Report);
}

}  // namespace
}  // namespace relic86
