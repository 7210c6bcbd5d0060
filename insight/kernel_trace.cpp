#include "insight/kernel_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include "cpu/control_bits.h"
#include "machine/guest_memory.h"

namespace relic86 {

namespace {

constexpr unsigned kProcessors = 1, kPrograms = 2;  // groups of tracks
constexpr unsigned kUserRing = 3;
constexpr std::size_t kMostThreads = 4096, kDeepest = 64;
constexpr u8 kLinuxVector = 0x80;
constexpr std::string_view kCall = "call", kException = "exception", kInterrupt = "interrupt";

std::string exception_name(u8 vector) {
  constexpr std::string_view kNames[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#MP", "#TS",
                                         "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
  if (vector < std::size(kNames) && !kNames[vector].empty()) return std::string(kNames[vector]);
  return fmt::format("exception {:#x}", vector);
}

bool is_call(const KernelEntry& entry) {
  if (entry.from.ring != kUserRing || entry.from.v86) return false;
  return entry.kind == KernelEntry::Kind::SystemCall || entry.kind == KernelEntry::Kind::SystemEnter ||
         entry.kind == KernelEntry::Kind::Software;
}

// Calls that a thread comes back from with other segments, or with another address space.
bool changes_program(std::string_view call) { return call == "execve" || call == "execveat"; }
bool changes_segments(std::string_view call) {
  return call == "arch_prctl" || call == "set_thread_area" || call == "modify_ldt";
}
bool makes_thread(std::string_view call) {
  return call == "vfork" || call == "fork" || call == "clone" || call == "clone3";
}
bool never_returns(std::string_view call) { return call == "exit" || call == "exit_group"; }

}  // namespace

class KernelTrace::Watch final : public EntryWatch {
 public:
  Watch(KernelTrace& trace, unsigned number) : trace_(trace), number_(number) {}
  void entered(Cpu& cpu, const KernelEntry& entry) override { trace_.entered(number_, cpu, entry); }
  void returned(Cpu& cpu, u64 frame) override { trace_.returned(number_, cpu, frame); }

 private:
  KernelTrace& trace_;
  const unsigned number_;
};

KernelTrace::KernelTrace(Machine& machine, ChromeTrace& trace, const std::vector<SymbolTable>& symbols)
    : machine_(machine), trace_(trace), symbols_(symbols) {
  trace_.name_group(kProcessors, "processors: interrupts, and what happens in the kernel");
  trace_.name_group(kPrograms, "programs: system calls and exceptions");
  Processors& all = machine_.processors();
  processors_.resize(all.count());
  for (unsigned i = 0; i < all.count(); i++) {
    trace_.name_track({kProcessors, i + 1}, fmt::format("processor {}", i));
    processors_[i].watch = std::make_unique<Watch>(*this, i);
    all[i].cpu().watch_entries(processors_[i].watch.get());
    all[i].engine().flush_code();
  }
}

KernelTrace::~KernelTrace() {
  Processors& all = machine_.processors();
  for (unsigned i = 0; i < all.count(); i++) {
    all[i].cpu().watch_entries(nullptr);
    all[i].engine().flush_code();
  }
}

// --- What happened ---

std::string KernelTrace::place(u64 address) const {
  for (const SymbolTable& table : symbols_) {
    if (const Symbol* symbol = table.find(address))
      return json_string(fmt::format("{}+{:#x}", symbol->name, address - symbol->address));
  }
  return fmt::format("\"{:#x}\"", address);
}

std::string KernelTrace::text_at(u64 address) {
  constexpr std::size_t kLongest = 256;
  std::string text;
  for (u8 byte = 0; text.size() < kLongest; text += static_cast<char>(byte)) {
    if (!read_guest_ram(machine_, address + text.size(), {&byte, 1})) break;
    if (byte == 0) break;
  }
  return text;
}

void KernelTrace::describe_linux(Open& open, Cpu& cpu, const KernelEntry& entry) {
  using Kind = KernelEntry::Kind;
  constexpr unsigned kR8 = 8, kR9 = 9, kR10 = 10;
  const CpuState& state = cpu.state();
  open.wide = entry.kind == Kind::SystemCall && entry.from.code64;
  const u64 number = state.gpr32(kEax);
  open.call = linux_call_name(open.wide ? LinuxAbi::X86_64 : LinuxAbi::I386, number);
  if (open.call.empty()) return;
  std::array<u64, 6> values{};
  constexpr std::array<unsigned, 6> kWide{kEdi, kEsi, kEdx, kR10, kR8, kR9},
      kNarrow{kEbx, kEcx, kEdx, kEsi, kEdi, kEbp};
  for (std::size_t i = 0; i < values.size(); i++) values[i] = open.wide ? state.gpr[kWide[i]] : state.gpr32(kNarrow[i]);
  // Fast calls of 32-bit programs keep what ECX had in EBP (SYSCALL), and what EBP had on the stack.
  if (!open.wide && entry.kind != Kind::Software) {
    const bool by_syscall = entry.kind == Kind::SystemCall;
    u8 word[4] = {};
    u32 sixth = 0;
    if (by_syscall) values[1] = state.gpr32(kEbp);
    if (read_guest_ram(machine_, by_syscall ? state.gpr32(kEsp) : state.gpr32(kEbp), word))
      std::memcpy(&sixth, word, sizeof sixth);
    values[5] = sixth;
  }
  open.span.name = open.call;
  std::string_view rest = linux_call_arguments(open.call), name;
  LinuxArgument kind{};
  for (std::size_t i = 0; i < values.size() && next_linux_argument(rest, name, kind); i++) {
    open.span.arguments += fmt::format(", \"{}\": ", name);
    switch (kind) {
      case LinuxArgument::Decimal: open.span.arguments += fmt::format("{}", static_cast<i32>(values[i])); break;
      case LinuxArgument::Long:
        open.span.arguments += fmt::format("{}", open.wide ? static_cast<i64>(values[i]) : static_cast<i32>(values[i]));
        break;
      case LinuxArgument::Octal: open.span.arguments += fmt::format("\"{:#o}\"", values[i]); break;
      case LinuxArgument::Hexadecimal: open.span.arguments += fmt::format("\"{:#x}\"", values[i]); break;
      case LinuxArgument::Text: {
        const std::string text = text_at(values[i]);
        if (open.program.empty() && changes_program(open.call)) open.program = text;
        open.span.arguments += json_string(text);
        break;
      }
    }
  }
}

KernelTrace::Open KernelTrace::describe(Cpu& cpu, const KernelEntry& entry) {
  using Kind = KernelEntry::Kind;
  const CpuState& state = cpu.state();
  Open open;
  open.span.start = cpu.clock().now();
  open.frame = cpu.linear_address(kSs, state.gpr[kEsp] & cpu.pointer_mask()).raw;
  open.span.arguments = "\"from\": " + place(entry.return_rip);
  if (is_call(entry)) {
    const bool linux_entry = entry.kind != Kind::Software || entry.vector == kLinuxVector;
    open.span.category = kCall;
    if (linux_entry && machine_.options().insight.trace.calls == TraceOption::Calls::Linux)
      describe_linux(open, cpu, entry);
    if (!open.call.empty()) return open;
    const std::string how = entry.kind == Kind::Software     ? fmt::format("int {:#x}", entry.vector)
                            : entry.kind == Kind::SystemCall ? "syscall"
                                                             : "sysenter";
    open.span.name = fmt::format("{} {:#x}", how, state.gpr32(kEax));
    return open;
  }
  switch (entry.kind) {
    case Kind::Exception:
      open.span.category = kException;
      open.span.name = exception_name(entry.vector);
      if (entry.has_error) open.span.arguments += fmt::format(", \"error\": \"{:#x}\"", entry.error_code);
      if (entry.vector == static_cast<u8>(Vector::PageFault))
        open.span.arguments += fmt::format(", \"address\": \"{:#x}\"", state.cr2);
      break;
    case Kind::Software:
      open.span.category = kCall;
      open.span.name = fmt::format("int {:#x} ax={:04x}", entry.vector, state.gpr32(kEax) & 0xFFFF);
      break;
    default:
      open.span.category = kInterrupt;
      open.span.name =
          entry.vector == static_cast<u8>(Vector::Nmi) ? "NMI" : fmt::format("interrupt {:#x}", entry.vector);
      break;
  }
  return open;
}

// --- Who it happens to ---

namespace {

u64 address_space(const CpuState& state) {
  if (!state.mode.paging) return 0;
  // The processor's and the kernel's notes stand beside the address; PAE's tables lie on 32 bytes (SDM 3 4.4.1).
  const bool pae = !state.mode.long_mode && (state.cr4 & kCr4Pae) != 0;
  return state.cr3 & ~(pae ? u64{0x1F} : u64{0xFFF});
}

}  // namespace

KernelTrace::Threads::iterator KernelTrace::add_thread(const Key& key) {
  make_room();
  const auto added = threads_.emplace(key, Thread{++tracks_, fmt::format("CR3 {:#x}", key.space), std::nullopt}).first;
  return added;
}

void KernelTrace::forget(Threads::iterator thread) {
  trace_.name_track({kPrograms, thread->second.track}, thread->second.name);
  threads_.erase(thread);
}

// Threads that died otherwise than by exit() stay: all that are in ring 3 begin anew.
void KernelTrace::make_room() {
  if (threads_.size() < kMostThreads) return;
  for (auto thread = threads_.begin(); thread != threads_.end();) {
    const auto each = thread++;
    if (!each->second.open || threads_.size() >= kMostThreads) forget(each);
  }
}

KernelTrace::Threads::iterator KernelTrace::rename(Threads::iterator thread, const Key& key) {
  auto node = threads_.extract(thread);
  node.key() = key;
  return threads_.insert(std::move(node)).position;
}

// Of who leaves ring 3. A program may load other segments by itself.
KernelTrace::Threads::iterator KernelTrace::thread_in(Processor& processor, const Key& key) {
  if (const auto known = threads_.find(key); known != threads_.end()) return known;
  if (processor.current && processor.current->space == key.space) {
    const auto same = threads_.find(*processor.current);
    if (same != threads_.end() && !same->second.open) return rename(same, key);
  }
  return add_thread(key);
}

// Of who comes back to ring 3.
KernelTrace::Threads::iterator KernelTrace::thread_back(Processor& processor, const Key& key, Cpu& cpu) {
  const auto known = threads_.find(key);
  if (known != threads_.end()) {
    // A child with its parent's address space and segments: the parent waits beside it.
    const std::optional<Open>& open = known->second.open;
    if (!open || !makes_thread(open->call) || cpu.state().gpr32(kEax) != 0) return known;
    Key beside = key;
    while (threads_.contains(beside)) beside.twin++;
    rename(known, beside);
    return add_thread(key);
  }
  Key beside = key;
  beside.twin = 1;
  if (const auto parent = threads_.find(beside); parent != threads_.end()) return rename(parent, key);
  const auto became = [&](Threads::value_type& each) {
    if (!each.second.open) return false;
    const bool same = each.first.space == key.space;
    return same ? changes_segments(each.second.open->call) : changes_program(each.second.open->call);
  };
  auto found = processor.current ? threads_.find(*processor.current) : threads_.end();
  if (found == threads_.end() || !became(*found)) found = std::ranges::find_if(threads_, became);
  if (found == threads_.end()) return add_thread(key);
  if (!found->second.open->program.empty()) found->second.name = found->second.open->program;
  return rename(found, key);
}

void KernelTrace::end_call(Thread& thread, Cpu& cpu) {
  constexpr i64 kLastError = -4095;
  Open& open = *thread.open;
  open.span.end = cpu.clock().now();
  if (!open.call.empty()) {
    const u64 raw = cpu.state().gpr[kEax];
    const i64 value = open.wide ? static_cast<i64>(raw) : static_cast<i32>(raw);
    const bool failed = value < 0 && value >= kLastError;
    // Addresses of 32 bits are no negative numbers.
    open.span.arguments += fmt::format(", \"return\": {}", failed || open.wide ? value : i64{static_cast<u32>(raw)});
    if (failed) {
      const std::string error = std::generic_category().message(static_cast<int>(-value));
      open.span.arguments += ", \"failure\": " + json_string(error);
    }
  }
  trace_.add({kPrograms, thread.track}, open.span);
  thread.open.reset();
}

void KernelTrace::end_down_to(unsigned number, std::size_t left) {
  std::vector<Open>& open = processors_[number].open;
  for (; open.size() > left; open.pop_back()) {
    open.back().span.end = machine_.processors()[number].cpu().clock().now();
    trace_.add({kProcessors, number + 1}, open.back().span);
  }
}

void KernelTrace::entered(unsigned number, Cpu& cpu, const KernelEntry& entry) {
  const TraceOption& wanted = machine_.options().insight.trace;
  if (trace_.full()) return;
  const LookAt look(machine_, number);
  Processor& processor = processors_[number];
  const CpuState& state = cpu.state();
  const bool own = entry.from.ring == kUserRing && entry.kind != KernelEntry::Kind::Interrupt;
  if (!own) {
    if (!wanted.interrupts) return;
    Open open = describe(cpu, entry);
    // A frame that stands where another one stood: that one is gone, although no IRET took it (RETF 2 of real mode).
    constexpr u64 kStackReach = 0x10000;
    const bool real = state.mode.real_or_v86();
    const auto gone = std::ranges::find_if(processor.open, [&](const Open& each) {
      return real ? each.frame <= open.frame && open.frame - each.frame < kStackReach : each.frame == open.frame;
    });
    end_down_to(number, static_cast<std::size_t>(gone - processor.open.begin()));
    if (processor.open.size() < kDeepest) processor.open.push_back(std::move(open));
    return;
  }
  const bool call = is_call(entry);
  const auto thread = thread_in(processor, {address_space(state), entry.from.v86 ? 0 : state.segment[kFs].base,
                                            entry.from.v86 ? 0 : state.segment[kGs].base});
  processor.current = thread->first;
  if (call ? wanted.calls == TraceOption::Calls::Off : !wanted.interrupts) return;
  thread->second.open = describe(cpu, entry);
  if (!never_returns(thread->second.open->call)) return;
  thread->second.open->span.end = thread->second.open->span.start;
  trace_.add({kPrograms, thread->second.track}, thread->second.open->span);
  forget(thread);
  processor.current.reset();
}

void KernelTrace::returned(unsigned number, Cpu& cpu, u64 frame) {
  constexpr u64 kErrorCode = 8;  // of a frame, at most
  if (trace_.full()) return;
  Processor& processor = processors_[number];
  const CpuState& state = cpu.state();
  if (state.mode.cpl == kUserRing) {
    end_down_to(number, 0);
    const bool v86 = state.mode.v86;
    const auto thread = thread_back(
        processor, {address_space(state), v86 ? 0 : state.segment[kFs].base, v86 ? 0 : state.segment[kGs].base}, cpu);
    if (thread->second.open) end_call(thread->second, cpu);
    processor.current = thread->first;
    return;
  }
  if (frame == 0) return;
  for (std::size_t i = processor.open.size(); i-- > 0;) {
    if (frame - processor.open[i].frame > kErrorCode) continue;
    end_down_to(number, i);
    return;
  }
}

void KernelTrace::finish() {
  constexpr std::string_view kUnfinished = ", \"unfinished\": true";
  for (unsigned i = 0; i < processors_.size(); i++) {
    for (Open& open : processors_[i].open) open.span.arguments += kUnfinished;
    end_down_to(i, 0);
  }
  while (!threads_.empty()) {
    Thread& thread = threads_.begin()->second;
    if (thread.open) {
      thread.open->span.end = machine_.clock().now();
      thread.open->span.arguments += kUnfinished;
      trace_.add({kPrograms, thread.track}, thread.open->span);
    }
    forget(threads_.begin());
  }
}

}  // namespace relic86
