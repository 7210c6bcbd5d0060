#include "control/gdb/gdb_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/guest_inputs.h"

namespace relic86 {

namespace {
constexpr int kTrap = 5;  // SIGTRAP
}

// Names that begin with another's name stand before it.
const GdbSession::Command GdbSession::kCommands[] = {
    {"?", &GdbSession::why_stopped},
    {"!", &GdbSession::extended},
    {"c", &GdbSession::go_on},
    {"C", &GdbSession::go_on_with_signal},
    {"s", &GdbSession::step},
    {"S", &GdbSession::step_with_signal},
    {"bs", &GdbSession::step_back},
    {"bc", &GdbSession::run_back},
    {"vCont?", &GdbSession::v_cont_query},
    {"vCont;", &GdbSession::v_cont},
    {"vKill;", &GdbSession::v_kill},
    {"vAttach;", &GdbSession::v_attach},
    {"Z", &GdbSession::insert_point},
    {"z", &GdbSession::remove_point},
    {"D", &GdbSession::detach},
    {"k", &GdbSession::kill},
    {"R", &GdbSession::restart},
    {"g", &GdbSession::read_registers},
    {"G", &GdbSession::write_registers},
    {"p", &GdbSession::read_register},
    {"P", &GdbSession::write_register},
    {"m", &GdbSession::read_memory},
    {"M", &GdbSession::write_memory},
    {"X", &GdbSession::write_binary},
    {"H", &GdbSession::set_thread},
    {"T", &GdbSession::thread_alive},
    {"qSupported", &GdbSession::supported},
    {"qXfer:features:read:", &GdbSession::transfer_features},
    {"qC", &GdbSession::current_thread},
    {"qfThreadInfo", &GdbSession::first_threads},
    {"qsThreadInfo", &GdbSession::more_threads},
    {"qThreadExtraInfo", &GdbSession::thread_name},
    {"qAttached", &GdbSession::attached},
    {"qSymbol", &GdbSession::symbols},
    {"qRcmd,", &GdbSession::monitor_command},
    {"qqemu.sstepbits", &GdbSession::step_bits},
    {"qqemu.sstep", &GdbSession::step_flags},
    {"Qqemu.sstep=", &GdbSession::set_step_flags},
    {"qqemu.PhyMemMode", &GdbSession::memory_mode},
    {"Qqemu.PhyMemMode:", &GdbSession::set_memory_mode},
    {"QStartNoAckMode", &GdbSession::no_acknowledgements},
};

GdbSession::GdbSession(Machine& machine, std::function<void(std::string_view)> send)
    : machine_(machine),
      packets_({std::move(send), [this](const std::string& data) { packet(data); }, [this] { interrupt(); }}) {
  machine_.debugger().listen(
      {[this](const DebugStop& stop) { report_stop(stop); }, [this](int exit_code) { report_end(exit_code); }});
}

GdbSession::~GdbSession() {
  machine_.debugger().listen({});
  leave();
}

void GdbSession::attach() {
  packets_.reset();
  waiting_ = physical_ = multiprocess_ = false;
  attached_ = true;
  // A replay takes the interrupts that the recorded run took.
  machine_.debugger().mask_interrupts(!machine_.inputs().repeatable());
  if (machine_.inputs().replaying()) machine_.travel().enable();
  machine_.hold_start();
  machine_.pause();
  stop_.reset();
  thread_ = resumed_ = machine_.processors().running().number();
}

void GdbSession::leave() {
  if (!attached_) return;
  attached_ = waiting_ = false;
  machine_.debugger().clear();
  machine_.resume();
}

void GdbSession::packet(const std::string& data) {
  if (!attached_) attach();  // a client that nobody announced
  // Commands come while the machine stands. One that does not wait for that finds it standing.
  if (waiting_) {
    waiting_ = false;
    machine_.pause();
  }
  const Text text(data);
  // What commands are about is gdb's affair while they last, not the monitor's.
  const LookAt guard(machine_, thread_);
  const auto command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                    [&](const Command& each) { return text.starts_with(each.name); });
  if (command != std::end(kCommands)) {
    (this->*command->run)(text.substr(command->name.size()));
  } else {
    reply("");  // not known here
  }
}

void GdbSession::interrupt() {
  if (!waiting_) return;
  if (machine_.paused()) return report_stop({});
  machine_.pause();
}

// --- Why it stopped ---

void GdbSession::report_stop(const DebugStop& stop) {
  stop_ = stop;
  thread_ = resumed_ = machine_.processors().running().number();
  if (!waiting_) return;
  waiting_ = false;
  why_stopped("");
}

std::string GdbSession::describe(const DebugStop& stop) const {
  using Cause = DebugStop::Cause;
  constexpr int kInterrupted = 2;  // SIGINT
  std::string why;
  // Where EIP is not the linear address (a segment with a base) gdb knows no breakpoint at its program counter: it
  // is told of a trap, else it would take the stop for a stale one and go on.
  const Vcpu& running = machine_.processors().running();
  const CpuState& state = running.cpu().state();
  if (stop.cause == Cause::Breakpoint && stop.address == state.eip()) {
    why = stop.kind == PointKind::Hardware ? "hwbreak:;" : "swbreak:;";
  } else if (stop.cause == Cause::Watchpoint) {
    const Text name = stop.kind == PointKind::WriteWatch  ? "watch"
                      : stop.kind == PointKind::ReadWatch ? "rwatch"
                                                          : "awatch";
    why = fmt::format("{}:{:x};", name, stop.address);
  } else if (stop.cause == Cause::ReplayBegin || stop.cause == Cause::ReplayEnd) {
    why = stop.cause == Cause::ReplayBegin ? "replaylog:begin;" : "replaylog:end;";
  }
  return fmt::format("T{:02x}thread:{};{}", stop.cause == Cause::Request ? kInterrupted : kTrap,
                     thread_id(running.number()), why);
}

void GdbSession::report_end(int exit_code) {
  if (attached_ && waiting_) reply(fmt::format("W{:02x}{}", exit_code & 0xFF, multiprocess_ ? ";process:1" : ""));
  attached_ = waiting_ = false;
}

void GdbSession::why_stopped(Text) {
  if (stop_) return reply(describe(*stop_));
  reply(fmt::format("T{:02x}thread:{};", kTrap, thread_id(machine_.processors().running().number())));
}

// --- Running ---

void GdbSession::resume() {
  waiting_ = true;
  machine_.resume();
  if (machine_.paused()) report_stop({});  // powered off: it stays
}

void GdbSession::go_to(u64 address) {
  CpuState& state = machine_.processors()[resumed_].cpu().state();
  state.rip = state.mode.code64 ? address : static_cast<u32>(address);
}

void GdbSession::go_on(Text arguments) {
  if (const auto address = take_hex(arguments)) go_to(*address);
  machine_.debugger().run_freely();
  resume();
}

void GdbSession::step(Text arguments) {
  if (const auto address = take_hex(arguments)) go_to(*address);
  machine_.debugger().step(resumed_, Debugger::Others::StandStill);
  resume();
}

// "SIG" or "SIG;ADDRESS": a processor takes no signals.
void GdbSession::go_on_with_signal(Text arguments) {
  if (!take_hex(arguments)) return error();
  take(arguments, ';');
  go_on(arguments);
}

void GdbSession::step_with_signal(Text arguments) {
  if (!take_hex(arguments)) return error();
  take(arguments, ';');
  step(arguments);
}

// Packets of reverse debugging: only a replay has a way back.
void GdbSession::go_back(TimeTravel::Wish wish) {
  if (!machine_.travel().enabled()) return error();
  waiting_ = true;
  machine_.travel().ask(wish);
}

// "KIND[SIGNAL or RANGE]"; nothing: there is no such action.
std::optional<GdbSession::Action> GdbSession::action(Text text) {
  if (text.empty()) return std::nullopt;
  Action action{text.front()};
  text.remove_prefix(1);
  switch (action.kind) {
    case 'C': [[fallthrough]];
    case 'S':
      if (!take_hex(text)) return std::nullopt;
      action.kind = action.kind == 'C' ? 'c' : 'r';
      return action;
    case 'c': return action;
    case 's':
      action.kind = 'r';  // an empty range: one step
      return action;
    case 'r': {
      const auto first = take_hex(text);
      const auto last = first && take(text, ',') ? take_hex(text) : std::nullopt;
      if (!last) return std::nullopt;
      action.first = *first;
      action.last = *last;
      return action;
    }
    default: return std::nullopt;
  }
}

// "ACTION[:THREAD];ACTION[:THREAD].."; each processor does what the first action that names it says. One of them steps
// at most, the others stand still or go on.
void GdbSession::v_cont(Text arguments) {
  std::vector<std::optional<Action>> wanted(machine_.processors().count());
  while (!arguments.empty()) {
    Text word = arguments.substr(0, arguments.find(';'));
    arguments.remove_prefix(std::min(arguments.size(), word.size() + 1));
    const auto colon = word.find(':');
    const auto what = action(word.substr(0, colon));
    if (!what) return error();
    std::optional<ThreadName> who = ThreadName{.any = true};
    if (colon != Text::npos) {
      word.remove_prefix(colon + 1);
      who = take_thread(word);
    }
    if (!who) return error();
    for (unsigned n = 0; n < wanted.size(); n++) {
      if ((who->any || who->processor == n) && !wanted[n]) wanted[n] = what;
    }
  }
  const auto steps =
      std::find_if(wanted.begin(), wanted.end(), [](const auto& each) { return each && each->kind == 'r'; });
  const bool all_act = std::all_of(wanted.begin(), wanted.end(), [](const auto& each) { return each.has_value(); });
  const bool goes_on =
      std::any_of(wanted.begin(), wanted.end(), [](const auto& each) { return each && each->kind == 'c'; });
  // Some cannot go on while others stand still.
  if (steps == wanted.end()) return all_act ? go_on("") : error();
  const auto processor = static_cast<unsigned>(steps - wanted.begin());
  machine_.debugger().step_range((*steps)->first, (*steps)->last, processor,
                                 goes_on ? Debugger::Others::GoOn : Debugger::Others::StandStill);
  resume();
}

// "KIND,ADDRESS,SIZE"; conditions and commands behind it are gdb's affair.
void GdbSession::change_point(Text arguments, bool insert) {
  const auto kind = take_hex(arguments);
  const auto address = kind && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  const auto size = address && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  if (!size) return error();
  if (*kind > static_cast<u64>(PointKind::AccessWatch)) return reply("");
  Debugger& debugger = machine_.debugger();
  const auto point = static_cast<PointKind>(*kind);
  const u32 bytes = static_cast<u32>(*size);
  const bool done = insert ? debugger.insert(point, *address, bytes) : debugger.remove(point, *address, bytes);
  if (!done) return error();
  reply("OK");
}

void GdbSession::detach(Text) {
  reply("OK");
  leave();
}

void GdbSession::kill(Text) {
  attached_ = false;
  machine_.quit();
}

void GdbSession::v_kill(Text) {
  reply("OK");
  kill("");
}

// "run" in extended mode: the machine's reset button.
void GdbSession::restart(Text) { (void)machine_.inputs().enter(input::Reset{}); }  // the protocol has no answer

}  // namespace relic86
