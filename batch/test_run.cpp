#include "batch/test_run.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <functional>

#include "batch/panics.h"
#include "machine/host_time.h"

namespace relic86::batch {

namespace {

constexpr GuestTime kScreenInterval = 50'000'000;
constexpr GuestTime kShotInterval = 200'000'000;     // of the film
constexpr GuestTime kCountInterval = 1'000'000'000;  // of pages of memory: it takes the host a while
constexpr GuestTime kLookInterval = 1'000'000;       // slices end more often than that where devices are busy
// What a system prints after the first line of a panic, call traces and dumps, belongs into the log.
constexpr GuestTime kAfterPanic = 1'000'000'000;

double seconds(GuestTime time) { return static_cast<double>(time) / 1e9; }

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 200;
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "..";
}

}  // namespace

TestRun::TestRun(Machine& machine, Console& console, const TestPlan& test, const std::vector<SymbolTable>& symbols)
    : machine_(machine), console_(console), test_(test), symbols_(symbols), progress_(test.limits) {}

Attempt TestRun::run() {
  started_ = step_started_ = now();
  host_started_ = host_monotonic_ns();
  next_look_ = next_screen_ = next_progress_ = started_;
  machine_.end_at_triple_fault(test_.end_at_triple_fault);
  machine_.on_frame([] {});  // an idle guest's time goes on in steps of a frame
  machine_.on_event([this](MachineEvent event) { note(event); });
  begin_step();
  const End end = machine_.run_until([this] { return look(); });
  if (!decided_) met_end(end);
  if (!machine_.ended()) machine_.pause();
  machine_.forget_listeners();
  console_.flush();
  if (!console_.log_trouble().empty() && attempt_.outcome == Outcome::Passed) attempt_.detail = console_.log_trouble();
  attempt_.guest_seconds = seconds(since_start());
  attempt_.host_seconds = seconds(host_monotonic_ns() - host_started_);
  return attempt_;
}

void TestRun::note(MachineEvent event) {
  switch (event) {
    case MachineEvent::Reset:
      if (!machine_.reset_by_guest()) return;
      resets_++;
      reset_at_ = console_.end();
      look_at_serial();
      if (panic_) panic_until_ = now();  // all that it had to say about it is out
      return;
    case MachineEvent::GuestPanicked:
      if (panic_ || test_.panics.empty()) return;
      panic_ = "the guest told its panic device (pvpanic)";
      panic_until_ = now() + kAfterPanic;
      return;
    default: return;
  }
}

bool TestRun::look() {
  if (machine_.paused()) return look_at_pause();
  if (now() < next_look_) return false;
  next_look_ = now() + kLookInterval;
  if (console_.bytes() != searched_bytes_) {
    searched_bytes_ = console_.bytes();
    look_at_serial();
  }
  if (!decided_ && now() >= next_screen_) {
    next_screen_ = now() + kScreenInterval;
    console_.flush();  // for who looks on
    look_at_screen();
  }
  if (!decided_ && !panic_) advance();
  if (!decided_ && now() >= next_progress_) {
    next_progress_ = now() + ProgressWatch::kInterval;
    look_at_progress();
  }
  if (!decided_ && !panic_) look_at_program();
  if (!decided_) look_at_limits();
  return decided_;
}

// Guest time stands still.
bool TestRun::look_at_pause() {
  using enum Machine::StopCause;
  look_at_serial();
  const Machine::StopCause cause = machine_.stop_cause();
  if (panic_ || cause == Watchdog || cause == PowerOff) {
    met_end(panic_ ? End::GuestPanic : cause == Watchdog ? End::Watchdog : End::PowerOff);
    return decided_;
  }
  if (!decided_) advance();  // a step may let it go on
  if (decided_ || !machine_.paused()) return decided_;
  std::string why = "the machine has stopped, " + machine_.status();
  if (const auto& failed = machine_.disk_failure(); cause == DiskError)
    why += fmt::format(": {}: {}", failed.drive, failed.failure.message);
  decide_waiting(Outcome::Stopped, why);
  return decided_;
}

void TestRun::look_at_serial() {
  for (std::string line; console_.next_line(line);) {
    note_panic(line, "COM1");
    for (const Pattern& pattern : test_.fail) {
      if (std::regex_search(line, pattern.regex))
        return decide(Outcome::FailureText, fmt::format("'{}' on COM1: {}", pattern.text, shortened(line)));
    }
  }
  if (const auto& endless = console_.repetition().endless())
    return decide_waiting(Outcome::EndlessOutput,
                          fmt::format("the guest repeats '{}' {} times", shortened(*endless), Repetition::kLines));
  if (test_.limits.output != 0 && console_.bytes() > test_.limits.output)
    decide_waiting(Outcome::EndlessOutput, fmt::format("more than {} bytes on COM1", test_.limits.output));
}

void TestRun::look_at_screen() {
  std::string text;
  for (const std::string& line : machine_.board().text_screen()) text += line + "\n";
  if (text == screen_) return;
  screen_ = std::move(text);
  for (std::size_t begin = 0; begin < screen_.size();) {
    const std::size_t end = screen_.find('\n', begin);
    note_panic(std::string_view(screen_).substr(begin, end - begin), "the screen");
    begin = end + 1;
  }
  for (const Pattern& pattern : test_.fail) {
    std::smatch match;
    if (std::regex_search(screen_, match, pattern.regex))
      return decide(Outcome::FailureText, fmt::format("'{}' on the screen: {}", pattern.text, shortened(match.str())));
  }
}

void TestRun::note_panic(std::string_view line, std::string_view medium) {
  // The rest of the line may come later.
  if (panic_ && (!line.starts_with(panic_line_) || line.size() == panic_line_.size())) return;
  const PanicText* const found = find_panic(line, test_.panics);
  if (found == nullptr) return;
  if (!panic_) panic_until_ = now() + kAfterPanic;
  panic_line_ = line;
  panic_ = fmt::format("{} on {}: {}", found->name, medium, shortened(line));
}

// Pages that the host had to give, because somebody has used them.
u64 TestRun::used_memory() {
  if (now() < next_count_) return used_memory_;
  next_count_ = now() + kCountInterval;
  BackingStore& store = machine_.bus().store();
  std::vector<unsigned char> present(store.ram_size() / kPageSize);
  if (::mincore(store.host(BackingOffset(0)), present.size() * kPageSize, present.data()) != 0) return used_memory_;
  const auto used = std::ranges::count_if(present, [](unsigned char page) { return (page & 1u) != 0; });
  return used_memory_ = static_cast<u64>(used);
}

Activity TestRun::activity(std::size_t screen) {
  Activity activity;
  const CpuState& cpu = machine_.processors().running().cpu().state();
  activity.time = now();
  activity.instructions = machine_.instruction_count();
  activity.interrupts = machine_.interrupts_taken();
  for (unsigned i = 0; i < machine_.processors().count(); i++)
    activity.faults += machine_.processors()[i].cpu().faults_taken();
  activity.memory = used_memory();
  activity.decoded = machine_.processors().decoded_instructions();
  for (const auto& [drive, medium] : machine_.media())
    activity.disk += medium->counts().reads + medium->counts().writes;
  activity.output = console_.bytes();
  activity.screen = screen;
  // Suspended to RAM it waits for what wakes it, whatever its processor was at.
  const bool suspended = machine_.board().suspended();
  activity.halted = cpu.halted || suspended;
  activity.interrupts_on = (cpu.system_flags & kIF) != 0 || suspended;
  for (unsigned i = 0; i < activity.registers.size(); i++) activity.registers[i] = static_cast<u32>(cpu.gpr[i]);
  activity.eip = cpu.eip();
  return activity;
}

std::string TestRun::place() const {
  const Cpu& cpu = machine_.processors().running().cpu();
  const u64 address = cpu.linear_address(kCs, cpu.state().rip).raw;
  for (const SymbolTable& table : symbols_) {
    if (const Symbol* symbol = table.find(address))
      return fmt::format(", in {}+{:#x}", symbol->name, address - symbol->address);
  }
  return {};
}

void TestRun::look_at_progress() {
  std::string shown = screen_;
  if (shown.empty()) {  // no text mode, whose text need not be drawn to be compared
    const Frame& frame = machine_.picture().update(machine_.board());
    shown.append(reinterpret_cast<const char*>(frame.pixels.data()), frame.pixels.size() * sizeof(u32));
  }
  const std::size_t screen = std::hash<std::string>{}(shown);
  if (test_.film != TestPlan::Film::Off) film(screen);
  const auto finding = progress_.look(activity(screen));
  if (!finding || panic_) return;
  const Action* const action = step_ < test_.steps.size() ? &test_.steps[step_].action : nullptr;
  if (finding->outcome == Outcome::Idle && action != nullptr && std::holds_alternative<Sleep>(*action)) return;
  const auto* const wanted = action != nullptr ? std::get_if<WaitEnd>(action) : nullptr;
  if (finding->outcome == Outcome::Halted && wanted != nullptr && wanted->kind == WaitEnd::Kind::Halt) {
    step_++;
    begin_step();
    if (step_ == test_.steps.size()) decide(Outcome::Passed, "");
    return;
  }
  decide_waiting(finding->outcome, finding->detail + place());
}

void TestRun::look_at_program() {
  if (test_.limits.hang == 0) return;
  const auto quiet = progress_.quiet_since();
  if (quiet != program_quiet_since_) program_loop_.restart();
  program_quiet_since_ = quiet;
  if (!quiet) return;
  const auto looped = program_loop_.look(now(), program_sample(machine_), [this] { return program_memory(machine_); });
  if (!looped) return;
  decide_waiting(Outcome::Hang,
                 fmt::format("a program is in a loop: after {:g} s its registers and all its memory are what they "
                             "were, and nothing was seen of it; EIP {:08X}",
                             seconds(*looped), machine_.processors().running().cpu().state().eip()) +
                     place());
}

// Most tests show the same all the time, and have no film: the first picture is that of the first change.
void TestRun::film(std::size_t screen) {
  const std::size_t before = std::exchange(filmed_, screen);
  const bool changed = before != 0 && before != screen;
  if (now() < next_shot_ && changed) filmed_ = before;  // it is not forgotten
  if (now() < next_shot_ || !changed) return;
  next_shot_ = now() + kShotInterval;
  film_.add(machine_.picture().update(machine_.board()), now());
}

void TestRun::look_at_limits() {
  if (panic_ && now() >= panic_until_) return decide(Outcome::Panic, *panic_);
  const Limits& limits = test_.limits;
  if (limits.resets != 0 && resets_ >= limits.resets)
    return decide_waiting(Outcome::ResetLoop, fmt::format("the guest has reset itself {} times", resets_));
  if (limits.guest_time != 0 && since_start() >= limits.guest_time)
    return decide_waiting(Outcome::Timeout, fmt::format("{:g} s of guest time are up", seconds(limits.guest_time)));
  if (step_ < test_.steps.size() && test_.steps[step_].within != 0 &&
      now() - step_started_ >= test_.steps[step_].within) {
    const bool picture = std::holds_alternative<WaitPicture>(test_.steps[step_].action);
    return decide_waiting(picture ? Outcome::WrongPicture : Outcome::Timeout,
                          picture
                              ? picture_why_
                              : fmt::format("nothing within {:g} s of guest time", seconds(test_.steps[step_].within)));
  }
  if (limits.host_ns != 0 && host_monotonic_ns() - host_started_ >= limits.host_ns)
    decide_waiting(Outcome::HostTimeout, fmt::format("{:g} s of host time are up", seconds(limits.host_ns)));
}

void TestRun::decide(Outcome outcome, std::string detail) {
  if (decided_) return;
  decided_ = true;
  attempt_.outcome = outcome;
  attempt_.detail = std::move(detail);
  attempt_.step = outcome == Outcome::Passed || step_ >= test_.steps.size() ? 0 : static_cast<unsigned>(step_ + 1);
}

void TestRun::decide_waiting(Outcome outcome, const std::string& why) {
  if (panic_) return decide(Outcome::Panic, *panic_);
  const bool picture = step_ < test_.steps.size() && std::holds_alternative<WaitPicture>(test_.steps[step_].action);
  // A guest that has come to rest without showing what it should shows the wrong picture.
  if (picture && (outcome == Outcome::Idle || outcome == Outcome::Halted || outcome == Outcome::Timeout)) {
    return decide(Outcome::WrongPicture, fmt::format("{}: {} ({})", test_.steps[step_].described, picture_why_, why));
  }
  if (step_ >= test_.steps.size()) return decide(outcome, why);
  const std::string seen = memory_why_.empty() ? "" : fmt::format(" ({})", memory_why_);
  decide(outcome, fmt::format("{}; step {} waited for {}{}", why, step_ + 1, test_.steps[step_].described, seen));
}

void TestRun::met_end(End end) {
  // What was printed last comes first: a panic before a power-off is a panic.
  look_at_serial();
  if (!panic_ && !decided_) look_at_screen();
  if (decided_) return;
  if (panic_) return decide(Outcome::Panic, *panic_);
  advance();
  if (decided_) return;
  if (ends_as_wanted(end)) {
    step_++;
    if (step_ == test_.steps.size()) return decide(Outcome::Passed, "");
    return decide(Outcome::StepFailed, fmt::format("the machine has ended, and step {} is left: {}", step_ + 1,
                                                   test_.steps[step_].described));
  }
  switch (end) {
    case End::PowerOff: return decide_waiting(Outcome::PowerOff, "the guest powered off");
    case End::Reset: return decide_waiting(Outcome::Reset, "the guest reset itself");
    case End::TripleFault:
      return decide_waiting(Outcome::TripleFault, fmt::format("triple fault at EIP {:08X}",
                                                              machine_.processors().running().cpu().state().eip()));
    case End::DebugExit:
      return decide_waiting(Outcome::Exit,
                            fmt::format("the guest wrote to the exit port: code {}", machine_.exit_code()));
    case End::Watchdog: return decide_waiting(Outcome::Hang, "the guest's watchdog timer has expired");
    default: return decide_waiting(Outcome::StepFailed, "the machine was told to end");
  }
}

}  // namespace relic86::batch
