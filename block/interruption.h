// By which the machine's thread has a request end that waits for a server. Whoever has to have an image to itself, and
// may not wait for long, asks for it; the file that waits looks here (block/nbd_file.h).
#pragma once

#include <atomic>

namespace relic86 {

class Interruption {
 public:
  // --- On the machine's thread ---
  // Asks for as long as it lives.
  class Request {
   public:
    explicit Request(Interruption& of) : of_(of), outer_(of.asked_.exchange(true)) {}
    ~Request() {
      if (outer_) return;
      of_.asked_ = false;
      of_.used_ = false;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

   private:
    Interruption& of_;
    const bool outer_;  // another one asks already
  };
  // Something has been given up since then.
  bool used() const { return used_; }

  // --- On the thread that waits ---
  bool asked() const { return asked_; }
  void note_used() { used_ = true; }

 private:
  std::atomic<bool> asked_ = false, used_ = false;
};

}  // namespace relic86
