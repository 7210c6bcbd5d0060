// Firmware configuration device (the fw_cfg specification, version with DMA)
//
//   port    width  R/W  bits
//   510h    2      W    selector: item number; the data position becomes 0
//   511h    1      R    data: the item's next byte; 0 behind its end (or for an unknown item). Writes are ignored.
//   514h    4      W    DMA address bits 63:32, big endian; reads "QEMU"
//   518h    4      W    DMA address bits 31:0, big endian: starts; reads " CFG"
//
//   DMA control structure in RAM, big endian: u32 control (bit 0 error, 1 read, 2 skip, 3 select with 31:16 the item,
//   4 write), u32 length, u64 address. Control becomes 0 when done, 1 for an error.
#include "devices/chipset/fw_cfg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u16 kSelectorPort = 0x510, kDmaPort = 0x514;
constexpr u32 kIdTraditional = 1, kIdDma = 2;
constexpr u32 kDmaError = 1, kDmaRead = 2, kDmaSkip = 4, kDmaSelect = 8, kDmaWrite = 16;
constexpr std::array<u8, 8> kDmaSignature{'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};
constexpr u64 kAddressSpace = u64{1} << 32;

u64 big_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (const u8 byte : bytes) value = value << 8 | byte;
  return value;
}

template <class Value>
std::vector<u8> little_endian(Value value) {
  std::vector<u8> bytes;
  for (unsigned i = 0; i < sizeof value; i++) bytes.push_back(static_cast<u8>(value >> (i * 8)));
  return bytes;
}

void append_big_endian(std::vector<u8>& to, u64 value, unsigned width) {
  while (width-- > 0) to.push_back(static_cast<u8>(value >> (width * 8)));
}
}  // namespace

FwCfg::FwCfg() {
  add_item(kFwCfgSignature, {'Q', 'E', 'M', 'U'});
  add_u32(kFwCfgId, kIdTraditional | kIdDma);
  rebuild_directory();
}

void FwCfg::add_item(u16 key, std::vector<u8> bytes) { items_[key] = std::move(bytes); }
void FwCfg::add_u16(u16 key, u16 value) { add_item(key, little_endian(value)); }
void FwCfg::add_u32(u16 key, u32 value) { add_item(key, little_endian(value)); }

Result<> FwCfg::add_file(std::string_view file_name, std::vector<u8> bytes) {
  if (file_name.empty() || file_name.size() > kLongestName) {
    return Error{fmt::format("fw_cfg: file name '{}' has {} characters; 1 to {} are possible", file_name,
                             file_name.size(), kLongestName)};
  }
  auto found = std::find_if(files_.begin(), files_.end(), [&](const File& file) { return file.name == file_name; });
  if (found == files_.end()) {
    files_.push_back({std::string(file_name), static_cast<u16>(kFwCfgFirstFile + files_.size())});
    found = files_.end() - 1;
  }
  add_item(found->key, std::move(bytes));
  rebuild_directory();
  return {};
}

void FwCfg::make_when_selected(std::string_view file_name, std::function<std::vector<u8>()> make) {
  const auto found =
      std::find_if(files_.begin(), files_.end(), [&](const File& file) { return file.name == file_name; });
  RELIC86_ASSERT(found != files_.end());
  makers_[found->key] = std::move(make);
}

// u32 count, then per file u32 size, u16 item, u16 reserved, 56 bytes of name; big endian, sorted by name.
void FwCfg::rebuild_directory() {
  std::vector<File> sorted = files_;
  std::sort(sorted.begin(), sorted.end(), [](const File& a, const File& b) { return a.name < b.name; });
  std::vector<u8> directory;
  append_big_endian(directory, sorted.size(), 4);
  for (const File& file : sorted) {
    append_big_endian(directory, items_[file.key].size(), 4);
    append_big_endian(directory, file.key, 2);
    append_big_endian(directory, 0, 2);
    directory.insert(directory.end(), file.name.begin(), file.name.end());
    directory.insert(directory.end(), kLongestName + 1 - file.name.size(), 0);
  }
  add_item(kFwCfgDirectory, std::move(directory));
}

Result<> FwCfg::attach(Attachment& board) {
  memory_ = &board.memory();
  if (auto done = board.ports(*this, kSelectorAndData, kSelectorPort, 2, 2); !done) return done;
  return board.ports(*this, kDma, kDmaPort, 8, 4);
}

void FwCfg::reset(ResetKind) {
  select(0);
  dma_address_high_ = 0;
}

void FwCfg::state(StateArchive& archive) {
  archive.field("selector", selector_);
  archive.field("position", position_);
  archive.field("dma_address_high", dma_address_high_);
}

void FwCfg::select(u16 key) {
  selector_ = key & 0xBFFF;  // bit 14: the write channel of old, which has no meaning any more
  position_ = 0;
  const auto maker = makers_.find(selector_);
  if (maker == makers_.end()) return;
  std::vector<u8> made = maker->second();
  RELIC86_ASSERT(made.size() == items_[selector_].size());  // the directory tells it
  items_[selector_] = std::move(made);
}

const std::vector<u8>* FwCfg::selected() const {
  const auto found = items_.find(selector_);
  return found == items_.end() ? nullptr : &found->second;
}

u64 FwCfg::read(RegionId region, u64 offset, unsigned width) {
  if (region == kDma) {
    u64 value = 0;
    for (unsigned i = 0; i < width; i++) value |= u64{kDmaSignature[(offset + i) & 7]} << (i * 8);
    return value;
  }
  if (offset == 0) return width == 1 ? 0 : all_ones(width);
  const std::vector<u8>* item = selected();
  return item != nullptr && position_ < item->size() ? (*item)[position_++] : 0;
}

void FwCfg::write(RegionId region, u64 offset, unsigned width, u64 value) {
  if (region == kSelectorAndData) {
    if (offset == 0 && width == 2) select(static_cast<u16>(value));
    return;
  }
  if (width != 4) return;  // the address is taken in whole dwords
  const std::array<u8, 4> bytes{static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                                static_cast<u8>(value >> 24)};
  const u64 part = big_endian(bytes);
  if (offset == 0) {
    dma_address_high_ = static_cast<u32>(part);
  } else if (offset == 4) {
    const u64 address = static_cast<u64>(dma_address_high_) << 32 | part;
    dma_address_high_ = 0;
    run_dma(address);
  }
}

void FwCfg::run_dma(u64 address) {
  if (address > kAddressSpace - 16) return;
  std::array<u8, 16> request{};
  memory_->read_block(PhysAddr(address), request);
  const auto control = static_cast<u32>(big_endian(std::span(request).first(4)));
  const auto length = static_cast<u32>(big_endian(std::span(request).subspan(4, 4)));
  const u64 target = big_endian(std::span(request).subspan(8, 8));
  if ((control & kDmaSelect) != 0) select(static_cast<u16>(control >> 16));
  const std::vector<u8>* item = selected();
  const u64 size = item == nullptr ? 0 : item->size();
  bool error = false;
  if ((control & kDmaRead) != 0) {
    const u64 start = std::min<u64>(position_, size);
    const u64 available = std::min<u64>(length, size - start);
    error = target + length > kAddressSpace || target > kAddressSpace;
    if (!error) {
      if (available > 0) memory_->write_block(PhysAddr(target), std::span(*item).subspan(start, available));
      // Behind the item's end come zeros; written in pieces, so that no length makes the host allocate.
      static constexpr std::array<u8, kPageSize> kZeros{};
      for (u64 done = available; done < length; done += std::min<u64>(kPageSize, length - done)) {
        memory_->write_block(PhysAddr(target + done), std::span(kZeros).first(std::min<u64>(kPageSize, length - done)));
      }
      position_ = static_cast<u32>(std::min<u64>(u64{position_} + length, UINT32_MAX));
    }
  } else if ((control & kDmaWrite) != 0) {
    error = true;  // no item here is writable
  } else if ((control & kDmaSkip) != 0) {
    position_ = static_cast<u32>(std::min<u64>(u64{position_} + length, UINT32_MAX));
  }
  const std::array<u8, 4> answer{0, 0, 0, static_cast<u8>(error ? kDmaError : 0)};
  memory_->write_block(PhysAddr(address), answer);
}

}  // namespace relic86
