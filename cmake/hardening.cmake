# What compiler and linker do against those who find a bug in relic86 (docs/sandbox.md, which says what each costs).
# RELIC86_HARDENING lists it: a distribution that brings flags of its own gives an empty list.
#
#   fortify     bounds of what the C library copies and formats, known or computed (_FORTIFY_SOURCE=3)
#   pie         the program is position-independent: it lies somewhere else each time
#   relro       tables that calls into libraries go through are read-only once the program runs
#
# Not by default, because the code that carries out instructions pays for it:
#
#   stack       canaries below saved registers of functions with arrays (-fstack-protector-strong), probes of large frames
#   assertions  bounds of the standard library's containers (_GLIBCXX_ASSERTIONS)
#
# Builds with sanitizers check more than all of these, and do not mix with the fortified library.
set(RELIC86_HARDENING "fortify;pie;relro" CACHE STRING
    "Hardening of the program: any of stack, fortify, assertions, pie, relro")
set(known_hardening stack fortify assertions pie relro)
foreach(word ${RELIC86_HARDENING})
  if(NOT word IN_LIST known_hardening)
    message(FATAL_ERROR "RELIC86_HARDENING: '${word}' is not known; ${known_hardening} are")
  endif()
endforeach()
set(RELIC86_HARDENING_IN_USE ${RELIC86_HARDENING})
if(RELIC86_SANITIZE OR RELIC86_SANITIZE_THREADS OR RELIC86_FUZZ)
  list(REMOVE_ITEM RELIC86_HARDENING_IN_USE stack fortify assertions)
elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
  list(REMOVE_ITEM RELIC86_HARDENING_IN_USE fortify)  # the library warns where nothing is optimized
endif()
target_link_options(relic86_flags INTERFACE -Wl,-z,noexecstack)
if("stack" IN_LIST RELIC86_HARDENING_IN_USE)
  target_compile_options(relic86_flags INTERFACE -fstack-protector-strong -fstack-clash-protection)
endif()
if("fortify" IN_LIST RELIC86_HARDENING_IN_USE)
  target_compile_options(relic86_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if("assertions" IN_LIST RELIC86_HARDENING_IN_USE)
  target_compile_definitions(relic86_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if("pie" IN_LIST RELIC86_HARDENING_IN_USE)
  # Not -fPIC, which CMake would give to libraries: functions that the dynamic linker may replace are not inlined.
  set(type $<TARGET_PROPERTY:TYPE>)
  target_compile_options(relic86_flags INTERFACE $<$<NOT:$<STREQUAL:${type},MODULE_LIBRARY>>:-fPIE>)
  target_link_options(relic86_flags INTERFACE $<$<STREQUAL:${type},EXECUTABLE>:-pie>)
endif()
if("relro" IN_LIST RELIC86_HARDENING_IN_USE)
  target_link_options(relic86_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
