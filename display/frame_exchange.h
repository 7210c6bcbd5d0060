// Hands pictures from the machine's thread to the window's: three buffers, so that neither side ever waits for the
// other's copying or drawing.
#pragma once

#include <array>
#include <mutex>

#include "devices/host_sinks.h"

namespace relic86 {

// Rows of a frame: [first, end). Empty when end <= first.
struct RowRange {
  unsigned first = 0;
  unsigned end = 0;

  bool empty() const { return end <= first; }
  // The smallest range that holds both.
  RowRange joined(RowRange other) const;
};

class FrameExchange {
 public:
  // Machine's thread: rows are those of frame that changed since the last call.
  void publish(const Frame& frame, RowRange rows);

  // Window's thread: the newest frame and what changed since the last one taken. frame is null if there is nothing new;
  // else it stays valid until the next call.
  struct Taken {
    const Frame* frame = nullptr;
    RowRange rows;
  };
  Taken take();

 private:
  struct Slot {
    Frame frame;
    RowRange stale;  // rows that changed since the machine last wrote this slot
  };
  std::array<Slot, 3> slots_;
  std::size_t back_ = 0;   // being written; the machine's
  std::size_t front_ = 1;  // being drawn; the window's

  std::mutex mutex_;  // guards what follows; held for a swap, never for a copy
  std::size_t ready_ = 2;
  bool fresh_ = false;  // ready_ has not been taken yet
  RowRange unseen_;     // rows that changed since the last take
};

}  // namespace relic86
