#include "options/machine_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/comma_list.h"
#include "base/nearest.h"
#include "options/option_rows.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Kind = TomlValue::Kind;
using Text = std::string_view;

struct Alias {
  Text key, option;
};
constexpr Alias kAliases[] = {{"memory", "m"}, {"vcpus", "smp"}};
constexpr Text kDisks[] = {"hda", "hdb", "hdc", "hdd"};
// Properties that are paths, whatever the option.
constexpr Text kPathProperties[] = {"file", "path", "filename", "logfile", "rrfile", "soundfont"};
// They ask about the program, or name another machine.
constexpr Text kNotForFiles[] = {"machine-file", "new", "list", "audio-help"};

bool contains(std::span<const Text> words, Text word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class MachineFileReader {
 public:
  MachineFileReader(Options& options, const std::string& file)
      : options_(options), file_(file), folder_(std::filesystem::absolute(file).parent_path()) {}

  Result<> read(const TomlValue& tree) {
    // The parser sorts keys by name; some options look at those that stand before them.
    std::vector<const TomlMember*> members;
    for (const TomlMember& member : tree.members) members.push_back(&member);
    std::stable_sort(members.begin(), members.end(),
                     [](const TomlMember* a, const TomlMember* b) { return a->value.line < b->value.line; });
    for (const TomlMember* member : members) {
      if (auto taken = take(*member); !taken) return taken;
    }
    if (options_.state_dir.empty()) options_.state_dir = folder_.string();
    return {};
  }

 private:
  Error mistake(const TomlMember& member, Text cause) const {
    return Error{fmt::format("{}:{}: {}: {}", file_, member.value.line, member.key, cause)};
  }

  Result<> take(const TomlMember& member) {
    if (member.key == "disk") return take_disks(member);
    Text option = member.key;
    for (const Alias& alias : kAliases) {
      if (alias.key == member.key) option = alias.option;
    }
    const auto argument = contains(kNotForFiles, option) ? std::nullopt : option_takes_argument(option);
    if (!argument) return mistake(member, unknown_key(member.key));
    if (!*argument) {
      if (member.value.kind != Kind::Flag) return mistake(member, "is a switch; write true or false");
      return member.value.flag ? apply(member, option, "") : Result<>();
    }
    if (member.value.kind != Kind::Array) return take_value(member, option, member.value);
    for (const TomlValue& item : member.value.items) {
      if (auto taken = take_value(member, option, item); !taken) return taken;
    }
    return {};
  }

  // The disks in their order, each a path or the properties of a -drive.
  Result<> take_disks(const TomlMember& member) {
    std::size_t place = 0;
    const auto take_disk = [&](const TomlValue& value) {
      if (value.kind == Kind::Table) return take_value(member, "drive", value);
      if (place == std::size(kDisks))
        return Result<>(
            mistake(member, "there are four places for IDE disks; write more as { file = \"..\", if = \"virtio\" }"));
      return take_value(member, kDisks[place++], value);
    };
    if (member.value.kind != Kind::Array) return take_disk(member.value);
    for (const TomlValue& item : member.value.items) {
      if (auto taken = take_disk(item); !taken) return taken;
    }
    return {};
  }

  Result<> take_value(const TomlMember& member, Text option, const TomlValue& value) {
    if (value.kind == Kind::Table) {
      std::string words;
      if (auto joined = join(member, value, "", words); !joined) return joined;
      return apply(member, option, words);
    }
    auto word = scalar(value);
    if (!word) return mistake(member, "must be a text in quotes, a number, a list of them, or a table of properties");
    if (option == "initrd") {
      word = resolve_modules(*word);
    } else if (option_names_file(option)) {
      word = resolve(*word);
    }
    return apply(member, option, *word);
  }

  // A table as "a=b,c.d=e"; a comma in a value is doubled.
  Result<> join(const TomlMember& member, const TomlValue& table, const std::string& prefix, std::string& words) {
    for (const TomlMember& property : table.members) {
      if (property.value.kind == Kind::Table) {
        if (auto joined = join(member, property.value, prefix + property.key + ".", words); !joined) return joined;
        continue;
      }
      auto word = scalar(property.value);
      if (property.value.kind == Kind::Flag) word = property.value.flag ? "on" : "off";
      if (!word)
        return mistake(member,
                       fmt::format("the property {} must be a text in quotes, a number, true or false", property.key));
      if (prefix.empty() && contains(kPathProperties, property.key)) word = resolve(*word);
      if (!words.empty()) words += ',';
      words += prefix + property.key + '=';
      words += double_commas(*word);
    }
    return {};
  }

  static std::optional<std::string> scalar(const TomlValue& value) {
    switch (value.kind) {
      case Kind::Text: return value.text;
      case Kind::Integer: return fmt::format("{}", value.integer);
      case Kind::Number: return fmt::format("{}", value.number);
      default: return std::nullopt;
    }
  }

  std::string resolve(const std::string& path) const {
    for (const Text prefix : {"fat:floppy:", "fat:rw:", "fat:"}) {
      if (path.starts_with(prefix)) return std::string(prefix) + resolve(path.substr(prefix.size()));
    }
    if (path.empty() || path.front() == '/') return path;
    return (folder_ / path).lexically_normal().string();
  }

  // "FILE ARGUMENTS,FILE ARGUMENTS": the modules of a multiboot kernel.
  std::string resolve_modules(const std::string& list) const {
    std::string resolved;
    for (const std::string& module : split_at_commas(list)) {
      const std::size_t file_end = std::min(module.find(' '), module.size());
      if (!resolved.empty()) resolved += ',';
      resolved += double_commas(resolve(module.substr(0, file_end)) + module.substr(file_end));
    }
    return resolved;
  }

  Result<> apply(const TomlMember& member, Text option, const std::string& value) {
    const std::size_t drives = options_.drives.size();
    const std::string written = written_option(option);
    if (auto applied = apply_option(options_, option, written, value); !applied)
      return mistake(member, applied.message());
    for (std::size_t i = drives; i < options_.drives.size(); i++)
      options_.drives[i].option = fmt::format("{}:{}: {}", file_, member.value.line, member.key);
    options_.option_uses.push_back({member.key, written, value, member.value.line});
    return {};
  }

  static std::string unknown_key(const std::string& key) {
    std::vector<Text> known = option_names();
    std::erase_if(known, [](Text name) { return contains(kNotForFiles, name); });
    known.push_back("disk");
    for (const Alias& alias : kAliases) known.push_back(alias.key);
    return fmt::format(
        "unknown key; the nearest is {}; a key is disk, memory, vcpus, or an option of -help without its dash",
        nearest_word(key, known));
  }

  Options& options_;
  const std::string& file_;
  std::filesystem::path folder_;
};

}  // namespace

Result<> take_machine_file(Options& options, const std::string& file) {
  if (!options.machine_file.empty())
    return Error{
        fmt::format("--machine-file {}: {} was named already; a machine has one file", file, options.machine_file)};
  const auto tree = read_toml(file, "a machine file; 'relic86 --new KIND NAME' makes one");
  if (!tree) return tree.error();
  return take_machine_tree(options, file, tree.value());
}

Result<> take_machine_tree(Options& options, const std::string& file, const TomlValue& tree) {
  options.machine_file = file;
  return MachineFileReader(options, file).read(tree);
}

std::string blame_machine_file(const Options& options, const std::string& message) {
  const OptionUse *named = nullptr, *first = nullptr;
  bool command_line = false;
  for (const OptionUse& use : options.option_uses) {
    if (!message.starts_with(use.option)) continue;
    const std::string rest = message.substr(use.option.size());
    if (!rest.empty() && rest.front() != ' ' && rest.front() != ':') continue;
    if (first == nullptr) first = &use;
    command_line = command_line || use.key.empty();
    // Of several uses of an option it is the one whose value is named.
    const std::string word = use.value.substr(0, use.value.find_first_of(",="));
    if (!word.empty() && message.find(word) != std::string::npos) named = &use;
  }
  const OptionUse* const culprit = named != nullptr ? named : command_line ? nullptr : first;
  if (culprit == nullptr || culprit->key.empty()) return message;
  return fmt::format("{}:{}: {}: {}", options.machine_file, culprit->line, culprit->key, message);
}

}  // namespace relic86
