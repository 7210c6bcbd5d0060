#include "batch/outcome.h"

namespace relic86::batch {

namespace {

struct Row {
  Outcome outcome;
  std::string_view name;
};
constexpr Row kRows[] = {
    {Outcome::Passed, "passed"},
    {Outcome::FailureText, "failure-text"},
    {Outcome::Panic, "panic"},
    {Outcome::Hang, "hang"},
    {Outcome::Halted, "halted"},
    {Outcome::Idle, "idle"},
    {Outcome::Stopped, "stopped"},
    {Outcome::TripleFault, "triple-fault"},
    {Outcome::ResetLoop, "reset-loop"},
    {Outcome::EndlessOutput, "endless-output"},
    {Outcome::WrongPicture, "wrong-picture"},
    {Outcome::PowerOff, "power-off"},
    {Outcome::Reset, "reset"},
    {Outcome::Exit, "exit"},
    {Outcome::Timeout, "timeout"},
    {Outcome::HostTimeout, "host-timeout"},
    {Outcome::StepFailed, "step-failed"},
    {Outcome::Crashed, "crashed"},
    {Outcome::NotStarted, "not-started"},
    {Outcome::NotRun, "not-run"},
};

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  for (const Row& row : kRows) {
    if (row.outcome == outcome) return row.name;
  }
  return "unknown";
}

std::optional<Outcome> outcome_of(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.outcome;
  }
  return std::nullopt;
}

std::vector<std::string_view> outcome_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) names.push_back(row.name);
  return names;
}

}  // namespace relic86::batch
