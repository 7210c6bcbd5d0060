// Registers, transfer request blocks and contexts of an eXtensible Host Controller (xHCI specification 1.0).
#pragma once

#include "base/types.h"

namespace relic86::xhci {

// Parts of the BAR.
constexpr u32 kOperational = 0x40, kRuntime = 0x1000, kDoorbells = 0x2000, kRegisterBytes = 0x4000;
constexpr u32 kPortRegisters = 0x400, kPortBytes = 0x10;  // from kOperational on
constexpr u32 kUsb2Protocol = 0x20, kUsb3Protocol = 0x30;

enum Operational : u32 {
  kCommand = 0x00,
  kStatus = 0x04,
  kPageSizes = 0x08,
  kNotificationControl = 0x14,
  kCommandRing = 0x18,
  kContextArray = 0x30,
  kConfigure = 0x38,
};
constexpr u32 kRun = 1, kHostReset = 2, kInterrupterEnable = 4, kCommandBits = 0xF0D;  // without the reset
constexpr u32 kHalted = 1, kEventInterrupt = 8, kPortChange = 16, kStatusClears = 0x41C;
constexpr u32 kRingCycle = 1, kRingStop = 2, kRingAbort = 4, kRingRunning = 8;
constexpr u32 kSlotsBits = 0xFF;

// From kRuntime on, with the only interrupter.
enum Runtime : u32 {
  kMicroFrameIndex = 0x00,
  kManagement = 0x20,
  kModeration = 0x24,
  kSegmentTableSize = 0x28,
  kSegmentTable = 0x30,
  kEventDequeue = 0x38,
};
constexpr u32 kPending = 1, kEnabledInterrupt = 2;  // of the management register
constexpr u32 kHandlerBusy = 8, kDequeueLowBits = 0xF;

// PORTSC.
constexpr u32 kConnected = 1u << 0, kPortEnabled = 1u << 1, kPortReset = 1u << 4, kPower = 1u << 9,
              kLinkWrite = 1u << 16, kConnectChanged = 1u << 17, kEnableChanged = 1u << 18, kResetChanged = 1u << 21,
              kLinkChanged = 1u << 22, kPortChanges = 0x00FE0000, kPortKept = 0x0E00C000;
constexpr unsigned kLinkAt = 5, kSpeedAt = 10;
constexpr u32 kLinkBits = 0xFu << kLinkAt, kSpeedBits = 0xFu << kSpeedAt;
enum Link : u32 { kLinkOn = 0, kLinkSuspended = 3, kLinkDetects = 5, kLinkPolls = 7, kLinkResumes = 15 };
constexpr u32 kFullSpeed = 1;

// Transfer request blocks: 0-7 parameter, 8-11 status, 12-15 control.
constexpr u32 kBlockBytes = 16;
constexpr u32 kCycle = 1, kToggleCycle = 2, kInterruptOnShort = 4, kChain = 16, kInterruptOnCompletion = 32,
              kImmediate = 64, kDeconfigure = 1u << 9, kBlockAddress = 1u << 9, kToHost = 1u << 16;
constexpr u32 kEventData = 4;  // in the control of a transfer event
constexpr u32 kLengthBits = 0x1FFFF, kEventLengthBits = 0xFFFFFF;
enum class BlockType : u8 {
  Normal = 1,
  Setup = 2,
  Data = 3,
  Status = 4,
  Isochronous = 5,
  Link = 6,
  EventData = 7,
  NoOperation = 8,
  EnableSlot = 9,
  DisableSlot = 10,
  AddressDevice = 11,
  ConfigureEndpoint = 12,
  EvaluateContext = 13,
  ResetEndpoint = 14,
  StopEndpoint = 15,
  SetDequeue = 16,
  ResetDevice = 17,
  NoOperationCommand = 23,
  TransferEvent = 32,
  CommandEvent = 33,
  PortEvent = 34,
};
enum class Code : u8 {
  Success = 1,
  TransactionError = 4,
  BlockError = 5,
  Stall = 6,
  NoSlots = 9,
  SlotNotEnabled = 11,
  ShortPacket = 13,
  ParameterError = 17,
  ContextState = 19,
  RingStopped = 24,
  Stopped = 26,
};

// Contexts of 32 bytes; the slot's is followed by those of 31 endpoints.
constexpr u32 kContextBytes = 32, kEndpoints = 32;
constexpr u8 kLongestInterval = 15;  // as a power of two of micro-frames
constexpr u16 kMostPacket = 1024;
enum SlotState : u32 { kDefault = 1, kAddressed = 2, kConfigured = 3 };
constexpr unsigned kSlotStateAt = 27;
enum EndpointState : u8 { kDisabled = 0, kRunning = 1, kHaltedEndpoint = 2, kStopped = 3 };
enum EndpointType : u8 { kBulkOut = 2, kInterruptOut = 3, kControl = 4, kBulkIn = 6, kInterruptIn = 7 };

}  // namespace relic86::xhci
