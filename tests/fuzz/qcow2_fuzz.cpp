// qcow2 images. Input: the image's file.
#include "block/qcow2_image.h"
#include "tests/fuzz/format_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relic86::fuzz::try_format<relic86::Qcow2Image>({data, size});
  return 0;
}
