#include "display/frame_exchange.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace relic86 {
namespace {

Frame make_frame(unsigned width, unsigned height, u32 colour) {
  Frame frame;
  frame.width = width;
  frame.height = height;
  frame.pixels.assign(u64{width} * height, colour);
  return frame;
}

void fill_row(Frame& frame, unsigned row, u32 colour) {
  std::fill_n(frame.pixels.begin() + static_cast<std::ptrdiff_t>(row) * frame.width, frame.width, colour);
}

TEST(FrameExchange, NothingUntilSomethingIsPublished) {
  FrameExchange exchange;
  EXPECT_EQ(exchange.take().frame, nullptr);
  const Frame frame = make_frame(4, 3, 7);
  exchange.publish(frame, {0, 3});
  const auto taken = exchange.take();
  ASSERT_NE(taken.frame, nullptr);
  EXPECT_EQ(taken.frame->pixels, frame.pixels);
  EXPECT_EQ(exchange.take().frame, nullptr);
}

TEST(FrameExchange, RowsOfFramesThatWereNotTakenAreReported) {
  FrameExchange exchange;
  Frame frame = make_frame(4, 8, 0);
  exchange.publish(frame, {0, 8});
  exchange.take();
  fill_row(frame, 2, 1);
  exchange.publish(frame, {2, 3});
  fill_row(frame, 5, 2);
  exchange.publish(frame, {5, 6});
  const auto taken = exchange.take();
  ASSERT_NE(taken.frame, nullptr);
  EXPECT_EQ(taken.rows.first, 2u);
  EXPECT_EQ(taken.rows.end, 6u);
  EXPECT_EQ(taken.frame->pixels, frame.pixels);
}

// Each buffer misses what was published into the others.
TEST(FrameExchange, EveryTakenFrameIsWhole) {
  FrameExchange exchange;
  Frame frame = make_frame(4, 16, 0);
  exchange.publish(frame, {0, 16});
  for (unsigned n = 0; n < 100; n++) {
    const unsigned row = n * 7 % 16;
    fill_row(frame, row, n + 1);
    exchange.publish(frame, {row, row + 1});
    if (n % 3 == 2) continue;
    const auto taken = exchange.take();
    ASSERT_NE(taken.frame, nullptr);
    ASSERT_EQ(taken.frame->pixels, frame.pixels) << n;
  }
}

TEST(FrameExchange, OtherDimensions) {
  FrameExchange exchange;
  exchange.publish(make_frame(4, 16, 1), {0, 16});
  exchange.take();
  const Frame small = make_frame(2, 3, 9);
  exchange.publish(small, {0, 3});
  const auto taken = exchange.take();
  ASSERT_NE(taken.frame, nullptr);
  EXPECT_EQ(taken.frame->pixels, small.pixels);
  EXPECT_LE(taken.rows.end, 3u);
}

TEST(FrameExchange, TwoThreadsNeverSeeAHalfFrame) {
  FrameExchange exchange;
  std::atomic<bool> done = false;
  std::thread machine([&] {
    for (u32 n = 1; n <= 2000; n++) exchange.publish(make_frame(32, 16, n), {0, 16});
    done = true;
  });
  u32 last = 0;
  while (!done || last != 2000) {
    const auto taken = exchange.take();
    if (taken.frame == nullptr) continue;
    for (const u32 pixel : taken.frame->pixels) ASSERT_EQ(pixel, taken.frame->pixels[0]);
    ASSERT_GT(taken.frame->pixels[0], last);
    last = taken.frame->pixels[0];
  }
  machine.join();
}

}  // namespace
}  // namespace relic86
