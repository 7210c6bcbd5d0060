// The machine's lock and the processors' threads that share it. No test goes by time: each waits until the others have
// come to where they are to be.
#include "cpu/processor_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {

namespace {

void wait_until_wanted(const MachineLock& lock) {
  while (!lock.wanted()) std::this_thread::yield();
}

// What a host thread does for its processor: runs translated code until `over` says so.
template <class Over>
void stay_in_guest(ProcessorThread& processor, Over over) {
  processor.begin();
  processor.enter_guest();
  while (!over()) std::this_thread::yield();
  processor.leave_guest();
  processor.end();
}

}  // namespace

TEST(MachineLock, GivingWayLetsTheOneThatWaitsHaveIt) {
  MachineLock lock;
  bool had = false;
  lock.lock();
  std::thread other([&] {
    lock.lock();
    had = true;
    lock.unlock();
  });
  wait_until_wanted(lock);
  EXPECT_FALSE(had);
  lock.give_way();
  EXPECT_TRUE(had);
  lock.unlock();
  other.join();
}

TEST(MachineLock, NobodyWaitsForOneThatNobodyWants) {
  MachineLock lock;
  lock.lock();
  EXPECT_FALSE(lock.wanted());
  lock.give_way();
  lock.unlock();
}

TEST(ProcessorThread, OneThatIsWokenUpWaitsForTheLockLikeOthers) {
  MachineLock lock;
  ProcessorThread processor(lock, [] {});
  bool asked = false, woken = false;
  std::thread host([&] {
    processor.begin();
    while (!asked) processor.wait();
    woken = true;
    processor.end();
  });
  lock.lock();
  while (!processor.rests()) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  asked = true;
  processor.notify();
  wait_until_wanted(lock);
  EXPECT_FALSE(woken);
  lock.give_way();
  EXPECT_TRUE(woken);
  EXPECT_FALSE(processor.rests());
  lock.unlock();
  host.join();
}

TEST(ProcessorThread, WhoWantsAllOutOfTranslatedCodeSummonsThem) {
  MachineLock lock;
  ProcessorThread one(lock, [] {}), other(lock, [] {});
  std::thread host([&] { stay_in_guest(other, [&] { return other.summoned(); }); });
  one.begin();
  EXPECT_EQ(ProcessorThread::current(), &one);
  one.enter_guest();
  while (!other.outside()) std::this_thread::yield();
  one.leave_guest();
  EXPECT_TRUE(other.elsewhere());
  one.stop_others();
  EXPECT_FALSE(other.outside());
  EXPECT_FALSE(other.summoned());
  EXPECT_EQ(other.passages(), 0u);  // it has come out, and waits for the lock
  one.end();
  EXPECT_EQ(ProcessorThread::current(), nullptr);
  host.join();
  EXPECT_EQ(other.passages(), 1u);
}

TEST(ProcessorThread, StoresOnTheirWayHaveEndedWhenTheirProcessorHasComeOut) {
  MachineLock lock;
  ProcessorThread one(lock, [] {}), other(lock, [] {});
  std::atomic<bool> goes_on = false;
  std::thread host([&] { stay_in_guest(other, [&] { return goes_on.load(); }); });
  one.begin();
  one.enter_guest();
  while (!other.outside()) std::this_thread::yield();
  one.leave_guest();
  const auto passages = one.others_outside();
  ASSERT_FALSE(passages.empty());
  EXPECT_FALSE(one.have_passed(passages));
  goes_on = true;
  one.stop_others();
  EXPECT_TRUE(one.have_passed(passages));
  one.end();
  host.join();
}

// Another one that is in translated code may still store to the page by an entry of its TLB that it had before.
TEST(ProcessorThread, CodeThatIsWrittenDirectlyIsSeenBeforeTheWriterHasComeOut) {
  constexpr u32 kCode = 0x1000;
  MachineLock lock;
  ProcessorThread one(lock, [] {}), other(lock, [] {});
  std::atomic<bool> goes_on = false;
  std::thread host([&] { stay_in_guest(other, [&] { return goes_on.load(); }); });
  one.begin();
  one.enter_guest();
  while (!other.outside()) std::this_thread::yield();
  one.leave_guest();
  CpuTestMachine m;
  m.flat32(kCode);
  m.code({0xB8, 1, 0, 0, 0, 0xF4});  // mov eax, 1; hlt
  Interpreter interpreter(m.cpu(), m.bus(), &one);
  ASSERT_EQ(interpreter.run(10), ExitReason::Halted);
  EXPECT_EQ(m.reg(kEax), 1u);
  m.bus().store().host(BackingOffset(kCode))[1] = 2;
  m.state().rip = kCode;
  m.state().halted = false;
  ASSERT_EQ(interpreter.run(10), ExitReason::Halted);
  EXPECT_EQ(m.reg(kEax), 2u);
  EXPECT_TRUE(other.outside());
  goes_on = true;
  one.end();
  host.join();
}

}  // namespace relic86
