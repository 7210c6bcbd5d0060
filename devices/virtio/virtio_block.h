// The virtio block device (virtio 1.0, 5.2; discard and write zeroes as in 1.1) over an image.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "block/block_device.h"
#include "devices/virtio/failed_chains.h"
#include "devices/virtio/virtio_pci.h"

namespace relic86 {

struct VirtioBlockGeometry {
  u16 cylinders = 0;
  u8 heads = 0;
  u8 sectors = 0;
};

struct VirtioBlockOptions {
  VirtioBlockGeometry geometry;
  std::string serial;  // up to 20 characters
};

class VirtioBlock final : public VirtioPci {
 public:
  VirtioBlock(std::string name, const VirtioInterfaces& interfaces, std::unique_ptr<BlockDevice> image,
              VirtioBlockOptions options);

  BlockDevice& image() { return *image_; }

 protected:
  u64 device_features() const override;
  void fill_config(std::span<u8> config) const override;
  void config_bytes_written(unsigned offset, std::span<const u8> bytes) override;
  void serve(unsigned queue) override;
  void reset_device() override;
  void state_device(StateArchive& archive) override;

 private:
  static constexpr std::size_t kPiece = 128u << 10;  // bytes that are moved at once
  // Submitted: the image tells later what became of it. ToBeRetried: the host has failed it, and it is carried out again
  // when the machine goes on.
  enum class Outcome : u8 { Good, IoError, Unsupported, Broken, Submitted, ToBeRetried };

  // A chain that was taken: false: the device is broken.
  bool carry_out(unsigned queue, const DescriptorChain& chain, bool& served);
  void retry();
  // One request: its status, and how many bytes of data were written into its buffers.
  Outcome execute(const DescriptorChain& chain, u64& written);
  Outcome read_sectors(const DescriptorChain& chain, u64 sector, u64& written);
  Outcome write_sectors(const DescriptorChain& chain, u64 sector);
  Outcome get_id(const DescriptorChain& chain, u64& written);
  enum class Range : u8 { Discard, WriteZeroes };
  Outcome change_range(const DescriptorChain& chain, Range what);
  // The status and the chain go to the driver; false: they could not, and the device is broken.
  bool finish(unsigned queue, const DescriptorChain& chain, Outcome outcome, u64 written);
  bool defers(BlockRequest::Kind kind, u64 offset, u64 length) const;
  Outcome submit(const DescriptorChain& chain, BlockRequest request);
  void complete(unsigned queue, const DescriptorChain& chain, BlockRequest request, const Result<>& result);
  bool cached() const;
  Outcome flush();
  Outcome written_through();  // what was written is on the medium if the driver counts on it
  bool within_medium(u64 sector, u64 bytes) const;
  Outcome host_error(BlockRequest::Kind kind, const std::string& message);

  std::unique_ptr<BlockDevice> image_;
  const VirtioBlockOptions options_;
  const u64 sectors_;
  std::vector<u8> piece_;
  bool write_cache_ = true;
  u64 work_ = 0;  // bytes moved, or what takes as long, since a queue began to be served
  // Of requests that wait for the host, which a saved machine never has: bytes, whether more wait in the queue for
  // that, and a number that changes when nobody wants to know any more what becomes of them.
  u64 submitted_bytes_ = 0;
  bool held_back_ = false;
  u64 life_ = 0;
  unsigned serving_ = 0;  // the queue
  FailedChains to_be_retried_;
};

}  // namespace relic86
