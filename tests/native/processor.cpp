#include "tests/native/processor.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <cstring>

namespace relic86::native {

std::string Processor::text() const {
  return fmt::format("{} family {} model {} stepping {} ({})", vendor, family, model, stepping, brand);
}

CpuModel Processor::emulated() const {
  return make_cpu_model(fmt::format("max,vendor={},family={},model={},stepping={}", vendor, family, model, stepping))
      .value();
}

Processor host_processor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  char vendor[13] = {}, brand[49] = {};
  __cpuid(0, a, b, c, d);
  std::memcpy(vendor, &b, 4);
  std::memcpy(vendor + 4, &d, 4);
  std::memcpy(vendor + 8, &c, 4);
  __cpuid(0x80000000, a, b, c, d);
  if (a >= 0x80000004) {
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
      unsigned words[4];
      __cpuid(0x80000002 + leaf, words[0], words[1], words[2], words[3]);
      std::memcpy(brand + leaf * 16, words, 16);
    }
  }
  __cpuid(1, a, b, c, d);
  Processor processor;
  processor.vendor = vendor;
  processor.family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0);
  processor.model = (a >> 4 & 15) | (a >> 12 & 0xF0);
  processor.stepping = a & 15;
  processor.brand = brand;
  return processor;
}

}  // namespace relic86::native
