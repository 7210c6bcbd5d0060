#include "options/machine_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "build_features.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

#ifdef RELIC86_JIT
constexpr std::string_view kBuiltJit = "jit\n";
#else
constexpr std::string_view kBuiltJit;  // -accel help names what this build has
#endif
constexpr Text kNoSuchAccel = "jit, interp and tcg (the faster one that this build and host have) exist";

bool uses_host_virtualization(Text word) {
  constexpr Text kWords[] = {"kvm", "hax", "hvf", "whpx", "nvmm", "xen"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

// One accelerator of a list of preferences. An unknown word is an error, whether or not it would have its turn.
Result<> prefer_accel(Options& options, Text option, Text word) {
  using Accel = Options::Accel;
  if (word == "tcg") {
    // QEMU's name for emulation as such, which its management tools ask for: a build without the translator emulates
    // too.
    if (options.accel == Accel::Default) options.accel = Accel::Fastest;
  } else if (word == "jit") {
    if (options.accel == Accel::Default) options.accel = Accel::Jit;
  } else if (word == "interp") {
    if (options.accel == Accel::Default) options.accel = Accel::Interpreter;
  } else if (uses_host_virtualization(word)) {
    options.refused_accel =
        fmt::format("{}{}: relic86 is pure software and never uses it; {}", option, word, kNoSuchAccel);
  } else {
    return Error{fmt::format("{}{}: unknown accelerator; {}", option, word, kNoSuchAccel)};
  }
  return {};
}

// What tunes the accelerators of QEMU; a translator of another design has no use for it.
constexpr Text kAccelProperties[] = {"thread",         "tb-size",        "split-wx",        "one-insn-per-tb",
                                     "kernel-irqchip", "kvm-shadow-mem", "dirty-ring-size", "notify-vmexit",
                                     "notify-window",  "igd-passthru"};

bool is_version(Text text) {
  const auto parts = split_words(text, '.');
  return parts.size() >= 2 && parts.size() <= 3 &&
         std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return parse_number(part).ok(); });
}

// "pc-i440fx-7.2": QEMU's machines differ in what migrates between its versions, not in what a guest of ours sees.
std::optional<Options::Board> board_of(Text type) {
  using Board = Options::Board;
  struct Row {
    Text name, versioned;
    Board board;
  };
  constexpr Row kRows[] = {{"pc", "pc-i440fx-", Board::Pc}, {"none", "", Board::Pc}, {"q35", "pc-q35-", Board::Q35}};
  for (const Row& row : kRows) {
    if (type == row.name) return row.board;
    if (!row.versioned.empty() && type.starts_with(row.versioned) && is_version(type.substr(row.versioned.size())))
      return row.board;
  }
  return std::nullopt;
}

// Machines of QEMU's that relic86 does not have.
bool is_other_machine(Text type) {
  constexpr Text kNames[] = {"isapc", "microvm", "xenfv", "xenpv", "x-remote"};
  return type.starts_with("pc-0.") || type.starts_with("pc-1.") ||
         std::find(std::begin(kNames), std::end(kNames), type) != std::end(kNames);
}

// Properties that change nothing here. What the machine has, or lacks, in any case is said when something else is
// asked.
struct FixedProperty {
  Text name;
  Text as_it_is;  // the words that ask for what is so anyway; empty: any word, no guest can tell them apart
  Text otherwise;
};
constexpr FixedProperty kFixed[] = {
    {"graphics", "", ""},
    {"dump-guest-core", "", ""},
    {"mem-merge", "", ""},
    {"kernel-irqchip", "", ""},
    {"kernel_irqchip", "", ""},
    {"kvm-shadow-mem", "", ""},
    {"suppress-vmdesc", "", ""},
    {"aes-key-wrap", "", ""},
    {"dea-key-wrap", "", ""},
    {"max-ram-below-4g", "", ""},
    {"default-bus-bypass-iommu", "", ""},
    {"memory-encryption", "", ""},
    {"pit", "on", "the timer is there in any case"},
    {"pic", "on auto", "the interrupt controllers are there in any case"},
    {"i8042", "on", "the keyboard controller is there in any case"},
    {"acpi", "on auto", "the machine keeps its ACPI tables; a Linux guest takes acpi=off on its command line"},
    {"smbus", "on", "the power management's bus is there in any case"},
    {"sata", "on", "a q35 has its SATA controller in any case, and -device ich9-ahci gives a pc one"},
    {"nvdimm", "off", "there is no NVDIMM"},
    {"hmat", "off", "there are no NUMA nodes"},
    {"igd-passthru", "off", "nothing of the host is passed through"},
    {"x-oem-id", "", ""},
    {"x-oem-table-id", "", ""},
    {"smbios-entry-point-type", "", ""},
};

const FixedProperty* find_fixed(Text name) {
  const auto* row =
      std::find_if(std::begin(kFixed), std::end(kFixed), [&](const FixedProperty& p) { return p.name == name; });
  return row == std::end(kFixed) ? nullptr : row;
}

void take_fixed(Options& options, const FixedProperty& property, Text word) {
  const auto words = split_words(property.as_it_is, ' ');
  const Text plain = word == "yes" || word == "true" ? "on" : word == "no" || word == "false" ? "off" : word;
  if (property.as_it_is.empty() || std::find(words.begin(), words.end(), plain) != words.end()) return;
  options.warnings.push_back(fmt::format("-machine {}={}: {}", property.name, word, property.otherwise));
}

constexpr Text kMachineHelp =
    "Supported machines are:\n"
    "pc                   Standard PC (i440FX + PIIX, 1996) (default)\n"
    "pc-i440fx-N.M        the same, for QEMU's versions N.M\n"
    "q35                  Standard PC (Q35 + ICH9, 2009)\n"
    "pc-q35-N.M           the same, for QEMU's versions N.M\n";

// Whether processors take turns on one host thread, or each has its own.
Result<> set_threads(Options& options, Text accel, Text value) {
  if (value != "single" && value != "multi")
    return Error{
        fmt::format("-accel {},thread={}: Invalid 'thread' setting {}; give single or multi", accel, value, value)};
  options.asks_for_threads = value == "multi";
  return {};
}

// As in QEMU, 0 asks for the default, and what the translator cannot use is brought to what it can: branches reach
// 2 GiB, with data in between.
Result<> set_code_size(Options& options, Text accel, Text value) {
  constexpr u64 kLeast = 1, kMost = 1024;
  const auto megabytes = parse_number(value);
  if (!megabytes)
    return Error{
        fmt::format("-accel {},tb-size={}: {}; give MiB of translated code", accel, value, megabytes.error().message)};
  options.code_megabytes = megabytes.value() == 0 ? Options::kDefaultCodeMegabytes
                                                  : static_cast<u32>(std::clamp(megabytes.value(), kLeast, kMost));
  return {};
}

}  // namespace

Result<> set_accel(Options& options, std::string_view value) {
  const Properties words = parse_properties(value);
  const std::string& word = words.front().second.empty() ? words.front().first : words.front().second;
  if (asks_for_help(word)) {
    options.print_and_exit = fmt::format(
        "Accelerators supported:\n{}interp\ntcg (the faster one that this build and host have)\n", kBuiltJit);
    return {};
  }
  for (std::size_t i = 1; i < words.size(); i++) {
    const auto& key = words[i].first;
    if (std::find(std::begin(kAccelProperties), std::end(kAccelProperties), key) == std::end(kAccelProperties))
      return Error{fmt::format("-accel {},{}: unknown property; the nearest is {}", word, key,
                               nearest_word(key, kAccelProperties))};
    if (key == "thread") {
      if (auto set = set_threads(options, word, words[i].second); !set) return set;
    } else if (key == "tb-size") {
      if (auto set = set_code_size(options, word, words[i].second); !set) return set;
    }
  }
  return prefer_accel(options, "-accel ", word);
}

std::vector<std::string> machine_property_names() {
  std::vector<std::string> names{"type",           "accel",          "smm", "hpet",    "firmware", "fd-bootchk",
                                 "pcspk-audiodev", "memory-backend", "usb", "pflash0", "pflash1",  "vmport"};
  for (const FixedProperty& property : kFixed) names.emplace_back(property.name);
  return names;
}

Result<> resolve_accel(const Options& options) {
  if (options.accel != Options::Accel::Default || options.refused_accel.empty()) return {};
  return Error{options.refused_accel};
}

void set_usb(Options& options, bool on) {
  static constexpr Text kController = "piix3-usb-uhci";
  const auto is_it = [](const DeviceOption& device) { return device.name == kController && device.properties.empty(); };
  const auto at = std::find_if(options.devices.begin(), options.devices.end(), is_it);
  if (on && at == options.devices.end())
    options.devices.insert(options.devices.begin(), {std::string(kController), {}});
  if (!on && at != options.devices.end()) options.devices.erase(at);
}

Result<> set_machine(Options& options, std::string_view value) {
  for (const auto& [key, word] : parse_properties(value)) {
    if (asks_for_help(key) || (key == "type" && asks_for_help(word))) {
      options.print_and_exit = kMachineHelp;
    } else if (key == "accel") {
      if (asks_for_help(word)) return set_accel(options, word);
      // "kvm:tcg" names fallbacks in order: the first one that exists counts.
      for (const std::string& choice : split_words(word, ':')) {
        if (auto done = prefer_accel(options, "-machine accel=", choice); !done) return done;
      }
    } else if (key == "pcspk-audiodev") {
      options.speaker_audio = word;
    } else if (key == "smm") {
      const auto on = parse_switch_or_auto(word);
      if (!on) return Error{fmt::format("-machine smm={}: {}; auto, on and off exist", word, on.error().message)};
      options.smm = on.value();
    } else if (key == "vmport") {
      const auto on = parse_switch_or_auto(word);
      if (!on) return Error{fmt::format("-machine vmport={}: {}; auto, on and off exist", word, on.error().message)};
      options.vmware_port = on.value();
    } else if (key == "hpet") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-machine hpet={}: {}", word, on.message())};
      options.hpet = on.value();
    } else if (key == "usb") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-machine usb={}: {}", word, on.message())};
      set_usb(options, on.value());
    } else if (key == "memory-backend") {
      options.memory_backend = word;
    } else if (key == "pflash0" || key == "pflash1") {
      options.flash_nodes[key == "pflash0" ? 0 : 1] = word;
    } else if (key == "firmware") {
      options.bios = word;
    } else if (key == "fd-bootchk") {
      const auto on = parse_switch(word);
      if (!on) return Error{fmt::format("-machine fd-bootchk={}: {}", word, on.message())};
      options.check_floppy_signature = on.value();
    } else if (const FixedProperty* fixed = find_fixed(key); fixed != nullptr) {
      take_fixed(options, *fixed, word);
    } else if (key == "type" || word.empty()) {
      const Text type = key == "type" ? Text(word) : Text(key);
      const auto board = board_of(type);
      if (!board)
        return Error{fmt::format("-machine {}: {}; pc (i440FX + PIIX3) and q35 (Q35 + ICH9) exist", type,
                                 is_other_machine(type) ? "relic86 does not build this machine" : "unknown machine")};
      options.board = *board;
    } else {
      const auto known = machine_property_names();
      const std::vector<Text> names(known.begin(), known.end());
      return Error{fmt::format(
          "-machine {}={}: unknown property; the nearest is {}; type, accel, smm, firmware and fd-bootchk have an "
          "effect",
          key, word, nearest_word(key, names))};
    }
  }
  return {};
}

// -m [size=]SIZE[,slots=N,maxmem=SIZE]: what may be added later is nothing, because no memory can be plugged in.
Result<> set_ram(Options& options, Text value) {
  for (const auto& [key, word] : parse_properties(value)) {
    const bool bare = word.empty() && key == parse_properties(value).front().first;
    if (key == "slots" && parse_number(word)) continue;
    if (!bare && key != "size" && key != "maxmem")
      return Error{fmt::format("-m {}={}: unknown property; size, slots=N and maxmem are known", key, word)};
    const auto size = parse_size(bare ? key : word, 1u << 20);
    if (!size)
      return Error{fmt::format("-m {}: {}; give megabytes or a size such as 64M or 1G", value, size.message())};
    if (key == "maxmem") continue;
    constexpr u64 kLeast = 1u << 20, kMost = 512ull << 30;
    if (size.value() < kLeast || size.value() > kMost)
      return Error{fmt::format("-m {}: guest RAM must be from 1M to 512G", value)};
    options.ram_bytes = size.value() & ~u64{0xFFFF};
  }
  return {};
}

}  // namespace relic86
