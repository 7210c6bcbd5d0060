// The container of a saved machine: a header, then sections with a tag, a length and a checksum each, "END " last.
//
//   header   8 bytes "RELIC86S", u32 version, u32 zero
//   section  4 bytes tag, u32 zero, u64 length, u64 checksum, content
//
// Numbers are little-endian.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/state_archive.h"

namespace relic86 {

// Writes under a temporary name beside the file; only commit() gives it its name. Errors are kept: commit() returns the
// first one.
class StateFileWriter {
 public:
  static Result<StateFileWriter> create(const std::string& path);
  StateFileWriter(StateFileWriter&& other) noexcept;
  StateFileWriter& operator=(StateFileWriter&&) = delete;
  ~StateFileWriter();  // without commit(): nothing is left

  void begin(std::string_view tag);  // four characters
  void put(std::span<const u8> bytes);
  void put(std::string_view text) { put({reinterpret_cast<const u8*>(text.data()), text.size()}); }
  template <class T>
  void put_number(T value) {
    static_assert(std::is_integral_v<T>);
    put({reinterpret_cast<const u8*>(&value), sizeof value});
  }
  void end();
  bool failed() const { return error_ != 0; }

  // On the host's disk, under its name; a file that was there before is replaced in one step.
  Result<> commit();

 private:
  StateFileWriter(std::string path, std::string temporary, int file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}
  void write_out(std::span<const u8> bytes, u64 offset);
  void flush_piece();

  std::string path_, temporary_;
  int file_ = -1;
  int error_ = 0;  // errno
  u64 position_ = 0;
  u64 section_ = 0;  // offset of the open section's header
  std::string tag_;
  std::vector<u8> piece_;
  StateHasher checksum_;
};

struct StateSection {
  std::string tag;
  u64 offset = 0;  // of the content
  u64 length = 0;
};

class StateFileReader {
 public:
  // Reads the whole file once: it is complete and every checksum is right, or there is an error.
  static Result<StateFileReader> open(const std::string& path);
  // As open(), but reads no more than the table of sections (info snapshots).
  static Result<StateFileReader> open_unchecked(const std::string& path);
  StateFileReader(StateFileReader&& other) noexcept;
  StateFileReader& operator=(StateFileReader&&) = delete;
  ~StateFileReader();

  const std::vector<StateSection>& sections() const { return sections_; }
  const StateSection* find(std::string_view tag) const;  // the first one; null: none
  // False: beyond the section, or the host could not.
  bool read(const StateSection& section, u64 position, std::span<u8> into) const;
  Result<std::vector<u8>> content(const StateSection& section, u64 limit) const;
  const std::string& path() const { return path_; }
  u64 size() const { return size_; }
  Error damaged(std::string_view what) const;

 private:
  StateFileReader(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<> read_table();
  Result<> verify() const;
  bool read_at(u64 offset, std::span<u8> into) const;

  std::string path_;
  int file_ = -1;
  u64 size_ = 0;
  std::vector<StateSection> sections_;
  std::vector<u64> checksums_;
};

// Reads a section from its start to its end, buffered.
class StateCursor {
 public:
  StateCursor(const StateFileReader& file, const StateSection& section) : file_(file), section_(section) {}
  bool at_end() const { return position_ >= section_.length; }
  // False: the section ended, or the host could not read.
  bool take(std::span<u8> into);
  template <class T>
  bool take_number(T& value) {
    return take({reinterpret_cast<u8*>(&value), sizeof value});
  }

 private:
  const StateFileReader& file_;
  StateSection section_;
  u64 position_ = 0;
  u64 buffered_at_ = 0;
  std::vector<u8> buffer_;
};

// Compressed with zstd. expand() gives false unless the result has exactly the size of `into`.
std::vector<u8> compress(std::span<const u8> bytes);
bool expand(std::span<const u8> compressed, std::span<u8> into);

}  // namespace relic86
