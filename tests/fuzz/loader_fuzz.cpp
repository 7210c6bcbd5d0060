// Kernels: Linux images, multiboot images of both kinds (ELF and a.out kludge), and their module lists.
// Input: 1 byte, by which the initial RAM disk is asked for; then the kernel's file.
#include "loaders/kernel_loader.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relic86;
  static fuzz::ScratchFile kernel, disk;
  if (size < 1) return 0;
  const std::span<const u8> input(data, size);
  kernel.hold(input.subspan(1));
  disk.hold(input.first(std::min<std::size_t>(size, 64)));
  KernelOptions options;
  options.kernel = kernel.path();
  options.append = "console=ttyS0";
  options.ram_size = u64{1u + data[0] % 64u} << 20;
  if ((data[0] & 0x40) != 0) options.initrd = disk.path();
  if ((data[0] & 0x80) != 0) options.initrd = disk.path() + " one," + disk.path() + " two";
  const auto loaded = load_kernel(options);
  return loaded.ok() ? 0 : -1;  // what is refused stays out of the corpus
}
