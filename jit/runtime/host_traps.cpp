#include "jit/runtime/host_traps.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>

namespace relic86::jit {

namespace {

// A signal handler gets no context of ours: this is the one way for it to find the running translator.
thread_local const HostTraps* running_traps = nullptr;

void on_floating_point_exception(int signal, siginfo_t*, void* context) {
  greg_t& place = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  const u8* const exit =
      running_traps == nullptr ? nullptr : running_traps->exit_of(reinterpret_cast<const u8*>(place));
  if (exit != nullptr) {
    place = reinterpret_cast<greg_t>(exit);
    return;
  }
  // Not the guest's: the instruction traps once more, and ends the process as if nobody had caught it.
  struct sigaction ends {};
  ends.sa_handler = SIG_DFL;
  (void)sigaction(signal, &ends, nullptr);
}

bool catch_exceptions() {
  struct sigaction action {};
  action.sa_sigaction = &on_floating_point_exception;
  action.sa_flags = SA_SIGINFO;
  (void)sigemptyset(&action.sa_mask);
  return sigaction(SIGFPE, &action, nullptr) == 0;
}

}  // namespace

HostTraps::HostTraps() {
  static const bool caught = catch_exceptions();  // once in a process
  RELIC86_ASSERT(caught);
}

void HostTraps::add(const Translation& translation) {
  if (!translation.trap_sites.empty()) translations_.emplace(translation.code, &translation);
}

void HostTraps::remove(const Translation& translation) {
  if (!translation.trap_sites.empty()) translations_.erase(translation.code);
}

const u8* HostTraps::exit_of(const u8* instruction) const {
  auto next = translations_.upper_bound(instruction);
  if (next == translations_.begin()) return nullptr;
  const Translation& translation = *(--next)->second;
  const u64 offset = static_cast<u64>(instruction - translation.code);
  const auto& sites = translation.trap_sites;
  const auto site = std::ranges::lower_bound(sites, offset, {}, &TrapSite::offset);
  if (site == sites.end() || site->offset != offset) return nullptr;
  return translation.code + site->exit->stub_offset;
}

HostTraps::Running::Running(const HostTraps& traps) : before_(running_traps) { running_traps = &traps; }
HostTraps::Running::~Running() { running_traps = before_; }

}  // namespace relic86::jit
