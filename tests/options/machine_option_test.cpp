// -machine's properties.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "options/options.h"

namespace relic86 {
namespace {

Result<ParsedCommandLine> parse(const std::string& machine) {
  const std::vector<std::string> arguments{"-machine", machine};
  return parse_command_line(arguments);
}

TEST(MachineOption, SystemManagementMode) {
  EXPECT_TRUE(parse("pc").value().options.smm);
  EXPECT_TRUE(parse("pc,smm=auto").value().options.smm);
  EXPECT_TRUE(parse("smm=on").value().options.smm);
  EXPECT_FALSE(parse("pc,smm=off").value().options.smm);
  EXPECT_TRUE(parse("pc,vmport=auto").value().options.vmware_port);
  EXPECT_FALSE(parse("pc,vmport=off").value().options.vmware_port);
  const auto wrong = parse("smm=perhaps");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("smm=perhaps"), std::string::npos);
}

}  // namespace
}  // namespace relic86
