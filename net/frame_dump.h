// -object filter-dump: the frames on a cable go to a file that Wireshark and tcpdump read (libpcap's format).
#pragma once

#include <memory>
#include <string>

#include "base/guest_clock.h"
#include "base/result.h"
#include "net/endpoint.h"

namespace relic86::net {

class FrameDump final : public FrameObserver {
 public:
  // longest: bytes kept of each frame. Times are the guest's. The endpoint and the clock must outlive it.
  static Result<std::unique_ptr<FrameDump>> open(const std::string& file, u32 longest, Endpoint& at,
                                                 const GuestClock& clock);
  ~FrameDump();
  void observe(Frame frame) override;

 private:
  FrameDump(int file, u32 longest, Endpoint& at, const GuestClock& clock);
  const int file_;
  const u32 longest_;
  Endpoint& at_;
  const GuestClock& clock_;
  bool failed_ = false;
};

}  // namespace relic86::net
