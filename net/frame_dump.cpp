#include "net/frame_dump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace relic86::net {

namespace {
constexpr u32 kMagic = 0xA1B2C3D4;  // microseconds
constexpr u16 kMajor = 2, kMinor = 4;
constexpr u32 kEthernet = 1;
constexpr i64 kNanosecondsPerSecond = 1'000'000'000, kNanosecondsPerMicrosecond = 1000;

struct FileHeader {
  u32 magic = kMagic;
  u16 major = kMajor, minor = kMinor;
  u32 zone = 0, accuracy = 0;
  u32 longest = 0;
  u32 link = kEthernet;
};
struct FrameHeader {
  u32 seconds, microseconds, kept, length;
};
}  // namespace

Result<std::unique_ptr<FrameDump>> FrameDump::open(const std::string& file, u32 longest, Endpoint& at,
                                                   const GuestClock& clock) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (opened < 0)
    return Error{fmt::format("file={}: cannot write the file: {}; check the path", file, std::strerror(errno))};
  FileHeader header;
  header.longest = longest;
  if (::write(opened, &header, sizeof header) != static_cast<ssize_t>(sizeof header)) {
    ::close(opened);
    return Error{fmt::format("file={}: cannot write the file; is its disk full?", file)};
  }
  return std::unique_ptr<FrameDump>(new FrameDump(opened, longest, at, clock));
}

FrameDump::FrameDump(int file, u32 longest, Endpoint& at, const GuestClock& clock)
    : file_(file), longest_(longest), at_(at), clock_(clock) {
  at_.add_observer(this);
}

FrameDump::~FrameDump() {
  at_.remove_observer(this);
  ::close(file_);
}

void FrameDump::observe(Frame frame) {
  if (failed_) return;
  const GuestTime now = clock_.now();
  const auto kept = static_cast<u32>(std::min<std::size_t>(frame.size(), longest_));
  const FrameHeader header{static_cast<u32>(now / kNanosecondsPerSecond),
                           static_cast<u32>(now % kNanosecondsPerSecond / kNanosecondsPerMicrosecond), kept,
                           static_cast<u32>(frame.size())};
  // In one piece, so that a reader never sees half a frame.
  std::vector<u8> bytes(sizeof header + kept);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy_n(frame.begin(), kept, bytes.begin() + sizeof header);
  if (::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) return;
  failed_ = true;
  log::warning("filter-dump: the file cannot be written any more; is its disk full?");
}

}  // namespace relic86::net
