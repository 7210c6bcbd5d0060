// COM1's output, which the expectations watch.
#pragma once

#include "devices/host_sinks.h"
#include "machine/expectations.h"

namespace relic86 {

// Goes to the host's side and to the expectations.
class SerialTee final : public CharSink {
 public:
  SerialTee(Expectations& expectations, CharSink* next) : expectations_(expectations), next_(next) {}
  void put(u8 byte) override {
    expectations_.serial_byte(byte);
    if (next_ != nullptr) next_->put(byte);
  }
  bool can_take() const override { return next_ == nullptr || next_->can_take(); }

 private:
  Expectations& expectations_;
  CharSink* next_;
};

}  // namespace relic86
