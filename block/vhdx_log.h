// The log of a VHDX file ([MS-VHDX] 2.3): changes of its tables that were promised and may not have been made yet.
#pragma once

#include "block/vhdx_layout.h"

namespace relic86 {

// Makes the changes of the last sound sequence of the log; afterwards the log is empty. Both is flushed.
Result<> replay_vhdx_log(ImageFile& file, VhdxHeader& header);

}  // namespace relic86
