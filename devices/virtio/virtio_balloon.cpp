// Balloon (virtio 1.0, 5.5)
//
//   queue 0  numbers of pages (4 bytes each, of 4 KiB) that go into the balloon    queue 1  that come out
//   config   00h pages that the host wants in it    04h RW pages that are in it    08h, 0Ch 0
//
// A page in the balloon is given back to the host; one that comes out, or that the guest touches even so, reads as
// zeros.
#include "devices/virtio/virtio_balloon.h"

#include <algorithm>
#include <array>

#include "memory/release_pages.h"

namespace relic86 {

namespace {
constexpr u16 kQueueSize = 128;
constexpr u32 kConfigBytes = 16;  // as QEMU's, with what belongs to features that are not offered
constexpr unsigned kInflate = 0, kDeflateOnOom = 2;
constexpr unsigned kActualOffset = 4;
constexpr u32 kNumberBytes = 4;
constexpr u64 kNumbersAtOnce = 4096;
}  // namespace

VirtioBalloon::VirtioBalloon(std::string name, const VirtioInterfaces& interfaces, const VirtioBalloonOptions& options)
    : VirtioPci(std::move(name), {.type = 5, .transitional_device = 0x1002, .class_code = 0x00FF00}, interfaces,
                {kQueueSize, kQueueSize}, kConfigBytes),
      options_(options) {}

void VirtioBalloon::attach_device(Attachment& board) { bus_ = &board.memory(); }

u64 VirtioBalloon::device_features() const { return options_.deflate_on_oom ? u64{1} << kDeflateOnOom : 0; }

void VirtioBalloon::fill_config(std::span<u8> config) const {
  const u32 numbers[] = {wanted_pages_, actual_pages_};
  for (unsigned i = 0; i < 2 * kNumberBytes; i++)
    config[i] = static_cast<u8>(numbers[i / kNumberBytes] >> (i % kNumberBytes * 8));
}

void VirtioBalloon::config_bytes_written(unsigned offset, std::span<const u8> bytes) {
  if (offset < kActualOffset || offset + bytes.size() > kActualOffset + kNumberBytes) return;
  u32 value = actual_pages_;
  for (std::size_t i = 0; i < bytes.size(); i++) {
    const auto shift = static_cast<unsigned>((offset - kActualOffset + i) * 8);
    value = (value & ~(0xFFu << shift)) | u32{bytes[i]} << shift;
  }
  if (value == actual_pages_) return;
  actual_pages_ = value;
  if (changed_) changed_();
}

void VirtioBalloon::set_target(u64 bytes) {
  const u64 ram = bus_->store().ram_size();
  wanted_pages_ = static_cast<u32>((ram - std::min(bytes, ram)) >> kPageShift);
  config_changed();
}

u64 VirtioBalloon::actual() const {
  const u64 ram = bus_->store().ram_size();
  return ram - std::min(ram, u64{actual_pages_} << kPageShift);
}

void VirtioBalloon::reset_device() { actual_pages_ = 0; }

void VirtioBalloon::state_device(StateArchive& archive) {
  archive.field("wanted_pages", wanted_pages_);
  archive.field("actual_pages", actual_pages_);
}

// What is not system RAM, or shows itself elsewhere (shadowed ROM), is left alone.
void VirtioBalloon::release(u32 page) {
  const u64 address = u64{page} << kPageShift;
  BackingStore& store = bus_->store();
  const PhysPage& place = bus_->page(PhysAddr(address));
  const bool memory = place.write.kind == PageTarget::Kind::Backing && place.read.kind == PageTarget::Kind::Backing &&
                      place.write.backing == place.read.backing;
  const BackingOffset backing = place.write.backing;
  const bool ram = memory && (backing.raw == address || address >> 32 != 0);
  if (ram && backing.raw < store.ram_size()) release_pages(store, backing, kPageSize);
}

void VirtioBalloon::serve(unsigned number) {
  bool served = false;
  for (u64 pages = 0; pages < kNumbersAtOnce;) {
    const auto chain = take(number);
    if (!chain) break;
    served = true;
    const u64 count = std::min(chain->readable_bytes() / kNumberBytes, kNumbersAtOnce);
    std::vector<u8> bytes(static_cast<std::size_t>(count * kNumberBytes));
    if (!chain->read(memory(), 0, bytes)) return fail("page numbers have an address where nothing is");
    for (std::size_t at = 0; number == kInflate && at < bytes.size(); at += kNumberBytes)
      release(bytes[at] | u32{bytes[at + 1]} << 8 | u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24);
    give_back(number, *chain, 0);
    pages += count + 1;
  }
  if (served) interrupt(number);
  if (waiting(number) != 0) serve_later(number);
}

}  // namespace relic86
