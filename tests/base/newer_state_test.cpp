// Fields that older programs did not save.
#include "base/newer_state.h"

#include <gtest/gtest.h>

#include "base/state_loading.h"

namespace relic86 {
namespace {

struct Older {
  u32 count = 7;
  void state(StateArchive& archive) { archive.field("count", count); }
};

struct Newer {
  u32 count = 0;
  u16 mode = 9;
  bool plugged = true;
  void state(StateArchive& archive) {
    archive.group("part", [&] { newer_field(archive, "mode", mode, u16{3}); });
    archive.field("count", count);
    if (archive.lacks("slots.plugged")) {
      plugged = false;
    } else {
      archive.group("slots", [&] { archive.field("plugged", plugged); });
    }
  }
};

template <class Component>
std::vector<u8> saved(Component component) {
  StateWriter writer;
  component.state(writer);
  return writer.data();
}
Result<> load(Newer& component, const std::vector<u8>& data) {
  return load_state(data, [&](StateArchive& archive) { component.state(archive); });
}

TEST(NewerState, WhatAnOlderProgramSavedIsLoaded) {
  Newer component;
  const auto loaded = load(component, saved(Older()));
  ASSERT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_EQ(component.count, 7u);
  EXPECT_EQ(component.mode, 3u);
  EXPECT_FALSE(component.plugged);
}

TEST(NewerState, WhatThisOneSavedHasIt) {
  Newer component;
  component.mode = 5;
  Newer other;
  other.plugged = false;
  ASSERT_TRUE(load(other, saved(component)).ok());
  EXPECT_EQ(other.mode, 5u);
  EXPECT_TRUE(other.plugged);
}

TEST(NewerState, WhatEveryProgramSavesIsStillNeeded) {
  Newer component;
  const auto loaded = load(component, {});
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.message().find("field count is missing"), std::string::npos) << loaded.message();
  EXPECT_EQ(component.mode, 9u);
}

}  // namespace
}  // namespace relic86
