// The file's layout: "AVI RIFF File Reference" (Microsoft); "OpenDML AVI File Format Extensions 1.02" for the shape of
// pictures (vprp). RIFF "AVI ": LIST hdrl, with a LIST strl for each stream; LIST movi, with a chunk 00dc for each
// picture and chunks 01wb of sound; idx1.
#include "display/avi_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <numeric>

namespace relic86 {

namespace {

constexpr u32 kHasIndex = 0x10, kInterleaved = 0x100, kKey = 0x10;
constexpr u32 kFrameBytes = 4;  // of sound
constexpr u32 kZmbv = 0x56424D5A;
constexpr u16 kPcm = 1, kBits = 16, kChannels = 2;

void append(std::vector<u8>& to, u64 value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to.push_back(static_cast<u8>(value >> (i * 8)));
}
void append_zeros(std::vector<u8>& to, std::size_t count) { to.insert(to.end(), count, u8{0}); }
void append(std::vector<u8>& to, const char* text) { to.insert(to.end(), text, text + std::strlen(text)); }
void append_chunk(std::vector<u8>& to, const char* id, const std::vector<u8>& content) {
  append(to, id);
  append(to, content.size(), 4);
  to.insert(to.end(), content.begin(), content.end());
}
std::vector<u8> list(const char* type, const std::vector<u8>& content) {
  std::vector<u8> bytes;
  append(bytes, type);
  bytes.insert(bytes.end(), content.begin(), content.end());
  std::vector<u8> whole;
  append_chunk(whole, "LIST", bytes);
  return whole;
}

// A unit of length is scale / rate seconds.
std::vector<u8> stream_header(const char* type, u32 codec, u32 scale, u32 rate, u64 length, u32 sample_bytes) {
  std::vector<u8> bytes;
  append(bytes, type);
  append(bytes, codec, 4);
  append_zeros(bytes, 4 + 4 + 4);  // flags, priority and language, initial frames
  append(bytes, scale, 4);
  append(bytes, rate, 4);
  append(bytes, 0, 4);
  append(bytes, length, 4);
  append(bytes, 0, 4);
  append(bytes, 0xFFFFFFFF, 4);  // quality: the codec's
  append(bytes, sample_bytes, 4);
  append(bytes, 0, 8);
  return bytes;
}

std::vector<u8> picture_format(const AviSettings& settings) {
  std::vector<u8> bytes;
  append(bytes, 40, 4);  // BITMAPINFOHEADER
  append(bytes, settings.width, 4);
  append(bytes, settings.height, 4);
  append(bytes, 1, 2);
  append(bytes, 32, 2);
  append(bytes, kZmbv, 4);
  append(bytes, u64{settings.width} * settings.height * 4, 4);
  append_zeros(bytes, 16);
  return bytes;
}

std::vector<u8> picture_shape(const AviSettings& settings) {
  constexpr double kPrecision = 1000;
  const auto across = static_cast<u32>(std::lround(settings.width * settings.pixel_aspect * kPrecision));
  const auto down = static_cast<u32>(settings.height * kPrecision);
  const u32 common = std::gcd(across, down);
  // Each has 16 bits.
  u32 x = across / common, y = down / common;
  while (x > 0xFFFF || y > 0xFFFF) {
    x = (x + 1) / 2;
    y = (y + 1) / 2;
  }
  std::vector<u8> bytes;
  append(bytes, 0, 8);  // unknown format and standard
  append(bytes, settings.frames_per_second, 4);
  append(bytes, settings.width, 4);
  append(bytes, settings.height, 4);
  append(bytes, y, 2);
  append(bytes, x, 2);
  append(bytes, settings.width, 4);
  append(bytes, settings.height, 4);
  append(bytes, 1, 4);  // one field
  for (const unsigned length : {settings.height, settings.width, settings.height, settings.width})
    append(bytes, length, 4);
  append_zeros(bytes, 16);
  return bytes;
}

std::vector<u8> sound_format(const AviSettings& settings) {
  std::vector<u8> bytes;
  append(bytes, kPcm, 2);
  append(bytes, kChannels, 2);
  append(bytes, settings.sound_rate, 4);
  append(bytes, u64{settings.sound_rate} * kFrameBytes, 4);
  append(bytes, kFrameBytes, 2);
  append(bytes, kBits, 2);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<AviFile>> AviFile::create(const std::string& path, const AviSettings& settings) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return Error{std::strerror(errno)};
  std::unique_ptr<AviFile> avi(new AviFile(file, settings));
  const auto header = avi->header();
  avi->header_bytes_ = header.size();
  avi->put(header);
  if (!avi->trouble_.empty()) return Error{avi->trouble_};
  return avi;
}

AviFile::~AviFile() {
  std::vector<u8> index;
  append_chunk(index, "idx1", index_);
  const u64 end = written_;
  put(index);
  // Now that all numbers are known.
  const auto head = header();
  if (trouble_.empty() && ::pwrite(file_, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size())) {
    std::vector<u8> size;
    append(size, end - head.size() + 4, 4);  // of LIST movi, whose header is the last of the head
    [[maybe_unused]] const auto put_there =
        ::pwrite(file_, size.data(), size.size(), static_cast<off_t>(head.size()) - 8);
  }
  ::close(file_);
}

std::vector<u8> AviFile::header() const {
  const u32 streams = settings_.sound_rate != 0 ? 2 : 1;
  constexpr u32 kMicrosecond = 1'000'000;
  std::vector<u8> main;
  append(main, kMicrosecond / settings_.frames_per_second, 4);
  append_zeros(main, 4 + 4);
  append(main, kHasIndex | kInterleaved, 4);
  append(main, pictures_, 4);
  append(main, 0, 4);
  append(main, streams, 4);
  append(main, 0, 4);
  append(main, settings_.width, 4);
  append(main, settings_.height, 4);
  append_zeros(main, 16);

  std::vector<u8> lists;
  append_chunk(lists, "avih", main);
  std::vector<u8> video;
  append_chunk(video, "strh", stream_header("vids", kZmbv, 1, settings_.frames_per_second, pictures_, 0));
  append_chunk(video, "strf", picture_format(settings_));
  append_chunk(video, "vprp", picture_shape(settings_));
  const auto video_list = list("strl", video);
  lists.insert(lists.end(), video_list.begin(), video_list.end());
  if (streams == 2) {
    std::vector<u8> audio;
    append_chunk(audio, "strh",
                 stream_header("auds", 0, 1, settings_.sound_rate, sound_bytes_ / kFrameBytes, kFrameBytes));
    append_chunk(audio, "strf", sound_format(settings_));
    const auto audio_list = list("strl", audio);
    lists.insert(lists.end(), audio_list.begin(), audio_list.end());
  }
  const auto headers = list("hdrl", lists);
  std::vector<u8> whole;
  append(whole, "RIFF");
  append(whole, written_ > 8 ? written_ - 8 : 0, 4);
  append(whole, "AVI ");
  whole.insert(whole.end(), headers.begin(), headers.end());
  append(whole, "LIST");
  append(whole, 4, 4);
  append(whole, "movi");
  return whole;
}

void AviFile::put(std::span<const u8> bytes) {
  while (!bytes.empty() && trouble_.empty()) {
    const ssize_t done = ::write(file_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      trouble_ = std::strerror(done < 0 ? errno : ENOSPC);
      return;
    }
    written_ += static_cast<u64>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void AviFile::chunk(const char* id, std::span<const u8> bytes, u32 flags) {
  append(index_, id);
  append(index_, flags, 4);
  append(index_, written_ - (header_bytes_ - 4), 4);  // from the word "movi" on
  append(index_, bytes.size(), 4);
  std::vector<u8> head;
  append(head, id);
  append(head, bytes.size(), 4);
  put(head);
  put(bytes);
  const u8 fill = 0;
  if (bytes.size() % 2 != 0) put({&fill, 1});
}

void AviFile::picture(std::span<const u8> encoded, bool key) {
  chunk("00dc", encoded, key ? kKey : 0);
  pictures_++;
}

void AviFile::sound(std::span<const i16> samples) {
  std::vector<u8> bytes;
  bytes.reserve(samples.size() * 2);
  for (const i16 sample : samples) append(bytes, static_cast<u16>(sample), 2);
  chunk("01wb", bytes, kKey);
  sound_bytes_ += bytes.size();
}

}  // namespace relic86
