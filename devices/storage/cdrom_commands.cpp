// Commands of a CD-ROM drive (SFF-8020i; MMC-3, T10/1363-D; SPC-2 for the general ones)
//
//   op     command                          op     command
//   00     TEST UNIT READY                  42     READ SUB-CHANNEL (cdrom_audio_commands.cpp)
//   03     REQUEST SENSE                    43     READ TOC/PMA/ATIP (formats 0, 1, 2)
//   12     INQUIRY                          46     GET CONFIGURATION
//   15 55  MODE SELECT (6), (10)            4A     GET EVENT STATUS NOTIFICATION (polled)
//   1A 5A  MODE SENSE (6), (10)             51     READ DISC INFORMATION
//   1B     START STOP UNIT
//   1E     PREVENT/ALLOW MEDIUM REMOVAL     BB     SET CD SPEED
//   25     READ CAPACITY                    BD     MECHANISM STATUS
//   28 A8  READ (10), (12)                  B9 BE  READ CD MSF, READ CD
//   2B     SEEK (10);  2F VERIFY (10)       45 47 48 4B 4E A5  playing (cdrom_audio_commands.cpp)
//
// All others: ILLEGAL REQUEST 20h.
#include <algorithm>

#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/cdrom_packet.h"

namespace relic86 {

using namespace cdrom;

namespace {

constexpr u16 kProfileCdRom = 0x0008, kProfileDvdRom = 0x0010;
constexpr u32 kSpeed = 7056;  // KB/s: 40x

bool needs_medium(u8 operation) {
  switch (operation) {
    case kTestUnitReady:
    case kReadCapacity:
    case kRead10:
    case kRead12:
    case kSeek10:
    case kVerify10:
    case kReadSubchannel:
    case kReadToc:
    case kReadDiscInformation:
    case kReadCd:
    case kReadCdMsf:
    case kPlayAudio10:
    case kPlayAudio12:
    case kPlayAudioMsf:
    case kPlayAudioTracks:
    case kPauseResume:
    case kStopPlay: return true;
    default: return false;
  }
}

}  // namespace

// What happened to the medium or drive is heard once, by the first command but those that ask about the drive itself
// (SPC-2, 5.x: INQUIRY, REQUEST SENSE; MMC-3: GET CONFIGURATION, GET EVENT STATUS NOTIFICATION). True: go on.
bool AtapiCdrom::pass_attention(u8 operation) {
  if (operation == kInquiry || operation == kRequestSense || operation == kGetConfiguration ||
      operation == kGetEventStatus || attention_ == Attention::None) {
    return true;
  }
  // A drive that took a medium shows itself empty first: drivers that count on seeing NOT READY do.
  if (attention_ == Attention::Gone) {
    if (!needs_medium(operation)) return true;
    attention_ = Attention::Changed;
    check(kNoMedium);
    return false;
  }
  attention_ = Attention::None;
  check(kMediumChanged);
  return false;
}

void AtapiCdrom::run(const Packet& packet) {
  const u8 operation = packet[0];
  if (!pass_attention(operation)) return;
  if (operation != kRequestSense) sense_ = kNoSense;
  if (needs_medium(operation) && !ready()) return check(not_ready());
  switch (operation) {
    case kTestUnitReady:
    case kSetCdSpeed: return good();
    case kPlayAudio10:
    case kPlayAudio12:
    case kPlayAudioMsf:
    case kPlayAudioTracks:
    case kPauseResume:
    case kStopPlay: return run_audio(packet);
    case kRequestSense: return request_sense(packet);
    case kInquiry: return inquiry(packet);
    case kModeSelect6: return mode_select(packet, false);
    case kModeSelect10: return mode_select(packet, true);
    case kModeSense6: return mode_sense(packet, false);
    case kModeSense10: return mode_sense(packet, true);
    case kStartStop: return start_stop(packet);
    case kPreventRemoval: locked_ = (packet[4] & 1) != 0; return good();
    case kReadCapacity: return read_capacity();
    case kRead10:
    case kRead12:
    case kReadCd:
    case kReadCdMsf: return run_read(packet);
    case kVerify10:
    case kSeek10: player_.stop(now()); return big32(packet, 2) >= medium_->sectors() ? check(kOutOfRange) : good();
    case kReadSubchannel: return read_subchannel(packet);
    case kReadToc: return read_toc(packet);
    case kGetConfiguration: return get_configuration(packet);
    case kGetEventStatus: return get_event_status(packet);
    case kReadDiscInformation: return read_disc_information(packet);
    case kMechanismStatus: return mechanism_status(packet);
    default: return check(kInvalidCommand);
  }
}

// --- Reading ---

// The head can be in one place only: what reads ends what plays.
void AtapiCdrom::run_read(const Packet& packet) {
  player_.stop(now());
  switch (packet[0]) {
    case kRead10: return read_sectors(big32(packet, 2), big16(packet, 7));
    case kRead12: return read_sectors(big32(packet, 2), big32(packet, 6));
    case kReadCd: return read_cd(packet, big32(packet, 2), u32{packet[6]} << 16 | big16(packet, 7));
    default: {
      const u32 first = cdrom_lba(packet[3], packet[4], packet[5]);
      const u32 end = cdrom_lba(packet[6], packet[7], packet[8]);
      if (end < first) return check(kInvalidField);
      return read_cd(packet, first, end - first);
    }
  }
}

void AtapiCdrom::read_sectors(u32 lba, u64 count) {
  if (lba + count > medium_->sectors()) return check(kOutOfRange);
  if (medium_->audio(lba, count) != std::optional(false)) return check(kWrongTrack);
  stream(Source::Sectors, lba, count);
}

void AtapiCdrom::read_cd(const Packet& packet, u32 lba, u64 count) {
  const u8 expected = packet[1] >> 2 & 7;  // 0: any, 1: sound, 2: mode 1
  const u8 wanted = packet[9] & 0xF8;
  if (count == 0 || wanted == 0) return good();
  if (lba + count > medium_->sectors()) return check(kOutOfRange);
  const auto audio = medium_->audio(lba, count);
  if (!audio || (expected != 0 && expected != (*audio ? 1 : 2))) return check(kWrongTrack);
  if (*audio) return stream(Source::RawSectors, lba, count);  // all of a sector is its user data
  switch (wanted) {
    case 0x10: return stream(Source::Sectors, lba, count);
    case 0xF8: return stream(Source::RawSectors, lba, count);
    default: return check(kInvalidField);
  }
}

void AtapiCdrom::read_capacity() {
  std::vector<u8> response;
  put32(response, medium_->sectors() - 1);
  put32(response, CdromMedium::kSector);
  respond(std::move(response), ~u64{0});
}

void AtapiCdrom::read_toc(const Packet& packet) {
  // ATAPI drives of SFF-8020 times took the format from the control byte.
  const unsigned format = (packet[2] & 0xF) != 0 ? packet[2] & 0xFu : packet[9] >> 6;
  const bool msf = (packet[1] & 2) != 0;
  auto response = medium_->toc(format, packet[6], msf);
  if (response.empty()) return check(kInvalidField);
  respond(std::move(response), big16(packet, 7));
}

void AtapiCdrom::read_disc_information(const Packet& packet) {
  std::vector<u8> response(34);
  set16(response, 0, response.size() - 2);
  response[2] = 0x0E;  // complete session, finalized disc
  response[3] = response[4] = response[5] = response[6] = 1;
  response[7] = 0x20;  // unrestricted use
  std::fill(response.begin() + 16, response.begin() + 24, u8{0xFF});
  respond(std::move(response), big16(packet, 7));
}

// --- The drive ---

void AtapiCdrom::request_sense(const Packet& packet) {
  // With nothing to report, what is waiting is reported, and is over.
  if (sense_.key == 0 && attention_ == Attention::Changed) {
    sense_ = kMediumChanged;
    attention_ = Attention::None;
  }
  std::vector<u8> response(18);
  response[0] = 0x70;  // current error, fixed format
  response[2] = sense_.key;
  response[7] = 10;
  response[12] = sense_.code;
  response[13] = sense_.qualifier;
  sense_ = kNoSense;
  respond(std::move(response), packet[4]);
}

void AtapiCdrom::inquiry(const Packet& packet) {
  if ((packet[1] & 1) != 0 || packet[2] != 0) return check(kInvalidField);  // no vital product data
  std::vector<u8> response = {5, 0x80, 0, 0x21, 31, 0, 0, 0};               // CD-ROM, removable, ATAPI response format
  put_text(response, "RELIC86", 8);
  put_text(response, "DVD-ROM", 16);
  put_text(response, "1.0", 4);
  respond(std::move(response), packet[4]);
}

void AtapiCdrom::start_stop(const Packet& packet) {
  const bool load_eject = (packet[4] & 2) != 0;
  const bool start = (packet[4] & 1) != 0;
  if (!start) player_.stop(now());
  if ((packet[4] & 0xF0) != 0 || !load_eject) return good();  // power conditions, spin up and down
  if (!start && locked_) return check(kLocked);
  if (start && tray_open_ && medium_ != nullptr) {
    attention_ = Attention::Changed;
    media_event_ = 2;
  } else if (!start && !tray_open_ && medium_ != nullptr) {
    media_event_ = 3;
  }
  const bool moved = tray_open_ == start;
  tray_open_ = !start;
  good();
  if (moved && guest_moves_tray_) guest_moves_tray_(tray_open_);
}

void AtapiCdrom::get_configuration(const Packet& packet) {
  const unsigned request = packet[1] & 3u;
  const u32 starting = big16(packet, 2);
  const bool dvd = ready() && medium_->is_dvd();
  const u16 profile = !ready() ? 0 : dvd ? kProfileDvdRom : kProfileCdRom;
  std::vector<u8> response(8);
  set16(response, 6, profile);
  struct Feature {
    u16 code;
    u8 flags;  // version << 2 | persistent << 1 | current
    std::vector<u8> data;
  };
  const auto current = [](bool yes) { return static_cast<u8>(yes ? 1 : 0); };
  const Feature features[] = {
      {0x0000,
       0x03,
       {0x00, 0x10, current(profile == kProfileDvdRom), 0, 0x00, 0x08, current(profile == kProfileCdRom), 0}},
      {0x0001, 0x0B, {0, 0, 0, 2, 0, 0, 0, 0}},                                  // core: ATAPI
      {0x0002, 0x07, {0, 0, 0, 0}},                                              // morphing
      {0x0003, 0x03, {0x29, 0, 0, 0}},                                           // removable: tray, eject, lock
      {0x0010, current(ready()), {0, 0, 8, 0, 0, 1, 0, 0}},                      // random readable, 2048 bytes
      {0x001E, static_cast<u8>(0x08 | current(ready() && !dvd)), {0, 0, 0, 0}},  // CD read
      {0x001F, current(dvd), {}},                                                // DVD read
  };
  for (const Feature& feature : features) {
    if (request == 2 ? feature.code != starting : feature.code < starting) continue;
    if (request == 1 && (feature.flags & 1) == 0) continue;
    put16(response, feature.code);
    response.push_back(feature.flags);
    response.push_back(static_cast<u8>(feature.data.size()));
    response.insert(response.end(), feature.data.begin(), feature.data.end());
  }
  const auto length = static_cast<u32>(response.size() - 4);
  for (unsigned i = 0; i < 4; i++) response[i] = static_cast<u8>(length >> (24 - i * 8));
  respond(std::move(response), big16(packet, 7));
}

void AtapiCdrom::get_event_status(const Packet& packet) {
  constexpr u8 kMediaClass = 4, kNoEventAvailable = 0x80;
  if ((packet[1] & 1) == 0) return check(kInvalidField);  // asynchronous events are not supported
  std::vector<u8> response = {0, 2, kNoEventAvailable, 1u << kMediaClass};
  if ((packet[4] & 1u << kMediaClass) != 0) {
    response[1] = 6;
    response[2] = kMediaClass;
    response.push_back(media_event_);
    response.push_back(static_cast<u8>((ready() ? 2 : 0) | (tray_open_ ? 1 : 0)));
    response.insert(response.end(), {0, 0});
    media_event_ = 0;
  }
  respond(std::move(response), big16(packet, 7));
}

void AtapiCdrom::mechanism_status(const Packet& packet) {
  std::vector<u8> response(8);
  response[1] = tray_open_ ? 0x10 : 0;
  response[5] = 0;  // no changer: no slot tables
  respond(std::move(response), big16(packet, 8));
}

// --- Mode pages ---

void AtapiCdrom::append_mode_page(std::vector<u8>& response, u8 page, bool changeable) const {
  std::vector<u8> content;
  switch (page) {
    case 0x01: content.assign(recovery_page_.begin(), recovery_page_.end()); break;
    case 0x0D: content = {0, 0, 0, 60, 0, 75}; break;  // 60 seconds a minute, 75 frames a second
    case 0x0E: {
      const auto& ports = player_.ports();
      content = {4, 0, 0, 0, 0, 75, ports[0].channels, ports[0].volume, ports[1].channels, ports[1].volume, 0, 0, 0, 0};
      break;
    }
    case 0x1A: content.resize(10); break;
    case 0x2A:
      // Plays sound; reads sound, and goes on where it stopped.
      content = {0x3B, 0x00, 0x71, 0x63, static_cast<u8>(0x29 | (locked_ ? 2 : 0)), 0x00};
      put16(content, kSpeed);
      put16(content, 256);  // volume levels
      put16(content, 512);  // KiB of buffer
      put16(content, kSpeed);
      content.insert(content.end(), {0, 0, 0, 0});
      break;
    default: return;
  }
  if (changeable) {
    std::fill(content.begin(), content.end(), u8{0});
    if (page == 0x01) content[0] = content[1] = 0xFF;
    if (page == 0x0E) content[6] = content[8] = 0x0F, content[7] = content[9] = 0xFF;
  }
  response.push_back(page);
  response.push_back(static_cast<u8>(content.size()));
  response.insert(response.end(), content.begin(), content.end());
}

void AtapiCdrom::mode_sense(const Packet& packet, bool ten) {
  const unsigned control = packet[2] >> 6;
  const u8 page = packet[2] & 0x3F;
  if (control == 3) return check(kNotSaving);
  const u8 medium_type = tray_open_ ? 0x71 : medium_ == nullptr ? 0x70 : 0x01;
  std::vector<u8> response(ten ? 8 : 4);
  response[ten ? 2 : 1] = medium_type;
  const std::size_t header = response.size();
  for (const u8 known : {0x01, 0x0D, 0x0E, 0x1A, 0x2A}) {
    if (page == known || page == 0x3F) append_mode_page(response, known, control == 1);
  }
  if (response.size() == header) return check(kInvalidField);
  if (ten) {
    set16(response, 0, response.size() - 2);
  } else {
    response[0] = static_cast<u8>(response.size() - 1);
  }
  respond(std::move(response), ten ? big16(packet, 7) : packet[4]);
}

void AtapiCdrom::mode_select(const Packet& packet, bool ten) {
  length_ = ten ? big16(packet, 7) : packet[4];
  if ((packet[1] & 1) != 0) return check(kNotSaving);
  if (length_ == 0) return good();
  source_ = Source::Response;
  response_.assign(length_, 0);
  done_ = 0;
  next_block_out();
}

void AtapiCdrom::take_mode_parameters() {
  const bool ten = packet_[0] == kModeSelect10;
  const std::size_t header = ten ? 8 : 4;
  if (response_.size() < header) return check({5, 0x1A, 0x00});  // parameter list length error
  std::size_t at = header + (ten ? big16(response_, 6) : response_[3]);
  while (at + 2 <= response_.size()) {
    const u8 page = response_[at] & 0x3F;
    const std::size_t size = response_[at + 1];
    if (at + 2 + size > response_.size()) return check({5, 0x1A, 0x00});
    switch (page) {
      case 0x01:
        if (size < 2) return check(kInvalidParameter);
        recovery_page_[0] = response_[at + 2];
        recovery_page_[1] = response_[at + 3];
        break;
      case 0x0E: {
        constexpr std::size_t kPorts = 6;  // places in the page
        if (size < kPorts + 4) return check(kInvalidParameter);
        const u8* const port = &response_[at + 2 + kPorts];
        player_.set_ports(now(), {CdPlayer::Port{port[0], port[1]}, CdPlayer::Port{port[2], port[3]}});
        break;
      }
      case 0x0D:  // inactivity timer, power timers: accepted, there is nothing to act on
      case 0x1A:
      case 0x2A: break;
      default: return check(kInvalidParameter);
    }
    at += 2 + size;
  }
  good();
}

}  // namespace relic86
