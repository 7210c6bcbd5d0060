#include "insight/chrome_trace.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

TEST(ChromeTrace, GuestsMaySayAnything) {
  EXPECT_EQ(json_string("a \"quoted\" \\ name\n\x01\x7f\xe4"), R"("a \"quoted\" \\ name\u000a\u0001\u007f\u00e4")");
}

TEST(ChromeTrace, TimesAreMicrosecondsToTheNanosecond) {
  const test::TemporaryFolder folder;
  auto trace = ChromeTrace::create(folder.path("trace.json"), 2).value();
  trace->name_track({1, 1}, "first");
  trace->add({1, 1}, {"span", "call", 1'234'567, 1'234'570, "\"a\": 1"});
  trace->add({1, 1}, {"backwards", "call", 5000, 4000, ""});  // a state was loaded in between
  EXPECT_TRUE(trace->full());
  trace->add({1, 1}, {"too much", "call", 1, 2, ""});
  ASSERT_TRUE(trace->finish());
  std::stringstream text;
  text << std::ifstream(folder.path("trace.json")).rdbuf();
  EXPECT_EQ(text.str(), R"({"displayTimeUnit": "ns", "traceEvents": [
{"ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": {"name": "first"}},
{"ph": "X", "name": "span", "cat": "call", "pid": 1, "tid": 1, "ts": 1234.567, "dur": 0.003, "args": {"a": 1}},
{"ph": "X", "name": "backwards", "cat": "call", "pid": 1, "tid": 1, "ts": 5.000, "dur": 0.000, "args": {}}
]}
)");
}

TEST(ChromeTrace, AFullDiskIsToldAtTheEnd) {
  auto trace = ChromeTrace::create("/dev/full", 10).value();
  trace->add({1, 1}, {"span", "call", 1, 2, ""});
  const Result<> finished = trace->finish();
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.message().find("No space left"), std::string::npos);
}

}  // namespace
}  // namespace relic86
