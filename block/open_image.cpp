#include "block/open_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "block/cue_image.h"
#include "block/folder_disk.h"
#include "block/nbd_file.h"
#include "block/neighbours.h"
#include "block/qcow2_image.h"
#include "block/raw_image.h"
#include "block/vdi_image.h"
#include "block/vhd_image.h"
#include "block/vhdx_image.h"
#include "block/vmdk_image.h"

namespace relic86 {

namespace {

using Access = HostFile::Access;
using Opened = Result<std::unique_ptr<DiskImage>>;

constexpr std::size_t kDeepestChain = 200;

template <class Image>
Opened open_as(std::unique_ptr<ImageFile> file, const Neighbours& neighbours) {
  auto image = Image::open(std::move(file), neighbours);
  if (!image) return image.error();
  return std::unique_ptr<DiskImage>(std::move(image).value());
}

struct Row {
  ImageFormat format;
  Opened (*open)(std::unique_ptr<ImageFile>, const Neighbours&);
};
constexpr std::array kFormats = {
    Row{ImageFormat::Qcow2, open_as<Qcow2Image>}, Row{ImageFormat::Vdi, open_as<VdiImage>},
    Row{ImageFormat::Vmdk, open_as<VmdkImage>},   Row{ImageFormat::Vhd, open_as<VhdImage>},
    Row{ImageFormat::Vhdx, open_as<VhdxImage>},
};

// The name of the format that a file has the signature of; empty: none, so a raw image.
Result<std::string_view> probe(ImageFile& file) {
  std::array<u8, kImageProbeSize> first{};
  std::array<u8, kImageProbeSize> last{};
  const u64 size = file.size_bytes();
  const auto count = static_cast<std::size_t>(std::min<u64>(size, first.size()));
  if (auto read = file.read(0, std::span(first).first(count)); !read) return read.error();
  if (auto read = file.read(size - count, std::span(last).first(count)); !read) return read.error();
  return image_format_name(std::span(first).first(count), std::span(last).first(count));
}

// Images that stand one on the other, from the top down.
class Chain {
 public:
  explicit Chain(std::shared_ptr<Interruption> interruption) : interruption_(std::move(interruption)) {}
  Opened open(const ImageSource& source, Access access);

 private:
  Result<std::unique_ptr<ImageFile>> open_file(const ImageSource& source, Access access, HostFile::Locks locks,
                                               std::pair<u64, u64>& identity) const;
  Opened open_backing(const ImageSource& above, const std::string& name, const std::string& format);
  const std::shared_ptr<Interruption> interruption_;  // of all of them
  std::vector<std::pair<u64, u64>> files_;
};

// What an image calls `name`. A relative name is that of a file beside it.
Result<std::string> beside(const std::string& file, const std::string& name) {
  const std::filesystem::path path(name.starts_with("file:") ? name.substr(5) : name);
  if (path.is_absolute()) return path.string();
  if (names_nbd(file))
    return Error{
        fmt::format("{}: names {} beside it, and an export has no folder; give it a name that does not depend on one "
                    "(qemu-img rebase -u), or a node as backing=",
                    file, name)};
  return (std::filesystem::path(file).parent_path() / path).string();
}

Result<std::unique_ptr<ImageFile>> open_beside(const std::string& file, const std::string& name, Access access,
                                               HostFile::Locks locks) {
  const auto path = beside(file, name);
  if (!path) return path.error();
  auto part = HostFile::open(path.value(), access, locks);
  if (!part) return part.error();
  return std::unique_ptr<ImageFile>(std::move(part).value());
}

Result<std::unique_ptr<ImageFile>> Chain::open_file(const ImageSource& source, Access access, HostFile::Locks locks,
                                                    std::pair<u64, u64>& identity) const {
  if (names_nbd(source.file)) {
    // Nobody can tell exports apart: each counts as another one, and the chain's length is limited all the same.
    constexpr u64 kNoDevice = ~u64{0};
    identity = {kNoDevice, files_.size()};
    return open_nbd(source.file, access, {source.reconnect_seconds, interruption_});
  }
  auto opened = HostFile::open(source.file, access, locks);
  if (!opened) return opened.error();
  identity = opened.value()->identity();
  return std::unique_ptr<ImageFile>(std::move(opened).value());
}

Opened Chain::open(const ImageSource& source, Access access) {
  if (names_folder_disk(source.file)) {
    auto disk = open_folder_disk(source.file);
    if (!disk) return disk.error();
    return std::unique_ptr<DiskImage>(std::make_unique<RawImage>(std::move(disk).value(), RawImage::Origin::Said));
  }
  const auto locks = source.unlocked ? HostFile::Locks::None : HostFile::Locks::Taken;
  std::pair<u64, u64> identity;
  auto opened = open_file(source, access, locks, identity);
  if (!opened) return opened.error();
  if (std::find(files_.begin(), files_.end(), identity) != files_.end() || files_.size() == kDeepestChain) {
    return Error{fmt::format("{}: {}; give it another backing file (qemu-img rebase -u)", source.file,
                             files_.size() == kDeepestChain ? "stands at the end of too long a chain of backing files"
                                                            : "is its own backing file, or stands below it")};
  }
  files_.push_back(identity);
  ImageFormat format = source.format;
  if (format == ImageFormat::Probe && names_cue_sheet(source.file)) {
    // Read-only: what it names are files of the user's, which no guest is to choose.
    auto image = CueImage::open(std::move(opened).value(), [&](const std::string& name) {
      return open_beside(source.file, name, Access::ReadOnly, HostFile::Locks::Taken);
    });
    if (!image) return image.error();
    return std::unique_ptr<DiskImage>(std::move(image).value());
  }
  if (format == ImageFormat::Probe) {
    const auto name = probe(*opened.value());
    if (!name) return name.error();
    format = name.value().empty() ? ImageFormat::Raw : image_format_of_name(name.value());
    if (format == ImageFormat::Probe) {
      return Error{
          fmt::format("{}: is a {} file, which cannot be opened; unpack or convert it (qemu-img convert -O "
                      "qcow2), or say format=raw to use its bytes as they are",
                      source.file, name.value())};
    }
  }
  if (format == ImageFormat::Raw) {
    const auto origin = source.format == ImageFormat::Raw ? RawImage::Origin::Said : RawImage::Origin::Guessed;
    return std::unique_ptr<DiskImage>(std::make_unique<RawImage>(std::move(opened).value(), origin));
  }
  const Neighbours neighbours{
      [&](const std::string& name, const std::string& word) { return open_backing(source, name, word); },
      [&](const std::string& name) { return open_beside(source.file, name, access, locks); }};
  const auto* row =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const Row& known) { return known.format == format; });
  RELIC86_ASSERT(row != kFormats.end());
  return row->open(std::move(opened).value(), neighbours);
}

// Null: nothing lies below.
Opened Chain::open_backing(const ImageSource& above, const std::string& name, const std::string& format) {
  if (above.below == ImageSource::Below::Nothing) return std::unique_ptr<DiskImage>();
  if (above.below == ImageSource::Below::Given) return open(*above.given, Access::ReadOnly);
  if (name.empty()) return std::unique_ptr<DiskImage>();
  ImageSource source;
  auto place = names_nbd(name) ? Result<std::string>(name) : beside(above.file, name);
  if (!place) return place.error();
  source.file = std::move(place).value();
  std::error_code failure;
  const auto colon = name.find(':');
  if (!names_nbd(name) && colon != std::string::npos && !name.starts_with("file:") && name.find('/') > colon &&
      !std::filesystem::exists(source.file, failure)) {
    return Error{
        fmt::format("{}: is not a file of this host; make a copy of it here and name that (qemu-img rebase -u "
                    "-b FILE -F FORMAT {})",
                    name, above.file)};
  }
  if (!format.empty()) {
    const auto known = image_format(format);
    if (!known) {
      return Error{
          fmt::format("{}: is said to be of format '{}', which cannot be opened; convert it (qemu-img convert "
                      "-O qcow2), then qemu-img rebase -u -b FILE -F qcow2 {}",
                      source.file, format, above.file)};
    }
    source.format = *known;
  }
  return open(source, Access::ReadOnly);
}

}  // namespace

Opened open_image(const ImageSource& source, HostFile::Access access) {
  return Chain(source.interruption).open(source, access);
}

}  // namespace relic86
