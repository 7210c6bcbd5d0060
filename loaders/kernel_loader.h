// -kernel, -initrd, -append: takes a Linux bzImage/zImage or a multiboot 1 kernel apart into firmware configuration
// items, which our boot ROM (roms/linuxboot.asm, roms/multiboot.asm) loads and starts.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct KernelOptions {
  std::string kernel;  // file
  std::string initrd;  // Linux: one file; multiboot: "file arguments,file arguments" (",," is a comma)
  std::string append;
  u64 ram_size = 0;     // bytes
  bool display = true;  // there is a VGA to set a mode on
};

struct LoadedKernel {
  std::vector<std::pair<u16, std::vector<u8>>> items;  // for FwCfg::add_item
  std::string boot_file;                               // fw_cfg file of the boot ROM; bootorder: "/rom@" + boot_file
  std::vector<u8> boot_rom;
};

Result<LoadedKernel> load_kernel(const KernelOptions& options);

// --- The parts, for load_kernel() and the tests. ---
// Reads a file whole. option and what make the message: "could not open kernel file 'F': cause; mend".
Result<std::vector<u8>> read_boot_file(const char* what, const std::string& path, u64 largest);
bool is_linux_image(std::span<const u8> image);
Result<LoadedKernel> load_linux(const KernelOptions& options, std::vector<u8> image);
// Where the multiboot header is, or image.size() if there is none.
std::size_t find_multiboot_header(std::span<const u8> image);
Result<LoadedKernel> load_multiboot(const KernelOptions& options, std::span<const u8> image);

}  // namespace relic86
