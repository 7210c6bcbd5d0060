#include "cpu/processor_thread.h"

#include <thread>
#include <utility>
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace relic86 {

namespace {

void pause_host() {
#ifdef __x86_64__
  _mm_pause();
#endif
}

}  // namespace

// Who holds it has given it up in a microsecond as a rule. Who sleeps instead has to be woken, which takes several, and
// on a busy host waits until others have had their turn.
bool MachineLock::take_soon() {
  constexpr unsigned kTries = 100;
  for (unsigned i = 0; i < kTries; ++i) {
    pause_host();
    if (mutex_.try_lock()) return true;
  }
  return false;
}

void MachineLock::lock() {
  if (!mutex_.try_lock()) {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    if (!take_soon()) mutex_.lock();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  taken_.fetch_add(1, std::memory_order_relaxed);
  taken_.notify_all();
}

// A mutex goes to whoever runs, which is the caller: it stands aside until another has had it. On a busy host that one
// may have to wait for its turn, and would find the lock taken each time if the caller's patience ended before.
void MachineLock::give_way() {
  if (!wanted()) return;
  const u64 taken = taken_.load(std::memory_order_relaxed);
  unlock();
  taken_.wait(taken, std::memory_order_relaxed);
  lock();
}

void MachineLock::bring_out() {
  const Summons summons(*this);
  for (const ProcessorThread* each : threads_) {
    while (each->outside()) std::this_thread::yield();
  }
}

namespace {

// The house has no mutable globals; which processor a thread of the host is, belongs to the thread.
thread_local ProcessorThread* current_thread = nullptr;

}  // namespace

ProcessorThread* ProcessorThread::current() { return current_thread; }

ProcessorThread::Acting::Acting(ProcessorThread* thread) : acted_for_(thread) {
  if (thread == nullptr) return;
  current_thread = thread;
  thread->take();
}

ProcessorThread::Acting::~Acting() {
  if (acted_for_ == nullptr) return;
  current_thread = nullptr;
  acted_for_->here_ = false;
}

ProcessorThread::ProcessorThread(MachineLock& lock, std::function<void()> on_turn)
    : lock_(lock), on_turn_(std::move(on_turn)) {
  lock_.threads_.push_back(this);
}

void ProcessorThread::take() {
  here_ = true;
  on_turn_();
}

void ProcessorThread::begin() {
  current_thread = this;
  lock_.lock();
  take();
}

void ProcessorThread::end() {
  current_thread = nullptr;
  here_ = false;
  lock_.unlock();
}

void ProcessorThread::leave_guest() {
  // A guest that asks a device over and over has the lock nearly all the time.
  constexpr u32 kReturnsAtOnce = 64;
  // Before the wait for the lock: who holds it may wait for this.
  outside_.store(false, std::memory_order_release);
  lock_.lock();
  if (++returns_ % kReturnsAtOnce == 0) lock_.give_way();
  ++passages_;
  if (before_turn_) before_turn_();
  take();
}

void ProcessorThread::give_way() {
  here_ = false;
  lock_.give_way();
  take();
}

void ProcessorThread::wait() {
  here_ = false;
  rests_ = true;
  wake_.wait(lock_);
  rests_ = false;
  take();
}

void ProcessorThread::stand_aside() {
  here_ = false;
  lock_.unlock();
  spin();
  lock_.lock();
  take();
}

void ProcessorThread::spin() {
  constexpr u32 kPatience = 32;
  if (++spins_ % kPatience == 0) std::this_thread::yield();
}

ProcessorThread::Passages ProcessorThread::others_outside() const {
  Passages passages;
  for (std::size_t i = 0; i < lock_.threads_.size(); ++i) {
    const ProcessorThread* const other = lock_.threads_[i];
    if (other == this || !other->outside()) continue;
    passages.resize(lock_.threads_.size(), kNone);
    passages[i] = other->passages_;
  }
  return passages;
}

bool ProcessorThread::have_passed(const Passages& passages) const {
  for (std::size_t i = 0; i < passages.size(); ++i) {
    const ProcessorThread& other = *lock_.threads_[i];
    if (passages[i] == other.passages_ && other.outside()) return false;
  }
  return true;
}

}  // namespace relic86
