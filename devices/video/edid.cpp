#include "devices/video/edid.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace relic86 {

namespace {
constexpr std::size_t kEstablishedTimings = 35, kStandardTimings = 38, kDescriptors = 54, kDescriptorBytes = 18;

// Standard timing: width / 8 - 31, then the aspect ratio (00 16:10, 01 4:3, 10 5:4, 11 16:9) and refresh rate - 60.
struct StandardTiming {
  unsigned width, height;
  u8 aspect;
};
constexpr StandardTiming kModes[] = {{1600, 1200, 1}, {1280, 1024, 2}, {1920, 1080, 3}, {1280, 960, 1},
                                     {1440, 900, 0},  {1280, 800, 0},  {1280, 720, 3},  {1152, 864, 1}};

// 1024x768 at 60 Hz as VESA's monitor timings have it: 65 MHz, 1344 by 806 dots, both syncs negative; 270 x 203 mm.
constexpr std::array<u8, kDescriptorBytes> kPreferred = {0x64, 0x19, 0x00, 0x40, 0x41, 0x00, 0x26, 0x30, 0x18,
                                                         0x88, 0x36, 0x00, 0x0E, 0xCB, 0x10, 0x00, 0x00, 0x18};

void put_text(u8* descriptor, u8 tag, std::string_view text) {
  std::fill_n(descriptor, kDescriptorBytes, u8{0});
  descriptor[3] = tag;
  std::fill_n(descriptor + 5, 13, u8{' '});
  std::copy(text.begin(), text.end(), descriptor + 5);
  descriptor[5 + text.size()] = '\n';
}
}  // namespace

std::array<u8, 128> make_edid(unsigned width, unsigned height) {
  std::array<u8, 128> edid{};
  std::fill_n(edid.begin() + 1, 6, u8{0xFF});
  const u8 header[] = {0x49, 0x98,                 // manufacturer "RLX", five bits a letter
                       0x86, 0x00, 0,  0,   0, 0,  // product, serial number
                       1,    34,   1,  3,          // week 1 of 2024, version 1.3
                       0x0E, 27,   20, 120,        // analogue, separate syncs; 27 by 20 cm; gamma 2.2
                       0x0A};                      // RGB colour, the first detailed timing is preferred
  std::copy(std::begin(header), std::end(header), edid.begin() + 8);
  // Chromaticity of sRGB.
  const u8 chromaticity[] = {0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54};
  std::copy(std::begin(chromaticity), std::end(chromaticity), edid.begin() + 25);
  edid[kEstablishedTimings] = 0x21;      // 640x480, 800x600
  edid[kEstablishedTimings + 1] = 0x08;  // 1024x768
  std::size_t at = kStandardTimings;
  for (const StandardTiming& mode : kModes) {
    if (mode.width > width || mode.height > height) continue;
    edid[at++] = static_cast<u8>(mode.width / 8 - 31);
    edid[at++] = static_cast<u8>(mode.aspect << 6);
  }
  std::fill(edid.begin() + static_cast<std::ptrdiff_t>(at), edid.begin() + kDescriptors, u8{1});  // unused
  std::copy(kPreferred.begin(), kPreferred.end(), edid.begin() + kDescriptors);
  put_text(&edid[kDescriptors + kDescriptorBytes], 0xFC, "relic86");
  // Range limits: 50-75 Hz, 30-100 kHz, up to 170 MHz, no formula.
  u8* limits = &edid[kDescriptors + 2 * kDescriptorBytes];
  put_text(limits, 0xFD, "");
  const u8 ranges[] = {50, 75, 30, 100, 17, 0};
  std::copy(std::begin(ranges), std::end(ranges), limits + 5);
  limits[11] = '\n';
  edid[kDescriptors + 3 * kDescriptorBytes + 3] = 0x10;  // dummy
  edid[127] = static_cast<u8>(-std::accumulate(edid.begin(), edid.begin() + 127, 0));
  return edid;
}

}  // namespace relic86
