// The firmware configuration device ("QEMU firmware configuration", docs/specs/fw_cfg of that project): how firmware
// learns of the machine. Items by number, files by name, DMA.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "devices/attachment.h"
#include "devices/device.h"

namespace relic86 {

// Item numbers of the specification and of the board it describes.
enum FwCfgKey : u16 {
  kFwCfgSignature = 0x00,
  kFwCfgId = 0x01,
  kFwCfgUuid = 0x02,
  kFwCfgRamSize = 0x03,
  kFwCfgNoGraphics = 0x04,
  kFwCfgProcessors = 0x05,
  kFwCfgKernelAddress = 0x07,
  kFwCfgKernelSize = 0x08,
  kFwCfgInitrdAddress = 0x0A,
  kFwCfgInitrdSize = 0x0B,
  kFwCfgNumaNodes = 0x0D,
  kFwCfgBootMenu = 0x0E,
  kFwCfgMostProcessors = 0x0F,
  kFwCfgKernelEntry = 0x10,
  kFwCfgKernelData = 0x11,
  kFwCfgInitrdData = 0x12,
  kFwCfgCommandLineAddress = 0x13,
  kFwCfgCommandLineSize = 0x14,
  kFwCfgCommandLineData = 0x15,
  kFwCfgSetupAddress = 0x16,
  kFwCfgSetupSize = 0x17,
  kFwCfgSetupData = 0x18,
  kFwCfgDirectory = 0x19,
  kFwCfgFirstFile = 0x20,
  kFwCfgAcpiTables = 0x8000,
  kFwCfgSmbios = 0x8001,
  kFwCfgIrq0Override = 0x8002,
  kFwCfgE820 = 0x8003,
};

class FwCfg final : public Device {
 public:
  static constexpr std::size_t kLongestName = 55;

  FwCfg();

  // Before the first reset. Adding again replaces.
  void add_item(u16 key, std::vector<u8> bytes);
  void add_u16(u16 key, u16 value);
  void add_u32(u16 key, u32 value);
  // name: 1 to 55 characters ("etc/e820"). A longer one is an error.
  Result<> add_file(std::string_view file_name, std::vector<u8> bytes);
  // A file whose bytes, but not their number, depend on what the guest has set up: made anew whenever it is selected.
  // It has been added.
  void make_when_selected(std::string_view file_name, std::function<std::vector<u8>()> make);

  std::string_view name() const override { return "fw_cfg"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  enum Region : RegionId { kSelectorAndData, kDma };
  void select(u16 key);
  const std::vector<u8>* selected() const;
  void rebuild_directory();
  void run_dma(u64 address);

  struct File {
    std::string name;
    u16 key;
  };
  std::map<u16, std::vector<u8>> items_;
  std::vector<File> files_;
  std::map<u16, std::function<std::vector<u8>()>> makers_;
  PhysicalBus* memory_ = nullptr;
  u16 selector_ = 0;
  u32 position_ = 0;
  u32 dma_address_high_ = 0;
};

}  // namespace relic86
