// Multiboot Specification 0.6.96: header (section 3.1), load by ELF32 program headers or by the header's own addresses
// (the "a.out kludge"), boot information (3.3).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/byte_order.h"
#include "base/comma_list.h"
#include "devices/chipset/fw_cfg.h"
#include "loaders/kernel_loader.h"
#include "roms/firmware.h"

namespace relic86 {

namespace {
constexpr u32 kHeaderMagic = 0x1BADB002;
constexpr std::size_t kSearched = 8192;
constexpr u32 kHeaderHasAddresses = 1u << 16;
constexpr u32 kHeaderWantsVideo = 1u << 2;
constexpr u32 kMustUnderstand = 0xFFFF;
constexpr u32 kUnderstood = 0x0003 | kHeaderWantsVideo;  // page-aligned modules, memory information, video mode

// Boot information flags and field offsets.
constexpr u32 kInfoMemory = 1u << 0, kInfoCommandLine = 1u << 2, kInfoModules = 1u << 3, kInfoMemoryMap = 1u << 6,
              kInfoLoaderName = 1u << 9;
constexpr std::size_t kFlags = 0, kCommandLine = 16, kModuleCount = 20, kModules = 24, kMapAddress = 48,
                      kLoaderName = 64, kControllerInfo = 72, kModeInfo = 76, kInfoSize = 128;
constexpr std::size_t kMapRoom = 64 * 24;      // roms/multiboot.asm fills in up to this much
constexpr std::size_t kVideoRoom = 512 + 256;  // and the VBE controller's and mode's description, in this order
constexpr std::size_t kModuleEntry = 16;
constexpr u32 kFirmwareReserve = 0x80000;
constexpr const char* kLoader = "relic86";

struct Region {
  u64 first = 0;
  u64 end = 0;
  u32 entry = 0;
  std::vector<u8> bytes;
};

Error broken(const KernelOptions& options, const std::string& cause, const char* mend = "fetch the file again") {
  return Error{fmt::format("-kernel {}: {}; {}", options.kernel, cause, mend)};
}

std::optional<Error> check_room(const KernelOptions& options, u64 first, u64 end) {
  if (first < end && end <= options.ram_size) return std::nullopt;
  return broken(options, fmt::format("wants memory {:#x} to {:#x}, RAM ends at {:#x}", first, end, options.ram_size),
                "give the guest more with -m");
}

// Header fields 12: header_addr, 16: load_addr, 20: load_end_addr, 24: bss_end_addr, 28: entry_addr.
Result<Region> load_by_addresses(const KernelOptions& options, std::span<const u8> image, std::size_t header) {
  if (image.size() - header < 32) return broken(options, "its multiboot header is cut short");
  const u32 header_address = load_le<u32>(image, header + 12);
  const u32 load_address = load_le<u32>(image, header + 16);
  const u32 load_end = load_le<u32>(image, header + 20);
  const u32 bss_end = load_le<u32>(image, header + 24);
  const u64 before_header = u64{header_address} - load_address;
  if (load_address > header_address || before_header > header) {
    return broken(options, "its multiboot header has impossible addresses", "build the kernel again");
  }
  const std::size_t start = header - before_header;
  const u64 size = load_end == 0 ? image.size() - start : u64{load_end} - load_address;
  if (load_end != 0 && load_end < load_address) {
    return broken(options, "its multiboot header has impossible addresses", "build the kernel again");
  }
  if (size > image.size() - start) {
    return broken(options, fmt::format("is cut short: {} of {} bytes", image.size(), start + size));
  }
  Region region;
  region.first = load_address;
  region.end = std::max<u64>(load_address + size, bss_end);
  region.entry = load_le<u32>(image, header + 28);
  if (auto error = check_room(options, region.first, region.end)) return *error;
  region.bytes.assign(region.end - region.first, 0);
  std::copy_n(image.begin() + static_cast<std::ptrdiff_t>(start), size, region.bytes.begin());
  return region;
}

struct Segment {
  u32 offset, linear, physical, file_size, memory_size;
  bool executable;
};

// ELF32 (System V ABI, Intel386): header offsets 18h entry, 1Ch program headers, 2Ah their size, 2Ch their number.
Result<std::vector<Segment>> elf_segments(const KernelOptions& options, std::span<const u8> image) {
  if (image.size() < 52 || image[5] != 1) return broken(options, "has a broken ELF header");
  const u32 table = load_le<u32>(image, 0x1C);
  const u16 entry_size = load_le<u16>(image, 0x2A);
  const u16 count = load_le<u16>(image, 0x2C);
  if (entry_size < 32 || u64{table} + u64{entry_size} * count > image.size()) {
    return broken(options, "is cut short: its ELF program headers are missing");
  }
  std::vector<Segment> segments;
  for (u32 i = 0; i < count; i++) {
    const std::span<const u8> row = image.subspan(table + u64{entry_size} * i, 32);
    constexpr u32 kLoad = 1, kExecutable = 1;
    if (load_le<u32>(row, 0) != kLoad) continue;
    const Segment segment{load_le<u32>(row, 4),  load_le<u32>(row, 8),  load_le<u32>(row, 12),
                          load_le<u32>(row, 16), load_le<u32>(row, 20), (load_le<u32>(row, 24) & kExecutable) != 0};
    if (segment.memory_size == 0) continue;
    if (u64{segment.offset} + segment.file_size > image.size() || segment.file_size > segment.memory_size) {
      return broken(options,
                    fmt::format("is cut short: {} of {} bytes", image.size(), u64{segment.offset} + segment.file_size));
    }
    segments.push_back(segment);
  }
  if (segments.empty()) return broken(options, "has nothing to load", "build the kernel again");
  return segments;
}

Result<Region> load_elf(const KernelOptions& options, std::span<const u8> image) {
  const auto segments = elf_segments(options, image);
  if (!segments) return segments.error();
  Region region;
  region.first = ~u64{0};
  for (const Segment& segment : segments.value()) {
    region.first = std::min<u64>(region.first, segment.physical);
    region.end = std::max<u64>(region.end, u64{segment.physical} + segment.memory_size);
  }
  if (auto error = check_room(options, region.first, region.end)) return *error;
  region.bytes.assign(region.end - region.first, 0);
  region.entry = load_le<u32>(image, 0x18);
  const u32 entry = region.entry;
  for (const Segment& segment : segments.value()) {
    std::copy_n(image.begin() + segment.offset, segment.file_size,
                region.bytes.begin() + static_cast<std::ptrdiff_t>(segment.physical - region.first));
    // Kernels linked for high addresses name their entry by its linear address; paging is off when it is used.
    if (segment.executable && entry - segment.linear < segment.memory_size && entry >= segment.linear) {
      region.entry = entry - segment.linear + segment.physical;
    }
  }
  return region;
}

Result<Region> load_image(const KernelOptions& options, std::span<const u8> image) {
  const std::size_t header = find_multiboot_header(image);
  const u32 flags = load_le<u32>(image, header + 4);
  if ((flags & kMustUnderstand & ~kUnderstood) != 0) {
    return broken(options, fmt::format("asks for unknown multiboot features {:#x}", flags & kMustUnderstand),
                  "build it for multiboot 1");
  }
  if ((flags & kHeaderWantsVideo) != 0 && !options.display) {
    return broken(options, "its multiboot header requires a video mode, and the machine has no display (-vga none)",
                  "start with -vga std");
  }
  if ((flags & kHeaderHasAddresses) != 0) return load_by_addresses(options, image, header);
  if (image.size() < 20 || std::memcmp(image.data(), "\177ELF", 4) != 0) {
    return broken(options, "has a multiboot header without addresses and is no ELF file", "build the kernel again");
  }
  if (image[4] != 1 || load_le<u16>(image, 18) != 3) {
    return broken(options, "is an ELF file of another processor", "give a 32-bit i386 one");
  }
  return load_elf(options, image);
}

// What roms/multiboot.asm is to set: 1 if the kernel asks for a mode at all, the kind (0 linear graphics, 1 text),
// width, height, depth; 0: the kernel does not mind. Header fields 32 to 44 hold the last four.
std::vector<u8> video_request(std::span<const u8> image) {
  constexpr std::size_t kVideoFields = 32, kVideoFieldBytes = 16;
  std::vector<u8> request(4 + kVideoFieldBytes, 0);
  const std::size_t header = find_multiboot_header(image);
  if ((load_le<u32>(image, header + 4) & kHeaderWantsVideo) == 0) return request;
  request[0] = 1;
  const std::size_t fields = header + kVideoFields;
  // A header without addresses may end before the fields, as one that does not care about the mode.
  if (fields + kVideoFieldBytes <= image.size()) {
    std::copy_n(image.begin() + static_cast<std::ptrdiff_t>(fields), kVideoFieldBytes, request.begin() + 4);
  }
  return request;
}

struct Module {
  std::string text;  // file and arguments
  std::vector<u8> bytes;
};

// "file arguments,file arguments"; ",," stands for a comma.
Result<std::vector<Module>> load_modules(const KernelOptions& options) {
  std::vector<std::string> texts;
  if (!options.initrd.empty()) texts = split_at_commas(options.initrd);
  std::vector<Module> modules;
  for (std::string& text : texts) {
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    auto bytes = read_boot_file("initrd", text.substr(0, text.find(' ')), options.ram_size);
    if (!bytes) return bytes.error();
    modules.push_back({text, std::move(bytes.value())});
  }
  return modules;
}

// The boot information and all it points to, as one block that is placed at address (a page).
std::vector<u8> build_information(const KernelOptions& options, const std::vector<Module>& modules, u64 address) {
  const std::size_t module_list = kInfoSize + kMapRoom + kVideoRoom;
  std::vector<u8> block(module_list + kModuleEntry * modules.size(), 0);
  const auto here = [&] { return static_cast<u32>(address + block.size()); };
  const auto append_text = [&](const std::string& text) {
    const u32 at = here();
    block.insert(block.end(), text.begin(), text.end());
    block.push_back(0);
    return at;
  };
  const u32 command_line = append_text(options.append.empty() ? options.kernel : options.kernel + " " + options.append);
  const u32 loader_name = append_text(kLoader);
  for (std::size_t i = 0; i < modules.size(); i++) {
    const u32 text = append_text(modules[i].text);
    store_le<u32>(block, module_list + i * kModuleEntry + 8, text);
  }
  for (std::size_t i = 0; i < modules.size(); i++) {
    block.resize((block.size() + kPageSize - 1) & ~std::size_t{kPageSize - 1}, 0);
    const u32 start = here();
    block.insert(block.end(), modules[i].bytes.begin(), modules[i].bytes.end());
    store_le<u32>(block, module_list + i * kModuleEntry, start);
    store_le<u32>(block, module_list + i * kModuleEntry + 4, here());
  }
  const u32 module_flag = modules.empty() ? 0 : kInfoModules;
  store_le<u32>(block, kFlags, kInfoMemory | kInfoCommandLine | kInfoMemoryMap | kInfoLoaderName | module_flag);
  store_le<u32>(block, kCommandLine, command_line);
  store_le<u32>(block, kModuleCount, static_cast<u32>(modules.size()));
  store_le<u32>(block, kModules, static_cast<u32>(address + module_list));
  store_le<u32>(block, kMapAddress, static_cast<u32>(address + kInfoSize));
  store_le<u32>(block, kLoaderName, loader_name);
  const u32 video = static_cast<u32>(address + kInfoSize + kMapRoom);
  store_le<u32>(block, kControllerInfo, video);
  store_le<u32>(block, kModeInfo, video + 512);
  return block;
}
}  // namespace

std::size_t find_multiboot_header(std::span<const u8> image) {
  const std::size_t end = std::min(image.size(), kSearched);
  for (std::size_t at = 0; at + 12 <= end; at += 4) {
    if (load_le<u32>(image, at) != kHeaderMagic) continue;
    const u32 flags = load_le<u32>(image, at + 4);
    if (kHeaderMagic + flags + load_le<u32>(image, at + 8) == 0) return at;
  }
  return image.size();
}

Result<LoadedKernel> load_multiboot(const KernelOptions& options, std::span<const u8> image) {
  auto region = load_image(options, image);
  if (!region) return region.error();
  auto modules = load_modules(options);
  if (!modules) return modules.error();
  const u64 after = std::max<u64>(region.value().end, 0x100000);
  const u64 address = (after + kPageSize - 1) & ~u64{kPageSize - 1};
  std::vector<u8> information = build_information(options, modules.value(), address);
  if (address + information.size() > options.ram_size - kFirmwareReserve) {
    return Error{
        fmt::format("-initrd {}: the modules do not fit behind the kernel into {} MiB of RAM; give more "
                    "with -m",
                    options.initrd, options.ram_size >> 20)};
  }
  LoadedKernel loaded;
  const auto add = [&](u16 key, std::vector<u8> bytes) { loaded.items.emplace_back(key, std::move(bytes)); };
  add(kFwCfgKernelAddress, dword_bytes(static_cast<u32>(region.value().first)));
  add(kFwCfgKernelSize, dword_bytes(static_cast<u32>(region.value().bytes.size())));
  add(kFwCfgKernelData, std::move(region.value().bytes));
  add(kFwCfgKernelEntry, dword_bytes(region.value().entry));
  add(kFwCfgSetupData, video_request(image));
  add(kFwCfgInitrdAddress, dword_bytes(static_cast<u32>(address)));
  add(kFwCfgInitrdSize, dword_bytes(static_cast<u32>(information.size())));
  add(kFwCfgInitrdData, std::move(information));
  loaded.boot_file = kMultibootFile;
  loaded.boot_rom = multiboot_rom();
  return loaded;
}

}  // namespace relic86
