// ATA commands of a packet drive (ATA/ATAPI-6, chapter 8)
//
//   code      command
//   00        NOP (aborts);  08 DEVICE RESET (obeyed while busy)
//   A0        PACKET: features 0 DMA, 1 overlapped (refused); LBA mid and high: byte count limit
//   A1        IDENTIFY PACKET DEVICE;  EF SET FEATURES (transfer mode);  E0-E3 E5 E6 power management
//   20 EC     abort and show the signature, so that drivers know a packet drive
//
//   sector count register as interrupt reason: 0 C/D (1: command or status), 1 I/O (1: to the host)
#include "devices/storage/atapi_cdrom.h"

#include <algorithm>

#include "devices/storage/ata_identify.h"

namespace relic86 {

using namespace ata;

namespace {
constexpr u8 kReasonCommand = 1, kReasonToHost = 2, kReasonStatus = 3;
constexpr u8 kFeatureDma = 1, kFeatureOverlap = 2;
constexpr u32 kMostPioBytes = 0xFFFE;
}  // namespace

AtapiCdrom::AtapiCdrom(std::string serial, std::string model) : serial_(std::move(serial)), model_(std::move(model)) {}

void AtapiCdrom::stop_waiting() {
  if (medium_) medium_->image().drain();
}

void AtapiCdrom::insert(std::unique_ptr<BlockDevice> image) {
  stop_waiting();
  player_.insert(nullptr);
  medium_.reset();
  retry();  // of the medium that was there, which fails now
  medium_ = std::make_unique<CdromMedium>(std::move(image));
  player_.insert(medium_.get());
  medium_->image().retry_with([this] { retry(); });
  tray_open_ = false;
  attention_ = Attention::Gone;
  media_event_ = 2;
}

Result<> AtapiCdrom::eject(bool force) {
  if (locked_ && !force) {
    media_event_ = 1;
    return Error{"the guest has locked the tray; let it unmount the medium, or force the eject (eject -f)"};
  }
  stop_waiting();
  if (medium_ != nullptr) media_event_ = 3;
  player_.insert(nullptr);
  medium_.reset();
  tray_open_ = locked_ = false;
  attention_ = Attention::None;  // NOT READY says it all
  retry();
  return {};
}

Result<> AtapiCdrom::open_tray(bool force) {
  if (locked_ && !force) {
    media_event_ = 1;
    return Error{"the guest has locked the tray; let it unmount the medium, or force the tray open"};
  }
  if (medium_ != nullptr) media_event_ = 3;
  player_.insert(medium_.get());
  tray_open_ = true;
  locked_ = false;
  attention_ = Attention::None;
  retry();
  return {};
}

void AtapiCdrom::close_tray() {
  if (!tray_open_) return;
  tray_open_ = false;
  if (medium_ == nullptr) return;
  attention_ = Attention::Changed;
  media_event_ = 2;
}

void AtapiCdrom::set_signature() {
  task_.count = task_.lba_low = 1;
  task_.lba_mid = kPacketSignatureMid;
  task_.lba_high = kPacketSignatureHigh;
}

// A drive reports its power-on or reset (UNIT ATTENTION 29h) to the first command that asks, which on a PC is one of
// the BIOS's power-on checks. SeaBIOS has none, so the drive starts as they leave it: the first kernel that reads may
// not expect to be refused.
void AtapiCdrom::reset_drive(ResetKind) {
  locked_ = tray_open_ = false;
  attention_ = Attention::None;
  media_event_ = medium_ != nullptr ? 2 : 0;
  sense_ = kNoSense;
  transfer_mode_ = 0;
  recovery_page_ = {};
  player_.reset();
  stage_ = Stage::None;
  packet_ = {};
  dma_ = false;
  byte_limit_ = 0;
  source_ = Source::Response;
  response_.clear();
  lba_ = block_ = 0;
  length_ = done_ = 0;
}

void AtapiCdrom::state_drive(StateArchive& archive) {
  archive.field("tray_open", tray_open_);
  archive.field("locked", locked_);
  archive.field("attention", attention_);
  archive.field("media_event", media_event_);
  archive.field("sense_key", sense_.key);
  archive.field("sense_code", sense_.code);
  archive.field("sense_qualifier", sense_.qualifier);
  archive.field("transfer_mode", transfer_mode_);
  archive.bytes("recovery_page", recovery_page_);
  archive.field("stage", stage_);
  archive.bytes("packet", packet_);
  archive.field("dma", dma_);
  archive.field("byte_limit", byte_limit_);
  archive.field("source", source_);
  archive.resizable("response", response_);
  archive.field("lba", lba_);
  archive.field("length", length_);
  archive.field("done", done_);
  archive.field("block", block_);
  archive.group("player", [&] { player_.state(archive, now()); });
  if (!archive.loading()) return;
  const u64 left = length_ - done_;
  // What goes out always goes into the response; what comes in comes from there, or from some sectors of a medium.
  const u64 most = source_ == Source::Response ? response_.size() : u64{0xFFFFFFFF} * CdromMedium::kRawSector;
  const bool sound = stage_ <= Stage::DataOut && source_ <= Source::RawSectors && attention_ <= Attention::Changed &&
                     length_ <= most && done_ <= length_ && block_ <= left && block_ <= kBufferSize &&
                     (stage_ != Stage::DataOut || source_ == Source::Response) && response_.size() <= kBufferSize;
  if (sound) return;
  stage_ = Stage::None;
  source_ = Source::Response;
  attention_ = Attention::None;
  response_.clear();
  length_ = done_ = 0;
  block_ = 0;
}

// --- Commands of the ATA level ---

void AtapiCdrom::execute(u8 code) {
  stage_ = Stage::None;
  switch (code) {
    case kPacket: return start_packet();
    case kIdentifyPacket: return identify();
    case kSetFeatures: return set_features();
    case kDeviceReset: {
      const u8 device = task_.device & kDev;
      asleep_ = false;
      reset_done();
      task_.device = device;
      return;
    }
    case kIdentify:
    case kReadSectors:
    case kReadSectorsOnce: {
      const u8 device = task_.device;
      set_signature();
      task_.device = device;
      return fail(kAbort);
    }
    case kCheckPower:
    case kCheckPowerOld: task_.count = 0xFF; return finish();
    case kSleep:
    case kSleepOld: asleep_ = true; return finish();
    case kStandbyImmediate:
    case kStandbyImmediateOld:
    case kIdleImmediate:
    case kIdleImmediateOld: return finish();
    default: return fail(kAbort);
  }
}

void AtapiCdrom::identify() {
  IdentifyWords words;
  words.set(0, 0x85C0);  // packet, CD-ROM, removable, DRQ within 50 us, 12-byte packets
  words.set_text(10, 10, serial_);
  words.set_text(23, 4, "1.0");
  words.set_text(27, 20, model_);
  words.set(49, 0x0F00);  // IORDY, LBA, DMA
  words.set_transfer_modes(transfer_mode_);
  if (serial_link_) words.set_serial_link();
  words.set(80, 0x007E);
  words.set(82, 0x4210);  // NOP, DEVICE RESET, PACKET
  words.set(83, 0x4000);
  words.set(84, 0x4000);
  words.set(85, 0x4210);
  words.set(87, 0x4000);
  const auto bytes = words.bytes();
  std::copy(bytes.begin(), bytes.end(), buffer_.begin());
  stage_ = Stage::Identify;
  offer_block(static_cast<u32>(bytes.size()), kReady);
}

void AtapiCdrom::set_features() {
  const u8 kind = task_.count >> 3, mode = task_.count & 7;
  const bool known =
      (kind == 0 && mode <= 1) || (kind == 1 && mode <= 4) || (kind == 4 && mode <= 2) || (kind == 8 && mode <= 5);
  if (task_.features != 0x03 || !known) return fail(kAbort);
  if (kind >= 4) transfer_mode_ = task_.count;
  finish();
}

// --- Packet protocol ---

void AtapiCdrom::start_packet() {
  if ((task_.features & kFeatureOverlap) != 0) return fail(kAbort);
  dma_ = (task_.features & kFeatureDma) != 0;
  byte_limit_ = static_cast<u16>(task_.lba_mid | task_.lba_high << 8);
  task_.count = kReasonCommand;
  stage_ = Stage::Packet;
  request_block(kPacketSize, kReady, false);
}

void AtapiCdrom::block_read() {
  if (stage_ != Stage::DataIn) {
    stage_ = Stage::None;
    return finish_quietly();
  }
  done_ += block_;
  block_ = 0;
  if (done_ >= length_) return good();
  next_block_in();
}

void AtapiCdrom::block_written() {
  switch (stage_) {
    case Stage::Packet:
      std::copy_n(buffer_.begin(), kPacketSize, packet_.begin());
      stage_ = Stage::None;
      return run(packet_);
    case Stage::DataOut:
      std::copy_n(buffer_.begin(), block_, response_.begin() + static_cast<std::ptrdiff_t>(done_));
      done_ += block_;
      block_ = 0;
      if (done_ >= length_) return take_mode_parameters();
      return next_block_out();
    default: return fail(kAbort);
  }
}

u32 AtapiCdrom::pio_block(u64 left) const {
  // An odd limit can only be met by the last block (ATA-6, 8.23.4.1: even counts before it).
  const u32 limit = byte_limit_ < 2 || byte_limit_ > kMostPioBytes ? kMostPioBytes : byte_limit_;
  return static_cast<u32>(left <= limit ? left : limit & ~1u);
}

void AtapiCdrom::set_byte_count(u32 count) {
  task_.lba_mid = static_cast<u8>(count);
  task_.lba_high = static_cast<u8>(count >> 8);
}

void AtapiCdrom::next_block_in() {
  const u64 left = length_ - done_;
  block_ = dma_ ? static_cast<u32>(std::min<u64>(left, kDmaBlock)) : pio_block(left);
  if (source_ != Source::Response && !ready()) return check(not_ready());  // taken out during the read
  if (source_ == Source::Sectors && submit_read()) return;
  block_came(fill(std::span(buffer_).first(block_)));
}

bool AtapiCdrom::submit_read() {
  BlockDevice& image = medium_->image();
  const u64 offset = u64{lba_} * CdromMedium::kSector + done_, size = image.size_bytes();
  const u64 there = offset < size ? std::min<u64>(block_, size - offset) : 0;
  if (there == 0 || !image.defers(BlockRequest::Kind::Read, offset, there)) return false;
  image.submit({BlockRequest::Kind::Read, offset, there, std::vector<u8>(static_cast<std::size_t>(there))},
               [this, number = wait_for_host()](BlockRequest&& request, const Result<>& result) {
                 if (!answered(number)) return;
                 const auto end = std::copy(request.bytes.begin(), request.bytes.end(), buffer_.begin());
                 std::fill(end, buffer_.begin() + block_, u8{0});  // what the image lacks of its last sector
                 block_came(result);
               });
  return true;
}

void AtapiCdrom::block_came(const Result<>& result) {
  if (!result) {
    report_host_error(result.message());
    const auto action = medium_->image().failed(BlockRequest::Kind::Read, result.message());
    if (action == ErrorAction::Stop) return await_retry(0);
    if (action == ErrorAction::Report) return check(kReadError);
  }
  stage_ = Stage::DataIn;
  task_.count = kReasonToHost;
  if (dma_) {
    if (block_ % 2 != 0) buffer_[block_] = 0;
    return offer_dma((block_ + 1) & ~1u);
  }
  set_byte_count(block_);
  offer_block(block_, kReady);
}

void AtapiCdrom::next_block_out() {
  const u64 left = length_ - done_;
  block_ = dma_ ? static_cast<u32>(std::min<u64>(left, kDmaBlock)) : pio_block(left);
  stage_ = Stage::DataOut;
  task_.count = 0;
  if (dma_) return request_dma((block_ + 1) & ~1u);
  set_byte_count(block_);
  request_block(block_, kReady, true);
}

Result<> AtapiCdrom::fill(std::span<u8> into) {
  if (source_ == Source::Response) {
    std::copy_n(response_.begin() + static_cast<std::ptrdiff_t>(done_), into.size(), into.begin());
    return {};
  }
  const u32 size = source_ == Source::Sectors ? CdromMedium::kSector : CdromMedium::kRawSector;
  std::array<u8, CdromMedium::kRawSector> sector{};
  u64 at = done_;
  while (!into.empty()) {
    const u32 lba = lba_ + static_cast<u32>(at / size);
    const u32 skip = static_cast<u32>(at % size);
    const auto count = std::min<std::size_t>(into.size(), size - skip);
    const auto whole = std::span(sector).first(size);
    auto result = size == CdromMedium::kSector ? medium_->read(lba, whole) : medium_->read_raw(lba, whole);
    if (!result) return result;
    std::copy_n(whole.begin() + skip, count, into.begin());
    into = into.subspan(count);
    at += count;
  }
  return {};
}

void AtapiCdrom::good() {
  stage_ = Stage::None;
  response_.clear();
  source_ = Source::Response;
  length_ = done_ = 0;
  task_.count = kReasonStatus;
  finish();
}

void AtapiCdrom::check(Sense sense) {
  stage_ = Stage::None;
  response_.clear();
  source_ = Source::Response;
  length_ = done_ = 0;
  block_ = 0;
  sense_ = sense;
  task_.count = kReasonStatus;
  fail(static_cast<u8>(sense.key << 4 | kAbort));
}

void AtapiCdrom::respond(std::vector<u8> response, u64 allocation) {
  response_ = std::move(response);
  source_ = Source::Response;
  length_ = std::min<u64>(response_.size(), allocation);
  done_ = 0;
  if (length_ == 0) return good();
  next_block_in();
}

void AtapiCdrom::stream(Source source, u32 lba, u64 count) {
  source_ = source;
  lba_ = lba;
  length_ = count * (source == Source::Sectors ? CdromMedium::kSector : CdromMedium::kRawSector);
  done_ = 0;
  if (length_ == 0) return good();
  next_block_in();
}

}  // namespace relic86
