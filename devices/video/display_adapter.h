// What the window, the screenshots and the monitor want of a display adapter, whichever it is.
#pragma once

#include <string>
#include <vector>

#include "base/guest_clock.h"
#include "devices/host_sinks.h"
#include "devices/video/status_reads.h"

namespace relic86 {

class DisplayAdapter {
 public:
  virtual ~DisplayAdapter() = default;

  // Brings frame up to the present picture and returns true; false: nothing changed since the last call that drew, and
  // frame is left alone. Give the same frame at every call: only what changed is drawn. An empty frame, or one of other
  // dimensions than the last, is drawn whole.
  virtual bool render(Frame& frame) = 0;
  // The rows that the last render() may have changed: [first, end).
  struct Rows {
    unsigned first = 0;
    unsigned end = 0;
  };
  virtual Rows changed_rows() const = 0;
  // Input status register 1 as the guest would read it now, when its retrace bit changes next (never before the guest
  // could see it), and how often it is read.
  virtual u8 status() = 0;
  virtual GuestTime next_retrace_change() = 0;
  virtual StatusReads& status_reads() = 0;
  virtual bool text_mode() const = 0;
  // The text screen in UTF-8, trailing blanks stripped; empty in graphics modes and before a mode is set.
  virtual std::vector<std::string> text_lines() = 0;
  // "text 80x25", "graphics 640x480, 16 colours", "VBE 1024x768x32": for messages.
  virtual std::string mode_name() const = 0;
};

}  // namespace relic86
