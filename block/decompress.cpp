#include "block/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace relic86 {

namespace {

bool inflate_all(std::span<const u8> packed, std::span<u8> content, int window_bits) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return false;
  stream.next_in = const_cast<u8*>(packed.data());  // zlib only reads it
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = content.data();
  stream.avail_out = static_cast<uInt>(content.size());
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  return (result == Z_STREAM_END || result == Z_BUF_ERROR) && stream.avail_out == 0;
}

}  // namespace

bool expand_deflate(std::span<const u8> packed, std::span<u8> content) {
  return inflate_all(packed, content, -MAX_WBITS);
}

bool expand_zlib(std::span<const u8> packed, std::span<u8> content) { return inflate_all(packed, content, MAX_WBITS); }

bool expand_zstd(std::span<const u8> packed, std::span<u8> content) {
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (!stream) return false;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer out{content.data(), content.size(), 0};
  while (out.pos < out.size) {
    const std::size_t in_before = in.pos, out_before = out.pos;
    if (ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in)) != 0) return false;
    if (in.pos == in_before && out.pos == out_before) return false;  // cut short
  }
  return true;
}

}  // namespace relic86
