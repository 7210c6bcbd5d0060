// relic86_lockstep [--inject N[,TARGET]] [--limit N] [--interval N] [--mask FIELD] -- OPTIONS
// Runs the machine that OPTIONS describe, with -loadvm a saved one, on both engines, side by side, and compares everything at intervals: all
// state of processor, devices and events, all memory, the number of TLB entries. The first difference is narrowed down
// to the instruction after which it shows, by copies of the process from the last equal point.
// Prints `N run, M masked, D differences`; exit code 1 when D > 0, 2 when it could not run.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "base/print.h"
#include "options/options.h"
#include "tests/lockstep/checkpoint.h"
#include "tests/lockstep/machine_pair.h"
#include "tests/lockstep/report.h"

namespace relic86 {

namespace {

constexpr int kDiffers = 1, kUsageError = 2;

struct Wishes {
  u64 limit = 2'000'000'000;
  u64 interval = 1'000'000;
  std::optional<Injection> injection;
  std::set<std::string> masked;
  Options options;
};

std::optional<u64> number_of(std::string_view text) {
  u64 number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

Result<Wishes> parse(const std::vector<std::string>& arguments) {
  Wishes wishes;
  std::size_t at = 0;
  for (; at < arguments.size() && arguments[at] != "--"; at += 2) {
    const std::string& name = arguments[at];
    if (at + 1 == arguments.size()) return Error{name + ": a value is missing, or the -- before the machine's options"};
    const std::string& value = arguments[at + 1];
    const auto comma = value.find(',');
    const auto number = number_of(name == "--inject" ? value.substr(0, comma) : value);
    if (name == "--mask") {
      wishes.masked.insert(value);
      continue;
    }
    if (name != "--limit" && name != "--interval" && name != "--inject")
      return Error{fmt::format("{}: unknown; there are --inject, --limit, --interval and --mask", name)};
    if (!number) return Error{fmt::format("{} {}: write a number of instructions, 1 or more", name, value)};
    if (name == "--limit") wishes.limit = *number;
    if (name == "--interval") wishes.interval = *number;
    if (name == "--inject") {
      wishes.injection = Injection{*number};
      if (comma != value.npos) wishes.injection->target = value.substr(comma + 1);
      if (!valid_injection_target(wishes.injection->target))
        return Error{
            fmt::format("--inject {}: the target is none of eax to edi, dr0-3, xmm0-7, st0-7 and @ADDRESS", value)};
    }
  }
  if (at == arguments.size()) return Error{"usage: relic86_lockstep [--inject N[,TARGET]] [--limit N] -- OPTIONS"};
  auto parsed = parse_command_line(std::span(arguments).subspan(at + 1));
  if (!parsed) return parsed.error();
  if (parsed.value().print_and_exit) return Error{"the options describe no machine"};
  wishes.options = parsed.value().options;
  return wishes;
}

// Runs in a copy that stands at the last equal point. Every probe starts there, so that it runs as the run did that
// found the difference: [equal, different] shrinks to one instruction.
int narrow(MachinePair& pair, u64 different) {
  u64 equal = pair.position();
  const auto differs_at = [&](u64 instruction) {
    return in_copy([&] {
             pair.run_to(instruction);
             return pair.equal() ? 0 : kDiffers;
           }) != 0;
  };
  if (!differs_at(different)) {
    print_text(stdout, fmt::format("difference after instruction {} that does not show again from {}: something "
                                   "outside the machine's state differs\n",
                                   different, equal));
    return kDiffers;
  }
  while (different - equal > 1) {
    const u64 middle = equal + (different - equal) / 2;
    (differs_at(middle) ? different : equal) = middle;
  }
  print_text(stdout, report_difference(pair, different));
  return kDiffers;
}

int run(const Wishes& wishes) {
  auto made = MachinePair::create(wishes.options, wishes.injection, wishes.masked);
  if (!made) {
    print_text(stderr, fmt::format("relic86_lockstep: {}\n", made.message()));
    return kUsageError;
  }
  MachinePair& pair = *made.value();
  constexpr u64 kProgress = 100'000'000;
  const u64 start = pair.position(), end = start + wishes.limit;
  u64 reported = start;
  bool differs = false;
  while (!differs && pair.position() < end && !pair.ended()) {
    const u64 before = pair.position();
    const u64 next = std::min(before + wishes.interval, end);
    Checkpoint checkpoint([&] { return narrow(pair, next); });
    pair.run_to(next);
    differs = !pair.equal();
    if (differs && checkpoint.resume() != kDiffers)
      print_text(stdout, fmt::format("difference after instruction {}; it could not be narrowed down\n", next));
    if (!differs && pair.position() < next) break;  // the guest has ended or sleeps for good
    if (pair.position() - reported >= kProgress) {
      reported = pair.position();
      print_text(stderr, fmt::format("{} million equal\n", (reported - start) / 1'000'000));
    }
  }
  if (!differs) print_text(stderr, pair.translator().end_message() + pair.translator().processors().describe_engines());
  Processors& processors = pair.translator().processors();
  for (unsigned n = 1; n < processors.count(); n++)
    print_text(stdout, fmt::format("CPU#{}: {} of them\n", n, processors[n].cpu().instruction_count()));
  print_text(stdout, fmt::format("{} run, {} masked, {} differences\n", pair.position() - start, pair.masked(),
                                 differs ? 1 : 0));
  return differs ? kDiffers : 0;
}

}  // namespace

}  // namespace relic86

int main(int argc, char** argv) {
  const auto wishes = relic86::parse({argv + 1, argv + argc});
  if (!wishes) {
    relic86::print_text(stderr, fmt::format("relic86_lockstep: {}\n", wishes.message()));
    return 2;
  }
  return relic86::run(wishes.value());
}
