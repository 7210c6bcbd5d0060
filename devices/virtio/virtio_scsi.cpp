// SCSI host (virtio 1.0, 5.6)
//
//   queue 0  control: task management functions, and events that are asked for
//   queue 1  events: 0-3 type (1: a disk has come or gone; bit 31: others were missed), 4-11 logical unit, 12-15 reason (1
//            come, 2 gone)
//   queue 2  requests: 0-7 logical unit (01h, target, 40h + unit high, low), 8-15 id, 16-18, 19 on the command; data out
//            answer: 0-3 bytes of sense, 4-7 residue, 10 status (0 good, 2 check condition), 11 response (0 carried out,
//            1 overrun, 3 no such target), 12 on the sense data; data in
//
//   config   00h request queues  04h most buffers  08h most sectors  0Ch commands at once  10h event bytes
//            14h RW sense bytes (96)  18h RW command bytes (32)  1Ch last channel  1Eh last target  20h last unit
//
// Reads, writes and flushes that may have to wait for the host's disk are submitted to the image, and given back to the
// driver when they are done.
#include "devices/virtio/virtio_scsi.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/byte_order.h"
#include "base/log.h"
#include "devices/bus_mastering.h"

namespace relic86 {

namespace {
constexpr unsigned kControlQueue = 0, kEventQueue = 1;
constexpr u16 kQueueSize = 256;
constexpr u32 kMostBuffers = kQueueSize - 2;
constexpr u32 kConfigBytes = 36;
constexpr unsigned kSenseBytesAt = 0x14, kCommandBytesAt = 0x18;
constexpr u32 kSenseBytes = 96, kCommandBytes = 32, kLeastCommandBytes = 16, kMostFieldBytes = 256;
constexpr std::size_t kCommandAt = 19, kSenseAt = 12, kStatusAt = 10, kResponseAt = 11, kResidueAt = 4;
constexpr u8 kCheckCondition = 2;
constexpr u8 kCarriedOut = 0, kOverrun = 1, kBadTarget = 3;
constexpr u8 kReportUnits = 0xA0;
constexpr u32 kTaskManagement = 0;
constexpr unsigned kHotPlug = 1;  // a feature
constexpr std::size_t kEventBytes = 16;
constexpr u32 kNoEvent = 0, kTransportReset = 1, kEventsMissed = 1u << 31, kRescan = 1, kRemoved = 2;

constexpr unsigned kRequestsAtOnce = 64;
constexpr u64 kBytesAtOnce = u64{4} << 20;
constexpr u64 kMostSubmitted = u64{16} << 20;  // bytes of requests that wait for the host; at least one may
constexpr u64 kLongestSubmitted = u64{4} << 20;

// A unit's number in an address of eight bytes (SAM-3, 4.9): flat space beyond 255.
void put_unit(std::span<u8> bytes, std::size_t at, unsigned unit) {
  constexpr u16 kFlatSpace = 0x4000;
  store_be(bytes, at, static_cast<u16>(unit > 0xFF ? kFlatSpace | unit : unit));
}
}  // namespace

VirtioScsi::VirtioScsi(std::string name, const VirtioInterfaces& interfaces, std::vector<VirtioScsiUnit> units)
    : VirtioPci(std::move(name), {.type = 8, .transitional_device = 0x1004, .class_code = 0x010000}, interfaces,
                {kQueueSize, kQueueSize, kQueueSize}, kConfigBytes),
      units_(std::move(units)),
      piece_(kPiece),
      command_bytes_(kCommandBytes),
      sense_bytes_(kSenseBytes) {
  for (const VirtioScsiUnit& each : units_)
    each.disk->image().retry_with([this, target = each.target, unit = each.unit] { retry(target, unit); });
}

u64 VirtioScsi::device_features() const { return u64{1} << kHotPlug; }

const VirtioScsiUnit* VirtioScsi::find(unsigned target, unsigned unit) const {
  const auto found = std::find_if(units_.begin(), units_.end(), [&](const VirtioScsiUnit& each) {
    return each.target == target && each.unit == unit;
  });
  return found == units_.end() ? nullptr : &*found;
}

void VirtioScsi::plug(VirtioScsiUnit unit) {
  RELIC86_ASSERT(!has(unit.target, unit.unit));
  unit.disk->image().retry_with([this, target = unit.target, number = unit.unit] { retry(target, number); });
  units_.push_back(std::move(unit));
  tell({kTransportReset, kRescan, units_.back().target, units_.back().unit});
}

void VirtioScsi::unplug(unsigned target, unsigned unit) {
  RELIC86_ASSERT(has(target, unit));
  drain();  // requests know their unit by its place in the list
  std::erase_if(units_, [&](const VirtioScsiUnit& each) { return each.target == target && each.unit == unit; });
  retry(target, unit);  // which fails now
  tell({kTransportReset, kRemoved, target, unit});
}

// What ends may make room for others, whose disk was asked before.
void VirtioScsi::drain() {
  while (submitted_ != 0) {
    for (const VirtioScsiUnit& each : units_) each.disk->image().drain();
  }
}

void VirtioScsi::reset_device() {
  for (const VirtioScsiUnit& each : units_) each.disk->reset();
  command_bytes_ = kCommandBytes;
  sense_bytes_ = kSenseBytes;
  life_++;
  held_back_ = events_missed_ = false;
  to_be_retried_.clear();
  waiting_functions_.clear();
}

void VirtioScsi::state_device(StateArchive& archive) {
  archive.field("command_bytes", command_bytes_);
  archive.field("sense_bytes", sense_bytes_);
  archive.field("events_missed", events_missed_);
  for (const VirtioScsiUnit& each : units_)
    archive.group("unit" + std::to_string(each.target) + "_" + std::to_string(each.unit),
                  [&] { each.disk->state(archive); });
  to_be_retried_.state(archive, kEventQueue + 1, queue_count(), kQueueSize);
  archive.group("functions", [&] { waiting_functions_.state(archive, kControlQueue, kControlQueue + 1, kQueueSize); });
  if (!archive.loading()) return;
  life_++;
  held_back_ = false;
  command_bytes_ = std::clamp(command_bytes_, kLeastCommandBytes, kMostFieldBytes);
  sense_bytes_ = std::min(sense_bytes_, kMostFieldBytes);
}

void VirtioScsi::fill_config(std::span<u8> config) const {
  store_le<u32>(config, 0x00, static_cast<u32>(queue_count() - 2));
  store_le<u32>(config, 0x04, kMostBuffers);
  store_le<u32>(config, 0x08, 0xFFFF);
  store_le<u32>(config, 0x0C, kQueueSize / 2);
  store_le<u32>(config, 0x10, kEventBytes);
  store_le<u32>(config, kSenseBytesAt, sense_bytes_);
  store_le<u32>(config, kCommandBytesAt, command_bytes_);
  store_le<u16>(config, 0x1E, kMostTargets - 1);
  store_le<u32>(config, 0x20, kMostUnits - 1);
}

void VirtioScsi::config_bytes_written(unsigned offset, std::span<const u8> bytes) {
  std::array<u8, kConfigBytes> config{};
  fill_config(config);
  for (std::size_t i = 0; i < bytes.size() && offset + i < config.size(); i++) config[offset + i] = bytes[i];
  sense_bytes_ = std::min(load_le<u32>(config, kSenseBytesAt), kMostFieldBytes);
  command_bytes_ = std::clamp(load_le<u32>(config, kCommandBytesAt), kLeastCommandBytes, kMostFieldBytes);
}

std::size_t VirtioScsi::header_bytes() const { return kCommandAt + command_bytes_; }
std::size_t VirtioScsi::response_bytes() const { return kSenseAt + sense_bytes_; }
u64 VirtioScsi::data_in_bytes(const DescriptorChain& chain) const { return chain.writable_bytes() - response_bytes(); }
u64 VirtioScsi::data_out_bytes(const DescriptorChain& chain) const { return chain.readable_bytes() - header_bytes(); }

// --- Queues ---

void VirtioScsi::serve(unsigned number) {
  if (number == kEventQueue) {
    if (events_missed_) tell({kNoEvent, 0, 0, 0});
    return;
  }
  bool answered = false;
  work_ = 0;
  for (unsigned count = 0; count < kRequestsAtOnce && work_ < kBytesAtOnce; count++) {
    if (submitted_bytes_ >= kMostSubmitted && number != kControlQueue) {
      held_back_ = true;
      break;
    }
    const auto chain = take(number);
    if (!chain) break;
    if (number == kControlQueue) {
      answered |= control(*chain);
    } else if (!carry_out(number, *chain, answered)) {
      return;
    }
  }
  if (answered && running()) interrupt(number);
  if ((number == kControlQueue || !held_back_) && waiting(number) != 0) serve_later(number);
}

bool VirtioScsi::carry_out(unsigned number, const DescriptorChain& chain, bool& answered) {
  if (chain.readable_bytes() < header_bytes() || chain.writable_bytes() < response_bytes()) {
    fail("a request has no header, or no room for its answer");
    return false;
  }
  Request request{.queue = number, .chain = chain};
  work_ += chain.readable_bytes() + chain.writable_bytes();
  switch (begin(request)) {
    case Outcome::Submitted: return true;
    case Outcome::ToBeRetried: to_be_retried_.add(number, chain.head()); return true;
    case Outcome::Answered: answered = true; return true;
    case Outcome::Broken: break;
  }
  fail("a request's buffer has an address where nothing is");
  return false;
}

// The driver has left the buffers of a request alone that it was not told of yet: it is carried out from its start.
void VirtioScsi::retry(unsigned target, unsigned unit) {
  const auto failed = to_be_retried_.take();
  const BusMastering moving(bus_mastering());
  for (const FailedChains::Chain& request : failed) {
    const auto chain = taken(request.queue, request.head);
    if (!chain) return;
    std::vector<u8> header(kCommandAt);
    const Address address = chain->read(memory(), 0, header) ? address_of(header) : Address{};
    if (address.valid && (address.target != target || address.unit != unit)) {
      to_be_retried_.add(request);
      continue;
    }
    bool answered = false;
    if (!carry_out(request.queue, *chain, answered)) return;
    if (answered) interrupt(request.queue);
  }
  retry_functions();
}

void VirtioScsi::retry_functions() {
  if (!to_be_retried_.empty()) return;
  for (const FailedChains::Chain& function : waiting_functions_.take()) {
    const auto chain = taken(function.queue, function.head);
    if (!chain) return;
    if (control(*chain) && running()) interrupt(kControlQueue);
  }
}

// --- Requests ---

VirtioScsi::Address VirtioScsi::address_of(std::span<const u8> header) {
  constexpr u8 kFormat = 1, kUnitHigh = 0x3F;
  return {header[0] == kFormat, header[1], (header[2] & u32{kUnitHigh}) << 8 | header[3]};
}

VirtioScsi::Outcome VirtioScsi::begin(Request& request) {
  std::vector<u8> header(header_bytes());
  if (!request.chain.read(memory(), 0, header)) return Outcome::Broken;
  const auto [valid, target, unit] = address_of(header);
  const auto command = std::span<const u8>(header).subspan(kCommandAt, ScsiDisk::kMostCommand);
  const auto first =
      std::find_if(units_.begin(), units_.end(), [&, of = target](const auto& each) { return each.target == of; });
  if (!valid || first == units_.end()) return answer(request, kBadTarget, true);
  if (command[0] == kReportUnits) return list_units(request, target, command);
  // Another unit of the target tells that this one is not there.
  const VirtioScsiUnit* const exact = find(target, unit);
  const bool there = exact != nullptr;
  request.unit = static_cast<std::size_t>((there ? exact : &*first) - units_.data());
  request.transfer = units_[request.unit].disk->begin(command, there ? u8{0} : u8{1});
  return request.transfer.medium ? move_medium(request) : send_answer(request);
}

VirtioScsi::Outcome VirtioScsi::send_answer(Request& request) {
  ScsiDisk& disk = *units_[request.unit].disk;
  const u64 bytes = std::min(request.transfer.bytes, data_in_bytes(request.chain));
  std::vector<u8> data(static_cast<std::size_t>(bytes));
  disk.to_host(data);
  if (!request.chain.write(memory(), response_bytes(), data)) return Outcome::Broken;
  request.moved = bytes;
  return answer(request, request.transfer.bytes > bytes ? kOverrun : kCarriedOut, disk.good());
}

// REPORT LUNS (SPC-3, 6.21): 0-3 bytes of the list, then eight for each.
VirtioScsi::Outcome VirtioScsi::list_units(Request& request, unsigned target, std::span<const u8> command) {
  constexpr std::size_t kHead = 8, kEntry = 8;
  std::vector<u8> list(kHead);
  for (const VirtioScsiUnit& each : units_) {
    if (each.target != target) continue;
    list.resize(list.size() + kEntry);
    const std::size_t at = list.size() - kEntry;
    put_unit(list, at, each.unit);
  }
  store_be(list, 0, static_cast<u32>(list.size() - kHead));
  const u64 room = std::min<u64>(load_be<u32>(command, 6), data_in_bytes(request.chain));
  list.resize(static_cast<std::size_t>(std::min<u64>(list.size(), room)));
  if (!request.chain.write(memory(), response_bytes(), list)) return Outcome::Broken;
  request.transfer.direction = ScsiDisk::Transfer::Direction::ToHost;
  request.moved = list.size();
  return answer(request, kCarriedOut, true);
}

VirtioScsi::Outcome VirtioScsi::answer(const Request& request, u8 response, bool good) {
  std::vector<u8> bytes(response_bytes());
  if (!good) {
    const auto sense = units_[request.unit].disk->take_sense();
    const std::size_t count = std::min<std::size_t>(sense.size(), sense_bytes_);
    store_le<u32>(bytes, 0, static_cast<u32>(count));
    std::copy_n(sense.begin(), count, bytes.begin() + kSenseAt);
    bytes[kStatusAt] = kCheckCondition;
  }
  const bool out = request.transfer.direction == ScsiDisk::Transfer::Direction::FromHost;
  const u64 room = out ? data_out_bytes(request.chain) : data_in_bytes(request.chain);
  store_le<u32>(bytes, kResidueAt, static_cast<u32>(room - std::min(room, request.moved)));
  bytes[kResponseAt] = response;
  if (!request.chain.write(memory(), 0, bytes)) return Outcome::Broken;
  give_back(request.queue, request.chain, bytes.size() + (out ? 0 : request.moved));
  return Outcome::Answered;
}

// --- The medium ---

VirtioScsi::After VirtioScsi::after(Request& request, BlockRequest::Kind kind, const Result<>& result) {
  if (result) return After::GoOn;
  if (log::first_time(result.message())) log::warning(result.message());
  ScsiDisk& disk = *units_[request.unit].disk;
  switch (disk.image().failed(kind, result.message())) {
    case ErrorAction::Ignore: return After::GoOn;
    case ErrorAction::Stop: return After::ToBeRetried;
    case ErrorAction::Report: break;
  }
  disk.fail_medium(kind);
  return After::Failed;
}

VirtioScsi::Outcome VirtioScsi::move_medium(Request& request) {
  BlockDevice& image = units_[request.unit].disk->image();
  const auto [kind, offset] = *request.transfer.medium;
  const bool writes = kind == BlockRequest::Kind::Write;
  u64 room = writes ? data_out_bytes(request.chain) : data_in_bytes(request.chain);
  room -= room % ScsiDisk::kBlock;
  const u64 bytes = std::min(request.transfer.bytes, room);
  if (bytes <= kLongestSubmitted && image.defers(kind, offset, bytes)) {
    BlockRequest what{kind, offset, bytes, std::vector<u8>(static_cast<std::size_t>(bytes))};
    if (writes && !request.chain.read(memory(), header_bytes(), what.content())) return Outcome::Broken;
    return submit(std::move(request), std::move(what));
  }
  After state = After::GoOn;
  if (kind == BlockRequest::Kind::Flush) state = after(request, kind, image.flush());
  while (state == After::GoOn && request.moved < bytes) {
    const auto piece = std::span(piece_).first(static_cast<std::size_t>(std::min<u64>(bytes - request.moved, kPiece)));
    if (writes && !request.chain.read(memory(), header_bytes() + request.moved, piece)) return Outcome::Broken;
    state = after(request, kind,
                  writes ? image.write(offset + request.moved, piece) : image.read(offset + request.moved, piece));
    if (state != After::GoOn) break;
    if (!writes && !request.chain.write(memory(), response_bytes() + request.moved, piece)) return Outcome::Broken;
    request.moved += piece.size();
  }
  if (state == After::ToBeRetried) return Outcome::ToBeRetried;
  return answer(request, request.transfer.bytes > bytes ? kOverrun : kCarriedOut, state == After::GoOn);
}

VirtioScsi::Outcome VirtioScsi::submit(Request request, BlockRequest what) {
  submitted_++;
  submitted_bytes_ += what.bytes.size();
  BlockDevice& image = units_[request.unit].disk->image();
  image.submit(std::move(what), [this, mine = std::move(request), life = life_](BlockRequest&& done, Result<> result) {
    submitted_--;
    submitted_bytes_ -= done.bytes.size();
    if (life == life_) return complete(mine, std::move(done), result);
    if (submitted_bytes_ < kMostSubmitted && std::exchange(held_back_, false)) serve_again(mine.queue);
  });
  return Outcome::Submitted;
}

void VirtioScsi::complete(Request request, BlockRequest what, const Result<>& result) {
  const bool was_held_back = std::exchange(held_back_, false);
  if (!running()) return;
  const BusMastering moving(bus_mastering());
  const After state = after(request, what.kind, result);
  if (state == After::ToBeRetried) {
    to_be_retried_.add(request.queue, request.chain.head());
  } else {
    const bool reads = what.kind == BlockRequest::Kind::Read && state == After::GoOn;
    if (reads && !request.chain.write(memory(), response_bytes(), what.content()))
      return fail("a request's buffer has an address where nothing is");
    if (state == After::GoOn) request.moved = what.length;
    const u8 response = request.transfer.bytes > what.length ? kOverrun : kCarriedOut;
    if (answer(request, response, state == After::GoOn) == Outcome::Broken)
      return fail("a request's buffer has an address where nothing is");
    interrupt(request.queue);
  }
  if (was_held_back) serve_again(request.queue);
}

// --- Control ---

// A function ends when nothing of what it concerns is under way any more: all of that comes to its own end first. What the
// host has failed does so when the machine goes on.
bool VirtioScsi::control(const DescriptorChain& chain) {
  std::array<u8, 4> type{};
  constexpr std::size_t kFunctionAnswer = 1, kEventAnswer = 5;
  if (!chain.read(memory(), 0, type)) return fail("a control request has no type"), false;
  const bool function = load_le<u32>(type, 0) == kTaskManagement;
  if (function) drain();
  if (function && !to_be_retried_.empty()) return waiting_functions_.add(kControlQueue, chain.head()), false;
  const std::vector<u8> answer(function ? kFunctionAnswer : kEventAnswer);  // done; no event is ever told
  const u64 written = std::min<u64>(answer.size(), chain.writable_bytes());
  if (!chain.write(memory(), 0, std::span(answer).first(static_cast<std::size_t>(written))))
    return fail("a control request's buffer has an address where nothing is"), false;
  give_back(kControlQueue, chain, written);
  return true;
}

// What finds no buffer is told of when there is one: that something was missed (5.6.6.3).
void VirtioScsi::tell(const Event& event) {
  if (!running() || !negotiated(kHotPlug)) return;
  const BusMastering moving(bus_mastering());
  const auto chain = take(kEventQueue);
  if (!chain) {
    events_missed_ = events_missed_ || running();
    return;
  }
  std::vector<u8> bytes(kEventBytes);
  store_le<u32>(bytes, 0, event.type | (std::exchange(events_missed_, false) ? kEventsMissed : 0));
  if (event.type == kTransportReset) {
    bytes[4] = 1;
    bytes[5] = static_cast<u8>(event.target);
    put_unit(bytes, 6, event.unit);
  }
  store_le<u32>(bytes, 12, event.reason);
  if (!chain->write(memory(), 0, std::span(bytes).first(std::min<u64>(bytes.size(), chain->writable_bytes()))))
    return fail("an event's buffer has an address where nothing is");
  give_back(kEventQueue, *chain, std::min<u64>(bytes.size(), chain->writable_bytes()));
  interrupt(kEventQueue);
}

}  // namespace relic86
