#include "batch/disk_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "batch/disk_volumes.h"

namespace relic86::batch {

namespace {

constexpr std::size_t kLargestFile = std::size_t{64} << 20;

// A file without a name: it goes with the last one who has it open.
class NamelessFile {
 public:
  static Result<NamelessFile> create() {
    std::error_code failure;
    const std::string folder = std::filesystem::temp_directory_path(failure).string();
    int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    // Not every file system can.
    if (file < 0) file = ::memfd_create("relic86", MFD_CLOEXEC);
    if (file < 0) return Error{fmt::format("no temporary file in {}: {}; set TMPDIR", folder, std::strerror(errno))};
    return NamelessFile(file);
  }
  NamelessFile(NamelessFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  NamelessFile& operator=(NamelessFile&&) = delete;
  ~NamelessFile() {
    if (file_ >= 0) ::close(file_);
  }
  int descriptor() const { return file_; }

  Result<std::string> content() const {
    std::string text;
    char piece[65536];
    ssize_t got = 0;
    for (off_t at = 0; (got = ::pread(file_, piece, sizeof piece, at)) > 0; at += got) {
      text.append(piece, static_cast<std::size_t>(got));
      if (text.size() > kLargestFile) return Error{fmt::format("has more than {} MiB", kLargestFile >> 20)};
    }
    return text;
  }

 private:
  explicit NamelessFile(int file) : file_(file) {}
  int file_;
};

struct Said {
  int exit_code = 0;
  std::string out, err;
};

// The number that the copy of the partition has in a tool's process.
constexpr int kVolumeDescriptor = 3;
constexpr const char* kVolumeName = "/dev/fd/3";

// words[0] is looked for where administrators' tools are, too.
Result<Said> run_tool(const std::vector<std::string>& words, const NamelessFile& volume) {
  auto out = NamelessFile::create(), err = NamelessFile::create();
  if (!out || !err) return out ? err.error() : out.error();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.value().descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.value().descriptor(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, volume.descriptor(), kVolumeDescriptor);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // mtools' checks refuse images that they find odd; nothing of the tools' messages is to depend on the language.
  const char* const environment[] = {"MTOOLS_SKIP_CHECK=1", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t process = 0;
  int failure = ENOENT;
  for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/bin/", "/sbin/"}) {
    failure = ::posix_spawn(&process, (folder + words[0]).c_str(), &actions, nullptr, arguments.data(),
                            const_cast<char* const*>(environment));
    if (failure != ENOENT) break;
  }
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT)
    return Error{fmt::format("{} is not installed, which reads this file system; install Debian's package {}", words[0],
                             words[0] == "mtype" ? "mtools" : "e2fsprogs")};
  if (failure != 0) return Error{fmt::format("{}: {}", words[0], std::strerror(failure))};
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  auto said = out.value().content(), complaint = err.value().content();
  if (!said) return said.error();
  return Said{WIFEXITED(status) ? WEXITSTATUS(status) : -1, std::move(said).value(),
              complaint ? complaint.value() : std::string()};
}

Result<NamelessFile> copy_of(DriveMedium& disk, const DiskVolume& volume) {
  auto copy = NamelessFile::create();
  if (!copy) return copy;
  const auto trouble = [] { return Error{fmt::format("a copy of the disk: {}; make room", std::strerror(errno))}; };
  if (::ftruncate(copy.value().descriptor(), static_cast<off_t>(volume.length)) != 0) return trouble();
  std::vector<u8> piece(std::size_t{1} << 20);
  for (u64 at = 0; at < volume.length; at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<u64>(piece.size(), volume.length - at)));
    if (auto read = disk.read(volume.offset + at, piece); !read) return read.error();
    if (std::all_of(piece.begin(), piece.end(), [](u8 byte) { return byte == 0; })) continue;
    for (std::size_t done = 0; done < piece.size();) {
      const ssize_t put =
          ::pwrite(copy.value().descriptor(), piece.data() + done, piece.size() - done, static_cast<off_t>(at + done));
      if (put <= 0) return trouble();
      done += static_cast<std::size_t>(put);
    }
  }
  return copy;
}

Result<std::string> read_ext(const NamelessFile& volume, const std::string& path) {
  // What the guest's system has written may stand in the journal alone. No journal is no trouble.
  (void)run_tool({"e2fsck", "-y", "-E", "journal_only", kVolumeName}, volume);
  auto said = run_tool({"debugfs", "-R", fmt::format("cat \"{}\"", path), kVolumeName}, volume);
  if (!said) return said.error();
  // debugfs ends well whatever happens, and says its name and version first.
  std::string complaint = said.value().err;
  complaint.erase(0, std::min(complaint.find('\n') + 1, complaint.size()));
  if (!complaint.empty()) return Error{complaint.substr(0, complaint.find('\n'))};
  return said.value().out;
}

Result<std::string> read_fat(const NamelessFile& volume, const std::string& path) {
  const std::string inside = path.starts_with('/') ? path.substr(1) : path;
  auto said = run_tool({"mtype", "-i", kVolumeName, "::" + inside}, volume);
  if (!said) return said.error();
  if (said.value().exit_code != 0) return Error{said.value().err.substr(0, said.value().err.find('\n'))};
  return said.value().out;
}

}  // namespace

Result<std::string> read_disk_file(DriveMedium& disk, unsigned partition, const std::string& path) {
  if (path.find_first_of("\"\\\n") != std::string::npos)
    return Error{"a path with quotes, backslashes or line ends is not looked for; write it with slashes"};
  const auto volumes = disk_volumes(disk);
  if (!volumes) return volumes.error();
  const auto wanted = [&](const DiskVolume& volume) {
    return partition != 0 ? volume.partition == partition : volume.kind != DiskVolume::Kind::Unknown;
  };
  const auto found = std::find_if(volumes.value().begin(), volumes.value().end(), wanted);
  if (found == volumes.value().end())
    return Error{partition != 0 ? fmt::format("the disk has no partition {}", partition)
                                : "the disk holds no FAT and no ext2 to ext4; no other file system is read"};
  if (found->kind == DiskVolume::Kind::Unknown)
    return Error{fmt::format("partition {} holds no FAT and no ext2 to ext4; no other file system is read", partition)};
  auto copy = copy_of(disk, *found);
  if (!copy) return copy.error();
  return found->kind == DiskVolume::Kind::Ext ? read_ext(copy.value(), path) : read_fat(copy.value(), path);
}

}  // namespace relic86::batch
