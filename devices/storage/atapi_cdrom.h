// An ATAPI CD-ROM/DVD-ROM drive: the packet protocol (ATA/ATAPI-6, 9.8 and 9.9) and the drive's commands
// (devices/storage/cdrom_commands.cpp).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devices/storage/ata_device.h"
#include "devices/storage/cd_player.h"
#include "devices/storage/cdrom_medium.h"

namespace relic86 {

class AtapiCdrom final : public AtaDevice {
 public:
  explicit AtapiCdrom(std::string serial = "R8600000003", std::string model = "RELIC86 DVD-ROM");

  // --- The user's side. ---
  // Puts a medium in, in place of one that was there; the tray is closed afterwards. The guest is told by NOT READY,
  // then UNIT ATTENTION, as by a drive whose tray went out and in.
  void insert(std::unique_ptr<BlockDevice> image);
  // Takes the medium out. An error while the guest has locked the tray, unless forced; the guest hears of the request.
  Result<> eject(bool force);
  // The tray with what is in it, as by its button; opening is refused as an eject is.
  Result<> open_tray(bool force);
  void close_tray();
  // Called when the guest has moved the tray.
  void on_guest_moves_tray(std::function<void(bool open)> moved) { guest_moves_tray_ = std::move(moved); }
  // It hangs on Serial ATA; before the first reset.
  void set_serial_link() { serial_link_ = true; }
  // Where the audio tracks are heard; the cable's other end is the mixer of a sound card, if one has an input for it.
  void connect_sound(SoundHost& host) { player_.connect(host); }
  SoundInput& sound_cable() { return player_; }
  bool has_medium() const { return medium_ != nullptr; }
  bool tray_open() const { return tray_open_; }
  bool locked() const { return locked_; }

 protected:
  void execute(u8 code) override;
  bool obeys_while_busy(u8 code) const override { return code == ata::kDeviceReset; }
  void block_read() override;
  bool last_block_in() const override { return stage_ != Stage::DataIn; }  // a packet command ends with its status
  void block_written() override;
  void stop_waiting() override;
  void retry_step() override { done_ < length_ ? next_block_in() : good(); }
  void set_signature() override;
  u8 status_after_reset() const override { return 0; }
  void reset_drive(ResetKind kind) override;
  void state_drive(StateArchive& archive) override;

 private:
  static constexpr u32 kPacketSize = 12;
  static constexpr u32 kDmaBlock = 32768;
  using Packet = std::array<u8, kPacketSize>;
  enum class Stage : u8 { None, Packet, Identify, DataIn, DataOut };
  enum class Source : u8 { Response, Sectors, RawSectors };
  struct Sense {
    u8 key = 0, code = 0, qualifier = 0;
  };
  static constexpr Sense kNoSense{0, 0, 0};
  static constexpr Sense kNoMedium{2, 0x3A, 0x00};
  static constexpr Sense kTrayOpen{2, 0x3A, 0x02};
  static constexpr Sense kReadError{3, 0x11, 0x00};
  static constexpr Sense kInvalidCommand{5, 0x20, 0x00};
  static constexpr Sense kOutOfRange{5, 0x21, 0x00};
  static constexpr Sense kInvalidField{5, 0x24, 0x00};
  static constexpr Sense kInvalidParameter{5, 0x26, 0x00};
  static constexpr Sense kNotSaving{5, 0x39, 0x00};
  static constexpr Sense kLocked{5, 0x53, 0x02};
  static constexpr Sense kSequenceError{5, 0x2C, 0x00};
  static constexpr Sense kWrongTrack{5, 0x64, 0x00};
  static constexpr Sense kMediumChanged{6, 0x28, 0x00};
  enum class Attention : u8 { None, Gone, Changed };  // what the next command hears

  // Packet protocol.
  void identify();
  void set_features();
  void start_packet();
  void next_block_in();
  bool submit_read();  // false: it is better read at once
  void block_came(const Result<>& result);
  void next_block_out();
  u32 pio_block(u64 left) const;
  Result<> fill(std::span<u8> into);
  void set_byte_count(u32 count);
  // Ends of a command.
  void good();
  void check(Sense sense);
  void respond(std::vector<u8> response, u64 allocation);
  void stream(Source source, u32 lba, u64 count);

  // Commands.
  void run(const Packet& packet);
  bool pass_attention(u8 operation);
  void run_read(const Packet& packet);
  void read_sectors(u32 lba, u64 count);
  void read_cd(const Packet& packet, u32 lba, u64 count);
  void request_sense(const Packet& packet);
  void inquiry(const Packet& packet);
  void read_capacity();
  void read_toc(const Packet& packet);
  void read_subchannel(const Packet& packet);
  void run_audio(const Packet& packet);
  void play(u32 first, u32 end);
  void play_msf(const Packet& packet);
  void play_tracks(unsigned first, unsigned last);
  void pause_or_resume(bool resume);
  void append_position(std::vector<u8>& response, bool msf) const;
  void mode_sense(const Packet& packet, bool ten);
  void append_mode_page(std::vector<u8>& response, u8 page, bool changeable) const;
  void mode_select(const Packet& packet, bool ten);
  void take_mode_parameters();
  void start_stop(const Packet& packet);
  void get_configuration(const Packet& packet);
  void get_event_status(const Packet& packet);
  void mechanism_status(const Packet& packet);
  void read_disc_information(const Packet& packet);
  bool ready() const { return medium_ != nullptr && !tray_open_; }
  Sense not_ready() const { return tray_open_ ? kTrayOpen : kNoMedium; }

  std::string serial_, model_;
  bool serial_link_ = false;
  std::unique_ptr<CdromMedium> medium_;
  CdPlayer player_;
  std::function<void(bool open)> guest_moves_tray_;

  bool tray_open_ = false;
  bool locked_ = false;
  Attention attention_ = Attention::None;
  u8 media_event_ = 0;  // for GET EVENT STATUS NOTIFICATION: 1 eject request, 2 new media, 3 removal
  Sense sense_;
  u8 transfer_mode_ = 0;
  std::array<u8, 6> recovery_page_{};  // page 01h as MODE SELECT left it

  Stage stage_ = Stage::None;
  Packet packet_{};
  bool dma_ = false;
  u16 byte_limit_ = 0;
  Source source_ = Source::Response;
  std::vector<u8> response_;  // data in; or the parameters that come in
  u32 lba_ = 0;
  u64 length_ = 0;  // bytes of the whole transfer
  u64 done_ = 0;
  u32 block_ = 0;  // bytes of it in the buffer
};

}  // namespace relic86
