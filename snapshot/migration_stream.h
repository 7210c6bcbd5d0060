// What a machine sends of itself to the program in which it goes on (docs/migration.md): a header, then records.
//
//   header   8 bytes "RELIC86M", u32 version, u32 zero
//   record   u32 kind, u32 length, u64 checksum of the content, content
//     1 identity  what must be the same on both sides, as text
//     2 pages     u64 offset in the machine's memory, a multiple of 256 KiB; u64 which pages of it
//                 follow (bit n: page n); u64 which hold zeros; then the pages
//     3 state     everything but memory, as saved machines have it
//     4 end       u8 1: the machine ran
//
// Numbers are little-endian. The same page may come several times: the last one counts.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "memory/backing_store.h"

namespace relic86 {

inline constexpr u64 kMigrationChunkPages = 64;
inline constexpr u64 kMigrationChunk = kMigrationChunkPages * kPageSize;

// Adds to the bytes that are to be sent.
class MigrationWriter {
 public:
  explicit MigrationWriter(std::vector<u8>& out) : out_(out) {}
  void header();
  void identity(std::string_view text);
  // The pages of the chunk at this offset that the mask names; how many bytes of them were not zeros.
  u64 pages(const BackingStore& store, u64 offset, u64 mask);
  void state(std::span<const u8> state);
  void end(bool ran);

 private:
  std::size_t begin(u32 kind);
  void finish(std::size_t record);
  template <class T>
  void number(T value) {
    const auto* bytes = reinterpret_cast<const u8*>(&value);
    out_.insert(out_.end(), bytes, bytes + sizeof value);
  }
  std::vector<u8>& out_;
};

class MigrationReader {
 public:
  // What a stream is about. An error ends it.
  class Target {
   public:
    virtual Result<> identity(std::string_view text) = 0;
    virtual u64 memory_size() const = 0;
    // content: null: zeros.
    virtual void page(u64 offset, const u8* content) = 0;
    virtual Result<> state(std::vector<u8> state) = 0;

   protected:
    ~Target() = default;
  };
  explicit MigrationReader(Target& target) : target_(target) {}

  // The next bytes of the stream, in pieces of any size. After an error nothing more may come.
  Result<> take(std::span<const u8> bytes);
  bool finished() const { return finished_; }
  bool ran() const { return ran_; }
  // The stream is over: an error if it is not complete.
  Result<> end_of_stream() const;

 private:
  Result<std::size_t> take_one(std::span<const u8> bytes);  // how many were used; 0: more must come first
  Result<> record(u32 kind, std::span<const u8> content);
  Result<> pages(std::span<const u8> content);

  Target& target_;
  std::vector<u8> waiting_;
  bool begun_ = false, identified_ = false, has_state_ = false, finished_ = false, ran_ = false;
};

}  // namespace relic86
