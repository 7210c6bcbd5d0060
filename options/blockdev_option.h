// -blockdev and blockdev-add: nodes that name an image, or a format over another node.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "options/option_text.h"

namespace relic86 {

struct Options;

struct BlockNode {
  std::string name;     // node-name
  std::string driver;   // "file", "host_device", "nbd", "raw", "qcow2"
  std::string file;     // of the image, as the node or the one below it names it; "nbd://HOST/EXPORT" of a server's
  std::string below;    // the node that a format stands on; empty: none
  std::string backing;  // the node that its backing file is; empty: what the image itself says
  bool read_only = false;
  unsigned reconnect_seconds = 0;  // reconnect-delay= of driver=nbd
};

// One node from its properties; an inner node ("file.driver", "file.filename") is made together with the one over it,
// and stands before it in the answer. The name of an inner node may be missing.
Result<std::vector<BlockNode>> make_block_nodes(const std::vector<BlockNode>& others, const Properties& properties);

// -blockdev [driver=]DRIVER,node-name=NAME,PROP=V.. in either form.
Result<> add_block_node(Options& options, std::string_view value);

// The formats of images that can be opened, by QEMU's names.
std::span<const std::string_view> image_formats();
bool is_image_format(std::string_view word);

// Null: there is no such node.
const BlockNode* find_block_node(const std::vector<BlockNode>& nodes, std::string_view name);

}  // namespace relic86
