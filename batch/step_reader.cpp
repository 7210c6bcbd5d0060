#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <sstream>

#include "base/nearest.h"
#include "batch/suite.h"
#include "control/commands/command.h"
#include "options/option_text.h"

namespace relic86::batch {

namespace {

Json json_of(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::Text: return value.text;
    case TomlValue::Kind::Integer: return value.integer;
    case TomlValue::Kind::Number: return value.number;
    case TomlValue::Kind::Flag: return value.flag;
    case TomlValue::Kind::Array: {
      Json list = Json::array();
      for (const TomlValue& item : value.items) list.push_back(json_of(item));
      return list;
    }
    case TomlValue::Kind::Table: {
      Json object = Json::object();
      for (const auto& [key, member] : value.members) object[key] = json_of(member);
      return object;
    }
    case TomlValue::Kind::Other: break;
  }
  return nullptr;
}

std::string excerpt(const std::string& text) {
  constexpr std::size_t kMost = 60;
  std::string line;
  for (const char c : text) {
    if (line.size() >= kMost) return line + "..";
    line += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return line;
}

std::optional<Pattern> optional_pattern(TableReader& reader, const std::string& key) {
  const std::string text = reader.text(key);
  return text.empty() ? std::nullopt : read_pattern(reader, key, text, Searched::Screen);
}

Action serial_step(TableReader& reader, const std::string& key) {
  const auto pattern = read_pattern(reader, key, reader.text(key), Searched::Serial);
  return WaitSerial{pattern.value_or(Pattern{})};
}
Action screen_step(TableReader& reader, const std::string& key) {
  const auto pattern = read_pattern(reader, key, reader.text(key), Searched::Screen);
  return WaitScreen{pattern.value_or(Pattern{})};
}

Action picture_step(TableReader& reader, const std::string& key) {
  WaitPicture step;
  step.file = reader.text(key);
  if (!reader.mistake() && !std::filesystem::exists(step.file))
    reader.fail(key, fmt::format("'{}' is not there; name a PNG file, by a path from the suite's folder", step.file));
  if (const TomlValue* region = reader.value("region"); region != nullptr) {
    constexpr i64 kWidest = 65535;
    unsigned* const parts[] = {&step.region.x, &step.region.y, &step.region.width, &step.region.height};
    bool right = region->kind == TomlValue::Kind::Array && region->items.size() == std::size(parts);
    for (std::size_t i = 0; right && i < std::size(parts); i++) {
      const TomlValue& part = region->items[i];
      right = part.kind == TomlValue::Kind::Integer && part.integer >= (i < 2 ? 0 : 1) && part.integer <= kWidest;
      if (right) *parts[i] = static_cast<unsigned>(part.integer);
    }
    if (!right) reader.fail("region", "is not a region; write [x, y, width, height] in pixels");
  }
  constexpr i64 kMostTolerance = 255;
  step.tolerance = static_cast<unsigned>(reader.integer("tolerance", 0, kMostTolerance).value_or(0));
  step.differing = reader.number("differing", 0, 1).value_or(0);
  return step;
}

Action end_step(TableReader& reader, const std::string& key) {
  constexpr std::string_view kNames[] = {"power-off", "reset", "triple-fault", "halt", "exit"};
  WaitEnd step;
  const std::string name = reader.text(key);
  const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) {
    reader.fail(key, fmt::format("'{}' is no way to end; did you mean '{}'?", name, nearest_word(name, kNames)));
  } else {
    step.kind = static_cast<WaitEnd::Kind>(found - std::begin(kNames));
  }
  constexpr int kHighestCode = 255;
  if (const auto code = reader.integer("code", 0, kHighestCode)) step.code = static_cast<int>(*code);
  if (step.code && step.kind != WaitEnd::Kind::Exit) reader.fail("code", "goes with end = \"exit\" alone; drop it");
  return step;
}

Action send_step(TableReader& reader, const std::string& key) { return SendSerial{reader.text(key)}; }
Action type_step(TableReader& reader, const std::string& key) { return TypeText{reader.text(key)}; }
Action keys_step(TableReader& reader, const std::string& key) { return PressKeys{reader.text(key)}; }

Action command_step(TableReader& reader, const std::string& key) {
  RunCommand step;
  step.name = reader.text(key);
  if (find_command(all_commands(), step.name) == nullptr) {
    std::vector<std::string_view> names;
    const std::vector<Command> commands = all_commands();
    for (const Command& command : commands) names.push_back(command.name);
    reader.fail(key,
                fmt::format("there is no command '{}'; did you mean '{}'?", step.name, nearest_word(step.name, names)));
  }
  step.arguments = "{}";
  if (const TomlValue* arguments = reader.value("arguments"); arguments != nullptr) {
    if (arguments->kind != TomlValue::Kind::Table) reader.fail("arguments", "is not a table; write { name = value }");
    step.arguments = json_of(*arguments).dump();
  }
  step.returns = optional_pattern(reader, "returns");
  return step;
}

Action monitor_step(TableReader& reader, const std::string& key) {
  return RunMonitor{reader.text(key), optional_pattern(reader, "shows")};
}

Action insert_step(TableReader& reader, const std::string& key) {
  ChangeMedium step{reader.text("drive"), reader.text(key)};
  if (step.drive.empty()) reader.fail(key, "needs drive = \"..\" beside it: \"floppy0\", \"ide1-cd0\"");
  if (step.file.empty()) reader.fail(key, "names no file; eject = \"DRIVE\" takes a medium out");
  return step;
}
Action eject_step(TableReader& reader, const std::string& key) { return ChangeMedium{reader.text(key), ""}; }
// ADDRESS, "ADDRESS", "SYMBOL" or "SYMBOL+OFFSET".
void read_place(TableReader& reader, const std::string& key, WaitMemory& step) {
  if (const TomlValue* given = reader.value(key); given != nullptr && given->kind == TomlValue::Kind::Integer) {
    step.offset = static_cast<u64>(given->integer);
    return;
  }
  const std::string text = reader.text(key);
  std::string number = text;
  if (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0) {
    const std::size_t plus = text.find('+');
    step.symbol = text.substr(0, plus);
    number = plus == std::string::npos ? "0" : text.substr(plus + 1);
  }
  const auto offset = parse_number(number);
  if (!offset)
    return reader.fail(key, fmt::format("{}; write an address, a symbol, or SYMBOL+OFFSET", offset.message()));
  step.offset = offset.value();
}

Action memory_step(TableReader& reader, const std::string& key) {
  WaitMemory step;
  read_place(reader, key, step);
  step.physical = reader.flag("physical", false);
  if (step.physical && !step.symbol.empty()) reader.fail("physical", "symbols have linear addresses; drop it");
  if (reader.has("bytes") + reader.has("holds") + reader.has("value") != 1) {
    reader.fail(key, "needs one of value = NUMBER, bytes = \"12 AB\" and holds = \"TEXT\" beside it");
  } else if (reader.has("value")) {
    constexpr i64 kMost = 8, kWord = 4;
    const i64 size = reader.integer("size", 1, kMost).value_or(kWord);
    const i64 value =
        reader.integer("value", std::numeric_limits<i64>::min(), std::numeric_limits<i64>::max()).value_or(0);
    for (i64 i = 0; i < size; i++) step.bytes.push_back(static_cast<u8>(static_cast<u64>(value) >> (8 * i)));
  } else if (reader.has("holds")) {
    const std::string text = reader.text("holds");
    step.bytes.assign(text.begin(), text.end());
  } else {
    std::istringstream words(reader.text("bytes"));
    for (std::string word; words >> word;) {
      const auto byte = parse_number("0x" + word);
      if (!byte || byte.value() > 0xFF) reader.fail("bytes", fmt::format("'{}' is no byte; write \"12 AB\"", word));
      if (byte) step.bytes.push_back(static_cast<u8>(byte.value()));
    }
  }
  if (step.bytes.empty()) reader.fail(key, "waits for no bytes at all; write at least one");
  return step;
}

Action file_step(TableReader& reader, const std::string& key) {
  constexpr i64 kMostPartitions = 128;
  CheckFile step;
  step.path = reader.text(key);
  step.drive = reader.text("drive");
  if (step.drive.empty()) reader.fail(key, "needs drive = \"..\" beside it: \"ide0-hd0\", \"floppy0\"");
  step.partition = static_cast<unsigned>(reader.integer("partition", 1, kMostPartitions).value_or(0));
  const std::string holds = reader.text("holds");
  if (!holds.empty()) step.holds = read_pattern(reader, "holds", holds, Searched::Screen);
  return step;
}

Action sleep_step(TableReader& reader, const std::string& key) { return Sleep{reader.duration(key, 0)}; }

struct Row {
  std::string_view key;
  Action (*read)(TableReader& reader, const std::string& key);
};
constexpr Row kSteps[] = {
    {"serial", serial_step},   {"screen", screen_step}, {"picture", picture_step}, {"end", end_step},
    {"send", send_step},       {"type", type_step},     {"keys", keys_step},       {"command", command_step},
    {"monitor", monitor_step}, {"insert", insert_step}, {"eject", eject_step},     {"memory", memory_step},
    {"file", file_step},       {"sleep", sleep_step},
};

}  // namespace

std::string text_of(const TomlValue& value) {
  return json_of(value).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::optional<Pattern> read_pattern(TableReader& reader, const std::string& key, const std::string& text,
                                    Searched where) {
  auto compiled = compile_expectation(text, where);
  if (compiled) return Pattern{text, std::move(compiled).value()};
  reader.fail(key, compiled.message());
  return std::nullopt;
}

Result<Step> read_step(const std::string& file, const TomlValue& table, const Variables& variables) {
  TableReader reader(file, "step", table, variables);
  Step step;
  std::string_view used;
  std::vector<std::string_view> names;
  for (const Row& row : kSteps) names.push_back(row.key);
  for (const Row& row : kSteps) {
    if (table.find(row.key) == nullptr) continue;
    const std::string key(row.key);
    if (!used.empty()) {
      reader.fail(key, fmt::format("the step has '{}' already; make two steps of it", used));
      break;
    }
    used = row.key;
    step.action = row.read(reader, key);
    const TomlValue* const written = table.find(row.key);
    const bool number = written->kind == TomlValue::Kind::Integer;
    step.described =
        fmt::format("{} '{}'", row.key, number ? fmt::format("{:#x}", written->integer) : excerpt(written->text));
  }
  if (used.empty()) {
    const bool says = !table.members.empty();
    const std::string meant =
        says ? fmt::format("; did you mean '{}'?", nearest_word(table.members.front().key, names)) : "";
    reader.fail_at(table.line, fmt::format("says nothing to do; write one of {}{}", fmt::join(names, ", "), meant));
  }
  step.within = reader.duration("within", 0);
  if (auto read = reader.finish(); !read) return read.error();
  return step;
}

}  // namespace relic86::batch
