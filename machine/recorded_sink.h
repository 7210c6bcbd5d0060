// What a guest says while it is recorded or replayed.
#pragma once

#include "devices/host_sinks.h"
#include "machine/time_travel.h"

namespace relic86 {

// Whether the host's side can take it changes nothing, and what has been said before is not said again.
class RecordedSink final : public CharSink {
 public:
  RecordedSink(const TimeTravel& travel, CharSink& next) : travel_(travel), next_(next) {}
  void put(u8 byte) override {
    if (!travel_.retracing()) next_.put(byte);
  }

 private:
  const TimeTravel& travel_;
  CharSink& next_;
};

}  // namespace relic86
