// What the guest's kernel is entered for, and for how long: system calls and exceptions of each thread of a program,
// interrupts and the kernel's own exceptions of each processor, as spans of a trace (docs/insight.md).
//
// A program's thread is whoever has the same address space (CR3) and thread-local segments (FS, GS) while ring 3 runs.
// Its call or exception lasts until that thread is back in ring 3. What a processor does beside that (interrupts, what
// happens in ring 0) nests: it ends when IRET takes its frame, or when the processor is back in ring 3.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/entry_watch.h"
#include "insight/chrome_trace.h"
#include "insight/linux_calls.h"
#include "insight/symbol_table.h"
#include "machine/machine.h"

namespace relic86 {

class KernelTrace {
 public:
  // All must outlive it.
  KernelTrace(Machine& machine, ChromeTrace& trace, const std::vector<SymbolTable>& symbols);
  ~KernelTrace();
  KernelTrace(const KernelTrace&) = delete;
  KernelTrace& operator=(const KernelTrace&) = delete;

  // The end of the run: what has not ended is written as it is.
  void finish();

 private:
  class Watch;
  struct Open {
    ChromeTrace::Span span;
    std::string call;     // Linux's name of it; empty: no call of Linux's
    bool wide = false;    // a call of the 64-bit ABI
    std::string program;  // of execve: the file
    u64 frame = 0;        // of a processor's: the linear address of its frame, error code included
  };
  struct Key {
    u64 space = 0, fs = 0, gs = 0;
    unsigned twin = 0;  // a parent waits for a child that has all of its own (vfork)
    auto operator<=>(const Key&) const = default;
  };
  struct Thread {
    unsigned track = 0;
    std::string name;
    std::optional<Open> open;
  };
  using Threads = std::map<Key, Thread>;
  struct Processor {
    std::unique_ptr<Watch> watch;
    std::vector<Open> open;
    std::optional<Key> current;  // who ran in ring 3 last
  };

  void entered(unsigned number, Cpu& cpu, const KernelEntry& entry);
  void returned(unsigned number, Cpu& cpu, u64 frame);

  Open describe(Cpu& cpu, const KernelEntry& entry);
  void describe_linux(Open& open, Cpu& cpu, const KernelEntry& entry);
  std::string place(u64 address) const;
  std::string text_at(u64 address);

  Threads::iterator thread_in(Processor& processor, const Key& key);
  Threads::iterator thread_back(Processor& processor, const Key& key, Cpu& cpu);
  Threads::iterator rename(Threads::iterator thread, const Key& key);
  Threads::iterator add_thread(const Key& key);
  void forget(Threads::iterator thread);
  void make_room();
  void end_call(Thread& thread, Cpu& cpu);
  // The last of them, down to so many.
  void end_down_to(unsigned number, std::size_t left);

  Machine& machine_;
  ChromeTrace& trace_;
  const std::vector<SymbolTable>& symbols_;
  Threads threads_;
  unsigned tracks_ = 0;
  std::vector<Processor> processors_;
};

}  // namespace relic86
