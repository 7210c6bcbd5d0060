#include "frontend/board_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "base/log.h"
#include "devices/floppy_image.h"
#include "frontend/drive_medium.h"
#include "frontend/host_time.h"
#include "frontend/kernel_loader.h"
#include "roms/firmware.h"

namespace relic86 {

namespace {

constexpr u64 kMostSystemRom = 16u << 20;
constexpr i64 kIcountBase = 946684800;  // 2000-01-01T00:00:00Z: runs with -icount start alike

Result<i64> clock_base(const Options& options) {
  if (options.rtc_base.empty()) return options.icount ? kIcountBase : host_unix_seconds();
  if (options.rtc_base == "utc") return host_unix_seconds();
  if (options.rtc_base == "localtime") return host_unix_seconds() + host_utc_offset_seconds(host_unix_seconds());
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, date_end = 0, time_end = 0;
  const int fields = std::sscanf(options.rtc_base.c_str(), "%4d-%2d-%2d%nT%2d:%2d:%2d%n", &year, &month, &day,
                                 &date_end, &hour, &minute, &second, &time_end);
  const auto length = static_cast<int>(options.rtc_base.size());
  const bool whole = (fields == 3 && date_end == length) || (fields == 6 && time_end == length);
  if (!whole || year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
      minute > 59 || second > 59 || hour < 0 || minute < 0 || second < 0) {
    return Error{
        fmt::format("-rtc base={}: not a date; write utc, localtime or YYYY-MM-DDTHH:MM:SS", options.rtc_base)};
  }
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0))
    return Error{fmt::format("-rtc base={}: the month has no day {}; give another date", options.rtc_base, day)};
  // Days since 1970-01-01 in the Gregorian calendar, counting years from March.
  const i64 shifted_year = month <= 2 ? year - 1 : year;
  const i64 era = shifted_year / 400, year_of_era = shifted_year % 400;
  const i64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const i64 days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

Result<> add_drives(const Options& options, BoardConfig& config) {
  std::array<bool, 4> ide_taken{};
  std::array<bool, 2> floppy_taken{};
  for (const DriveOption& drive : options.drives) {
    const bool floppy = drive.interface == DriveOption::Interface::Floppy;
    bool& taken = floppy ? floppy_taken[drive.index] : ide_taken[drive.index];
    if (taken)
      return Error{fmt::format("{} {}: there is another drive at this place already; give it another index",
                               drive.option, drive.file)};
    taken = true;
    const bool cdrom = !floppy && drive.media == DriveOption::Media::Cdrom;
    std::unique_ptr<BlockDevice> image;
    if (!drive.file.empty()) {
      auto opened = open_medium(drive.option, drive.file, cdrom || drive.read_only,
                                !cdrom && (drive.snapshot || options.snapshot),
                                drive.raw ? RawImage::Format::Raw : RawImage::Format::Probe);
      if (!opened) return opened.error();
      image = std::move(opened).value();
    }
    if (floppy) {
      config.floppies[drive.index].present = true;
      config.floppies[drive.index].image = std::move(image);
      config.floppies[drive.index].file = drive.option + " " + drive.file;
      config.floppies[drive.index].write_protected = drive.read_only;
      continue;
    }
    if (!cdrom && !image) return Error{fmt::format("{}: a disk needs a file; name a raw image", drive.option)};
    IdeSlot& slot = config.ide[drive.index];
    slot.kind = cdrom ? IdeSlot::Kind::Cdrom : IdeSlot::Kind::Disk;
    slot.image = std::move(image);
    if (drive.geometry) slot.geometry = DiskGeometry{(*drive.geometry)[0], (*drive.geometry)[1], (*drive.geometry)[2]};
  }
  if (!options.no_defaults) {
    if (!ide_taken[2]) config.ide[2].kind = IdeSlot::Kind::Cdrom;
    config.floppies[0].present = true;
  }
  return {};
}

Result<u64> property_number(const std::string& device, const std::string& key, const std::string& text, u64 most) {
  u64 value = 0;
  const bool hex = text.starts_with("0x");
  const char* begin = text.data() + (hex ? 2 : 0);
  const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), value, hex ? 16 : 10);
  if (failure != std::errc{} || end != text.data() + text.size() || value > most) {
    return Error{fmt::format("-device {}: {}={} is not a number from 0 to {:#x}", device, key, text, most)};
  }
  return value;
}

Result<> add_debug_exit(const DeviceOption& device, BoardConfig& config) {
  DebugExitConfig exit;
  for (const auto& [key, text] : device.properties) {
    const auto number = property_number(device.name, key, text, 0xFFFF);
    if (!number) return number.error();
    if (key == "iobase") {
      exit.port = static_cast<u16>(number.value());
    } else if (key == "iosize") {
      if (number.value() < 1 || number.value() > 4) return Error{"-device isa-debug-exit: iosize must be 1 to 4"};
      exit.size = static_cast<u32>(number.value());
    } else {
      return Error{fmt::format("-device isa-debug-exit: unknown property '{}'; iobase and iosize are known", key)};
    }
  }
  config.debug_exits.push_back(exit);
  return {};
}

Result<> add_test_device(const DeviceOption&, BoardConfig& config) {
  config.test_device = true;
  return {};
}

struct DeviceRow {
  std::string_view name;
  std::string_view help;
  Result<> (*add)(const DeviceOption&, BoardConfig&);
};
// Devices that only test harnesses ask for and whose absence they tolerate.
Result<> accept(const DeviceOption&, BoardConfig&) { return {}; }
constexpr DeviceRow kDevices[] = {
    {"isa-debug-exit", "iobase=PORT,iosize=N: a write of V ends the emulator with exit code (V << 1) | 1",
     add_debug_exit},
    {"pc-testdev", "scratch ports, memory and interrupt lines of kvm-unit-tests", add_test_device},
    {"pci-testdev", "accepted for test harnesses", accept},
};

Result<> add_devices(const Options& options, BoardConfig& config) {
  for (const DeviceOption& device : options.devices) {
    bool found = false;
    for (const DeviceRow& row : kDevices) {
      if (row.name != device.name) continue;
      found = true;
      if (auto added = row.add(device, config); !added) return added;
    }
    if (!found)
      return Error{fmt::format("-device {}: unknown device; '-device help' lists those that exist", device.name)};
  }
  return {};
}

Result<> add_kernel(const Options& options, BoardConfig& config) {
  if (options.kernel.empty()) {
    if (!options.initrd.empty()) return Error{"-initrd only allowed with -kernel option"};
    if (!options.append.empty()) return Error{"-append only allowed with -kernel option"};
    return {};
  }
  auto loaded = load_kernel({options.kernel, options.initrd, options.append, options.ram_bytes});
  if (!loaded) return loaded.error();
  LoadedKernel kernel = std::move(loaded).value();
  for (auto& item : kernel.items) config.firmware_items.push_back(std::move(item));
  config.firmware_files.emplace_back(kernel.boot_file, std::move(kernel.boot_rom));
  config.first_boot.push_back("/rom@" + kernel.boot_file);
  return {};
}

}  // namespace

Result<std::unique_ptr<BlockDevice>> open_medium(const std::string& option, const std::string& file, bool read_only,
                                                 bool snapshot, RawImage::Format format) {
  const auto access = read_only  ? DriveMedium::Access::ReadOnly
                      : snapshot ? DriveMedium::Access::Overlay
                                 : DriveMedium::Access::ReadWrite;
  auto medium = DriveMedium::open(file, access, format);
  if (!medium) return Error{fmt::format("{} {}", option, medium.message())};
  return DriveMedium::device(std::move(medium).value());
}

Result<CpuModel> cpu_model_for(const Options& options) {
  auto model = make_cpu_model(options.cpu_model);
  if (model && options.bios.empty() && (model.value().instructions & feature_bit(Feature::I80486)) == 0) {
    log::warning(fmt::format(
        "-cpu {}: SeaBIOS uses BSWAP, an instruction of the 486, and will not get far; give a BIOS for this "
        "processor with -bios, or -cpu 486",
        options.cpu_model));
  }
  return model;
}

Result<BoardConfig> board_config_for(const Options& options) {
  BoardConfig config;
  const Firmware firmware(options.firmware_dirs);
  auto bios = options.bios.empty() ? firmware.system_bios("") : firmware.system_bios(options.bios);
  if (!bios) return bios.error();
  config.bios = std::move(bios).value();
  if (config.bios.size() > kMostSystemRom) return Error{fmt::format("-bios {}: larger than 16 MiB", options.bios)};
  config.display = options.vga != "none";
  if (config.display) {
    auto vga_bios = firmware.vga_bios();
    // A machine with its own system ROM may well do without a video BIOS.
    if (!vga_bios && options.bios.empty()) return vga_bios.error();
    if (vga_bios) config.vga_bios = std::move(vga_bios).value();
  }
  for (const std::string& file : options.option_roms) {
    auto rom = firmware.option_rom(file);
    if (!rom) return rom.error();
    const auto slash = file.rfind('/');
    config.firmware_files.emplace_back("genroms/" + (slash == std::string::npos ? file : file.substr(slash + 1)),
                                       std::move(rom).value());
  }
  const auto base = clock_base(options);
  if (!base) return base.error();
  config.clock_base = base.value();
  if (!options.boot_order.empty()) config.boot_order = options.boot_order;
  config.boot_menu = options.boot_menu;
  config.serial_console = options.nographic;
  if (auto done = add_kernel(options, config); !done) return done.error();
  if (auto done = add_drives(options, config); !done) return done.error();
  if (auto done = add_devices(options, config); !done) return done.error();
  return config;
}

std::string device_help_text() {
  std::string text = "Devices:\n";
  for (const DeviceRow& row : kDevices) text += fmt::format("name \"{}\", bus ISA, desc \"{}\"\n", row.name, row.help);
  return text;
}

}  // namespace relic86
