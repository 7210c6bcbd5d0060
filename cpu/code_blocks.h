// Decoded code: straight runs of instructions, known by the backing bytes they were decoded from and the code size,
// never by an address. One block never reaches over its page but for a block of one instruction that does.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "cpu/code_patches.h"
#include "cpu/code_size.h"
#include "cpu/insn.h"
#include "memory/backing_store.h"

namespace relic86 {

struct CodeBlock {
  u64 key = 0;    // CodeBlocks::key_of
  u32 bytes = 0;  // from the first instruction's first byte to the last one's last
  bool straddles = false;
  bool alive = true;
  bool guarded = false;         // begins where a debugger's breakpoint may stand (cpu/interpreter.h)
  BackingOffset first{};        // the first byte
  BackingOffset second_page{};  // straddling: the page that holds the rest
  // For a translator: how often the block met registers where it expected memory, and what was made of it.
  u32 register_touches = 0;
  void* translation = nullptr;
  std::unique_ptr<CodeBlock> next;  // that has the same slot of CodeBlocks
  // The instructions, then a sentinel whose handler answers Flow::Lookup.
  std::vector<Insn> insns;

  u64 bytes_in_first_page() const { return std::min<u64>(bytes, kPageSize - (first.raw & (kPageSize - 1))); }
  // Whether it holds one of these bytes, which lie within a page.
  bool overlaps(BackingOffset start, u64 length) const {
    const auto meets = [&](u64 from, u64 size) { return start.raw < from + size && from < start.raw + length; };
    return meets(first.raw, bytes_in_first_page()) ||
           (straddles && meets(second_page.raw, bytes - bytes_in_first_page()));
  }
};

class CodeBlocks {
 public:
  explicit CodeBlocks(BackingStore& store);
  CodeBlocks(const CodeBlocks&) = delete;
  CodeBlocks& operator=(const CodeBlocks&) = delete;

  static constexpr unsigned kMaxInstructions = 64;  // of one block
  static constexpr unsigned kSentinels = 1;         // room that insert() wants behind the instructions

  // The code size stands above any offset, so that blocks of one size share all of table_.
  static u64 key_of(BackingOffset first, CodeSize size) { return first.raw | u64{static_cast<u8>(size)} << kSizeShift; }

  // The live block that starts at first, or null.
  CodeBlock* find(u64 key) {
    CodeBlock* block = table_[slot(key)].get();
    while (block != nullptr && block->key != key) block = block->next.get();
    return block;
  }
  // For a translator: how often the block was entered while there was no translation of it. Some blocks share a count.
  // The counts have a table of their own, because those of a starting guest's code change all the time and are few
  // pages there: a forked machine would get a copy of each page that holds a block.
  u32& heat(const CodeBlock& block) { return heat_[slot(block.key)]; }
  u32 heat(const CodeBlock& block) const { return heat_[slot(block.key)]; }
  // Whether this code is to run without a block for now: it runs for the first time, as much of a starting system's
  // code does for the last time, too; or small writes killed the last block here before it had paid. Counts a run. A
  // guest that makes code, runs it twice and makes it anew is served best so.
  bool passes_unkept(BackingOffset first);
  // Takes a decoded block in; its granules are watched from now on.
  CodeBlock* insert(std::unique_ptr<CodeBlock> block);

  // The bytes were overwritten, within one page. Blocks that hold any of them die, but where the guest writes again and
  // again: there they take the new instruction in if it fits in place of the old one (code_patches.h). A dying block's
  // handlers answer Flow::Lookup from now on, so that a running one stops before its next instruction; the memory goes
  // at collect(). writer: the instruction that wrote, if it is one. It goes on to use its own operands, so that a block
  // in which it writes over itself dies.
  void invalidate(BackingOffset first, u64 length, std::optional<BackingOffset> writer);
  // Whether invalidate() would do no more than put new immediates where translations look them up.
  bool immediates_only(BackingOffset first, u64 length);
  // Off: every write kills. decode: as Decoder::decode.
  void patch_in_place(CodePatcher::Decode decode) { patcher_ = CodePatcher(std::move(decode)); }
  // How many decoded instructions there is room for. Above, what has not been translated dies; if that is not enough, all.
  void set_room(std::size_t instructions) { room_ = instructions; }
  void clear();    // all of them die
  void collect();  // frees the dead; no block may be running

  // Told of every block with a translation that dies.
  void on_death(std::function<void(CodeBlock&)> listener) { death_listener_ = std::move(listener); }
  // Told of every block with a translation that does not follow what its instructions have become.
  void on_patch(std::function<void(CodeBlock&)> listener) { patch_listener_ = std::move(listener); }

  std::size_t live() const { return live_; }
  // Which of these granules of a page living blocks hold.
  u64 held(BackingOffset page, u64 granules) const;

 private:
  static constexpr unsigned kSlotBits = 17;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  static constexpr unsigned kSizeShift = 62;
  static CodeSize size_of(u64 key) { return static_cast<CodeSize>(key >> kSizeShift); }
  static constexpr std::size_t kDefaultRoom = std::size_t{640} << 10;  // 25 MB

  // What a write led to, as long as the same blocks live: the instructions whose immediates it changes.
  struct Site {
    u64 first = ~u64{0};
    u64 length = 0;
    u64 generation = 0;
    std::vector<Insn*> insns;
    std::vector<const u8*> bytes;  // of each one's immediate
  };
  static constexpr std::size_t kSites = 64;
  Site* site(BackingOffset first, u64 length);
  enum class Rewritten : u8 { Seldom, Often };
  bool patch(CodeBlock& block, BackingOffset first, u64 length, std::optional<BackingOffset> writer);
  // How often decoded code was overwritten, by a hash of the place. A kernel that adapts its code to the processor does
  // so once or twice: such code is to be translated as any other.
  static constexpr std::size_t kRewriteCounts = std::size_t{1} << 14;
  static constexpr u8 kRewritesThatKill = 4;
  Rewritten count_rewrite(BackingOffset first);
  // By a hash of the granule: for how many more runs no block is to be made.
  static constexpr u8 kRunsUnkept = 48;
  static constexpr u64 kSmallWrite = 16;
  u8& unkept_runs(BackingOffset first);
  // By a hash of the place: whether code has run there. Places share bits, so that some code gets its block at once; none
  // goes without one for long, whatever else runs. When many bits are set, all are forgotten.
  static constexpr unsigned kMetBits = 19;
  static constexpr u32 kMostMet = 1u << (kMetBits - 2);
  bool runs_first(BackingOffset first);
  bool worth_keeping(const CodeBlock& block) const;

  // Fibonacci hashing: blocks begin where code has branches, in no part of an address more than in another.
  static constexpr std::size_t hash(u64 key, unsigned bits) { return key * 0x9E3779B97F4A7C15 >> (64 - bits); }
  // The same for the regions of a KiB. Blocks of one region have slots in the same page of the tables, so that code which
  // a forked machine meets for the first time costs it copies of few pages. The address's lowest bit goes to the far end:
  // entries of an instruction with and without its LOCK prefix do not meet.
  static std::size_t slot(u64 key) {
    constexpr unsigned kRegionBits = 10;
    constexpr u64 kPlaces = u64{1} << (kRegionBits - 1);
    const u64 place = (key >> 1 ^ key << (kRegionBits - 2)) & (kPlaces - 1);
    return hash(key >> kRegionBits, kSlotBits) ^ place;
  }
  void kill(CodeBlock& block);
  void make_room();

  BackingStore& store_;
  // By slot. A table of the library would write to other blocks' entries when one comes, of which forked machines get
  // copies, and to all of them when it grows.
  std::vector<std::unique_ptr<CodeBlock>> table_;
  std::vector<u32> heat_;
  std::size_t live_ = 0;
  // What a block holds of a page of the backing.
  struct Stretch {
    u16 first = 0, end = 0;  // offsets in the page
    CodeBlock* block = nullptr;
    bool meets(BackingOffset start, u64 length) const {
      const u64 at = start.raw & (kPageSize - 1);
      return at < end && first < at + length;
    }
  };
  // All stretches of a page, in the order of their first bytes, and how long the longest ever was: a write finds the
  // few that it can meet by a binary search.
  struct PageCode {
    std::vector<Stretch> stretches;
    u16 longest = 0;
    std::span<const Stretch> near(u64 at, u64 length) const;
  };
  std::unordered_map<u64, PageCode> pages_;  // by page number
  void enter_page(BackingOffset first, u64 length, CodeBlock& block);
  void leave_page(BackingOffset page, const CodeBlock& block);
  std::vector<std::unique_ptr<CodeBlock>> dead_;
  std::vector<CodeBlock*> hit_;  // by the write that invalidate() is told of
  std::size_t room_ = kDefaultRoom;
  std::size_t instructions_ = 0;
  std::function<void(CodeBlock&)> death_listener_;
  std::function<void(CodeBlock&)> patch_listener_;
  CodePatcher patcher_;
  std::vector<Site> sites_;
  std::vector<u8> rewrites_;
  std::vector<u8> unkept_runs_;
  std::vector<bool> met_;
  u32 met_count_ = 0;   // bits that are set
  u64 generation_ = 1;  // grows whenever there are other blocks, or an immediate's place changes
};

}  // namespace relic86
