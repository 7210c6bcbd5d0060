// Exceptions of the host's x87 and SSE units in translated code. With the guest's masks in the host's control words an
// unmasked exception of the guest traps on the host, at the instruction where the guest's comes (an x87 exception: the
// next waiting instruction). Linux makes SIGFPE of it; the handler goes on at the exit of that instruction, so that an
// exception that does not come costs nothing.
#pragma once

#include <map>

#include "jit/runtime/translation.h"

namespace relic86::jit {

class HostTraps {
 public:
  HostTraps();
  HostTraps(const HostTraps&) = delete;
  HostTraps& operator=(const HostTraps&) = delete;

  // The translation has its place; it is known until remove().
  void add(const Translation& translation);
  void remove(const Translation& translation);
  // Where to go on after a trap at this instruction of the host; null: no translation expects one there.
  const u8* exit_of(const u8* instruction) const;

  // While one exists, traps of this thread are looked up in traps.
  class Running {
   public:
    explicit Running(const HostTraps& traps);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    const HostTraps* before_;
  };

 private:
  std::map<const u8*, const Translation*> translations_;  // by the code's first byte; those with trap sites
};

}  // namespace relic86::jit
