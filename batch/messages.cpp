#include "batch/messages.h"

#include "control/commands/command.h"

namespace relic86::batch {

namespace {
// Both sides are this program: a message that is not of its kind says nothing.
Json read(const std::string& message) { return Json::parse(message, nullptr, false); }
}  // namespace

std::string write_message(const Finished& finished) {
  const Attempt& attempt = finished.attempt;
  // Guests print what they like: bytes that are no UTF-8 are replaced.
  return Json{{"outcome", std::string(outcome_name(attempt.outcome))},
              {"detail", attempt.detail},
              {"step", attempt.step},
              {"guest", attempt.guest_seconds},
              {"host", attempt.host_seconds},
              {"hash", attempt.state_hash},
              {"saved", attempt.saved_state},
              {"private", attempt.private_bytes},
              {"start", attempt.start_ms},
              {"frozen", finished.frozen}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string write_message(const StartTest& start) { return Json{{"run", start.test}, {"folder", start.folder}}.dump(); }

std::string write_message(const ChildNews& news) {
  Json json{{"child", news.test}, {"process", news.process}};
  if (news.status) json["status"] = *news.status;
  return json.dump();
}

std::optional<Finished> read_finished(const std::string& message) {
  const Json json = read(message);
  if (!json.is_object() || !json.contains("outcome")) return std::nullopt;
  Finished finished;
  finished.attempt.outcome = outcome_of(json["outcome"].get<std::string>()).value_or(Outcome::Crashed);
  finished.attempt.detail = json["detail"].get<std::string>();
  finished.attempt.step = json["step"].get<unsigned>();
  finished.attempt.guest_seconds = json["guest"].get<double>();
  finished.attempt.host_seconds = json["host"].get<double>();
  finished.attempt.private_bytes = json["private"].get<u64>();
  finished.attempt.saved_state = json["saved"].get<std::string>();
  finished.attempt.state_hash = json["hash"].get<std::string>();
  finished.attempt.start_ms = json["start"].get<double>();
  finished.frozen = json["frozen"].get<bool>();
  return finished;
}

std::optional<StartTest> read_start(const std::string& message) {
  const Json json = read(message);
  if (!json.is_object() || !json.contains("run")) return std::nullopt;
  return StartTest{json["run"].get<std::size_t>(), json["folder"].get<std::string>()};
}

std::optional<ChildNews> read_news(const std::string& message) {
  const Json json = read(message);
  if (!json.is_object() || !json.contains("child")) return std::nullopt;
  ChildNews news{json["child"].get<std::size_t>(), json["process"].get<pid_t>(), std::nullopt};
  if (json.contains("status")) news.status = json["status"].get<int>();
  return news;
}

}  // namespace relic86::batch
