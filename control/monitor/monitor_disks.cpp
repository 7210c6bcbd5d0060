// The monitor's words for images, jobs and exports: text over the commands of control/commands, as QEMU's monitor has it.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "control/commands/command.h"
#include "control/monitor/monitor_commands.h"
#include "options/option_text.h"

namespace relic86::monitor {
namespace {

// A line's flags (-n), which may stand anywhere, and its other words.
struct Line {
  std::set<std::string> flags;
  std::vector<std::string> words;

  bool has(const std::string& flag) const { return flags.contains(flag); }
  std::string word(std::size_t index) const { return index < words.size() ? words[index] : ""; }
};

// Nothing: flags besides these, or too few or too many words.
std::optional<Line> line_of(Words words, std::string_view flags, std::size_t least, std::size_t most) {
  Line line;
  for (const std::string& word : words.subspan(1)) {
    const bool flag = word.size() == 2 && word[0] == '-';
    if (flag && flags.find(word[1]) == std::string_view::npos) return std::nullopt;
    if (flag)
      line.flags.insert(word);
    else
      line.words.push_back(word);
  }
  if (line.words.size() < least || line.words.size() > most) return std::nullopt;
  return line;
}

std::string expected(Words words, const char* what) { return fmt::format("{}: {} expected\n", words[0], what); }

std::string carry_out(Machine& machine, const char* command, const Json& arguments) {
  const CommandReply reply = run_command(command, machine, arguments);
  return reply ? "" : "Error: " + reply.error().message + "\n";
}

// As the monitor takes sizes and speeds: MiB, or with K, M, G.
Result<u64> size_of(const std::string& word) { return parse_size(word, 1u << 20); }

std::string copy_drive(Machine& machine, Words words, const char* command, std::string_view flags) {
  const auto line = line_of(words, flags, 2, 3);
  if (!line) return expected(words, "a drive, a file and perhaps its format are");
  Json arguments = {{"device", line->word(0)},
                    {"target", line->word(1)},
                    {"sync", line->has("-f") ? "full" : "top"},
                    {"mode", line->has("-n") ? "existing" : "absolute-paths"}};
  if (line->words.size() > 2) arguments["format"] = line->word(2);
  if (line->has("-c")) arguments["compress"] = true;
  return carry_out(machine, command, arguments);
}

std::string act_on_job(Machine& machine, Words words, const char* command, std::string_view flags = "") {
  const auto line = line_of(words, flags, 1, 1);
  if (!line) return expected(words, "a job is (info block-jobs lists them)");
  Json arguments = {{"device", line->word(0)}};
  if (line->has("-f")) arguments["force"] = true;
  return carry_out(machine, command, arguments);
}

}  // namespace

std::string block_resize(Machine& machine, Words words) {
  const auto line = line_of(words, "", 2, 2);
  const auto size = line ? size_of(line->word(1)) : Result<u64>(Error{"no size"});
  if (!size) return expected(words, "a drive and a size in MiB, or with K, M, G, are");
  return carry_out(machine, "block_resize", {{"device", line->word(0)}, {"size", size.value()}});
}

std::string block_set_io_throttle(Machine& machine, Words words) {
  constexpr const char* kLimits[] = {"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"};
  Json arguments = Json::object();
  bool right = words.size() == 2 + std::size(kLimits);
  for (std::size_t i = 0; right && i < std::size(kLimits); i++) {
    const auto limit = evaluate(machine, words[i + 2]);
    right = limit.has_value();
    if (right) arguments[kLimits[i]] = *limit;
  }
  if (!right) return expected(words, "a drive, and bps, bps_rd, bps_wr, iops, iops_rd and iops_wr are");
  arguments["device"] = words[1];
  return carry_out(machine, "block_set_io_throttle", arguments);
}

std::string snapshot_blkdev(Machine& machine, Words words) {
  const auto line = line_of(words, "n", 2, 3);
  if (!line) return expected(words, "a drive and a file for what is written from now on are");
  Json arguments = {{"device", line->word(0)},
                    {"snapshot-file", line->word(1)},
                    {"mode", line->has("-n") ? "existing" : "absolute-paths"}};
  if (line->words.size() > 2) arguments["format"] = line->word(2);
  return carry_out(machine, "blockdev-snapshot-sync", arguments);
}

std::string block_stream(Machine& machine, Words words) {
  const auto line = line_of(words, "", 1, 3);
  const auto speed = line && line->words.size() > 1 ? size_of(line->word(1)) : Result<u64>(0);
  if (!line || !speed) return expected(words, "a drive, and perhaps a speed in MiB/s and a base, are");
  Json arguments = {{"device", line->word(0)}, {"speed", speed.value()}};
  if (line->words.size() > 2) arguments["base"] = line->word(2);
  return carry_out(machine, "block-stream", arguments);
}

std::string drive_mirror(Machine& machine, Words words) { return copy_drive(machine, words, "drive-mirror", "nf"); }
std::string drive_backup(Machine& machine, Words words) { return copy_drive(machine, words, "drive-backup", "nfc"); }

std::string block_job_cancel(Machine& machine, Words words) {
  return act_on_job(machine, words, "block-job-cancel", "f");
}
std::string block_job_complete(Machine& machine, Words words) {
  return act_on_job(machine, words, "block-job-complete");
}
std::string block_job_pause(Machine& machine, Words words) { return act_on_job(machine, words, "block-job-pause"); }
std::string block_job_resume(Machine& machine, Words words) { return act_on_job(machine, words, "block-job-resume"); }
std::string block_job_set_speed(Machine& machine, Words words) {
  const auto line = line_of(words, "", 2, 2);
  const auto speed = line ? size_of(line->word(1)) : Result<u64>(Error{"no speed"});
  if (!speed) return expected(words, "a job and a speed in MiB/s, or with K, M, G, are");
  return carry_out(machine, "block-job-set-speed", {{"device", line->word(0)}, {"speed", speed.value()}});
}

std::string nbd_server_start(Machine& machine, Words words) {
  const auto line = line_of(words, "aw", 1, 1);
  const std::string place = line ? line->word(0) : "";
  const std::size_t colon = place.rfind(':');
  if (colon == std::string::npos) return expected(words, "HOST:PORT is");
  const Json address = {{"type", "inet"},
                        {"data", {{"host", place.substr(0, colon)}, {"port", place.substr(colon + 1)}}}};
  std::string said = carry_out(machine, "nbd-server-start", {{"addr", address}});
  if (!said.empty() || !line->has("-a")) return said;
  const CommandReply reply = run_command("query-block", machine);
  for (const Json& drive : reply.value()) {
    if (!drive.contains("inserted") || drive["device"] == "") continue;
    said += carry_out(machine, "nbd-server-add", {{"device", drive["device"]}, {"writable", line->has("-w")}});
  }
  return said;
}
std::string nbd_server_add(Machine& machine, Words words) {
  const auto line = line_of(words, "w", 1, 2);
  if (!line) return expected(words, "a drive and perhaps a name are");
  Json arguments = {{"device", line->word(0)}, {"writable", line->has("-w")}};
  if (line->words.size() > 1) arguments["name"] = line->word(1);
  return carry_out(machine, "nbd-server-add", arguments);
}
std::string nbd_server_remove(Machine& machine, Words words) {
  const auto line = line_of(words, "f", 1, 1);
  if (!line) return expected(words, "the name of an export is");
  return carry_out(machine, "nbd-server-remove",
                   {{"name", line->word(0)}, {"mode", line->has("-f") ? "hard" : "safe"}});
}
std::string nbd_server_stop(Machine& machine, Words) { return carry_out(machine, "nbd-server-stop", Json::object()); }

std::string info_block_jobs(Machine& machine) {
  std::string text;
  const CommandReply reply = run_command("query-block-jobs", machine);
  for (const Json& job : reply.value()) {
    const auto type = job["type"].get<std::string>(), device = job["device"].get<std::string>();
    text += type == "stream" ? fmt::format("Streaming device {}: ", device)
                             : fmt::format("Type {}, device {}: ", type, device);
    text += fmt::format("Completed {} of {} bytes, speed limit {} bytes/s\n", job["offset"].get<u64>(),
                        job["len"].get<u64>(), job["speed"].get<u64>());
  }
  return text.empty() ? "No active jobs\n" : text;
}

std::string info_blockstats(Machine& machine) {
  constexpr const char* kShown[] = {"rd_bytes",         "wr_bytes",         "rd_operations",    "wr_operations",
                                    "flush_operations", "wr_total_time_ns", "rd_total_time_ns", "flush_total_time_ns",
                                    "rd_merged",        "wr_merged"};
  std::string text;
  const CommandReply reply = run_command("query-blockstats", machine);
  for (const Json& drive : reply.value()) {
    // A drive without a name is known by its node.
    const std::string device = drive.value("device", "");
    text += (device.empty() ? drive.value("node-name", "") : device) + ":";
    for (const char* name : kShown) text += fmt::format(" {}={}", name, drive["stats"].value(name, u64{0}));
    text += "\n";
  }
  return text;
}

}  // namespace relic86::monitor
