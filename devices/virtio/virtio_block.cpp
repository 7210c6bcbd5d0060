// Block device (virtio 1.0, 5.2)
//
//   queue 0  requests: 0-3 type, 4-7 reserved, 8-15 sector (of 512 bytes), data; the last byte to write is the status
//            type 0 read, 1 write, 4 flush, 8 get id, 11 discard, 13 write zeroes; status 0 good, 1 I/O error, 2
//            unknown
//   config   00h capacity in sectors  0Ch most buffers of data  10h cylinders, 12h heads, 13h sectors
//            14h block size  18h topology  20h RW write cache on  22h queues
//            24h discard: most sectors, 28h most ranges, 2Ch alignment
//            30h write zeroes: most sectors, 34h most ranges, 38h may discard
//
// Requests are carried out at once; long queues in parts, so that a notification does not last. Those that may have to
// wait for the host's disk are submitted to the image, and given back to the driver when they are done.
#include "devices/virtio/virtio_block.h"

#include <algorithm>
#include <utility>

#include "base/byte_order.h"
#include "base/log.h"
#include "devices/bus_mastering.h"

namespace relic86 {

namespace {
constexpr u32 kSector = 512;
constexpr u16 kQueueSize = 256;
constexpr u32 kMostBuffers = kQueueSize - 2;  // of data, beside header and status
constexpr u32 kConfigBytes = 60;
constexpr u32 kHeaderBytes = 16, kIdBytes = 20, kRangeBytes = 16;
constexpr u64 kMostRequestBytes = u64{1} << 31;
constexpr u32 kMostRangeSectors = (1u << 31) / kSector - 1;
constexpr unsigned kRequestsAtOnce = 64;
constexpr u64 kBytesAtOnce = u64{4} << 20, kFlushWork = u64{1} << 20;
constexpr u64 kMostSubmitted = u64{16} << 20;  // bytes of requests that wait for the host; at least one may
constexpr u64 kLongestSubmitted = u64{4} << 20;

constexpr u32 kRead = 0, kWrite = 1, kFlush = 4, kGetId = 8, kDiscard = 11, kWriteZeroes = 13;
enum Feature : unsigned {
  kSegmentMax = 2,
  kGeometry = 4,
  kReadOnly = 5,
  kBlockSize = 6,
  kFlushCommand = 9,
  kTopology = 10,
  kConfigCache = 11,
  kDiscardCommand = 13,
  kWriteZeroesCommand = 14,
};
constexpr unsigned kConfigCacheByte = 0x20;
constexpr u32 kUnmap = 1;  // flag of a range to write zeroes to
}  // namespace

VirtioBlock::VirtioBlock(std::string name, const VirtioInterfaces& interfaces, std::unique_ptr<BlockDevice> image,
                         VirtioBlockOptions options)
    : VirtioPci(std::move(name), {.type = 2, .transitional_device = 0x1001, .class_code = 0x010000}, interfaces,
                {kQueueSize}, kConfigBytes),
      image_(std::move(image)),
      options_(std::move(options)),
      sectors_(image_->size_bytes() / kSector),
      piece_(kPiece) {
  image_->retry_with([this] { retry(); });
}

void VirtioBlock::reset_device() {
  write_cache_ = true;
  life_++;
  held_back_ = false;
  to_be_retried_.clear();
}

void VirtioBlock::state_device(StateArchive& archive) {
  archive.field("write_cache", write_cache_);
  to_be_retried_.state(archive, 0, queue_count(), kQueueSize);
  if (!archive.loading()) return;
  life_++;
  held_back_ = false;
}

u64 VirtioBlock::device_features() const {
  u64 features = 0;
  for (const unsigned feature : {kSegmentMax, kGeometry, kBlockSize, kFlushCommand, kTopology, kConfigCache,
                                 kDiscardCommand, kWriteZeroesCommand})
    features |= u64{1} << feature;
  if (image_->read_only()) features |= u64{1} << kReadOnly;
  return features;
}

void VirtioBlock::fill_config(std::span<u8> config) const {
  store_le<u64>(config, 0x00, sectors_);
  store_le<u32>(config, 0x0C, kMostBuffers);
  store_le<u16>(config, 0x10, options_.geometry.cylinders);
  config[0x12] = options_.geometry.heads;
  config[0x13] = options_.geometry.sectors;
  store_le<u32>(config, 0x14, kSector);
  config[kConfigCacheByte] = write_cache_ ? 1 : 0;
  store_le<u16>(config, 0x22, queue_count());
  store_le<u32>(config, 0x24, kMostRangeSectors);
  store_le<u32>(config, 0x28, 1);
  store_le<u32>(config, 0x2C, 1);
  store_le<u32>(config, 0x30, kMostRangeSectors);
  store_le<u32>(config, 0x34, 1);
  config[0x38] = 1;
}

void VirtioBlock::config_bytes_written(unsigned offset, std::span<const u8> bytes) {
  if (offset > kConfigCacheByte || offset + bytes.size() <= kConfigCacheByte) return;
  write_cache_ = (bytes[kConfigCacheByte - offset] & 1) != 0;
  if (!write_cache_) flush();
}

void VirtioBlock::serve(unsigned number) {
  bool served = false;
  work_ = 0;
  serving_ = number;
  for (unsigned count = 0; count < kRequestsAtOnce && work_ < kBytesAtOnce; count++) {
    if (submitted_bytes_ >= kMostSubmitted) {
      held_back_ = true;
      break;
    }
    const auto chain = take(number);
    if (!chain) break;
    if (!carry_out(number, *chain, served)) return;
  }
  if (served) interrupt(number);
  if (!held_back_ && waiting(number) != 0) serve_later(number);
}

bool VirtioBlock::carry_out(unsigned number, const DescriptorChain& chain, bool& served) {
  if (chain.readable_bytes() < kHeaderBytes || chain.writable_bytes() < 1) {
    fail("a request has no header, or no room for its status");
    return false;
  }
  u64 written = 0;
  const Outcome outcome = execute(chain, written);
  work_ += chain.readable_bytes() + chain.writable_bytes();
  if (outcome == Outcome::Submitted) return true;
  if (outcome == Outcome::ToBeRetried) {
    to_be_retried_.add(number, chain.head());
    return true;
  }
  served = true;
  return finish(number, chain, outcome, written);
}

// The driver has left the buffers of a request alone that it was not told of yet: it is carried out from its start.
void VirtioBlock::retry() {
  const auto failed = to_be_retried_.take();
  const BusMastering moving(bus_mastering());
  for (const FailedChains::Chain& request : failed) {
    const auto chain = taken(request.queue, request.head);
    if (!chain) return;
    serving_ = request.queue;
    bool served = false;
    if (!carry_out(request.queue, *chain, served)) return;
    if (served) interrupt(request.queue);
  }
}

bool VirtioBlock::finish(unsigned number, const DescriptorChain& chain, Outcome outcome, u64 written) {
  const u8 status = static_cast<u8>(outcome);
  if (outcome == Outcome::Broken || !chain.write(memory(), chain.writable_bytes() - 1, {&status, 1})) {
    fail("a request's buffer has an address where nothing is");
    return false;
  }
  give_back(number, chain, written + 1);
  return true;
}

// --- Requests that wait for the host ---

VirtioBlock::Outcome VirtioBlock::submit(const DescriptorChain& chain, BlockRequest request) {
  submitted_bytes_ += request.bytes.size();
  image_->submit(std::move(request),
                 [this, chain, number = serving_, life = life_](BlockRequest&& done, Result<> result) {
                   submitted_bytes_ -= done.bytes.size();
                   if (life == life_) return complete(number, chain, std::move(done), result);
                   // A driver that came after a reset may wait for room alone.
                   if (submitted_bytes_ < kMostSubmitted && std::exchange(held_back_, false)) serve_again(number);
                 });
  return Outcome::Submitted;
}

bool VirtioBlock::defers(BlockRequest::Kind kind, u64 offset, u64 length) const {
  return length <= kLongestSubmitted && image_->defers(kind, offset, length);
}

void VirtioBlock::complete(unsigned number, const DescriptorChain& chain, BlockRequest request,
                           const Result<>& result) {
  if (!running()) {
    held_back_ = false;
    return;
  }
  const BusMastering moving(bus_mastering());
  serving_ = number;
  Outcome outcome = result ? Outcome::Good : host_error(request.kind, result.message());
  if (outcome == Outcome::ToBeRetried) {
    to_be_retried_.add(number, chain.head());
    if (std::exchange(held_back_, false)) serve_again(number);
    return;
  }
  u64 written = 0;
  const bool reads = request.kind == BlockRequest::Kind::Read, flushes = request.kind == BlockRequest::Kind::Flush;
  if (outcome == Outcome::Good && reads) {
    written = request.length;
    if (!chain.write(memory(), 0, request.content())) outcome = Outcome::Broken;
  } else if (outcome == Outcome::Good && !flushes && !cached()) {
    submit(chain, {.kind = BlockRequest::Kind::Flush});
    return;
  }
  if (!finish(number, chain, outcome, written)) return;
  interrupt(number);
  if (std::exchange(held_back_, false)) serve_again(number);
}

VirtioBlock::Outcome VirtioBlock::execute(const DescriptorChain& chain, u64& written) {
  std::array<u8, kHeaderBytes> header{};
  if (!chain.read(memory(), 0, header)) return Outcome::Broken;
  const auto type = load_le<u32>(header, 0);
  const u64 sector = load_le<u64>(header, 8);
  switch (type) {
    case kRead: return read_sectors(chain, sector, written);
    case kWrite: return write_sectors(chain, sector);
    case kFlush:
      if (defers(BlockRequest::Kind::Flush, 0, 0)) return submit(chain, {.kind = BlockRequest::Kind::Flush});
      return flush();
    case kGetId: return get_id(chain, written);
    case kDiscard: return change_range(chain, Range::Discard);
    case kWriteZeroes: return change_range(chain, Range::WriteZeroes);
    default: return Outcome::Unsupported;
  }
}

bool VirtioBlock::within_medium(u64 sector, u64 bytes) const {
  return bytes % kSector == 0 && bytes <= kMostRequestBytes && sector <= sectors_ &&
         bytes / kSector <= sectors_ - sector;
}

VirtioBlock::Outcome VirtioBlock::host_error(BlockRequest::Kind kind, const std::string& message) {
  if (log::first_time(message)) log::warning(message);
  switch (image_->failed(kind, message)) {
    case ErrorAction::Report: return Outcome::IoError;
    case ErrorAction::Ignore: return Outcome::Good;
    case ErrorAction::Stop: break;
  }
  return Outcome::ToBeRetried;
}

VirtioBlock::Outcome VirtioBlock::read_sectors(const DescriptorChain& chain, u64 sector, u64& written) {
  const u64 bytes = chain.writable_bytes() - 1;
  if (!within_medium(sector, bytes)) return Outcome::IoError;
  if (defers(BlockRequest::Kind::Read, sector * kSector, bytes))
    return submit(chain, {BlockRequest::Kind::Read, sector * kSector, bytes, std::vector<u8>(bytes)});
  for (u64 done = 0; done < bytes;) {
    const auto piece = std::span(piece_).first(static_cast<std::size_t>(std::min<u64>(bytes - done, kPiece)));
    if (auto result = image_->read(sector * kSector + done, piece); !result) {
      const Outcome outcome = host_error(BlockRequest::Kind::Read, result.message());
      if (outcome != Outcome::Good) return outcome;
    }
    if (!chain.write(memory(), done, piece)) return Outcome::Broken;
    done += piece.size();
    written = done;
  }
  return Outcome::Good;
}

VirtioBlock::Outcome VirtioBlock::write_sectors(const DescriptorChain& chain, u64 sector) {
  const u64 bytes = chain.readable_bytes() - kHeaderBytes;
  if (image_->read_only() || !within_medium(sector, bytes)) return Outcome::IoError;
  if (defers(BlockRequest::Kind::Write, sector * kSector, bytes)) {
    BlockRequest request{BlockRequest::Kind::Write, sector * kSector, bytes, std::vector<u8>(bytes)};
    if (!chain.read(memory(), kHeaderBytes, request.content())) return Outcome::Broken;
    return submit(chain, std::move(request));
  }
  for (u64 done = 0; done < bytes;) {
    const auto piece = std::span(piece_).first(static_cast<std::size_t>(std::min<u64>(bytes - done, kPiece)));
    if (!chain.read(memory(), kHeaderBytes + done, piece)) return Outcome::Broken;
    if (auto result = image_->write(sector * kSector + done, piece); !result) {
      const Outcome outcome = host_error(BlockRequest::Kind::Write, result.message());
      if (outcome != Outcome::Good) return outcome;
    }
    done += piece.size();
  }
  return written_through();
}

// A driver that knows no flush command takes for granted that writes are on the medium (5.2.6.2).
bool VirtioBlock::cached() const { return negotiated(kFlushCommand) && (!negotiated(kConfigCache) || write_cache_); }

VirtioBlock::Outcome VirtioBlock::written_through() { return cached() ? Outcome::Good : flush(); }

VirtioBlock::Outcome VirtioBlock::flush() {
  work_ += kFlushWork;
  if (auto result = image_->flush(); !result) return host_error(BlockRequest::Kind::Flush, result.message());
  return Outcome::Good;
}

VirtioBlock::Outcome VirtioBlock::get_id(const DescriptorChain& chain, u64& written) {
  std::array<u8, kIdBytes> id{};
  std::copy_n(options_.serial.begin(), std::min<std::size_t>(options_.serial.size(), id.size()), id.begin());
  written = std::min<u64>(id.size(), chain.writable_bytes() - 1);
  const auto part = std::span(id).first(static_cast<std::size_t>(written));
  return chain.write(memory(), 0, part) ? Outcome::Good : Outcome::Broken;
}

// The range: 0-7 sector, 8-11 number of sectors, 12-15 flags.
VirtioBlock::Outcome VirtioBlock::change_range(const DescriptorChain& chain, Range what) {
  if (image_->read_only() || chain.readable_bytes() < kHeaderBytes + kRangeBytes) return Outcome::IoError;
  if (chain.readable_bytes() > kHeaderBytes + kRangeBytes) return Outcome::Unsupported;  // one range at a time
  std::array<u8, kRangeBytes> range{};
  if (!chain.read(memory(), kHeaderBytes, range)) return Outcome::Broken;
  const u64 sector = load_le<u64>(range, 0), count = load_le<u32>(range, 8);
  const auto flags = load_le<u32>(range, 12);
  const bool discards = what == Range::Discard;
  if ((flags & ~(discards ? 0 : kUnmap)) != 0) return Outcome::Unsupported;
  if (count > kMostRangeSectors || !within_medium(sector, count * kSector)) return Outcome::IoError;
  const u64 at = sector * kSector, length = count * kSector;
  work_ += length;
  const auto kind = discards ? BlockRequest::Kind::Discard : BlockRequest::Kind::WriteZeroes;
  // There are no bytes to it that would take room while it waits.
  if (image_->defers(kind, at, length)) return submit(chain, {.kind = kind, .offset = at, .length = length});
  if (auto done = discards ? image_->discard(at, length) : image_->write_zeroes(at, length); !done)
    return host_error(kind, done.message());
  return written_through();
}

}  // namespace relic86
