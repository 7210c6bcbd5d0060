#include "options/time_option.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "options/option_text.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

}  // namespace

Result<> set_icount(Options& options, Text value) {
  IcountOption icount;
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "shift" || word.empty()) {
      const Text number = key == "shift" ? Text(word) : Text(key);
      const auto shift = number == "auto" ? Result<u64>(u64{3}) : parse_number(number);
      if (!shift || shift.value() > 10)
        return Error{fmt::format("-icount {}: shift must be a number from 0 to 10", value)};
      icount.shift = static_cast<unsigned>(shift.value());
    } else if (key == "sleep") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-icount sleep={}: {}", word, on.message())};
      icount.sleep = on.value();
    } else if (key == "align") {
      const auto on = parse_switch(word);
      if (!on || on.value())
        return Error{fmt::format("-icount align={}: only off exists; guest time never waits for the host's", word)};
    } else if (key == "rr" && (word == "record" || word == "replay")) {
      icount.record_replay = word == "record" ? RecordReplay::Record : RecordReplay::Replay;
    } else if (key == "rr") {
      return Error{fmt::format("-icount rr={}: record and replay are known", word)};
    } else if (key == "rrfile") {
      icount.record_file = word;
    } else if (key == "rrsnapshot") {
      return Error{
          fmt::format("-icount rrsnapshot={}: a recording begins with the machine's start; leave it out", word)};
    } else {
      return Error{
          fmt::format("-icount {}={}: unknown property; shift, sleep, align, rr and rrfile are known", key, word)};
    }
  }
  if (icount.record_replay == RecordReplay::Off && !icount.record_file.empty())
    return Error{fmt::format("-icount rrfile={}: rr=record or rr=replay is missing", icount.record_file)};
  if (icount.record_replay != RecordReplay::Off && icount.record_file.empty())
    return Error{"-icount rr=: rrfile=FILE is missing: where the recording goes, or comes from"};
  options.icount = icount;
  return {};
}

Result<> set_rtc(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (key == "base") {
      options.rtc_base = word;
    } else if (key == "clock") {
      if (word != "host" && word != "rt" && word != "vm")
        return Error{fmt::format("-rtc clock={}: unknown clock; host, rt and vm exist", word)};
    } else if (key == "driftfix") {
      if (word != "slew" && word != "none")
        return Error{fmt::format("-rtc driftfix={}: unknown word; slew and none exist", word)};
      options.rtc_slew = word == "slew";
    } else {
      return Error{fmt::format(
          "-rtc {}: unknown property; base=utc, base=localtime and base=YYYY-MM-DDTHH:MM:SS are known", key)};
    }
  }
  return {};
}

Result<> set_timeout(Options& options, Text value) {
  double seconds = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (failure != std::errc{} || end != value.data() + value.size() || !(seconds > 0) || !std::isfinite(seconds) ||
      seconds > 1e9) {
    return Error{fmt::format("--timeout {}: give a number of seconds above 0", value)};
  }
  options.timeout_seconds = seconds;
  return {};
}

}  // namespace relic86
