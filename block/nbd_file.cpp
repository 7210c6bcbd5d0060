#include "block/nbd_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#ifdef RELIC86_NBD
#include <libnbd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

namespace relic86 {

namespace {

constexpr std::string_view kSchemes[] = {"nbd://", "nbd+unix://"};
constexpr std::string_view kOldScheme = "nbd:";

// A name inside a URI (RFC 3986).
std::string escaped(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string result;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<u8>(c));
  }
  return result;
}

// socket: instead of host and port.
std::string put_together(std::string_view host, std::string_view port, std::string_view socket, std::string_view name) {
  if (!socket.empty()) return fmt::format("nbd+unix:///{}?socket={}", escaped(name), escaped(socket));
  return fmt::format("nbd://{}:{}/{}", host.empty() ? "localhost" : host, port.empty() ? "10809" : port, escaped(name));
}

}  // namespace

bool names_nbd(std::string_view file) { return file.starts_with("nbd:") || file.starts_with(kSchemes[1]); }

std::string nbd_uri(std::string_view file) {
  for (const std::string_view scheme : kSchemes) {
    if (file.starts_with(scheme)) return std::string(file);
  }
  constexpr std::string_view kName = ":exportname=", kUnix = "unix:";
  std::string_view rest = file.substr(kOldScheme.size()), name;
  if (const auto at = rest.find(kName); at != std::string_view::npos) {
    name = rest.substr(at + kName.size());
    rest = rest.substr(0, at);
  }
  if (rest.starts_with(kUnix)) return put_together("", "", rest.substr(kUnix.size()), name);
  const auto colon = rest.rfind(':');
  return put_together(rest.substr(0, colon), colon == std::string_view::npos ? "" : rest.substr(colon + 1), "", name);
}

#ifdef RELIC86_NBD

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds, std::chrono::seconds;

constexpr seconds kLongestConnecting{5}, kLongestAnswer{30};
constexpr seconds kLongestSilence{5};  // of a server that has not answered before
constexpr milliseconds kBetweenAttempts{500};
constexpr seconds kGrace{5};                // that a server has to answer when the machine's thread waits
constexpr milliseconds kBetweenLooks{50};   // at whether it does
constexpr u64 kLongestTransfer = 4u << 20;  // of one request, so that none lasts for long
constexpr u64 kLongestChange = 256u << 20;  // of one that has no bytes to it
constexpr u64 kLargestMinimum = 64u << 10;  // block that a server may insist on

class NbdFile final : public ImageFile {
 public:
  NbdFile(std::string file, HostFile::Access access, NbdPatience patience)
      : path_(std::move(file)),
        uri_(nbd_uri(path_)),
        read_only_(access == HostFile::Access::ReadOnly),
        patience_(patience.reconnect_seconds),
        interruption_(std::move(patience.interruption)) {}

  Result<> open() {
    if (auto connected = connect(); !connected) return connected;
    size_ = static_cast<u64>(nbd_get_size(handle_.get()));
    const bool refuses = nbd_is_read_only(handle_.get()) > 0;
    if (refuses && !read_only_)
      return Error{fmt::format("{}: the server exports it read-only; use readonly=on or -snapshot", path_)};
    const i64 minimum = nbd_get_block_size(handle_.get(), LIBNBD_SIZE_MINIMUM);
    if (minimum > 0) block_ = static_cast<u64>(minimum);
    if (block_ > kLargestMinimum)
      return Error{
          fmt::format("{}: the server insists on blocks of {} bytes, which is more than 64 KiB", path_, block_)};
    if (const i64 most = nbd_get_block_size(handle_.get(), LIBNBD_SIZE_MAXIMUM); most > 0)
      longest_ = std::max(block_, std::min(longest_, static_cast<u64>(most)) / block_ * block_);
    can_flush_ = nbd_can_flush(handle_.get()) > 0;
    can_trim_ = nbd_can_trim(handle_.get()) > 0;
    can_zero_ = nbd_can_zero(handle_.get()) > 0;
    tells_runs_ = nbd_can_meta_context(handle_.get(), LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
    return {};
  }

  const std::string& path() const override { return path_; }
  u64 size_bytes() const override { return size_; }
  bool read_only() const override { return read_only_; }
  bool ready_to_read(u64, u64) override { return false; }
  u64 allocated_bytes() const override { return size_; }
  i64 modified_ns() const override { return 0; }
  bool take_full() override { return std::exchange(full_, false); }

  Result<> read(u64 offset, std::span<u8> bytes) override {
    if (offset > size_ || bytes.size() > size_ - offset)
      return Error{fmt::format("{}: read beyond the end of the export", path_)};
    if (aligned(offset, bytes.size())) return read_blocks(offset, bytes);
    return with_blocks(offset, bytes.size(), [&](u64 first, std::span<u8> whole) {
      auto read = read_blocks(first, whole);
      if (read) std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(offset - first), bytes.size(), bytes.begin());
      return read;
    });
  }

  Result<> write(u64 offset, std::span<const u8> bytes) override {
    if (read_only_) return Error{fmt::format("{}: was opened read-only", path_)};
    if (offset > size_ || bytes.size() > size_ - offset)
      return Error{fmt::format("{}: an export does not grow; make the image larger where the server is", path_)};
    if (aligned(offset, bytes.size())) return write_blocks(offset, bytes);
    return with_blocks(offset, bytes.size(), [&](u64 first, std::span<u8> whole) {
      if (auto read = read_blocks(first, whole); !read) return read;
      std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset - first));
      return write_blocks(first, whole);
    });
  }

  Result<> flush() override {
    if (!can_flush_ || read_only_) return {};
    return ask("flushing", [](nbd_handle* h) { return nbd_aio_flush(h, NBD_NULL_COMPLETION, 0); });
  }
  Result<> resize(u64 size) override {
    if (size == size_) return {};
    return Error{fmt::format("{}: an export keeps its size; change it where the server is", path_)};
  }
  bool punch_hole(u64 offset, u64 length) override {
    return can_trim_ && change(offset, length, [](nbd_handle* h, u64 at, u64 count) {
             return nbd_aio_trim(h, count, at, NBD_NULL_COMPLETION, 0);
           });
  }
  bool write_zeroes(u64 offset, u64 length) override {
    return can_zero_ && change(offset, length, [](nbd_handle* h, u64 at, u64 count) {
             return nbd_aio_zero(h, count, at, NBD_NULL_COMPLETION, 0);
           });
  }

  Run run_at(u64 offset, u64 length) override {
    const u64 first = offset / block_ * block_;
    if (!tells_runs_ || offset >= size_) return {true, length};
    const u64 count =
        std::min({kLongestChange, size_ - first, (offset - first + length + block_ - 1) / block_ * block_});
    auto told = ask("asking for what is in use", [&](nbd_handle* h) {
      found_.reset();
      const nbd_extent_callback callback{.callback = first_run, .user_data = &found_, .free = nullptr};
      return nbd_aio_block_status(h, count, first, callback, NBD_NULL_COMPLETION, 0);
    });
    if (!told || !found_ || found_->length <= offset - first) return {true, length};
    return {found_->data, std::min(length, found_->length - (offset - first))};
  }

 private:
  struct Close {
    void operator()(nbd_handle* handle) const { nbd_close(handle); }
  };

  static int first_run(void* to, const char* context, u64, u32* entries, std::size_t count, int*) {
    auto& found = *static_cast<std::optional<Run>*>(to);
    if (count < 2 || found || std::strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0) return 0;
    found = Run{(entries[1] & LIBNBD_STATE_ZERO) == 0, entries[0]};
    return 0;
  }

  bool aligned(u64 offset, u64 length) const { return offset % block_ == 0 && length % block_ == 0; }
  // The whole blocks that a range lies in.
  template <class Act>
  Result<> with_blocks(u64 offset, u64 length, Act act) {
    const u64 first = offset / block_ * block_;
    const u64 end = std::min(size_, (offset + length + block_ - 1) / block_ * block_);
    std::vector<u8> whole(static_cast<std::size_t>(end - first));
    return act(first, std::span(whole));
  }

  Result<> read_blocks(u64 offset, std::span<u8> bytes) {
    return in_pieces(bytes.size(), longest_, [&](u64 at, u64 count) {
      auto read = ask("reading", [&](nbd_handle* h) {
        transfer_.resize(static_cast<std::size_t>(count));
        return nbd_aio_pread(h, transfer_.data(), count, offset + at, NBD_NULL_COMPLETION, 0);
      });
      if (read) std::copy(transfer_.begin(), transfer_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
      return read;
    });
  }
  Result<> write_blocks(u64 offset, std::span<const u8> bytes) {
    return in_pieces(bytes.size(), longest_, [&](u64 at, u64 count) {
      return ask("writing", [&](nbd_handle* h) {
        const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        transfer_.assign(from, from + static_cast<std::ptrdiff_t>(count));
        return nbd_aio_pwrite(h, transfer_.data(), count, offset + at, NBD_NULL_COMPLETION, 0);
      });
    });
  }
  template <class Ask>
  bool change(u64 offset, u64 length, Ask request) {
    if (read_only_ || offset > size_ || length > size_ - offset || !aligned(offset, length)) return false;
    return in_pieces(length, kLongestChange,
                     [&](u64 at, u64 count) {
                       return ask("changing", [&](nbd_handle* h) { return request(h, offset + at, count); });
                     })
        .ok();
  }
  template <class Act>
  static Result<> in_pieces(u64 length, u64 most, Act act) {
    for (u64 at = 0; at < length; at += most) {
      if (auto done = act(at, std::min(most, length - at)); !done) return done;
    }
    return {};
  }

  Error trouble(std::string_view what, std::string_view cause) const {
    return Error{fmt::format("{}: {} failed ({}); see whether the server still runs", path_, what, cause)};
  }
  static std::string last_error() {
    const char* const text = nbd_get_error();
    return text != nullptr ? text : "no answer";
  }

  // Whether what is waited for is to be given up.
  bool interrupted() {
    const u64 request = interruption_ ? interruption_->asked() : 0;
    if (request == 0) return false;
    if (std::exchange(seen_request_, request) != request) request_seen_ = Clock::now();
    if (Clock::now() - request_seen_ < kGrace) return false;
    interruption_->note_used();
    return true;
  }

  // Lets libnbd work until `done` says so. False: it did not in time, the connection is lost, or nobody waits any more.
  bool wait(Clock::duration longest, const std::function<bool()>& done) {
    const auto deadline = Clock::now() + longest;
    while (!done()) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
      if (left <= 0 || ended()) return false;
      if (interrupted()) return false;
      const auto slice = interruption_ ? std::min<decltype(left)>(left, kBetweenLooks.count()) : left;
      if (nbd_poll(handle_.get(), static_cast<int>(slice)) < 0 && errno != EINTR) return done();
    }
    return true;
  }

  Result<> connect() {
    handle_.reset(nbd_create());
    if (!handle_) return trouble("connecting", last_error());
    unanswered_.reset();
    nbd_handle* const h = handle_.get();
    (void)nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION);
    const bool begun = nbd_aio_connect_uri(h, uri_.c_str()) == 0;
    if (begun && wait(kLongestConnecting, [h] { return nbd_aio_is_ready(h) > 0; })) {
      notice_dead_hosts(nbd_aio_get_fd(h));
      return {};
    }
    const bool late = begun && nbd_aio_is_connecting(h) > 0;
    const Error error = trouble("connecting", late ? "no answer" : last_error());
    handle_.reset();
    last_attempt_ = Clock::now();
    return error;
  }

  // A host that is gone without a word ends its connections as well, after some half a minute. Of unix sockets this is
  // not true, and not needed.
  static void notice_dead_hosts(int socket) {
    struct Option {
      int level, name, value;
    };
    constexpr int kMilliseconds = 1000;
    for (const Option& each :
         {Option{SOL_SOCKET, SO_KEEPALIVE, 1}, Option{IPPROTO_TCP, TCP_KEEPIDLE, 10},
          Option{IPPROTO_TCP, TCP_KEEPINTVL, 5}, Option{IPPROTO_TCP, TCP_KEEPCNT, 4},
          Option{IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kLongestAnswer.count()) * kMilliseconds}})
      (void)setsockopt(socket, each.level, each.name, &each.value, sizeof each.value);
  }

  Result<> connect_again() {
    if (Clock::now() - last_attempt_ < kBetweenAttempts) return trouble("connecting", "it has just failed");
    if (auto connected = connect(); !connected) return connected;
    const bool same =
        static_cast<u64>(nbd_get_size(handle_.get())) == size_ && (read_only_ || nbd_is_read_only(handle_.get()) == 0);
    if (same) return {};
    handle_.reset();
    return trouble("connecting again", "the export is not the same any more");
  }

  // Connected, and everything is answered. A request that was given up may still be carried out, however late: what is
  // asked next must not be done before it. So its connection stays until there is an answer, or until it ends.
  Result<> ready() {
    if (handle_ && unanswered_) {
      const bool answered = wait(kLongestSilence, [this] { return answer() != 0; });
      if (ended())
        lose_connection();
      else if (!answered)
        return trouble("waiting for the server", "no answer");
    }
    return handle_ ? Result<>() : connect_again();
  }

  // What has become of the request: 1 done, -1 failed, 0 nothing yet.
  int answer() {
    const int state = nbd_aio_command_completed(handle_.get(), *unanswered_);
    if (state != 0) unanswered_.reset();
    return state;
  }
  bool ended() const { return nbd_aio_is_dead(handle_.get()) > 0 || nbd_aio_is_closed(handle_.get()) > 0; }
  void lose_connection() {
    handle_.reset();
    last_attempt_ = {};  // a server that was there a moment ago may be there again at once
  }

  // One request: begin gives its cookie. What the connection is lost with is asked again as long as there is patience.
  Result<> ask(std::string_view what, const std::function<i64(nbd_handle*)>& begin) {
    const auto deadline = Clock::now() + patience_;
    for (;;) {
      Result<> result = ready();
      if (result) {
        bool lost = false;
        result = ask_once(what, begin, lost);
        if (result || !lost) return result;
        if (ended()) lose_connection();
      }
      const auto next = Clock::now() + kBetweenAttempts;
      while (Clock::now() < next) {
        if (Clock::now() >= deadline || interrupted()) return result;
        std::this_thread::sleep_for(kBetweenLooks);
      }
    }
  }

  Result<> ask_once(std::string_view what, const std::function<i64(nbd_handle*)>& begin, bool& lost) {
    nbd_handle* const h = handle_.get();
    const i64 cookie = begin(h);
    if (cookie < 0) {
      lost = nbd_aio_is_ready(h) <= 0 && nbd_aio_is_processing(h) <= 0;
      return trouble(what, last_error());
    }
    unanswered_ = static_cast<u64>(cookie);
    int state = 0;
    const bool answered = wait(kLongestAnswer, [&] { return (state = answer()) != 0; });
    if (answered && state > 0) return {};
    lost = !answered || ended();
    full_ = full_ || (answered && !lost && nbd_get_errno() == ENOSPC);
    return trouble(what, answered ? last_error() : "no answer");
  }

  const std::string path_, uri_;
  const bool read_only_;
  const seconds patience_;
  const std::shared_ptr<Interruption> interruption_;
  u64 seen_request_ = 0;  // of interruption_, and when it was first seen
  Clock::time_point request_seen_{};
  // Where a request has its bytes, and its answer, though nobody waits for it any more: libnbd knows their place.
  std::vector<u8> transfer_;
  std::optional<Run> found_;
  std::unique_ptr<nbd_handle, Close> handle_;  // goes before them
  std::optional<u64> unanswered_;              // the request that has no answer yet
  Clock::time_point last_attempt_{};
  u64 size_ = 0;
  u64 block_ = 1, longest_ = kLongestTransfer;
  bool can_flush_ = false, can_trim_ = false, can_zero_ = false, tells_runs_ = false;
  bool full_ = false;
};

}  // namespace

Result<std::unique_ptr<ImageFile>> open_nbd(const std::string& file, HostFile::Access access, NbdPatience patience) {
  auto opened = std::make_unique<NbdFile>(file, access, std::move(patience));
  if (auto done = opened->open(); !done) return done.error();
  return std::unique_ptr<ImageFile>(std::move(opened));
}

#else

Result<std::unique_ptr<ImageFile>> open_nbd(const std::string& file, HostFile::Access, NbdPatience) {
  return Error{fmt::format("{}: this build has no NBD client; install libnbd-dev and build again", file)};
}

#endif

}  // namespace relic86
