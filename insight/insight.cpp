#include "insight/insight.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/output_file.h"

namespace relic86 {

namespace {

Result<> write_file(std::string_view option, const std::string& name, const std::string& text) {
  const auto trouble = [&](const std::string& cause) { return Error{fmt::format("{} {}: {}", option, name, cause)}; };
  auto file = OutputFile::create(name);
  if (!file) return trouble(file.message());
  if (auto written = file.value().write({reinterpret_cast<const u8*>(text.data()), text.size()}); !written)
    return trouble(written.message());
  if (auto committed = file.value().commit(); !committed) return trouble(committed.message());
  return {};
}

// Whether a file can be written there is told before the run, not after it.
Result<> check_file(std::string_view option, const std::string& name) {
  if (name.empty()) return {};
  auto file = OutputFile::create(name);
  if (!file) return Error{fmt::format("{} {}: {}", option, name, file.message())};
  return {};
}

}  // namespace

Result<std::unique_ptr<Insight>> Insight::create(Machine& machine) {
  const InsightOptions& options = machine.options().insight;
  std::unique_ptr<Insight> insight;
  if (!options.any()) return insight;
  insight.reset(new Insight(machine));
  if (auto writable = check_file("--profile", options.profile); !writable) return writable.error();
  if (auto writable = check_file("--coverage", options.coverage); !writable) return writable.error();
  const bool lcov = !options.coverage.empty() && options.coverage_format == InsightOptions::CoverageFormat::Lcov;
  if (lcov && options.symbols.empty())
    return Error{
        fmt::format("--coverage {}: lcov tells of functions and lines; name them by --symbols FILE, or give "
                    "format=drcov",
                    options.coverage)};
  for (const InsightOptions::Symbols& named : options.symbols) {
    auto table = SymbolTable::read(named.file, named.offset);
    if (!table) return table.error();
    auto lines = lcov && table.value().elf() ? LineTable::read(named.file, named.offset) : LineTable();
    if (!lines) return Error{fmt::format("--symbols {}: {}", named.file, lines.message())};
    insight->symbols_.push_back(std::move(table).value());
    insight->lines_.push_back(std::move(lines).value());
  }
  if (!options.trace.file.empty()) {
    auto trace = ChromeTrace::create(options.trace.file, options.trace.most);
    if (!trace) return Error{fmt::format("--trace {}: {}", options.trace.file, trace.message())};
    insight->trace_ = std::move(trace).value();
  }
  insight->watch();
  return insight;
}

Insight::~Insight() {
  Processors& processors = machine_.processors();
  for (unsigned i = 0; i < processors.count(); i++) processors[i].engine().on_decoded({});
}

void Insight::watch() {
  const InsightOptions& options = machine_.options().insight;
  if (!options.profile.empty())
    machine_.on_sample(static_cast<GuestTime>(options.profile_interval),
                       [this](u64 intervals) { profiler_.sample(intervals); });
  if (trace_ != nullptr) kernel_ = std::make_unique<KernelTrace>(machine_, *trace_, symbols_);
  if (options.coverage.empty()) return;
  Processors& processors = machine_.processors();
  for (unsigned i = 0; i < processors.count(); i++)
    processors[i].engine().on_decoded([this](const DecodedCode& code) {
      if (coverage_.add(code.linear.raw, code.bytes) || full_) return;
      full_ = true;
      log::warning("--coverage: the guest has run code at more places than can be kept; what is new is left out");
    });
}

Result<> Insight::write() {
  const InsightOptions& options = machine_.options().insight;
  if (!options.profile.empty()) {
    if (auto written = write_file("--profile", options.profile, profiler_.folded(symbols_)); !written) return written;
  }
  if (kernel_ != nullptr) {
    kernel_->finish();
    if (auto written = trace_->finish(); !written)
      return Error{fmt::format("--trace {}: {}", options.trace.file, written.message())};
  }
  if (options.coverage.empty()) return {};
  const bool lcov = options.coverage_format == InsightOptions::CoverageFormat::Lcov;
  return write_file("--coverage", options.coverage,
                    lcov ? coverage_.lcov(symbols_, lines_) : coverage_.drcov(symbols_));
}

}  // namespace relic86
