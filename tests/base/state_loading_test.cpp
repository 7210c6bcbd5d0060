// load_state(): all of a state, or none of it.
#include "base/state_loading.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

// Holds an index below 8 and a moment.
struct Component {
  u32 index = 3;
  u8 scratch = 0;
  GuestTime deadline = 100;
  void state(StateArchive& archive) {
    archive.field("index", index);
    archive.field("scratch", scratch);
    moment_field(archive, "deadline", deadline);
    if (index >= 8) index = 0;
  }
};

std::vector<u8> saved(Component component) {
  StateWriter writer;
  component.state(writer);
  return writer.data();
}

Result<> load(Component& component, const std::vector<u8>& data) {
  return load_state(data, [&](StateArchive& archive) { component.state(archive); });
}

TEST(StateLoading, TakesWhatItSaved) {
  Component component;
  ASSERT_TRUE(load(component, saved({7, 0x55, INT64_MAX})).ok());
  EXPECT_EQ(component.index, 7u);
  EXPECT_EQ(component.scratch, 0x55);
  EXPECT_EQ(component.deadline, INT64_MAX);
}

TEST(StateLoading, WhatTheComponentCutsIsRefusedByName) {
  Component component;
  const auto loaded = load(component, saved({8, 0x55, 200}));
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.message().find("field index holds 08000000"), std::string::npos) << loaded.message();
  EXPECT_EQ(component.index, 3u);  // and nothing of the rest was taken
  EXPECT_EQ(component.scratch, 0);
  EXPECT_EQ(component.deadline, 100);
}

TEST(StateLoading, MomentsBeyondAnyRunAreRefused) {
  Component component;
  for (const GuestTime moment : {GuestTime{-1}, kLongestTime + 1, INT64_MAX - 1, INT64_MIN}) {
    const auto loaded = load(component, saved({1, 0, moment}));
    ASSERT_FALSE(loaded.ok()) << moment;
    EXPECT_NE(loaded.message().find("deadline"), std::string::npos) << loaded.message();
  }
}

TEST(StateLoading, UnknownMissingAndRepeatedFieldsAreRefused) {
  Component component;
  StateWriter more;
  Component other{5, 1, 1};
  other.state(more);
  u8 unknown = 0;
  more.field("unknown", unknown);
  EXPECT_NE(load(component, more.data()).message().find("unknown"), std::string::npos);

  StateWriter fewer;
  fewer.field("index", other.index);
  EXPECT_NE(load(component, fewer.data()).message().find("scratch"), std::string::npos);

  StateWriter twice;
  other.state(twice);
  other.state(twice);
  EXPECT_NE(load(component, twice.data()).message().find("twice"), std::string::npos);
  EXPECT_EQ(component.index, 3u);
}

}  // namespace
}  // namespace relic86
