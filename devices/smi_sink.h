// The processor's SMI# pin, for a machine whose processor has system management mode.
#pragma once

namespace relic86 {

class SmiSink {
 public:
  virtual void raise_smi() = 0;  // taken at the next instruction boundary outside SMM

 protected:
  ~SmiSink() = default;
};

}  // namespace relic86
