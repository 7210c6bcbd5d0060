// A bus master whose own registers are the target of its transfers: a guest may write any address into a descriptor.
#pragma once

namespace relic86 {

// Stands while a device moves data. The processor waits meanwhile, so that whoever reaches the device's registers then
// is the device itself: it answers nothing and takes nothing, or it would change what the transfer stands on.
class BusMastering {
 public:
  explicit BusMastering(bool& flag) : flag_(flag), before_(flag) { flag_ = true; }
  ~BusMastering() { flag_ = before_; }
  BusMastering(const BusMastering&) = delete;
  BusMastering& operator=(const BusMastering&) = delete;

 private:
  bool& flag_;
  const bool before_;
};

}  // namespace relic86
