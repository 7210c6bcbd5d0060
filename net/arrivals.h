// Who sees every frame on its last step to a card, and decides what becomes of it: a recording of the machine's inputs.
#pragma once

#include "base/types.h"
#include "net/endpoint.h"

namespace relic86::net {

class Arrivals {
 public:
  // A frame has come for the card of this number: it goes on by CardPort::accept(), now or never.
  virtual void arrived(u32 card, Frame frame) = 0;
  // Around each frame that a card sends: what arrives in between answers it.
  virtual void sending() = 0;
  virtual void sent() = 0;

 protected:
  ~Arrivals() = default;
};

}  // namespace relic86::net
