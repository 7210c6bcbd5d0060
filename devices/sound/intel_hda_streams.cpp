// Streams: each goes round and round its list of buffers (High Definition Audio Specification 1.0a, 3.6 and 4.5). At
// most a millisecond of frames is moved at once, when the first of them sounds.
#include <algorithm>

#include "base/byte_order.h"
#include "devices/sound/intel_hda.h"

namespace relic86 {

using namespace hda;

namespace {

constexpr unsigned kEntryBytes = 16, kListEntries = 256;
constexpr u32 kInterruptOnCompletion = 1;
// A list of short buffers that interrupt does so four times a millisecond at most.
constexpr std::size_t kLeastPart = 4;
constexpr unsigned kPositionBytes = 8;

}  // namespace

bool IntelHda::runs(unsigned stream) const {
  return (registers_.read(base_of(stream) + kStreamControl, 1) & kStreamRuns) != 0 &&
         (registers_.read(kStreamSync, 4) >> stream & 1) == 0;
}

u32 IntelHda::running() const {
  u32 bits = 0;
  for (unsigned i = 0; i < kStreams; i++) bits |= (runs(i) ? 1u : 0u) << i;
  return bits;
}

HdaFormat IntelHda::format_of(unsigned stream) const {
  return {static_cast<u16>(registers_.read(base_of(stream) + kStreamFormat, 2))};
}

void IntelHda::reset_stream(unsigned stream) {
  registers_.reset(base_of(stream), kStreamSize);
  streams_[stream] = Stream{};
  scheduler_->cancel(timers_[stream]);
}

void IntelHda::stream_written(unsigned stream, unsigned offset, u8 before) {
  if (offset != kStreamControl) return;
  const unsigned base = base_of(stream);
  const auto value = static_cast<u8>(registers_.read(base + kStreamControl, 1));
  if ((value & kStreamReset) != 0) {
    if ((before & kStreamReset) == 0) reset_stream(stream);
    registers_.set(base + kStreamControl, 1, kStreamReset);  // nothing else is there until it ends
  } else if ((value & kStreamRuns) != 0) {
    registers_.raise(base + kStreamStatus, kReady);
  } else {
    registers_.lower(base + kStreamStatus, kReady);
  }
}

// A stream goes on where it was stopped: the next frame sounds now.
void IntelHda::start_and_stop(u32 ran) {
  const u32 now = running();
  for (unsigned i = 0; i < kStreams; i++) {
    if ((now >> i & 1) == 0) {
      scheduler_->cancel(timers_[i]);
    } else if ((ran >> i & 1) == 0) {
      streams_[i].run.begin(scheduler_->now(), format_of(i).rate());
      scheduler_->schedule_at(timers_[i], scheduler_->now());
    }
  }
}

void IntelHda::move_piece(unsigned index) {
  Stream& stream = streams_[index];
  const HdaFormat format = format_of(index);
  const u32 frames = stream.run.piece();
  if (!bus_master_enabled()) {
    stream.run.moved(frames);
    return scheduler_->schedule_at(timers_[index], stream.run.next());
  }
  bytes_.assign(std::size_t{frames} * format.frame_bytes(), 0);
  const std::size_t moved = move_bytes(index, bytes_) / format.frame_bytes();
  if (moved == 0) return fail(index);
  const auto piece = std::span<const u8>(bytes_).first(moved * format.frame_bytes());
  const u32 number = registers_.read(base_of(index) + kStreamNumber, 1) >> 4;
  if (is_output(index) && number != 0) {
    for (const auto& codec : codecs_) {
      if (codec) codec->play(number, stream.run.next(), format, piece);
    }
  }
  report_position(index);
  stream.run.moved(moved);
  scheduler_->schedule_at(timers_[index], stream.run.next());
}

// Whole frames, as many as there is room for, or fewer where a buffer ends that interrupts. 0: the list goes
// on for too long without them.
std::size_t IntelHda::move_bytes(unsigned index, std::span<u8> bytes) {
  Stream& stream = streams_[index];
  const unsigned base = base_of(index);
  const std::size_t frame = format_of(index).frame_bytes();
  unsigned entries = 0;
  for (std::size_t done = 0; done < bytes.size();) {
    if (stream.left == 0) {
      if (entries++ == kListEntries) return 0;
      next_entry(index);
      continue;
    }
    const std::size_t count = std::min<std::size_t>(stream.left, bytes.size() - done);
    const auto part = bytes.subspan(done, count);
    if (is_output(index))
      memory_->read_block(PhysAddr(stream.address), part);
    else
      memory_->write_block(PhysAddr(stream.address), part);
    stream.address += count;
    stream.left -= static_cast<u32>(count);
    done += count;
    const u64 position = u64{registers_.read(base + kStreamPosition, 4)} + count;
    const u32 length = registers_.read(base + kBufferLength, 4);
    registers_.set(base + kStreamPosition, 4, static_cast<u32>(length == 0 ? position : position % length));
    if (stream.left != 0 || !stream.interrupts) continue;
    stream.completed = true;
    if (done >= bytes.size() / kLeastPart && done % frame == 0) return done;
  }
  return bytes.size();
}

void IntelHda::next_entry(unsigned index) {
  Stream& stream = streams_[index];
  const unsigned base = base_of(index);
  const u32 last = registers_.read(base + kLastEntry, 1);
  if (stream.begun) stream.entry = stream.entry >= last ? u8{0} : static_cast<u8>(stream.entry + 1);
  stream.begun = true;
  std::array<u8, kEntryBytes> bytes{};
  const u64 list = registers_.read(base + kListBase, 4) | u64{registers_.read(base + kListBase + 4, 4)} << 32;
  memory_->read_block(PhysAddr(list + u64{stream.entry} * kEntryBytes), bytes);
  stream.address = load_le<u64>(bytes, 0);
  stream.left = load_le<u32>(bytes, 8);
  stream.interrupts = (load_le<u32>(bytes, 12) & kInterruptOnCompletion) != 0;
}

// Software has to reset the stream.
void IntelHda::fail(unsigned index) {
  const unsigned base = base_of(index);
  registers_.raise(base + kStreamStatus, kDescriptorError);
  registers_.lower(base + kStreamStatus, kReady);
  registers_.lower(base + kStreamControl, kStreamRuns);
  update_interrupt();
}

void IntelHda::report_position(unsigned index) {
  const u32 low = registers_.read(kPositionBase, 4);
  if ((low & kPositionsEnabled) == 0) return;
  std::array<u8, kPositionBytes> bytes{};
  store_le<u32>(bytes, 0, registers_.read(base_of(index) + kStreamPosition, 4));
  const u64 base = (low & ~kPositionsEnabled) | u64{registers_.read(kPositionBase + 4, 4)} << 32;
  memory_->write_block(PhysAddr(base + u64{index} * kPositionBytes), bytes);
}

}  // namespace relic86
