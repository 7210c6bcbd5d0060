// The steps of a test: what each does, and when it is done.
#include <fmt/format.h>

#include <filesystem>

#include "batch/disk_file.h"
#include "batch/picture_match.h"
#include "batch/test_run.h"
#include "control/commands/command.h"
#include "control/monitor/monitor.h"
#include "display/picture_file.h"
#include "machine/guest_inputs.h"
#include "machine/guest_memory.h"

namespace relic86::batch {

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

void TestRun::begin_step() {
  step_started_ = now();
  begun_ = false;
  resets_ = 0;
  picture_why_.clear();
  memory_why_.clear();
  console_.restart_search();
  progress_.restart();
}

void TestRun::advance() {
  while (!decided_ && step_ < test_.steps.size()) {
    if (!begun_) {
      begun_ = true;
      if (!act(test_.steps[step_])) return;
    }
    if (!step_done()) return;
    step_++;
    begin_step();
  }
  if (!decided_ && step_ == test_.steps.size()) decide(Outcome::Passed, "");
}

bool TestRun::failed(const std::string& why) {
  decide(Outcome::StepFailed, fmt::format("step {}: {}: {}", step_ + 1, test_.steps[step_].described, why));
  return false;
}

bool TestRun::act(const Step& step) {
  const auto check = [&](const std::string& answer, const std::optional<Pattern>& wanted) {
    if (!wanted || std::regex_search(answer, wanted->regex)) return true;
    constexpr std::size_t kMost = 500;
    return failed(fmt::format("'{}' is not in the answer: {}", wanted->text, answer.substr(0, kMost)));
  };
  return std::visit(
      Overloaded{
          [&](const SendSerial& send) {
            console_.send(send.text);
            return true;
          },
          [&](const TypeText& type) {
            const unsigned left_out = machine_.keys().type_text(type.text);
            return left_out == 0 || failed(fmt::format("{} characters are on no key of a US keyboard", left_out));
          },
          [&](const PressKeys& press) {
            constexpr GuestTime kHold = 100'000'000;
            const auto sent = machine_.keys().send(press.keys, kHold);
            return sent.ok() || failed(sent.message());
          },
          [&](const RunCommand& command) {
            const CommandReply reply = run_command(command.name, machine_, Json::parse(command.arguments));
            if (!reply) return failed(reply.error().message);
            return check(reply.value().dump(), command.returns);
          },
          [&](const RunMonitor& monitor) { return check(execute_monitor_line(machine_, monitor.line), monitor.shows); },
          [&](const ChangeMedium& change) {
            const auto changed = machine_.inputs().enter(input::Medium{change.drive, {.file = change.file}});
            return changed.ok() || failed(changed.message());
          },
          [&](const CheckFile& file) { return check_file(file); },
          [](const auto&) { return true; },
      },
      step.action);
}

bool TestRun::check_file(const CheckFile& check) {
  const auto drive = machine_.find_drive(check.drive);
  const auto medium = machine_.media().find(drive ? drive->name : check.drive);
  if (medium == machine_.media().end()) {
    std::vector<std::string> names;
    for (const auto& [name, one] : machine_.media()) names.push_back(name);
    return failed(fmt::format("there is no disk in '{}'; in use are: {}", check.drive, fmt::join(names, ", ")));
  }
  const auto content = read_disk_file(*medium->second, check.partition, check.path);
  if (!content) return failed(content.message());
  if (!check.holds || std::regex_search(content.value(), check.holds->regex)) return true;
  constexpr std::size_t kMost = 500;
  return failed(fmt::format("'{}' is not in it: {}", check.holds->text, content.value().substr(0, kMost)));
}

bool TestRun::memory_holds(const WaitMemory& wait) {
  u64 address = wait.offset;
  if (!wait.symbol.empty()) {
    std::optional<u64> symbol;
    for (const SymbolTable& table : symbols_) {
      if (!symbol) symbol = table.address_of(wait.symbol);
    }
    if (!symbol)
      return failed(fmt::format("no symbol is called '{}'; give its machine the option --symbols FILE", wait.symbol));
    address += *symbol;
  }
  std::vector<u8> found(wait.bytes.size());
  if (!read_guest(machine_, wait.physical, address, found)) {
    memory_why_ = fmt::format("no memory is mapped at {:#x}", address);
    return false;
  }
  memory_why_ = fmt::format("at {:#x} stands {:02x}", address, fmt::join(found, " "));
  return found == wait.bytes;
}

bool TestRun::step_done() {
  const Step& step = test_.steps[step_];
  return std::visit(Overloaded{
                        [&](const WaitSerial& wait) { return console_.find(wait.pattern.regex); },
                        [&](const WaitScreen& wait) { return std::regex_search(screen_, wait.pattern.regex); },
                        [&](const WaitPicture& wait) {
                          if (next_progress_ > now()) return false;  // looked at as often as the guest's progress
                          auto expected = read_picture(wait.file);
                          if (!expected) {
                            decide(Outcome::StepFailed, fmt::format("step {}: {}", step_ + 1, expected.message()));
                            return false;
                          }
                          const auto found =
                              compare_picture(machine_.picture().update(machine_.board()), expected.value(), wait);
                          picture_why_ = found.why;
                          return found.same;
                        },
                        [&](const WaitEnd& wait) { return wait.kind == WaitEnd::Kind::Reset && take_reset(); },
                        [&](const WaitMemory& wait) { return memory_holds(wait); },
                        [&](const SendSerial&) { return console_.sent(); },
                        [&](const TypeText&) { return machine_.keys().idle(); },
                        [&](const PressKeys&) { return machine_.keys().idle(); },
                        [&](const Sleep& sleep) { return now() - step_started_ >= sleep.time; },
                        [](const auto&) { return true; },
                    },
                    step.action);
}

bool TestRun::take_reset() {
  const auto at = std::exchange(reset_at_, std::nullopt);
  return at && *at >= console_.consumed();
}

bool TestRun::ends_as_wanted(End end) const {
  const auto* const wait = step_ < test_.steps.size() ? std::get_if<WaitEnd>(&test_.steps[step_].action) : nullptr;
  if (wait == nullptr) return false;
  switch (wait->kind) {
    case WaitEnd::Kind::PowerOff: return end == End::PowerOff;
    case WaitEnd::Kind::Reset: return end == End::Reset;
    case WaitEnd::Kind::TripleFault: return end == End::TripleFault;
    case WaitEnd::Kind::Exit: return end == End::DebugExit && (!wait->code || *wait->code == machine_.exit_code());
    case WaitEnd::Kind::Halt: return false;
  }
  return false;
}

}  // namespace relic86::batch
