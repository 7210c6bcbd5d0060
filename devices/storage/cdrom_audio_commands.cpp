// Commands that play audio tracks (SFF-8020i, 10.8; MMC-3, 6.16 to 6.36):
//
//   42  READ SUB-CHANNEL: what is played, and where it is       45 A5  PLAY AUDIO (10), (12): sector, length
//   47  PLAY AUDIO MSF: from, to                                48     PLAY AUDIO TRACK/INDEX: first, last track
//   4B  PAUSE/RESUME                                            4E     STOP PLAY/SCAN
//
// A first sector of all ones stands for where the head is.
#include <algorithm>

#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/cdrom_packet.h"

namespace relic86 {

using namespace cdrom;

void AtapiCdrom::run_audio(const Packet& packet) {
  constexpr u32 kHere = 0xFFFFFFFF;
  const u32 named = big32(packet, 2);
  const u32 first = named == kHere ? player_.position(now()) : named;
  const auto end = [&](u32 count) { return static_cast<u32>(std::min<u64>(u64{first} + count, kHere)); };
  switch (packet[0]) {
    case kPlayAudio10: return play(first, end(big16(packet, 7)));
    case kPlayAudio12: return play(first, end(big32(packet, 6)));
    case kPlayAudioMsf: return play_msf(packet);
    case kPlayAudioTracks: return play_tracks(packet[4], packet[7]);
    case kPauseResume: return pause_or_resume((packet[8] & 1) != 0);
    default: player_.stop(now()); return good();
  }
}

void AtapiCdrom::play(u32 first, u32 end) {
  if (first >= medium_->sectors()) return check(kOutOfRange);
  if (end <= first) return good();  // nothing to play is no error
  if (!medium_->track_at(first).audio) return check(kWrongTrack);
  player_.play(now(), first, std::min(end, medium_->sectors()));
  good();
}

void AtapiCdrom::play_msf(const Packet& packet) {
  constexpr u8 kHere = 0xFF;
  const bool here = packet[3] == kHere && packet[4] == kHere && packet[5] == kHere;
  const u32 first = here ? player_.position(now()) : cdrom_lba(packet[3], packet[4], packet[5]);
  const u32 end = cdrom_lba(packet[6], packet[7], packet[8]);
  if (end < first) return check(kInvalidField);
  play(first, end);
}

void AtapiCdrom::play_tracks(unsigned first, unsigned last) {
  const auto& tracks = medium_->tracks();
  const auto begin = std::find_if(tracks.begin(), tracks.end(), [&](const DiscTrack& t) { return t.number >= first; });
  const auto after = std::find_if(tracks.begin(), tracks.end(), [&](const DiscTrack& t) { return t.number > last; });
  if (begin == tracks.end() || last < first) return check(kInvalidField);
  play(begin->first, after == tracks.end() ? medium_->sectors() : after->first);
}

void AtapiCdrom::pause_or_resume(bool resume) {
  if (!player_.active(now())) return check(kSequenceError);
  if (resume)
    player_.resume(now());
  else
    player_.pause(now());
  good();
}

// As the Q channel has it: track and index, the place on the disc, the place in the track (in a pause: until it
// begins).
void AtapiCdrom::append_position(std::vector<u8>& response, bool msf) const {
  constexpr u8 kDataTrack = 0x14, kAudioTrack = 0x10;
  const u32 sector = player_.position(now());
  const DiscTrack& track = medium_->track_at(sector);
  response.insert(response.end(), {1, track.audio ? kAudioTrack : kDataTrack, track.number, 1});
  const u32 within = sector >= track.first ? sector - track.first : 0;
  if (!msf) return put32(response, sector), put32(response, within);
  const auto place = cdrom_msf(sector), relative = cdrom_duration(within);
  response.insert(response.end(), {0, place[0], place[1], place[2], 0, relative[0], relative[1], relative[2]});
}

void AtapiCdrom::read_subchannel(const Packet& packet) {
  std::vector<u8> response = {0, static_cast<u8>(player_.tell_status(now())), 0, 0};
  if ((packet[2] & 0x40) != 0) {
    const u8 format = packet[3];
    if (format == 1) {
      append_position(response, (packet[1] & 2) != 0);
    } else if (format == 2 || format == 3) {  // catalogue number, ISRC: none
      response.resize(4 + 20);
      response[4] = format;
    } else {
      return check(kInvalidField);
    }
    set16(response, 2, response.size() - 4);
  }
  respond(std::move(response), big16(packet, 7));
}

}  // namespace relic86
