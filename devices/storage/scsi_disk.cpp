//   command                          (SPC-3, SBC-2; MMC-3 for 23h)
//   00h TEST UNIT READY              03h REQUEST SENSE                12h INQUIRY; vital pages 00h, 80h, 83h
//   08h 28h A8h 88h READ             0Ah 2Ah AAh 8Ah WRITE            of 6, 10, 12 and 16 bytes
//   1Ah 5Ah MODE SENSE: pages 08h caching, 3Fh all                    25h, 9Eh-10h READ CAPACITY
//   1Bh START STOP UNIT              1Eh PREVENT ALLOW MEDIUM REMOVAL 23h READ FORMAT CAPACITIES
//   2Fh VERIFY                       35h SYNCHRONIZE CACHE            A0h REPORT LUNS
#include "devices/storage/scsi_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/byte_order.h"
#include "base/log.h"

namespace relic86 {

namespace {

enum Operation : u8 {
  kTestUnitReady = 0x00,
  kRequestSense = 0x03,
  kRead6 = 0x08,
  kWrite6 = 0x0A,
  kInquiry = 0x12,
  kModeSense6 = 0x1A,
  kStartStop = 0x1B,
  kPreventRemoval = 0x1E,
  kFormatCapacities = 0x23,
  kReadCapacity = 0x25,
  kRead10 = 0x28,
  kWrite10 = 0x2A,
  kVerify10 = 0x2F,
  kSynchronizeCache = 0x35,
  kModeSense10 = 0x5A,
  kRead16 = 0x88,
  kWrite16 = 0x8A,
  kServiceActionIn = 0x9E,
  kReportUnits = 0xA0,
  kRead12 = 0xA8,
  kWrite12 = 0xAA,
};
constexpr u8 kReadLongCapacity = 0x10;  // service action of 9Eh

constexpr u8 kNotReady = 2, kMediumError = 3, kIllegalRequest = 5, kDataProtect = 7;
constexpr u8 kFixedSense = 0x70;
constexpr std::size_t kSenseBytes = 18;
constexpr std::size_t kPiece = 64 * ScsiDisk::kBlock;

void put_text(std::span<u8> bytes, std::size_t at, std::string_view text, std::size_t size) {
  for (std::size_t i = 0; i < size; i++) bytes[at + i] = static_cast<u8>(i < text.size() ? text[i] : ' ');
}

// The length of a command by its group, the upper three bits (SPC-3, 4.3.2); 0: unknown.
std::size_t length_of(u8 operation) {
  constexpr std::size_t kLengths[] = {6, 10, 10, 0, 16, 12, 0, 0};
  return kLengths[operation >> 5];
}

}  // namespace

ScsiDisk::ScsiDisk(std::unique_ptr<BlockDevice> image, ScsiDiskOptions options)
    : image_(std::move(image)), options_(std::move(options)), blocks_(image_->size_bytes() / kBlock) {}

void ScsiDisk::reset() {
  sense_ = {};
  ejected_ = locked_ = false;
  kind_ = Kind::Answer;
  next_ = left_ = 0;
  piece_.clear();
  moved_ = 0;
  forget_host();
}

void ScsiDisk::forget_host() {
  commands_++;
  waiting_ = false;
  to_retry_.reset();
}

void ScsiDisk::state(StateArchive& archive) {
  archive.field("sense_key", sense_.key);
  archive.field("sense_code", sense_.code);
  archive.field("sense_qualifier", sense_.qualifier);
  archive.field("ejected", ejected_);
  archive.field("locked", locked_);
  archive.field("kind", kind_);
  archive.field("next", next_);
  archive.field("left", left_);
  archive.resizable("piece", piece_);
  archive.field("moved", moved_);
  state_failed(archive);
  if (!archive.loading()) return;
  sense_.key &= 0xF;
  if (kind_ > Kind::Write) kind_ = Kind::Answer;
  if (piece_.size() > 2 * kPiece) piece_.resize(2 * kPiece);
  moved_ = std::min(moved_, static_cast<u32>(piece_.size()));
  const u64 size = blocks_ * kBlock;
  next_ = std::min(next_, size) / kBlock * kBlock;
  left_ = kind_ == Kind::Answer ? 0 : std::min(left_, size - next_);
}

ScsiDisk::Transfer ScsiDisk::answer(std::vector<u8> bytes, u64 room) {
  if (bytes.size() > room) bytes.resize(static_cast<std::size_t>(room));
  piece_ = std::move(bytes);
  return {piece_.empty() ? Transfer::Direction::None : Transfer::Direction::ToHost, piece_.size()};
}

ScsiDisk::Transfer ScsiDisk::fail(const Sense& sense) {
  sense_ = sense;
  return {};
}

ScsiDisk::Transfer ScsiDisk::begin(std::span<const u8> command, u8 unit) {
  const Sense before = sense_;
  sense_ = {};
  kind_ = Kind::Answer;
  next_ = left_ = 0;
  piece_.clear();
  moved_ = 0;
  forget_host();
  if (command.empty()) return fail({kIllegalRequest, 0x20, 0});
  const u8 operation = command[0];
  std::array<u8, kMostCommand> whole{};
  std::copy_n(command.begin(), std::min(command.size(), whole.size()), whole.begin());
  if (operation == kRequestSense) return request_sense(whole, before);
  if (unit != 0 && operation != kInquiry && operation != kReportUnits) return fail({kIllegalRequest, 0x25, 0});
  if (length_of(operation) == 0 || command.size() < length_of(operation)) return fail({kIllegalRequest, 0x20, 0});
  const Transfer transfer = carry_out(whole);
  if (operation == kInquiry && unit != 0 && !piece_.empty()) piece_[0] = 0x7F;  // there is no such unit
  return transfer;
}

ScsiDisk::Transfer ScsiDisk::carry_out(std::span<const u8> command) {
  const Sense no_medium{kNotReady, 0x3A, 0};
  const auto blocks = [&](Kind kind, u64 block, u64 count) {
    return ready() ? move_blocks(kind, block, count) : fail(no_medium);
  };
  switch (command[0]) {
    case kTestUnitReady: return ready() ? done() : fail(no_medium);
    case kInquiry: return inquiry(command);
    case kModeSense6:
    case kModeSense10: return mode_sense(command);
    case kStartStop: return start_or_stop(command[4]);
    case kPreventRemoval: locked_ = (command[4] & 1) != 0; return done();
    case kFormatCapacities: return format_capacities(command);
    case kReadCapacity: return ready() ? read_capacity() : fail(no_medium);
    case kServiceActionIn:
      if ((command[1] & 0x1F) != kReadLongCapacity) return fail({kIllegalRequest, 0x24, 0});
      return ready() ? read_long_capacity(command) : fail(no_medium);
    case kReportUnits: return answer({0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, load_be<u32>(command, 6));
    // Of 6 bytes: a count of 0 is 256 (SBC-2, 5.5).
    case kRead6:
    case kWrite6:
      return blocks(command[0] == kRead6 ? Kind::Read : Kind::Write, load_be<u32>(command, 0) & 0x1FFFFF,
                    command[4] == 0 ? 256 : command[4]);
    case kRead10: return blocks(Kind::Read, load_be<u32>(command, 2), load_be<u16>(command, 7));
    case kWrite10: return blocks(Kind::Write, load_be<u32>(command, 2), load_be<u16>(command, 7));
    case kRead12: return blocks(Kind::Read, load_be<u32>(command, 2), load_be<u32>(command, 6));
    case kWrite12: return blocks(Kind::Write, load_be<u32>(command, 2), load_be<u32>(command, 6));
    case kRead16: return blocks(Kind::Read, load_be<u64>(command, 2), load_be<u32>(command, 10));
    case kWrite16: return blocks(Kind::Write, load_be<u64>(command, 2), load_be<u32>(command, 10));
    // Nothing is compared; the blocks must be there.
    case kVerify10: {
      if ((command[1] & 2) != 0) return fail({kIllegalRequest, 0x24, 0});
      const u64 block = load_be<u32>(command, 2), count = load_be<u16>(command, 7);
      if (!ready()) return fail(no_medium);
      return block > blocks_ || count > blocks_ - block ? fail({kIllegalRequest, 0x21, 0}) : done();
    }
    case kSynchronizeCache:
      if (!ready()) return fail(no_medium);
      return {.medium = Transfer::Medium{.kind = BlockRequest::Kind::Flush}};
    default: return fail({kIllegalRequest, 0x20, 0});
  }
}

// --- What the disk says of itself ---

ScsiDisk::Transfer ScsiDisk::inquiry(std::span<const u8> command) {
  const u64 room = load_be<u16>(command, 3);
  constexpr u8 kVitalData = 1;
  if ((command[1] & kVitalData) == 0) {
    if (command[2] != 0) return fail({kIllegalRequest, 0x24, 0});
    std::vector<u8> bytes(36);
    bytes[1] = options_.removable ? 0x80 : 0;
    bytes[2] = 5;  // SPC-3
    bytes[3] = 2;  // the layout of this answer
    bytes[4] = static_cast<u8>(bytes.size() - 5);
    put_text(bytes, 8, "relic86", 8);
    put_text(bytes, 16, options_.product, 16);
    put_text(bytes, 32, "1.0", 4);
    return answer(std::move(bytes), room);
  }
  const auto page = [&](std::vector<u8> content) {
    std::vector<u8> bytes{0, command[2], 0, static_cast<u8>(content.size())};
    bytes.insert(bytes.end(), content.begin(), content.end());
    return answer(std::move(bytes), room);
  };
  const std::vector<u8> serial(options_.serial.begin(), options_.serial.end());
  switch (command[2]) {
    case 0x00: return page({0x00, 0x80, 0x83});
    case 0x80: return page(serial);
    case 0x83: {
      // One designator: ASCII, of the vendor's own kind, for the unit.
      std::vector<u8> content{2, 0, 0, static_cast<u8>(serial.size())};
      content.insert(content.end(), serial.begin(), serial.end());
      return page(std::move(content));
    }
    default: return fail({kIllegalRequest, 0x24, 0});
  }
}

std::vector<u8> ScsiDisk::sense_bytes(const Sense& sense) {
  std::vector<u8> bytes(kSenseBytes);
  bytes[0] = kFixedSense;
  bytes[2] = sense.key;
  bytes[7] = kSenseBytes - 8;
  bytes[12] = sense.code;
  bytes[13] = sense.qualifier;
  return bytes;
}

ScsiDisk::Transfer ScsiDisk::request_sense(std::span<const u8> command, const Sense& sense) {
  return answer(sense_bytes(sense), command[4]);
}

std::vector<u8> ScsiDisk::take_sense() { return sense_bytes(std::exchange(sense_, {})); }

ScsiDisk::Transfer ScsiDisk::mode_sense(std::span<const u8> command) {
  constexpr u8 kWriteProtected = 0x80, kCachingPage = 0x08, kAllPages = 0x3F, kCacheOn = 0x04, kPageControl = 0xC0;
  const bool is_short = command[0] == kModeSense6;
  const u8 page = command[2] & kAllPages;
  if (page != kCachingPage && page != kAllPages) return fail({kIllegalRequest, 0x24, 0});
  constexpr u8 kSaved = 0xC0;
  if ((command[2] & kPageControl) == kSaved) return fail({kIllegalRequest, 0x39, 0});
  const bool changeable = (command[2] & kPageControl) == 0x40;
  std::vector<u8> bytes(is_short ? 4 : 8);
  bytes[is_short ? 2 : 3] = image_->read_only() ? kWriteProtected : 0;
  const std::size_t at = bytes.size();
  bytes.resize(at + 20);
  bytes[at] = kCachingPage;
  bytes[at + 1] = 18;
  bytes[at + 2] = changeable ? 0 : kCacheOn;  // writes are on the medium once SYNCHRONIZE CACHE says so
  if (is_short)
    bytes[0] = static_cast<u8>(bytes.size() - 1);
  else
    store_be(bytes, 0, static_cast<u16>(bytes.size() - 2));
  return answer(std::move(bytes), is_short ? command[4] : load_be<u16>(command, 7));
}

ScsiDisk::Transfer ScsiDisk::read_capacity() {
  std::vector<u8> bytes(8);
  store_be(bytes, 0, static_cast<u32>(std::min<u64>(last_block(), UINT32_MAX)));
  store_be(bytes, 4, kBlock);
  return answer(std::move(bytes), 8);
}

ScsiDisk::Transfer ScsiDisk::read_long_capacity(std::span<const u8> command) {
  std::vector<u8> bytes(32);
  store_be(bytes, 0, last_block());
  store_be(bytes, 8, kBlock);
  return answer(std::move(bytes), load_be<u32>(command, 10));
}

// One descriptor: of the medium, or of none.
ScsiDisk::Transfer ScsiDisk::format_capacities(std::span<const u8> command) {
  constexpr u8 kFormatted = 2, kNoMedium = 3;
  std::vector<u8> bytes(12);
  bytes[3] = 8;
  store_be(bytes, 4, static_cast<u32>(std::min<u64>(blocks_, UINT32_MAX)));
  store_be(bytes, 8, kBlock);
  bytes[8] = ready() ? kFormatted : kNoMedium;
  return answer(std::move(bytes), load_be<u16>(command, 7));
}

// --- The medium ---

ScsiDisk::Transfer ScsiDisk::start_or_stop(u8 what) {
  constexpr u8 kStart = 1, kLoadOrEject = 2;
  if ((what & kLoadOrEject) == 0 || !options_.removable) return done();
  if ((what & kStart) == 0 && locked_) return fail({kIllegalRequest, 0x53, 2});
  ejected_ = (what & kStart) == 0;
  return done();
}

void ScsiDisk::flush() { perform({.kind = BlockRequest::Kind::Flush}); }

ScsiDisk::Transfer ScsiDisk::move_blocks(Kind kind, u64 block, u64 count) {
  if (block > blocks_ || count > blocks_ - block) return fail({kIllegalRequest, 0x21, 0});
  if (kind == Kind::Write && image_->read_only()) return fail({kDataProtect, 0x27, 0});
  if (count == 0) return {};
  kind_ = kind;
  next_ = block * kBlock;
  left_ = count * kBlock;
  if (kind == Kind::Read)
    return {Transfer::Direction::ToHost, left_, Transfer::Medium{BlockRequest::Kind::Read, next_}};
  return {Transfer::Direction::FromHost, left_, Transfer::Medium{BlockRequest::Kind::Write, next_}};
}

void ScsiDisk::fail_medium(BlockRequest::Kind kind) {
  constexpr u8 kUnrecoveredRead = 0x11, kWriteError = 0x0C;
  sense_ = {kMediumError, kind == BlockRequest::Kind::Read ? kUnrecoveredRead : kWriteError, 0};
}

// At once, or while the guest goes on.
void ScsiDisk::perform(BlockRequest request) {
  waiting_ = true;
  if (image_->defers(request.kind, request.offset, request.length)) {
    image_->submit(std::move(request), [this, command = commands_](BlockRequest&& done, const Result<>& result) {
      if (command == commands_) performed(std::move(done), result);
    });
    return;
  }
  Result<> result;
  switch (request.kind) {
    case BlockRequest::Kind::Read: result = image_->read(request.offset, request.content()); break;
    case BlockRequest::Kind::Write: result = image_->write(request.offset, request.content()); break;
    default: result = image_->flush();
  }
  performed(std::move(request), result);
}

void ScsiDisk::performed(BlockRequest&& request, const Result<>& result) {
  if (!result) {
    if (log::first_time(result.message())) log::warning(result.message());
    switch (image_->failed(request.kind, result.message())) {
      case ErrorAction::Ignore: break;
      case ErrorAction::Stop: to_retry_ = std::move(request); return;
      case ErrorAction::Report: fail_medium(request.kind);
    }
  }
  waiting_ = false;
  if (request.kind == BlockRequest::Kind::Read) piece_.insert(piece_.end(), request.bytes.begin(), request.bytes.end());
}

void ScsiDisk::retry() {
  if (to_retry_) perform(*std::exchange(to_retry_, std::nullopt));
}

void ScsiDisk::state_failed(StateArchive& archive) {
  bool failed = to_retry_.has_value();
  BlockRequest request = to_retry_.value_or(BlockRequest{});
  archive.field("failed", failed);
  archive.field("failed_kind", request.kind);
  archive.field("failed_offset", request.offset);
  archive.field("failed_length", request.length);
  archive.resizable("failed_bytes", request.bytes);
  if (!archive.loading()) return;
  forget_host();
  const u64 size = blocks_ * kBlock;
  const bool sound = request.kind <= BlockRequest::Kind::Flush && request.length == request.bytes.size() &&
                     request.length <= kPiece && request.offset <= size && request.length <= size - request.offset;
  if (!failed || !sound) return;
  waiting_ = true;
  to_retry_ = std::move(request);
}

// After an error nothing more of the medium is read or written by this command.
bool ScsiDisk::ready_to_move(std::size_t bytes) {
  if (waiting_) return false;
  if (kind_ != Kind::Read || piece_.size() - moved_ >= bytes || left_ == 0) return true;
  piece_.erase(piece_.begin(), piece_.begin() + moved_);
  moved_ = 0;
  const u64 length = std::min<u64>(left_, kPiece);
  BlockRequest request{BlockRequest::Kind::Read, next_, length, std::vector<u8>(static_cast<std::size_t>(length))};
  next_ += length;
  left_ -= length;
  if (good())
    perform(std::move(request));
  else
    piece_.insert(piece_.end(), request.bytes.begin(), request.bytes.end());
  return !waiting_;
}

void ScsiDisk::store_piece() {
  BlockRequest request{BlockRequest::Kind::Write, next_, piece_.size(), std::move(piece_)};
  piece_.clear();
  next_ += request.length;
  if (good()) perform(std::move(request));
}

void ScsiDisk::to_host(std::span<u8> bytes) {
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), piece_.size() - moved_);
    if (part == 0) return std::fill(bytes.begin(), bytes.end(), u8{0});
    std::copy_n(piece_.begin() + moved_, part, bytes.begin());
    moved_ += static_cast<u32>(part);
    bytes = bytes.subspan(part);
  }
}

void ScsiDisk::from_host(std::span<const u8> bytes) {
  while (!bytes.empty() && kind_ == Kind::Write && left_ > 0) {
    const auto part = static_cast<std::size_t>(std::min({u64{bytes.size()}, left_, u64{kPiece - piece_.size()}}));
    piece_.insert(piece_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    left_ -= part;
    bytes = bytes.subspan(part);
    if (piece_.size() == kPiece || left_ == 0) store_piece();
  }
}

}  // namespace relic86
