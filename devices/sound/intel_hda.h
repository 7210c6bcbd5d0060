// Intel High Definition Audio controller, of an ICH6 or ICH9, with its codecs. Input is silence.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "devices/msi.h"
#include "devices/pci_device.h"
#include "devices/register_file.h"
#include "devices/sound/hda_codec.h"
#include "devices/sound/hda_registers.h"
#include "devices/sound/sample_run.h"

namespace relic86 {

class IntelHda final : public PciDevice {
 public:
  static constexpr unsigned kCodecs = HdaCodec::kAddresses;
  enum class Model : u8 { Ich6, Ich9 };

  explicit IntelHda(Model model);

  // Before the first reset: it has MSI, whose messages go there; else INTA# alone.
  void offer_messages(MsiCapability::Send sink);
  // Before the first reset. address: below kCodecs, one that is free.
  void add_codec(unsigned address, HdaCodec::Model model, SoundHost* host);

  std::string_view name() const override { return "intel_hda"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  // Where a stream is in its list.
  struct Stream {
    u8 entry = 0;             // of the list, that is moved
    bool begun = false;       // the entry has been read
    bool interrupts = false;  // it interrupts when it is done
    bool completed = false;   // such a one ends with the piece that sounds
    u32 left = 0;             // bytes of it
    u64 address = 0;          // of the next one
    SampleRun run{48000};
  };

  static unsigned base_of(unsigned stream) { return hda::kFirstStream + stream * hda::kStreamSize; }
  static bool is_output(unsigned stream) { return stream >= hda::kInputStreams; }

  void write_byte(unsigned offset, u8 value);
  void register_written(unsigned offset, u8 before);
  void stream_written(unsigned stream, unsigned offset, u8 before);
  void reset_link();
  u32 update_causes();
  void update_interrupt();
  bool sends_messages() const { return msi_ && msi_->enabled(*this); }
  u32 wall_clock() const;

  // Commands (intel_hda_commands.cpp)
  void expect_commands();
  void take_command();
  void take_immediate_command();
  std::optional<u32> ask_codec(u32 command);
  void store_response(unsigned address, u32 response);

  // Streams (intel_hda_streams.cpp)
  bool runs(unsigned stream) const;
  HdaFormat format_of(unsigned stream) const;
  void reset_stream(unsigned stream);
  void start_and_stop(u32 ran);
  u32 running() const;  // bit n: stream n
  void move_piece(unsigned stream);
  std::size_t move_bytes(unsigned stream, std::span<u8> bytes);
  void next_entry(unsigned stream);
  void fail(unsigned stream);
  void report_position(unsigned stream);

  Scheduler* scheduler_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  std::array<TimerId, hda::kStreams> timers_{};
  TimerId command_timer_ = 0;
  std::array<std::unique_ptr<HdaCodec>, kCodecs> codecs_;
  RegisterFile registers_{hda::kStoredSize};
  std::array<Stream, hda::kStreams> streams_;
  std::optional<MsiCapability> msi_;
  // What has been told of and how. No state: it follows from the registers.
  u32 signalled_ = 0;
  bool by_messages_ = false;
  u16 responses_ = 0;           // since the last interrupt for them
  GuestTime clock_start_ = 0;   // of the wall clock
  bool bus_mastering_ = false;  // see BusMastering; no state: it never lasts
  std::vector<u8> bytes_;
};

}  // namespace relic86
