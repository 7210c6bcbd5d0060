// A processor with a host thread of its own, and the lock of the machine that all of them share (docs/processors.md).
//
// A thread holds the lock while it runs C++: devices, memory map, interrupt controllers, the scheduler, decoding,
// translating, TLBs and the state of all processors are then its own. It gives the lock up only in translated code,
// which touches nothing of that but its own processor's state and TLB, and guest memory.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/types.h"
#include "memory/atomic_access.h"

namespace relic86 {

class ProcessorThread;

class MachineLock {
 public:
  void lock();
  void unlock() { mutex_.unlock(); }
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) != 0; }  // somebody waits for it
  // Somebody who waits has it before the caller has it again. Those that condition variables wake up wait like others:
  // they are of the kind that takes any lock.
  void give_way();
  // Returns when no thread is in translated code; none goes there while the caller holds the lock.
  void bring_out();
  // While one exists, processors that only wait for another one (PAUSE) come out of translated code at once: somebody
  // wants all of them to.
  class Summons {
   public:
    explicit Summons(MachineLock& lock) : lock_(lock) { lock_.summons_.fetch_add(1, std::memory_order_relaxed); }
    ~Summons() { lock_.summons_.fetch_sub(1, std::memory_order_relaxed); }
    Summons(const Summons&) = delete;
    Summons& operator=(const Summons&) = delete;

   private:
    MachineLock& lock_;
  };

 private:
  friend class ProcessorThread;
  bool take_soon();

  std::mutex mutex_;
  std::atomic<u32> waiting_{0};
  std::atomic<u64> taken_{0};  // how often
  std::atomic<u32> summons_{0};
  std::vector<ProcessorThread*> threads_;
};

class ProcessorThread final : public Exclusion {
 public:
  // on_turn: called with the lock held whenever this thread has got it.
  ProcessorThread(MachineLock& lock, std::function<void()> on_turn);
  ProcessorThread(const ProcessorThread&) = delete;
  ProcessorThread& operator=(const ProcessorThread&) = delete;

  // The one that runs on this thread of the host; null: none, or one thread runs all processors.
  static ProcessorThread* current();
  // While one exists, this thread carries out the processor's instructions in place of its own, which waits.
  class Acting {
   public:
    explicit Acting(ProcessorThread* thread);  // null: nothing happens
    ~Acting();
    Acting(const Acting&) = delete;
    Acting& operator=(const Acting&) = delete;

   private:
    ProcessorThread* acted_for_;
  };

  // --- On the thread itself ---
  void begin();         // the lock is taken
  void end();           // and given up for good
  void enter_guest() {  // into translated code: the lock is given up
    here_ = false;
    outside_.store(true, std::memory_order_release);
    lock_.unlock();
  }
  void leave_guest();  // out of it: the lock is taken
  // Called whenever the thread has come out of translated code and has the lock, before the processor's own work goes
  // on; here() is still false. Null: nothing.
  void before_turns(std::function<void()> hook) { before_turn_ = std::move(hook); }
  void give_way();
  void wait();         // until notify(), without the lock
  void spin();         // PAUSE, in translated code: now and then the host may run somebody else
  void stand_aside();  // the same with the lock held, which somebody else may have meanwhile
  // The guest is about to be told the time, or has been while the lock is held; and how often it was.
  void note_reading() { readings_.store(readings_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  u64 readings() const { return readings_.load(std::memory_order_relaxed); }  // on any thread
  bool summoned() const { return lock_.summons_.load(std::memory_order_relaxed) != 0; }
  void stop_others() override { lock_.bring_out(); }
  u8* copy_page() override { return copies_->bytes; }

  // --- With the lock held, on any thread ---
  bool here() const { return here_; }  // this thread holds it
  bool outside() const { return outside_.load(std::memory_order_acquire); }
  bool rests() const { return rests_; }  // in wait(): the processor stands between two instructions
  void notify() { wake_.notify_one(); }
  u64 passages() const { return passages_; }  // ways out of translated code
  // The processor is in translated code: what it does meanwhile is not in CpuState.
  bool elsewhere() const { return !here_ && outside(); }

  // Which of the others may be in the middle of a store that they began before now: each one's number of passages out
  // of translated code, or kNone. have_passed(): none of them is any more.
  using Passages = std::vector<u64>;
  Passages others_outside() const;  // empty: nobody is
  bool have_passed(const Passages& passages) const;

 private:
  static constexpr u64 kNone = ~u64{0};
  void take();

  MachineLock& lock_;
  std::function<void()> on_turn_;
  std::condition_variable_any wake_;
  bool here_ = false;
  bool rests_ = false;
  std::atomic<bool> outside_{false};
  std::atomic<u64> readings_{0};
  u64 passages_ = 0;
  u32 spins_ = 0;
  u32 returns_ = 0;  // out of translated code since others were asked whether they want the lock
  struct alignas(kPageSize) CopyPage {
    u8 bytes[kPageSize];
  };
  std::unique_ptr<CopyPage> copies_ = std::make_unique<CopyPage>();
  std::function<void()> before_turn_;
};

}  // namespace relic86
