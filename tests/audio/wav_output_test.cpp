// Recordings: the file is a whole one at every moment.
#include "audio/wav_output.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/audio/recording.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using test::read_wav;

WavSettings settings_for(const std::string& path) {
  WavSettings settings;
  settings.path = path;
  return settings;
}

TEST(WavOutput, HoldsWhatWasPlayed) {
  test::TemporaryFolder folder;
  const std::string path = folder.path("a.wav");
  {
    auto output = WavOutput::create(settings_for(path)).value();
    EXPECT_EQ(read_wav(path).left.size(), 0u);
    output->silence(5);
    output->write(std::vector<StereoFrame>{{1, -1}, {0.5f, 2}, {-3, 0}});
  }
  const auto recording = read_wav(path);
  ASSERT_EQ(recording.left.size(), 8u);
  EXPECT_EQ(recording.rate, 44100u);
  EXPECT_FLOAT_EQ(recording.left[5], 32767.0f / 32768);
  EXPECT_FLOAT_EQ(recording.right[6], 32767.0f / 32768);  // clipped
  EXPECT_FLOAT_EQ(recording.left[7], -32767.0f / 32768);
  EXPECT_EQ(recording.right[7], 0);
}

// As a process that is killed leaves it: the object is never destroyed.
TEST(WavOutput, IsWholeWhileItGrows) {
  test::TemporaryFolder folder;
  const std::string path = folder.path("a.wav");
  auto output = WavOutput::create(settings_for(path)).value();
  std::size_t before = 0;
  for (int i = 0; i < 50; i++) {
    output->write(std::vector<StereoFrame>(1000, StereoFrame{0.25f, 0.25f}));
    const auto recording = read_wav(path);
    EXPECT_GE(recording.left.size(), before);
    before = recording.left.size();
    EXPECT_GE(before + 9000, static_cast<std::size_t>(i + 1) * 1000);
  }
  output->rest();
  EXPECT_EQ(read_wav(path).left.size(), 50'000u);
}

TEST(WavOutput, OtherFormats) {
  test::TemporaryFolder folder;
  for (const auto& [format, bytes] :
       {std::pair{SampleFormat::U8, 1u}, {SampleFormat::S32, 4u}, {SampleFormat::F32, 4u}}) {
    WavSettings settings = settings_for(folder.path("b.wav"));
    settings.format = format;
    settings.channels = 1;
    settings.rate = 8000;
    WavOutput::create(settings).value()->write(std::vector<StereoFrame>(10, StereoFrame{1, 0}));
    const std::string file = folder.read("b.wav");
    ASSERT_EQ(file.size(), 44 + 10 * bytes);
    EXPECT_EQ(static_cast<u8>(file[22]), 1);
    EXPECT_EQ(static_cast<u8>(file[34]), 8 * bytes);
    if (format == SampleFormat::U8) {
      EXPECT_EQ(static_cast<u8>(file[44]), 192);
    }
    if (format == SampleFormat::F32) {
      float value = 0;
      std::memcpy(&value, file.data() + 44, 4);
      EXPECT_EQ(value, 0.5f);
    }
  }
}

TEST(WavOutput, SaysWhyItCannotBe) {
  const auto output = WavOutput::create(settings_for("/nowhere/at/all.wav"));
  ASSERT_FALSE(output.ok());
  EXPECT_NE(output.message().find("No such file"), std::string::npos);
}

// A full disk ends the recording with a warning; what is there stays whole.
TEST(WavOutput, EndsWhereTheDiskIsFull) {
  test::TemporaryFolder folder;
  const std::string path = folder.path("c.wav");
  auto output = WavOutput::create(settings_for(path)).value();
  output->write(std::vector<StereoFrame>(20'000, StereoFrame{0.5f, 0.5f}));
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{100'000, limit.rlim_max};
  auto* const before = ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 20; i++) output->write(std::vector<StereoFrame>(10'000, StereoFrame{0.5f, 0.5f}));
  output.reset();
  const std::string said = testing::internal::GetCapturedStderr();
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, before);
  EXPECT_NE(said.find("the recording ends here"), std::string::npos) << said;
  EXPECT_EQ(read_wav(path).left.size(), 20'000u);
}

}  // namespace
}  // namespace relic86
