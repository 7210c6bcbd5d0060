// By which the machine's thread has a request end that waits for a server. Whoever has to have an image to itself, and
// may not wait for long, asks for it; the file that waits looks here (block/nbd_file.h).
#pragma once

#include <atomic>

#include "base/types.h"

namespace relic86 {

class Interruption {
 public:
  // --- On the machine's thread ---
  // Asks for as long as it lives.
  class Request {
   public:
    explicit Request(Interruption& of) : of_(of), inner_(of.asked_ != 0) {
      if (!inner_) of_.asked_ = ++of_.requests_;
    }
    ~Request() {
      if (inner_) return;
      of_.asked_ = 0;
      of_.used_ = false;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

   private:
    Interruption& of_;
    const bool inner_;  // another one asks already
  };
  // Something has been given up since then.
  bool used() const { return used_; }

  // --- On the thread that waits ---
  // The number of the request that asks, which is no other's; 0: none does.
  u64 asked() const { return asked_; }
  void note_used() { used_ = true; }

 private:
  u64 requests_ = 0;
  std::atomic<u64> asked_ = 0;
  std::atomic<bool> used_ = false;
};

}  // namespace relic86
