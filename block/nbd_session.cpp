// Handshake (fixed newstyle): server's magic and flags, client's flags, then options until NBD_OPT_GO or _EXPORT_NAME.
//
//   option   u64 "IHAVEOPT", u32 option, u32 length, data
//   reply    u64 3E889045565A9h, u32 option, u32 type, u32 length, data
//
// Transmission:
//
//   request           u32 25609513h, u16 flags, u16 type, u64 handle, u64 offset, u32 length, data of a write
//   simple reply      u32 67446698h, u32 error, u64 handle, data of a read
//   structured chunk  u32 668E33EFh, u16 flags, u16 type, u64 handle, u32 length, data
//
// All numbers are big-endian. Reads and block status are answered by one structured chunk where the client has asked
// for them, all else by simple replies.
#include "block/nbd_session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u64 kServerMagic = 0x4E42444D41474943;  // "NBDMAGIC"
constexpr u64 kOptionMagic = 0x49484156454F5054;  // "IHAVEOPT"
constexpr u64 kReplyMagic = 0x3E889045565A9;
constexpr u32 kRequestMagic = 0x25609513, kSimpleMagic = 0x67446698, kStructuredMagic = 0x668E33EF;
constexpr std::size_t kFlagsBytes = 4, kOptionBytes = 16, kRequestBytes = 28;

constexpr u16 kFixedNewstyle = 1, kNoZeroes = 2;  // of both sides
constexpr u32 kKnownClientFlags = kFixedNewstyle | kNoZeroes;
constexpr std::size_t kZeroesAfterExport = 124;

enum Option : u32 {
  kExportName = 1,
  kAbort = 2,
  kList = 3,
  kInfo = 6,
  kGo = 7,
  kStructuredReply = 8,
  kListMetaContext = 9,
  kSetMetaContext = 10,
};
enum Reply : u32 {
  kAck = 1,
  kServer = 2,
  kInfoReply = 3,
  kMetaContext = 4,
  kUnsupported = 0x80000001,
  kInvalid = 0x80000003,
  kUnknown = 0x80000006,
  kTooBig = 0x80000009,
};
constexpr u16 kInfoExport = 0, kInfoBlockSize = 3;
constexpr u32 kPreferredBlock = 4096;

enum TransmissionFlag : u16 {
  kHasFlags = 1,
  kReadOnly = 2,
  kSendFlush = 4,
  kSendFua = 8,
  kSendTrim = 0x20,
  kSendWriteZeroes = 0x40,
  kSendDontFragment = 0x80,
};
enum CommandFlag : u16 { kFua = 1, kNoHole = 2, kDontFragment = 4, kRequestOne = 8 };
enum Command : u16 { kRead = 0, kWrite = 1, kDisconnect = 2, kFlush = 3, kTrim = 4, kZeroes = 6, kBlockStatus = 7 };
constexpr u16 kDone = 1;  // of a chunk: the last one
constexpr u16 kDataChunk = 1, kStatusChunk = 5, kErrorChunk = 0x8001;
constexpr u32 kAllocationId = 1, kHole = 1, kZero = 2;
constexpr std::string_view kAllocation = "base:allocation";
constexpr unsigned kMostExtents = 1024;  // in an answer

enum WireError : u32 { kNotPermitted = 1, kIoError = 5, kBadRequest = 22, kNoSpace = 28 };

template <class T>
void put(std::vector<u8>& to, T value) {
  const std::size_t at = to.size();
  to.resize(at + sizeof value);
  store_be(to, at, value);
}
void put_text(std::vector<u8>& to, std::string_view text) { to.insert(to.end(), text.begin(), text.end()); }

// Reads an option's data; what is not there is zeros, and good() says so.
class Fields {
 public:
  explicit Fields(std::span<const u8> bytes) : bytes_(bytes) {}
  template <class T>
  T number() {
    const auto field = take(sizeof(T));
    return field.empty() ? T{0} : load_be<T>(field, 0);
  }
  std::string text() {
    const auto field = take(number<u32>());
    return {field.begin(), field.end()};
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && bytes_.empty(); }

 private:
  std::span<const u8> take(std::size_t count) {
    good_ = good_ && count <= bytes_.size();
    if (!good_) return {};
    const auto field = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return field;
  }
  std::span<const u8> bytes_;
  bool good_ = true;
};

}  // namespace

NbdSession::NbdSession(Disks& disks) : disks_(disks) {
  put(output_, kServerMagic);
  put(output_, kOptionMagic);
  put(output_, static_cast<u16>(kFixedNewstyle | kNoZeroes));
}

// --- Bytes ---

void NbdSession::receive(std::span<const u8> bytes) {
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  take_steps();
}

void NbdSession::note_sent(std::size_t count) {
  sent_ += count;
  // What has been sent does not stay because there is always a little more to send.
  constexpr std::size_t kWorthMoving = 1u << 20;
  if (sent_ == output_.size() || (sent_ >= kWorthMoving && sent_ >= output_.size() / 2)) {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
  take_steps();
}

std::size_t NbdSession::wanted() const {
  switch (stage_) {
    case Stage::Flags: return kFlagsBytes;
    case Stage::Option: return kOptionBytes;
    case Stage::Request: return kRequestBytes;
    default: return data_length_;
  }
}

void NbdSession::take_steps() {
  if (std::exchange(stepping_, true)) return;
  while (!ended_ && may_begin() && front().size() >= wanted()) {
    const std::size_t count = wanted();
    const Stage stage = stage_;
    step();
    taken_ += count;
    if (stage == Stage::Payload) stage_ = Stage::Request;
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  stepping_ = false;
}

void NbdSession::step() {
  switch (stage_) {
    case Stage::Flags: return take_flags();
    case Stage::Option: return take_option_header();
    case Stage::OptionData: return take_option();
    case Stage::Request: return take_request();
    case Stage::Payload: {
      const auto payload = front().first(data_length_);
      return carry_out({payload.begin(), payload.end()});
    }
  }
}

// --- Handshake ---

void NbdSession::take_flags() {
  const u32 flags = load_be<u32>(front(), 0);
  if ((flags & ~kKnownClientFlags) != 0) return end();
  no_zeroes_ = (flags & kNoZeroes) != 0;
  stage_ = Stage::Option;
}

void NbdSession::take_option_header() {
  if (load_be<u64>(front(), 0) != kOptionMagic) return end();
  option_ = load_be<u32>(front(), 8);
  data_length_ = load_be<u32>(front(), 12);
  // No option of ours has so much data, and a client that means well needs no more.
  if (data_length_ > kMostOption) return end();
  stage_ = Stage::OptionData;
}

void NbdSession::take_option() {
  stage_ = Stage::Option;
  switch (option_) {
    case kExportName: return use_export();
    case kAbort: reply(kAck); return end();
    case kList: return list();
    case kInfo:
    case kGo: return show_export();
    case kStructuredReply:
      if (data_length_ != 0) return refuse(kInvalid, "no data belongs to this option");
      structured_ = true;
      return reply(kAck);
    case kListMetaContext:
    case kSetMetaContext: return meta_context();
    default: return refuse(kUnsupported, "this server does not know the option");
  }
}

void NbdSession::reply(u32 type, std::span<const u8> data) {
  put(output_, kReplyMagic);
  put(output_, option_);
  put(output_, type);
  put(output_, static_cast<u32>(data.size()));
  output_.insert(output_.end(), data.begin(), data.end());
}

void NbdSession::refuse(u32 why, std::string_view text) {
  std::vector<u8> data;
  put_text(data, text);
  reply(why, data);
}

std::optional<NbdSession::Export> NbdSession::find(std::string_view name) {
  for (Export& each : disks_.exports()) {
    if (each.name == name) return std::move(each);
  }
  return std::nullopt;
}

u16 NbdSession::transmission_flags(const Export& which) const {
  u16 flags = kHasFlags | kSendFlush;
  flags |= which.writable ? kSendFua | kSendTrim | kSendWriteZeroes : kReadOnly;
  if (structured_) flags |= kSendDontFragment;
  return flags;
}

// The old way: no answer but the export itself, and nothing to say no with.
void NbdSession::use_export() {
  const auto data = front().first(data_length_);
  export_ = find({reinterpret_cast<const char*>(data.data()), data.size()});
  if (!export_ || !disks_.open(export_->name)) {
    export_.reset();
    return end();
  }
  put(output_, export_->size);
  put(output_, transmission_flags(*export_));
  if (!no_zeroes_) output_.resize(output_.size() + kZeroesAfterExport);
  stage_ = Stage::Request;
}

void NbdSession::show_export() {
  Fields fields(front().first(data_length_));
  const std::string name = fields.text();
  bool wants_block_size = false;
  for (unsigned left = fields.number<u16>(); left > 0 && fields.good(); left--)
    wants_block_size = fields.number<u16>() == kInfoBlockSize || wants_block_size;
  if (!fields.at_end()) return refuse(kInvalid, "the option's data does not fit its length");
  const auto found = find(name);
  if (!found) return refuse(kUnknown, "there is no export of this name");
  if (option_ == kGo && !disks_.open(name)) return refuse(kUnknown, "there is no export of this name any more");
  std::vector<u8> info;
  put(info, kInfoExport);
  put(info, found->size);
  put(info, transmission_flags(*found));
  reply(kInfoReply, info);
  if (wants_block_size) {
    std::vector<u8> sizes;
    put(sizes, kInfoBlockSize);
    put(sizes, u32{1});
    put(sizes, kPreferredBlock);
    put(sizes, kLongestRequest);
    reply(kInfoReply, sizes);
  }
  reply(kAck);
  if (option_ != kGo) return;
  export_ = found;
  if (allocation_of_ != name) allocation_of_.reset();
  stage_ = Stage::Request;
}

void NbdSession::list() {
  if (data_length_ != 0) return refuse(kInvalid, "no data belongs to this option");
  for (const Export& each : disks_.exports()) {
    std::vector<u8> data;
    put(data, static_cast<u32>(each.name.size()));
    put_text(data, each.name);
    put_text(data, each.description);
    reply(kServer, data);
  }
  reply(kAck);
}

void NbdSession::meta_context() {
  if (!structured_) return refuse(kInvalid, "structured replies come first");
  Fields fields(front().first(data_length_));
  const std::string name = fields.text();
  const u32 queries = fields.number<u32>();
  const bool sets = option_ == kSetMetaContext;
  bool wanted = !sets && queries == 0;
  for (u32 left = queries; left > 0 && fields.good(); left--) {
    const std::string query = fields.text();
    // A list may be asked for by a namespace.
    wanted = wanted || query == kAllocation || (!sets && query == kAllocation.substr(0, kAllocation.find(':') + 1));
  }
  if (!fields.at_end()) return refuse(kInvalid, "the option's data does not fit its length");
  if (!find(name)) return refuse(kUnknown, "there is no export of this name");
  if (sets) allocation_of_ = wanted ? std::optional(name) : std::nullopt;
  if (wanted) {
    std::vector<u8> data;
    put(data, sets ? kAllocationId : u32{0});
    put_text(data, kAllocation);
    reply(kMetaContext, data);
  }
  reply(kAck);
}

// --- Requests ---

void NbdSession::take_request() {
  const auto header = front();
  if (load_be<u32>(header, 0) != kRequestMagic) return end();
  request_ = {.flags = load_be<u16>(header, 4),
              .type = load_be<u16>(header, 6),
              .handle = load_be<u64>(header, 8),
              .offset = load_be<u64>(header, 16),
              .length = load_be<u32>(header, 24)};
  if (request_.type == kDisconnect) return end();
  if (request_.type != kWrite) return carry_out({});
  // The data could not be told from the next request if it was not taken.
  if (request_.length > kLongestRequest) return end();
  data_length_ = request_.length;
  stage_ = Stage::Payload;
}

u32 NbdSession::check() const {
  const bool changes = request_.type == kWrite || request_.type == kTrim || request_.type == kZeroes;
  constexpr u16 kKnown = kFua | kNoHole | kDontFragment | kRequestOne;
  if ((request_.flags & ~kKnown) != 0) return kBadRequest;
  if (changes && !export_->writable) return kNotPermitted;
  if (request_.type == kFlush) return request_.offset == 0 && request_.length == 0 ? 0 : u32{kBadRequest};
  if (request_.offset > export_->size || request_.length > export_->size - request_.offset)
    return changes ? u32{kNoSpace} : u32{kBadRequest};
  if (request_.type == kRead && request_.length > kLongestRequest) return kBadRequest;
  if (request_.type == kBlockStatus && (!allocation_of_ || request_.length == 0)) return kBadRequest;
  return 0;
}

void NbdSession::carry_out(std::vector<u8> payload) {
  using Kind = BlockRequest::Kind;
  if (const u32 error = check(); error != 0) return answer(request_, error);
  const u64 offset = request_.offset, length = request_.length;
  switch (request_.type) {
    case kRead: return submit(request_, {Kind::Read, offset, length, std::vector<u8>(request_.length)});
    case kWrite: return submit(request_, {Kind::Write, offset, length, std::move(payload)});
    case kFlush: return submit(request_, {.kind = Kind::Flush});
    case kTrim: return submit(request_, {.kind = Kind::Discard, .offset = offset, .length = length});
    case kZeroes: return submit(request_, {.kind = Kind::WriteZeroes, .offset = offset, .length = length});
    case kBlockStatus: return block_status(request_);
    default: return answer(request_, kBadRequest);
  }
}

void NbdSession::begin(u64 bytes) {
  requests_++;
  under_way_ += bytes;
}

void NbdSession::over(u64 bytes) {
  requests_--;
  under_way_ -= bytes;
  take_steps();
}

void NbdSession::submit(const Request& request, BlockRequest what) {
  const u64 bytes = what.bytes.size();
  begin(bytes);
  disks_.submit(std::move(what), [this, request, bytes](BlockRequest&& done, const Result<>& result) {
    finish(request, std::move(done), result);
    over(bytes);
  });
}

void NbdSession::finish(const Request& request, BlockRequest&& what, const Result<>& result) {
  if (!result) return answer(request, kIoError);
  if (what.kind == BlockRequest::Kind::Read) return answer_read(request, what.content());
  // What was changed is on the medium before the client hears of it.
  if ((request.flags & kFua) != 0 && what.kind != BlockRequest::Kind::Flush)
    return submit(request, {.kind = BlockRequest::Kind::Flush});
  answer(request, 0);
}

void NbdSession::chunk(const Request& request, u16 type, std::size_t length) {
  put(output_, kStructuredMagic);
  put(output_, kDone);
  put(output_, type);
  put(output_, request.handle);
  put(output_, static_cast<u32>(length));
}

void NbdSession::answer(const Request& request, u32 error) {
  if (ended_) return;
  const bool by_chunk = structured_ && (request.type == kRead || request.type == kBlockStatus);
  if (!by_chunk) {
    put(output_, kSimpleMagic);
    put(output_, error);
    put(output_, request.handle);
    return;
  }
  chunk(request, kErrorChunk, sizeof(u32) + sizeof(u16));
  put(output_, error);
  put(output_, u16{0});  // no text
}

void NbdSession::answer_read(const Request& request, std::span<const u8> bytes) {
  if (ended_) return;
  if (structured_) {
    chunk(request, kDataChunk, sizeof(u64) + bytes.size());
    put(output_, request.offset);
  } else {
    answer(request, 0);
  }
  output_.insert(output_.end(), bytes.begin(), bytes.end());
}

void NbdSession::block_status(const Request& request) {
  begin(0);
  const unsigned most = (request.flags & kRequestOne) != 0 ? 1 : kMostExtents;
  disks_.extents(request.offset, request.length, most, [this, request](const auto& extents) {
    if (!extents || extents.value().empty()) {
      answer(request, kIoError);
    } else if (!ended_) {
      chunk(request, kStatusChunk, sizeof(u32) + extents.value().size() * 2 * sizeof(u32));
      put(output_, kAllocationId);
      for (const DiskImage::Extent& extent : extents.value()) {
        put(output_, static_cast<u32>(std::min<u64>(extent.length, std::numeric_limits<u32>::max())));
        put(output_, extent.here ? u32{0} : kHole | kZero);
      }
    }
    over(0);
  });
}

}  // namespace relic86
